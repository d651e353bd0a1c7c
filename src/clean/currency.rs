//! Amounts to a base currency, exactly: a rate is a decimal number kept as an integer fraction,
//! and the product is rounded once, half to even, to the minor unit.

use super::Refused;
use crate::batch::{Batch, Column};
use crate::error::Error;
use crate::event::{NULL, Stream, transactions};
use crate::text::Text;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Digits behind the point that a rate may have.
const DIGITS: u32 = 9;
const ONE: i128 = 10i128.pow(DIGITS);

/// How much of the base currency one unit of each currency is worth.
#[derive(Debug)]
pub struct Rates {
    base: Text,
    rates: HashMap<Text, i128>,
}

impl Rates {
    /// Reads a CSV file with the columns `currency,rate`.
    pub fn read(path: &Path, base: &str) -> Result<Rates, Error> {
        let wrong = |line: usize, what: String| {
            Error::Usage(format!("--rates {}, line {line}: {what}", path.display()))
        };
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        let mut rates = HashMap::new();
        for (i, line) in text.lines().enumerate() {
            let line = line.trim().trim_start_matches('\u{feff}');
            if line.is_empty() || (i == 0 && line.eq_ignore_ascii_case("currency,rate")) {
                continue;
            }
            let (currency, rate) = line.split_once(',').ok_or_else(|| {
                wrong(i + 1, "expected `currency,rate`, for instance `USD,0.92`".into())
            })?;
            let rate = parse_rate(rate.trim()).ok_or_else(|| {
                wrong(
                    i + 1,
                    format!("{rate:?} is not a positive number of at most {DIGITS} decimals"),
                )
            })?;
            rates.insert(Text::new(&currency.trim().to_uppercase()), rate);
        }
        let base = Text::new(&base.to_uppercase());
        rates.entry(base.clone()).or_insert(ONE);
        Ok(Rates { base, rates })
    }

    /// The currency to which amounts are converted.
    pub(crate) fn base(&self) -> &Text {
        &self.base
    }

    /// Converts the amounts of a batch. A record in a currency without a rate is refused; one
    /// without a currency is in the base currency.
    pub(crate) fn convert(&self, stream: Stream, batch: &mut Batch) -> Vec<Refused> {
        let mut refused = Vec::new();
        if stream != Stream::Transactions {
            return refused;
        }
        let columns = &mut batch.columns;
        let currencies = std::mem::take(&mut columns[transactions::CURRENCY.field]);
        for field in MONEY {
            if let (Column::Text(currencies), Column::Number(amounts)) =
                (&currencies, &mut columns[field])
            {
                self.convert_column(currencies, amounts, &mut refused);
            }
        }
        columns[transactions::CURRENCY.field] = currencies;
        // A record is refused once, whatever amounts of it cannot be converted.
        refused.sort_by_key(|(row, _)| *row);
        refused.dedup_by_key(|(row, _)| *row);
        refused
    }

    fn convert_column(&self, currencies: &[Text], amounts: &mut [i64], refused: &mut Vec<Refused>) {
        for (row, (currency, amount)) in currencies.iter().zip(amounts).enumerate() {
            if *amount == NULL || currency.is_empty() || *currency == self.base {
                continue;
            }
            let rate = self.rates.get(currency);
            match rate.and_then(|rate| convert(*amount, *rate)) {
                Some(converted) => *amount = converted,
                None => {
                    let what = if rate.is_none() { "has no rate" } else { "is out of range" };
                    let reason = format!("column currency: {currency} {what} in --rates");
                    refused.push((row, reason));
                }
            }
        }
    }
}

/// The fields of a payment that are in its currency.
pub(crate) const MONEY: [usize; 5] = [
    transactions::AMOUNT.field,
    transactions::TAX.field,
    transactions::SHIPPING.field,
    transactions::DISCOUNT.field,
    transactions::UNIT_COST.field,
];

/// The currencies of amounts as they are added up: more than one cannot be.
///
/// A record without a currency is of the one the others are of.
#[derive(Debug, Default)]
pub struct Currencies(OnceLock<Text>, Mutex<BTreeSet<Text>>);

/// So many are kept of them, to be told.
const TOLD: usize = 8;

impl Currencies {
    /// Takes note of the currencies of a batch, or of the one to which it was converted.
    pub(crate) fn see(&self, stream: Stream, batch: &Batch, converted: Option<&Text>) {
        if stream != Stream::Transactions {
            return;
        }
        let columns = &batch.columns;
        for field in MONEY {
            let Column::Number(amounts) = &columns[field] else { continue };
            match (converted, &columns[transactions::CURRENCY.field]) {
                (Some(currency), _) => self.note(currency),
                (None, Column::Text(currencies)) => {
                    let known = currencies.iter().zip(amounts);
                    let known = known.filter(|(_, amount)| **amount != NULL);
                    known.for_each(|(currency, _)| self.note(currency));
                }
                (None, _) => {}
            }
        }
    }

    /// Takes note of those that were seen before.
    pub(crate) fn know<'a>(&self, currencies: impl Iterator<Item = &'a str>) {
        currencies.for_each(|currency| self.note(&Text::new(currency)));
    }

    fn note(&self, currency: &Text) {
        // Nearly all are the first one, which takes a comparison of two words.
        if self.0.get() == Some(currency) || currency.is_empty() {
            return;
        }
        if self.0.get_or_init(|| currency.clone()) != currency {
            let mut others = self.1.lock().unwrap_or_else(PoisonError::into_inner);
            if others.len() < TOLD {
                others.insert(currency.clone());
            }
        }
    }

    /// Their names.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let others = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.get().into_iter().chain(&*others).map(Text::to_string).collect()
    }
}

fn parse_rate(text: &str) -> Option<i128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 9 || part.len() > DIGITS as usize {
        return None;
    }
    if !digits(whole) || !digits(part) {
        return None;
    }
    let part = format!("{part:0<width$}", width = DIGITS as usize);
    let rate = whole.parse::<i128>().ok()? * ONE + part.parse::<i128>().ok()?;
    (rate > 0).then_some(rate)
}

fn convert(amount: i64, rate: i128) -> Option<i64> {
    let product = i128::from(amount) * rate;
    let (quotient, rest) = (product.div_euclid(ONE), product.rem_euclid(ONE));
    let up = rest * 2 > ONE || (rest * 2 == ONE && quotient % 2 != 0);
    i64::try_from(quotient + i128::from(up)).ok().filter(|x| *x != NULL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Kind;

    #[test]
    fn all_that_is_money_is_converted() {
        let schema = Stream::Transactions.schema();
        let money = schema.fields.iter().enumerate().filter(|(_, f)| f.kind == Kind::Money);
        assert!(money.map(|(i, _)| i).eq(MONEY));
    }

    #[test]
    fn conversion_is_exact_and_rounds_half_to_even() {
        let rate = parse_rate("0.5").unwrap();
        for (amount, want) in [(1, 0), (3, 2), (5, 2), (-1, 0), (-3, -2), (200, 100)] {
            assert_eq!(convert(amount, rate), Some(want), "{amount}");
        }
        assert_eq!(convert(1_000_000_000_007, parse_rate("1.1").unwrap()), Some(1_100_000_000_008));
        assert_eq!(convert(i64::MAX, parse_rate("2").unwrap()), None);
        for wrong in ["", "x", "-1", "0", "1e3", "1.1234567891", ".5"] {
            assert_eq!(parse_rate(wrong), None, "{wrong}");
        }
    }
}
