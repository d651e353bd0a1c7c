//! A 192-bit sum: an `i128` that wraps and a count of its wraps.
//!
//! The value held is `low + wraps * 2^128`, which is exact for every sum of fewer than 2^63
//! products of three `i64`. So a sum that leaves `i128` for a while comes back to its exact
//! value when rows are retracted, and a reader is told when it does not fit, never lied to.

use super::Group;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// An exact sum of products. Its order is only there so that rows can be sorted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Wide {
    low: i128,
    wraps: i64,
}

impl Wide {
    /// Adds a term.
    #[inline]
    pub fn add(&mut self, term: i128) {
        let (low, wrapped) = self.low.overflowing_add(term);
        self.low = low;
        if wrapped {
            self.wraps = self.wraps.wrapping_add(if term < 0 { -1 } else { 1 });
        }
    }

    /// Adds `a * b * diff`, where `b_diff` is `b * diff`.
    #[inline]
    pub fn add_product(&mut self, a: i64, b_diff: i128) {
        match i64::try_from(b_diff) {
            Ok(narrow) => self.add(i128::from(a) * i128::from(narrow)),
            Err(_) => self.add_far(a, b_diff),
        }
    }

    /// The same when the product may need more than 128 bits: in two halves, the upper one
    /// shifted by 64 bits.
    #[cold]
    fn add_far(&mut self, a: i64, b_diff: i128) {
        let upper = i128::from(a) * (b_diff >> 64);
        let lower = i128::from(a) * i128::from(b_diff as u64);
        self.add(lower);
        self.plus(&Wide {
            low: upper << 64,
            // What the shift pushed out, plus one when it left a negative remainder behind.
            wraps: ((upper >> 64) as i64) + i64::from((upper << 64) < 0),
        });
    }

    /// Adds `term`, `times` times.
    pub fn add_times(&mut self, term: i128, times: i64) {
        self.add_product(times, term);
    }

    /// Adds another sum.
    pub fn plus(&mut self, other: &Wide) {
        self.add(other.low);
        self.wraps = self.wraps.wrapping_add(other.wraps);
    }

    /// The sum, so many times: by doubling, modulo 2^192.
    #[must_use]
    pub fn times(&self, n: i64) -> Wide {
        let (mut sum, mut power, mut rest) = (Wide::default(), *self, n.unsigned_abs());
        while rest > 0 {
            if rest & 1 == 1 {
                sum.plus(&power);
            }
            power.plus(&{ power });
            rest >>= 1;
        }
        if n < 0 {
            sum.negate();
        }
        sum
    }

    /// Turns the sum into its opposite.
    pub fn negate(&mut self) {
        let (low, wraps) = (self.low, self.wraps);
        *self = Wide { low: 0, wraps: wraps.wrapping_neg() };
        match low.checked_neg() {
            Some(opposite) => self.low = opposite,
            // The opposite of -2^127 is 2^127, which reads as -2^127 and one wrap.
            None => {
                self.low = low;
                self.wraps = self.wraps.wrapping_add(1);
            }
        }
    }

    /// The sum, if it fits.
    pub fn get(&self) -> Option<i128> {
        (self.wraps == 0).then_some(self.low)
    }
}

impl Group for Wide {
    type State = Wide;
    fn is_zero(&self) -> bool {
        *self == Wide::default()
    }
    fn absorb(state: &mut Wide, delta: Wide) {
        state.plus(&delta);
    }
    fn contents(state: &Wide) -> Wide {
        *state
    }
    fn is_nothing(state: &Wide) -> bool {
        state.is_zero()
    }
}

/// Which of `a * b` and `c * d` is larger, exactly.
pub fn compare_products(a: i128, b: i128, c: i128, d: i128) -> Ordering {
    let (left, right) = (Product::of(a, b), Product::of(c, d));
    let signed = |p: &Product| match (p.magnitude == (0, 0), p.negative) {
        (true, _) => 0,
        (_, true) => -1,
        (_, false) => 1,
    };
    signed(&left).cmp(&signed(&right)).then_with(|| {
        let sizes = left.magnitude.cmp(&right.magnitude);
        if left.negative { sizes.reverse() } else { sizes }
    })
}

/// `a * b - c * d` exactly, rounded once to a float.
pub fn difference_of_products(a: i128, b: i128, c: i128, d: i128) -> f64 {
    let (left, right) = (Product::of(a, b), Product::of(c, d));
    if left.negative == right.negative {
        let (left_first, negative) = (left.magnitude >= right.magnitude, left.negative);
        if left_first {
            signed(negative, subtract(left.magnitude, right.magnitude))
        } else {
            signed(!negative, subtract(right.magnitude, left.magnitude))
        }
    } else {
        signed(left.negative, sum(left.magnitude, right.magnitude))
    }
}

/// A 256-bit magnitude as (upper, lower) halves, so that tuples compare as numbers.
type Magnitude = (u128, u128);

struct Product {
    negative: bool,
    magnitude: Magnitude,
}

impl Product {
    fn of(a: i128, b: i128) -> Product {
        const HALF: u128 = u64::MAX as u128;
        let (x, y) = (a.unsigned_abs(), b.unsigned_abs());
        let (x1, x0, y1, y0) = (x >> 64, x & HALF, y >> 64, y & HALF);
        // Each partial sum is below 2^128: (2^64-1)^2 plus two 64-bit carries fits.
        let low = x0 * y0;
        let middle = x1 * y0 + (low >> 64);
        let other = x0 * y1 + (middle & HALF);
        Product {
            negative: (a < 0) != (b < 0),
            magnitude: (x1 * y1 + (middle >> 64) + (other >> 64), (other << 64) | (low & HALF)),
        }
    }
}

fn subtract(large: Magnitude, small: Magnitude) -> Magnitude {
    let (low, borrow) = large.1.overflowing_sub(small.1);
    (large.0 - small.0 - u128::from(borrow), low)
}

fn sum(a: Magnitude, b: Magnitude) -> Magnitude {
    // Products of two 127-bit magnitudes stay below 2^254, so their sum has no carry out.
    let (low, carry) = a.1.overflowing_add(b.1);
    (a.0 + b.0 + u128::from(carry), low)
}

fn signed(negative: bool, magnitude: Magnitude) -> f64 {
    let size = if magnitude.0 == 0 {
        magnitude.1 as f64
    } else {
        // Keeps the top 128 bits and ors the rest into the last one, which cannot be a tie
        // then: the conversion rounds once and rightly.
        let shift = 128 - magnitude.0.leading_zeros();
        let top = if shift == 128 {
            magnitude.0
        } else {
            (magnitude.0 << (128 - shift)) | (magnitude.1 >> shift)
        };
        let lost = if shift == 128 { magnitude.1 } else { magnitude.1 << (128 - shift) };
        (top | u128::from(lost != 0)) as f64 * 2f64.powi(shift as i32)
    };
    if negative { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Random;
    use super::*;

    fn some(random: &mut Random) -> i64 {
        random.bits() as i64 >> random.below(64)
    }

    /// (wraps, low) of a * b * c by schoolbook digits of 32 bits in two's complement.
    fn twin(terms: &[(i64, i64, i64)]) -> (i64, i128) {
        let mut sum = [0i128; 6];
        for &(a, b, c) in terms {
            let mut digits = [1u128, 0, 0, 0, 0, 0];
            for factor in [a, b, c] {
                let mut carry = 0u128;
                let size = u128::from(factor.unsigned_abs());
                for digit in &mut digits {
                    let value = *digit * size + carry;
                    *digit = value & 0xffff_ffff;
                    carry = value >> 32;
                }
            }
            let sign = i128::from(a.signum() * b.signum() * c.signum());
            for (total, digit) in sum.iter_mut().zip(digits) {
                *total += sign * digit as i128;
            }
        }
        let mut carry = 0i128;
        for digit in &mut sum {
            let value = *digit + carry;
            *digit = value & 0xffff_ffff;
            carry = value >> 32;
        }
        let low = (0..4).fold(0u128, |low, at| low | (sum[at] as u128) << (32 * at));
        let high = (sum[4] | sum[5] << 32) as u64 as i64;
        (high + i64::from((low as i128) < 0), low as i128)
    }

    #[test]
    fn sums_are_exact_to_192_bits() {
        let mut random = Random(11);
        for _ in 0..5_000 {
            let terms: Vec<_> = (0..random.below(12))
                .map(|_| (some(&mut random), some(&mut random), some(&mut random)))
                .collect();
            let (mut sum, mut opposite) = (Wide::default(), Wide::default());
            for &(a, b, c) in &terms {
                sum.add_product(a, i128::from(b) * i128::from(c));
                opposite.add_product(a, -(i128::from(b) * i128::from(c)));
            }
            assert_eq!((sum.wraps, sum.low), twin(&terms), "{terms:?}");
            opposite.negate();
            assert_eq!(sum, opposite);
            assert_eq!(sum.times(1), sum);
            let mut thrice = sum;
            (0..2).for_each(|_| thrice.plus(&sum));
            assert_eq!(sum.times(3), thrice);
            thrice.negate();
            assert_eq!(sum.times(-3), thrice);
            sum.negate();
            sum.plus(&opposite);
            assert_eq!(sum, Wide::default());
        }
    }

    #[test]
    fn products_compare_as_the_difference_does() {
        let mut random = Random(13);
        for _ in 0..20_000 {
            let mut one = || i128::from(some(&mut random) >> 1);
            let (a, b, c, d) = (one(), one(), one(), one());
            assert_eq!(compare_products(a, b, c, d), (a * b).cmp(&(c * d)), "{a} {b} {c} {d}");
            let far = compare_products(a << 60, b << 60, c << 60, d << 60);
            assert_eq!(far, (a * b).cmp(&(c * d)), "{a} {b} {c} {d}");
        }
        let m = i128::MIN;
        assert_eq!(compare_products(m, m, i128::MAX, m), Ordering::Greater);
        assert_eq!(compare_products(m, 0, 0, 5), Ordering::Equal);
    }

    #[test]
    fn differences_round_once() {
        let mut random = Random(12);
        for _ in 0..20_000 {
            let [a, b, c, d] = [(); 4].map(|()| i128::from(some(&mut random) >> 2));
            // Small enough for i128: its own conversion is the twin.
            assert_eq!(difference_of_products(a, b, c, d), (a * b - c * d) as f64);
            // Scaled by a power of two, the answer scales exactly.
            let far = difference_of_products(a << 60, b << 60, c << 60, d << 60);
            assert_eq!(far, (a * b - c * d) as f64 * 2f64.powi(120));
        }
        // 2^200 + 2^147 is a tie and goes to even; one more, far below 128 bits, breaks it.
        let (root, c, d) = (1 << 100, -(1 << 49) - 1, (1 << 98) - (1 << 49) + 1);
        let tie = difference_of_products(root, root, -(1 << 74), 1 << 73);
        assert_eq!(tie, 2f64.powi(200));
        let broken = difference_of_products(root, root, c, d);
        assert_eq!(broken, 2f64.powi(200) + 2f64.powi(148));
        let m = i128::MIN;
        assert_eq!(difference_of_products(m, m, 0, 0), 2f64.powi(254));
        assert_eq!(difference_of_products(m, m, m, i128::MAX), 2f64.powi(255));
    }
}
