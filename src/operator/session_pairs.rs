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

use super::ticks::Ticks;
use super::{Collection, Key, Table, route};
use crate::clock::Time;
use crate::recommend::pairs::{Buckets, Changes, Event, Session, Time as Moment};
use differential_dataflow::AsCollection;
use differential_dataflow::consolidation::consolidate;
use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::Operator;

/// Events of one tick with their diffs.
type Events<K, O, T> = Vec<((K, (i64, O, T)), isize)>;

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
        type Update<K, O, T> = ((K, (i64, O, T)), Time, isize);
        let by_session = Exchange::new(|((session, _), _, _): &Update<K, O, T>| route(session));
        self.inner
            .unary_frontier::<CapacityContainerBuilder<Vec<(Link<T>, Time, isize)>>, _, _, _>(
                by_session,
                "SessionPairs",
                move |_, _| {
                    let mut ticks: Ticks<Events<K, O, T>> = Ticks::default();
                    let mut sessions: Table<K, Session<O, T>> = Table::default();
                    let mut changes = Changes::default();
                    move |(input, frontier), output| {
                        input.for_each(|cap, data| {
                            ticks.hold(&cap);
                            for (event, time, diff) in data.drain(..) {
                                ticks.at(time).push((event, diff));
                            }
                        });
                        ticks.release(frontier, |cap, time, mut events| {
                            consolidate(&mut events);
                            for ((key, (at, id, item)), diff) in events {
                                let session = sessions.entry(key.clone()).or_default();
                                let event = Event { time: Moment(at), id, item };
                                session.update(event, diff as i64, buckets, &mut changes);
                                if session.is_empty() {
                                    sessions.remove(&key);
                                }
                            }
                            changes.consolidate();
                            let mut out = output.session(cap);
                            for pair in changes.pairs.drain(..) {
                                let link = Link::Pair(pair.before, pair.after, pair.bucket.0);
                                out.give((link, time, pair.diff as isize));
                            }
                            for count in changes.counts.drain(..) {
                                out.give((Link::Item(count.item), time, count.diff as isize));
                            }
                        });
                    }
                },
            )
            .as_collection()
    }
}
