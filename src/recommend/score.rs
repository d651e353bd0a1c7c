//! The first ranker: decayed directional pairs.
//!
//! score(j) = sum over the session's last L distinct items i, p = 0 the newest, of
//! rho^p (F_ij + b F_ji) / (c_i^alpha c_j^beta). Floats begin here. For each j the terms
//! are added in the order of p, so the sum does not depend on how rows are laid out.

use crate::hash::Table;

use super::index::PairView;
use super::interner::ItemId;

/// Candidates with their scores.
pub type Scores = Table<ItemId, Score>;

/// A candidate's score and where most of it came from.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Score {
    /// The sum.
    pub value: f64,
    /// The largest single term.
    pub largest: f64,
    /// The position in the session of the item behind that term, 0 the newest.
    pub position: usize,
}

impl Score {
    /// Adds a term; of equal largest terms the first stays.
    pub fn add(&mut self, term: f64, position: usize) {
        self.value += term;
        if term > self.largest {
            self.largest = term;
            self.position = position;
        }
    }

    /// Multiplies all by `factor`.
    pub fn scale(&mut self, factor: f64) {
        self.value *= factor;
        self.largest *= factor;
    }
}

/// The parameters of the pairs ranker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairOptions {
    /// L: how many of the session's newest distinct items are looked at.
    pub last: usize,
    /// rho: what one position back is worth.
    pub rho: f64,
    /// b: what a pair in the other direction is worth.
    pub backward: f64,
    /// The power of the session item's count.
    pub alpha: f64,
    /// The power of the candidate's count.
    pub beta: f64,
}

/// Scores the neighbours of `recent`, the session's distinct items from the newest.
pub fn score_pairs(index: &PairView, recent: &[ItemId], options: &PairOptions) -> Scores {
    let mut scores = Scores::default();
    let mut decay = 1.0;
    for (position, item) in recent.iter().take(options.last).enumerate() {
        let factor = decay / power(index.count(*item), options.alpha);
        for n in index.neighbours(*item).iter() {
            let term = factor * (n.forward + options.backward * n.backward);
            scores.entry(n.item).or_default().add(term, position);
        }
        decay *= options.rho;
    }
    if options.beta != 0.0 {
        for (item, score) in &mut scores {
            score.scale(1.0 / power(index.count(*item), options.beta));
        }
    }
    scores
}

/// An item in a pair has a count of at least 1; the floor keeps half-fed states finite.
fn power(count: i64, exponent: f64) -> f64 {
    (count.max(1) as f64).powf(exponent)
}

/// Scales the scores so that the best is 1.
pub fn normalise(scores: &mut Scores) {
    let best = scores.values().map(|s| s.value).fold(0.0, f64::max);
    if best > 0.0 {
        for score in scores.values_mut() {
            score.scale(1.0 / best);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::random::Random;
    use crate::recommend::index::PairIndex;
    use crate::recommend::interner::Interner;
    use crate::recommend::neighbours::Reading;
    use crate::recommend::pairs::{Bucket, CountDiff, PairDiff};

    #[test]
    fn equals_the_formula_written_out() {
        let options = PairOptions { last: 3, rho: 0.5, backward: 0.6, alpha: 0.7, beta: 0.1 };
        for seed in 0..50 {
            let mut random = Random::new(seed);
            let names = Arc::new(Interner::default());
            let reading = Reading { keep: 50, fade: 0.8, backward: 0.6, origin: Bucket(0) };
            let mut index = PairIndex::new(reading, Arc::clone(&names));
            let mut f: BTreeMap<(u64, u64), f64> = BTreeMap::new();
            let mut c: BTreeMap<u64, i64> = BTreeMap::new();
            for _ in 0..200 {
                let (before, after) = (random.below(20) as u64, random.below(20) as u64);
                if before == after {
                    continue;
                }
                let (bucket, diff) = (random.below(3) as i32, random.below(2520) as i64);
                let pair = PairDiff { before, after, bucket: Bucket(bucket), diff };
                let count = CountDiff { item: before, diff: 1 };
                index.apply(&[pair], &[count]).unwrap();
                *f.entry((before, after)).or_default() += diff as f64 / 0.8_f64.powi(bucket);
                *c.entry(before).or_default() += 1;
            }
            index.publish();
            let session: Vec<u64> = (0..5).map(|n| (seed + n) % 20).collect();
            let ids: Vec<_> = session.iter().map(|i| names.intern(i).unwrap()).collect();
            let mut scores = score_pairs(&index.reader().view(), &ids, &options);
            normalise(&mut scores);
            let count = |i: &u64| c.get(i).copied().unwrap_or(0).max(1) as f64;
            let slow = |j: u64| -> f64 {
                let term = |(p, i): (usize, &u64)| {
                    let forward = f.get(&(*i, j)).unwrap_or(&0.0);
                    let backward = f.get(&(j, *i)).unwrap_or(&0.0);
                    0.5_f64.powi(p as i32) * (forward + 0.6 * backward)
                        / (count(i).powf(0.7) * count(&j).powf(0.1))
                };
                session.iter().take(3).enumerate().map(term).sum()
            };
            let best = (0..20).map(slow).fold(0.0, f64::max);
            for j in 0..20 {
                let id = names.intern(&j).unwrap();
                let fast = scores.get(&id).map_or(0.0, |s| s.value);
                assert!((fast - slow(j) / best).abs() < 1e-9, "seed {seed} item {j}");
            }
        }
    }
}
