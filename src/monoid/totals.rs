//! Count, sum and sum of squares of values in the order of their times.

use super::{Dated, Summary};

/// Sums over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Events, net of retractions.
    pub count: i64,
    /// The sum of values.
    pub sum: i128,
    /// The sum of squared values; exact up to 2^127, as for 10^12 events of up to 10^12.
    pub squares: i128,
}

impl Totals {
    /// Those of a value that is there so often.
    fn of(value: i64, count: i64) -> Totals {
        let value = i128::from(value);
        if count == 1 {
            // Nearly always; one widening multiplication.
            return Totals { count, sum: value, squares: value * value };
        }
        let sum = value * i128::from(count);
        Totals { count, sum, squares: value.wrapping_mul(sum) }
    }

    fn plus(&mut self, other: &Totals) {
        self.count = self.count.wrapping_add(other.count);
        self.sum = self.sum.wrapping_add(other.sum);
        self.squares = self.squares.wrapping_add(other.squares);
    }
}

impl<T> Summary<Dated<T>> for Totals {
    fn push(&mut self, item: &Dated<T>, count: i64) {
        self.plus(&Totals::of(item.value, count));
    }

    fn append(&mut self, next: &Self) {
        self.plus(next);
    }
}
