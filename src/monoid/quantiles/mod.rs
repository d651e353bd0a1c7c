//! Exact order statistics of a multiset of `i64` with signed counts.
//!
//! A value lives in exactly one place: in the body when its net count is positive, in
//! `negatives` when it is negative, nowhere at zero. The body is therefore an ordinary multiset,
//! where totals of ranges grow with the range and a counted tree can descend. Negative counts
//! (a retraction ahead of its insertion) are few; `select` steps over them, see there. Every
//! answer depends on the net counts alone, never on the order of updates.
//!
//! Bound: the counts' absolute values together stay below 2^63. Beyond it counts wrap (no
//! panic), and nothing else is promised.

mod bucket;
mod tree;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::values::Values;
use bucket::{Bucket, SPLIT_ABOVE};
use tree::Tree;

#[derive(Clone, Debug)]
enum Body {
    Small(Bucket),
    Large(Box<Tree>),
}

/// A percentile between two neighbours in exact parts: `low + (high - low) * numerator /
/// denominator`, left to the caller to round once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interpolated {
    /// The value at the rank below.
    pub low: i64,
    /// The value at the rank above, equal to `low` when the weight is zero.
    pub high: i64,
    /// The weight of `high`, as a fraction of `denominator`.
    pub numerator: u64,
    /// What `numerator` is a fraction of; never zero.
    pub denominator: u64,
}

impl Interpolated {
    /// The number itself.
    pub fn value(&self) -> f64 {
        let distance = (i128::from(self.high) - i128::from(self.low)) as f64;
        self.low as f64 + distance * (self.numerator as f64 / self.denominator as f64)
    }
}

/// A multiset of `i64` with signed counts and exact order statistics.
#[derive(Clone, Debug)]
pub struct Quantiles {
    total: i64,
    body: Body,
    negatives: BTreeMap<i64, i64>,
}

impl Default for Quantiles {
    fn default() -> Self {
        Quantiles { total: 0, body: Body::Small(Bucket::default()), negatives: BTreeMap::new() }
    }
}

impl Quantiles {
    /// Changes the count of `value` by `diff`.
    pub fn add(&mut self, value: i64, diff: i64) {
        self.total = self.total.wrapping_add(diff);
        let owed =
            if self.negatives.is_empty() { 0 } else { self.negatives.remove(&value).unwrap_or(0) };
        let net = owed.wrapping_add(diff);
        if net > 0 {
            self.insert(value, net as u64);
        } else if net < 0 {
            // A value that was owed is not in the body, so the body has nothing to take.
            let missing =
                if owed < 0 { net.unsigned_abs() } else { self.remove(value, net.unsigned_abs()) };
            if missing > 0 {
                self.negatives.insert(value, (missing as i64).wrapping_neg());
            }
        }
    }

    /// Adds one occurrence of each value.
    pub fn extend(&mut self, values: &[i64]) {
        let mut rest = values;
        while let (Body::Small(_), Some((&first, after))) = (&self.body, rest.split_first()) {
            self.add(first, 1);
            rest = after;
        }
        match &mut self.body {
            Body::Large(tree) if self.negatives.is_empty() => {
                self.total = self.total.wrapping_add(rest.len() as i64);
                for &value in rest {
                    tree.push(value);
                }
            }
            _ => {
                for &value in rest {
                    self.add(value, 1);
                }
            }
        }
    }

    /// Applies a travelling delta.
    pub fn absorb(&mut self, values: &Values) {
        self.extend(&values.inserted);
        for &(value, diff) in &values.rest {
            self.add(value, diff);
        }
    }

    /// Adds every count of `other`.
    pub fn merge(&mut self, other: &Quantiles) {
        if self.is_empty() {
            self.clone_from(other);
            return;
        }
        for (value, count) in other.iter() {
            self.add(value, count);
        }
    }

    /// The sum of all counts; zero or below reads as no rows.
    pub fn total(&self) -> i64 {
        self.total
    }

    /// Whether every value's net count is zero.
    pub fn is_empty(&self) -> bool {
        let body = match &self.body {
            Body::Small(bucket) => bucket.len() == 0,
            Body::Large(tree) => tree.buckets().all(|bucket| bucket.len() == 0),
        };
        body && self.negatives.is_empty()
    }

    /// The first value, in ascending order, whose cumulative count exceeds `rank`; none while
    /// the total is not positive.
    ///
    /// Between two neighbouring negative entries the cumulative count only grows, so the first
    /// crossing there is the body's own selection at a rank raised by what is owed so far. It
    /// counts if it lies before the next negative entry. One descent per negative entry passed.
    pub fn select(&self, rank: u64) -> Option<i64> {
        if self.total <= 0 {
            return None;
        }
        let mut raised = rank;
        for (&value, &count) in &self.negatives {
            let found = self.body_select(raised)?;
            if found < value {
                return Some(found);
            }
            raised = raised.checked_add(count.unsigned_abs())?;
        }
        self.body_select(raised)
    }

    /// The lower and upper middle values, equal when the total is odd.
    pub fn median(&self) -> Option<(i64, i64)> {
        let last = self.last_rank()?;
        let low = self.select(last / 2)?;
        let high = if last % 2 == 0 { low } else { self.select(last / 2 + 1)? };
        Some((low, high))
    }

    /// The nearest-rank percentile: the smallest value with at least the fraction
    /// `numerator / denominator` of the rows at or below it. None for a fraction outside 0..=1.
    pub fn percentile_nearest(&self, numerator: u64, denominator: u64) -> Option<i64> {
        let last = self.last_rank()?;
        let fraction = fraction(numerator, denominator)?;
        let rows = u128::from(last) + 1;
        let rank = (rows * fraction.0).div_ceil(fraction.1).saturating_sub(1);
        self.select(rank as u64)
    }

    /// The linearly interpolated percentile, the default of pandas and numpy: position
    /// `(rows - 1) * numerator / denominator`. None for a fraction outside 0..=1.
    pub fn percentile_linear(&self, numerator: u64, denominator: u64) -> Option<Interpolated> {
        let last = self.last_rank()?;
        let fraction = fraction(numerator, denominator)?;
        let position = u128::from(last) * fraction.0;
        let rank = (position / fraction.1) as u64;
        let weight = (position % fraction.1) as u64;
        let low = self.select(rank)?;
        let high = if weight == 0 { low } else { self.select(rank + 1)? };
        Some(Interpolated { low, high, numerator: weight, denominator })
    }

    /// The values with their non-zero net counts, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (i64, i64)> {
        let (small, large) = match &self.body {
            Body::Small(bucket) => (Some(bucket), None),
            Body::Large(tree) => (None, Some(tree.buckets())),
        };
        let mut negatives = self.negatives.iter().map(|(&value, &count)| (value, count)).peekable();
        let mut body = small
            .into_iter()
            .chain(large.into_iter().flatten())
            .flat_map(Bucket::entries)
            .map(|(value, count)| (value, count as i64))
            .peekable();
        std::iter::from_fn(move || match (body.peek(), negatives.peek()) {
            (Some(here), Some(there)) if there.0 < here.0 => negatives.next(),
            (None, _) => negatives.next(),
            _ => body.next(),
        })
    }

    /// Bytes held, this struct included.
    pub fn memory(&self) -> usize {
        // A BTreeMap hides its nodes; two words per entry and half again for slack is close.
        let negatives = self.negatives.len() * 24;
        let body = match &self.body {
            Body::Small(bucket) => bucket.heap(),
            Body::Large(tree) => size_of::<Tree>() + tree.heap(),
        };
        size_of::<Self>() + negatives + body
    }

    fn last_rank(&self) -> Option<u64> {
        u64::try_from(self.total).ok()?.checked_sub(1)
    }

    fn body_select(&self, rank: u64) -> Option<i64> {
        match &self.body {
            Body::Small(bucket) => bucket.select(rank),
            Body::Large(tree) => tree.select(rank),
        }
    }

    fn insert(&mut self, value: i64, count: u64) {
        match &mut self.body {
            Body::Large(tree) if count == 1 => tree.push(value),
            Body::Large(tree) => tree.insert(value, count),
            Body::Small(bucket) => {
                if bucket.is_full() {
                    bucket.settle();
                    if bucket.len() > SPLIT_ABOVE {
                        let mut tree = Tree::of(std::mem::take(bucket));
                        tree.insert(value, count);
                        self.body = Body::Large(Box::new(tree));
                        return;
                    }
                }
                bucket.insert(value, count);
            }
        }
    }

    fn remove(&mut self, value: i64, wanted: u64) -> u64 {
        match &mut self.body {
            Body::Small(bucket) => bucket.remove(value, wanted),
            Body::Large(tree) => {
                let missing = tree.remove(value, wanted);
                if let Some(bucket) = tree.demoted() {
                    self.body = Body::Small(bucket);
                }
                missing
            }
        }
    }
}

fn fraction(numerator: u64, denominator: u64) -> Option<(u128, u128)> {
    (denominator > 0 && numerator <= denominator)
        .then_some((u128::from(numerator), u128::from(denominator)))
}

impl PartialEq for Quantiles {
    fn eq(&self, other: &Self) -> bool {
        self.total == other.total && self.iter().eq(other.iter())
    }
}

impl Eq for Quantiles {}

impl Serialize for Quantiles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Collected because bincode wants the length first.
        serializer.collect_seq(self.iter().collect::<Vec<_>>())
    }
}

impl<'de> Deserialize<'de> for Quantiles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut read = Quantiles::default();
        for (value, count) in Vec::<(i64, i64)>::deserialize(deserializer)? {
            read.add(value, count);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
