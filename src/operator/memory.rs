//! What a dataflow remembers: written down at a cut, and taken back by another dataflow.
//!
//! A cut is a time. When everything stamped up to it is sealed, and before anything later is
//! touched, each operator that remembers writes its contents down: as deltas by key, which make
//! the same state when they are added to nothing. A dataflow that is built from such [`Contents`]
//! takes them back before it sees its first record, each worker those of the keys that are sent to
//! it, so the number of workers may be another; and it sends nothing for them, since what they led
//! to was sent before. From there it goes on with the records stamped after the cut, as if it had
//! never stopped.
//!
//! Verbs are methods of collections, which know their place in the dataflow but not the run. So
//! the memory of the dataflow under construction is found by the thread that builds it: who builds
//! says with [`Memory::within`] which part comes now, and each operator that remembers takes a
//! slot, whose name is that of the part and its own. Names do not depend on what else is in the
//! dataflow. What is written down has the types of keys and deltas, and nothing that another build
//! of the program, or a run of other queries, would understand differently: no hash, no position
//! of a column.

use super::route;
use crate::clock::{Millis, Time};
use crate::lock::lock;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hash::Hash;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use timely::scheduling::SyncActivator;

/// What all operators of all workers remembered at a cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The cut: they are what was stamped up to here.
    pub at: Time,
    /// What each worker wrote down, by the name of the operator.
    states: BTreeMap<String, Vec<Chunk>>,
}

/// What an operator of one worker wrote down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Chunk {
    entries: u64,
    bytes: Vec<u8>,
}

impl Contents {
    /// Some contents for tests of what keeps them.
    #[cfg(test)]
    pub(crate) fn sample(at: Time, seed: u8) -> Contents {
        let chunk = |n: u8| Chunk { entries: 1, bytes: vec![seed ^ n; 40 + usize::from(n)] };
        let states = ["a/A", "b/B"].map(|name| (name.to_owned(), (0..3).map(chunk).collect()));
        Contents { at, states: states.into() }
    }

    /// The operators with how many entries and bytes each wrote down.
    pub fn sizes(&self) -> impl Iterator<Item = (&str, Size)> {
        self.states.iter().map(|(name, chunks)| {
            let entries = chunks.iter().map(|chunk| chunk.entries).sum();
            let bytes = chunks.iter().map(|chunk| chunk.bytes.len() as u64).sum();
            (name.as_str(), Size { entries, bytes })
        })
    }
}

/// How much is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Keys, or items where there are no keys.
    pub entries: u64,
    /// Bytes of the tables in memory, without what their entries point to; written down, all.
    pub bytes: u64,
}

/// What the workers of a process share: what they take back, and where they write.
#[derive(Clone, Default)]
pub struct Notebook(Arc<Pages>);

/// What the workers of a process read and write.
#[derive(Default)]
struct Pages {
    /// What they begin with, until it is written down anew.
    saved: Mutex<Option<Arc<Contents>>>,
    /// What wakes the operators. One to which nothing comes sleeps while time passes, and must be
    /// woken to write.
    wakes: Mutex<Vec<SyncActivator>>,
    /// How many operators there are that write.
    slots: AtomicUsize,
    /// How many cuts there were. Operators look at the cut itself only when there is another.
    cuts: AtomicU64,
    cut: Mutex<Cut>,
    failed: Mutex<Option<Damaged>>,
}

/// The cut that is being made, and what was written down for it so far.
#[derive(Default)]
struct Cut {
    at: Option<Time>,
    states: BTreeMap<String, Vec<Chunk>>,
    chunks: usize,
}

/// What an operator wrote down cannot be understood, or could not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state of {operator}: {what}")]
pub struct Damaged {
    /// Which.
    pub operator: String,
    /// Why.
    pub what: String,
}

impl From<Damaged> for crate::error::Error {
    fn from(damaged: Damaged) -> Self {
        crate::error::Error::of(damaged, false)
    }
}

impl Notebook {
    /// One whose dataflow begins with these contents.
    pub fn from(saved: Contents) -> Notebook {
        let saved = Mutex::new(Some(Arc::new(saved)));
        Notebook(Arc::new(Pages { saved, ..Pages::default() }))
    }

    /// Has every operator of the process write its contents down when it has passed this time, and
    /// none before it has done so go further. It must be later than what any has sealed. A cut that
    /// is still being made is given up.
    pub fn cut(&self, at: Time) {
        *lock(&self.0.cut) = Cut { at: Some(at), ..Cut::default() };
        // After the cut itself, so that who sees the number finds it.
        self.0.cuts.fetch_add(1, Ordering::Release);
    }

    /// Whether all operators have written down what they remember at this cut. To be asked once all
    /// workers have built their dataflow.
    pub fn is_complete(&self, at: Time) -> bool {
        let cut = lock(&self.0.cut);
        cut.at == Some(at) && cut.chunks == self.0.slots.load(Ordering::Acquire)
    }

    /// Wakes all operators, so that those which have passed the cut in their sleep write now.
    pub fn wake(&self) {
        for wake in &*lock(&self.0.wakes) {
            // The worker of one that cannot be woken has ended, and that is told elsewhere.
            let _ = wake.activate();
        }
    }

    /// What was written down, once all workers have passed the cut.
    pub fn take(&self, at: Time) -> Result<Contents, Damaged> {
        self.sound()?;
        // Whoever has something to write has taken back what was its own.
        *lock(&self.0.saved) = None;
        let states = std::mem::take(&mut lock(&self.0.cut).states);
        Ok(Contents { at, states })
    }

    /// Whether everything could be written down and taken back so far.
    pub fn sound(&self) -> Result<(), Damaged> {
        lock(&self.0.failed).clone().map_or(Ok(()), Err)
    }

    fn fail(&self, operator: &str, what: String) {
        let damaged = Damaged { operator: operator.to_owned(), what };
        lock(&self.0.failed).get_or_insert(damaged);
    }

    fn put(&self, operator: &str, at: Time, chunk: Chunk) {
        let mut cut = lock(&self.0.cut);
        // One that was given up meanwhile is of no use.
        if cut.at == Some(at) {
            cut.states.entry(operator.to_owned()).or_default().push(chunk);
            cut.chunks += 1;
        }
    }
}

/// What the operators of one worker remember.
#[derive(Clone, Default)]
pub struct Memory(Rc<Inner>);

#[derive(Default)]
struct Inner {
    notebook: Notebook,
    /// How far before a stamp event times are final: no record that follows has one of them.
    finality: Option<i64>,
    slots: RefCell<BTreeMap<String, Rc<Cell<Size>>>>,
}

thread_local! {
    /// The part of a dataflow that is built by this thread, and whether it can change for longer.
    static PART: RefCell<Option<(Memory, String, bool)>> = const { RefCell::new(None) };
}

impl Memory {
    /// The memory of a worker. Where no record is later than `lateness` behind the clock of its
    /// source, states drop what only later ones could change.
    pub fn new(notebook: Notebook, lateness: Option<Millis>) -> Memory {
        // What is stamped later came when the clock of its source was later than this stamp.
        let finality = lateness.map(Millis::signed);
        Memory(Rc::new(Inner { notebook, finality, ..Inner::default() }))
    }

    /// Builds a part of the dataflow, of this name.
    pub fn within<R>(&self, part: &str, build: impl FnOnce() -> R) -> R {
        let before = PART.replace(Some((self.clone(), part.to_owned(), false)));
        let built = build();
        PART.set(before);
        built
    }

    /// Says that what is built from here on in this part can change for as long again after it is
    /// final: by records that are not, and adjust others which are.
    pub fn adjusted() {
        PART.with_borrow_mut(|part| {
            if let Some((.., adjusted)) = part {
                *adjusted = true;
            }
        });
    }

    /// How much each operator of this worker remembers now.
    pub fn sizes(&self) -> Vec<(String, Size)> {
        let slots = self.0.slots.borrow();
        slots.iter().map(|(name, size)| (name.clone(), size.get())).collect()
    }

    /// A slot for an operator of the part that is built; its name is made one of its own.
    fn slot(&self, (part, adjusted): (&str, bool), operator: &str) -> Slot {
        let mut slots = self.0.slots.borrow_mut();
        let mut name = format!("{part}/{operator}");
        let mut n = 1;
        while slots.contains_key(&name) {
            n += 1;
            name = format!("{part}/{operator} {n}");
        }
        let size = Rc::new(Cell::new(Size::default()));
        slots.insert(name.clone(), Rc::clone(&size));
        self.0.notebook.0.slots.fetch_add(1, Ordering::Release);
        Slot { memory: self.clone(), name, adjusted, size, cuts: 0, due: None, written: None }
    }
}

/// An operator's place in the memory of its worker.
pub(super) struct Slot {
    memory: Memory,
    name: String,
    adjusted: bool,
    size: Rc<Cell<Size>>,
    /// How many cuts it has heard of.
    cuts: u64,
    /// The last of them, until it has written.
    due: Option<Time>,
    /// The last for which it has written.
    written: Option<Time>,
}

impl Slot {
    /// One for an operator that is built now.
    pub fn take(operator: &str) -> Slot {
        let part = PART.with_borrow(Clone::clone);
        let (memory, part, adjusted) = part.unwrap_or_default();
        memory.slot((&part, adjusted), operator)
    }

    /// Has the operator woken when there is something to write.
    pub fn wakes(&self, wake: SyncActivator) {
        lock(&self.memory.0.notebook.0.wakes).push(wake);
    }

    /// The event time up to which everything is final once a stamp is sealed, and how far that moves
    /// before it is worth looking for what can be dropped.
    #[inline]
    pub fn is_final(&self, stamp: Time) -> Option<(i64, i64)> {
        let mut finality = self.memory.0.finality?;
        if self.adjusted {
            finality = finality.saturating_mul(2);
        }
        // The event time that is just too late for a clock just after the stamp.
        Some((stamp.signed().saturating_sub(finality), finality / 8))
    }

    /// The cut at which the operator must write and has not.
    #[inline]
    pub fn due(&mut self) -> Option<Time> {
        let pages = &self.memory.0.notebook.0;
        let cuts = pages.cuts.load(Ordering::Acquire);
        if cuts != self.cuts {
            self.cuts = cuts;
            // A cut shows a moment before its number does, and must not be written twice.
            self.due = lock(&pages.cut).at.filter(|at| self.written != Some(*at));
        }
        self.due
    }

    /// Writes the contents down.
    pub fn write(&mut self, save: impl FnOnce(&mut Writer)) {
        let mut writer = Writer::default();
        save(&mut writer);
        let Writer { chunk, failed } = writer;
        let notebook = &self.memory.0.notebook;
        if let Some(what) = failed {
            notebook.fail(&self.name, what);
        }
        if let Some(at) = self.due.take() {
            self.written = Some(at);
            notebook.put(&self.name, at, chunk);
        }
    }

    /// Reads what was written down at this place, by all workers.
    pub fn read(&self, mut load: impl FnMut(&mut Reader<'_>)) {
        let notebook = &self.memory.0.notebook;
        let Some(saved) = lock(&notebook.0.saved).clone() else { return };
        let Some(chunks) = saved.states.get(&self.name) else {
            return notebook.fail(&self.name, "was not written down".to_owned());
        };
        for chunk in chunks {
            let mut reader = Reader { bytes: &chunk.bytes, failed: None };
            load(&mut reader);
            let rest = reader.bytes.len();
            let failed = reader.failed.or((rest > 0).then(|| format!("{rest} bytes too many")));
            if let Some(what) = failed {
                notebook.fail(&self.name, what);
            }
        }
    }

    /// Says how much is remembered.
    #[inline]
    pub fn sized(&self, entries: usize, bytes: usize) {
        self.size.set(Size { entries: entries as u64, bytes: bytes as u64 });
    }
}

/// Takes down the entries of an operator.
#[derive(Default)]
pub struct Writer {
    chunk: Chunk,
    failed: Option<String>,
}

impl Writer {
    /// Takes down an entry.
    pub fn put(&mut self, entry: &impl Serialize) {
        self.chunk.entries += 1;
        if let Err(error) = bincode::serialize_into(&mut self.chunk.bytes, entry) {
            self.failed.get_or_insert(error.to_string());
        }
    }
}

/// Gives the entries of an operator back.
pub struct Reader<'a> {
    bytes: &'a [u8],
    failed: Option<String>,
}

impl Reader<'_> {
    /// The next entry.
    pub fn one<T: DeserializeOwned>(&mut self) -> Option<T> {
        if self.bytes.is_empty() || self.failed.is_some() {
            return None;
        }
        match bincode::deserialize_from(&mut self.bytes) {
            Ok(entry) => Some(entry),
            Err(error) => {
                self.fail(format!("cannot be read: {error}"));
                None
            }
        }
    }

    /// Says that what follows cannot be understood.
    pub fn fail(&mut self, what: String) {
        self.failed.get_or_insert(what);
        self.bytes = &[];
    }

    /// All further entries.
    pub fn all<T: DeserializeOwned>(&mut self) -> impl Iterator<Item = T> {
        std::iter::from_fn(|| self.one())
    }
}

/// A worker among its peers.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub index: usize,
    pub peers: usize,
}

impl Place {
    /// Whether a key is sent to this worker.
    pub fn owns<K: Hash>(self, key: &K) -> bool {
        route(key) % self.peers as u64 == self.index as u64
    }
}
