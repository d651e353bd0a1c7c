//! `stretches`: those into which a key's items fall by a gap of inactivity.
//!
//! The items of each key are kept in the order of their times, with what parts of them add up to.
//! When a tick is sealed, the stretches that its changes touch are read before and after: those are
//! the ones that reach within a gap of a changed item, and afterwards also the parts of what was
//! there before. All others are left alone, and of these only sums are read: a visitor of years
//! costs no more than one of a day, nor does a session that never ends. What a key's rows are
//! follows from its items only: a late item joins, a retraction parts. Bound: the items.

use super::keyed::change;
use super::ticks::Ticks;
use super::{Collection, Item, Key, Table, route};
use crate::clock::Time;
use crate::monoid::{Stretch, Summary, Timeline};
use differential_dataflow::AsCollection;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::Operator;

/// Cutting a key's items at gaps.
pub trait Stretches<'s, K, T> {
    /// One row for each stretch of `(key, (event time, item))`; neighbours at most `gap`
    /// milliseconds apart belong together. `S` is what the items of a stretch add up to.
    fn stretches<S: Summary<(i64, T)> + 'static, O: Item>(
        self,
        name: &str,
        gap: impl Fn(&K) -> i64 + 'static,
        read: impl Fn(&K, Stretch<S>) -> O + 'static,
    ) -> Collection<'s, O>;
}

type Changes<K, T> = Vec<(K, (i64, T), i64)>;

impl<'s, K: Key, T: Item> Stretches<'s, K, T> for Collection<'s, (K, (i64, T))> {
    fn stretches<S: Summary<(i64, T)> + 'static, O: Item>(
        self,
        name: &str,
        gap: impl Fn(&K) -> i64 + 'static,
        read: impl Fn(&K, Stretch<S>) -> O + 'static,
    ) -> Collection<'s, O> {
        let by_key = Exchange::new(|((key, _), _, _): &((K, (i64, T)), Time, isize)| route(key));
        self.inner
            .unary_frontier::<CapacityContainerBuilder<Vec<(O, Time, isize)>>, _, _, _>(
                by_key,
                name,
                move |_, _| {
                    let mut ticks: Ticks<Changes<K, T>> = Ticks::default();
                    let mut states: Table<K, Timeline<T, S>> = Table::default();
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
                                for stretch in state.stretches(&spans, gap) {
                                    spans.push((stretch.first, stretch.last));
                                    old.push(read(key, stretch));
                                }
                                spans.sort_unstable();
                                for (_, (t, item), diff) in of_key {
                                    state.add(*t, item.clone(), *diff);
                                }
                                let stretches = state.stretches(&spans, gap).into_iter();
                                new.extend(stretches.map(|stretch| read(key, stretch)));
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
