//! A key's items in the order of their times, with exact sums over any window of time.
//!
//! The items lie in a tree whose parts know their totals, so that a window costs a walk from the
//! root, and an item that comes late costs no more than one at the end; up to a few items are one
//! sorted vector. What is read is a function of the multiset of items alone. Items with a negative
//! count (taken back ahead of their insertion) are remembered and not shown.
//! Bound: the items that are in it.

use super::{Group, SumTree, Totals};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt::Debug;
use std::ops::Range;

/// An item with its time and the value that is summed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Dated<T> {
    /// Milliseconds.
    pub time: i64,
    /// What it is.
    pub item: T,
    /// What is summed over a window.
    pub value: i64,
}

/// Dated items by time with their counts, none of them zero.
#[derive(Clone, Debug)]
pub struct DatedLog<T>(SumTree<Dated<T>, Totals>);

impl<T> Default for DatedLog<T> {
    fn default() -> Self {
        DatedLog(SumTree::default())
    }
}

impl<T: Ord + Clone> DatedLog<T> {
    /// Changes the count of an item; gives by how much the count that is shown changed.
    pub fn add(&mut self, item: Dated<T>, diff: i64) -> i64 {
        let (old, new) = self.0.add(item, diff);
        new.max(0) - old.max(0)
    }

    /// Takes out the items up to a time; gives those that counted, with their counts.
    pub fn forget(&mut self, until: i64) -> Vec<(Dated<T>, i64)> {
        let old = self.0.walk(0..self.0.rank(|x| x.time <= until));
        let old: Vec<_> = old.map(|(item, count)| (item.clone(), *count)).collect();
        for (item, count) in &old {
            self.0.add(item.clone(), -count);
        }
        old.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Count, sum and sum of squares of the values in `(until - width, until]`.
    pub fn totals(&self, until: i64, width: i64) -> Totals {
        self.0.sum(self.places(until.saturating_sub(width), until))
    }

    /// The items in `(after, until]`, in order, that count.
    pub fn between(
        &self,
        after: i64,
        until: i64,
    ) -> impl DoubleEndedIterator<Item = (&Dated<T>, i64)> + Clone {
        let all = self.0.walk(self.places(after, until));
        all.filter(|(_, n)| *n > 0).map(|(item, n)| (item, *n))
    }

    /// The items of one time that count and are equal by `order`, which must not contradict
    /// their own.
    pub fn matching(
        &self,
        time: i64,
        order: impl Fn(&T) -> Ordering,
    ) -> impl Iterator<Item = (&Dated<T>, i64)> {
        let compare = move |x: &Dated<T>| x.time.cmp(&time).then_with(|| order(&x.item));
        let from = self.0.rank(|x| compare(x).is_lt());
        let equal = self.0.walk(from..usize::MAX).take_while(move |(x, _)| compare(x).is_eq());
        equal.filter(|(_, n)| *n > 0).map(|(item, n)| (item, *n))
    }

    /// How many items differ.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All items that count, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Dated<T>, i64)> + Clone {
        self.0.iter().filter(|(_, n)| *n > 0).map(|(item, n)| (item, *n))
    }

    /// Whether every count is zero.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn places(&self, after: i64, until: i64) -> Range<usize> {
        self.0.rank(|x| x.time <= after)..self.0.rank(|x| x.time <= until)
    }
}

/// Changes of a [`DatedLog`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entries<T>(Vec<(Dated<T>, i64)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Entries(Vec::new())
    }
}

impl<T> Entries<T> {
    /// Changes the count of an item.
    pub fn add(&mut self, item: Dated<T>, diff: i64) {
        if diff != 0 {
            self.0.push((item, diff));
        }
    }
}

impl<T> IntoIterator for Entries<T> {
    type Item = (Dated<T>, i64);
    type IntoIter = std::vec::IntoIter<(Dated<T>, i64)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<T> Group for Entries<T>
where
    T: Ord + Clone + Debug + Send + Serialize + DeserializeOwned + 'static,
{
    type State = DatedLog<T>;
    const WORTH: usize = super::LISTS;

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
    fn absorb(state: &mut DatedLog<T>, delta: Entries<T>) {
        delta.0.into_iter().for_each(|(item, diff)| {
            state.add(item, diff);
        });
    }
    fn contents(state: &DatedLog<T>) -> Entries<T> {
        Entries(state.0.iter().map(|(item, count)| (item.clone(), *count)).collect())
    }
    fn latest(state: &DatedLog<T>) -> Option<i64> {
        state.0.get(state.0.len().checked_sub(1)?).map(|(item, _)| item.time)
    }
    fn is_nothing(state: &DatedLog<T>) -> bool {
        state.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Random;
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn agrees_with_a_scan_of_all_items() {
        let mut random = Random(17);
        for round in 0..300 {
            let mut log: DatedLog<u64> = DatedLog::default();
            let mut twin: BTreeMap<Dated<u64>, i64> = BTreeMap::new();
            let end = 5 + round;
            // Now and then enough for a tree of some depth.
            let most = if round % 20 == 0 { 1_500 } else { 150 };
            for _ in 0..random.below(most) {
                let known = twin.keys().nth(random.below(60) as usize).copied();
                let (item, diff) = match (random.below(3), known) {
                    (0, Some(item)) => (item, -twin[&item]),
                    _ => {
                        let (time, item) = (random.between(0, end), random.below(5));
                        let value = random.between(-9, 9);
                        (Dated { time, item, value }, random.between(-1, 2))
                    }
                };
                let shown = twin.get(&item).map_or(0, |n| (*n).max(0));
                let change = log.add(item, diff);
                *twin.entry(item).or_default() += diff;
                assert_eq!(shown + change, twin[&item].max(0));
                twin.retain(|_, n| *n != 0);
                assert_eq!(log.is_empty(), twin.is_empty());
                let (until, width) = (random.between(-2, end + 2), random.between(0, end));
                let after = until - width;
                let inside = || twin.iter().filter(|(x, _)| x.time > after && x.time <= until);
                let totals = log.totals(until, width);
                assert_eq!(totals.count, inside().map(|(_, n)| n).sum::<i64>());
                let sum: i64 = inside().map(|(x, n)| x.value * n).sum();
                assert_eq!(totals.sum, i128::from(sum));
                let shown: Vec<_> = log.between(after, until).map(|(x, n)| (*x, n)).collect();
                let want: Vec<_> =
                    inside().filter(|(_, n)| **n > 0).map(|(x, n)| (*x, *n)).collect();
                assert_eq!(shown, want);
                assert_eq!(log.len(), twin.len());
                let wanted = random.below(3);
                let same = log.matching(until, |x| x.cmp(&wanted));
                let want =
                    twin.iter().filter(|(x, n)| (x.time, x.item) == (until, wanted) && **n > 0);
                assert!(same.eq(want.map(|(x, n)| (x, *n))));
            }
        }
    }
}
