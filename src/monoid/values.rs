//! The form in which changes to a `Quantiles` travel: nearly all changes are plain insertions,
//! so those are bare values and only the rest carry a difference. A delta is the formal sum of
//! its parts; `consolidate` gives the one canonical form of that sum.

use serde::{Deserialize, Serialize};

/// A change to a multiset of values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Values {
    /// Values inserted once each.
    pub inserted: Vec<i64>,
    /// Other changes: a value and by how much its count changes.
    pub rest: Vec<(i64, i64)>,
}

impl Values {
    /// Records a change of `value`'s count by `diff`.
    pub fn push(&mut self, value: i64, diff: i64) {
        match diff {
            0 => {}
            1 => self.inserted.push(value),
            _ => self.rest.push((value, diff)),
        }
    }

    /// Adds the changes of `other`.
    pub fn merge(&mut self, other: &Values) {
        self.inserted.extend_from_slice(&other.inserted);
        self.rest.extend_from_slice(&other.rest);
    }

    /// Turns every change into its opposite.
    pub fn negate(&mut self) {
        let inserted = std::mem::take(&mut self.inserted);
        let rest = std::mem::take(&mut self.rest);
        self.rest.extend(inserted.into_iter().map(|value| (value, -1)));
        for (value, diff) in rest {
            self.push(value, diff.wrapping_neg());
        }
    }

    /// Whether no change is recorded. Changes that cancel count until `consolidate`.
    pub fn is_empty(&self) -> bool {
        self.inserted.is_empty() && self.rest.is_empty()
    }

    /// Adds up the changes of each value and drops those that cancel, in ascending order.
    pub fn consolidate(&mut self) {
        let mut all = std::mem::take(&mut self.rest);
        all.extend(self.inserted.drain(..).map(|value| (value, 1)));
        all.sort_unstable();
        for same in all.chunk_by(|a, b| a.0 == b.0) {
            let net = same.iter().fold(0i64, |sum, &(_, d)| sum.wrapping_add(d));
            self.push(same[0].0, net);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Random;
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn consolidation_is_the_net_change() {
        let mut random = Random(5);
        for _ in 0..2_000 {
            let mut twin: BTreeMap<i64, i64> = BTreeMap::new();
            let (mut left, mut right) = (Values::default(), Values::default());
            for _ in 0..random.below(20) {
                let (value, diff) = (random.between(-3, 3), random.between(-2, 2));
                left.push(value, diff);
                *twin.entry(value).or_default() += diff;
                let (value, diff) = (random.between(-3, 3), random.between(-2, 2));
                right.push(value, diff);
                *twin.entry(value).or_default() -= diff;
            }
            right.negate();
            left.merge(&right);
            left.consolidate();
            let mut net: Vec<_> = left.inserted.iter().map(|&v| (v, 1)).collect();
            net.extend(left.rest.iter().copied());
            net.sort_unstable();
            twin.retain(|_, diff| *diff != 0);
            assert_eq!(net, twin.into_iter().collect::<Vec<_>>());
            assert_eq!(left.is_empty(), net.is_empty());
        }
    }
}
