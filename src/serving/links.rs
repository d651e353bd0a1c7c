//! The differences of the pair index: a row's diff *is* the change of its weight.

use crate::clock::Time;
use crate::operator::{Collection, Link, SessionPairs};
use crate::query::view::naive;
use crate::query::{History, Inputs, Query};
use crate::recommend::defaults;
use crate::text::Text;

/// The weights of pairs and the counts of items, as diffs.
#[derive(Debug, Default)]
pub struct Links;

crate::record! {
    /// One unit of weight of `before` then `after` in a week; an empty `after`: one view of
    /// `before`.
    pub struct Unit {
        keys { before: Text, after: Text, week: i64 }
        values {}
    }
}

const WEEK: i64 = 7 * 86_400_000;

impl Query for Links {
    type Output = Unit;

    fn name(&self) -> &'static str {
        "recommend"
    }

    fn about(&self) -> &'static str {
        "weights of pairs of items viewed in one session"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Unit> {
        inputs.views().session_pairs(defaults::MODEL.buckets).map(|link| match link {
            Link::Pair(before, after, week) => Unit { before, after, week: i64::from(week) },
            Link::Item(item) => Unit { before: item, after: Text::EMPTY, week: 0 },
        })
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Unit> {
        let mut units = Vec::new();
        for session in naive(history, at).into_values() {
            let events: Vec<_> = session.iter().skip(session.len().saturating_sub(50)).collect();
            for (i, (_, _, before)) in events.iter().enumerate() {
                let count = Unit { before: before.clone(), after: Text::EMPTY, week: 0 };
                units.push(count);
                for (d, (time, _, after)) in (1..=10).zip(&events[i + 1..]) {
                    if before != after {
                        let (before, after) = (before.clone(), after.clone());
                        let unit = Unit { before, after, week: time.div_euclid(WEEK) };
                        units.extend(std::iter::repeat_n(unit, 2520 / d));
                    }
                }
            }
        }
        units
    }
}
