//! `session_pairs`: what goes with what in each session, as differences of weights.
//!
//! A session is a keyed state ([`Session`]) at the worker its key belongs to. When a tick is
//! sealed its events are added up and then taken in order, so what is sent is a function of the
//! multiset of events up to the tick, whatever the number of workers and the order of arrival; a
//! retraction sends exactly what undoes its event. A pair's weight is its diff: whoever adds the
//! diffs up has the weights, and nothing is ever joined with itself.
//!
//! Bound: the live events of every session. Only the newest 50 of a session count, but a
//! retraction may bring an older one back; sessions that are quiet are kept, since a late event
//! may still join one.

use super::keyed::{Keyed, Step};
use super::{Collection, Key};
use crate::monoid::Bag;
use crate::recommend::pairs::{Buckets, Changes, Event, Session, Time as Moment};
use serde::{Deserialize, Serialize};

/// What a session contributes; how much is the diff.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Link<T> {
    /// The first item came before the second; the bucket is that of the second's event. Each
    /// such pair of events at distance d adds 2520/d.
    Pair(T, T, i32),
    /// An event of the item.
    Item(T),
}

/// Events of sessions to weights of pairs.
pub trait SessionPairs<'s, T> {
    /// The items that follow one another within a session, weighted by how closely. The events
    /// are (session, (time in milliseconds, what orders events of one time, item)).
    fn session_pairs(self, buckets: Buckets) -> Collection<'s, Link<T>>;
}

impl<'s, K: Key, O: Key, T: Key> SessionPairs<'s, T> for Collection<'s, (K, (i64, O, T))> {
    fn session_pairs(self, buckets: Buckets) -> Collection<'s, Link<T>> {
        let add = |bag: &mut Bag<(i64, O, T)>, event, diff| bag.add(event, diff);
        let pairing = Pairing { buckets, changes: Changes::default() };
        Keyed::of(self, "SessionPairs", add).keep(pairing)
    }
}

struct Pairing<T> {
    buckets: Buckets,
    /// Those of all sessions in the tick: many change the same pairs.
    changes: Changes<T>,
}

impl<K: Key, O: Key, T: Key> Step<K, Bag<(i64, O, T)>> for Pairing<T> {
    type State = Session<O, T>;
    type Row = Link<T>;

    fn fresh(&self) -> Session<O, T> {
        Session::default()
    }

    fn step(
        &mut self,
        _key: &K,
        session: &mut Session<O, T>,
        deltas: impl Iterator<Item = Bag<(i64, O, T)>>,
        _give: impl FnMut(Link<T>, isize),
    ) {
        let mut events: Vec<_> = deltas.flatten().collect();
        events.sort_unstable();
        for of_one in events.chunk_by(|a, b| a.0 == b.0) {
            let (time, id, item) = of_one[0].0.clone(); // a chunk is never empty
            let event = Event { time: Moment(time), id, item };
            let diff = of_one.iter().map(|(_, diff)| diff).sum();
            session.update(event, diff, self.buckets, &mut self.changes);
        }
    }

    fn end_of_tick(&mut self, mut give: impl FnMut(Link<T>, isize)) {
        self.changes.consolidate();
        for pair in self.changes.pairs.drain(..) {
            give(Link::Pair(pair.before, pair.after, pair.bucket.0), pair.diff as isize);
        }
        for count in self.changes.counts.drain(..) {
            give(Link::Item(count.item), count.diff as isize);
        }
    }

    fn contents(&self, session: &Session<O, T>) -> Bag<(i64, O, T)> {
        let events = session.copies();
        events.map(|(e, copies)| ((e.time.0, e.id.clone(), e.item.clone()), copies)).collect()
    }

    fn is_nothing(session: &Session<O, T>) -> bool {
        session.is_empty()
    }
}
