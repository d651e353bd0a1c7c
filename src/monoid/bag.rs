//! A multiset of items in order: the state of a key that must look at its items again, such as
//! the events of a visitor. A delta lists items with signed counts; items whose count comes to
//! zero are gone. Bound: the items that are in it.

use super::Group;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Changes of a multiset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bag<T>(Vec<(T, i64)>);

impl<T> Default for Bag<T> {
    fn default() -> Self {
        Bag(Vec::new())
    }
}

impl<T> Bag<T> {
    /// Changes the count of an item.
    pub fn add(&mut self, item: T, diff: i64) {
        if diff != 0 {
            self.0.push((item, diff));
        }
    }
}

/// The items of a multiset in order, with their counts, none of them zero.
pub type Items<T> = BTreeMap<T, i64>;

impl<T> Group for Bag<T>
where
    T: Ord + Clone + Debug + Send + Serialize + DeserializeOwned + 'static,
{
    type State = Items<T>;

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
    fn absorb(state: &mut Items<T>, delta: Bag<T>) {
        for (item, diff) in delta.0 {
            match state.entry(item) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(diff);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    *entry.get_mut() += diff;
                    if *entry.get() == 0 {
                        entry.remove();
                    }
                }
            }
        }
    }
    fn is_nothing(state: &Items<T>) -> bool {
        state.is_empty()
    }
}
