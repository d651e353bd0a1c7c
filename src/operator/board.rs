//! `board`: rows that depend on the time as well as on the records, renewed at full hours.
//!
//! What lasts (the time a parcel is on its way) changes every row at every moment, and renewing all
//! rows at each record would cost their product. So a board looks at the clock once in a while:
//! records wait for the next multiple of `every` in stream time, and there each key one of them
//! belongs to is read with its state and that time, also if they change nothing. In between the
//! board rests, and it rests too where no record comes at all: what it shows is a function of the
//! stamps, and at the end of the sources nothing is left to be woken. Bound: one state per key that
//! is not zero, the rows shown, and the records of the last `every`.

use super::ticks::Ticks;
use super::{Collection, Item, Key, Table, route};
use crate::clock::{Millis, Tick, Time};
use crate::monoid::Group;
use differential_dataflow::AsCollection;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::Operator;

/// Reading rows per key at full hours.
pub trait Board<'s, T>: Sized {
    /// As `aggregate_rows`, but the rows of a key change at multiples of `every` only, at which
    /// `read` is told the time; a key is read there if some item of it came since the last.
    fn board<K, R, O>(
        self,
        name: &str,
        every: Tick,
        key: impl Fn(&T) -> Option<K> + 'static,
        add: impl Fn(&mut R, &T, i64) + 'static,
        read: impl Fn(&K, &R::State, Time, &mut Vec<O>) + 'static,
    ) -> Collection<'s, O>
    where
        K: Key,
        R: Group,
        O: Item;
}

impl<'s, T: Item> Board<'s, T> for Collection<'s, T> {
    fn board<K, R, O>(
        self,
        name: &str,
        every: Tick,
        key: impl Fn(&T) -> Option<K> + 'static,
        add: impl Fn(&mut R, &T, i64) + 'static,
        read: impl Fn(&K, &R::State, Time, &mut Vec<O>) + 'static,
    ) -> Collection<'s, O>
    where
        K: Key,
        R: Group,
        O: Item,
    {
        let by_key = Exchange::new(|((key, _), _, _): &((K, T), Time, isize)| route(key));
        self.flat_map(move |item| key(&item).map(|key| (key, item)))
            .inner
            .unary_frontier::<CapacityContainerBuilder<Vec<(O, Time, isize)>>, _, _, _>(
                by_key,
                name,
                move |_, _| {
                    let mut ticks: Ticks<Table<K, R>> = Ticks::default();
                    let mut states: Table<K, (R::State, Vec<O>)> = Table::default();
                    move |(input, frontier), output| {
                        input.for_each(|cap, data| {
                            ticks.hold(&cap);
                            for ((key, item), time, diff) in data.drain(..) {
                                let deltas = ticks.at(time.after(Millis(0), every));
                                add(deltas.entry(key).or_default(), &item, diff as i64);
                            }
                        });
                        ticks.release(frontier, |cap, now, deltas| {
                            let mut session = output.session(cap);
                            for (key, delta) in deltas {
                                let (state, shown) = states.entry(key.clone()).or_default();
                                R::absorb(state, delta);
                                // Nearly every row has changed: what has not adds up to nothing.
                                for row in shown.drain(..) {
                                    session.give((row, now, -1));
                                }
                                read(&key, state, now, shown);
                                for row in &*shown {
                                    session.give((row.clone(), now, 1));
                                }
                                if R::is_nothing(state) && shown.is_empty() {
                                    states.remove(&key);
                                }
                            }
                        });
                    }
                },
            )
            .as_collection()
    }
}
