//! `normalise`: a number relative to the others of its group, by min-max or z-score.
//!
//! A change of a group's least or largest value changes every row of the group, so the group is
//! read again when it changes: meant for groups of hours or items, not of single events. The group's
//! values are kept in an arrangement; bound: the collection itself.

use super::{Collection, Key};
use crate::monoid::Moments;
use crate::value::Real;

/// How a value is related to its group.
pub trait Scale: 'static {
    /// What must be known of the group.
    type Of;
    /// Reads that from the group's values with their multiplicities.
    fn of(values: &mut dyn Iterator<Item = (i64, i64)>) -> Self::Of;
    /// The scaled value; `None` where the group does not vary.
    fn scale(of: &Self::Of, value: i64) -> Option<f64>;
}

/// (x - min) / (max - min): 0 for the least value of the group, 1 for the largest.
pub enum MinMax {}
impl Scale for MinMax {
    type Of = (i64, i64);
    fn of(values: &mut dyn Iterator<Item = (i64, i64)>) -> (i64, i64) {
        values.fold((i64::MAX, i64::MIN), |(low, high), (x, _)| (low.min(x), high.max(x)))
    }
    fn scale(&(low, high): &(i64, i64), value: i64) -> Option<f64> {
        let distance = |a: i64, b: i64| (i128::from(a) - i128::from(b)) as f64;
        (high > low).then(|| distance(value, low) / distance(high, low))
    }
}

/// (x - mean) / standard deviation, with the sample's n - 1.
pub enum ZScore {}
impl Scale for ZScore {
    type Of = Moments;
    fn of(values: &mut dyn Iterator<Item = (i64, i64)>) -> Moments {
        let mut moments = Moments::default();
        values.for_each(|(x, diff)| moments.add(x, diff));
        moments
    }
    fn scale(of: &Moments, value: i64) -> Option<f64> {
        let deviation = of.stddev().filter(|s| *s > 0.0)?;
        Some((value as f64 - of.mean()?) / deviation)
    }
}

/// An item of a group with its value, and the value relative to the group.
pub type Normalised<G, K> = (G, (K, i64, Option<Real>));

/// Adds to each `(group, (item, value))` the value relative to its group.
pub fn normalise<'s, S: Scale, G: Key, K: Key>(
    values: Collection<'s, (G, (K, i64))>,
) -> Collection<'s, Normalised<G, K>> {
    values.reduce(|_group, values, out| {
        let of = S::of(&mut values.iter().map(|(v, diff)| (v.1, *diff as i64)));
        for ((item, value), diff) in values {
            out.push(((item.clone(), *value, S::scale(&of, *value).map(Real)), *diff));
        }
    })
}
