//! The K heaviest items under arbitrary updates, by (weight descending, item ascending).
//!
//! Only items near the top are kept in order. Every item that is not in `top` and weighs
//! something has a live entry in `heap`, under a bound no smaller than its weight; so once the
//! best bound in the heap is behind the last of a full `top`, nothing outside can belong inside.
//! A decrease leaves its entry as it is (still a bound), an increase within the bound too; a
//! read tightens the entries it meets. Every tightening is paid for by the update that loosened
//! it, so an update costs amortised O(log n) and a read O(K) beyond that.
//!
//! Items of weight zero are removed. An item of negative weight (a retraction ahead of its
//! insertion) is remembered but not listed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hash;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;
use serde::{Deserialize, Serialize};

/// The bound of an item that needs no heap entry because it is in `top`.
const IN_TOP: i64 = i64::MAX;

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
    states: HashMap<T, State, FixedState>,
    /// The K largest at the last read, best first.
    top: Vec<(Reverse<i64>, T)>,
    top_touched: bool,
    heap: BinaryHeap<(i64, Reverse<T>)>,
    reported: Vec<(T, i64)>,
}

/// What a checkpoint holds: the weights by item, and the rows the reader has seen.
#[derive(Serialize, Deserialize)]
struct Stored<T> {
    k: usize,
    weights: Vec<(T, i64)>,
    reported: Vec<(T, i64)>,
}

impl<T: Ord + Hash + Clone> TopK<T> {
    /// An empty structure that lists at most `k` items.
    pub fn new(k: usize) -> Self {
        TopK {
            k,
            states: HashMap::with_hasher(FixedState::default()),
            top: Vec::new(),
            top_touched: false,
            heap: BinaryHeap::new(),
            reported: Vec::new(),
        }
    }

    /// Changes the weight of `item` by `diff`. Weights stay below 2^62; beyond, they wrap.
    pub fn add(&mut self, item: &T, diff: i64) {
        let mut entry = match self.states.entry_ref(item) {
            EntryRef::Occupied(entry) => entry,
            EntryRef::Vacant(entry) => {
                if diff != 0 {
                    let bound = diff.max(0);
                    let weight = diff;
                    entry.insert(State { weight, bound });
                    self.push(bound, item);
                }
                return;
            }
        };
        let state = entry.get_mut();
        state.weight = state.weight.wrapping_add(diff);
        self.top_touched |= state.bound == IN_TOP;
        if state.weight == 0 {
            entry.remove();
        } else if state.weight > state.bound {
            let bound = loose(state.weight);
            state.bound = bound;
            self.push(bound, item);
        }
    }

    /// The largest items and their weights, best first.
    pub fn top(&mut self) -> impl Iterator<Item = (&T, i64)> {
        self.refresh();
        self.top.iter().map(|(weight, item)| (item, weight.0))
    }

    /// Emits (item, weight, rank from 0, diff) for every row that left the top since the last
    /// call (diff -1) and then for every row that is new in it (diff 1).
    pub fn diff_since_last(&mut self, mut emit: impl FnMut(&T, i64, usize, i64)) {
        self.refresh();
        let changed = |old: Option<&(T, i64)>, new: Option<&(Reverse<i64>, T)>| match (old, new) {
            (Some(old), Some(new)) => old.1 != new.0.0 || old.0 != new.1,
            _ => true,
        };
        for (rank, old) in self.reported.iter().enumerate() {
            if changed(Some(old), self.top.get(rank)) {
                emit(&old.0, old.1, rank, -1);
            }
        }
        for (rank, new) in self.top.iter().enumerate() {
            if changed(self.reported.get(rank), Some(new)) {
                emit(&new.1, new.0.0, rank, 1);
            }
        }
        let rows = self.top.iter().map(|(weight, item)| (item.clone(), weight.0));
        self.reported.clear();
        self.reported.extend(rows);
    }

    /// The weight of an item.
    pub fn weight(&self, item: &T) -> i64 {
        self.states.get(item).map_or(0, |state| state.weight)
    }

    /// The number of items with a non-zero weight.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether every weight is zero.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// The non-zero weights in the order of their items.
    pub fn weights(&self) -> Vec<(&T, i64)> {
        let mut all: Vec<_> = self.states.iter().map(|(t, s)| (t, s.weight)).collect();
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
        let rows = state.states.into_iter().map(|(item, s)| (item, s.weight));
        let mut weights: Vec<_> = rows.collect();
        weights.sort_unstable();
        Stored { k: state.k, weights, reported: state.reported }
    }
}

impl<T: Ord + Hash + Clone> From<Stored<T>> for TopK<T> {
    fn from(stored: Stored<T>) -> Self {
        let mut state = TopK::new(stored.k);
        for (item, weight) in &stored.weights {
            state.add(item, *weight);
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

    fn sorted(twin: &BTreeMap<u32, i64>, k: usize) -> Vec<(u32, i64)> {
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
            let size = [1, 3, 100, 1_000_000][round % 4];
            let mut state = TopK::new(k);
            let mut twin: BTreeMap<u32, i64> = BTreeMap::new();
            let mut seen: BTreeMap<(usize, u32, i64), i64> = BTreeMap::new();
            for step in 0..random.below(600) {
                let item = (random.below(1 << 20) as u32 % items).min(random.below(300) as u32);
                let held = twin.get(&item).copied().unwrap_or(0);
                let diff = match random.below(6) {
                    0 => -held,
                    1 => -held - random.between(0, size),
                    2 => -random.between(0, size),
                    _ => random.between(0, size),
                };
                state.add(&item, diff);
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
    fn extremes_do_not_panic() {
        let mut state = TopK::new(2);
        for diff in [i64::MAX, i64::MAX, i64::MIN, i64::MIN, 5, -1, i64::MAX, i64::MIN] {
            state.add(&1, diff);
            state.add(&2, diff.wrapping_neg());
            state.diff_since_last(|_, _, _, _| {});
        }
    }
}
