//! Which advertisement to push to each active user: the best item of a campaign that may still
//! be shown to the user and may still spend.
//!
//! A campaign's items are the 20 viewed most (`view_item`) in visits that came from it
//! (`behavior.campaign`). A user's candidates are the `user_recommendations` that are an item of a
//! campaign, by score, then item, then campaign. Left out are
//! - campaigns shown to the user 3 times in the last 24 hours, (t - 24 h, t] where `t` is the newest
//!   event time of visits, payments and ads (frequency cap);
//! - campaigns ahead of their pace: spend so far today > daily budget x elapsed share of the day.
//!   The hour now is the latest hour of any ad known, today its day in the shop's `zone`, spend the cost of all ads
//!   of today, and hour h of the day counts as (h + 1)/24 of it, so a campaign may spend a
//!   24th of its budget in each hour and make up for what it left.
//!
//! The streams carry no budgets: one daily budget (250.00) holds for every campaign. The rule is
//! the even pacing of Lee, Jalali and Dasdan, "Real Time Bid Optimization with Smooth Budget
//! Delivery" (ADKDD 2013), without its throttling.
//!
//! State: that of `user_recommendations`; views by campaign and item; cost by campaign and day,
//! ads by hour; the impressions of the last 24 hours.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::recommend::ad_targets::AdTargets;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[
//!     (Stream::Behavior, "\
//! visit_time,user_id,session_id,event,item_id,campaign
//! 2026-01-05T10:00:00Z,ann,s1,view_item,lamp,spring
//! 2026-01-05T10:01:00Z,ann,s1,view_item,rug,spring
//! 2026-01-05T11:00:00Z,bob,s2,view_item,lamp,
//! "),
//!     (Stream::Transactions, "transaction_time,user_id,item_id\n"),
//!     (Stream::Ads, "\
//! time,event,user_id,campaign_id,creative_id,cost
//! 2026-01-05T09:00:00Z,impression,ann,spring,a,0.01
//! 2026-01-05T09:01:00Z,impression,ann,spring,a,0.01
//! 2026-01-05T09:02:00Z,impression,ann,spring,a,0.01
//! "),
//! ])?;
//! let rows = AdTargets::default().answer(&history, history.last());
//! assert_eq!(rows.len(), 1); // ann saw enough of it today
//! assert_eq!(rows[0].user_id.to_string(), "bob");
//! assert_eq!(rows[0].item_id.to_string(), "rug");
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use super::user_recommendations::{UserRecommendations, user_recommendations};
use crate::clock::{Millis, Time};
use crate::event::ads::{CAMPAIGN_ID, COST, EVENT, USER_ID};
use crate::event::{AdEvent, Ads, Behavior, Row, Stream, behavior};
use crate::monoid::{Bag, Weights};
use crate::operator::{Aggregate, Collection, Join, Passing, Place};
use crate::query::{History, Inputs, Query, on_the_wall};
use crate::text::Text;
use crate::value::{Hour, Money};
use crate::zone::{Local, Zone};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

crate::parameters! {
    /// See the module.
    #[derive(Clone)]
    pub struct AdTargets {
        /// How often a campaign is shown to a user within `span`; at least once.
        pub cap: NonZeroU32 = NonZeroU32::MIN.saturating_add(2),
        /// The time over which that is counted.
        pub span: Millis = Millis::hours(24),
        /// What a campaign may spend a day, in minor units.
        pub budget: Money = Money(25_000),
        /// The shop's time zone, for instance Europe/Berlin.
        pub zone: Zone = Zone::default(),
    }
}

crate::record! {
    /// What to show a user.
    pub struct Output {
        keys {
            /// The user.
            user_id: Text,
        }
        values {
            /// The campaign to show.
            campaign_id: Text,
            /// The item to show.
            item_id: Text,
            /// Its score in user_recommendations.
            score: i64,
        }
    }
}

/// The day of an hour.
fn day(clock: &Local, hour: Hour) -> i32 {
    clock.day(hour.start().0)
}

/// Whether a campaign has spent more by an hour of the day than its share of the budget.
fn ahead(spent: i128, budget: Money, hour_of_day: u8) -> bool {
    let elapsed = i128::from(hour_of_day) + 1;
    spent * 24 > i128::from(budget.0) * elapsed
}

/// Items per campaign.
const ITEMS: usize = 20;

/// A campaign and an item that someone viewed who came from it.
fn led(visit: &Row<'_, Behavior>) -> Option<(Text, Text)> {
    let item = visit.viewed_item().filter(|_| !visit.campaign().is_empty())?;
    Some((visit.campaign().clone(), item.clone()))
}

/// Who was shown which campaign, and when.
fn shown(ad: &Row<'_, Ads>) -> Option<(Text, Text, i64)> {
    (ad.event() == Some(AdEvent::Impression))
        .then(|| (ad.user_id().clone(), ad.campaign_id().clone(), ad.time()))
}

/// What is known of a user; candidates in the order in which they are preferred.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Part {
    /// An item of a campaign.
    Candidate(Reverse<i64>, Text, Text),
    /// A campaign that was shown often enough.
    Capped(Text),
}

impl Query for AdTargets {
    type Output = Output;

    fn name(&self) -> &'static str {
        "ad_targets"
    }

    fn about(&self) -> &'static str {
        "the best campaign item for each active user, under frequency cap and budget pacing"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let (cap, budget) = (i64::from(self.cap.get()), self.budget);
        let [today, spending, pace] = [(); 3].map(|()| self.zone.clock());
        let columns = [behavior::ITEM_ID, behavior::CAMPAIGN, behavior::EVENT.optional()];
        let adverts = inputs
            .behavior(&columns)
            .keyed(
                "CampaignItems",
                |visit| led(visit).map(|(campaign, _)| campaign),
                |views: &mut Weights<Text>, visit, diff| views.add(visit.item_id().clone(), diff),
            )
            .top_k(ITEMS, |campaign, Place { item, .. }| (campaign.clone(), item.clone()));
        let now = inputs.ads(&[]).aggregate(
            "AdHour",
            |_| Some(()),
            |hours: &mut Bag<Hour>, ad, diff| hours.add(ad.hour(), diff),
            move |(), hours| {
                let (hour, _) = hours.iter().rev().find(|(_, n)| **n > 0)?;
                Some((day(&today, *hour), *hour))
            },
        );
        let closed = inputs
            .ads(&[CAMPAIGN_ID, COST])
            .aggregate(
                "AdSpend",
                move |ad| Some((day(&spending, ad.hour()), ad.campaign_id().clone())),
                |spent: &mut i128, ad, diff| {
                    *spent += ad.cost().map_or(0, |cost| i128::from(cost.0)) * i128::from(diff);
                },
                |(day, campaign), spent| Some((*day, (campaign.clone(), *spent))),
            )
            .inner_join("Closed", now, move |_, (campaign, spent), hour| {
                let hour = pace.hour_of_day(hour.start().0);
                ahead(*spent, budget, hour).then(|| campaign.clone())
            });
        let impressions = inputs.ads(&[USER_ID, CAMPAIGN_ID, EVENT]).flat_map("Impressions", shown);
        let clock = inputs.clock(Stream::Behavior).and(inputs.clock(Stream::Transactions));
        let clock = clock.and(inputs.clock(Stream::Ads));
        let recent = impressions.recent(self.span, |(.., time)| *time, &clock);
        let capped = recent.aggregate(
            "FrequencyCap",
            |(user, campaign, _)| Some((user.clone(), campaign.clone())),
            |n: &mut i64, _, diff| *n += diff,
            move |(user, campaign), n| {
                (*n >= cap).then(|| (user.clone(), Part::Capped(campaign.clone())))
            },
        );
        // The few items of the campaigns are thinned out before they meet the users.
        let open = adverts.anti_join("Open", closed).map(|(campaign, item)| (item, campaign));
        user_recommendations(UserRecommendations::default(), inputs)
            .map(|row| (row.item_id, (row.user_id, row.score)))
            .inner_join("Candidates", open, |item, (user, score), campaign| {
                let part = Part::Candidate(Reverse(*score), item.clone(), campaign.clone());
                Some((user.clone(), part))
            })
            .concat(capped)
            .aggregate(
                "AdTargets",
                |(user, _)| Some(user.clone()),
                |parts: &mut Bag<Part>, (_, part), diff| parts.add(part.clone(), diff),
                |user, parts| {
                    let left = |c: &Text| !parts.contains_key(&Part::Capped(c.clone()));
                    let (score, item, campaign) = parts.keys().find_map(|part| match part {
                        Part::Candidate(s, item, c) if left(c) => Some((s, item, c)),
                        _ => None,
                    })?;
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
        let mut views: BTreeMap<Text, BTreeMap<Text, i64>> = BTreeMap::new();
        for (campaign, item) in history.behavior(at).iter().filter_map(led) {
            *views.entry(campaign).or_default().entry(item).or_default() += 1;
        }
        let mut adverts = BTreeSet::new();
        for (campaign, items) in views {
            let mut items: Vec<(Text, i64)> = items.into_iter().collect();
            items.sort_by_key(|(_, n)| Reverse(*n));
            adverts.extend(items.into_iter().take(ITEMS).map(|(item, _)| (item, campaign.clone())));
        }
        let now = ads.iter().map(|ad| ad.hour()).max();
        let wall = |hour: Hour| on_the_wall(hour.start().0, &self.zone);
        let mut spent: BTreeMap<Text, i128> = BTreeMap::new();
        for ad in
            ads.iter().filter(|ad| now.map(|now| wall(now).date()) == Some(wall(ad.hour()).date()))
        {
            *spent.entry(ad.campaign_id().clone()).or_default() +=
                ad.cost().map_or(0, |m| i128::from(m.0));
        }
        let clock = [Stream::Behavior, Stream::Transactions, Stream::Ads];
        let since = history.now(&clock, at).saturating_sub(self.span.signed());
        let mut seen: BTreeMap<(Text, Text), i64> = BTreeMap::new();
        for (user, campaign, time) in ads.iter().filter_map(shown) {
            *seen.entry((user, campaign)).or_default() += i64::from(time > since);
        }
        let mut best: BTreeMap<Text, Output> = BTreeMap::new();
        for row in UserRecommendations::default().answer(history, at) {
            for (item, campaign) in adverts.iter().filter(|(item, _)| *item == row.item_id) {
                let key = (row.user_id.clone(), campaign.clone());
                let paid = spent.get(campaign).copied().unwrap_or(0);
                let dear = now.is_some_and(|now| ahead(paid, self.budget, wall(now).hour() as u8));
                if dear || seen.get(&key).is_some_and(|n| *n >= i64::from(self.cap.get())) {
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
