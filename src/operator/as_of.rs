//! `as_of`: a row per item, read from the items of its key as of the item's own time.
//!
//! Each key keeps its items in the order of their times. A row may look back from its item as far
//! as `reach`, so a change at time `s` can only touch the rows of items in `[s, s + reach)`: those
//! are read before and after the tick's changes, and what differs is sent, item by item. They are
//! read backward before and forward after, so that what moves along with the rows is at each item
//! once per reading, and has no way back without. Nothing is scheduled:
//! windows end because the next item looks at a later one. The rows after a tick are a function of
//! the items up to it, so neither lateness, order nor the number of workers matters.  Where a row would walk through all it
//! looks back on, a [`Follower`] moves along with the rows instead. Bound: the items.

use super::keyed::{Keyed, Step, change};
use super::{Collection, Item, Key};
use crate::clock::Millis;
use crate::monoid::{Dated, DatedLog, Entries, Group};
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

    /// As `as_of`, with something that is kept per key beside the items. Items are read one by one
    /// from the last that a change touches back to the first, and then forward again.
    pub fn as_of_with<L: Follower<I>, O: Item>(
        self,
        reach: Millis,
        read: impl Fn(&K, &DatedLog<I>, &mut L, &Dated<I>) -> Option<O> + 'static,
    ) -> Collection<'s, O> {
        let reach = i64::try_from(reach.0).unwrap_or(i64::MAX);
        let (old, new, rest) = (Vec::new(), Vec::new(), Vec::new());
        self.keep(AsOf { reach, read, old, new, rest, follower: PhantomData })
    }
}

/// Changes the count of an item, of which the follower is told.
fn put<I: Ord + Clone, L: Follower<I>>(
    log: &mut DatedLog<I>,
    follower: &mut L,
    item: &Dated<I>,
    diff: i64,
) {
    let shown = log.add(item.clone(), diff);
    if shown != 0 {
        follower.changed(item, shown);
    }
}

struct AsOf<F, L, O> {
    reach: i64,
    read: F,
    /// The rows of the items that come or go.
    old: Vec<O>,
    new: Vec<O>,
    /// The rows that the other items had, last first.
    rest: Vec<Option<O>>,
    follower: PhantomData<L>,
}

/// The spans of time in which items look back on one of these times, `(after, until]`: none twice.
fn regions(times: impl Iterator<Item = i64>, reach: i64) -> Vec<(i64, i64)> {
    let mut regions: Vec<(i64, i64)> = Vec::new();
    for time in times {
        let done = regions.last().map_or(i64::MIN, |(_, until)| *until);
        let (after, until) = (done.max(time.saturating_sub(1)), time.saturating_add(reach - 1));
        if after < until {
            regions.push((after, until));
        }
    }
    regions
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
        mut give: impl FnMut(O, isize),
    ) {
        let mut items: Vec<(Dated<I>, i64)> = deltas.flatten().collect();
        items.sort_unstable();
        let regions = regions(items.iter().map(|(item, _)| item.time), self.reach);
        let comes_or_goes = |x: &Dated<I>| items.binary_search_by(|(item, _)| item.cmp(x)).is_ok();
        let AsOf { read, old, new, rest, .. } = self;
        for &(after, until) in regions.iter().rev() {
            for (x, _) in log.between(after, until).rev() {
                let row = read(key, log, follower, x);
                match comes_or_goes(x) {
                    true => old.extend(row),
                    false => rest.push(row),
                }
            }
        }
        items.iter().for_each(|(item, diff)| put(log, follower, item, *diff));
        for &(after, until) in &regions {
            for (x, _) in log.between(after, until) {
                let row = read(key, log, follower, x);
                if comes_or_goes(x) {
                    new.extend(row);
                    continue;
                }
                // The others are the same as before, and so in the same order.
                let before = rest.pop().flatten();
                if before != row {
                    before.into_iter().for_each(|row| give(row, -1));
                    row.into_iter().for_each(|row| give(row, 1));
                }
            }
        }
        rest.clear();
        change(old, new, give);
    }

    fn contents(&self, (log, _): &Self::State) -> Entries<I> {
        Entries::contents(log)
    }

    fn take_back(&mut self, _key: &K, (log, follower): &mut Self::State, contents: Entries<I>) {
        contents.into_iter().for_each(|(item, count)| put(log, follower, &item, count));
    }

    fn forget(&mut self, _: &K, (log, follower): &mut Self::State, until: i64) {
        // A change after `until` touches rows that look back so far and no further.
        for (item, shown) in log.forget(until.saturating_sub(self.reach)) {
            follower.changed(&item, -shown);
        }
    }

    fn is_nothing((log, _): &Self::State) -> bool {
        log.is_empty()
    }
}
