//! Sessions and both indices together, on one thread: what the dataflow's operators and
//! its output do, for evaluation and measurement.
//!
//! Every change, forgetting too, goes through the differences of single events, so the
//! indices always equal a rebuild from the live events.

use std::hash::Hash;
use std::sync::Arc;

use crate::hash::Table;

use super::RecommendError;
use super::blend::Recommender;
use super::index::{PairDump, PairIndex};
use super::interner::Interner;
use super::neighbours::Reading;
use super::pairs::{Buckets, Changes, Event, Session, Time};
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

/// A change of one event of a session.
#[derive(Debug, Clone)]
pub struct Update<T, K, O> {
    /// The session.
    pub session: K,
    /// The event.
    pub event: Event<O, T>,
    /// Copies added, or retracted when negative.
    pub diff: i64,
}

/// The sessions, the pairs and the session index.
#[derive(Debug)]
pub struct Model<T, K, O> {
    buckets: Buckets,
    names: Arc<Interner<T>>,
    sessions: Table<K, Session<O, T>>,
    pairs: PairIndex<T>,
    vmis: VmisIndex<T, K>,
}

/// All that the indices hold, by name.
pub type ModelDump<T, K> = (PairDump<T>, Vec<(T, Vec<(Time, K)>)>);

impl<T, K, O> Model<T, K, O>
where
    T: Clone + Ord + Hash,
    K: Clone + Ord + Hash,
    O: Clone + Ord,
{
    /// A model that has seen nothing.
    pub fn new(options: &ModelOptions) -> Self {
        let names = Arc::new(Interner::default());
        Model {
            buckets: options.buckets,
            sessions: Table::default(),
            pairs: PairIndex::new(options.reading, Arc::clone(&names)),
            vmis: VmisIndex::new(options.sessions_per_item, Arc::clone(&names)),
            names,
        }
    }

    /// A handle for requests.
    pub fn recommender(&self) -> Recommender<T, K> {
        Recommender::new(Arc::clone(&self.names), &self.pairs, &self.vmis)
    }

    /// Applies a batch; requests see it after the next `publish`.
    pub fn update(
        &mut self,
        batch: impl IntoIterator<Item = Update<T, K, O>>,
    ) -> Result<(), RecommendError> {
        let mut changes = Changes::default();
        for Update { session: key, event, diff } in batch {
            let session = self.sessions.entry(key.clone()).or_default();
            let counted = changes.counts.len();
            session.update(event, diff, self.buckets, &mut changes);
            let (start, empty) = (session.start(), session.is_empty());
            self.vmis.update(&key, start, &changes.counts[counted..])?;
            if empty {
                self.sessions.remove(&key);
            }
        }
        changes.consolidate();
        self.pairs.apply(&changes.pairs, &changes.counts)
    }

    /// Makes all updates visible to requests.
    pub fn publish(&mut self) {
        self.pairs.publish();
        self.vmis.publish();
    }

    /// Forgets sessions: retracts all their events, oldest first, and publishes.
    pub fn forget(&mut self, sessions: &[K]) -> Result<(), RecommendError> {
        for key in sessions {
            let Some(session) = self.sessions.get(key) else {
                continue;
            };
            let retractions: Vec<_> = session
                .events()
                .map(|(event, copies)| Update {
                    session: key.clone(),
                    event: event.clone(),
                    diff: -copies,
                })
                .collect();
            self.update(retractions)?;
            // What was retracted ahead of its event is forgotten as well.
            self.sessions.remove(key);
        }
        self.publish();
        Ok(())
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::random::Random;
    use crate::recommend::blend::{Query, Ranker};
    use crate::recommend::defaults;

    fn history(seed: u64) -> Vec<Update<u64, u64, u64>> {
        let mut random = Random::new(seed);
        let mut click = |n: u64| Update {
            session: random.below(60) as u64,
            event: Event {
                time: Time((n * 60_000) as i64 - random.below(4_000_000) as i64),
                id: n,
                item: random.below(40) as u64 * random.below(3) as u64,
            },
            diff: 1,
        };
        (0..1_500).map(&mut click).collect()
    }

    #[test]
    fn forgetting_equals_the_rebuild_that_never_saw_them() {
        for seed in 0..6 {
            let history = history(seed);
            let gone: Vec<u64> = (0..60).filter(|s| s % 3 == seed % 3).collect();
            let mut forgot = Model::new(&defaults::MODEL);
            for update in &history {
                forgot.update([update.clone()]).unwrap();
                forgot.publish();
            }
            forgot.forget(&gone).unwrap();
            let mut rebuilt = Model::new(&defaults::MODEL);
            let kept = history.iter().filter(|u| !gone.contains(&u.session));
            rebuilt.update(kept.rev().cloned()).unwrap();
            rebuilt.publish();
            assert_eq!(forgot.dump(), rebuilt.dump());
            assert_eq!(forgot.sessions, rebuilt.sessions);
            let (a, b) = (forgot.recommender(), rebuilt.recommender());
            let items: BTreeSet<u64> = history.iter().map(|u| u.event.item).collect();
            let items: Vec<u64> = items.into_iter().collect();
            for ranker in [Ranker::Pairs, Ranker::Knn, defaults::BLEND] {
                for session in items.windows(5) {
                    let mut options = defaults::options(ranker);
                    options.n = 100;
                    let query = Query { items: session, session: Some(&1) };
                    assert_eq!(a.recommend(query, &options), b.recommend(query, &options));
                }
            }
        }
    }
}
