//! Text of rows: times, numbers and ids into a growing block of bytes.
//!
//! Formatting is most of the work of the generator, so dates are kept from row to row and
//! nothing passes through `format!`.

use super::pace::{DAY, HOUR, MINUTE, SECOND};

/// A block of CSV text being written.
#[derive(Debug)]
pub(super) struct Text {
    bytes: Vec<u8>,
    day: i64,
    /// `YYYY-MM-DD ` of `day`.
    date: [u8; 11],
}

impl Text {
    pub(super) fn new() -> Self {
        Text { bytes: Vec::new(), day: 0, date: *b"1970-01-01 " }
    }

    /// The bytes written since the last call.
    pub(super) fn take(&mut self, capacity: usize) -> Vec<u8> {
        std::mem::replace(&mut self.bytes, Vec::with_capacity(capacity))
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes off and returns everything from `start` on.
    pub(super) fn cut(&mut self, start: usize) -> Vec<u8> {
        self.bytes.split_off(start.min(self.bytes.len()))
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A field that ends here: the comma.
    pub(super) fn next(&mut self) {
        self.bytes.push(b',');
    }

    /// The row ends here.
    pub(super) fn end(&mut self) {
        self.bytes.push(b'\n');
    }

    pub(super) fn word(&mut self, word: &str) {
        self.bytes.extend_from_slice(word.as_bytes());
    }

    pub(super) fn number(&mut self, value: u64) {
        self.padded(value, 1);
    }

    /// A letter and a number, the form of most ids.
    pub(super) fn id(&mut self, letter: u8, value: u64) {
        self.bytes.push(letter);
        self.padded(value, 1);
    }

    /// A number with zeros before it up to `width` (at most 20) digits.
    pub(super) fn padded(&mut self, mut value: u64, width: usize) {
        let mut digits = [b'0'; 20];
        let mut at = digits.len();
        while value > 0 {
            // u64 has at most 20 digits.
            at -= 1;
            digits[at] = b'0' + (value % 10) as u8;
            value /= 10;
        }
        let first = at.min(20 - width.min(20));
        self.bytes.extend_from_slice(&digits[first..]);
    }

    pub(super) fn signed(&mut self, value: i64) {
        if value < 0 {
            self.bytes.push(b'-');
        }
        self.padded(value.unsigned_abs(), 1);
    }

    /// `12.34` from 1234.
    pub(super) fn cents(&mut self, cents: u32) {
        self.padded(u64::from(cents / 100), 1);
        self.bytes.push(b'.');
        self.padded(u64::from(cents % 100), 2);
    }

    /// The low 48 bits as twelve hexadecimal digits.
    pub(super) fn hex48(&mut self, value: u64) {
        let digit = |place: u32| b"0123456789abcdef"[(value >> (4 * place) & 15) as usize];
        self.bytes.extend((0..12).rev().map(digit));
    }

    pub(super) fn ip(&mut self, ip: u32) {
        for (place, octet) in ip.to_be_bytes().into_iter().enumerate() {
            if place > 0 {
                self.bytes.push(b'.');
            }
            self.padded(u64::from(octet), 1);
        }
    }

    /// `YYYY-MM-DD HH:MM:SS.mmm` in UTC; years 0 to 9999.
    pub(super) fn time(&mut self, time: i64) {
        let day = time.div_euclid(DAY);
        if day != self.day {
            self.day = day;
            self.date = date(day);
        }
        let rest = time.rem_euclid(DAY);
        let two = |value: i64| [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8];
        let [h, i] = two(rest / HOUR);
        let [m, n] = two(rest / MINUTE % 60);
        let [s, t] = two(rest / SECOND % 60);
        let [x, y] = two(rest % SECOND / 10);
        let z = b'0' + (rest % 10) as u8;
        self.bytes.extend_from_slice(&self.date);
        self.bytes.extend_from_slice(&[h, i, b':', m, n, b':', s, t, b'.', x, y, z]);
    }
}

/// The date of a day counted from 1970-01-01. Years are taken to start in March, so that the
/// day that may be missing is the last; then months follow the pattern of 153 days in five.
fn date(day: i64) -> [u8; 11] {
    // Days since 0000-03-01, split into eras of 400 years.
    let days = day + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let of_era = of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096;
    let year = of_era / 365;
    let in_year = days.rem_euclid(146_097) - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + next;
    let digit = |value: i64| b'0' + (value % 10) as u8;
    [
        digit(year / 1000),
        digit(year / 100),
        digit(year / 10),
        digit(year),
        b'-',
        digit(month / 10),
        digit(month),
        b'-',
        digit(day / 10),
        digit(day),
        b' ',
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_agree_with_counting_days_one_by_one() {
        let (mut year, mut month, mut day) = (1970_u32, 1_u32, 1_u32);
        for number in 0..100_000 {
            let text = format!("{year:04}-{month:02}-{day:02} ");
            assert_eq!(date(number), text.as_bytes(), "day {number}");
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u32::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }

    #[test]
    fn fields_look_as_they_should() {
        let mut text = Text::new();
        text.time(1_767_225_600_000 + 13 * HOUR + 5 * MINUTE + 9_007);
        text.next();
        text.cents(5);
        text.next();
        text.cents(123_456);
        text.next();
        text.signed(-40);
        text.next();
        text.ip(0x0a01_02ff);
        text.next();
        text.hex48(0xabc);
        text.next();
        text.id(b'u', 0);
        text.padded(u64::MAX, 20);
        let wanted = "2026-01-01 13:05:09.007,0.05,1234.56,-40,10.1.2.255,000000000abc,u018446744073709551615";
        assert_eq!(String::from_utf8_lossy(&text.take(0)), wanted);
    }
}
