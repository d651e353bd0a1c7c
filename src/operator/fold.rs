//! Folding the records of one message, run of equal stamps by run, into one delta per key.
//!
//! A delta is an element of a commutative group, so it does not matter how records are divided
//! among deltas: folding only makes the traffic smaller. Where it does not (nearly every record
//! has a key of its own) the search for the key is the greater cost, so it is left out for a
//! while and then tried again. Bound: one message.

use super::Key;
use crate::hash::TableState;
use crate::monoid::Group;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// Up to here a search through the groups is cheaper than hashing.
const FEW: usize = 8;
/// Records after which the worth of folding is judged.
const TRIAL: usize = 4096;
/// Trials left out after one that was not worth it.
const REST: usize = 31;

pub(super) struct Fold<K, R> {
    groups: Vec<(K, R)>,
    /// The last key is tried first: most streams visit few keys in a run (an hour, mostly the same).
    last: usize,
    index: HashTable<u32>,
    hasher: TableState,
    /// Records and groups of the current trial.
    records: usize,
    made: usize,
    /// Records still to pass without a search.
    plain: usize,
}

impl<K, R> Default for Fold<K, R> {
    fn default() -> Self {
        Fold {
            groups: Vec::new(),
            last: 0,
            index: HashTable::new(),
            hasher: TableState::default(),
            records: 0,
            made: 0,
            plain: 0,
        }
    }
}

impl<K: Key, R: Group> Fold<K, R> {
    /// The delta to put a record of this key in.
    #[inline]
    pub fn group(&mut self, key: K) -> &mut R {
        self.records += 1;
        let hit = self.groups.get(self.last).is_some_and(|(k, _)| *k == key);
        if !hit {
            self.last = if self.plain > 0 { self.push(key) } else { self.find(key) };
        }
        &mut self.groups[self.last].1
    }

    fn push(&mut self, key: K) -> usize {
        self.groups.push((key, R::default()));
        self.groups.len() - 1
    }

    fn find(&mut self, key: K) -> usize {
        let n = self.groups.len();
        if n < FEW {
            return match self.groups.iter().position(|(k, _)| *k == key) {
                Some(i) => i,
                None => self.push(key),
            };
        }
        let (groups, hasher) = (&self.groups, &self.hasher);
        // A group's place fits: a message has fewer than 2^32 records.
        let hash = |i: &u32| hasher.hash_one(&groups[*i as usize].0);
        if self.index.is_empty() {
            for i in 0..n as u32 {
                self.index.insert_unique(hash(&i), i, hash);
            }
        }
        let own = hasher.hash_one(&key);
        if let Some(&i) = self.index.find(own, |i| groups[*i as usize].0 == key) {
            return i as usize;
        }
        self.index.insert_unique(own, n as u32, hash);
        self.push(key)
    }

    /// Gives what was folded since the last call.
    pub fn drain(&mut self, mut give: impl FnMut(K, R)) {
        self.judge();
        for (key, delta) in self.groups.drain(..) {
            if !delta.is_zero() {
                give(key, delta);
            }
        }
        self.last = 0;
        self.index.clear();
    }

    fn judge(&mut self) {
        if self.plain > 0 {
            self.plain = self.plain.saturating_sub(std::mem::take(&mut self.records));
            return;
        }
        self.made += self.groups.len();
        if self.records >= TRIAL {
            if R::WORTH * self.made > self.records {
                self.plain = REST * TRIAL;
            }
            (self.records, self.made) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monoid::Bag;
    use std::collections::BTreeMap;

    /// Records come out as they went in, whether or not they are worth folding.
    #[test]
    fn folding_leaves_the_sums_as_they_are() {
        let mut fold = Fold::<u64, i64>::default();
        let mut bags = Fold::<u64, Bag<u64>>::default();
        let mut number = 1u64;
        for run in 0..400u64 {
            let (mut got, mut want) = (BTreeMap::new(), BTreeMap::new());
            let mut listed = 0;
            // Few keys, then many, then few again.
            let keys = [3, 20, 100_000, 50][run as usize / 100];
            for _ in 0..(run * 7) % 500 {
                number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let (key, diff) = ((number >> 33) % keys, (number >> 20) as i64 % 3 - 1);
                *fold.group(key) += diff;
                bags.group(key).add(number, 1);
                *want.entry(key).or_insert(0) += diff;
                listed += 1;
            }
            fold.drain(|key, sum| *got.entry(key).or_insert(0) += sum);
            bags.drain(|_, bag| listed -= bag.len());
            want.retain(|_, sum| *sum != 0);
            got.retain(|_, sum| *sum != 0);
            assert_eq!(got, want);
            assert_eq!(listed, 0);
        }
    }

    /// Folds one message of 500 records; gives how many deltas were made of how many keys.
    fn message<R: Group>(
        fold: &mut Fold<u64, R>,
        add: impl Fn(&mut R, u64),
        key: impl Fn(u64) -> u64,
    ) -> (usize, usize) {
        let mut keys: Vec<u64> = (0..500).map(&key).collect();
        keys.iter().for_each(|key| add(fold.group(*key), *key));
        let mut made = 0;
        fold.drain(|_, _| made += 1);
        keys.sort_unstable();
        keys.dedup();
        (made, keys.len())
    }

    #[test]
    fn the_search_is_left_out_for_a_while_where_it_was_not_worth_it() {
        let mut fold = Fold::<u64, i64>::default();
        let mut next = |key: &dyn Fn(u64) -> u64| message(&mut fold, |sum, _| *sum += 1, key);
        let few = |i: u64| i % 20;
        // As long as it is worth it, each key has one delta.
        assert!((0..20).all(|_| next(&few) == (20, 20)));
        // A trial of keys of their own: from then on every record is passed on.
        (0..17).for_each(|_| assert_eq!(next(&|i| i), (500, 500)));
        assert_eq!(next(&few), (500, 20));
        // After a while it is tried again, and stays.
        let rest = REST * TRIAL / 500 + 2;
        let late = (0..2 * rest).map(|_| next(&few)).collect::<Vec<_>>();
        assert!(late[..rest / 2].iter().all(|made| *made == (500, 20)));
        assert!(late[rest..].iter().all(|made| *made == (20, 20)));
    }

    #[test]
    fn a_delta_that_lists_its_records_must_combine_more_of_them() {
        let hundred = |i: u64| i % 100;
        let mut sums = Fold::<u64, i64>::default();
        let mut bags = Fold::<u64, Bag<u64>>::default();
        for _ in 0..17 {
            message(&mut sums, |sum, _| *sum += 1, hundred);
            message(&mut bags, |bag, key| bag.add(key, 1), hundred);
        }
        assert_eq!(message(&mut sums, |sum, _| *sum += 1, hundred), (100, 100));
        assert_eq!(message(&mut bags, |bag, key| bag.add(key, 1), hundred), (500, 100));
    }
}
