//! What is viewed most in each category now: the top 10 items by views (`view_item`) in the last
//! 24 hours of stream time.
//!
//! A view counts from its stamp until 24 hours later; a correction of an older view counts
//! against the item, so `views` is what is known now less what was known 24 hours ago. Rank 1 is
//! the best; ties by item; items and categories without a name are left out.
//!
//! State: the views of the last 24 hours, and a count per category and item among them.

use crate::clock::{Millis, Time};
use crate::event::behavior::{CATEGORY, EVENT, ITEM_ID};
use crate::monoid::Weights;
use crate::operator::{Aggregate, Collection, Passing};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use std::collections::BTreeMap;

/// See the module.
pub struct TrendingForCategory {
    /// For how long a view counts.
    pub span: Millis,
}

impl Default for TrendingForCategory {
    fn default() -> Self {
        TrendingForCategory { span: Millis::hours(24) }
    }
}

crate::record! {
    /// An item that is viewed much.
    pub struct Output {
        keys { category: Text, rank: i64 }
        values { item_id: Text, views: i64 }
    }
}

impl Query for TrendingForCategory {
    type Output = Output;

    fn name(&self) -> &'static str {
        "trending_for_category"
    }

    fn about(&self) -> &'static str {
        "the 10 most viewed items of each category in the last 24 hours"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        inputs
            .behavior(&[ITEM_ID, CATEGORY, EVENT.optional()])
            .flat_map("CategoryViews", |visit| {
                let item = visit.viewed_item().filter(|_| !visit.category().is_empty())?;
                Some((visit.category().clone(), item.clone()))
            })
            .retain(self.span, inputs.tick())
            .aggregate_rows(
                "TrendingForCategory",
                |(category, _)| Some(category.clone()),
                |views: &mut Weights<Text>, (_, item), diff| views.add(item.clone(), diff),
                |category, ranking, rows| {
                    rows.extend((1..=10).zip(ranking.best()).map(|(rank, (item, views))| Output {
                        category: category.clone(),
                        rank,
                        item_id: item.clone(),
                        views,
                    }));
                },
            )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut views: BTreeMap<Text, BTreeMap<Text, i64>> = BTreeMap::new();
        for (when, sign) in [(Some(at), 1), (history.earlier(at, self.span), -1)] {
            for visit in when.map(|when| history.behavior(when)).into_iter().flatten() {
                if let (Some(item), false) = (visit.viewed_item(), visit.category().is_empty()) {
                    let items = views.entry(visit.category().clone()).or_default();
                    *items.entry(item.clone()).or_default() += sign;
                }
            }
        }
        let mut rows = Vec::new();
        for (category, items) in views {
            let mut items: Vec<_> = items.into_iter().filter(|(_, n)| *n > 0).collect();
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
