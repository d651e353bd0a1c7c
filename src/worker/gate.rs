//! The gate that all sources of a process go through when they move on, where a cut can be agreed.
//!
//! A cut must be later than everything that any operator of any worker has sealed, and all must hear
//! of it before they seal anything later. What is sealed is earlier than the capabilities of the
//! sources; so a cut at the furthest of these, announced while no source can move on, is both.

use crate::clock::Time;
use crate::lock::lock;
use crate::operator::memory::Notebook;
use std::sync::{Arc, Mutex};

/// See the module.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    notebook: Notebook,
    /// Whether cuts are made at all.
    keeps: bool,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    /// The furthest that any source is.
    reached: Time,
    /// The source operators that have more to give.
    open: usize,
    /// The last cut that was announced.
    last: Option<Time>,
}

impl Gate {
    /// The gate of workers that write here, if they do.
    pub fn of(notebook: Notebook, keeps: bool) -> Gate {
        Gate { notebook, keeps, ..Gate::default() }
    }

    /// A source operator more.
    pub fn open(&self) {
        lock(&self.inner).open += 1;
    }

    /// Lets a source move on to a time.
    pub fn pass(&self, to: Time, go: impl FnOnce()) {
        let mut inner = lock(&self.inner);
        inner.reached = inner.reached.max(to);
        go();
    }

    /// Lets a source end. With the last one there is a cut at the last stamp.
    pub fn end(&self, last: Option<Time>, go: impl FnOnce()) {
        let mut inner = lock(&self.inner);
        inner.open = inner.open.saturating_sub(1);
        if inner.open == 0
            && let Some(last) = last
        {
            self.announce(&mut inner, last);
        }
        go();
    }

    /// Whether a source that has ended must stay until the others have: an operator of which all
    /// sources are gone is gone as well, and would not write down what it remembers.
    pub fn stays(&self) -> bool {
        self.keeps && lock(&self.inner).open > 0
    }

    /// Announces a cut as early as can be; none if nothing has moved since the last.
    pub fn cut(&self) -> Option<Time> {
        let mut inner = lock(&self.inner);
        let at = inner.reached;
        let moved = at > inner.last.unwrap_or_default();
        self.announce(&mut inner, at);
        moved.then_some(at)
    }

    /// The last cut that was announced.
    pub fn last(&self) -> Option<Time> {
        lock(&self.inner).last
    }

    fn announce(&self, inner: &mut Inner, at: Time) {
        if inner.last.is_none_or(|last| last < at) {
            inner.last = Some(at);
            self.notebook.cut(at);
        }
    }
}
