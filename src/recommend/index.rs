//! The serving index: item counts and each item's best neighbours.
//!
//! One writer ([`PairIndex`]) is fed by differences in any order and grouping; all it
//! adds up are whole numbers, so the state depends on their sums alone. `publish` swaps
//! in a new row for each item whose best neighbours changed. A reader waits for nobody
//! and blocks nobody: it takes each row whole, as of the last publish or of one that
//! is under way. `epoch` counts finished publishes.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arc_swap::{ArcSwapOption, Guard};

use super::RecommendError;
use super::growing::{Growing, View};
use super::interner::{Interner, ItemId};
use super::neighbours::{Neighbour, Order, Part, Reading, Row};
use super::pairs::{CountDiff, PairDiff};

/// What is published of an item.
#[derive(Debug, Default)]
struct Published {
    count: AtomicI64,
    best: ArcSwapOption<Vec<Neighbour>>,
}

#[derive(Debug, Default)]
struct Shared {
    items: Growing<Published>,
    epoch: AtomicU64,
}

/// A handle for requests, on any thread.
#[derive(Debug, Clone)]
pub struct PairReader {
    shared: Arc<Shared>,
}

impl PairReader {
    /// The published items, for one request.
    pub fn view(&self) -> PairView {
        PairView { items: self.shared.items.view() }
    }

    /// How often the index has been published.
    pub fn epoch(&self) -> u64 {
        self.shared.epoch.load(Ordering::Acquire)
    }
}

/// The published items.
#[derive(Debug)]
pub struct PairView {
    items: View<Published>,
}

/// The best neighbours of an item, best first.
pub struct Neighbours(Guard<Option<Arc<Vec<Neighbour>>>>);

impl std::ops::Deref for Neighbours {
    type Target = [Neighbour];

    fn deref(&self) -> &[Neighbour] {
        self.0.as_ref().map_or(&[], |best| best)
    }
}

impl PairView {
    /// The number of events of `item`.
    pub fn count(&self, item: ItemId) -> i64 {
        let published = self.items.get(item.index());
        published.map_or(0, |p| p.count.load(Ordering::Relaxed))
    }

    /// The best neighbours of `item`.
    pub fn neighbours(&self, item: ItemId) -> Neighbours {
        let published = self.items.get(item.index());
        Neighbours(published.map_or_else(|| Guard::from_inner(None), |p| p.best.load()))
    }
}

/// An item as the writer has it.
#[derive(Debug, Default)]
struct Entry {
    count: i64,
    row: Row,
    /// Whether it is among the changed.
    is_changed: bool,
    /// Whether its best neighbours may have changed.
    is_row_changed: bool,
}

/// The writer.
#[derive(Debug)]
pub struct PairIndex<T> {
    reading: Reading,
    names: Arc<Interner<T>>,
    items: Vec<Entry>,
    /// Items to be published.
    changed: Vec<ItemId>,
    shared: Arc<Shared>,
}

impl<T: Clone + Ord + Hash> PairIndex<T> {
    /// An empty index that gives its items numbers from `names`.
    pub fn new(reading: Reading, names: Arc<Interner<T>>) -> Self {
        PairIndex { reading, names, items: Vec::new(), changed: Vec::new(), shared: Arc::default() }
    }

    /// A handle for requests.
    pub fn reader(&self) -> PairReader {
        PairReader { shared: Arc::clone(&self.shared) }
    }

    /// Adds differences; readers see them after the next `publish`. Nothing is added
    /// when an item cannot get a number. Differences sorted by `before` look the same
    /// item up once.
    pub fn apply(
        &mut self,
        pairs: &[PairDiff<T>],
        counts: &[CountDiff<T>],
    ) -> Result<(), RecommendError> {
        let mut last: Option<(&T, ItemId)> = None;
        let mut parts = Vec::with_capacity(2 * pairs.len());
        for pair in pairs {
            let before = match last {
                Some((name, id)) if *name == pair.before => id,
                _ => self.names.intern(&pair.before)?,
            };
            last = Some((&pair.before, before));
            let after = self.names.intern(&pair.after)?;
            let part = |forward, backward| Part { bucket: pair.bucket, forward, backward };
            parts.push((before, after, part(pair.diff, 0)));
            parts.push((after, before, part(0, pair.diff)));
        }
        // Row by row: most of the time here is waiting for memory.
        parts.sort_unstable();
        let counted = counts.iter().map(|c| self.names.intern(&c.item));
        let counted: Vec<_> = counted.collect::<Result<_, _>>()?;
        let names = self.names.names();
        let reading = self.reading;
        let order = Order { reading: &reading, names: &names };
        for (item, CountDiff { diff, .. }) in counted.into_iter().zip(counts) {
            self.change(item).count += diff;
        }
        for (item, other, part) in parts {
            let entry = self.change(item);
            entry.is_row_changed |= entry.row.add(other, part, &order);
        }
        Ok(())
    }

    /// Makes all that was applied visible to readers.
    pub fn publish(&mut self) {
        let names = self.names.names();
        let order = Order { reading: &self.reading, names: &names };
        self.shared.items.reserve(self.items.len());
        let published = self.shared.items.view();
        for item in self.changed.drain(..) {
            // `change` made room for it.
            let entry = &mut self.items[item.index()];
            entry.is_changed = false;
            let Some(published) = published.get(item.index()) else {
                continue;
            };
            published.count.store(entry.count, Ordering::Relaxed);
            if std::mem::take(&mut entry.is_row_changed) {
                let best = entry.row.best(&order);
                let best = (!best.is_empty()).then(|| Arc::new(best.to_vec()));
                published.best.store(best);
            }
        }
        self.shared.epoch.fetch_add(1, Ordering::Release);
    }

    /// How many items have an event.
    pub fn live_items(&self) -> usize {
        self.items.iter().filter(|entry| entry.count > 0).count()
    }

    /// Everything held, by name and in order: for comparing two indices.
    pub fn dump(&self) -> PairDump<T> {
        let names = self.names.names();
        let name = |at| names.get(ItemId::from_index(at).ok()?).cloned();
        let mut dump = PairDump { counts: Vec::new(), parts: Vec::new() };
        for (at, entry) in self.items.iter().enumerate() {
            let Some(item) = name(at) else { continue };
            if entry.count != 0 {
                dump.counts.push((item.clone(), entry.count));
            }
            for (other, parts) in entry.row.cells() {
                let Some(other) = name(other.index()) else {
                    continue;
                };
                for part in parts {
                    dump.parts.push((item.clone(), other.clone(), *part));
                }
            }
        }
        dump.counts.sort_unstable();
        dump.parts.sort_unstable();
        dump
    }

    /// The entry of `item`, made if it is not there, and put among the changed.
    fn change(&mut self, item: ItemId) -> &mut Entry {
        if self.items.len() <= item.index() {
            self.items.resize_with(item.index() + 1, Entry::default);
        }
        // There is room now.
        let entry = &mut self.items[item.index()];
        if !entry.is_changed {
            entry.is_changed = true;
            self.changed.push(item);
        }
        entry
    }
}

/// The contents of an index by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairDump<T> {
    /// Items with their counts.
    pub counts: Vec<(T, i64)>,
    /// Item, neighbour and the weights of one bucket.
    pub parts: Vec<(T, T, Part)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::recommend::pairs::Bucket;

    fn reading() -> Reading {
        Reading { keep: 5, fade: 1.0, backward: 0.5, origin: Bucket(0) }
    }

    fn some(random: &mut Random) -> PairDiff<u64> {
        PairDiff {
            before: random.below(30) as u64,
            after: 30 + random.below(30) as u64,
            bucket: Bucket(random.below(2) as i32),
            diff: 1 + random.below(9) as i64,
        }
    }

    type Listed = Vec<(u64, Vec<(u64, f64, f64)>)>;

    fn published(index: &PairIndex<u64>) -> Listed {
        let (names, view) = (index.names.names(), index.reader().view());
        let name = |item: ItemId| *names.get(item).unwrap();
        let mut all: Vec<_> = (0..index.items.len())
            .map(|at| ItemId::from_index(at).unwrap())
            .map(|item| {
                let row = view.neighbours(item);
                let row: Vec<_> =
                    row.iter().map(|n| (name(n.item), n.forward, n.backward)).collect();
                (name(item), row)
            })
            .filter(|(_, row)| !row.is_empty())
            .collect();
        all.sort_by_key(|(name, _)| *name);
        all
    }

    #[test]
    fn order_and_detours_leave_no_trace() {
        for seed in 0..30 {
            let mut random = Random::new(seed);
            let kept: Vec<_> = (0..300).map(|_| some(&mut random)).collect();
            let gone: Vec<_> = (0..300).map(|_| some(&mut random)).collect();
            let mut straight = PairIndex::new(reading(), Arc::default());
            straight.apply(&kept, &[]).unwrap();
            straight.publish();
            let mut detour = PairIndex::new(reading(), Arc::default());
            for (a, b) in gone.iter().zip(kept.iter().rev()) {
                detour.apply(&[a.clone(), b.clone()], &[]).unwrap();
                if random.below(4) == 0 {
                    detour.publish();
                }
            }
            for mut pair in gone {
                pair.diff = -pair.diff;
                detour.apply(&[pair], &[]).unwrap();
                if random.below(4) == 0 {
                    detour.publish();
                }
            }
            detour.publish();
            assert_eq!(straight.dump(), detour.dump());
            assert_eq!(published(&straight), published(&detour));
        }
    }

    #[test]
    fn readers_on_other_threads_see_whole_rows() {
        let mut index = PairIndex::new(reading(), Arc::default());
        let (reader, names) = (index.reader(), Arc::clone(&index.names));
        // The writer goes on only when the reader has seen a state, and then another.
        let (begin, between) = (std::sync::Barrier::new(2), std::sync::atomic::AtomicUsize::new(0));
        std::thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let mut states = std::collections::BTreeSet::new();
                begin.wait();
                while reader.epoch() < 500 {
                    let least = reader.epoch() as f64;
                    let Some(one) = names.get(&1) else { continue };
                    let row = reader.view();
                    let row = row.neighbours(one);
                    // Each publish adds one to both neighbours at once.
                    let forward: Vec<_> = row.iter().map(|n| n.forward).collect();
                    let first = forward.first().copied().unwrap_or(0.0);
                    assert!(forward.iter().all(|f| *f == first) && first >= least);
                    states.insert(first as usize);
                    between.store(states.len(), std::sync::atomic::Ordering::Relaxed);
                }
                let one = names.get(&1).expect("it was published");
                let row = reader.view();
                let last: Vec<_> = row.neighbours(one).iter().map(|n| n.forward).collect();
                assert_eq!(last, [500.0, 500.0]);
            });
            begin.wait();
            for step in 0..500 {
                let seen = || between.load(std::sync::atomic::Ordering::Relaxed);
                while step % 200 == 0 && seen() < step / 200 && !watch.is_finished() {
                    std::thread::yield_now();
                }
                let pairs =
                    [2, 3].map(|after| PairDiff { before: 1, after, bucket: Bucket(0), diff: 1 });
                index.apply(&pairs, &[]).unwrap();
                index.publish();
            }
            watch.join().unwrap();
        });
    }
}
