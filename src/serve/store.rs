//! Where worker 0 and requests meet: the newest state, the last changes of each view for who
//! subscribes, and what wakes them.

use super::index::{Change, Head, Rows, State, View};
use crate::lock::lock;
use crate::operator::memory::Size;
use crate::value::Decimals;
use arc_swap::ArcSwap;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::watch;

/// Frames of a view that are kept for those who were cut off.
const FRAMES: usize = 256;
/// Changes of a view that are kept for them.
const CHANGES: usize = 20_000;

/// The changes from one state to the next.
pub struct Frame {
    /// The state they lead to.
    pub head: Head,
    /// Consolidated; what goes first.
    pub changes: Vec<Change>,
    /// As it is sent, written by the first that sends it.
    pub text: OnceLock<axum::body::Bytes>,
}

/// The last frames of a view.
#[derive(Default)]
struct Ring {
    frames: VecDeque<Arc<Frame>>,
    changes: usize,
    /// Everything up to this version may be missing.
    missing: u64,
}

impl Ring {
    fn push(&mut self, frame: Arc<Frame>) {
        self.changes += frame.changes.len();
        self.frames.push_back(frame);
        while self.frames.len() > FRAMES || self.changes > CHANGES {
            let Some(old) = self.frames.pop_front() else { break };
            self.changes -= old.changes.len();
            self.missing = old.head.version;
        }
    }

    fn after(&self, version: u64) -> Option<Vec<Arc<Frame>>> {
        let newer = |frame: &&Arc<Frame>| frame.head.version > version;
        (version >= self.missing).then(|| self.frames.iter().filter(newer).cloned().collect())
    }
}

/// See the module.
pub struct Store {
    /// The views, in the order of the run's queries.
    pub views: Vec<View>,
    /// How money is written.
    pub decimals: Decimals,
    /// A number of this run, by which the ids of another run's frames are known as such.
    pub run: u64,
    state: ArcSwap<State>,
    rings: Vec<Mutex<Ring>>,
    /// The last version that changed each view.
    touched: Vec<AtomicU64>,
    newest: watch::Sender<Head>,
    /// Changes that were applied.
    pub changes: AtomicU64,
    /// Who is subscribed now.
    pub subscribers: AtomicUsize,
    /// Subscribers that were dropped because they did not read.
    pub dropped: AtomicU64,
    /// Requests answered.
    pub requests: AtomicU64,
    /// What the operators of worker 0 remember.
    pub memory: Mutex<Vec<(String, Size)>>,
}

impl Store {
    /// Nothing of these views yet.
    pub fn new(views: Vec<View>, decimals: Decimals, run: u64) -> Store {
        let rows = views.iter().map(|_| Rows::new_sync()).collect();
        Store {
            rings: views.iter().map(|_| Mutex::default()).collect(),
            touched: views.iter().map(|_| AtomicU64::new(0)).collect(),
            state: ArcSwap::from_pointee(State { views: rows, ..State::default() }),
            newest: watch::Sender::new(Head::default()),
            changes: AtomicU64::new(0),
            subscribers: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            memory: Mutex::default(),
            views,
            decimals,
            run,
        }
    }

    /// The newest state.
    pub fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// A view by its name, with its place.
    pub fn view(&self, name: &str) -> Option<(usize, &View)> {
        self.views.iter().enumerate().find(|(_, view)| view.name == name)
    }

    /// Publishes a state, with the changes that led to it by view. First the state and then the
    /// changes: who is told of a change and asks for the view finds it there.
    pub(super) fn publish(&self, state: State, changes: Vec<(usize, Vec<Change>)>) {
        let head = state.head;
        self.state.store(Arc::new(state));
        for (view, changes) in changes {
            self.changes.fetch_add(changes.len() as u64, Ordering::Relaxed);
            let frame = Frame { head, changes, text: OnceLock::new() };
            lock(&self.rings[view]).push(Arc::new(frame)); // one for each view
            self.touched[view].store(head.version, Ordering::Relaxed);
        }
        self.newest.send_replace(head);
    }

    /// The frames of a view behind a version, if all of them are still there.
    pub fn after(&self, view: usize, version: u64) -> Option<Vec<Arc<Frame>>> {
        self.rings.get(view).and_then(|ring| lock(ring).after(version))
    }

    /// The views that changed behind a version.
    pub fn touched_after(&self, version: u64) -> impl Iterator<Item = &View> {
        let touched = self.views.iter().zip(&self.touched);
        touched.filter(move |(_, at)| at.load(Ordering::Relaxed) > version).map(|(view, _)| view)
    }

    /// Tells of each new state, once its changes are in place.
    pub fn news(&self) -> watch::Receiver<Head> {
        self.newest.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::cell::Cell;
    use crate::serve::index::Row;

    fn frame(version: u64, changes: usize) -> Arc<Frame> {
        let change = (Row::new(vec![Cell::Integer(1)], 1), 1);
        let head = Head { version, ..Head::default() };
        Arc::new(Frame { head, changes: vec![change; changes], text: OnceLock::new() })
    }

    #[test]
    fn who_missed_more_than_is_kept_is_told_so() {
        let versions = |ring: &Ring, after: u64| {
            let frames = ring.after(after)?;
            Some(frames.iter().map(|frame| frame.head.version).collect::<Vec<_>>())
        };
        let mut ring = Ring::default();
        assert_eq!(versions(&ring, 0), Some(vec![]));
        for version in 1..=FRAMES as u64 {
            ring.push(frame(2 * version, 1));
        }
        assert_eq!(versions(&ring, 0).map(|all| all.len()), Some(FRAMES));
        ring.push(frame(1000, 1));
        // The first, of version 2, is gone.
        assert_eq!(versions(&ring, 1), None);
        assert_eq!(versions(&ring, 2).map(|all| all.len()), Some(FRAMES));
        assert_eq!(versions(&ring, 513), Some(vec![1000]));
        assert_eq!(versions(&ring, 1000), Some(vec![]));
        // More changes at once than are kept: nobody can go on from before them.
        ring.push(frame(1001, CHANGES + 1));
        assert_eq!((versions(&ring, 1000), versions(&ring, 1001)), (None, Some(vec![])));
    }
}
