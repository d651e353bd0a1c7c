//! Recommendations for a session: the two rankers, blended, and the reminder.
//!
//! Each ranker's scores are scaled to a maximum of 1; the blend is their weighted sum,
//! scaled again. The reminder then adds rem x rho_r^p for the session's own items (p = 0
//! the newest), or, switched off, they are left out. Ties go to the smaller item name.

use std::hash::Hash;
use std::sync::Arc;

use super::index::{PairIndex, PairReader};
use super::interner::{Interner, ItemId, Names};
use super::knn::{KnnOptions, first, score_knn};
use super::score::{PairOptions, Score, Scores, normalise, score_pairs};
use super::vmis::{VmisIndex, VmisReader};

/// Which ranker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ranker {
    /// Decayed directional pairs.
    Pairs,
    /// VMIS-kNN.
    Knn,
    /// Both, with this weight for VMIS-kNN and the rest for the pairs.
    Blend(f64),
}

/// The session's own items, again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reminder {
    /// rem: what the newest item would get.
    pub weight: f64,
    /// rho_r: what one position back is worth.
    pub rho: f64,
    /// Leaves out the item the visitor is looking at.
    pub skip_current: bool,
}

/// How to recommend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Which ranker.
    pub ranker: Ranker,
    /// Of the pairs ranker.
    pub pairs: PairOptions,
    /// Of VMIS-kNN.
    pub knn: KnnOptions,
    /// Without it, the session's own items are left out.
    pub reminder: Option<Reminder>,
    /// How many items.
    pub n: usize,
}

impl Options {
    /// Lets the reminder bring back the item that the visitor is looking at as well.
    pub fn allow_current(&mut self) {
        self.reminder.iter_mut().for_each(|reminder| reminder.skip_current = false);
    }
}

/// A session asking.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a, T, K> {
    /// Its items, oldest first.
    pub items: &'a [T],
    /// Its key, when it may be in the index itself: it is not its own neighbour.
    pub session: Option<&'a K>,
}

/// Why an item is recommended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason<T> {
    /// It goes with this item of the session more than with any other.
    With(T),
    /// The session had it before.
    Reminder,
}

/// A recommended item.
#[derive(Debug, Clone, PartialEq)]
pub struct Recommendation<T> {
    /// The item.
    pub item: T,
    /// Its score.
    pub score: f64,
    /// Why.
    pub reason: Reason<T>,
}

/// Answers requests on any thread, without waiting for the writers.
#[derive(Debug)]
pub struct Recommender<T, K> {
    names: Arc<Interner<T>>,
    pairs: PairReader,
    vmis: VmisReader<K>,
}

impl<T, K> Clone for Recommender<T, K> {
    fn clone(&self) -> Self {
        Recommender {
            names: Arc::clone(&self.names),
            pairs: self.pairs.clone(),
            vmis: self.vmis.clone(),
        }
    }
}

/// A session's distinct items from the newest; those the index never saw have stand-ins.
struct Own<'a, T> {
    ids: Vec<ItemId>,
    unknown: Vec<&'a T>,
}

/// The names of items and of this request's stand-ins.
struct Named<'a, T> {
    own: &'a Own<'a, T>,
    names: Names<T>,
}

impl<T> Named<'_, T> {
    fn name(&self, item: ItemId) -> Option<&T> {
        match item.as_stand_in() {
            Some(nth) => self.own.unknown.get(nth).copied(),
            None => self.names.get(item),
        }
    }
}

impl<T: Clone + Ord + Hash, K: Clone + Ord + Hash> Recommender<T, K> {
    /// Reads the two indices, which share `names`.
    pub fn new(names: Arc<Interner<T>>, pairs: &PairIndex<T>, vmis: &VmisIndex<T, K>) -> Self {
        Recommender { names, pairs: pairs.reader(), vmis: vmis.reader() }
    }

    /// The best items for `query`, best first.
    pub fn recommend(&self, query: Query<'_, T, K>, options: &Options) -> Vec<Recommendation<T>> {
        let (pairs, vmis) = (self.pairs.view(), self.vmis.view());
        let own = self.own(query.items);
        let by_pairs = || {
            let mut scores = score_pairs(&pairs, &own.ids, &options.pairs);
            normalise(&mut scores);
            scores
        };
        let by_knn = || {
            let slot = query.session.and_then(|key| self.vmis.slot(key));
            let mut scores = score_knn(&vmis, &own.ids, slot, &options.knn);
            normalise(&mut scores);
            scores
        };
        let mut scores = match options.ranker {
            Ranker::Pairs => by_pairs(),
            Ranker::Knn => by_knn(),
            Ranker::Blend(weight) => blend(by_pairs(), by_knn(), weight),
        };
        let own_parts = own_items(&mut scores, &own.ids, options.reminder.as_ref());
        // Taken last: every number met so far has its name in it.
        let named = Named { own: &own, names: self.names.names() };
        let mut ranked: Vec<(ItemId, Score)> = scores.into_iter().collect();
        let order = |a: &(ItemId, Score), b: &(ItemId, Score)| {
            let by_score = b.1.value.total_cmp(&a.1.value);
            by_score.then_with(|| named.name(a.0).cmp(&named.name(b.0)))
        };
        first(&mut ranked, options.n, order);
        ranked.sort_unstable_by(order);
        let answer = ranked.into_iter().filter_map(|(item, score)| {
            let reminded = own_parts.iter().find(|(own, _)| *own == item);
            let with = own.ids.get(score.position).and_then(|i| named.name(*i));
            let reason = match (reminded, with) {
                (Some((_, part)), _) if *part >= score.largest => Reason::Reminder,
                (_, Some(with)) => Reason::With(with.clone()),
                (_, None) => Reason::Reminder,
            };
            Some(Recommendation { item: named.name(item)?.clone(), score: score.value, reason })
        });
        answer.collect()
    }

    fn own<'a>(&self, items: &'a [T]) -> Own<'a, T> {
        let mut own = Own { ids: Vec::new(), unknown: Vec::new() };
        for item in items.iter().rev() {
            match self.names.get(item) {
                Some(id) if !own.ids.contains(&id) => own.ids.push(id),
                None if !own.unknown.contains(&item) => {
                    // A session of more than 65,536 unknown items: the oldest are left out.
                    if let Some(id) = ItemId::stand_in(own.unknown.len()) {
                        own.ids.push(id);
                        own.unknown.push(item);
                    }
                }
                _ => {}
            }
        }
        own
    }
}

/// Adds the reminder to the own items, or takes them out; gives what each got.
fn own_items(
    scores: &mut Scores,
    own: &[ItemId],
    reminder: Option<&Reminder>,
) -> Vec<(ItemId, f64)> {
    let Some(reminder) = reminder else {
        for item in own {
            scores.remove(item);
        }
        return Vec::new();
    };
    let mut parts = Vec::with_capacity(own.len());
    let mut part = reminder.weight;
    for (position, item) in own.iter().enumerate() {
        if position == 0 && reminder.skip_current {
            scores.remove(item);
        } else {
            scores.entry(*item).or_default().value += part;
            parts.push((*item, part));
        }
        part *= reminder.rho;
    }
    parts
}

/// `weight` of the second and the rest of the first, scaled to a maximum of 1.
fn blend(mut scores: Scores, other: Scores, weight: f64) -> Scores {
    for score in scores.values_mut() {
        score.scale(1.0 - weight);
    }
    for (item, mut score) in other {
        score.scale(weight);
        let sum = scores.entry(item).or_default();
        sum.value += score.value;
        if score.largest > sum.largest {
            sum.largest = score.largest;
            sum.position = score.position;
        }
    }
    normalise(&mut scores);
    scores
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::eval::learner::{Learner, Update};
    use crate::recommend::defaults;
    use crate::recommend::pairs::{Event, Time};

    fn shop() -> Recommender<&'static str, u64> {
        let mut learner = Learner::new(&defaults::MODEL);
        let sessions: [&[&str]; 5] = [
            &["tent", "mat", "lamp"],
            &["tent", "mat"],
            &["mat", "stove"],
            &["pan", "stove"],
            &["lamp", "stove"],
        ];
        for (session, items) in (0..).zip(sessions) {
            let clicks = (0..).zip(items).map(|(id, item)| Update {
                session,
                event: Event { time: Time(id), id, item: *item },
                diff: 1,
            });
            learner.update(clicks).unwrap();
        }
        learner.model.publish();
        learner.model.recommender()
    }

    fn ask(items: &[&'static str], ranker: Ranker, reminder: bool) -> Vec<String> {
        let mut options = defaults::options(ranker);
        options.reminder = options.reminder.filter(|_| reminder);
        let query = Query { items, session: None };
        let said = |r: Recommendation<&str>| match r.reason {
            Reason::With(with) => format!("{} with {with}", r.item),
            Reason::Reminder => format!("{} again", r.item),
        };
        let answer = shop().recommend(query, &options);
        assert!(answer.windows(2).all(|w| w[0].score >= w[1].score));
        answer.into_iter().map(said).collect()
    }

    #[test]
    fn each_ranker_gives_items_with_reasons() {
        let all = ["mat with tent", "lamp with tent"];
        for ranker in [Ranker::Pairs, Ranker::Knn, Ranker::Blend(0.5)] {
            assert_eq!(ask(&["tent"], ranker, false), all, "{ranker:?}");
        }
    }

    #[test]
    fn the_reminder_brings_back_own_items_but_not_the_current() {
        let items = ["pan", "kite", "tent"];
        let with = ask(&items, Ranker::Pairs, true);
        // Items never seen by the index are reminded of as well.
        let expected = ["mat with tent", "kite again", "pan again", "lamp with tent"];
        assert_eq!(with[..4], expected);
        assert!(!with.iter().any(|r| r.starts_with("tent")));
        let without = ask(&items, Ranker::Pairs, false);
        assert_eq!(without, ["mat with tent", "lamp with tent", "stove with pan"]);
        assert!(ask(&[], Ranker::Pairs, true).is_empty());
        assert_eq!(ask(&["kite"], Ranker::Blend(0.5), false), [""; 0]);
    }

    #[test]
    fn ties_go_to_the_smaller_name() {
        let mut learner = Learner::new(&defaults::MODEL);
        for (session, item) in (0_u64..).zip(["z", "b", "y", "a"]) {
            let clicks = ["x", item].into_iter().enumerate().map(|(id, item)| Update {
                session,
                event: Event { time: Time(0), id, item },
                diff: 1,
            });
            learner.update(clicks).unwrap();
        }
        learner.model.publish();
        let query = Query { items: &["x"], session: None };
        let answer =
            learner.model.recommender().recommend(query, &defaults::options(Ranker::Pairs));
        let items: Vec<_> = answer.iter().map(|r| r.item).collect();
        assert_eq!(items, ["a", "b", "y", "z"]);
    }
}
