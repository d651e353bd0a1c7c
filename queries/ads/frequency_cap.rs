//! How often each user saw a campaign on a day (in the shop's `zone`), and whether that was too often.
//!
//! A user is over the cap with more than `cap` impressions of the campaign on the day of event
//! time. Records without a user or a campaign cannot be capped and are left out. State: a count per
//! user, campaign and day.

use crate::clock::Time;
use crate::event::ads::{CAMPAIGN_ID, EVENT, USER_ID};
use crate::event::{AdEvent, Ads, Row};
use crate::operator::Collection;
use crate::query::{History, Inputs, Query, local_day};
use crate::text::Text;
use crate::zone::{Day, Zone};
use std::collections::BTreeMap;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug)]
    pub struct FrequencyCap {
        /// Impressions a day that are not too many.
        pub cap: u32 = 5,
        /// The shop's time zone, for instance Europe/Berlin.
        pub zone: Zone = Zone::default(),
    }
}

crate::record! {
    /// A user's day with a campaign.
    pub struct Output {
        keys {
            /// The day in the shop's zone, by its first moment.
            day: Day,
            /// The campaign.
            campaign_id: Text,
            /// The user.
            user_id: Text,
        }
        values {
            /// Times the user was shown it on the day.
            impressions: i64,
            /// Whether that is more than the cap.
            over: bool,
        }
    }
}

fn counts(ad: &Row<'_, Ads>) -> bool {
    let known = !ad.user_id().is_empty() && !ad.campaign_id().is_empty();
    ad.event() == Some(AdEvent::Impression) && known
}

impl Query for FrequencyCap {
    type Output = Output;

    fn name(&self) -> &'static str {
        "frequency_cap"
    }

    fn about(&self) -> &'static str {
        "impressions by user, campaign and day, and whether they are over the cap"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let (cap, zone, clock) = (i64::from(self.cap), self.zone.clone(), self.zone.clock());
        inputs.ads(&[EVENT, USER_ID, CAMPAIGN_ID]).aggregate(
            "FrequencyCap",
            move |ad| {
                let day = clock.day(ad.time());
                counts(ad).then(|| (day, ad.campaign_id().clone(), ad.user_id().clone()))
            },
            |impressions: &mut i64, _ad, diff| *impressions += diff,
            move |(day, campaign, user), &impressions| {
                (impressions > 0).then(|| Output {
                    day: zone.day(*day),
                    campaign_id: campaign.clone(),
                    user_id: user.clone(),
                    impressions,
                    over: impressions > cap,
                })
            },
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut rows: BTreeMap<(Day, Text, Text), i64> = BTreeMap::new();
        for ad in history.ads(at) {
            let day = local_day(ad.time(), &self.zone);
            if counts(&ad) {
                *rows.entry((day, ad.campaign_id().clone(), ad.user_id().clone())).or_default() +=
                    1;
            }
        }
        let row = |((day, campaign_id, user_id), impressions)| Output {
            day,
            campaign_id,
            user_id,
            impressions,
            over: impressions > i64::from(self.cap),
        };
        rows.into_iter().map(row).collect()
    }
}
