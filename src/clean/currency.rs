//! Amounts to a base currency, exactly: a rate is a decimal number kept as an integer fraction,
//! and the product is rounded once, half to even, to the minor unit.

use super::Refused;
use crate::batch::{Batch, Column};
use crate::error::Error;
use crate::event::{NULL, Stream, behavior, transactions};
use crate::shown::{VALUE, shown};
use crate::text::Text;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Digits behind the point that a rate may have.
const DIGITS: u32 = 9;
const ONE: i128 = 10i128.pow(DIGITS);

/// How much of the base currency one unit of each currency is worth, and from when on.
#[derive(Debug)]
pub struct Rates {
    base: Text,
    /// Of each currency the rates in the order of the times from which they hold.
    rates: HashMap<Text, Vec<(i64, i128)>>,
}

/// From when on a rate holds of which that is not said.
const ALWAYS: i64 = i64::MIN;

impl Rates {
    /// Reads a CSV file with the columns `currency,rate`, and `from` where rates change: each holds
    /// from that day or time on (UTC) until the next of its currency does.
    pub fn read(path: &Path, base: &str) -> Result<Rates, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        Rates::parse(&text, base).map_err(|(line, what)| {
            Error::Usage(format!("--rates {}, line {line}: {what}", path.display()))
        })
    }

    /// What is wrong with it is told with its line.
    fn parse(text: &str, base: &str) -> Result<Rates, (usize, String)> {
        let mut rates: HashMap<Text, Vec<(i64, i128)>> = HashMap::new();
        for (i, line) in text.lines().enumerate() {
            let line = line.trim().trim_start_matches('\u{feff}');
            let header = ["currency,rate", "currency,rate,from"];
            if line.is_empty() || (i == 0 && header.iter().any(|h| line.eq_ignore_ascii_case(h))) {
                continue;
            }
            let wrong = |what: String| (i + 1, what);
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            let (currency, rate, from) = match fields[..] {
                [currency, rate] => (currency, rate, ""),
                [currency, rate, from] => (currency, rate, from),
                _ => {
                    let expected = "expected `currency,rate` or `currency,rate,from`, for instance \
                                    `USD,0.92,2026-01-31`";
                    return Err(wrong(expected.into()));
                }
            };
            let rate = parse_rate(rate).ok_or_else(|| {
                let rate = shown(rate, VALUE);
                wrong(format!("{rate} is not a positive number of at most {DIGITS} decimals"))
            })?;
            let from = parse_from(from).ok_or_else(|| {
                let from = shown(from, VALUE);
                wrong(format!("{from} is no day or time such as 2026-01-31 or 2026-01-31T12:00Z"))
            })?;
            let known = rates.entry(Text::new(&currency.to_uppercase())).or_default();
            match known.binary_search_by_key(&from, |(from, _)| *from) {
                Ok(_) => {
                    let currency = shown(currency, VALUE);
                    return Err(wrong(format!("there is another rate of {currency} from then on")));
                }
                Err(place) => known.insert(place, (from, rate)),
            }
        }
        let base = Text::new(&base.to_uppercase());
        rates.entry(base.clone()).or_insert_with(|| vec![(ALWAYS, ONE)]);
        Ok(Rates { base, rates })
    }

    /// The rate of a currency at a time; otherwise what it lacks.
    fn at(&self, currency: &Text, time: i64) -> Result<i128, &'static str> {
        let known = self.rates.get(currency).ok_or("has no rate")?;
        let until = known.partition_point(|(from, _)| *from <= time);
        let rate = until.checked_sub(1).and_then(|i| known.get(i));
        rate.map(|(_, rate)| *rate).ok_or("has no rate so early")
    }

    /// The currency to which amounts are converted.
    pub(crate) fn base(&self) -> &Text {
        &self.base
    }

    /// Converts the amounts of a batch. A record in a currency without a rate is refused; one
    /// without a currency is in the base currency.
    pub(crate) fn convert(&self, stream: Stream, batch: &mut Batch) -> Vec<Refused> {
        let mut refused = Vec::new();
        let Some((currency, money)) = money_of(stream) else { return refused };
        let columns = &mut batch.columns;
        let currencies = std::mem::take(&mut columns[currency]);
        for field in money.iter().copied() {
            if let (Column::Text(currencies), Column::Number(amounts)) =
                (&currencies, &mut columns[field])
            {
                self.convert_column((currencies, &batch.times), amounts, &mut refused);
            }
        }
        columns[currency] = currencies;
        // A record is refused once, whatever amounts of it cannot be converted.
        refused.sort_by_key(|(row, _)| *row);
        refused.dedup_by_key(|(row, _)| *row);
        refused
    }

    fn convert_column(
        &self,
        (currencies, times): (&[Text], &[i64]),
        amounts: &mut [i64],
        refused: &mut Vec<Refused>,
    ) {
        let records = currencies.iter().zip(times).zip(amounts);
        for (row, ((currency, time), amount)) in records.enumerate() {
            if *amount == NULL || currency.is_empty() || *currency == self.base {
                continue;
            }
            let rate = self.at(currency, *time);
            match rate.and_then(|rate| convert(*amount, rate).ok_or("is out of range")) {
                Ok(converted) => *amount = converted,
                Err(what) => {
                    let reason = format!("column currency: {currency} {what} in --rates");
                    refused.push((row, reason));
                }
            }
        }
    }
}

/// The fields of a payment that are in its currency.
const PAID: [usize; 5] = [
    transactions::AMOUNT.field,
    transactions::TAX.field,
    transactions::SHIPPING.field,
    transactions::DISCOUNT.field,
    transactions::UNIT_COST.field,
];

/// Those of what a visitor did.
const SEEN: [usize; 2] = [behavior::PRICE.field, behavior::VALUE.field];

/// Where the records of a stream say their currency, and the amounts that are in it.
pub(crate) fn money_of(stream: Stream) -> Option<(usize, &'static [usize])> {
    match stream {
        Stream::Transactions => Some((transactions::CURRENCY.field, &PAID)),
        Stream::Behavior => Some((behavior::CURRENCY.field, &SEEN)),
        _ => None,
    }
}

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
        let Some((currency, money)) = money_of(stream) else { return };
        let columns = &batch.columns;
        for field in money.iter().copied() {
            let Column::Number(amounts) = &columns[field] else { continue };
            match (converted, &columns[currency]) {
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

/// Milliseconds of a day or time, from which on a rate holds.
fn parse_from(text: &str) -> Option<i64> {
    if text.is_empty() {
        return Some(ALWAYS);
    }
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        return Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond());
    }
    Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond())
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
    fn rates_hold_from_their_day_on() {
        let text = "currency,rate,from\nusd,0.9,2026-02-01\nUSD,0.8,2026-01-01\nGBP,1.2,\n\
                    JPY,0.01,2026-01-01T12:00:00Z\n";
        let rates = Rates::parse(text, "eur").unwrap();
        let at = |currency: &str, time: &str| {
            let time = parse_from(time).unwrap();
            rates.at(&Text::new(currency), time).map(|rate| rate * 100 / ONE)
        };
        assert_eq!(at("USD", "2026-01-31T23:59:59Z"), Ok(80));
        assert_eq!(at("USD", "2026-02-01"), Ok(90));
        assert_eq!(at("USD", "2025-12-31"), Err("has no rate so early"));
        assert_eq!((at("GBP", "1999-01-01"), at("EUR", "1999-01-01")), (Ok(120), Ok(100)));
        assert_eq!(at("JPY", "2026-01-01"), Err("has no rate so early"));
        assert_eq!(at("CHF", "2026-01-01"), Err("has no rate"));
        for (text, line, what) in [
            ("USD,0.9\nUSD,0.8", 2, "another rate of USD"),
            ("currency,rate\nUSD,0.9,soon", 2, "soon is no day"),
            ("USD", 1, "expected `currency,rate`"),
            ("USD,x,2026-01-01", 1, "x is not a positive number"),
        ] {
            let (at, said) = Rates::parse(text, "EUR").unwrap_err();
            assert!(at == line && said.contains(what), "{text}: line {at}: {said}");
        }
    }

    #[test]
    fn all_that_is_money_is_converted() {
        for stream in Stream::ALL.iter().filter(|s| s.schema().field("currency").is_some()) {
            let fields = stream.schema().fields.iter().enumerate();
            let money = fields.filter(|(_, field)| field.kind == Kind::Money).map(|(i, _)| i);
            let (currency, known) = money_of(*stream).unwrap();
            assert!(money.eq(known.iter().copied()), "{stream:?}");
            assert_eq!(Some(currency), stream.schema().field("currency"));
        }
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
