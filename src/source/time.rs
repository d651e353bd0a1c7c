//! Reads times, to milliseconds since 1970 UTC.
//!
//! The usual form is `YYYY-MM-DD HH:MM:SS`, and rows come roughly in order. So the start of an hour is worked out in full
//! once, by jiff, and kept by its thirteen bytes; what is left of such a time is checked and added in a few operations.
//! An hour is kept only if the whole of it is even: both ends of it exist once, and no change of the zone's offset comes
//! between. All else is taken apart here and worked out by jiff.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::error::Fault;

/// From when on and until when a time is believed: 1900 until 2200.
const BELIEVED: std::ops::Range<i64> = -2_208_988_800_000..7_258_118_400_000;
/// From here on a bare number is of milliseconds.
const MILLISECONDS: u64 = 100_000_000_000;
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
    /// A clock for times without an offset in the given zone, of which those after `latest` are refused.
    pub fn new(zone: &'a TimeZone, latest: Option<i64>) -> Clock<'a> {
        Clock { zone, latest: latest.unwrap_or(i64::MAX), hours: [Hour::default(); KEPT] }
    }

    /// Reads a time of the usual form, alone or with a `Z`; None to have it read slowly.
    #[inline]
    pub fn usual(&mut self, field: &[u8]) -> Option<i64> {
        let utc = match field.len() {
            19 => false,
            20 if field[19] == b'Z' => true,
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
        let time = self.hours[slot].start + 1000 * seconds as i64;
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

    /// Reads a time in any form.
    pub fn parse(&self, text: &str) -> Result<i64, Fault> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let time = if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let number: u64 = digits.parse().map_err(|_| Fault::Date)?;
            let number = if number < MILLISECONDS { 1000 * number } else { number };
            let number = i64::try_from(number).map_err(|_| Fault::Date)?;
            if digits.len() < text.len() { -number } else { number }
        } else {
            self.written(text.as_bytes())?
        };
        if !BELIEVED.contains(&time) {
            Err(Fault::Date)
        } else if time > self.latest {
            Err(Fault::Future)
        } else {
            Ok(time)
        }
    }

    /// Reads a date, with or without a time of day and an offset.
    fn written(&self, text: &[u8]) -> Result<i64, Fault> {
        let (date, rest) = text.split_at_checked(10).ok_or(Fault::Time)?;
        let Some((separator, rest)) = rest.split_first() else {
            return instant(self.zone, civil(date, [0; 3], 0)?);
        };
        let (time, rest) = rest.split_first_chunk::<8>().ok_or(Fault::Time)?;
        if !matches!(separator, b' ' | b'T' | b't') || time[2] != b':' || time[5] != b':' {
            return Err(Fault::Time);
        }
        let part = |at| pair(&time[at..at + 2]).ok_or(Fault::Time);
        let time = [part(0)?, part(3)?, part(6)?];
        let (milliseconds, rest) = fraction(rest)?;
        let offset = offset(rest)?;
        let time = civil(date, time, milliseconds)?;
        match offset {
            None => instant(self.zone, time),
            Some(minutes) => Ok(instant(&TimeZone::UTC, time)? - minutes * 60_000),
        }
    }
}

/// Eight bytes of a time from the given place, which all callers have at eleven at most.
#[inline]
fn load(bytes: &[u8; 19], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
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

/// Takes a fraction of a second off the front, in whole milliseconds.
fn fraction(text: &[u8]) -> Result<(i32, &[u8]), Fault> {
    let Some(rest) = text.strip_prefix(b".") else {
        return Ok((0, text));
    };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at(length);
    if digits.is_empty() {
        return Err(Fault::Time);
    }
    let digits = digits.iter().chain(std::iter::repeat(&b'0')).take(3);
    Ok((digits.fold(0, |number, digit| number * 10 + i32::from(digit - b'0')), rest))
}

/// An offset from UTC in minutes, or none if there is no text.
fn offset(text: &[u8]) -> Result<Option<i64>, Fault> {
    match text {
        [] => Ok(None),
        b"Z" | b"z" => Ok(Some(0)),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let hours = i64::from(pair(&[*h1, *h2]).ok_or(Fault::Time)?);
            let minutes = i64::from(pair(&[*m1, *m2]).ok_or(Fault::Time)?);
            if hours > 23 || minutes > 59 {
                return Err(Fault::Time);
            }
            let minutes = hours * 60 + minutes;
            Ok(Some(if *sign == b'-' { -minutes } else { minutes }))
        }
        _ => Err(Fault::Time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a time both ways, twice the fast one so that it finds the hour kept.
    fn read(zone: &str, text: &str) -> Result<i64, Fault> {
        let zone = TimeZone::get(zone).unwrap();
        let mut clock = Clock::new(&zone, None);
        let slow = clock.parse(text);
        for _ in 0..2 {
            if let Some(fast) = clock.usual(text.as_bytes()) {
                assert_eq!(slow, Ok(fast), "{text}");
            }
        }
        slow
    }

    fn utc(text: &str) -> Result<i64, Fault> {
        read("UTC", text)
    }

    #[test]
    fn the_fast_way_takes_the_usual() {
        let zone = TimeZone::UTC;
        let mut clock = Clock::new(&zone, Some(1_767_225_661_000));
        assert_eq!(clock.usual(b"2026-01-01 00:01:01"), Some(1_767_225_661_000));
        assert_eq!(clock.usual(b"2026-01-01T00:00:59Z"), Some(1_767_225_659_000));
        assert_eq!(clock.usual(b"2026-01-01 00:01:02"), None);
        assert_eq!(clock.parse("2026-01-01 00:01:02"), Err(Fault::Future));
    }

    #[test]
    fn forms() {
        let time = Ok(1_767_225_600_000);
        for text in [
            "2026-01-01",
            "2026-01-01 00:00:00",
            "2026-01-01T00:00:00Z",
            "2026-01-01t00:00:00z",
            "1767225600",
            "1767225600000",
            "2026-01-01 02:00:00+02:00",
            "2025-12-31T23:30:00.0-00:30",
            "2026-01-01 00:00:00.000999",
        ] {
            assert_eq!(utc(text), time, "{text}");
        }
        assert_eq!(utc("2026-01-01 00:00:00.5"), Ok(1_767_225_600_500));
        assert_eq!(utc("99999999999"), Err(Fault::Date)); // seconds, in the year 5138
        assert_eq!(utc("100000000000"), Ok(100_000_000_000)); // milliseconds
        assert_eq!(utc("-1"), Ok(-1000));
    }

    #[test]
    fn impossible_dates() {
        for text in [
            "2026-02-29 00:00:00",
            "2026-13-01 00:00:00",
            "2026-00-10 00:00:00",
            "2026-04-31",
            "2026-01-01 24:00:00",
            "2026-01-01 00:60:00",
            "2026-01-01 00:00:60",
            "1899-12-31 23:59:59",
            "2200-01-01 00:00:00",
            "99999999999999999999999",
        ] {
            assert_eq!(utc(text), Err(Fault::Date), "{text}");
        }
        assert!(utc("2024-02-29 00:00:00").is_ok());
        assert!(utc("2199-12-31 23:59:59").is_ok());
    }

    #[test]
    fn no_times() {
        for text in [
            "x",
            "2026-01-01 ",
            "2026-01-01 10:00",
            "2026-1-1",
            "01.02.2026",
            "2026-01-01 10:00:00 ",
            "2026-01-01 10.00.00",
            "2026-01-01_10:00:00",
            "2026-01-01 10:00:00.",
            "2026-01-01 10:00:00+2",
            "2026-01-01 10:00:00+24:00",
            "2026/01/01 10:00:00",
            "2026-01-01 10:00:0:",
            "--5",
        ] {
            assert_eq!(utc(text), Err(Fault::Time), "{text}");
        }
    }

    #[test]
    fn gaps_and_overlaps() {
        let berlin = |text| read("Europe/Berlin", text).map(|time| time - 1_774_745_999_000);
        assert_eq!(berlin("2026-03-29 01:59:59"), Ok(0));
        assert_eq!(berlin("2026-03-29 02:30:00"), Ok(1_801_000)); // not there, so as 03:30
        assert_eq!(berlin("2026-03-29 03:30:00"), Ok(1_801_000));
        let (first, later) =
            (read("Europe/Berlin", "2026-10-25 02:30:00"), utc("2026-10-25 00:30:00"));
        assert_eq!(first, later);
    }

    #[test]
    fn an_hour_with_a_change_there_and_back_is_not_even() {
        // Ten minutes forward at 00:10 and back at 00:40, so 00:25 is fifteen minutes in.
        let zone = TimeZone::posix("AAA0BBB-0:10,J100/0:10,J100/0:40").unwrap();
        let mut clock = Clock::new(&zone, None);
        let minutes = |time: i64| (time - 1_775_779_200_000) / 60_000;
        assert_eq!(clock.parse("2026-04-10 00:25:00").map(minutes), Ok(15));
        assert_eq!(clock.usual(b"2026-04-10 00:25:00"), None);
        assert_eq!(clock.usual(b"2026-04-10 05:25:00").map(minutes), Some(325));
    }

    #[test]
    fn every_minute_around_a_change_is_as_jiff_has_it() {
        for (name, day) in [
            ("Australia/Lord_Howe", "2026-04-05"),
            ("Australia/Lord_Howe", "2026-10-04"),
            ("Europe/Berlin", "2026-03-29"),
            ("Europe/Berlin", "2026-10-25"),
            ("Asia/Kathmandu", "1985-12-31"),
            ("Asia/Kathmandu", "1986-01-01"),
            ("America/St_Johns", "2006-10-29"),
            ("Pacific/Apia", "2011-12-30"),
        ] {
            let zone = TimeZone::get(name).unwrap();
            let mut clock = Clock::new(&zone, None);
            for second in (0..86_400).step_by(30) {
                let text = format!(
                    "{day} {:02}:{:02}:{:02}",
                    second / 3600,
                    second / 60 % 60,
                    second % 60
                );
                let time = text.parse::<DateTime>().unwrap().to_zoned(zone.clone()).unwrap();
                let expected = time.timestamp().as_millisecond();
                assert_eq!(
                    clock.usual(text.as_bytes()).unwrap_or(expected),
                    expected,
                    "{name} {text}"
                );
                assert_eq!(clock.parse(&text), Ok(expected), "{name} {text}");
            }
        }
    }
}
