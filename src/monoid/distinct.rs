//! Exact distinct count: signed counts per value and a running number of the positive ones.
//!
//! A value counts while its net count is positive; a negative one (a retraction ahead of its
//! insertion) is remembered and cancels later. Zero counts are dropped. The delta [`Members`] lists
//! changes; combining them is left to the state, which hashes each value once.

use std::fmt::Debug;
use std::hash::Hash;

use crate::hash::Table;
use hashbrown::hash_map::EntryRef;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Bag, Group};

/// Changes to the values of which the different ones are counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Members<T>(Bag<T>);

impl<T> Default for Members<T> {
    fn default() -> Self {
        Members(Bag::default())
    }
}

impl<T> Members<T> {
    /// Changes the count of `value` by `diff`.
    pub fn add(&mut self, value: T, diff: i64) {
        self.0.add(value, diff);
    }
}

impl<T> Group for Members<T>
where
    T: Ord + Hash + Clone + Debug + Send + Serialize + DeserializeOwned + 'static,
{
    type State = Distinct<T>;
    const WORTH: usize = super::LISTS;

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
    fn absorb(state: &mut Distinct<T>, delta: Members<T>) {
        for (value, diff) in delta.0 {
            state.add(&value, diff);
        }
    }
    fn contents(state: &Distinct<T>) -> Members<T> {
        Members(state.counts.iter().map(|(value, count)| (value.clone(), *count)).collect())
    }
    fn is_nothing(state: &Distinct<T>) -> bool {
        state.is_empty()
    }
}

/// Counts per value with the number of distinct values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    from = "Vec<(T, i64)>",
    into = "Vec<(T, i64)>",
    bound(
        serialize = "T: Ord + Hash + Clone + Serialize",
        deserialize = "T: Ord + Hash + Clone + Deserialize<'de>"
    )
)]
pub struct Distinct<T: Ord + Hash + Clone> {
    counts: Table<T, i64>,
    positive: usize,
}

impl<T: Ord + Hash + Clone> Default for Distinct<T> {
    fn default() -> Self {
        Distinct { counts: Table::default(), positive: 0 }
    }
}

impl<T: Ord + Hash + Clone> Distinct<T> {
    /// Changes the count of `value` by `diff`.
    pub fn add(&mut self, value: &T, diff: i64) {
        let (old, new) = match self.counts.entry_ref(value) {
            EntryRef::Vacant(entry) => {
                if diff != 0 {
                    entry.insert(diff);
                }
                (0, diff)
            }
            EntryRef::Occupied(mut entry) => {
                let old = *entry.get();
                let new = old.wrapping_add(diff);
                if new == 0 {
                    entry.remove();
                } else {
                    *entry.get_mut() = new;
                }
                (old, new)
            }
        };
        match (old > 0, new > 0) {
            (false, true) => self.positive += 1,
            (true, false) => self.positive -= 1,
            _ => {}
        }
        if self.counts.capacity() > 8 * self.counts.len() + 64 {
            self.counts.shrink_to(2 * self.counts.len());
        }
    }

    /// Adds every count of `other`.
    pub fn merge(&mut self, other: &Distinct<T>) {
        // Sums do not depend on the order in which the map is walked.
        for (value, &count) in &other.counts {
            self.add(value, count);
        }
    }

    /// The number of values with a positive count.
    pub fn distinct(&self) -> usize {
        self.positive
    }

    /// The net count of a value.
    pub fn count(&self, value: &T) -> i64 {
        self.counts.get(value).copied().unwrap_or(0)
    }

    /// Whether every count is zero.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

impl<T: Ord + Hash + Clone> From<Distinct<T>> for Vec<(T, i64)> {
    fn from(state: Distinct<T>) -> Self {
        let mut counts: Vec<_> = state.counts.into_iter().collect();
        counts.sort_unstable();
        counts
    }
}

impl<T: Ord + Hash + Clone> From<Vec<(T, i64)>> for Distinct<T> {
    fn from(counts: Vec<(T, i64)>) -> Self {
        let mut state = Distinct::default();
        counts.iter().for_each(|(value, count)| state.add(value, *count));
        state
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Random;
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn agrees_with_an_ordered_map_in_any_order() {
        let mut random = Random(51);
        for _ in 0..2_000 {
            let values = 1 + random.below(60);
            let mut updates: Vec<(String, i64)> = (0..random.below(200))
                .map(|_| (random.below(values).to_string(), random.between(-2, 2)))
                .collect();
            let mut state = Distinct::default();
            let mut twin: BTreeMap<String, i64> = BTreeMap::new();
            for (value, diff) in &updates {
                state.add(value, *diff);
                *twin.entry(value.clone()).or_default() += diff;
                let want = twin.values().filter(|&&count| count > 0).count();
                assert_eq!(state.distinct(), want);
                assert_eq!(state.count(value), twin[value]);
            }
            assert_eq!(state.is_empty(), twin.values().all(|&count| count == 0));
            random.shuffle(&mut updates);
            let (mut left, mut right) = (Distinct::default(), Distinct::default());
            for (at, (value, diff)) in updates.iter().enumerate() {
                let half = if at % 2 == 0 { &mut left } else { &mut right };
                half.add(value, *diff);
            }
            left.merge(&right);
            let bytes = bincode::serialize(&state).unwrap();
            assert_eq!(bytes, bincode::serialize(&left).unwrap());
            let read: Distinct<String> = bincode::deserialize(&bytes).unwrap();
            assert_eq!(read, state);
            assert_eq!(read.distinct(), state.distinct());
        }
    }
}
