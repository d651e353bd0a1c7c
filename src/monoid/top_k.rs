//! The K heaviest items under arbitrary updates, by (weight descending, item ascending).
//!
//! Only items near the top are kept in order. Every item that is not in `top` and weighs
//! something has a live entry in `heap`, under a bound no smaller than its weight; so once the
//! best bound in the heap is behind the last of a full `top`, nothing outside can belong inside.
//! A decrease leaves its entry as it is (still a bound), an increase within the bound too; a
//! read tightens the entries it meets. Every tightening is paid for by the update that loosened
//! it, so an update costs amortised O(log n) and a read O(K) beyond that.
//!
//! A weight is a sum of any size. The few that are far from zero (2^62 and more, a hostile amount
//! or two) are kept apart and in order, so that all others take one word.
//!
//! Items of weight zero are removed. An item of negative weight (a retraction ahead of its
//! insertion) is remembered but not listed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::hash::Hash;

use crate::hash::Table;
use hashbrown::hash_map::EntryRef;
use serde::{Deserialize, Serialize};

/// The bound of an item that needs no heap entry because it is in `top`.
const IN_TOP: i64 = i64::MAX;

/// From here on a weight is far from zero; at half of it is no longer.
const FAR: i64 = 1 << 62;

/// Whether a weight is far from zero, and one that was still is.
fn is_far(weight: i128, was: bool) -> bool {
    weight.unsigned_abs() >= (FAR as u128) >> u8::from(was)
}

/// The items whose weight is far from zero.
#[derive(Clone, Debug)]
struct Far<T> {
    weights: BTreeMap<T, i128>,
    order: BTreeSet<(Reverse<i128>, T)>,
}

impl<T: Ord + Clone> Far<T> {
    /// Changes a weight, and gives it back where it is no longer far.
    fn set(&mut self, item: &T, weight: i128) -> Option<i64> {
        if let Some(old) = self.weights.remove(item) {
            self.order.remove(&(Reverse(old), item.clone()));
        }
        if is_far(weight, true) {
            self.weights.insert(item.clone(), weight);
            self.order.insert((Reverse(weight), item.clone()));
            return None;
        }
        i64::try_from(weight).ok()
    }
}

#[derive(Clone, Copy, Debug)]
struct State {
    weight: i64,
    /// The live heap entry's key; zero when there is none; `IN_TOP` in the top.
    bound: i64,
}

/// Weights per item and the K largest of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(
    from = "Stored<T>",
    into = "Stored<T>",
    bound(
        serialize = "T: Ord + Hash + Clone + Serialize",
        deserialize = "T: Ord + Hash + Clone + Deserialize<'de>"
    )
)]
pub struct TopK<T: Ord + Hash + Clone> {
    k: usize,
    states: Table<T, State>,
    /// The K largest at the last read, best first.
    top: Vec<(Reverse<i64>, T)>,
    top_touched: bool,
    heap: BinaryHeap<(i64, Reverse<T>)>,
    reported: Vec<(T, i128)>,
    far: Option<Box<Far<T>>>,
}

/// What a checkpoint holds: the weights by item, and the rows the reader has seen.
#[derive(Serialize, Deserialize)]
struct Stored<T> {
    k: usize,
    weights: Vec<(T, i128)>,
    reported: Vec<(T, i128)>,
}

impl<T: Ord + Hash + Clone> TopK<T> {
    /// An empty structure that lists at most `k` items.
    pub fn new(k: usize) -> Self {
        TopK {
            k,
            states: Table::default(),
            top: Vec::new(),
            top_touched: false,
            heap: BinaryHeap::new(),
            reported: Vec::new(),
            far: None,
        }
    }

    /// Changes the weight of `item` by `diff`.
    pub fn add(&mut self, item: &T, diff: i64) {
        if self.far.is_some() || is_far(diff.into(), false) {
            return self.add_any(item, diff.into());
        }
        if !self.add_near(item, diff) {
            self.add_any(item, diff.into());
        }
    }

    /// The same by a number of any size.
    pub fn add_any(&mut self, item: &T, diff: i128) {
        let was_far = self.far.as_ref().is_some_and(|far| far.weights.contains_key(item));
        if !was_far
            && let Ok(near) = i64::try_from(diff)
            && !is_far(diff, false)
            && self.add_near(item, near)
        {
            return;
        }
        let weight = self.weight(item) + diff;
        if let Some(state) = self.states.remove(item) {
            self.top_touched |= state.bound == IN_TOP;
        }
        if was_far || is_far(weight, false) {
            let fresh = || Box::new(Far { weights: BTreeMap::new(), order: BTreeSet::new() });
            let far = self.far.get_or_insert_with(fresh);
            let near = far.set(item, weight);
            if far.weights.is_empty() {
                self.far = None;
            }
            if let Some(near) = near {
                self.add_near(item, near);
            }
        } else if let Ok(near) = i64::try_from(weight) {
            self.add_near(item, near);
        }
    }

    /// Changes a weight that is not far from zero, and says whether that is so afterwards;
    /// otherwise nothing was done.
    #[inline]
    fn add_near(&mut self, item: &T, diff: i64) -> bool {
        let mut entry = match self.states.entry_ref(item) {
            EntryRef::Occupied(entry) => entry,
            EntryRef::Vacant(entry) => {
                if diff != 0 {
                    let bound = diff.max(0);
                    let weight = diff;
                    entry.insert(State { weight, bound });
                    self.push(bound, item);
                }
                return true;
            }
        };
        let state = entry.get_mut();
        // Neither is beyond 2^62, so the sum fits.
        let weight = state.weight + diff;
        if is_far(weight.into(), false) {
            return false;
        }
        state.weight = weight;
        self.top_touched |= state.bound == IN_TOP;
        if state.weight == 0 {
            entry.remove();
        } else if state.weight > state.bound {
            let bound = loose(state.weight);
            state.bound = bound;
            self.push(bound, item);
        }
        true
    }

    /// The largest items and their weights, best first.
    pub fn top(&mut self) -> impl Iterator<Item = (&T, i128)> + Clone {
        self.refresh();
        let near = self.top.iter().map(|(weight, item)| (item, i128::from(weight.0)));
        // Before those near zero are the ones far above it, but for a few that are about equal.
        let far = self.far.as_ref().map_or(Vec::new(), |far| {
            let above = far.order.iter().take_while(|(weight, _)| weight.0 > 0).take(self.k);
            let above = above.map(|(weight, item)| (item, weight.0));
            let mut all: Vec<_> = above.chain(near.clone()).collect();
            all.sort_unstable_by_key(|(item, weight)| (Reverse(*weight), *item));
            all.truncate(self.k);
            all
        });
        let near = near.take(if self.far.is_some() { 0 } else { self.k });
        far.into_iter().chain(near)
    }

    /// Emits (item, weight, rank from 0, diff) for every row that left the top since the last
    /// call (diff -1) and then for every row that is new in it (diff 1).
    pub fn diff_since_last(&mut self, mut emit: impl FnMut(&T, i128, usize, i64)) {
        let mut reported = std::mem::take(&mut self.reported);
        {
            let top = self.top();
            let mut now = top.clone();
            for (rank, (item, weight)) in reported.iter().enumerate() {
                if now.next() != Some((item, *weight)) {
                    emit(item, *weight, rank, -1);
                }
            }
            for (rank, (item, weight)) in top.clone().enumerate() {
                if reported.get(rank).is_none_or(|old| (&old.0, old.1) != (item, weight)) {
                    emit(item, weight, rank, 1);
                }
            }
            reported.clear();
            reported.extend(top.map(|(item, weight)| (item.clone(), weight)));
        }
        self.reported = reported;
    }

    /// The weight of an item.
    pub fn weight(&self, item: &T) -> i128 {
        let far = self.far.as_ref().and_then(|far| far.weights.get(item).copied());
        far.unwrap_or_else(|| self.states.get(item).map_or(0, |state| state.weight.into()))
    }

    /// The number of items with a non-zero weight.
    pub fn len(&self) -> usize {
        self.states.len() + self.far.as_ref().map_or(0, |far| far.weights.len())
    }

    /// Whether every weight is zero.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty() && self.far.is_none()
    }

    /// The non-zero weights in the order of their items.
    pub fn weights(&self) -> Vec<(&T, i128)> {
        let mut all: Vec<_> = self.states.iter().map(|(t, s)| (t, s.weight.into())).collect();
        all.extend(self.far.iter().flat_map(|far| far.weights.iter().map(|(t, w)| (t, *w))));
        all.sort_unstable();
        all
    }

    fn push(&mut self, bound: i64, item: &T) {
        if bound > 0 {
            self.heap.push((bound, Reverse(item.clone())));
        }
        // Dead entries are dropped when they outnumber the live ones.
        if self.heap.len() > 64 + 2 * self.states.len() {
            self.sweep();
        }
    }

    #[cold]
    fn sweep(&mut self) {
        let states = &self.states;
        let mut entries = std::mem::take(&mut self.heap).into_vec();
        entries.retain(|(bound, Reverse(item))| {
            states.get(item).is_some_and(|state| state.bound == *bound)
        });
        // An item may have come back to an old bound, leaving two entries of the same key.
        entries.sort_unstable();
        entries.dedup();
        self.heap = entries.into();
    }

    /// Makes `top` right again.
    fn refresh(&mut self) {
        if self.top_touched {
            self.top_touched = false;
            let states = &mut self.states;
            self.top.retain_mut(|(weight, item)| match states.get_mut(item) {
                Some(state) if state.bound != IN_TOP => false,
                Some(state) if state.weight <= 0 => {
                    state.bound = 0;
                    false
                }
                Some(state) => {
                    weight.0 = state.weight;
                    true
                }
                None => false,
            });
            self.top.sort_unstable();
        }
        while let Some((bound, Reverse(item))) = self.heap.peek() {
            if let Some((last, other)) = self.top.last()
                && self.top.len() >= self.k
                && (last, other) < (&Reverse(*bound), item)
            {
                break;
            }
            if self.k == 0 {
                break;
            }
            let Some((bound, Reverse(item))) = self.heap.pop() else {
                break;
            };
            let Some(state) = self.states.get_mut(&item) else {
                continue;
            };
            if state.bound != bound {
                continue;
            }
            if state.weight < bound {
                state.bound = state.weight.max(0);
                if state.weight > 0 {
                    self.heap.push((state.weight, Reverse(item)));
                }
                continue;
            }
            state.bound = IN_TOP;
            let row = (Reverse(bound), item);
            let place = self.top.partition_point(|other| *other < row);
            self.top.insert(place, row);
            if self.top.len() > self.k
                && let Some((weight, item)) = self.top.pop()
                && let Some(state) = self.states.get_mut(&item)
            {
                state.bound = weight.0;
                self.heap.push((weight.0, Reverse(item)));
            }
        }
    }
}

/// A bound with half the weight to spare, so that an item that grows is pushed now and then only.
/// Measured faster than none and than an eighth; double was no clear gain.
fn loose(weight: i64) -> i64 {
    weight.saturating_add(weight >> 1).min(IN_TOP - 1)
}

impl<T: Ord + Hash + Clone> PartialEq for TopK<T> {
    fn eq(&self, other: &Self) -> bool {
        self.k == other.k && self.weights() == other.weights() && self.reported == other.reported
    }
}

impl<T: Ord + Hash + Clone> Eq for TopK<T> {}

impl<T: Ord + Hash + Clone> From<TopK<T>> for Stored<T> {
    fn from(state: TopK<T>) -> Self {
        let rows = state.weights().into_iter().map(|(item, weight)| (item.clone(), weight));
        let weights = rows.collect();
        Stored { k: state.k, weights, reported: state.reported }
    }
}

impl<T: Ord + Hash + Clone> From<Stored<T>> for TopK<T> {
    fn from(stored: Stored<T>) -> Self {
        let mut state = TopK::new(stored.k);
        for (item, weight) in &stored.weights {
            state.add_any(item, *weight);
        }
        state.reported = stored.reported;
        state
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Random;
    use super::*;
    use std::collections::BTreeMap;

    fn sorted(twin: &BTreeMap<u32, i128>, k: usize) -> Vec<(u32, i128)> {
        let mut rows: Vec<_> = twin.iter().map(|(&i, &w)| (i, w)).collect();
        rows.retain(|&(_, weight)| weight > 0);
        rows.sort_by_key(|&(item, weight)| (Reverse(weight), item));
        rows.truncate(k);
        rows
    }

    #[test]
    fn agrees_with_a_full_sort() {
        let mut random = Random(31);
        for round in 0..1_500 {
            let k = random.below(12) as usize;
            let most = 1 << random.below(9);
            let items = 1 + random.below(most) as u32;
            // Small weights make ties, large ones make slack bounds.
            // and the largest leave 64 bits.
            let size = [1, 3, 100, 1_000_000, i64::MAX >> 1][round % 5];
            let mut state = TopK::new(k);
            let mut twin: BTreeMap<u32, i128> = BTreeMap::new();
            let mut seen: BTreeMap<(usize, u32, i128), i64> = BTreeMap::new();
            for step in 0..random.below(600) {
                let item = (random.below(1 << 20) as u32 % items).min(random.below(300) as u32);
                let held = twin.get(&item).copied().unwrap_or(0);
                let diff = match random.below(6) {
                    0 => -held,
                    1 => -held - i128::from(random.between(0, size)),
                    2 => -i128::from(random.between(0, size)),
                    _ => i128::from(random.between(0, size)),
                };
                match i64::try_from(diff) {
                    Ok(diff) => state.add(&item, diff),
                    Err(_) => state.add_any(&item, diff),
                }
                *twin.entry(item).or_default() += diff;
                twin.retain(|_, weight| *weight != 0);
                if step % (1 + round as u64 % 17) == 0 {
                    state.diff_since_last(|&item, weight, rank, diff| {
                        *seen.entry((rank, item, weight)).or_default() += diff;
                    });
                    seen.retain(|_, count| *count != 0);
                    assert!(seen.values().all(|&count| count == 1));
                    let rows: Vec<_> = seen.keys().map(|&(_, i, w)| (i, w)).collect();
                    assert_eq!(rows, sorted(&twin, k));
                    assert!(state.heap.len() <= 64 + 2 * (state.len() + k + 1) + 64);
                }
                if random.below(100) == 0 {
                    let bytes = bincode::serialize(&state).unwrap();
                    let read: TopK<u32> = bincode::deserialize(&bytes).unwrap();
                    assert_eq!(state, read);
                    state = read;
                }
            }
            let top: Vec<_> = state.top().map(|(&i, w)| (i, w)).collect();
            assert_eq!(top, sorted(&twin, k));
        }
    }

    #[test]
    fn order_of_updates_leaves_no_trace() {
        let mut random = Random(32);
        for _ in 0..500 {
            let mut updates: Vec<(String, i64)> = (0..random.below(400))
                .map(|_| (random.below(50).to_string(), random.between(-9, 10)))
                .collect();
            let mut build = || {
                let mut state = TopK::new(5);
                for (item, diff) in &updates {
                    state.add(item, *diff);
                    if diff % 3 == 0 {
                        state.top().count();
                    }
                }
                let top: Vec<_> = state.top().map(|(t, w)| (t.clone(), w)).collect();
                let bytes = bincode::serialize(&state).unwrap();
                random.shuffle(&mut updates);
                (top, bytes)
            };
            assert_eq!(build(), build());
        }
    }

    #[test]
    fn sums_beyond_64_bits_are_in_their_place() {
        let mut state = TopK::new(2);
        for _ in 0..3 {
            state.add(&1, i64::MAX);
            state.add(&2, i64::MIN);
            state.add(&3, 7);
        }
        let most = 3 * i128::from(i64::MAX);
        assert_eq!(state.top().collect::<Vec<_>>(), [(&1, most), (&3, 21)]);
        state.add_any(&1, 5 - most);
        assert_eq!(state.top().collect::<Vec<_>>(), [(&3, 21), (&1, 5)]);
    }
}
