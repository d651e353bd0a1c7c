//! Quotients of whole numbers, such as means: kept as what they are, and rounded once, when they
//! are written.
//!
//! A mean of cents that is rounded to a float and then divided by a hundred is rounded twice, and
//! its last digit may differ from that of whoever divides once.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// A quotient in lowest terms, so that equal ones are the same row. `P` is its power of money, as
/// that of [`Real`](super::Real).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Quotient<const P: u8 = 0> {
    top: i128,
    /// Above zero.
    bottom: i128,
}

impl<const P: u8> Quotient<P> {
    /// `top / bottom`; none where it cannot be computed.
    pub fn of(top: impl Into<i128>, bottom: impl Into<i128>) -> Option<Self> {
        let (top, bottom) = (top.into(), bottom.into());
        let common = i128::try_from(divisor(top.unsigned_abs(), bottom.unsigned_abs())).ok()?;
        // Zero only where both are: there is no such quotient.
        let (top, bottom) = (top.checked_div(common)?, bottom.checked_div(common)?);
        match bottom.cmp(&0) {
            Ordering::Greater => Some(Quotient { top, bottom }),
            Ordering::Equal => None,
            Ordering::Less => {
                Some(Quotient { top: top.checked_neg()?, bottom: bottom.checked_neg()? })
            }
        }
    }

    /// What is divided, and by what, in lowest terms.
    pub fn terms(self) -> (i128, i128) {
        (self.top, self.bottom)
    }

    /// As a float.
    pub fn number(self) -> f64 {
        divided(self.top, self.bottom)
    }
}

impl<const P: u8> PartialOrd for Quotient<P> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<const P: u8> Ord for Quotient<P> {
    /// By value, exactly. Multiplying crosswise could be too large, so the whole parts are
    /// compared, and where they are equal the reciprocals of what is left, the other way round.
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (self.terms(), other.terms());
        loop {
            let whole = a.0.div_euclid(a.1).cmp(&b.0.div_euclid(b.1));
            let left = (a.0.rem_euclid(a.1), b.0.rem_euclid(b.1));
            match (whole, left) {
                (Ordering::Equal, (0, _)) | (Ordering::Equal, (_, 0)) => {
                    return left.0.cmp(&left.1);
                }
                (Ordering::Equal, _) => (a, b) = ((b.1, left.1), (a.1, left.0)),
                (differs, _) => return differs,
            }
        }
    }
}

/// The greatest common divisor.
fn divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The float nearest to `top / bottom` where both are floats as they are, so that one division
/// rounds once and lowest terms change nothing; `bottom` has to be above zero.
#[inline]
pub(super) fn plain(top: i128, bottom: i128) -> Option<f64> {
    const EXACT: i128 = 1 << f64::MANTISSA_DIGITS;
    let exact = (-EXACT..=EXACT).contains(&top) && (1..=EXACT).contains(&bottom);
    exact.then(|| top as f64 / bottom as f64)
}

/// The float nearest to `top / bottom`, where `bottom` is above zero.
pub(super) fn divided(top: i128, bottom: i128) -> f64 {
    if let Some(number) = plain(top, bottom) {
        return number;
    }
    let (size, below) = (top.unsigned_abs(), bottom.unsigned_abs());
    // The divisor is beyond any that counts and decimals make up.
    if below > u64::MAX.into() || size == 0 {
        return top as f64 / bottom as f64;
    }
    // A quotient of 64 bits and more, the last of which says whether anything follows, is rounded
    // to 53 as the whole of it would be. Taking the shift back only changes the exponent.
    let shift = size.leading_zeros();
    let (quotient, rest) = ((size << shift) / below, (size << shift) % below);
    let nearest = (quotient | u128::from(rest != 0)) as f64 * 0.5f64.powi(shift as i32);
    if top < 0 { -nearest } else { nearest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn equal_quotients_are_the_same_and_none_is_divided_by_nothing() {
        assert_eq!(Quotient::<0>::of(2, 4), Quotient::of(-1, -2));
        assert_eq!(Quotient::<0>::of(0, 7), Quotient::of(0, -1));
        assert_eq!(Quotient::<0>::of(1, 0), None);
        assert_eq!(Quotient::<0>::of(0, 0), None);
        assert_eq!(Quotient::<0>::of(-6, 4).map(Quotient::number), Some(-1.5));
        assert_eq!(Quotient::<0>::of(i128::MIN, -1), None);
    }

    #[test]
    fn the_order_is_that_of_the_values() {
        let mut all = Vec::new();
        for top in -20..=20i128 {
            all.extend((1..=12i128).filter_map(|bottom| Quotient::<1>::of(top, bottom)));
        }
        for a in &all {
            for b in &all {
                let crosswise = (a.top * b.bottom).cmp(&(b.top * a.bottom));
                assert_eq!(a.cmp(b), crosswise, "{a:?} {b:?}");
            }
        }
        let near = |top: i128| Quotient::<1>::of(top, i128::MAX - 1);
        assert!(near(i128::MAX - 3) < near(i128::MAX - 2));
    }

    /// The nearest float by comparing products: no other is nearer, and of two as near it is the
    /// even one.
    fn is_nearest(top: i128, bottom: i128, got: f64) -> bool {
        let distance = |x: f64| {
            // Exact for numbers of this size: floats of at least 2^-40 and whole numbers below 2^70.
            let scaled = (x * 2f64.powi(40)) as i128;
            (scaled * bottom - (top << 40)).unsigned_abs()
        };
        let (lower, upper) = (got.next_down(), got.next_up());
        let even = got.to_bits().is_multiple_of(2);
        let better = |other: f64| match distance(other).cmp(&distance(got)) {
            Ordering::Less => true,
            Ordering::Equal => !even,
            Ordering::Greater => false,
        };
        !better(lower) && !better(upper)
    }

    #[test]
    fn a_division_is_rounded_once() {
        assert_eq!(divided(31, 300), 31.0 / 300.0);
        let mut random = Random::new(1);
        let mut draw = |bits: u32| i128::from(random.bits() >> (64 - bits));
        for round in 0..20_000 {
            // Quotients from 2^12 on, whose floats are whole multiples of 2^-40.
            let bottom = draw(1 + round % 20) + 1;
            let top = bottom * draw(40) + draw(12) + (bottom << 13);
            assert!(is_nearest(top, bottom, divided(top, bottom)), "{top} / {bottom}");
            assert_eq!(divided(-top, bottom), -divided(top, bottom));
        }
    }
}
