//! The decimals that an amount may have in its currency, and amounts that count its minor unit.
//!
//! All amounts of a run have the decimals of `--decimals`. One in a currency that has fewer of them
//! says something else than it seems where it uses more: 100.50 yen are no amount of yen, and most
//! likely dollars, or not counted in yen. So it is a fault. What a piece costs is no sum that
//! anybody pays, and may have any.

use super::error::Fault;
use super::plan::{Filled, Plan};
use super::rows::Found;
use crate::batch::{Batch, Column};
use crate::event::{Kind, NULL};
use crate::text::Text;
use crate::value::decimals_of;

/// Where the currency of the other fields is.
const CURRENCY: &str = "currency";
/// Prices of one piece.
const PER_PIECE: [&str; 2] = ["unit_cost", "price"];

impl Plan {
    /// Finds fault with amounts that have more decimals than their currency. They go to the first
    /// list where they cost their record, else to the second.
    pub(super) fn check_decimals(
        &self,
        batch: &mut Batch,
        (faults, unread): (&mut Vec<Found>, &mut Vec<Found>),
    ) {
        let currency = self.filled.iter().find(|filled| filled.name == CURRENCY);
        let Some(currency) = currency.filter(|_| self.options.decimals_of_currency) else { return };
        let Column::Text(currencies) = std::mem::take(&mut batch.columns[currency.field]) else {
            return;
        };
        let is_paid =
            |filled: &&Filled| filled.kind == Kind::Money && !PER_PIECE.contains(&filled.name);
        for filled in self.filled.iter().filter(is_paid) {
            let Column::Number(amounts) = &mut batch.columns[filled.field] else { continue };
            let faults = if filled.essential { &mut *faults } else { &mut *unread };
            self.check_column(filled, (&currencies, amounts), faults);
        }
        batch.columns[currency.field] = Column::Text(currencies);
    }

    fn check_column(
        &self,
        filled: &Filled,
        (currencies, amounts): (&[Text], &mut [i64]),
        faults: &mut Vec<Found>,
    ) {
        // Nearly all rows have the currency of the one before.
        let mut last: (&Text, Option<(u32, i64)>) = (&Text::EMPTY, None);
        for (row, (currency, amount)) in currencies.iter().zip(amounts).enumerate() {
            if currency != last.0 {
                last = (currency, self.step(&currency.to_cow()));
            }
            let Some((decimals, step)) = last.1 else { continue };
            if *amount != NULL && *amount % step != 0 {
                let fault = Fault::Currency(code(&currency.to_cow()), decimals);
                faults.push(Found { row, column: filled.column, fault });
                *amount = NULL;
            }
        }
    }

    /// The decimals of a currency that has fewer than amounts have here, and what its least amount
    /// is here.
    fn step(&self, currency: &str) -> Option<(u32, i64)> {
        let decimals = decimals_of(currency)?;
        let beyond = self.options.decimals.checked_sub(decimals).filter(|more| *more > 0)?;
        Some((decimals, 10i64.checked_pow(beyond)?))
    }
}

/// The letters of a code; those that are known have three.
fn code(currency: &str) -> [char; 3] {
    let mut letters = currency.chars();
    std::array::from_fn(|_| letters.next().unwrap_or(' '))
}

/// How many decimals amounts have that are counted in the minor unit of their currency.
#[derive(Clone, Copy, Debug)]
pub(super) enum Minor {
    /// So many in all rows.
    Known(u32),
    /// As the currency in a column has.
    Of(usize),
}

/// An amount in minor units as one in whole ones; of what is none, something that is none either.
pub(super) fn whole_units(amount: &str, currency: &str, comma: bool) -> String {
    match decimals_of(&currency.to_ascii_uppercase()) {
        Some(decimals) => shifted(amount, decimals, comma),
        None if amount.is_empty() => String::new(),
        None => format!("{amount} of {currency}, whose minor unit is not known"),
    }
}

/// A whole number with so many of its digits behind the decimal mark; of what is none, something
/// that is none either.
pub(super) fn shifted(amount: &str, decimals: u32, comma: bool) -> String {
    if amount.is_empty() {
        return String::new();
    }
    let Ok(number) = super::number::whole(amount, comma) else {
        return format!("{amount} in minor units");
    };
    let mark = if comma { ',' } else { '.' };
    let sign = if number < 0 { "-" } else { "" };
    let unit = 10u64.pow(decimals.min(9));
    match decimals {
        0 => number.to_string(),
        _ => {
            let (whole, part) = (number.unsigned_abs() / unit, number.unsigned_abs() % unit);
            format!("{sign}{whole}{mark}{part:0width$}", width = decimals as usize)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_units_are_those_of_the_currency() {
        for (amount, currency, whole) in [
            ("1000", "JPY", "1000"),
            ("1000", "eur", "10.00"),
            ("-5", "EUR", "-0.05"),
            ("1234", "KWD", "1.234"),
            ("12.0", "EUR", "0.12"),
            ("", "EUR", ""),
            ("", "", ""),
            ("10.50", "EUR", "10.50 in minor units"),
            ("1000", "BTC", "1000 of BTC, whose minor unit is not known"),
            ("1000", "", "1000 of , whose minor unit is not known"),
        ] {
            assert_eq!(whole_units(amount, currency, false), whole, "{amount} {currency}");
        }
        assert_eq!(whole_units("1999", "EUR", true), "19,99");
    }
}
