//! Exact order statistics of a multiset of `i64` with signed counts.
//!
//! A value lives in exactly one place: where its net count is positive in the dense window, if
//! there is one that covers it, and else in the body; in `negatives` when it is negative, nowhere
//! at zero. A window is opened where rows are many for the range they lie in, and given up when
//! that is no longer so. Window and body are therefore ordinary multisets,
//! where totals of ranges grow with the range and a counted tree can descend. Negative counts
//! (a retraction ahead of its insertion) are few; `select` steps over them, see there. Every
//! answer depends on the net counts alone, never on the order of updates.
//!
//! Bound: the counts' absolute values together stay below 2^63. Beyond it counts wrap (no
//! panic), and nothing else is promised.

mod bucket;
mod dense;
mod tree;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::values::Values;
use bucket::{Bucket, SPLIT_ABOVE};
use dense::Dense;
use tree::Tree;

/// From so many rows on a window may pay.
const MANY: u64 = 512;
/// A window may have so many counters per row when it is opened, and is given up at four times as
/// many: 32 and 128 bytes a row at the worst.
const COUNTERS_PER_ROW: u64 = 16;

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
    /// The number itself, as what is to be divided and by what.
    pub fn terms(&self) -> (i128, i128) {
        let (low, high) = (i128::from(self.low), i128::from(self.high));
        let (part, whole) = (i128::from(self.numerator), i128::from(self.denominator));
        (low * whole + (high - low) * part, whole)
    }
}

/// A multiset of `i64` with signed counts and exact order statistics.
#[derive(Clone, Debug)]
pub struct Quantiles {
    total: i64,
    dense: Option<Box<Dense>>,
    /// Rows of the body below the window.
    below: u64,
    /// Rows of the body.
    outside: u64,
    /// How many rows there must be before a window is thought of again.
    ask_at: u64,
    body: Body,
    negatives: BTreeMap<i64, i64>,
}

impl Default for Quantiles {
    fn default() -> Self {
        Quantiles {
            total: 0,
            dense: None,
            below: 0,
            outside: 0,
            ask_at: MANY,
            body: Body::Small(Bucket::default()),
            negatives: BTreeMap::new(),
        }
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
        if self.dense.is_none() && values.len() as u64 >= self.ask_at {
            // A burst that at least doubles the rows: look at its range before counting it.
            let (low, high) = values
                .iter()
                .fold((i64::MAX, i64::MIN), |(low, high), &x| (low.min(x), high.max(x)));
            self.open_window(low, high, values.len() as u64);
        }
        let mut rest = values;
        if self.negatives.is_empty()
            && let Some(dense) = &mut self.dense
        {
            let mut counted = 0;
            let mut far = Vec::new();
            for &value in values {
                match dense.push(value) {
                    Ok(true) => {}
                    Ok(false) => far.push(value),
                    Err(dense::Full) => break,
                }
                counted += 1;
            }
            self.total = self.total.wrapping_add((counted - far.len()) as i64);
            far.into_iter().for_each(|value| self.add(value, 1));
            rest = &values[counted..];
        }
        for &value in rest {
            self.add(value, 1);
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
        let window = self.dense.as_ref().is_none_or(|dense| dense.total() == 0);
        body && window && self.negatives.is_empty()
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
        let mut dense = self
            .dense
            .iter()
            .flat_map(|dense| dense.entries())
            .map(|(value, count)| (value, count as i64))
            .peekable();
        std::iter::from_fn(move || {
            let least = [body.peek(), dense.peek(), negatives.peek()];
            let least = least.into_iter().flatten().map(|(value, _)| *value).min()?;
            body.next_if(|x| x.0 == least)
                .or_else(|| dense.next_if(|x| x.0 == least))
                .or_else(|| negatives.next_if(|x| x.0 == least))
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
        let window = self.dense.as_ref().map_or(0, |dense| dense.memory());
        size_of::<Self>() + negatives + body + window
    }

    fn last_rank(&self) -> Option<u64> {
        u64::try_from(self.total).ok()?.checked_sub(1)
    }

    /// The value at a rank among the positive counts.
    fn body_select(&self, rank: u64) -> Option<i64> {
        match &self.dense {
            None => self.outer_select(rank),
            Some(_) if rank < self.below => self.outer_select(rank),
            Some(dense) if rank - self.below < dense.total() => dense.select(rank - self.below),
            Some(dense) => self.outer_select(rank - dense.total()),
        }
    }

    fn outer_select(&self, rank: u64) -> Option<i64> {
        match &self.body {
            Body::Small(bucket) => bucket.select(rank),
            Body::Large(tree) => tree.select(rank),
        }
    }

    fn insert(&mut self, value: i64, count: u64) {
        if let Some(dense) = &mut self.dense {
            if dense.covers(value) {
                if dense.insert(value, count).is_ok() {
                    return;
                }
                // A value too frequent for its counter: the tree has room for any count.
                self.close_window(u64::MAX);
            } else if value < dense.base() {
                self.below = self.below.wrapping_add(count);
            }
        }
        self.outside = self.outside.wrapping_add(count);
        self.insert_outside(value, count);
        // Without a window, ask when the rows have doubled; with one, when it misses many.
        let inside = self.dense.as_ref().map_or(0, |dense| dense.total());
        if self.outside >= self.ask_at && self.outside > inside / 8 {
            self.think_again();
        }
    }

    /// Opens a window over most of what is there, if the rows are many for their range. The
    /// farthest hundredth on both sides is left out: a few extremes must not decide.
    fn think_again(&mut self) {
        let rows = self.outside.saturating_add(self.dense.as_ref().map_or(0, |d| d.total()));
        let trim = rows / 100;
        let range = (self.body_select(trim), self.body_select(rows - 1 - trim));
        self.close_window(rows.saturating_mul(2));
        if let (Some(low), Some(high)) = range {
            self.open_window(low, high, 0);
        }
    }

    /// Opens a window over a range for what is there and `coming` more rows, if that pays.
    fn open_window(&mut self, low: i64, high: i64, coming: u64) {
        let rows = self.outside.saturating_add(coming);
        self.ask_at = self.ask_at.max(rows.saturating_mul(2));
        let width = high.saturating_sub(low);
        let most = rows.saturating_mul(COUNTERS_PER_ROW);
        if !u64::try_from(width).is_ok_and(|width| width <= most) {
            return;
        }
        // Some room on both sides, so that the next rows are covered too.
        let (low, high) = (low.saturating_sub(width / 8), high.saturating_add(width / 8));
        let Some(mut dense) = Dense::new(low, high) else { return };
        let mut far = Vec::new();
        for (value, count) in self.outer_entries() {
            if !dense.covers(value) {
                far.push((value, count));
            } else if dense.insert(value, count).is_err() {
                return;
            }
        }
        self.body = Body::Small(Bucket::default());
        (self.below, self.outside, self.ask_at) = (0, 0, MANY);
        for (value, count) in far {
            self.outside = self.outside.wrapping_add(count);
            self.below = self.below.wrapping_add(if value < low { count } else { 0 });
            self.insert_outside(value, count);
        }
        self.dense = Some(Box::new(dense));
    }

    /// Gives the window up, and does not think of another before there are so many rows.
    fn close_window(&mut self, ask_at: u64) {
        self.ask_at = ask_at;
        self.below = 0;
        if let Some(dense) = self.dense.take() {
            self.outside = self.outside.wrapping_add(dense.total());
            for (value, count) in dense.entries() {
                self.insert_outside(value, count);
            }
        }
    }

    fn outer_entries(&self) -> Vec<(i64, u64)> {
        match &self.body {
            Body::Small(bucket) => bucket.entries(),
            Body::Large(tree) => tree.buckets().flat_map(Bucket::entries).collect(),
        }
    }

    fn insert_outside(&mut self, value: i64, count: u64) {
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
        if let Some(dense) = &mut self.dense
            && dense.covers(value)
        {
            let missing = dense.remove(value, wanted);
            let rows = dense.total().saturating_add(self.outside).saturating_add(MANY);
            if dense.width() as u64 / 4 > rows.saturating_mul(COUNTERS_PER_ROW) {
                self.close_window(rows.saturating_mul(2).max(MANY));
            }
            return missing;
        }
        let missing = self.remove_outside(value, wanted);
        let taken = wanted - missing;
        self.outside = self.outside.wrapping_sub(taken);
        if self.dense.as_ref().is_some_and(|dense| value < dense.base()) {
            self.below = self.below.wrapping_sub(taken);
        }
        missing
    }

    fn remove_outside(&mut self, value: i64, wanted: u64) -> u64 {
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
