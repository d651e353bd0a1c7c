//! Which advertisement to push to each active user: the best item of a campaign that may still
//! be shown to the user and may still spend.
//!
//! An item belongs to a campaign if an ad of the campaign has it as its `creative_id`, or if it
//! was viewed in a visit that came from the campaign (`behavior.campaign`, lower case as labels
//! are, so campaign ids should be). A user's candidates are the `user_recommendations` that belong
//! to a campaign, by score, then item, then campaign. Left out are
//! - campaigns shown to the user 3 times in the last 24 hours of stream time (frequency cap);
//! - campaigns ahead of their pace: spend so far today > daily budget x elapsed share of the day.
//!   The hour now is the latest hour of any ad known, today its UTC day, spend the cost of all ads
//!   of today, and hour h of the day counts as (h + 1)/24 of it, so a campaign may spend a
//!   24th of its budget in each hour and make up for what it left.
//!
//! The streams carry no budgets: one daily budget (10,000.00) holds for every campaign. The rule
//! is the even pacing of Lee, Jalali and Dasdan, "Real Time Bid Optimization with Smooth Budget
//! Delivery" (ADKDD 2013), without its throttling.
//!
//! State: that of `user_recommendations`; campaigns by item; cost by campaign and day, ads by hour;
//! the impressions of the last 24 hours.

use super::user_recommendations::UserRecommendations;
use crate::clock::{Millis, Time};
use crate::event::ads::{CAMPAIGN_ID, COST, CREATIVE_ID, EVENT, USER_ID};
use crate::event::{AdEvent, behavior};
use crate::monoid::Bag;
use crate::operator::{Aggregate, Collection, Passing};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::{Hour, Money};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
pub struct AdTargets {
    /// How often a campaign is shown to a user within `span`.
    pub cap: i64,
    /// The time of the cap.
    pub span: Millis,
    /// What a campaign may spend a day.
    pub budget: Money,
}

impl Default for AdTargets {
    fn default() -> Self {
        AdTargets { cap: 3, span: Millis::hours(24), budget: Money(1_000_000) }
    }
}

crate::record! {
    /// What to show a user.
    pub struct Output {
        keys { user_id: Text }
        values { campaign_id: Text, item_id: Text, score: i64 }
    }
}

fn day(hour: Hour) -> i32 {
    hour.0.div_euclid(24)
}

/// Whether a campaign has spent more by `hour` than its share of the budget.
fn ahead(spent: i64, budget: Money, hour: Hour) -> bool {
    let elapsed = i128::from(hour.of_day()) + 1;
    i128::from(spent) * 24 > i128::from(budget.0) * elapsed
}

fn both(item: &Text, campaign: &Text) -> Option<(Text, Text)> {
    (!item.is_empty() && !campaign.is_empty()).then(|| (item.clone(), campaign.clone()))
}

impl Query for AdTargets {
    type Output = Output;

    fn name(&self) -> &'static str {
        "ad_targets"
    }

    fn about(&self) -> &'static str {
        "the best campaign item for each active user, under frequency cap and budget pacing"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let (cap, budget) = (self.cap, self.budget);
        let visits = inputs.behavior(&[
            behavior::ITEM_ID,
            behavior::CAMPAIGN.optional(),
            behavior::EVENT.optional(),
        ]);
        let visited = visits.flat_map("Visited", |visit| {
            visit.viewed_item().and_then(|item| both(item, visit.campaign()))
        });
        let adverts = inputs
            .ads(&[CAMPAIGN_ID, CREATIVE_ID])
            .flat_map("Creatives", |ad| both(ad.creative_id(), ad.campaign_id()))
            .concat(visited)
            .aggregate(
                "Adverts",
                |advert| Some(advert.clone()),
                |n: &mut i64, _, diff| *n += diff,
                |advert, n| (*n > 0).then(|| advert.clone()),
            );
        let now = inputs.ads(&[]).aggregate(
            "AdHour",
            |_| Some(()),
            |hours: &mut Bag<Hour>, ad, diff| hours.add(ad.hour(), diff),
            |(), hours| hours.iter().rev().find(|(_, n)| **n > 0).map(|(hour, _)| (day(*hour), *hour)),
        );
        let closed = inputs
            .ads(&[CAMPAIGN_ID, COST])
            .aggregate(
                "AdSpend",
                |ad| Some((day(ad.hour()), ad.campaign_id().clone())),
                |spent: &mut i64, ad, diff| *spent += ad.cost().map_or(0, |cost| cost.0) * diff,
                |(day, campaign), spent| Some((*day, (campaign.clone(), *spent))),
            )
            .join(now)
            .filter(move |(_, ((_, spent), hour))| ahead(*spent, budget, *hour))
            .map(|(_, ((campaign, _), _))| campaign);
        let capped = inputs
            .ads(&[USER_ID, CAMPAIGN_ID, EVENT])
            .flat_map("Impressions", |ad| {
                let shown = ad.event() == Some(AdEvent::Impression);
                shown.then(|| (ad.user_id().clone(), ad.campaign_id().clone()))
            })
            .retain(self.span, inputs.tick())
            .aggregate(
                "FrequencyCap",
                |shown| Some(shown.clone()),
                |n: &mut i64, _, diff| *n += diff,
                move |shown, n| (*n >= cap).then(|| shown.clone()),
            );
        UserRecommendations::default()
            .dataflow(inputs)
            .map(|row| (row.item_id, (row.user_id, row.score)))
            .join(adverts)
            .map(|(item, ((user, score), campaign))| (campaign, (user, item, score)))
            .antijoin(closed)
            .map(|(campaign, (user, item, score))| ((user, campaign), (item, score)))
            .antijoin(capped)
            .aggregate(
                "AdTargets",
                |((user, _), _)| Some(user.clone()),
                |ads: &mut Bag<(Reverse<i64>, Text, Text)>, ((_, campaign), (item, score)), diff| {
                    ads.add((Reverse(*score), item.clone(), campaign.clone()), diff);
                },
                |user, ads| {
                    let ((score, item, campaign), _) = ads.first_key_value()?;
                    Some(Output {
                        user_id: user.clone(),
                        campaign_id: campaign.clone(),
                        item_id: item.clone(),
                        score: score.0,
                    })
                },
            )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let ads = history.ads(at);
        let mut adverts: BTreeSet<(Text, Text)> = BTreeSet::new();
        for visit in history.behavior(at) {
            adverts.extend(visit.viewed_item().and_then(|item| both(item, visit.campaign())));
        }
        adverts.extend(ads.iter().filter_map(|ad| both(ad.creative_id(), ad.campaign_id())));
        let now = ads.iter().map(|ad| ad.hour()).max();
        let mut spent: BTreeMap<Text, i64> = BTreeMap::new();
        for ad in ads.iter().filter(|ad| now.map(day) == Some(day(ad.hour()))) {
            *spent.entry(ad.campaign_id().clone()).or_default() += ad.cost().map_or(0, |m| m.0);
        }
        let mut shown: BTreeMap<(Text, Text), i64> = BTreeMap::new();
        for (when, sign) in [(Some(at), 1), (history.earlier(at, self.span), -1)] {
            for ad in when.map(|when| history.ads(when)).into_iter().flatten() {
                if ad.event() == Some(AdEvent::Impression) {
                    let key = (ad.user_id().clone(), ad.campaign_id().clone());
                    *shown.entry(key).or_default() += sign;
                }
            }
        }
        let mut best: BTreeMap<Text, Output> = BTreeMap::new();
        for row in UserRecommendations::default().answer(history, at) {
            for (item, campaign) in adverts.iter().filter(|(item, _)| *item == row.item_id) {
                let key = (row.user_id.clone(), campaign.clone());
                let paid = spent.get(campaign).copied().unwrap_or(0);
                let dear = now.is_some_and(|now| ahead(paid, self.budget, now));
                if dear || shown.get(&key).is_some_and(|n| *n >= self.cap) {
                    continue;
                }
                let order = |o: &Output| (-o.score, o.item_id.clone(), o.campaign_id.clone());
                let target = Output {
                    user_id: row.user_id.clone(),
                    campaign_id: campaign.clone(),
                    item_id: item.clone(),
                    score: row.score,
                };
                let held = best.entry(row.user_id.clone()).or_insert_with(|| target.clone());
                if order(&target) < order(held) {
                    *held = target;
                }
            }
        }
        best.into_values().collect()
    }
}
