//! Items in the order of their weights, heaviest first, equal weights by item.
//!
//! The order is kept whole, so that reading the best changes nothing, as a verb's `read` must
//! not (`TopK` keeps less but tidies up when it is read). An update costs O(log n), the best k
//! O(k). Items of no weight are gone; items of negative weight (a retraction ahead of what it
//! takes back) are remembered and not listed. Bound: the items that have a weight.

use super::Group;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// Changes of weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights<T>(Vec<(T, i64)>);

impl<T> Default for Weights<T> {
    fn default() -> Self {
        Weights(Vec::new())
    }
}

impl<T> Weights<T> {
    /// Changes the weight of an item.
    pub fn add(&mut self, item: T, diff: i64) {
        if diff != 0 {
            self.0.push((item, diff));
        }
    }
}

/// Weights by item, and the items by weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking<T> {
    weights: BTreeMap<T, i64>,
    order: BTreeSet<(Reverse<i64>, T)>,
}

impl<T> Default for Ranking<T> {
    fn default() -> Self {
        Ranking { weights: BTreeMap::new(), order: BTreeSet::new() }
    }
}

impl<T: Ord + Clone> Ranking<T> {
    /// Changes the weight of an item.
    pub fn add(&mut self, item: T, diff: i64) {
        let weight = self.weights.get(&item).copied().unwrap_or(0);
        let next = weight.wrapping_add(diff);
        if weight > 0 {
            self.order.remove(&(Reverse(weight), item.clone()));
        }
        if next > 0 {
            self.order.insert((Reverse(next), item.clone()));
        }
        match next {
            0 => drop(self.weights.remove(&item)),
            _ => drop(self.weights.insert(item, next)),
        }
    }

    /// The weight of an item.
    pub fn weight(&self, item: &T) -> i64 {
        self.weights.get(item).copied().unwrap_or(0)
    }

    /// The items with a weight above zero, best first.
    pub fn best(&self) -> impl Iterator<Item = (&T, i64)> {
        self.order.iter().map(|(weight, item)| (item, weight.0))
    }
}

impl<T> Group for Weights<T>
where
    T: Ord + Clone + Debug + Send + Serialize + DeserializeOwned + 'static,
{
    type State = Ranking<T>;

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
    fn absorb(state: &mut Ranking<T>, delta: Weights<T>) {
        delta.0.into_iter().for_each(|(item, diff)| state.add(item, diff));
    }
    fn is_nothing(state: &Ranking<T>) -> bool {
        state.weights.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monoid::testing::Random;

    #[test]
    fn equals_a_sort_of_the_sums() {
        for seed in 0..50 {
            let mut random = Random(seed);
            let (mut ranking, mut all) = (Ranking::default(), Vec::new());
            for _ in 0..200 {
                let (item, diff) = (random.below(12), random.between(-4, 5));
                let mut delta = Weights::default();
                delta.add(item, diff);
                Weights::absorb(&mut ranking, delta);
                all.push((item, diff));
                let sum = |item: u64| all.iter().filter(|a| a.0 == item).map(|a| a.1).sum::<i64>();
                let mut sorted: Vec<_> = (0..12).map(|item| (item, sum(item))).collect();
                assert!(sorted.iter().all(|(item, sum)| ranking.weight(item) == *sum));
                assert_eq!(Weights::is_nothing(&ranking), sorted.iter().all(|(_, sum)| *sum == 0));
                sorted.retain(|(_, sum)| *sum > 0);
                sorted.sort_by_key(|(item, sum)| (-sum, *item));
                assert_eq!(ranking.best().map(|(i, w)| (*i, w)).collect::<Vec<_>>(), sorted);
            }
        }
    }
}
