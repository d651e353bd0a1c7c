//! Keys with counts in a tree whose parts know what they add up to, as a group.

use super::{Bag, Group, SumTree, Summary};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::marker::PhantomData;

/// Changes of a [`SumTree`] with the summary `S`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "K: Serialize", deserialize = "K: Deserialize<'de>"))]
pub struct Summed<K, S>(Bag<K>, PhantomData<fn() -> S>);

impl<K, S> Default for Summed<K, S> {
    fn default() -> Self {
        Summed(Bag::default(), PhantomData)
    }
}

impl<K, S> From<Bag<K>> for Summed<K, S> {
    fn from(changes: Bag<K>) -> Self {
        Summed(changes, PhantomData)
    }
}

impl<K, S> Summed<K, S> {
    /// Changes the count of a key.
    pub fn add(&mut self, key: K, diff: i64) {
        self.0.add(key, diff);
    }
}

impl<K, S> Group for Summed<K, S>
where
    K: Ord + Clone + Debug + Send + Serialize + DeserializeOwned + 'static,
    S: Summary<K> + Debug + 'static,
{
    type State = SumTree<K, S>;
    const WORTH: usize = super::LISTS;

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
    fn absorb(state: &mut SumTree<K, S>, delta: Summed<K, S>) {
        for (key, diff) in delta.0 {
            state.add(key, diff);
        }
    }
    fn contents(state: &SumTree<K, S>) -> Summed<K, S> {
        let counts = state.iter().map(|(key, count)| (key.clone(), *count));
        Summed(counts.collect(), PhantomData)
    }
    fn is_nothing(state: &SumTree<K, S>) -> bool {
        state.is_empty()
    }
}
