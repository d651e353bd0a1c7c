//! Reads times, to milliseconds since 1970 UTC.
//!
//! The usual form is `YYYY-MM-DD HH:MM:SS`, and rows come roughly in order. So the start of an hour is worked out in full
//! once, by jiff, and kept by its thirteen bytes; what is left of such a time is checked and added in a few operations.
//! An hour is kept only if the whole of it is even: both ends of it exist once, and no change of the zone's offset comes
//! between. All else is taken apart by `written` as the column's [`Form`] says, and worked out by jiff.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::error::Fault;

mod form;
mod written;
pub use form::{Finder, Form, Order, Unclear, Unit, is_date};

/// From when on and until when a time is believed: 1900 until 2200.
const BELIEVED: std::ops::Range<i64> = -2_208_988_800_000..7_258_118_400_000;
/// Before 1990 a bare number is hardly a time.
const RECENT: i64 = 631_152_000_000;
/// How many hours are kept; late rows go back and forth between a few.
const KEPT: usize = 8;
/// The highest bit of each of six bytes.
const HIGH: u64 = 0x8080_8080_8080;
/// What takes a byte to its highest bit unless it is at most: 0 (the colon), 5 and 9, twice over.
const LIMITS: u64 = 0x767A_7F76_7A7F;

/// Reads times by a zone, remembering the last hours.
pub(super) struct Clock<'a> {
    zone: &'a TimeZone,
    latest: i64,
    form: &'a Form,
    hours: [Hour; KEPT],
}

/// An hour known to be even.
#[derive(Clone, Copy, Default)]
struct Hour {
    /// The bytes `YYYY-MM-` and `MM-DD HH`. Zero, which no text is, where there is no hour.
    head: u64,
    tail: u64,
    /// Whether it is in UTC rather than in the zone.
    utc: bool,
    /// Its first millisecond.
    start: i64,
}

impl<'a> Clock<'a> {
    /// A clock for times of a form, those without an offset in the given zone, of which those after `latest` are
    /// refused.
    pub fn new(zone: &'a TimeZone, latest: Option<i64>, form: &'a Form) -> Clock<'a> {
        Clock { zone, latest: latest.unwrap_or(i64::MAX), form, hours: [Hour::default(); KEPT] }
    }

    /// Whether times of the usual form are of this clock's.
    pub fn is_usual(&self) -> bool {
        matches!(self.form, Form::Any | Form::Written(_))
    }

    /// Reads a time of the usual form, with or without a fraction and a `Z`; None to have it read slowly.
    #[inline]
    pub fn usual(&mut self, field: &[u8]) -> Option<i64> {
        let (milliseconds, utc) = match field.len() {
            19 => (0, false),
            20 if field[19] == b'Z' => (0, true),
            21..=30 => fraction(&field[19..])?,
            _ => return None,
        };
        let bytes: &[u8; 19] = field.first_chunk()?;
        let head = load(bytes, 0);
        let tail = load(bytes, 5);
        let slot = usize::from(bytes[12]) % KEPT;
        let kept = &self.hours[slot];
        if kept.head != head || kept.tail != tail || kept.utc != utc {
            self.hours[slot] = self.hour(bytes, utc)?;
        }
        // `:MM:SS` as the differences from `:00:00`.
        let rest = load(bytes, 11) >> 16 ^ 0x3030_3A30_303A;
        if (rest | rest.wrapping_add(LIMITS)) & HIGH != 0 {
            return None;
        }
        let pairs = rest.wrapping_mul(10).wrapping_add(rest >> 8);
        let seconds = (pairs >> 8 & 0xFF) * 60 + (pairs >> 32 & 0xFF);
        let time = self.hours[slot].start + 1000 * seconds as i64 + milliseconds;
        (time <= self.latest).then_some(time)
    }

    /// Works out the hour of a time if it is even.
    #[cold]
    #[inline(never)]
    fn hour(&self, bytes: &[u8; 19], utc: bool) -> Option<Hour> {
        let (date, time) = bytes.split_at(10);
        if time[0] != b' ' && time[0] != b'T' {
            return None;
        }
        let first = civil(date, [pair(&time[1..3])?, 0, 0], 0).ok()?;
        let last = civil(date, [pair(&time[1..3])?, 59, 59], 999).ok()?;
        let zone = if utc { &TimeZone::UTC } else { self.zone };
        let (first, last) = (zone.to_ambiguous_timestamp(first), zone.to_ambiguous_timestamp(last));
        if first.is_ambiguous() || last.is_ambiguous() {
            return None;
        }
        let (first, last) = (first.compatible().ok()?, last.compatible().ok()?);
        let change = zone.following(first).next().is_some_and(|change| change.timestamp() <= last);
        let (start, end) = (first.as_millisecond(), last.as_millisecond());
        let even = !change
            && end - start == 3_599_999
            && BELIEVED.contains(&start)
            && BELIEVED.contains(&end);
        even.then(|| Hour { head: load(bytes, 0), tail: load(bytes, 5), utc, start })
    }

    /// Reads a time as the form says.
    pub fn parse(&self, text: &str) -> Result<i64, Fault> {
        let number = |unit| number(text).map(|number| number.milliseconds(unit));
        let written = || written::read(text).ok_or(Fault::Time);
        let time = match self.form {
            Form::Any => match written() {
                Ok(date) => self.instant(&date, None)?,
                Err(fault) => match recent(text) {
                    Some((_, time)) => time,
                    None if number(Unit::Seconds).is_some() => return Err(Fault::Number),
                    None => return Err(fault),
                },
            },
            Form::Written(order) => self.instant(&written()?, *order)?,
            Form::Recent(unit) => match number(*unit).ok_or(Fault::Time)? {
                Some(time) if time < RECENT => return Err(Fault::Number),
                time => time.ok_or(Fault::Date)?,
            },
            Form::Epoch(unit) => number(*unit).ok_or(Fault::Time)?.ok_or(Fault::Date)?,
            Form::Pattern(pattern) => self.patterned(pattern, text)?,
        };
        if !BELIEVED.contains(&time) {
            Err(Fault::Date)
        } else if time > self.latest {
            Err(Fault::Future)
        } else {
            Ok(time)
        }
    }

    /// When a date is that was taken apart.
    fn instant(&self, date: &written::Written, order: Option<Order>) -> Result<i64, Fault> {
        let (year, month, day) = date.day(order)?;
        let [hour, minute, second] = date.time;
        let time =
            DateTime::new(year, month, day, hour, minute, second, date.milliseconds * 1_000_000);
        let time = time.map_err(|_| Fault::Date)?;
        match date.offset {
            None => instant(self.zone, time),
            Some(minutes) => Ok(instant(&TimeZone::UTC, time)? - minutes * 60_000),
        }
    }

    fn patterned(&self, pattern: &str, text: &str) -> Result<i64, Fault> {
        let parsed = jiff::fmt::strtime::parse(pattern, text).map_err(|_| Fault::Time)?;
        if let Ok(time) = parsed.to_timestamp() {
            return Ok(time.as_millisecond());
        }
        let date = parsed.to_date().map_err(|_| Fault::Date)?;
        instant(self.zone, date.to_datetime(parsed.to_time().unwrap_or_default()))
    }
}

impl Form {
    /// Whether a text is a time of this form.
    pub fn reads(&self, text: &str) -> bool {
        Clock::new(&TimeZone::UTC, None, self).parse(text).is_ok()
    }
}

/// A number as it stands where a time should: whole and the digits behind the point, as billionths.
struct Number {
    minus: bool,
    whole: i128,
    billionths: i128,
}

impl Number {
    /// As the milliseconds of so many units, downwards to whole ones. None if that is out of all reason.
    fn milliseconds(&self, unit: Unit) -> Option<i64> {
        let units = self.whole * 1_000_000_000 + self.billionths;
        let billionths = if self.minus { -units } else { units } * 1000 / unit.per_second();
        i64::try_from(billionths.div_euclid(1_000_000_000)).ok()
    }
}

/// Takes a number apart, of at most so many digits as a time may have.
fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let sound =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !sound(whole) || !sound(part) {
        return None;
    }
    let part = part.bytes().chain(std::iter::repeat(b'0')).take(9);
    let billionths = part.fold(0, |number, digit| number * 10 + i128::from(digit - b'0'));
    // What is longer is out of all reason, whatever it counts.
    let whole = whole
        .parse()
        .ok()
        .filter(|whole| *whole < i128::from(u64::MAX))
        .unwrap_or(i128::from(u64::MAX));
    Some(Number { minus: digits.len() < text.len(), whole, billionths })
}

/// A number that is a time between 1990 and 2200: what it counts, and its milliseconds. No number is so by two units.
fn recent(text: &str) -> Option<(Unit, i64)> {
    let number = number(text)?;
    let believed =
        |unit| number.milliseconds(unit).filter(|time| (RECENT..BELIEVED.end).contains(time));
    Unit::ALL.into_iter().find_map(|unit| Some((unit, believed(unit)?)))
}

/// Eight bytes of a time from the given place, which all callers have at eleven at most.
#[inline]
fn load(bytes: &[u8; 19], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

/// The milliseconds of a fraction of a second, and whether a `Z` follows.
#[inline]
fn fraction(text: &[u8]) -> Option<(i64, bool)> {
    let (utc, digits) = match text {
        [b'.', digits @ .., b'Z'] => (true, digits),
        [b'.', digits @ ..] => (false, digits),
        _ => return None,
    };
    let (mut milliseconds, mut unit) = (0, 100);
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        milliseconds += i64::from(digit - b'0') * unit;
        unit /= 10;
    }
    (!digits.is_empty()).then_some((milliseconds, utc))
}

/// Two digits as a number.
fn pair(bytes: &[u8]) -> Option<i8> {
    match bytes {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(((a - b'0') * 10 + (b - b'0')) as i8),
        _ => None,
    }
}

/// The date `YYYY-MM-DD` with a time of day.
fn civil(date: &[u8], time: [i8; 3], milliseconds: i32) -> Result<DateTime, Fault> {
    let [y @ .., b'-', m1, m2, b'-', d1, d2] = date else {
        return Err(Fault::Time);
    };
    let (century, year) = y.split_at_checked(2).ok_or(Fault::Time)?;
    let part = |bytes: &[u8]| pair(bytes).ok_or(Fault::Time);
    let year = i16::from(part(century)?) * 100 + i16::from(part(year)?);
    let (month, day) = (part(&[*m1, *m2])?, part(&[*d1, *d2])?);
    let [hour, minute, second] = time;
    DateTime::new(year, month, day, hour, minute, second, milliseconds * 1_000_000)
        .map_err(|_| Fault::Date)
}

/// When a time of day is in a zone: in a gap as if the clock had not been put forward yet, in an overlap the earlier.
fn instant(zone: &TimeZone, time: DateTime) -> Result<i64, Fault> {
    let time = zone.to_ambiguous_timestamp(time).compatible();
    time.map(Timestamp::as_millisecond).map_err(|_| Fault::Date)
}

#[cfg(test)]
mod tests;
