//! `tiles`: in which fifth (or other part) each member of a collection is, by several values.
//!
//! All members are compared with all, so they are kept in one place, in the order of each value
//! with the cuts between the parts (see [`Cuts`]). When a tick is sealed, the members that changed
//! and those between the old and the new place of a cut are given anew; the others are not looked
//! at. Bound: the members.

use super::keyed::{Keyed, Step};
use super::{Collection, Item, Key, Table};
use crate::monoid::{Bag, Cuts, part};
use differential_dataflow::consolidation::consolidate;
use std::collections::BTreeMap;

/// A member, its values, and for each value the part it is in, from 1.
pub type Tiled<K, V> = (K, V, Vec<u8>);

/// Cutting a collection into parts by rank.
pub trait Tiles<'s, K, V> {
    /// Adds to each `(key, values)` the part it is in by each value, of so many equal parts from
    /// the least value to the largest. A key is there at most once.
    fn tiles(self, name: &str, parts: u8) -> Collection<'s, Tiled<K, V>>;
}

impl<'s, K: Key, V: Item + AsRef<[i128]>> Tiles<'s, K, V> for Collection<'s, (K, V)> {
    fn tiles(self, name: &str, parts: u8) -> Collection<'s, Tiled<K, V>> {
        let add = |bag: &mut Bag<(K, V)>, member, diff| bag.add(member, diff);
        Keyed::of(self.map(|member| ((), member)), name, add).keep(Tiling { parts })
    }
}

struct Tiling {
    parts: u8,
}

impl<K: Key, V: Item + AsRef<[i128]>> Step<(), Bag<(K, V)>> for Tiling {
    type State = Members<K, V>;
    type Row = Tiled<K, V>;

    fn fresh(&self) -> Members<K, V> {
        Members { of: Table::default(), cuts: Vec::new(), parts: self.parts }
    }

    fn step(
        &mut self,
        (): &(),
        members: &mut Members<K, V>,
        deltas: impl Iterator<Item = Bag<(K, V)>>,
        give: impl FnMut(Tiled<K, V>, isize),
    ) {
        let mut updates: Vec<_> = deltas.flatten().collect();
        consolidate(&mut updates);
        members.change(updates, give);
    }

    fn contents(&self, members: &Members<K, V>) -> Bag<(K, V)> {
        members.of.iter().map(|(key, values)| ((key.clone(), values.clone()), 1)).collect()
    }

    fn is_nothing(members: &Members<K, V>) -> bool {
        members.of.is_empty()
    }
}

struct Members<K, V> {
    of: Table<K, V>,
    /// One for each of the values.
    cuts: Vec<Cuts<K>>,
    parts: u8,
}

impl<K: Key, V: Item + AsRef<[i128]>> Members<K, V> {
    fn change(&mut self, updates: Vec<((K, V), i64)>, mut give: impl FnMut(Tiled<K, V>, isize)) {
        let old = self.values();
        // Members that may change, with what they were.
        let mut touched: BTreeMap<K, Option<V>> = BTreeMap::new();
        for ((key, values), _) in updates.iter().filter(|(_, diff)| *diff < 0) {
            touched.insert(key.clone(), Some(values.clone()));
            self.of.remove(key);
            for (cuts, value) in self.cuts.iter_mut().zip(values.as_ref()) {
                cuts.remove(*value, key);
            }
        }
        for ((key, values), _) in updates.into_iter().filter(|(_, diff)| *diff > 0) {
            touched.entry(key.clone()).or_insert(None);
            let empty = || Cuts::new(self.parts);
            self.cuts.resize_with(values.as_ref().len().max(self.cuts.len()), empty);
            for (cuts, value) in self.cuts.iter_mut().zip(values.as_ref()) {
                cuts.insert(*value, key.clone());
            }
            self.of.insert(key, values);
        }
        let new = self.values();
        for (cuts, (old, new)) in self.cuts.iter().zip(old.iter().zip(&new)) {
            for (a, b) in old.iter().zip(new).filter(|(a, b)| a != b) {
                for key in cuts.between(*a.min(b), *a.max(b)) {
                    if !touched.contains_key(key) {
                        touched.insert(key.clone(), self.of.get(key).cloned());
                    }
                }
            }
        }
        for (key, before) in touched {
            let before = before.map(|values| tiled(&key, values, &old));
            let after = self.of.get(&key).map(|values| tiled(&key, values.clone(), &new));
            if before != after {
                before.into_iter().for_each(|row| give(row, -1));
                after.into_iter().for_each(|row| give(row, 1));
            }
        }
    }

    fn values(&self) -> Vec<Vec<i128>> {
        self.cuts.iter().map(Cuts::values).collect()
    }
}

fn tiled<K: Clone, V: AsRef<[i128]>>(key: &K, values: V, cuts: &[Vec<i128>]) -> Tiled<K, V> {
    let parts = values.as_ref().iter().zip(cuts).map(|(value, cuts)| part(cuts, *value)).collect();
    (key.clone(), values, parts)
}
