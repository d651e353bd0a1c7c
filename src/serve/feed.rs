//! The sink that feeds the index: takes what is sealed and publishes it as one state of all views.

use super::cell::Cell;
use super::index::{Change, Row, State, apply, consolidate};
use super::store::Store;
use crate::clock::Time;
use crate::error::Error;
use crate::lock::lock;
use crate::operator::memory::Memory;
use crate::operator::{Port, Sealed};
use crate::sink::Sink;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// See the module. Bound: the views, and the changes between two frontiers.
pub struct Feed {
    store: Arc<Store>,
    state: State,
    pending: Vec<Vec<Change>>,
    /// The number of key columns of each view.
    keys: Vec<usize>,
    /// The time of the last change.
    newest: Option<Time>,
    /// When it was last told what operators remember.
    weighed: Option<Instant>,
}

/// How often at most it is told on what operators remember.
const AGAIN: Duration = Duration::from_secs(1);

impl Feed {
    /// What feeds a store; nobody else must.
    pub fn new(store: &Arc<Store>) -> Feed {
        Feed {
            state: (*store.state()).clone(),
            pending: store.views.iter().map(|_| Vec::new()).collect(),
            keys: store.views.iter().map(super::index::View::keys).collect(),
            store: Arc::clone(store),
            newest: None,
            weighed: None,
        }
    }
}

impl Sink for Feed {
    fn go_on(&mut self, ports: &mut [Box<dyn Port>], cut: Time) -> Result<(), Error> {
        for (view, port) in ports.iter_mut().enumerate() {
            let mut done = Ok(());
            port.view(&mut |row, count| {
                if done.is_ok() {
                    done = self.change(view, &Sealed { time: cut, row, diff: count });
                }
            });
            done?;
        }
        self.sealed(Some(cut))
    }

    fn change(&mut self, view: usize, change: &Sealed<'_>) -> Result<(), Error> {
        if let (Some(pending), Some(keys)) = (self.pending.get_mut(view), self.keys.get(view)) {
            let decimals = self.store.decimals;
            let cells = change.row.cells().into_iter().map(|value| Cell::of(value, decimals));
            self.newest = self.newest.max(Some(change.time));
            pending.push((Row::new(cells.collect::<Arc<[Cell]>>(), *keys), change.diff as i64));
        }
        Ok(())
    }

    fn remembered(&mut self, memory: &Memory) {
        if self.weighed.is_none_or(|last| last.elapsed() >= AGAIN) {
            self.weighed = Some(Instant::now());
            *lock(&self.store.memory) = memory.sizes();
        }
    }

    fn sealed(&mut self, frontier: Option<Time>) -> Result<(), Error> {
        let mut told = Vec::new();
        for (view, pending) in self.pending.iter_mut().enumerate() {
            let mut changes = std::mem::take(pending);
            consolidate(&mut changes);
            if let Some(rows) = self.state.views.get_mut(view).filter(|_| !changes.is_empty()) {
                apply(rows, &changes);
                told.push((view, changes));
            }
        }
        let head = &mut self.state.head;
        head.version += 1;
        head.ended = frontier.is_none();
        // An end is no time: the last that is known stands for it.
        head.frontier = frontier.or(head.frontier.max(self.newest));
        self.store.publish(self.state.clone(), told);
        Ok(())
    }
}
