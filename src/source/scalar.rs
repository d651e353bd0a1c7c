//! Reads whole numbers and amounts of money, exactly.
//!
//! Nearly all are of at most eight bytes. Those are loaded as one word that ends where the field ends, with the bytes
//! before the field made zeros, checked to be digits all at once, and summed pairwise with three multiplications.
//! Whatever that does not take (long, signed with plus, odd or wrong) is read by [`number`], with every step checked.
//! A value is never the least 64-bit number, as that stands for an absent one.

use super::error::Fault;
use super::number;

/// The ASCII digit zero in all eight bytes.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// A field of up to eight bytes as the differences from ASCII zero, at the upper end of the word and in reading order
/// from the lowest byte. None if it is empty, longer, or too near the start of the block to load.
#[inline]
pub(super) fn word(bytes: &[u8], start: usize, end: usize) -> Option<u64> {
    let length = end.wrapping_sub(start);
    if length.wrapping_sub(1) >= 8 {
        return None;
    }
    let word = bytes.get(end.wrapping_sub(8)..end)?.first_chunk()?;
    let blank = 64 - 8 * length;
    Some((u64::from_le_bytes(*word) ^ ZEROS) >> blank << blank)
}

/// The number that eight decimal digits make, if that is what they all are.
#[inline]
pub(super) fn digits(word: u64) -> Option<u64> {
    // A carry into the next byte comes only from a byte that is no digit, and then the answer is no in any case.
    if (word | word.wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = word.wrapping_mul(10).wrapping_add(word >> 8);
    let low = (pairs & 0xFF_0000_00FF).wrapping_mul(100 + (1_000_000 << 32));
    let high = (pairs >> 16 & 0xFF_0000_00FF).wrapping_mul(1 + (10_000 << 32));
    Some(low.wrapping_add(high) >> 32)
}

/// Reads a short whole number, with or without a minus; None to have it read slowly.
#[inline]
pub(super) fn short_integer(bytes: &[u8], start: usize, end: usize) -> Option<i64> {
    let minus = bytes.get(start) == Some(&b'-');
    let number = digits(word(bytes, start + usize::from(minus), end)?)? as i64;
    Some(if minus { -number } else { number })
}

/// How amounts are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Money {
    decimals: u32,
    /// Ten to the decimals.
    scale: i64,
    /// Whether the decimal mark is a comma.
    comma: bool,
    /// The mark as the difference from a zero.
    mark: u64,
    /// Where in a word the mark is, in bits; none without decimals or with so many that words are of no use.
    point: Option<u32>,
}

impl Money {
    /// Amounts with the given number of decimals, or none if that is too many.
    pub fn new(decimals: u32, comma: bool) -> Option<Money> {
        let scale = 10i64.checked_pow(decimals)?;
        let point = (1..=6).contains(&decimals).then(|| 8 * (7 - decimals));
        let mark = u64::from(if comma { b',' } else { b'.' } ^ b'0');
        Some(Money { decimals, scale, comma, mark, point })
    }

    /// Reads a short amount with all its decimals or none; None to have it read slowly.
    #[inline]
    pub fn short(self, bytes: &[u8], start: usize, end: usize) -> Option<i64> {
        let point = self.point?;
        let minus = bytes.get(start) == Some(&b'-');
        let start = start + usize::from(minus);
        let word = word(bytes, start, end)?;
        let number =
            if word >> point & 0xFF == self.mark && end - start > self.decimals as usize + 1 {
                // Closes the gap of the point by moving what is before it up.
                let before = word & ((1 << point) - 1);
                let after = word >> point >> 8 << 8 << point;
                digits(before << 8 | after)? as i64
            } else {
                digits(word)? as i64 * self.scale
            };
        Some(if minus { -number } else { number })
    }

    /// Reads an amount in any form.
    pub fn parse(self, text: &str) -> Result<i64, Fault> {
        number::read(text, self.decimals, self.comma)
    }
}

#[cfg(test)]
mod tests {
    use super::super::twin::Random;
    use super::*;

    /// Reads a field both ways, which must agree where the fast one answers.
    fn both(money: Money, text: &str) -> Result<i64, Fault> {
        let block = format!("########{text},");
        let (start, end) = (8, 8 + text.len());
        let slow = money.parse(text);
        if let Some(fast) = money.short(block.as_bytes(), start, end) {
            assert_eq!(slow, Ok(fast), "{text}");
        }
        if let Some(fast) = short_integer(block.as_bytes(), start, end) {
            assert_eq!(number::whole(text, false), Ok(fast), "{text}");
        }
        slow
    }

    #[test]
    fn fast_and_slow_agree() {
        let mut random = Random(3);
        for round in 0..200_000 {
            let money = Money::new(round % 9, round % 2 == 0).unwrap();
            let length = random.below(12);
            let text: String = (0..length)
                .map(|_| char::from(b"0123456789..,-+x/:\x80"[random.below(19)]))
                .collect();
            let _ = both(money, &text);
        }
        for number in 0..=99_999_999u64 / 977 {
            let text = format!("{:08}", number * 977);
            assert_eq!(word(text.as_bytes(), 0, 8).and_then(digits), Some(number * 977));
        }
    }

    #[test]
    fn the_fast_way_takes_the_usual() {
        let money = Money::new(2, false).unwrap();
        for (text, cents) in
            [("1.00", 100), ("-12.34", -1234), ("99999.99", 9_999_999), ("7", 700), ("0.05", 5)]
        {
            let block = format!("########{text}");
            assert_eq!(money.short(block.as_bytes(), 8, block.len()), Some(cents));
        }
        assert_eq!(short_integer(b"12345678", 0, 8), Some(12_345_678));
    }

    #[test]
    fn a_decimal_comma_is_taken_as_fast() {
        let money = Money::new(2, true).unwrap();
        let block = b"########1,50;99999,99";
        assert_eq!(
            (money.short(block, 8, 12), money.short(block, 13, 21)),
            (Some(150), Some(9_999_999))
        );
        assert_eq!(money.short(b"########1.50", 8, 12), None);
    }
}
