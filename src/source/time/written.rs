//! Takes apart dates as people and programs write them.
//!
//! Dates: `2024-01-31`, also with `/` or `.`; `20240131`; `31-Jan-24`, `31 January 2024`, `Jan 31, 2024`, also with the
//! day of the week before; and `31/12/2010` or `12/31/2010`, which leave open which number is the day. Times of day:
//! `8:26`, `08:26:00.123`, `08:26:00,123`, `8:26 PM`, `082600`. Then an offset: `Z`, ` UTC`, `+01:00`, `+0100`, `+01`.

use super::form::Order;
use crate::source::error::Fault;

/// The names of the months, of which three letters are enough.
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// The days of the week, which may stand before a date and are not looked at.
const DAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// A date that was taken apart. No part has been checked to exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub year: i16,
    /// Month and day, unless they are the pair.
    pub month: i8,
    pub day: i8,
    /// Two numbers of which one is the month and one the day.
    pub pair: Option<(i8, i8)>,
    /// Hour, minute and second.
    pub time: [i8; 3],
    pub milliseconds: i32,
    /// The offset from UTC in minutes.
    pub offset: Option<i64>,
}

impl Written {
    /// Year, month and day, by the order where one is needed.
    pub fn day(&self, order: Option<Order>) -> Result<(i16, i8, i8), Fault> {
        let (month, day) = match (self.pair, order) {
            (None, _) => (self.month, self.day),
            (Some((first, second)), Some(Order::DayFirst)) => (second, first),
            (Some((first, second)), Some(Order::MonthFirst)) => (first, second),
            (Some((first, second)), None) if first == second => (first, second),
            (Some((first, second)), None) if first > 12 && second <= 12 => (second, first),
            (Some((first, second)), None) if second > 12 && first <= 12 => (first, second),
            (Some(_), None) => return Err(Fault::Order),
        };
        Ok((self.year, month, day))
    }
}

/// Takes a date apart, with or without a time of day and an offset. None if it is not in the form of one.
pub(super) fn read(text: &str) -> Option<Written> {
    let mut rest = Rest(text.as_bytes());
    let mut written = Written::default();
    let dense = rest.date(&mut written)?;
    if rest.0.is_empty() {
        return Some(written);
    }
    rest.time(&mut written, dense)?;
    written.offset = rest.offset()?;
    Some(written)
}

/// What has not been read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, any_of: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first().filter(|(first, _)| any_of.contains(first))?;
        self.0 = rest;
        Some(*first)
    }

    fn spaces(&mut self) -> bool {
        let before = self.0.len();
        while self.take(b" ").is_some() {}
        self.0.len() < before
    }

    /// The bytes at the front of which something holds.
    fn run(&mut self, holds: impl Fn(&u8) -> bool) -> &'a [u8] {
        let (run, rest) = self.0.split_at(self.0.iter().take_while(|byte| holds(byte)).count());
        self.0 = rest;
        run
    }

    /// A number of one or two digits.
    fn small(&mut self) -> Option<i8> {
        let digits = self.run(u8::is_ascii_digit);
        (1..=2).contains(&digits.len()).then(|| number(digits) as i8)
    }

    /// A number of two digits.
    fn pair(&mut self) -> Option<i8> {
        let (pair, rest) =
            self.0.split_at_checked(2).filter(|(pair, _)| pair.iter().all(u8::is_ascii_digit))?;
        self.0 = rest;
        Some(number(pair) as i8)
    }

    /// A year of four digits, or of two: those below 69 are of this century.
    fn year(&mut self) -> Option<i16> {
        let digits = self.run(u8::is_ascii_digit);
        match (digits.len(), number(digits) as i16) {
            (4, year) => Some(year),
            (2, year) => Some(year + if year < 69 { 2000 } else { 1900 }),
            _ => None,
        }
    }

    /// The number of a name in a list.
    fn name(&mut self, of: &[&str]) -> Option<i8> {
        let before = self.0;
        let word = self.run(u8::is_ascii_alphabetic).to_ascii_lowercase();
        let found =
            of.iter().position(|name| word.len() >= 3 && name.as_bytes().starts_with(&word));
        if found.is_none() {
            self.0 = before;
        }
        found.map(|place| place as i8 + 1)
    }

    /// A date. True if it has its digits one after another, as then the time may have too.
    fn date(&mut self, written: &mut Written) -> Option<bool> {
        if self.name(&DAYS).is_some() {
            self.take(b",.");
            self.spaces();
        }
        if let Some(month) = self.name(&MONTHS) {
            // Jan 31, 2024
            self.take(b".");
            self.take(b"-/").is_some().then_some(()).or(self.spaces().then_some(()))?;
            (written.month, written.day) = (month, self.small()?);
            let comma = self.take(b",-/").is_some();
            (self.spaces() || comma).then_some(())?;
            written.year = self.year()?;
            return Some(false);
        }
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        match digits {
            8 | 12 | 14 => {
                written.year = i16::from(self.pair()?) * 100 + i16::from(self.pair()?);
                (written.month, written.day) = (self.pair()?, self.pair()?);
                // Other numbers of so many digits are no dates.
                let sound = (1900..2200).contains(&written.year)
                    && (1..=12).contains(&written.month)
                    && (1..=31).contains(&written.day);
                sound.then_some(true)
            }
            4 => {
                // 2024-01-31
                written.year = self.year()?;
                let mark = self.take(b"-/.")?;
                written.month = match self.name(&MONTHS) {
                    Some(month) => month,
                    None => self.small()?,
                };
                self.take(&[mark])?;
                written.day = self.small()?;
                Some(false)
            }
            1 | 2 => {
                let first = self.small()?;
                let dot = self.take(b".").is_some();
                let spaced = self.spaces();
                let mark = if dot { Some(b'.') } else { self.take(b"-/") };
                if let Some(month) = self.name(&MONTHS) {
                    // 31-Jan-24
                    (spaced || mark.is_some()).then_some(())?;
                    (written.month, written.day) = (month, first);
                    let comma = self.take(b".,-/").is_some();
                    (self.spaces() || comma).then_some(())?;
                } else {
                    // 31/12/2010
                    let mark = mark.filter(|_| !spaced || dot)?;
                    written.pair = Some((first, self.small()?));
                    self.take(&[mark])?;
                    self.spaces();
                }
                written.year = self.year()?;
                Some(false)
            }
            _ => None,
        }
    }

    /// A time of day, with what stands before it. `dense` says that the digits may follow one another.
    fn time(&mut self, written: &mut Written, dense: bool) -> Option<()> {
        self.take(b",");
        let apart = self.spaces() || self.take(b"Tt:").is_some();
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let seconds = if dense && matches!(digits, 4 | 6) {
            written.time = [self.pair()?, self.pair()?, 0];
            digits == 6
        } else {
            apart.then_some(())?;
            written.time[0] = self.small()?;
            self.take(b":")?;
            written.time[1] = self.pair()?;
            self.take(b":").is_some()
        };
        if seconds {
            written.time[2] = self.pair()?;
        }
        if seconds && self.take(b".,").is_some() {
            let digits = self.run(u8::is_ascii_digit);
            (!digits.is_empty()).then_some(())?;
            let three: Vec<u8> = digits.iter().copied().chain(*b"00").take(3).collect();
            written.milliseconds = number(&three) as i32;
        }
        let half = match self.0.trim_ascii_start() {
            [a @ (b'A' | b'a' | b'P' | b'p'), b'M' | b'm', rest @ ..] => {
                Some((a.to_ascii_lowercase(), rest))
            }
            _ => None,
        };
        if let Some((half, rest)) = half {
            self.0 = rest;
            let hour = written.time[0];
            // There is no hour 0 nor 13 in the forenoon, but some write 22:00 PM.
            written.time[0] = match (half, hour) {
                (b'a', 12) => 0,
                (b'p', 1..=11) => hour + 12,
                (b'a', 13..) => 24,
                _ => hour,
            };
        }
        Some(())
    }

    /// An offset in minutes, or none if there is nothing left.
    fn offset(&mut self) -> Option<Option<i64>> {
        if self.0.is_empty() {
            return Some(None);
        }
        self.spaces();
        match self.0 {
            b"Z" | b"z" => return Some(Some(0)),
            utc if utc.eq_ignore_ascii_case(b"UTC") || utc.eq_ignore_ascii_case(b"GMT") => {
                return Some(Some(0));
            }
            _ => {}
        }
        let minus = self.take(b"+-")? == b'-';
        let hours = i64::from(self.pair()?);
        let colon = self.take(b":").is_some();
        let minutes = if self.0.is_empty() && !colon { 0 } else { i64::from(self.pair()?) };
        let sound = self.0.is_empty() && hours <= 23 && minutes <= 59;
        let minutes = hours * 60 + minutes;
        sound.then_some(Some(if minus { -minutes } else { minutes }))
    }
}

/// A few digits as a number.
fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number: u32, digit| {
        number.wrapping_mul(10).wrapping_add(u32::from(digit.wrapping_sub(b'0')))
    })
}
