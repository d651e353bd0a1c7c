//! The index that requests read, fed by the dataflow.
//!
//! [`Links`] is a query whose changes are differences of pair weights and item counts: a row's
//! diff *is* the change of its weight. Worker 0 sees them sealed, in the order of their times
//! ([`Feed`] is a sink), applies them to the index and publishes each sealed state, so requests
//! never wait for the dataflow and see what is sealed only. All that is added up is integer, so
//! the rankings do not depend on the number of workers. Bound: one cell per pair of items and week.

use crate::clock::Time;
use crate::error::Error;
use crate::event::behavior::{EVENT, EVENT_ID, ITEM_ID, SESSION_ID};
use crate::operator::{Collection, Link, Sealed, SessionPairs};
use crate::query::{History, Inputs, Query};
use crate::recommend::blend::Recommender;
use crate::recommend::defaults;
use crate::recommend::index::PairIndex;
use crate::recommend::interner::Interner;
use crate::recommend::pairs::{Bucket, CountDiff, PairDiff};
use crate::recommend::vmis::VmisIndex;
use crate::sink::Sink;
use crate::text::Text;
use crate::value::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
        let columns = [SESSION_ID, ITEM_ID, EVENT.optional(), EVENT_ID.optional()];
        inputs
            .behavior(&columns)
            .flat_map("Views", |visit| {
                let item = visit.viewed_item().filter(|_| !visit.session_id().is_empty())?;
                let event = (visit.time(), visit.event_id().clone(), item.clone());
                Some((visit.session_id().clone(), event))
            })
            .session_pairs(defaults::MODEL.buckets)
            .map(|link| match link {
                Link::Pair(before, after, week) => Unit { before, after, week: i64::from(week) },
                Link::Item(item) => Unit { before: item, after: Text::EMPTY, week: 0 },
            })
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Unit> {
        let mut sessions: BTreeMap<&Text, BTreeSet<(i64, &Text, &Text)>> = BTreeMap::new();
        let visits = history.behavior(at);
        for visit in visits.iter().filter(|visit| !visit.session_id().is_empty()) {
            if let Some(item) = visit.viewed_item() {
                let session = sessions.entry(visit.session_id()).or_default();
                session.insert((visit.time(), visit.event_id(), item));
            }
        }
        let mut units = Vec::new();
        for session in sessions.into_values() {
            let events: Vec<_> = session.iter().skip(session.len().saturating_sub(50)).collect();
            for (i, (_, _, before)) in events.iter().enumerate() {
                let count = Unit { before: (*before).clone(), after: Text::EMPTY, week: 0 };
                units.push(count);
                for (d, (time, _, after)) in (1..=10).zip(&events[i + 1..]) {
                    if before != after {
                        let (before, after) = ((*before).clone(), (*after).clone());
                        let unit = Unit { before, after, week: time.div_euclid(WEEK) };
                        units.extend(std::iter::repeat_n(unit, 2520 / d));
                    }
                }
            }
        }
        units
    }
}

/// Takes the changes of [`Links`] to the index.
pub struct Feed {
    names: Arc<Interner<Text>>,
    index: PairIndex<Text>,
    pairs: Vec<PairDiff<Text>>,
    counts: Vec<CountDiff<Text>>,
}

/// Differences are applied at the latest when so many wait.
const MOST: usize = 16_384;

impl Default for Feed {
    fn default() -> Self {
        let names = Arc::new(Interner::default());
        let index = PairIndex::new(defaults::MODEL.reading, Arc::clone(&names));
        Feed { names, index, pairs: Vec::new(), counts: Vec::new() }
    }
}

impl Feed {
    /// A handle for requests by the pairs ranker; the session index of the other is empty.
    pub fn recommender(&self) -> Recommender<Text, Text> {
        let sessions = VmisIndex::new(0, Arc::clone(&self.names));
        Recommender::new(Arc::clone(&self.names), &self.index, &sessions)
    }

    fn apply(&mut self) -> Result<(), Error> {
        self.index.apply(&self.pairs, &self.counts)?;
        self.pairs.clear();
        self.counts.clear();
        Ok(())
    }
}

impl Sink for Feed {
    fn change(&mut self, _view: usize, change: &Sealed<'_>) -> Result<(), Error> {
        let diff = change.diff as i64;
        match change.row.cells().as_slice() {
            [Value::Text(before), Value::Text(after), Value::Integer(week)] => {
                let (before, after) = (before.clone(), after.clone());
                // It was an `i32` in the collection.
                let bucket = Bucket(*week as i32);
                self.pairs.push(PairDiff { before, after, bucket, diff });
            }
            [Value::Text(item), ..] => self.counts.push(CountDiff { item: item.clone(), diff }),
            _ => {} // there is no view of an empty item
        }
        if self.pairs.len() + self.counts.len() >= MOST { self.apply() } else { Ok(()) }
    }

    fn sealed(&mut self, _frontier: Option<Time>) -> Result<(), Error> {
        self.apply()?;
        self.index.publish();
        Ok(())
    }
}
