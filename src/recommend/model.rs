//! What requests read: the index of pairs and the index of sessions, which name their items alike.
//!
//! It is changed by differences and nothing else, wherever those come from: the dataflow
//! ([`crate::serving`]), or sessions that are learnt in memory.

use std::hash::Hash;
use std::sync::Arc;

use super::RecommendError;
use super::blend::Recommender;
use super::index::{PairDump, PairIndex};
use super::interner::Interner;
use super::neighbours::Reading;
use super::pairs::{Buckets, CountDiff, PairDiff, Time};
use super::vmis::VmisIndex;

/// The parameters of the indices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelOptions {
    /// How long a bucket of pairs is.
    pub buckets: Buckets,
    /// How pairs are read.
    pub reading: Reading,
    /// How many sessions of an item VMIS-kNN can read.
    pub sessions_per_item: usize,
}

/// The pairs and the session index.
#[derive(Debug)]
pub struct Model<T, K> {
    names: Arc<Interner<T>>,
    pairs: PairIndex<T>,
    vmis: VmisIndex<T, K>,
}

/// All that the indices hold, by name.
pub type ModelDump<T, K> = (PairDump<T>, Vec<(T, Vec<(Time, K)>)>);

impl<T, K> Model<T, K>
where
    T: Clone + Ord + Hash,
    K: Clone + Ord + Hash,
{
    /// A model that has seen nothing.
    pub fn new(options: &ModelOptions) -> Self {
        let names = Arc::new(Interner::default());
        Model {
            pairs: PairIndex::new(options.reading, Arc::clone(&names)),
            vmis: VmisIndex::new(options.sessions_per_item, Arc::clone(&names)),
            names,
        }
    }

    /// A handle for requests.
    pub fn recommender(&self) -> Recommender<T, K> {
        Recommender::new(Arc::clone(&self.names), &self.pairs, &self.vmis)
    }

    /// Applies differences of pairs and of views; requests see them after the next `publish`.
    pub fn apply(
        &mut self,
        pairs: &[PairDiff<T>],
        counts: &[CountDiff<T>],
    ) -> Result<(), RecommendError> {
        self.pairs.apply(pairs, counts)
    }

    /// Applies differences of what a session has viewed. `start` is when it began, if it is known
    /// or has changed.
    pub fn apply_session(
        &mut self,
        session: &K,
        start: Option<Time>,
        counts: &[CountDiff<T>],
    ) -> Result<(), RecommendError> {
        self.vmis.update(session, start, counts)
    }

    /// Makes what was applied visible to requests.
    pub fn publish(&mut self) {
        self.pairs.publish();
        self.vmis.publish();
    }

    /// All that the indices hold, by name and in order.
    pub fn dump(&self) -> ModelDump<T, K> {
        (self.pairs.dump(), self.vmis.dump())
    }

    /// How many items have an event.
    pub fn items(&self) -> usize {
        self.pairs.live_items()
    }
}
