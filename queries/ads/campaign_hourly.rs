//! Campaigns by hour: what was shown, clicked and paid, and what came of it.
//!
//! `ctr` is clicks over impressions, smoothed by a Beta(1, 99) prior: (clicks + 1) /
//! (impressions + 100), so that a campaign that was hardly shown reads as 1 %. `spend` adds the cost
//! of every ad record, also of one without an event (an unknown cost is none). `conversions` counts the ads platform's own
//! conversion records; `revenue` is the value of the sales of that hour whose last touch
//! (`attribution`, with the same windows) was the campaign, and `roas` is revenue over spend, empty
//! without spend. `cost_per_conversion` is spend over conversions. Ads without a campaign have the
//! empty key and no revenue. Money that does not fit into 64 bits is empty. State: that of `attribution`'s credits, and six sums per hour and
//! campaign.

use super::attribution::{Attribution, naive_conversions};
use crate::clock::Time;
use crate::event::ads::{CAMPAIGN_ID, COST, EVENT};
use crate::event::{AdEvent, Ads, Row};
use crate::operator::{Aggregate, Collection};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::{Hour, Money, Quotient, Real};
use std::collections::BTreeMap;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug)]
    pub struct CampaignHourly {
        /// Days for which a click counts towards a sale.
        pub click_days: u16 = Attribution::default().click_days,
        /// Days for which an impression counts towards a sale.
        pub view_days: u16 = Attribution::default().view_days,
    }
}

crate::record! {
    /// A campaign's hour.
    pub struct Output {
        keys {
            /// The hour (event time, by its first moment).
            hour: Hour,
            /// The campaign.
            campaign_id: Text,
        }
        values {
            /// Times it was shown.
            impressions: i64,
            /// Times it was clicked.
            clicks: i64,
            /// Click-through rate (clicks + 1) / (impressions + 100), smoothed.
            ctr: Real,
            /// What its ad records cost.
            /// Empty where it does not fit into 64 bits.
            spend: Option<Money>,
            /// The ads platform's own conversion records.
            conversions: i64,
            /// spend / conversions.
            cost_per_conversion: Option<Quotient<1>>,
            /// Value of the hour's sales whose last touch it was.
            /// Empty where it does not fit into 64 bits.
            revenue: Option<Money>,
            /// revenue / spend; empty without spend.
            roas: Option<Real>,
        }
    }
}

/// Impressions, clicks and conversions; cost; number and value of the sales credited.
type Sums = ((i64, i64, i64), i128, (i64, i128));

fn is(ad: &Row<'_, Ads>, event: AdEvent) -> i64 {
    i64::from(ad.event() == Some(event))
}

fn row(hour: Hour, campaign_id: Text, sums: &Sums) -> Output {
    let ((impressions, clicks, conversions), spend, (_, revenue)) = *sums;
    Output {
        hour,
        campaign_id,
        impressions,
        clicks,
        ctr: Real((clicks + 1) as f64 / (impressions + 100) as f64),
        spend: Money::of(Some(spend)),
        conversions,
        cost_per_conversion: Quotient::of(spend, conversions),
        revenue: Money::of(Some(revenue)),
        roas: Real::ratio(revenue, spend),
    }
}

impl Query for CampaignHourly {
    type Output = Output;

    fn name(&self) -> &'static str {
        "campaign_hourly"
    }

    fn about(&self) -> &'static str {
        "campaigns by hour: impressions, clicks, smoothed CTR, spend, conversions, ROAS"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let shown = inputs
            .ads(&[EVENT, CAMPAIGN_ID, COST.optional()])
            .keyed(
                "Campaigns",
                |ad| Some((ad.hour(), ad.campaign_id().clone())),
                |((impressions, clicks, conversions), cost, _): &mut Sums, ad, diff| {
                    *impressions += is(ad, AdEvent::Impression) * diff;
                    *clicks += is(ad, AdEvent::Click) * diff;
                    *conversions += is(ad, AdEvent::Conversion) * diff;
                    *cost += ad.cost().map_or(0, |cost| i128::from(cost.0)) * i128::from(diff);
                },
            )
            .until(|(hour, _)| hour.last().0)
            .row(|key, sums| Some((key.clone(), *sums)));
        let Self { click_days, view_days } = *self;
        let touched = Attribution { click_days, view_days }.last_touches(inputs);
        let sold = touched.flat_map(|(hour, campaign, amount, sales)| {
            let value = amount * i128::from(sales);
            (amount != 0).then_some(((hour, campaign), ((0, 0, 0), 0, (sales, value))))
        });
        shown.concat(sold).aggregate(
            "CampaignHourly",
            |(key, _)| Some(key.clone()),
            |sums: &mut Sums, (_, part), diff| {
                sums.0.0 += part.0.0 * diff;
                sums.0.1 += part.0.1 * diff;
                sums.0.2 += part.0.2 * diff;
                sums.1 += part.1 * i128::from(diff);
                sums.2.0 += part.2.0 * diff;
                sums.2.1 += part.2.1 * i128::from(diff);
            },
            |(hour, campaign), sums| {
                let ((impressions, clicks, conversions), spend, (credited, _)) = *sums;
                let some = impressions > 0 || clicks > 0 || conversions > 0;
                (some || spend != 0 || credited > 0).then(|| row(*hour, campaign.clone(), sums))
            },
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let ads = history.ads(at);
        let mut rows: BTreeMap<(Hour, Text), Sums> = BTreeMap::new();
        for ad in &ads {
            let sums = rows.entry((ad.hour(), ad.campaign_id().clone())).or_default();
            match ad.event() {
                Some(AdEvent::Impression) => sums.0.0 += 1,
                Some(AdEvent::Click) => sums.0.1 += 1,
                Some(AdEvent::Conversion) => sums.0.2 += 1,
                None => {}
            }
            sums.1 += ad.cost().map_or(0, |cost| i128::from(cost.0));
        }
        for (user, time, value) in naive_conversions(history, at) {
            let met = |event: AdEvent, days: u16| {
                ads.iter()
                    .filter(|ad| ad.event() == Some(event) && *ad.user_id() == user)
                    .filter(|ad| !ad.user_id().is_empty() && !ad.campaign_id().is_empty())
                    .filter(|ad| (0..=i64::from(days) * 86_400_000).contains(&(time - ad.time())))
                    .max_by_key(|ad| (ad.time(), ad.campaign_id()))
            };
            let last = met(AdEvent::Click, self.click_days);
            let last = last.or_else(|| met(AdEvent::Impression, self.view_days));
            if let (Some(ad), true) = (last, value != 0) {
                let sums = rows.entry((Hour::of(time), ad.campaign_id().clone())).or_default();
                sums.2.0 += 1;
                sums.2.1 += value;
            }
        }
        // An ad that is no event and cost nothing says nothing of its hour.
        let says =
            |(events, spend, credits): &Sums| *events != (0, 0, 0) || *spend != 0 || credits.0 > 0;
        rows.retain(|_, sums| says(sums));
        rows.into_iter().map(|((hour, campaign), sums)| row(hour, campaign, &sums)).collect()
    }
}
