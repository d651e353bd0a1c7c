//! Changes of the weights of items, in the form in which they travel to a [`TopK`](super::TopK):
//! nearly all fit into 64 bits and are listed so; the rest (an amount times a weight, both large)
//! are listed apart.

use super::{Bag, Group};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Changes of weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights<T> {
    near: Bag<T>,
    far: Vec<(T, i128)>,
}

impl<T> Default for Weights<T> {
    fn default() -> Self {
        Weights { near: Bag::default(), far: Vec::new() }
    }
}

impl<T> Weights<T> {
    /// Changes the weight of an item.
    #[inline]
    pub fn add(&mut self, item: T, weight: i64) {
        self.near.add(item, weight);
    }

    /// Changes it by `amount`, `times` times.
    #[inline]
    pub fn add_times(&mut self, item: T, amount: i64, times: i64) {
        match amount.checked_mul(times) {
            Some(weight) => self.near.add(item, weight),
            None => self.add_any(item, i128::from(amount) * i128::from(times)),
        }
    }

    /// Changes it by a number of any size.
    pub fn add_any(&mut self, item: T, weight: i128) {
        match i64::try_from(weight) {
            Ok(weight) => self.near.add(item, weight),
            Err(_) => self.far.push((item, weight)),
        }
    }

    /// The changes that fit into 64 bits, and those that do not.
    pub fn into_parts(self) -> (Bag<T>, Vec<(T, i128)>) {
        (self.near, self.far)
    }
}

impl<T> Group for Weights<T>
where
    T: Ord + Clone + Debug + Send + Serialize + DeserializeOwned + 'static,
{
    type State = BTreeMap<T, i128>;
    const WORTH: usize = super::LISTS;

    fn is_zero(&self) -> bool {
        self.near.is_empty() && self.far.is_empty()
    }
    fn absorb(state: &mut BTreeMap<T, i128>, delta: Weights<T>) {
        let near = delta.near.into_iter().map(|(item, weight)| (item, i128::from(weight)));
        for (item, weight) in near.chain(delta.far) {
            let sum = state.get(&item).copied().unwrap_or(0) + weight;
            if sum == 0 {
                state.remove(&item);
            } else {
                state.insert(item, sum);
            }
        }
    }
    fn contents(state: &BTreeMap<T, i128>) -> Weights<T> {
        let mut contents = Weights::default();
        state.iter().for_each(|(item, weight)| contents.add_any(item.clone(), *weight));
        contents
    }
    fn is_nothing(state: &BTreeMap<T, i128>) -> bool {
        state.is_empty()
    }
}
