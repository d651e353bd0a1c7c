//! A model that learns from sessions in memory, event by event, as an evaluation needs it.
//!
//! The differences are those that the dataflow's sessions give ([`Session`]), and the model they
//! change is the one that requests read. Every change, forgetting too, goes through the differences
//! of single events, so the model always equals a rebuild from the live events.

use crate::hash::Table;
use crate::recommend::RecommendError;
use crate::recommend::model::{Model, ModelOptions};
use crate::recommend::pairs::{Buckets, Changes, Event, Session};
use std::hash::Hash;

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

/// The sessions, and the model that they have made.
#[derive(Debug)]
pub struct Learner<T, K, O> {
    buckets: Buckets,
    sessions: Table<K, Session<O, T>>,
    /// What was learnt.
    pub model: Model<T, K>,
}

impl<T, K, O> Learner<T, K, O>
where
    T: Clone + Ord + Hash,
    K: Clone + Ord + Hash,
    O: Clone + Ord,
{
    /// One that has seen nothing.
    pub fn new(options: &ModelOptions) -> Self {
        let model = Model::new(options);
        Learner { buckets: options.buckets, sessions: Table::default(), model }
    }

    /// Applies a batch; requests see it after the model's next `publish`.
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
            self.model.apply_session(&key, start, &changes.counts[counted..])?;
            if empty {
                self.sessions.remove(&key);
            }
        }
        changes.consolidate();
        self.model.apply(&changes.pairs, &changes.counts)
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
        self.model.publish();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::random::Random;
    use crate::recommend::blend::{Query, Ranker};
    use crate::recommend::defaults;
    use crate::recommend::pairs::Time;

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
            let mut forgot = Learner::new(&defaults::MODEL);
            for update in &history {
                forgot.update([update.clone()]).unwrap();
                forgot.model.publish();
            }
            forgot.forget(&gone).unwrap();
            let mut rebuilt = Learner::new(&defaults::MODEL);
            let kept = history.iter().filter(|u| !gone.contains(&u.session));
            rebuilt.update(kept.rev().cloned()).unwrap();
            rebuilt.model.publish();
            assert_eq!(forgot.model.dump(), rebuilt.model.dump());
            assert_eq!(forgot.sessions, rebuilt.sessions);
            let (a, b) = (forgot.model.recommender(), rebuilt.model.recommender());
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
