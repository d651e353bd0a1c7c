//! A multiset of items in order: the state of a key that must look at its items again, such as
//! the events of a visitor. A delta lists items with signed counts, a single one without asking
//! for memory; items whose count comes to zero are gone. Bound: the items that are in it.

use super::Group;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Changes of a multiset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bag<T>(Changes<T>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Changes<T> {
    One((T, i64)),
    /// None, or more than one.
    Many(Vec<(T, i64)>),
}

impl<T> Changes<T> {
    fn as_slice(&self) -> &[(T, i64)] {
        match self {
            Changes::One(change) => std::slice::from_ref(change),
            Changes::Many(list) => list,
        }
    }
}

impl<T> Default for Bag<T> {
    fn default() -> Self {
        Bag(Changes::Many(Vec::new()))
    }
}

impl<T> Bag<T> {
    /// Changes the count of an item.
    #[inline]
    pub fn add(&mut self, item: T, diff: i64) {
        if diff == 0 {
            return;
        }
        match &mut self.0 {
            Changes::Many(list) if list.is_empty() => self.0 = Changes::One((item, diff)),
            Changes::Many(list) => list.push((item, diff)),
            Changes::One(..) => self.add_second(item, diff),
        }
    }

    fn add_second(&mut self, item: T, diff: i64) {
        let mut list = Vec::with_capacity(4);
        if let Changes::One(first) = std::mem::take(self).0 {
            list.push(first);
        }
        list.push((item, diff));
        self.0 = Changes::Many(list);
    }

    /// The changes, in the order in which they were made.
    pub fn items(&self) -> impl Iterator<Item = &(T, i64)> {
        self.0.as_slice().iter()
    }

    /// The number of changes.
    pub fn len(&self) -> usize {
        self.0.as_slice().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> FromIterator<(T, i64)> for Bag<T> {
    fn from_iter<I: IntoIterator<Item = (T, i64)>>(changes: I) -> Self {
        let mut bag = Bag::default();
        changes.into_iter().for_each(|(item, diff)| bag.add(item, diff));
        bag
    }
}

impl<T> IntoIterator for Bag<T> {
    type Item = (T, i64);
    type IntoIter = std::iter::Chain<std::option::IntoIter<(T, i64)>, std::vec::IntoIter<(T, i64)>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, many) = match self.0 {
            Changes::One(change) => (Some(change), Vec::new()),
            Changes::Many(list) => (None, list),
        };
        one.into_iter().chain(many)
    }
}

/// The items of a multiset in order, with their counts, none of them zero.
pub type Items<T> = BTreeMap<T, i64>;

impl<T> Group for Bag<T>
where
    T: Ord + Clone + Debug + Send + Serialize + DeserializeOwned + 'static,
{
    type State = Items<T>;
    const WORTH: usize = super::LISTS;

    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    fn absorb(state: &mut Items<T>, delta: Bag<T>) {
        for (item, diff) in delta {
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
    fn contents(state: &Items<T>) -> Bag<T> {
        state.iter().map(|(item, count)| (item.clone(), *count)).collect()
    }
    fn is_nothing(state: &Items<T>) -> bool {
        state.is_empty()
    }
}
