//! A cell of a served row: small, ordered, and read back from text.
//!
//! Numbers that were computed are rounded when the row is taken over, to what every sink writes, so
//! a cell takes 24 bytes and all that requests do with it is compare and write.

use crate::query::Column;
use crate::text::Text;
use crate::value::{Decimals, Value};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Cell {
    /// Cannot be computed, or absent.
    Empty,
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// Minor units.
    Money(i64),
    /// A number in major units.
    Real(f64),
    /// Milliseconds since 1970, and by how many seconds clocks are ahead of UTC where it is told.
    Moment(i64, i32),
    /// Text.
    Text(Text),
}

impl Cell {
    /// A cell as sinks see it, taken over.
    pub fn of(value: Value, decimals: Decimals) -> Cell {
        match value {
            Value::Empty => Cell::Empty,
            Value::Flag(flag) => Cell::Flag(flag),
            Value::Integer(number) => Cell::Integer(number),
            Value::Money(minor) => Cell::Money(minor),
            Value::Moment(millis) => Cell::Moment(millis, 0),
            Value::Local(millis, ahead) => Cell::Moment(millis, ahead),
            Value::Text(text) => Cell::Text(text),
            Value::Real(..) | Value::Quotient(..) => {
                value.number(decimals).filter(|x| x.is_finite()).map_or(Cell::Empty, Cell::Real)
            }
        }
    }

    /// As sinks write it.
    pub fn value(&self) -> Value {
        match self {
            Cell::Empty => Value::Empty,
            Cell::Flag(flag) => Value::Flag(*flag),
            Cell::Integer(number) => Value::Integer(*number),
            Cell::Money(minor) => Value::Money(*minor),
            Cell::Real(number) => Value::Real(*number, 0),
            Cell::Moment(millis, 0) => Value::Moment(*millis),
            Cell::Moment(millis, ahead) => Value::Local(*millis, *ahead),
            Cell::Text(text) => Value::Text(text.clone()),
        }
    }

    /// What a text says as a cell of a column; the other way round, what the column should hold.
    pub fn read(text: &str, column: &Column, decimals: Decimals) -> Result<Cell, &'static str> {
        if text.is_empty() {
            return Ok(Cell::Empty);
        }
        match column.kind {
            "whole number" => {
                text.parse().map(Cell::Integer).map_err(|_| "a whole number such as 12")
            }
            "true or false" => text.parse().map(Cell::Flag).map_err(|_| "true or false"),
            "money" => number(text).map(|x| money(x, decimals)).ok_or("an amount such as 19.90"),
            kind if kind.starts_with("time") => moment(text)
                .ok_or("a time such as 2026-01-31T13:00:00Z or a date such as 2026-01-31"),
            "number" | "money, squared" => {
                number(text).map(Cell::Real).ok_or("a number such as 1.5")
            }
            _ => Ok(Cell::Text(Text::new(text))),
        }
    }

    /// The number it is, if it is one.
    fn number(&self, decimals: Decimals) -> Option<f64> {
        self.value().number(decimals)
    }

    /// The order of two cells of one column: what is empty first, then by what they mean. Amounts
    /// that are whole and amounts that were computed stand in one order.
    pub fn order(&self, other: &Cell, decimals: Decimals) -> Ordering {
        let rank = |cell: &Cell| match cell {
            Cell::Empty => 0,
            Cell::Flag(_) => 1,
            Cell::Integer(_) | Cell::Money(_) | Cell::Real(_) => 2,
            Cell::Moment(..) => 3,
            Cell::Text(_) => 4,
        };
        match (self, other) {
            (Cell::Flag(a), Cell::Flag(b)) => a.cmp(b),
            (Cell::Integer(a), Cell::Integer(b)) | (Cell::Money(a), Cell::Money(b)) => a.cmp(b),
            (Cell::Moment(a, _), Cell::Moment(b, _)) => a.cmp(b),
            (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
            (a, b) => match (a.number(decimals), b.number(decimals)) {
                (Some(x), Some(y)) => x.total_cmp(&y),
                _ => rank(a).cmp(&rank(b)),
            },
        }
    }
}

/// A number in major units as an amount; what has more decimals than money stays a number, so that a
/// comparison with it is exact.
fn money(number: f64, decimals: Decimals) -> Cell {
    let minor = number * 10f64.powi(decimals.0 as i32);
    let whole = minor.round();
    match (minor - whole).abs() < 1e-6 && whole.abs() < 9e15 {
        true => Cell::Money(whole as i64),
        false => Cell::Real(number),
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|x: &f64| x.is_finite())
}

/// A time with its zone, or without one in UTC, or the start of a day.
fn moment(text: &str) -> Option<Cell> {
    let utc = jiff::tz::TimeZone::UTC;
    let millis = match text.parse::<jiff::Timestamp>() {
        Ok(time) => time.as_millisecond(),
        Err(_) => {
            let local: jiff::civil::DateTime = text.parse().ok()?;
            local.to_zoned(utc).ok()?.timestamp().as_millisecond()
        }
    };
    Some(Cell::Moment(millis, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: &'static str) -> Column {
        Column { name: "x", key: true, kind, optional: true, about: "" }
    }

    #[test]
    fn a_cell_is_read_as_it_is_written() {
        let decimals = Decimals(2);
        let cells = [
            ("whole number", Cell::Integer(-12)),
            ("true or false", Cell::Flag(true)),
            ("money", Cell::Money(-1990)),
            ("number", Cell::Real(0.1)),
            ("time, UTC", Cell::Moment(1_769_864_400_000, 0)),
            ("text", Cell::Text(Text::new("a\"b,c"))),
            ("name", Cell::Text(Text::new("view_item"))),
            ("text", Cell::Empty),
        ];
        for (kind, cell) in cells {
            let mut text = String::new();
            cell.value().write(decimals, &mut text);
            assert_eq!(Cell::read(&text, &column(kind), decimals), Ok(cell), "{text}");
        }
        assert!(Cell::read("x", &column("money"), decimals).is_err());
        assert!(Cell::read("NaN", &column("number"), decimals).is_err());
        assert_eq!(
            Cell::read("2026-01-31", &column("time, UTC"), decimals),
            Ok(Cell::Moment(1_769_817_600_000, 0))
        );
        assert_eq!(size_of::<Cell>(), 24);
    }

    #[test]
    fn cells_of_a_column_are_in_the_order_of_what_they_mean() {
        let order = |a: &Cell, b: &Cell| a.order(b, Decimals(2));
        assert_eq!(order(&Cell::Empty, &Cell::Integer(-5)), Ordering::Less);
        assert_eq!(order(&Cell::Money(150), &Cell::Real(1.5)), Ordering::Equal);
        assert_eq!(order(&Cell::Money(151), &Cell::Real(1.5)), Ordering::Greater);
        assert_eq!(order(&Cell::Moment(5, 3600), &Cell::Moment(6, 0)), Ordering::Less);
        let text = |t| Cell::Text(Text::new(t));
        assert_eq!(order(&text("a"), &text("b")), Ordering::Less);
    }
}
