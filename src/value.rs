//! The types a query's rows are made of, and how they are written.
//!
//! Everything that is accumulated is an integer ([`Money`], [`Hour`], counts). A [`Quotient`] is
//! made of two of them, and rounded when it is written. A [`Real`] is computed from integers at
//! the moment a row is read, by the same arithmetic on every worker, so equal state gives equal
//! bytes. `Real` is totally ordered so that rows can be sorted.

use crate::text::Text;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};

mod iso4217;
mod quotient;

pub use iso4217::decimals_of;
pub use quotient::Quotient;

const HOUR: i64 = 3_600_000;

/// An hour of event time: hours since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hour(pub i32);

impl Hour {
    /// The hour an event time (milliseconds) falls in.
    #[inline]
    pub fn of(event_time: i64) -> Hour {
        // Event times lie between the years 1900 and 2200: the hour fits.
        Hour(event_time.div_euclid(HOUR) as i32)
    }
    /// Its first millisecond.
    pub fn start(self) -> Moment {
        Moment(i64::from(self.0) * HOUR)
    }
    /// Its last millisecond.
    pub fn last(self) -> Moment {
        Moment(i64::from(self.0) * HOUR + HOUR - 1)
    }
}

/// An instant of event time: milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment(pub i64);

/// An amount in minor units (cents).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Money(pub i64);

impl Money {
    /// An exact sum, if it fits.
    pub fn of(sum: Option<i128>) -> Option<Money> {
        sum.and_then(|sum| i64::try_from(sum).ok()).map(Money)
    }
}

/// A whole number, if it fits into 64 bits; a cell is empty where it does not.
pub fn whole(sum: i128) -> Option<i64> {
    i64::try_from(sum).ok()
}

/// A number computed from integers when a row is read. `P` is its power of money: 0 for a plain
/// number, 1 for an amount in minor units, 2 for the square of one (a variance).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Real<const P: u8 = 0>(pub f64);

impl<const P: u8> PartialEq for Real<P> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl<const P: u8> Eq for Real<P> {}
impl<const P: u8> PartialOrd for Real<P> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<const P: u8> Ord for Real<P> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}
impl<const P: u8> Hash for Real<P> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl Real {
    /// A quotient, rounded once; empty where it cannot be computed.
    pub fn ratio(numerator: impl Into<i128>, denominator: impl Into<i128>) -> Option<Real> {
        let (numerator, denominator) = (numerator.into(), denominator.into());
        match quotient::plain(numerator, denominator) {
            Some(number) => Some(Real(number)),
            None => Quotient::<0>::of(numerator, denominator).map(|q| Real(q.number())),
        }
    }
}

/// One cell of a row as sinks see it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Cannot be computed, or absent.
    Empty,
    /// A count or whole number.
    Integer(i64),
    /// A number; the second field is its power of money (see [`Real`]).
    Real(f64, u8),
    /// What is divided, by what (above zero), and the power of money.
    Quotient(i128, i128, u8),
    /// Minor units.
    Money(i64),
    /// Milliseconds since 1970, written as RFC 3339.
    Moment(i64),
    /// The same, and by how many seconds clocks are ahead of UTC where it is told.
    Local(i64, i32),
    /// Text from the data, or a name.
    Text(Text),
    /// Yes or no.
    Flag(bool),
}

/// What can stand in a row.
pub trait Cell {
    /// What it is, with its unit, in a few words.
    const KIND: &'static str;
    /// Whether it can be empty.
    const OPTIONAL: bool = false;
    /// As sinks see it.
    fn value(&self) -> Value;
}

macro_rules! cells {
    ($($ty:ty, $kind:literal: |$x:ident| $value:expr;)*) => {$(
        impl Cell for $ty {
            const KIND: &'static str = $kind;
            fn value(&self) -> Value { let $x = self; $value }
        }
    )*};
}
cells! {
    i64, "whole number": |x| Value::Integer(*x);
    u32, "whole number": |x| Value::Integer(i64::from(*x));
    u8, "whole number": |x| Value::Integer(i64::from(*x));
    bool, "true or false": |x| Value::Flag(*x);
    Hour, "time, UTC": |x| Value::Moment(x.start().0);
    Moment, "time, UTC": |x| Value::Moment(x.0);
    Money, "money": |x| Value::Money(x.0);
    String, "text": |x| Value::Text(Text::new(x));
}
impl Cell for Text {
    const KIND: &'static str = "text";
    const OPTIONAL: bool = true;
    fn value(&self) -> Value {
        if self.is_empty() { Value::Empty } else { Value::Text(self.clone()) }
    }
}
const fn number_kind(power: u8) -> &'static str {
    match power {
        0 => "number",
        1 => "money",
        _ => "money, squared",
    }
}
impl<const P: u8> Cell for Quotient<P> {
    const KIND: &'static str = number_kind(P);
    fn value(&self) -> Value {
        let (top, bottom) = self.terms();
        Value::Quotient(top, bottom, P)
    }
}
impl<const P: u8> Cell for Real<P> {
    const KIND: &'static str = number_kind(P);
    fn value(&self) -> Value {
        if self.0.is_finite() { Value::Real(self.0, P) } else { Value::Empty }
    }
}
impl<T: Cell> Cell for Option<T> {
    const KIND: &'static str = T::KIND;
    const OPTIONAL: bool = true;
    fn value(&self) -> Value {
        self.as_ref().map_or(Value::Empty, Cell::value)
    }
}

/// How money is written: its number of decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimals(pub u32);

impl Value {
    /// The number a sink or plot should use, in major units.
    pub fn number(&self, decimals: Decimals) -> Option<f64> {
        let unit = 10f64.powi(decimals.0 as i32);
        match *self {
            Value::Integer(x) => Some(x as f64),
            Value::Real(x, power) => Some(x / unit.powi(i32::from(power))),
            Value::Quotient(top, bottom, power) => {
                let scale = 10i128.checked_pow(decimals.0 * u32::from(power));
                let bottom = scale.and_then(|scale| bottom.checked_mul(scale))?;
                Some(quotient::divided(top, bottom))
            }
            Value::Money(x) => Some(x as f64 / unit),
            _ => None,
        }
    }

    /// Writes the cell as plain text: hours as RFC 3339, money with its decimals, other numbers
    /// as the shortest text that reads back the same, nothing for what is empty.
    pub fn write(&self, decimals: Decimals, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = match self {
            Value::Empty => Ok(()),
            Value::Integer(x) => write!(out, "{x}"),
            Value::Real(..) | Value::Quotient(..) => {
                write!(out, "{}", self.number(decimals).unwrap_or(f64::NAN))
            }
            Value::Money(x) => write_money(*x, decimals, out),
            Value::Moment(t) => write_moment(*t, out),
            Value::Local(t, offset) => write_local(*t, *offset, out),
            Value::Text(text) => write!(out, "{text}"),
            Value::Flag(x) => write!(out, "{x}"),
        };
    }

    /// Writes the cell as JSON. Money is a number with its decimals.
    pub fn write_json(&self, decimals: Decimals, out: &mut String) {
        match self {
            Value::Empty => out.push_str("null"),
            Value::Moment(_) | Value::Local(..) => {
                out.push('"');
                self.write(decimals, out);
                out.push('"');
            }
            Value::Text(text) => {
                // Serialising a string to JSON cannot fail.
                out.push_str(&serde_json::to_string(&text.to_string()).unwrap_or_default());
            }
            _ => self.write(decimals, out),
        }
    }
}

fn write_money(minor: i64, decimals: Decimals, out: &mut String) -> fmt::Result {
    let unit = 10u64.saturating_pow(decimals.0);
    let (sign, x) = (if minor < 0 { "-" } else { "" }, minor.unsigned_abs());
    if decimals.0 == 0 {
        return write!(out, "{sign}{x}");
    }
    write!(out, "{sign}{}.{:0width$}", x / unit, x % unit, width = decimals.0 as usize)
}

/// RFC 3339 in UTC, with a fraction only where there is one.
fn write_moment(millis: i64, out: &mut String) -> fmt::Result {
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(time) => write!(out, "{time}"),
        Err(_) => Ok(()), // outside the calendar: no such cell comes from a validated record
    }
}

/// RFC 3339 with the difference to UTC, where there is one.
fn write_local(millis: i64, ahead: i32, out: &mut String) -> fmt::Result {
    let offset = jiff::tz::Offset::from_seconds(ahead).ok().filter(|_| ahead != 0);
    match (jiff::Timestamp::from_millisecond(millis), offset) {
        (Ok(time), Some(offset)) => write!(out, "{}", time.display_with_offset(offset)),
        _ => write_moment(millis, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: Value) -> String {
        let mut out = String::new();
        value.write(Decimals(2), &mut out);
        out
    }

    #[test]
    fn cells_are_written_as_documented() {
        assert_eq!(text(Value::Money(-5)), "-0.05");
        assert_eq!(text(Value::Money(i64::MIN)), "-92233720368547758.08");
        assert_eq!(text(Value::Real(0.1 + 0.2, 0)), "0.30000000000000004");
        assert_eq!(text(Value::Real(150.0, 1)), "1.5");
        // Cents of 0.10, 0.10 and 0.11; divided twice it ends in 35.
        assert_eq!(text(Value::Quotient(31, 3, 1)), "0.10333333333333333");
        assert_eq!(text(Hour::of(1_769_864_400_000).value()), "2026-01-31T13:00:00Z");
        assert_eq!(text(Hour::of(-1).value()), "1969-12-31T23:00:00Z");
        assert_eq!(text(Value::Moment(951_782_400_001)), "2000-02-29T00:00:00.001Z");
        assert_eq!(text(None::<i64>.value()), "");
        let mut json = String::new();
        Value::Text(Text::new("a\"<b")).write_json(Decimals(2), &mut json);
        assert_eq!(json, "\"a\\\"<b\"");
    }
}
