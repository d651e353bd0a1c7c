//! The session index of the second ranker (VMIS-kNN): each item's newest sessions.
//!
//! An item's sessions are an ordered set keyed by the session's *start*, then its key,
//! so a click moves nothing but the clicked item's own posting. A late first event
//! changes the start and moves the session's few postings. An item is in a session
//! while its count of window events is above zero, so retractions are exact. As in the
//! pair index, `publish` swaps in what changed, cell by cell; of an item's sessions the
//! newest `sessions_per_item`. A session without items is dropped whole, with its key;
//! its slot is used again in a new generation, so that a reader who still holds an old
//! posting does not take the new session for the one it meant.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::hash::Table;
use arc_swap::ArcSwapOption;

use super::RecommendError;
use super::growing::{Growing, View};
use super::interner::{Interner, ItemId};
use super::pairs::{CountDiff, Time};

/// A session's number inside the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    at: u32,
    generation: u32,
}

/// A session that has an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// When the session started.
    pub start: Time,
    /// Which session.
    pub slot: Slot,
}

/// What is known of a session.
#[derive(Debug, Clone)]
pub struct SessionRow<K> {
    /// Its key.
    pub key: K,
    /// The time of its first event.
    pub start: Time,
    /// Its items with how often they occur.
    pub items: Vec<(ItemId, i64)>,
    generation: u32,
}

/// What is published of an item.
#[derive(Debug, Default)]
struct Published {
    /// How many sessions have it.
    total: AtomicUsize,
    /// The newest of them, from the newest.
    newest: ArcSwapOption<Vec<Posting>>,
}

#[derive(Debug)]
struct Shared<K> {
    slots: RwLock<Table<K, Slot>>,
    live: AtomicUsize,
    rows: Growing<ArcSwapOption<SessionRow<K>>>,
    items: Growing<Published>,
}

/// A handle for requests, on any thread.
#[derive(Debug)]
pub struct VmisReader<K> {
    shared: Arc<Shared<K>>,
}

impl<K> Clone for VmisReader<K> {
    fn clone(&self) -> Self {
        VmisReader { shared: Arc::clone(&self.shared) }
    }
}

impl<K: Eq + Hash> VmisReader<K> {
    /// The published sessions and postings, for one request.
    pub fn view(&self) -> VmisView<K> {
        VmisView {
            sessions: self.shared.live.load(Ordering::Acquire),
            rows: self.shared.rows.view(),
            items: self.shared.items.view(),
        }
    }

    /// The slot of `session`, if it has an item. A read lock is held for one probe.
    pub fn slot(&self, session: &K) -> Option<Slot> {
        let slots = self.shared.slots.read();
        let slots = slots.unwrap_or_else(PoisonError::into_inner);
        slots.get(session).copied()
    }
}

/// The published sessions and postings.
#[derive(Debug)]
pub struct VmisView<K> {
    sessions: usize,
    rows: View<ArcSwapOption<SessionRow<K>>>,
    items: View<Published>,
}

impl<K> VmisView<K> {
    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.sessions
    }

    /// Calls `with` on the session in `slot`, if it is still that one.
    pub fn session<R>(&self, slot: Slot, with: impl FnOnce(&SessionRow<K>) -> R) -> Option<R> {
        let row = self.rows.get(slot.at as usize)?.load();
        let row = row.as_ref().filter(|r| r.generation == slot.generation)?;
        Some(with(row))
    }

    /// How many sessions have `item`.
    pub fn having(&self, item: ItemId) -> usize {
        let published = self.items.get(item.index());
        published.map_or(0, |p| p.total.load(Ordering::Relaxed))
    }

    /// Calls `with` on the newest sessions of `item`, from the newest, if it has any.
    pub fn newest<R>(&self, item: ItemId, with: impl FnOnce(&[Posting]) -> R) -> Option<R> {
        let newest = self.items.get(item.index())?.newest.load();
        Some(with(newest.as_ref()?))
    }
}

/// An item as the writer has it.
#[derive(Debug)]
struct Entry<K> {
    sessions: BTreeSet<(Time, K, Slot)>,
    /// Whether it is among the changed.
    is_changed: bool,
}

impl<K> Default for Entry<K> {
    fn default() -> Self {
        Entry { sessions: BTreeSet::new(), is_changed: false }
    }
}

/// The writer.
#[derive(Debug)]
pub struct VmisIndex<T, K> {
    sessions_per_item: usize,
    names: Arc<Interner<T>>,
    free: Vec<Slot>,
    rows: Vec<Option<SessionRow<K>>>,
    items: Vec<Entry<K>>,
    /// Items and slots to be published; a slot may be there more than once.
    changed: Vec<ItemId>,
    changed_rows: Vec<u32>,
    shared: Arc<Shared<K>>,
}

impl<T: Clone + Eq + Hash, K: Clone + Ord + Hash> VmisIndex<T, K> {
    /// An empty index that publishes up to `sessions_per_item` sessions of an item.
    pub fn new(sessions_per_item: usize, names: Arc<Interner<T>>) -> Self {
        VmisIndex {
            sessions_per_item,
            names,
            free: Vec::new(),
            rows: Vec::new(),
            items: Vec::new(),
            changed: Vec::new(),
            changed_rows: Vec::new(),
            shared: Arc::new(Shared {
                slots: RwLock::default(),
                live: AtomicUsize::new(0),
                rows: Growing::default(),
                items: Growing::default(),
            }),
        }
    }

    /// A handle for requests.
    pub fn reader(&self) -> VmisReader<K> {
        VmisReader { shared: Arc::clone(&self.shared) }
    }

    /// Takes a session's start as it is now (`None` when it has no event) and the
    /// differences of its item counts.
    pub fn update(
        &mut self,
        session: &K,
        start: Option<Time>,
        counts: &[CountDiff<T>],
    ) -> Result<(), RecommendError> {
        // All that can fail comes before the row is taken out.
        let named = counts.iter().map(|c| Ok((self.item(&c.item)?, c.diff)));
        let named: Vec<_> = named.collect::<Result<_, RecommendError>>()?;
        let slot = self.slot_of(session)?;
        // `slot_of` gives slots that are in `rows`.
        let held = self.rows[slot.at as usize].take();
        let mut held = held.unwrap_or_else(|| SessionRow {
            key: session.clone(),
            start: start.unwrap_or(Time(0)),
            items: Vec::new(),
            generation: slot.generation,
        });
        if let Some(start) = start.filter(|start| *start != held.start) {
            for (item, count) in &held.items {
                if *count > 0 {
                    self.unpost(*item, (held.start, session.clone(), slot));
                    self.post(*item, (start, session.clone(), slot));
                }
            }
            held.start = start;
        }
        for (item, diff) in named {
            let at = match held.items.iter().position(|(i, _)| *i == item) {
                Some(at) => at,
                None => {
                    held.items.push((item, 0));
                    held.items.len() - 1
                }
            };
            // `at` is a place in `items` in both arms above.
            let count = &mut held.items[at].1;
            let was_in = *count > 0;
            *count += diff;
            let is_in = *count > 0;
            if *count == 0 {
                held.items.swap_remove(at);
            }
            match (was_in, is_in) {
                (false, true) => self.post(item, (held.start, session.clone(), slot)),
                (true, false) => self.unpost(item, (held.start, session.clone(), slot)),
                _ => {}
            }
        }
        self.changed_rows.push(slot.at);
        if held.items.is_empty() {
            let slots = self.shared.slots.write();
            let mut slots = slots.unwrap_or_else(PoisonError::into_inner);
            slots.remove(session);
            self.free.push(slot);
        } else {
            self.rows[slot.at as usize] = Some(held);
        }
        Ok(())
    }

    /// Makes all updates visible to readers.
    pub fn publish(&mut self) {
        self.shared.rows.reserve(self.rows.len());
        let rows = self.shared.rows.view();
        self.changed_rows.sort_unstable();
        self.changed_rows.dedup();
        for at in self.changed_rows.drain(..) {
            let row = self.rows.get(at as usize).and_then(Option::as_ref);
            if let Some(published) = rows.get(at as usize) {
                published.store(row.cloned().map(Arc::new));
            }
        }
        self.shared.items.reserve(self.items.len());
        let items = self.shared.items.view();
        for item in self.changed.drain(..) {
            // `item()` made room before the item got here.
            let entry = &mut self.items[item.index()];
            entry.is_changed = false;
            let newest = entry.sessions.iter().rev().take(self.sessions_per_item);
            let newest = newest.map(|(start, _, slot)| Posting { start: *start, slot: *slot });
            let newest: Vec<_> = newest.collect();
            if let Some(published) = items.get(item.index()) {
                let total = entry.sessions.len();
                published.total.store(total, Ordering::Relaxed);
                let newest = (total > 0).then(|| Arc::new(newest));
                published.newest.store(newest);
            }
        }
        let live = self.rows.len() - self.free.len();
        self.shared.live.store(live, Ordering::Release);
    }

    /// Every item's sessions by name, in order: for comparing two indices.
    pub fn dump(&self) -> Vec<(T, Vec<(Time, K)>)>
    where
        T: Ord,
    {
        let names = self.names.names();
        let name = |at| names.get(ItemId::from_index(at).ok()?).cloned();
        let items = self.items.iter().enumerate();
        let mut dump: Vec<_> = items
            .filter(|(_, entry)| !entry.sessions.is_empty())
            .filter_map(|(at, entry)| {
                let sessions = entry.sessions.iter();
                let sessions = sessions.map(|(start, key, _)| (*start, key.clone()));
                Some((name(at)?, sessions.collect()))
            })
            .collect();
        dump.sort_unstable();
        dump
    }

    fn slot_of(&mut self, session: &K) -> Result<Slot, RecommendError> {
        let slots = self.shared.slots.write();
        let mut slots = slots.unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(session) {
            return Ok(*slot);
        }
        let slot = match self.free.pop() {
            Some(slot) => Slot { at: slot.at, generation: slot.generation.wrapping_add(1) },
            None => {
                let next = u32::try_from(self.rows.len());
                let at = next.map_err(|_| RecommendError::TooMany { what: "sessions" })?;
                self.rows.push(None);
                Slot { at, generation: 0 }
            }
        };
        slots.insert(session.clone(), slot);
        Ok(slot)
    }

    /// The number of `name`, with room for it.
    fn item(&mut self, name: &T) -> Result<ItemId, RecommendError> {
        let item = self.names.intern(name)?;
        if self.items.len() <= item.index() {
            self.items.resize_with(item.index() + 1, Entry::default);
        }
        Ok(item)
    }

    fn post(&mut self, item: ItemId, posting: (Time, K, Slot)) {
        self.items[item.index()].sessions.insert(posting);
        self.mark(item);
    }

    fn unpost(&mut self, item: ItemId, posting: (Time, K, Slot)) {
        self.items[item.index()].sessions.remove(&posting);
        self.mark(item);
    }

    /// The item comes from `item()`, so there is room for it.
    fn mark(&mut self, item: ItemId) {
        let entry = &mut self.items[item.index()];
        if !entry.is_changed {
            entry.is_changed = true;
            self.changed.push(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::random::Random;

    #[test]
    fn equals_the_sets_built_from_scratch() {
        for seed in 0..40 {
            let mut random = Random::new(seed);
            let mut index = VmisIndex::new(3, Arc::default());
            let mut counts: BTreeMap<(u64, u64), i64> = BTreeMap::new();
            let mut starts: BTreeMap<u64, Time> = BTreeMap::new();
            for _ in 0..600 {
                let session = random.below(25) as u64;
                let item = random.below(12) as u64;
                let held = counts.entry((session, item)).or_default();
                let diff = if random.below(2) == 0 { 1 } else { -*held };
                *held += diff;
                if !starts.contains_key(&session) || random.below(8) == 0 {
                    starts.insert(session, Time(random.below(6) as i64));
                }
                counts.retain(|_, n| *n != 0);
                let live = counts.keys().any(|(s, _)| *s == session);
                let start = live.then(|| starts[&session]);
                let diffs = [CountDiff { item, diff }];
                index.update(&session, start, &diffs).unwrap();
                if !live {
                    starts.remove(&session);
                }
            }
            index.publish();
            let mut twin: BTreeMap<u64, Vec<(Time, u64)>> = BTreeMap::new();
            for (session, item) in counts.keys() {
                twin.entry(*item).or_default().push((starts[session], *session));
            }
            for sessions in twin.values_mut() {
                sessions.sort_unstable();
            }
            assert_eq!(index.dump(), twin.clone().into_iter().collect::<Vec<_>>());
            let view = index.reader().view();
            assert_eq!(view.sessions(), starts.len());
            for (item, sessions) in twin {
                let id = index.names.get(&item).unwrap();
                assert_eq!(view.having(id), sessions.len());
                let newest = view.newest(id, <[Posting]>::to_vec).unwrap();
                let newest: Vec<_> = newest
                    .iter()
                    .map(|p| (p.start, view.session(p.slot, |row| row.key).unwrap()))
                    .collect();
                let expected: Vec<_> = sessions.into_iter().rev().take(3).collect();
                assert_eq!(newest, expected, "seed {seed}");
            }
        }
    }
}
