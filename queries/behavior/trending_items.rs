//! Trending items: what is asked for now more than it used to be.
//!
//! With `t` the newest event time of all, `recent` counts an item's events (any record that names it) with event
//! time in (t - 1 h, t], `baseline` those of the 24 h before that. The ratio of their rates is
//!
//! ```text
//! ratio = (recent / 1 h) / ((baseline + prior) / 24 h)
//! ```
//!
//! with `prior` = 24 events, one for each hour, so that an item never seen before is not
//! infinitely trendy. Of the items with at least `least` recent events the `k` with the largest
//! ratio are listed; among equal ratios the one with more recent events, then the one whose id is
//! first. Ratios are compared as fractions of integers, never as floats. The view changes as time
//! passes. State: the events of the last 25 hours, two counts per item.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::behavior::trending_items::TrendingItems;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Behavior, "\
//! visit_time,item_id
//! 2026-01-05T10:00:00Z,lamp
//! 2026-01-05T12:00:00Z,lamp
//! 2026-01-05T12:00:00Z,rug
//! ")])?;
//! let query = TrendingItems { least: 1, ..TrendingItems::default() };
//! let items = query.answer(&history, history.last());
//! assert_eq!(items[0].item_id.to_string(), "rug"); // the lamp was seen before
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use crate::clock::{Millis, Time};
use crate::event::Stream;
use crate::event::behavior::ITEM_ID;
use crate::operator::{Aggregate, Collection, First, Passing};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::Real;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Copy)]
    pub struct TrendingItems {
        /// How many items are listed.
        pub k: usize = 20,
        /// How many recent events an item must have.
        pub least: u32 = 5,
        /// Events added to the baseline, so that a new item is not infinitely trendy; at least one.
        pub prior: u32 = 24,
        /// How far back recent events go.
        pub recent: Millis = Millis::hours(1),
        /// How long the time before is that they are compared with.
        pub baseline: Millis = Millis::hours(24),
    }
}

crate::record! {
    /// A trending item.
    pub struct Output {
        keys {
            /// The item.
            item_id: Text,
        }
        values {
            /// Place in the list, from 1.
            rank: i64,
            /// Its events within recent.
            recent: i64,
            /// Its events within the baseline before that.
            baseline: i64,
            /// Rate of the one by the rate of the other.
            ratio: Real,
        }
    }
}

impl TrendingItems {
    fn ratio(&self, recent: i64, baseline: i64) -> Real {
        let rate = |count: i64, per: Millis| count as f64 / per.0 as f64;
        Real(rate(recent, self.recent) / rate(baseline + self.prior(), self.baseline))
    }

    /// At least one, so that there is something to divide by.
    fn prior(&self) -> i64 {
        i64::from(self.prior.max(1))
    }

    /// When an event stops being recent, and when it leaves the baseline.
    fn ends(&self) -> (i64, i64) {
        let millis = |span: u64| i64::try_from(span).unwrap_or(i64::MAX);
        (millis(self.recent.0), millis(self.recent.0.saturating_add(self.baseline.0)))
    }
}

/// An item's two counts, in the order of the list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Trend {
    item: Text,
    recent: i64,
    /// The baseline with the prior.
    weight: i64,
}

impl Ord for Trend {
    fn cmp(&self, other: &Self) -> Ordering {
        // recent / weight, with the larger first; the spans are the same for all.
        let ours = i128::from(self.recent) * i128::from(other.weight);
        let theirs = i128::from(other.recent) * i128::from(self.weight);
        theirs
            .cmp(&ours)
            .then_with(|| other.recent.cmp(&self.recent))
            .then_with(|| self.item.cmp(&other.item))
            .then_with(|| self.weight.cmp(&other.weight))
    }
}
impl PartialOrd for Trend {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Query for TrendingItems {
    type Output = Output;

    fn name(&self) -> &'static str {
        "trending_items"
    }

    fn about(&self) -> &'static str {
        "items asked for in the last hour more than in the day before"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let query = *self;
        let clock = inputs.clock(Stream::Behavior);
        let (stale, gone) = self.ends();
        let seen = inputs.behavior(&[ITEM_ID]).flat_map("ItemsSeen", |visit| {
            (!visit.item_id().is_empty()).then(|| (visit.item_id().clone(), visit.time()))
        });
        let stale = seen.clone().due(move |(_, time)| time.saturating_add(stale), &clock);
        let gone = seen.clone().due(move |(_, time)| time.saturating_add(gone), &clock);
        let recent = seen.concat(stale.clone().negate()).map(|(item, _)| (item, true));
        let before = stale.concat(gone.negate()).map(|(item, _)| (item, false));
        recent
            .concat(before)
            .aggregate(
                "Trends",
                |(item, _)| Some(item.clone()),
                |(recent, before): &mut (i64, i64), (_, now), diff| {
                    *(if *now { recent } else { before }) += diff;
                },
                move |item, &(recent, before)| {
                    let (item, weight) = (item.clone(), (before + query.prior()).max(1));
                    (recent >= i64::from(query.least.max(1))).then_some(Trend {
                        item,
                        recent,
                        weight,
                    })
                },
            )
            .ranked("TrendingItems", self.k)
            .map(move |(rank, trend)| {
                let baseline = trend.weight - query.prior();
                let ratio = query.ratio(trend.recent, baseline);
                Output { item_id: trend.item, rank, recent: trend.recent, baseline, ratio }
            })
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let now = history.now(&[Stream::Behavior], at);
        let (stale, gone) = self.ends();
        let mut items: BTreeMap<Text, (i64, i64)> = BTreeMap::new();
        for visit in history.behavior(at).iter().filter(|v| !v.item_id().is_empty()) {
            let (recent, before) = items.entry(visit.item_id().clone()).or_default();
            match now.saturating_sub(visit.time()) {
                age if age < stale => *recent += 1,
                age if age < gone => *before += 1,
                _ => {}
            }
        }
        let mut list: Vec<_> = items
            .into_iter()
            .filter(|(_, (recent, _))| *recent >= i64::from(self.least.max(1)))
            .collect();
        list.sort_by(|(x, (a, p)), (y, (b, q))| {
            let order = (b * (p + self.prior())).cmp(&(a * (q + self.prior())));
            order.then(b.cmp(a)).then(x.cmp(y))
        });
        let row = |(rank, (item_id, (recent, baseline)))| Output {
            item_id,
            rank,
            recent,
            baseline,
            ratio: self.ratio(recent, baseline),
        };
        (1..).zip(list).take(self.k).map(row).collect()
    }
}
