//! What is viewed most in each category now: the top 10 items by views (`view_item`) whose event
//! time is in the last 24 hours, (t - 24 h, t] where `t` is the newest event time of all visits.
//!
//! Rank 1 is the best; ties by item; items and categories without a name are left out.
//!
//! State: the views of the last 24 hours, and a count per category and item among them.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::recommend::trending_for_category::TrendingForCategory;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Behavior, "\
//! visit_time,event,item_id,category
//! 2026-01-05T10:00:00Z,view_item,lamp,home
//! 2026-01-05T11:00:00Z,view_item,rug,home
//! 2026-01-06T10:30:00Z,view_item,rug,home
//! ")])?;
//! let rows = TrendingForCategory::default().answer(&history, history.last());
//! assert_eq!(rows.len(), 1); // the lamp was viewed more than a day ago
//! assert_eq!((rows[0].item_id.to_string().as_str(), rows[0].views), ("rug", 2));
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use crate::clock::{Millis, Time};
use crate::event::Stream;
use crate::event::behavior::{CATEGORY, EVENT, ITEM_ID};
use crate::monoid::Weights;
use crate::operator::{Aggregate, Collection, Passing, Place};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use std::collections::BTreeMap;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Copy)]
    pub struct TrendingForCategory {
        /// For how long a view counts.
        pub span: Millis = Millis::hours(24),
    }
}

crate::record! {
    /// An item that is viewed much.
    pub struct Output {
        keys {
            /// The category.
            category: Text,
            /// Place in its list, from 1.
            rank: i64,
        }
        values {
            /// The item.
            item_id: Text,
            /// Its views within span.
            views: i64,
        }
    }
}

/// Items listed per category.
const LISTED: usize = 10;

impl Query for TrendingForCategory {
    type Output = Output;

    fn name(&self) -> &'static str {
        "trending_for_category"
    }

    fn about(&self) -> &'static str {
        "the 10 most viewed items of each category in the last 24 hours"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let views = inputs.behavior(&[ITEM_ID, CATEGORY, EVENT.optional()]).flat_map(
            "CategoryViews",
            |visit| {
                let item = visit.viewed_item().filter(|_| !visit.category().is_empty())?;
                Some((visit.category().clone(), item.clone(), visit.time()))
            },
        );
        views
            .recent(self.span, |(.., time)| *time, &inputs.clock(Stream::Behavior))
            .keyed(
                "TrendingForCategory",
                |(category, ..)| Some(category.clone()),
                |views: &mut Weights<Text>, (_, item, _), diff| views.add(item.clone(), diff),
            )
            .top_k(LISTED, |category, Place { rank, item, weight }| Output {
                category: category.clone(),
                rank,
                item_id: item.clone(),
                views: weight as i64, // a count
            })
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let now = history.now(&[Stream::Behavior], at);
        let since = now.saturating_sub(self.span.signed());
        let mut views: BTreeMap<Text, BTreeMap<Text, i64>> = BTreeMap::new();
        for visit in history.behavior(at).iter().filter(|visit| visit.time() > since) {
            if let (Some(item), false) = (visit.viewed_item(), visit.category().is_empty()) {
                let items = views.entry(visit.category().clone()).or_default();
                *items.entry(item.clone()).or_default() += 1;
            }
        }
        let mut rows = Vec::new();
        for (category, items) in views {
            let mut items: Vec<_> = items.into_iter().collect();
            items.sort_by(|(a, m), (b, n)| n.cmp(m).then(a.cmp(b)));
            rows.extend((1..=10).zip(items).map(|(rank, (item_id, views))| Output {
                category: category.clone(),
                rank,
                item_id,
                views,
            }));
        }
        rows
    }
}
