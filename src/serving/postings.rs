//! The differences of the session index: which sessions have which items, and since when.

use crate::clock::Time;
use crate::monoid::{Bag, Items};
use crate::operator::{Aggregate, Collection};
use crate::query::view::{View, naive};
use crate::query::{History, Inputs, Query};
use crate::recommend::pairs::WINDOW;
use crate::text::Text;
use crate::value::Moment;
use std::collections::BTreeSet;

/// The items of each session: those of its newest 50 views (by time, event id, item).
#[derive(Debug, Default)]
pub struct Postings;

crate::record! {
    /// An item of a session, with the time of the session's first view.
    pub struct Posting {
        keys { session_id: Text, item_id: Text }
        values { start: Moment }
    }
}

impl Query for Postings {
    type Output = Posting;

    fn name(&self) -> &'static str {
        "recommend_sessions"
    }

    fn about(&self) -> &'static str {
        "the items viewed in each session"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Posting> {
        inputs.views().aggregate_rows(
            "Postings",
            |(session, _)| Some(session.clone()),
            |views: &mut Bag<View>, (_, view), diff| views.add(view.clone(), diff),
            |session, views: &Items<View>, rows| {
                let live = || views.iter().filter(|(_, n)| **n > 0).map(|(view, _)| view);
                let Some((start, ..)) = live().next() else { return };
                let mut items: Vec<&Text> =
                    live().rev().take(WINDOW).map(|(_, _, item)| item).collect();
                items.sort_unstable();
                items.dedup();
                rows.extend(items.into_iter().map(|item| Posting {
                    session_id: session.clone(),
                    item_id: item.clone(),
                    start: Moment(*start),
                }));
            },
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Posting> {
        let mut rows = BTreeSet::new();
        for (session, views) in naive(history, at) {
            let start = views.first().map_or(0, |view| view.0);
            for (_, _, item) in views.iter().skip(views.len().saturating_sub(50)) {
                rows.insert((session.clone(), item.clone(), start));
            }
        }
        let row =
            |(session_id, item_id, start)| Posting { session_id, item_id, start: Moment(start) };
        rows.into_iter().map(row).collect()
    }
}
