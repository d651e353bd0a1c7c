//! `stretches`: those into which a key's items fall by a gap of inactivity.
//!
//! The items of each key are kept in the order of their times. When a tick is sealed, the
//! stretches that its changes touch are read before and after: those are the ones that reach
//! within a gap of a changed item, and afterwards also the parts of what was there before. All
//! others are left alone, so a visitor of years costs no more than one of a day. What a key's
//! rows are follows from its items only: a late item joins, a retraction parts. Bound: the items.

use super::keyed::change;
use super::ticks::Ticks;
use super::{Collection, Item, Key, Table, route};
use crate::clock::Time;
use crate::monoid::Timeline;
use differential_dataflow::AsCollection;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::Operator;

/// The items of one stretch in order: event time, item and how often it is there.
pub type Stretch<'r, 'a, T> = &'r mut dyn Iterator<Item = (i64, &'a T, i64)>;

/// Cutting a key's items at gaps.
pub trait Stretches<'s, K, T> {
    /// One row for each stretch of `(key, (event time, item))`; neighbours at most `gap`
    /// milliseconds apart belong together.
    fn stretches<O: Item>(
        self,
        name: &str,
        gap: impl Fn(&K) -> i64 + 'static,
        read: impl Fn(&K, Stretch<'_, '_, T>) -> O + 'static,
    ) -> Collection<'s, O>;
}

type Changes<K, T> = Vec<(K, (i64, T), i64)>;

impl<'s, K: Key, T: Item> Stretches<'s, K, T> for Collection<'s, (K, (i64, T))> {
    fn stretches<O: Item>(
        self,
        name: &str,
        gap: impl Fn(&K) -> i64 + 'static,
        read: impl Fn(&K, Stretch<'_, '_, T>) -> O + 'static,
    ) -> Collection<'s, O> {
        let by_key = Exchange::new(|((key, _), _, _): &((K, (i64, T)), Time, isize)| route(key));
        self.inner
            .unary_frontier::<CapacityContainerBuilder<Vec<(O, Time, isize)>>, _, _, _>(
                by_key,
                name,
                move |_, _| {
                    let mut ticks: Ticks<Changes<K, T>> = Ticks::default();
                    let mut states: Table<K, Timeline<T>> = Table::default();
                    let (mut old, mut new) = (Vec::new(), Vec::new());
                    move |(input, frontier), output| {
                        input.for_each(|cap, data| {
                            ticks.hold(&cap);
                            for ((key, item), time, diff) in data.drain(..) {
                                ticks.at(time).push((key, item, diff as i64));
                            }
                        });
                        ticks.release(frontier, |cap, time, mut changes| {
                            let mut session = output.session(cap);
                            changes.sort_unstable();
                            for of_key in changes.chunk_by(|a, b| a.0 == b.0) {
                                let key = &of_key[0].0; // a chunk is never empty
                                let gap = gap(key);
                                let state = states.entry(key.clone()).or_default();
                                let mut spans: Vec<_> = of_key
                                    .iter()
                                    .map(|(_, (t, _), _)| {
                                        (t.saturating_sub(gap), t.saturating_add(gap))
                                    })
                                    .collect();
                                for places in state.stretches(&spans, gap) {
                                    spans.push(state.extent(&places));
                                    old.push(read(key, &mut state.items(places)));
                                }
                                spans.sort_unstable();
                                for (_, (t, item), diff) in of_key {
                                    state.add(*t, item.clone(), *diff);
                                }
                                for places in state.stretches(&spans, gap) {
                                    new.push(read(key, &mut state.items(places)));
                                }
                                if state.is_empty() {
                                    states.remove(key);
                                }
                                change(&mut old, &mut new, |row, diff| {
                                    session.give((row, time, diff));
                                });
                            }
                        });
                    }
                },
            )
            .as_collection()
    }
}
