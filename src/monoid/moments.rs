//! Counts, sums and products of values, exact, from which mean, variance and correlation are
//! read.
//!
//! Sums are 192 bits wide, so rows up to a net 2^63 of any `i64` values cannot overflow. A
//! reader needs them to fit `i128` (10^12 rows of amounts up to 10^12 take 120 bits) and answers
//! `None` otherwise. Numerators such as `n * squares - sum^2` are taken in 256-bit integers:
//! nothing cancels in floats, and each is rounded once.

use serde::{Deserialize, Serialize};

use super::wide::{Wide, difference_of_products};

/// Count, sum and sum of squares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moments {
    n: i64,
    sum: Wide,
    squares: Wide,
}

impl Moments {
    /// Changes the count of rows with value `x` by `diff`.
    #[inline]
    pub fn add(&mut self, x: i64, diff: i64) {
        let x_diff = i128::from(x) * i128::from(diff);
        self.n = self.n.wrapping_add(diff);
        self.sum.add(x_diff);
        self.squares.add_product(x, x_diff);
    }

    /// Adds the rows of `other`.
    pub fn plus(&mut self, other: &Moments) {
        self.n = self.n.wrapping_add(other.n);
        self.sum.plus(&other.sum);
        self.squares.plus(&other.squares);
    }

    /// Turns every row into its retraction.
    pub fn negate(&mut self) {
        self.n = self.n.wrapping_neg();
        self.sum.negate();
        self.squares.negate();
    }

    /// Whether nothing is left. True for no rows, and for rows that agree in all three sums.
    pub fn is_zero(&self) -> bool {
        *self == Moments::default()
    }

    /// The number of rows.
    pub fn count(&self) -> i64 {
        self.n
    }

    /// The exact sum, if it fits.
    pub fn sum(&self) -> Option<i128> {
        self.sum.get()
    }

    /// The mean of at least one row.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then_some(self.sum.get()? as f64 / self.n as f64)
    }

    /// The variance of the rows as a whole population.
    pub fn population_variance(&self) -> Option<f64> {
        self.variance(self.n)
    }

    /// The variance of the rows as a sample: divided by `n - 1`, none for fewer than two rows.
    pub fn sample_variance(&self) -> Option<f64> {
        self.variance(self.n.checked_sub(1)?)
    }

    /// The square root of the sample variance.
    pub fn stddev(&self) -> Option<f64> {
        Some(self.sample_variance()?.sqrt())
    }

    fn variance(&self, degrees: i64) -> Option<f64> {
        if degrees <= 0 {
            return None;
        }
        let spread = spread(self.n, &self.squares, &self.sum, &self.sum)?;
        // Rows that are still to be matched can push the spread below zero.
        (spread >= 0.0).then_some(spread / (i128::from(self.n) * i128::from(degrees)) as f64)
    }
}

/// `n * products - left * right`, the numerator of a variance or covariance times `n^2`.
fn spread(n: i64, products: &Wide, left: &Wide, right: &Wide) -> Option<f64> {
    let (products, left, right) = (products.get()?, left.get()?, right.get()?);
    Some(difference_of_products(i128::from(n), products, left, right))
}

/// Sums of pairs, for their correlation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrossMoments {
    n: i64,
    sx: Wide,
    sy: Wide,
    sxx: Wide,
    syy: Wide,
    sxy: Wide,
}

impl CrossMoments {
    /// Changes the count of the pair by `diff`.
    #[inline]
    pub fn add(&mut self, x: i64, y: i64, diff: i64) {
        let x_diff = i128::from(x) * i128::from(diff);
        let y_diff = i128::from(y) * i128::from(diff);
        self.n = self.n.wrapping_add(diff);
        self.sx.add(x_diff);
        self.sy.add(y_diff);
        self.sxx.add_product(x, x_diff);
        self.syy.add_product(y, y_diff);
        self.sxy.add_product(x, y_diff);
    }

    /// Adds the pairs of `other`.
    pub fn plus(&mut self, other: &CrossMoments) {
        self.n = self.n.wrapping_add(other.n);
        for (mine, theirs) in self.sums().into_iter().zip({ *other }.sums()) {
            mine.plus(theirs);
        }
    }

    /// Turns every pair into its retraction.
    pub fn negate(&mut self) {
        self.n = self.n.wrapping_neg();
        self.sums().into_iter().for_each(Wide::negate);
    }

    /// Whether nothing is left.
    pub fn is_zero(&self) -> bool {
        *self == CrossMoments::default()
    }

    /// The number of pairs.
    pub fn count(&self) -> i64 {
        self.n
    }

    /// Pearson's correlation, in -1..=1; none for fewer than two pairs or when either side does
    /// not vary.
    pub fn correlation(&self) -> Option<f64> {
        if self.n < 2 {
            return None;
        }
        let x = spread(self.n, &self.sxx, &self.sx, &self.sx)?;
        let y = spread(self.n, &self.syy, &self.sy, &self.sy)?;
        let xy = spread(self.n, &self.sxy, &self.sx, &self.sy)?;
        // One root of the product, not two roots: then y = x gives exactly 1. Each factor is
        // below 2^255, so the product is far from the largest float.
        (x > 0.0 && y > 0.0).then_some((xy / (x * y).sqrt()).clamp(-1.0, 1.0))
    }

    fn sums(&mut self) -> [&mut Wide; 5] {
        [&mut self.sx, &mut self.sy, &mut self.sxx, &mut self.syy, &mut self.sxy]
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Random;
    use super::*;

    fn near(got: Option<f64>, want: Option<f64>) {
        match (got, want) {
            (Some(got), Some(want)) => {
                assert!((got - want).abs() <= 1e-9 * want.abs().max(1e-3), "{got} {want}");
            }
            _ => assert_eq!(got, want),
        }
    }

    /// The sum of products of deviations from the means, over the rows themselves and scaled by
    /// n^2 so that integers do.
    fn two_pass(x: &[i64], y: &[i64]) -> Option<f64> {
        let n = x.len() as i128;
        let sum = |rows: &[i64]| rows.iter().map(|&v| i128::from(v)).sum::<i128>();
        let (sx, sy) = (sum(x), sum(y));
        let part = |(&x, &y): (&i64, &i64)| (n * i128::from(x) - sx) * (n * i128::from(y) - sy);
        let total: i128 = x.iter().zip(y).map(part).sum();
        (n > 0).then(|| total as f64 / (n * n) as f64)
    }

    #[test]
    fn agrees_with_the_two_pass_definitions() {
        let mut random = Random(21);
        for _ in 0..3_000 {
            let far = [0, 1_000_000_000_000][random.below(2) as usize];
            let spread = random.between(0, 1_000);
            let rows = random.below(30) as usize;
            let draw = |random: &mut Random| far + random.between(-spread, spread);
            let x: Vec<i64> = (0..rows).map(|_| draw(&mut random)).collect();
            let y: Vec<i64> = (0..rows).map(|_| draw(&mut random)).collect();
            let mut updates: Vec<(i64, i64, i64)> =
                x.iter().zip(&y).map(|(&x, &y)| (x, y, 1)).collect();
            for _ in 0..random.below(9) {
                let (x, y, by) = (random.bits() as i64, random.bits() as i64, random.bits() as i64);
                updates.extend([(x, y, by >> 2), (x, y, -(by >> 2))]);
            }
            random.shuffle(&mut updates);
            let (mut one, mut two) = (Moments::default(), CrossMoments::default());
            for &(x, y, diff) in &updates {
                one.add(x, diff);
                two.add(x, y, diff);
            }
            let n = rows as f64;
            assert_eq!(one.count(), rows as i64);
            assert_eq!(one.sum(), Some(x.iter().map(|&v| i128::from(v)).sum()));
            let squares = two_pass(&x, &x);
            near(one.mean(), (rows > 0).then(|| x.iter().sum::<i64>() as f64 / n));
            near(one.population_variance(), squares.map(|s| s / n));
            let sample = squares.filter(|_| rows > 1).map(|s| s / (n - 1.0));
            near(one.sample_variance(), sample);
            near(one.stddev(), sample.map(f64::sqrt));
            let varies = |v: &[i64]| v.iter().any(|&other| other != v[0]);
            let r = (varies(&x) && varies(&y)).then(|| {
                two_pass(&x, &y).unwrap() / (squares.unwrap() * two_pass(&y, &y).unwrap()).sqrt()
            });
            near(two.correlation(), r);
            random.shuffle(&mut updates);
            let (mut left, mut right) = (CrossMoments::default(), CrossMoments::default());
            for (at, &(x, y, diff)) in updates.iter().enumerate() {
                if at % 3 == 0 {
                    left.add(x, y, diff);
                } else {
                    right.add(x, y, diff.wrapping_neg());
                }
            }
            right.negate();
            left.plus(&right);
            let bytes = bincode::serialize(&two).unwrap();
            assert_eq!(bytes, bincode::serialize(&left).unwrap());
            assert_eq!(two, bincode::deserialize(&bytes).unwrap());
            left.negate();
            two.plus(&left);
            assert!(two.is_zero());
            let mut back = one;
            back.negate();
            back.plus(&one);
            assert!(back.is_zero());
        }
    }

    #[test]
    fn exact_lines_correlate_exactly() {
        let mut pairs = CrossMoments::default();
        (0..1_000).for_each(|x| pairs.add(x * x, x * x, 1));
        assert_eq!(pairs.correlation(), Some(1.0));
        let mut pairs = CrossMoments::default();
        (0..1_000).for_each(|x| pairs.add(x, -x, 1));
        assert_eq!(pairs.correlation(), Some(-1.0));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_comes_back() {
        let trillion = 1_000_000_000_000;
        let mut state = Moments::default();
        state.add(trillion, trillion);
        state.add(-trillion, trillion);
        near(state.population_variance(), Some(1e24));
        state.add(i64::MAX, i64::MAX);
        state.add(i64::MIN, 40);
        assert_eq!(state.population_variance(), None);
        state.add(i64::MAX, -i64::MAX);
        state.add(i64::MIN, -40);
        near(state.population_variance(), Some(1e24));
    }
}
