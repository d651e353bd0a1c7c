//! A vector of cells that grows under its readers.
//!
//! Cells lie in chunks that never move; growing swaps in a longer list of the same
//! chunks. A reader takes the list once and then reaches each cell directly, so it
//! waits for nobody. Each cell is its own unit of exchange (an atomic, an `ArcSwap`,
//! a `OnceLock`): a reader sees a cell as it was or as it is, never half of either.
//!
//! Why not one persistent tree with a snapshot of everything: to copy a node is to bump
//! the reference count of each child, most of them a cache miss, and an event changes
//! several rows. So a request that runs during a publish may see one row before it and
//! another after it.

use std::sync::Arc;

use arc_swap::ArcSwap;

const CHUNK: usize = 1024;

type Chunks<S> = Vec<Arc<[S]>>;

/// The cells, shared by one writer at a time and any readers.
#[derive(Debug)]
pub struct Growing<S> {
    chunks: ArcSwap<Chunks<S>>,
}

impl<S> Default for Growing<S> {
    fn default() -> Self {
        Growing { chunks: ArcSwap::default() }
    }
}

impl<S: Default> Growing<S> {
    /// Makes room for `len` cells. Only one thread may grow at a time.
    pub fn reserve(&self, len: usize) {
        let chunks = self.chunks.load();
        if len <= chunks.len() * CHUNK {
            return;
        }
        let mut longer = Vec::clone(&chunks);
        while longer.len() * CHUNK < len {
            longer.push((0..CHUNK).map(|_| S::default()).collect());
        }
        self.chunks.store(Arc::new(longer));
    }

    /// The cells there are now.
    pub fn view(&self) -> View<S> {
        View { chunks: self.chunks.load_full() }
    }
}

/// The cells that were there when it was taken, as they are now.
#[derive(Debug)]
pub struct View<S> {
    chunks: Arc<Chunks<S>>,
}

impl<S> View<S> {
    /// The cell at `at`.
    pub fn get(&self, at: usize) -> Option<&S> {
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn cells_stay_where_they_are_while_it_grows() {
        let cells: Growing<AtomicUsize> = Growing::default();
        assert!(cells.view().get(0).is_none());
        let mut views = Vec::new();
        for at in 0..3 * CHUNK {
            cells.reserve(at + 1);
            let view = cells.view();
            view.get(at).unwrap().store(at, Ordering::Relaxed);
            if at % 700 == 0 {
                views.push((at, view));
            }
        }
        for (len, view) in views {
            for at in 0..len {
                assert_eq!(view.get(at).unwrap().load(Ordering::Relaxed), at);
            }
            assert!(view.get(len + CHUNK).is_none());
        }
    }
}
