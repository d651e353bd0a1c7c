//! A histogram with logarithmic buckets and signed counts, for quantiles within a relative error.
//!
//! Buckets are cut by bits: a power of two is divided in 64 equal parts, and values below 128
//! have a bucket each. A bucket's width is at most 1/64 of its smallest value and its middle
//! stands for it, so a quantile is off by at most alpha = 1/128 (0.79 %) of the exact one, in
//! integers on every machine. Negative values mirror the positive ones.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Parts of a power of two, as a power of two.
const PART_BITS: u32 = 6;
const PARTS: i32 = 1 << PART_BITS;

/// Signed counts per logarithmic bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// The bucket of `counts[0]`.
    first: i32,
    /// Neither the first nor the last is zero, so equal contents are equal structs.
    counts: Vec<i64>,
    total: i64,
}

/// The bucket of a value: ascending with it, zero for zero.
fn bucket(value: i64) -> i32 {
    let size = value.unsigned_abs();
    let power = size.checked_ilog2().unwrap_or(0);
    let index = if power <= PART_BITS {
        // Below 2 * PARTS, so it fits.
        size as i32
    } else {
        let shift = power - PART_BITS;
        // The shifted size is in PARTS..2*PARTS.
        PARTS * shift as i32 + (size >> shift) as i32
    };
    if value < 0 { -index } else { index }
}

/// The value that stands for a bucket: its middle.
fn middle(bucket: i32) -> i64 {
    let index = bucket.unsigned_abs();
    let parts = PARTS.unsigned_abs();
    let size = if index < 2 * parts {
        u64::from(index)
    } else {
        let shift = index / parts - 1;
        let low = u64::from(index - parts * shift) << shift;
        low + (1 << (shift - 1))
    };
    if bucket < 0 { 0i64.saturating_sub_unsigned(size) } else { 0i64.saturating_add_unsigned(size) }
}

impl Histogram {
    /// Changes the count of `value` by `diff`.
    pub fn add(&mut self, value: i64, diff: i64) {
        self.add_bucket(bucket(value), diff);
    }

    /// Adds every count of `other`.
    pub fn merge(&mut self, other: &Histogram) {
        other.iter().for_each(|(bucket, count)| self.add_bucket(bucket, count));
    }

    /// The sum of all counts.
    pub fn total(&self) -> i64 {
        self.total
    }

    /// Whether every bucket's count is zero.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The nearest-rank quantile at `numerator / denominator` within alpha: the first bucket
    /// whose cumulative count exceeds the rank. None for a total that is not positive or a
    /// fraction outside 0..=1.
    pub fn quantile(&self, numerator: u64, denominator: u64) -> Option<i64> {
        if self.total <= 0 || denominator == 0 || numerator > denominator {
            return None;
        }
        let scaled = self.total.unsigned_abs() as u128 * u128::from(numerator);
        let rank = scaled.div_ceil(denominator.into()).saturating_sub(1) as i128;
        let mut passed = 0i128;
        self.iter().find_map(|(bucket, count)| {
            passed += i128::from(count);
            (passed > rank).then(|| middle(bucket))
        })
    }

    /// The buckets with their non-zero counts, ascending.
    fn iter(&self) -> impl Iterator<Item = (i32, i64)> {
        let counts = (self.first..).zip(self.counts.iter().copied());
        counts.filter(|&(_, count)| count != 0)
    }

    fn add_bucket(&mut self, bucket: i32, diff: i64) {
        if diff == 0 {
            return;
        }
        self.total = self.total.wrapping_add(diff);
        if self.counts.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let missing = self.first.abs_diff(bucket) as usize;
            self.counts.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = bucket;
        }
        let at = bucket.abs_diff(self.first) as usize;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] = self.counts[at].wrapping_add(diff);
        if self.counts[at] == 0 && (at == 0 || at + 1 == self.counts.len()) {
            self.trim();
        }
    }

    fn trim(&mut self) {
        let used = self.counts.iter().rposition(|&count| count != 0);
        self.counts.truncate(used.map_or(0, |last| last + 1));
        let zeros = self.counts.iter().take_while(|&&count| count == 0).count();
        self.counts.drain(..zeros);
        // At most 7,500 buckets exist, so this fits.
        self.first += zeros as i32;
        if self.counts.is_empty() {
            self.first = 0;
        }
        if self.counts.capacity() > 4 * self.counts.len() + 8 {
            self.counts.shrink_to(2 * self.counts.len());
        }
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().collect::<Vec<_>>())
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut read = Histogram::default();
        let known = bucket(i64::MIN)..=bucket(i64::MAX);
        for (bucket, count) in Vec::<(i32, i64)>::deserialize(deserializer)? {
            if !known.contains(&bucket) {
                let text = format!("histogram bucket {bucket} is outside {known:?}");
                return Err(serde::de::Error::custom(text));
            }
            read.add_bucket(bucket, count);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Random;
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn buckets_ascend_and_their_middles_are_near() {
        let mut random = Random(61);
        let mut values = vec![i64::MIN, i64::MIN + 1, i64::MAX, 0, 127, 128, 129, -128];
        values.extend((0..200_000).map(|_| random.bits() as i64 >> random.below(64)));
        values.sort_unstable();
        for pair in values.windows(2) {
            assert!(bucket(pair[0]) <= bucket(pair[1]), "{pair:?}");
        }
        for value in values {
            let off = i128::from(middle(bucket(value))) - i128::from(value);
            assert!(off.abs() * 128 <= i128::from(value).abs(), "{value} {off}");
            assert_eq!(bucket(middle(bucket(value))), bucket(value));
        }
    }

    #[test]
    fn agrees_with_exact_quantiles_in_any_order() {
        let mut random = Random(62);
        for round in 0..1_500 {
            let mut updates: Vec<(i64, i64)> = Vec::new();
            for _ in 0..random.below(150) {
                let value = random.bits() as i64 >> random.below(64);
                updates.push((value, random.between(1, 2)));
                if round % 2 == 0 {
                    let other = random.bits() as i64 >> random.below(64);
                    updates.extend([(other, -1), (other, 1)]);
                }
                if round % 3 == 0 {
                    // Never matched; in a bucket of its own or in another value's.
                    updates.push((random.bits() as i64 >> random.below(64), -1));
                }
            }
            random.shuffle(&mut updates);
            let mut state = Histogram::default();
            let mut twin: BTreeMap<i64, i64> = BTreeMap::new();
            for &(value, diff) in &updates {
                state.add(value, diff);
                *twin.entry(value).or_default() += diff;
            }
            let total: i64 = twin.values().sum();
            assert_eq!(state.total(), total);
            let (numerator, denominator) = (random.below(101), 100);
            let rank = (total * numerator as i64 + 99).div_euclid(100).max(1) - 1;
            let mut passed = 0;
            let exact = twin.iter().filter(|_| total > 0).find(|&(_, &count)| {
                passed += count;
                passed > rank
            });
            let got = state.quantile(numerator, denominator);
            assert_eq!(got.is_some(), exact.is_some());
            if let (Some(got), Some((&exact, _)), true) = (got, exact, round % 3 > 0) {
                assert_eq!(got, middle(bucket(exact)));
            }
            random.shuffle(&mut updates);
            let (mut left, mut right) = (Histogram::default(), Histogram::default());
            for (at, &(value, diff)) in updates.iter().enumerate() {
                let half = if at % 2 == 0 { &mut left } else { &mut right };
                half.add(value, diff);
            }
            left.merge(&right);
            assert_eq!(state, left);
            let bytes = bincode::serialize(&state).unwrap();
            assert_eq!(bytes, bincode::serialize(&left).unwrap());
            assert_eq!(state, bincode::deserialize(&bytes).unwrap());
            updates.iter().for_each(|&(value, diff)| state.add(value, -diff));
            assert!(state.is_empty());
            assert_eq!(state, Histogram::default());
        }
    }

    #[test]
    fn foreign_buckets_are_refused() {
        let bytes = bincode::serialize(&vec![(i32::MAX, 1i64)]).unwrap();
        assert!(bincode::deserialize::<Histogram>(&bytes).is_err());
    }
}
