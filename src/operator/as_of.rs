//! `as_of`: a row per item, read from the items of its key as of the item's own time.
//!
//! Each key keeps its items in the order of their times. A row may look back from its item as far
//! as `reach`, so a change at time `s` can only touch the rows of items in `[s, s + reach)`: those
//! are read before and after the tick's changes, and what differs is sent. Nothing is scheduled:
//! windows end because the next item looks at a later one. The rows after a tick are a function of
//! the items up to it, so neither lateness, order nor the number of workers matters. Where totals
//! over one span are all a row needs, `sliding` is leaner. Bound: the items.

use super::keyed::{Keyed, Step, change};
use super::{Collection, Item, Key};
use crate::clock::Millis;
use crate::monoid::{Dated, DatedLog, Entries};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

impl<'s, K, I> Keyed<'s, K, Entries<I>>
where
    K: Key,
    I: Ord + Clone + Debug + Send + Serialize + DeserializeOwned + 'static,
{
    /// Reads at most one row for each item of a key; `read` must not look at items later than
    /// its own, nor at earlier ones than `reach` before it.
    pub fn as_of<O: Item>(
        self,
        reach: Millis,
        read: impl Fn(&K, &DatedLog<I>, &Dated<I>) -> Option<O> + 'static,
    ) -> Collection<'s, O> {
        let reach = i64::try_from(reach.0).unwrap_or(i64::MAX);
        self.keep(AsOf { reach, read, old: Vec::new(), new: Vec::new() })
    }
}

struct AsOf<F, O> {
    reach: i64,
    read: F,
    old: Vec<O>,
    new: Vec<O>,
}

impl<K, I, O, F> Step<K, Entries<I>> for AsOf<F, O>
where
    K: Key,
    I: Ord + Clone + Debug + Send + Serialize + DeserializeOwned + 'static,
    O: Item,
    F: Fn(&K, &DatedLog<I>, &Dated<I>) -> Option<O> + 'static,
{
    type State = DatedLog<I>;
    type Row = O;

    fn fresh(&self) -> DatedLog<I> {
        DatedLog::default()
    }

    fn step(
        &mut self,
        key: &K,
        log: &mut DatedLog<I>,
        deltas: impl Iterator<Item = Entries<I>>,
        give: impl FnMut(O, isize),
    ) {
        let items: Vec<(Dated<I>, i64)> = deltas.flatten().collect();
        let mut times: Vec<i64> = items.iter().map(|(item, _)| item.time).collect();
        times.sort_unstable();
        let AsOf { reach, read, old, new } = self;
        let rows = |log: &DatedLog<I>, rows: &mut Vec<O>| {
            let mut done = i64::MIN;
            for &time in &times {
                // Up to the last item that looks back to `time`, and none twice.
                let (after, until) = (done.max(time - 1), time.saturating_add(*reach - 1));
                if after < until {
                    rows.extend(log.between(after, until).filter_map(|(x, _)| read(key, log, x)));
                    done = until;
                }
            }
        };
        rows(log, old);
        items.into_iter().for_each(|(item, diff)| log.add(item, diff));
        rows(log, new);
        change(old, new, give);
    }

    fn is_nothing(log: &DatedLog<I>) -> bool {
        log.is_empty()
    }
}
