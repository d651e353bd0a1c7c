//! Is one ranker better than another? A paired bootstrap over sessions.
//!
//! Both rankers predict the same clicks, so their difference is taken click by click.
//! Clicks of one session hang together, so whole *sessions* are drawn again, with
//! replacement; the middle 95 % of the differences so found is the interval.

use std::collections::BTreeMap;

use serde::Serialize;

use super::replay::Case;
use crate::random::Random;

/// A difference of two means, with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// The first less the second.
    pub mean: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// How often and from which seed to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    /// How many resamples.
    pub resamples: usize,
    /// Where the random numbers start.
    pub seed: u64,
}

/// The difference of the mean reciprocal ranks of `a` and `b`, two outcomes of one
/// replay: the same cases in the same order.
pub fn compare(a: &[Case], b: &[Case], draws: Draws) -> Difference {
    let value = |case: &Case| case.rank.map_or(0.0, |rank| 1.0 / rank as f64);
    let mut sessions: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for (a, b) in a.iter().zip(b) {
        let session = sessions.entry(a.session).or_default();
        session.0 += value(a) - value(b);
        session.1 += 1.0;
    }
    let sessions: Vec<_> = sessions.into_values().collect();
    if sessions.is_empty() {
        return Difference { mean: 0.0, low: 0.0, high: 0.0 };
    }
    let ratio = |sum: (f64, f64)| sum.0 / sum.1;
    let add = |sum: (f64, f64), of: &(f64, f64)| (sum.0 + of.0, sum.1 + of.1);
    let mut random = Random::new(draws.seed);
    let mut found: Vec<f64> = (0..draws.resamples)
        .map(|_| {
            // `below` gives a place in `sessions`, which is not empty.
            let drawn = (0..sessions.len()).map(|_| &sessions[random.below(sessions.len())]);
            ratio(drawn.fold((0.0, 0.0), add))
        })
        .collect();
    found.sort_unstable_by(f64::total_cmp);
    let mean = ratio(sessions.iter().fold((0.0, 0.0), add));
    Difference {
        mean,
        low: quantile(&found, 0.025).unwrap_or(mean),
        high: quantile(&found, 0.975).unwrap_or(mean),
    }
}

/// The value below which a share `at` of the sorted values lies.
pub fn quantile(sorted: &[f64], at: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * at).round() as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(ranks: impl Iterator<Item = Option<usize>>) -> Vec<Case> {
        let case = |(at, rank)| Case { session: at as u64 / 3, rank };
        ranks.enumerate().map(case).collect()
    }

    #[test]
    fn finds_a_difference_that_is_there_and_none_that_is_not() {
        let draws = Draws { resamples: 2_000, seed: 7 };
        let mut random = Random::new(3);
        let a = cases((0..900).map(|_| Some(1 + random.below(4))));
        let mut random = Random::new(3);
        let worse = cases((0..900).map(|_| Some(2 + random.below(4))));
        let mut random = Random::new(4);
        let alike = cases((0..900).map(|_| Some(1 + random.below(4))));
        let found = compare(&a, &worse, draws);
        assert!(found.low > 0.0 && found.low < found.mean && found.mean < found.high);
        let found = compare(&a, &alike, draws);
        assert!(found.low < 0.0 && found.high > 0.0);
        assert_eq!(found, compare(&a, &alike, draws));
        // The 95 % interval of a mean of 900 values of this spread, about +-0.0265
        // times the square root of two: the bootstrap must come near it.
        assert!((found.high - found.low - 0.0530).abs() < 0.008, "{found:?}");
    }
}
