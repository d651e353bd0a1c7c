//! The second ranker: VMIS-kNN over the session index.
//!
//! Sessions that share items with this one are neighbours: similarity is the sum over
//! shared items of (n - position)/n, position 0 the newest of this session's n distinct
//! items. The m most recent candidates are kept, of those the k most similar, and
//! score(j) = sum over neighbours with j of (1 - 0.1 x place of the last shared item,
//! from 1) x similarity x ln(N/n_j). Neighbours are in a fixed order before anything is
//! added up, so equal states give equal bits.

use std::cmp::Ordering;

use crate::hash::Table;

use super::interner::ItemId;
use super::pairs::Time;
use super::score::Scores;
use super::vmis::{Slot, VmisView};

/// The parameters of VMIS-kNN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KnnOptions {
    /// How many of the session's newest distinct items are looked at.
    pub last: usize,
    /// m: how many of the most recent candidate sessions are kept, and of each item's.
    pub recent: usize,
    /// k: how many of those, the most similar, count.
    pub neighbours: usize,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    slot: Slot,
    start: Time,
    similarity: f64,
    /// The position of the newest shared item.
    position: usize,
}

/// Scores the items of sessions like `recent` (distinct items from the newest), other
/// than the session `own` itself.
pub fn score_knn<K: Clone + Ord>(
    index: &VmisView<K>,
    recent: &[ItemId],
    own: Option<Slot>,
    options: &KnnOptions,
) -> Scores {
    let mut scores = Scores::default();
    for neighbour in nearest(index, recent, own, options) {
        let place = (neighbour.position + 1) as f64;
        let weight = (1.0 - 0.1 * place).max(0.0) * neighbour.similarity;
        // One that is gone since then adds nothing.
        index.session(neighbour.slot, |session| {
            for (item, _) in &session.items {
                let score = scores.entry(*item).or_default();
                score.add(weight, neighbour.position);
            }
        });
    }
    for (item, score) in &mut scores {
        let having = index.having(*item).max(1);
        score.scale((index.sessions() as f64 / having as f64).ln());
    }
    scores
}

/// The k nearest sessions, best first.
fn nearest<K: Clone + Ord>(
    index: &VmisView<K>,
    recent: &[ItemId],
    own: Option<Slot>,
    options: &KnnOptions,
) -> Vec<Candidate> {
    let recent = &recent[..recent.len().min(options.last)];
    let mut found: Table<Slot, Candidate> = Table::default();
    for (position, item) in recent.iter().enumerate() {
        let part = (recent.len() - position) as f64 / recent.len() as f64;
        index.newest(*item, |newest| {
            for posting in newest.iter().take(options.recent) {
                let first = Candidate {
                    slot: posting.slot,
                    start: posting.start,
                    similarity: 0.0,
                    position,
                };
                found.entry(posting.slot).or_insert(first).similarity += part;
            }
        });
    }
    if let Some(own) = own {
        found.remove(&own);
    }
    let key = |c: &Candidate| index.session(c.slot, |s| s.key.clone());
    let newer = |a: &Candidate, b: &Candidate| -> Ordering {
        b.start.cmp(&a.start).then_with(|| key(b).cmp(&key(a)))
    };
    let nearer = |a: &Candidate, b: &Candidate| -> Ordering {
        b.similarity.total_cmp(&a.similarity).then_with(|| newer(a, b))
    };
    let mut found: Vec<_> = found.into_values().collect();
    first(&mut found, options.recent, newer);
    first(&mut found, options.neighbours, nearer);
    found.sort_unstable_by(nearer);
    found
}

/// Keeps the first `keep` in the given order, themselves in no order.
pub fn first<V>(list: &mut Vec<V>, keep: usize, order: impl FnMut(&V, &V) -> Ordering) {
    if list.len() > keep {
        list.select_nth_unstable_by(keep, order);
        list.truncate(keep);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use super::*;
    use crate::random::Random;
    use crate::recommend::interner::Interner;
    use crate::recommend::pairs::CountDiff;
    use crate::recommend::vmis::VmisIndex;

    const OPTIONS: KnnOptions = KnnOptions { last: 3, recent: 12, neighbours: 5 };

    type Sessions = BTreeMap<u64, (Time, BTreeSet<u64>)>;

    /// The published algorithm over plain sets, without index or limits of work.
    fn written_out(sessions: &Sessions, recent: &[u64], own: u64) -> BTreeMap<u64, f64> {
        let recent = &recent[..recent.len().min(3)];
        let having = |item: &u64| sessions.values().filter(|s| s.1.contains(item)).count();
        let mut newest: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for item in recent {
            let mut with: Vec<_> = sessions.iter().filter(|s| s.1.1.contains(item)).collect();
            with.sort_by_key(|s| std::cmp::Reverse((s.1.0, *s.0)));
            newest.insert(*item, with.iter().take(12).map(|s| *s.0).collect());
        }
        let mut found = Vec::new();
        for (key, (start, items)) in sessions.iter().filter(|s| *s.0 != own) {
            let n = recent.len() as f64;
            let shared = |p: &usize| newest[&recent[*p]].contains(key);
            let shared: Vec<usize> = (0..recent.len()).filter(shared).collect();
            let similarity = shared.iter().map(|p| (n - *p as f64) / n).sum::<f64>();
            if let Some(position) = shared.first() {
                found.push((*start, *key, similarity, *position, items));
            }
        }
        found.sort_by_key(|f| std::cmp::Reverse((f.0, f.1)));
        found.truncate(12);
        found.sort_by(|a, b| b.2.total_cmp(&a.2).then((b.0, b.1).cmp(&(a.0, a.1))));
        found.truncate(5);
        let mut scores = BTreeMap::new();
        for (_, _, similarity, position, items) in found {
            for item in items {
                let idf = (sessions.len() as f64 / having(item) as f64).ln();
                let weight = 1.0 - 0.1 * (position + 1) as f64;
                *scores.entry(*item).or_default() += weight * similarity * idf;
            }
        }
        scores
    }

    #[test]
    fn equals_the_algorithm_written_out() {
        for seed in 0..60 {
            let mut random = Random::new(seed);
            let names = Arc::new(Interner::default());
            let mut index = VmisIndex::new(12, Arc::clone(&names));
            let mut sessions = Sessions::new();
            for key in 0..60 {
                // Few different starts: ties are common.
                let start = Time(random.below(9) as i64);
                let some = (0..1 + random.below(5)).map(|_| random.below(15) as u64);
                let items: BTreeSet<u64> = some.collect();
                let counts: Vec<_> =
                    items.iter().map(|item| CountDiff { item: *item, diff: 1 }).collect();
                index.update(&key, Some(start), &counts).unwrap();
                sessions.insert(key, (start, items));
            }
            index.publish();
            let own = random.below(60) as u64;
            let recent: Vec<u64> = (0..4).map(|n| (seed + n * 4) % 15).collect();
            let ids: Vec<_> = recent.iter().map(|i| names.intern(i).unwrap()).collect();
            let reader = index.reader();
            let fast = score_knn(&reader.view(), &ids, reader.slot(&own), &OPTIONS);
            let slow = written_out(&sessions, &recent, own);
            assert_eq!(fast.len(), slow.len(), "seed {seed}");
            for (item, score) in slow {
                let found = fast[&names.intern(&item).unwrap()].value;
                assert!((found - score).abs() < 1e-9, "seed {seed} item {item}");
            }
        }
    }
}
