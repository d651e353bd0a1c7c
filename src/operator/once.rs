//! `once`: the first row of each key, for good.
//!
//! When a tick is sealed, the rows that are there at its end for a key not seen before are let
//! through (of several the least), and nothing of that key ever again: neither corrections nor
//! retractions. What is the first depends on stamps alone, so the result is the same for any
//! division of the work. Bound: the keys.

use super::ticks::Ticks;
use super::{Collection, Item, Key, Table, route};
use crate::clock::Time;
use differential_dataflow::AsCollection;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::Operator;

/// Rows that are never rewritten.
pub trait Once<'s, T> {
    /// The first row of each key.
    fn once<K: Key>(self, name: &str, key: impl Fn(&T) -> K + Clone + 'static)
    -> Collection<'s, T>;
}

impl<'s, T: Item> Once<'s, T> for Collection<'s, T> {
    fn once<K: Key>(
        self,
        name: &str,
        key: impl Fn(&T) -> K + Clone + 'static,
    ) -> Collection<'s, T> {
        let of = key.clone();
        let by_key = Exchange::new(move |(row, _, _): &(T, Time, isize)| route(&of(row)));
        self.inner
            .unary_frontier::<CapacityContainerBuilder<Vec<(T, Time, isize)>>, _, _, _>(
                by_key,
                name,
                move |_, _| {
                    let mut ticks: Ticks<Vec<(T, isize)>> = Ticks::default();
                    let mut seen: Table<K, ()> = Table::default();
                    move |(input, frontier), output| {
                        input.for_each(|cap, data| {
                            ticks.hold(&cap);
                            for (row, time, diff) in data.drain(..) {
                                ticks.at(time).push((row, diff));
                            }
                        });
                        ticks.release(frontier, |cap, time, mut rows| {
                            let mut session = output.session(cap);
                            // In order, and changes that cancel within the tick are gone.
                            differential_dataflow::consolidation::consolidate(&mut rows);
                            for (row, diff) in rows {
                                if diff > 0 && seen.insert(key(&row), ()).is_none() {
                                    session.give((row, time, 1));
                                }
                            }
                        });
                    }
                },
            )
            .as_collection()
    }
}
