//! A quotient of two sums: a share (hits of trials) or a mean (an amount per row). The two sums
//! are integers, so it can be changed and taken back exactly; it is compared by multiplying
//! crosswise, and becomes a float only when it is read.

use super::{Group, compare_products};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// `part` over `whole`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ratio {
    /// The hits, or the amount.
    pub part: i128,
    /// The trials, or the rows.
    pub whole: i64,
}

const BILLION: i128 = 1_000_000_000;
/// z^2 for a 95 % interval (z = 1.959964), in billionths.
const Z_SQUARED: i128 = 3_841_458_821;

impl Ratio {
    /// One more trial, if its outcome is known.
    pub fn add_trial(&mut self, hit: Option<bool>, diff: i64) {
        if let Some(hit) = hit {
            self.add(i64::from(hit), diff);
        }
    }

    /// One more row with an amount.
    pub fn add(&mut self, amount: i64, diff: i64) {
        self.part += i128::from(amount) * i128::from(diff);
        self.whole += diff;
    }

    /// The quotient, rounded once; none where there is nothing to divide by.
    pub fn value(self) -> Option<f64> {
        (self.whole > 0).then(|| self.part as f64 / self.whole as f64)
    }

    /// Which of two quotients is larger, exactly. One without a whole is less than any other.
    pub fn compare(self, other: Ratio) -> Ordering {
        match (self.whole > 0, other.whole > 0) {
            (true, true) => {
                compare_products(self.part, other.whole.into(), other.part, self.whole.into())
            }
            (some, other) => some.cmp(&other),
        }
    }

    /// The lower end of the 95 % Wilson score interval of a share, to be shown: with s hits of n,
    /// `(2s + z^2 - sqrt(z^4 + 4 z^2 s (n - s) / n)) / 2(n + z^2)`. None for no trials or an
    /// impossible share.
    pub fn wilson_lower(self) -> Option<f64> {
        if self.whole <= 0 || self.part < 0 || self.part > i128::from(self.whole) {
            return None;
        }
        let (s, n) = (self.part as f64, self.whole as f64);
        let z_squared = Z_SQUARED as f64 / BILLION as f64;
        let spread = (z_squared * z_squared + 4.0 * z_squared * s * (n - s) / n).sqrt();
        Some((2.0 * s + z_squared - spread) / (2.0 * (n + z_squared)))
    }

    /// The same bound in billionths, rounded down, to be compared: an integer from integers, so
    /// shares are ranked alike everywhere.
    pub fn wilson_rank(self) -> Option<i64> {
        let (s, n) = (self.part, i128::from(self.whole));
        if n <= 0 || s < 0 || s > n {
            return None;
        }
        // 4 z^2 s (n - s) / n + z^4, rounded down, in parts that all fit: n is below 2^63, and the
        // factor below 2^64.
        let (factor, product) = (4 * Z_SQUARED * BILLION, s * (n - s));
        let square = factor * (product / n) + factor * (product % n) / n + Z_SQUARED * Z_SQUARED;
        let root = square.isqrt(); // in billionths, and so is what it is taken from
        let least = 2 * s * BILLION + Z_SQUARED - root;
        i64::try_from(least.checked_mul(BILLION)? / (2 * (n * BILLION + Z_SQUARED))).ok()
    }
}

impl Group for Ratio {
    type State = Ratio;
    #[inline]
    fn is_zero(&self) -> bool {
        *self == Ratio::default()
    }
    #[inline]
    fn absorb(state: &mut Ratio, delta: Ratio) {
        state.part += delta.part;
        state.whole += delta.whole;
    }
    fn contents(state: &Ratio) -> Ratio {
        *state
    }
    #[inline]
    fn is_nothing(state: &Ratio) -> bool {
        state.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Random;
    use super::*;

    fn wilson(s: f64, n: f64) -> f64 {
        let (z, p) = (1.959_963_984_540_054, s / n);
        let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        (p + z * z / (2.0 * n) - spread) / (1.0 + z * z / n)
    }

    #[test]
    fn the_bound_is_the_textbook_formula() {
        let mut random = Random(5);
        for _ in 0..20_000 {
            let bits = random.below(31);
            let whole = random.between(1, 1 << bits);
            let share = Ratio { part: random.between(0, whole).into(), whole };
            let want = wilson(share.part as f64, whole as f64);
            assert!((share.wilson_lower().unwrap() - want).abs() < 1e-9, "{share:?}");
            assert!((share.wilson_rank().unwrap() as f64 / 1e9 - want).abs() < 3e-9, "{share:?}");
        }
        assert_eq!(Ratio { part: 0, whole: 7 }.wilson_rank(), Some(0));
        assert_eq!(Ratio { part: 8, whole: 7 }.wilson_rank(), None);
        assert_eq!(Ratio::default().wilson_lower(), None);
        // Shares of the most trials there can be, to the last billionth.
        let many = Ratio { part: i128::from(i64::MAX) / 4, whole: i64::MAX };
        assert_eq!(many.wilson_rank(), Some(249_999_999));
        // 9 of 10: tables give 0.5958.
        assert_eq!(Ratio { part: 9, whole: 10 }.wilson_rank().unwrap() / 100_000, 5_958);
    }

    #[test]
    fn quotients_compare_exactly_and_changes_cancel() {
        let mut random = Random(6);
        for _ in 0..20_000 {
            let mut one =
                || Ratio { part: random.between(-9, 9).into(), whole: random.between(1, 9) };
            let (a, b) = (one(), one());
            // Small quotients that differ do so by at least 1/81.
            let (x, y) = (a.part as f64 / a.whole as f64, b.part as f64 / b.whole as f64);
            let want = if (x - y).abs() < 1e-3 { Ordering::Equal } else { x.total_cmp(&y) };
            assert_eq!(a.compare(b), want);
            assert_eq!(b.compare(a), want.reverse());
            let mut sum = a;
            let amount = random.bits() as i64;
            sum.add(amount, 3);
            sum.add(amount, -3);
            assert_eq!(sum, a);
        }
        let huge = Ratio { part: i64::MAX.into(), whole: i64::MAX };
        assert_eq!(huge.compare(Ratio { part: 1, whole: 1 }), Ordering::Equal);
        assert_eq!(huge.compare(Ratio::default()), Ordering::Greater);
    }
}
