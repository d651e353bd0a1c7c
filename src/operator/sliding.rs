//! `sliding`: a row per item, read from the items of its key as of the item's own time.
//!
//! Each key keeps its items in the order of their times. A row may look back from its item as far
//! as `reach`, so a change at time `s` can only touch the rows of items in `[s, s + reach)`: those
//! are read before and after the tick's changes, and what differs is sent. Nothing is scheduled:
//! windows end because the next item looks at a later one. The rows after a tick are a function of
//! the items up to it, so neither lateness, order nor the number of workers matters. Bound: the
//! items.

use super::aggregate::change;
use super::ticks::Ticks;
use super::{Collection, Item, Key, Table, route};
use crate::clock::{Millis, Time};
use crate::monoid::{Dated, DatedLog};
use differential_dataflow::AsCollection;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::Operator;

/// Rows as of each item's own time.
pub trait Sliding<'s, K, I> {
    /// Reads at most one row for each item of a key; `read` must not look at items later than
    /// its own, nor at earlier ones than `reach` before it.
    fn sliding<O: Item>(
        self,
        name: &str,
        reach: Millis,
        read: impl Fn(&K, &DatedLog<I>, &Dated<I>) -> Option<O> + 'static,
    ) -> Collection<'s, O>;
}

type Update<K, I> = ((K, Dated<I>), Time, isize);

impl<'s, K: Key, I: Item> Sliding<'s, K, I> for Collection<'s, (K, Dated<I>)> {
    fn sliding<O: Item>(
        self,
        name: &str,
        reach: Millis,
        read: impl Fn(&K, &DatedLog<I>, &Dated<I>) -> Option<O> + 'static,
    ) -> Collection<'s, O> {
        let reach = i64::try_from(reach.0).unwrap_or(i64::MAX);
        let by_key = Exchange::new(|((key, _), _, _): &Update<K, I>| route(key));
        self.inner
            .unary_frontier::<CapacityContainerBuilder<Vec<(O, Time, isize)>>, _, _, _>(
                by_key,
                name,
                move |_, _| {
                    let mut ticks: Ticks<Vec<(K, Dated<I>, isize)>> = Ticks::default();
                    let mut states: Table<K, DatedLog<I>> = Table::default();
                    let (mut old, mut new) = (Vec::new(), Vec::new());
                    move |(input, frontier), output| {
                        input.for_each(|cap, data| {
                            ticks.hold(&cap);
                            for ((key, item), time, diff) in data.drain(..) {
                                ticks.at(time).push((key, item, diff));
                            }
                        });
                        ticks.release(frontier, |cap, time, mut changes| {
                            let mut session = output.session(cap);
                            changes.sort_unstable();
                            for changes in changes.chunk_by(|a, b| a.0 == b.0) {
                                let key = &changes[0].0; // a chunk is never empty
                                let state = states.entry(key.clone()).or_default();
                                let touched = || changes.iter().map(|(_, item, _)| item.time);
                                visit(state, touched(), reach, |x| old.extend(read(key, state, x)));
                                for (_, item, diff) in changes {
                                    state.add(item.clone(), *diff as i64);
                                }
                                visit(state, touched(), reach, |x| new.extend(read(key, state, x)));
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

/// Shows once each item whose row may see one of the changed times, which ascend.
fn visit<I: Ord>(
    state: &DatedLog<I>,
    changed: impl Iterator<Item = i64>,
    reach: i64,
    mut see: impl FnMut(&Dated<I>),
) {
    let mut done = i64::MIN;
    for time in changed {
        let (after, until) = (done.max(time - 1), time.saturating_add(reach - 1));
        if after < until {
            state.between(after, until).for_each(|(item, _)| see(item));
            done = until;
        }
    }
}
