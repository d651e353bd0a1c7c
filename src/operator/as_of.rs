//! `as_of`: a row per item, read from the items of its key as of the item's own time.
//!
//! Each key keeps its items in the order of their times. A row may look back from its item as far
//! as `reach`, so a change at time `s` can only touch the rows of items in `[s, s + reach)`: those
//! are read before and after the tick's changes, and what differs is sent. Nothing is scheduled:
//! windows end because the next item looks at a later one. The rows after a tick are a function of
//! the items up to it, so neither lateness, order nor the number of workers matters. Where totals
//! over one span are all a row needs, `sliding` is leaner. Where a row would walk through all it
//! looks back on, a [`Follower`] moves along with the rows instead. Bound: the items.

use super::keyed::{Keyed, Step, change};
use super::{Collection, Item, Key};
use crate::clock::Millis;
use crate::monoid::{Dated, DatedLog, Entries};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::marker::PhantomData;

/// What a reader keeps of a key beside its items so that it need not walk through them for each
/// row. What is read with it must be a function of the items alone.
pub trait Follower<I>: Default + 'static {
    /// The count that is shown of an item has changed by `diff` in the log.
    fn changed(&mut self, item: &Dated<I>, diff: i64);
}

impl<I> Follower<I> for () {
    fn changed(&mut self, _: &Dated<I>, _: i64) {}
}

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
        self.as_of_with(reach, move |key, log, (): &mut (), item| read(key, log, item))
    }

    /// As `as_of`, with something that is kept per key beside the items. Items are read in the
    /// order of their times from the earliest change on, and then again.
    pub fn as_of_with<L: Follower<I>, O: Item>(
        self,
        reach: Millis,
        read: impl Fn(&K, &DatedLog<I>, &mut L, &Dated<I>) -> Option<O> + 'static,
    ) -> Collection<'s, O> {
        let reach = i64::try_from(reach.0).unwrap_or(i64::MAX);
        self.keep(AsOf { reach, read, old: Vec::new(), new: Vec::new(), follower: PhantomData })
    }
}

struct AsOf<F, L, O> {
    reach: i64,
    read: F,
    old: Vec<O>,
    new: Vec<O>,
    follower: PhantomData<L>,
}

impl<K, I, L, O, F> Step<K, Entries<I>> for AsOf<F, L, O>
where
    K: Key,
    I: Ord + Clone + Debug + Send + Serialize + DeserializeOwned + 'static,
    L: Follower<I>,
    O: Item,
    F: Fn(&K, &DatedLog<I>, &mut L, &Dated<I>) -> Option<O> + 'static,
{
    type State = (DatedLog<I>, L);
    type Row = O;

    fn fresh(&self) -> Self::State {
        Default::default()
    }

    fn step(
        &mut self,
        key: &K,
        (log, follower): &mut Self::State,
        deltas: impl Iterator<Item = Entries<I>>,
        give: impl FnMut(O, isize),
    ) {
        let items: Vec<(Dated<I>, i64)> = deltas.flatten().collect();
        let mut times: Vec<i64> = items.iter().map(|(item, _)| item.time).collect();
        times.sort_unstable();
        let AsOf { reach, read, old, new, .. } = self;
        let rows = |log: &DatedLog<I>, follower: &mut L, rows: &mut Vec<O>| {
            let mut done = i64::MIN;
            for &time in &times {
                // Up to the last item that looks back to `time`, and none twice.
                let (after, until) = (done.max(time - 1), time.saturating_add(*reach - 1));
                if after < until {
                    let items = log.between(after, until);
                    rows.extend(items.filter_map(|(x, _)| read(key, log, follower, x)));
                    done = until;
                }
            }
        };
        rows(log, follower, old);
        for (item, diff) in items {
            let shown = log.add(item.clone(), diff);
            if shown != 0 {
                follower.changed(&item, shown);
            }
        }
        rows(log, follower, new);
        change(old, new, give);
    }

    fn is_nothing((log, _): &Self::State) -> bool {
        log.is_empty()
    }
}
