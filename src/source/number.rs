//! Reads numbers as people and programs write them, exactly.
//!
//! Taken are a sign or the parentheses of a bookkeeper, a currency sign before or behind, thousands set apart, a point
//! (or by choice a comma) with no digits on one side of it, and an exponent. Which of point and comma is the decimal
//! mark is never guessed from a value: `1,234` is a thousand and `5,00` is refused unless the comma was asked for.
//!
//! Digits beyond those that are kept have to be zeros, or what binary floats leave behind: `3.0000000000001` and
//! `19.989999999999998` are meant as 3.00 and 19.99, while `12.345` says more than two decimals can hold.

use std::borrow::Cow;

use super::error::Fault;

/// From so many digits beyond the kept ones on they may be what a float left behind.
const NOISE_DIGITS: usize = 4;
/// How far a float of 32 bits is off, as a share of its value.
const NOISE_SHARE: f64 = 1.0 / (1 << 24) as f64;
/// How far the noise may be off at least and at most, in units of the last digit kept.
const NOISE: (f64, f64) = (1e-9, 1e-2);
/// The largest exponent, up or down.
const EXPONENT: i32 = 40;

/// Reads a number as so many units of ten to the minus `decimals`. `comma` says that the decimal mark is a comma.
pub(super) fn read(text: &str, decimals: u32, comma: bool) -> Result<i64, Fault> {
    let unclear = || match comma {
        // What reads well with a comma is most likely meant so.
        false if text.contains(',') && read(text, decimals, true).is_ok() => Fault::Comma,
        _ => Fault::Money,
    };
    let (minus, bare) = unsigned(text).ok_or_else(unclear)?;
    let (digits, exponent) = exponent(bare).ok_or_else(unclear)?;
    let mark = if comma { ',' } else { '.' };
    let (whole, part) = digits.split_once(mark).unwrap_or((digits, ""));
    let whole = ungrouped(whole, if comma { '.' } else { ',' }).ok_or_else(unclear)?;
    if (whole.is_empty() && part.is_empty()) || !all_digits(part) {
        return Err(unclear());
    }
    let number = scaled(&whole, part, exponent + decimals as i32)?;
    Ok(if minus { -number } else { number })
}

/// Reads a whole number, which may be written as a float.
pub(super) fn whole(text: &str, comma: bool) -> Result<i64, Fault> {
    read(text, 0, comma).map_err(|fault| match fault {
        Fault::Range => Fault::Range,
        _ => Fault::Integer,
    })
}

/// Takes off what is around the digits; true for a negative number.
fn unsigned(text: &str) -> Option<(bool, &str)> {
    let inside = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let (mut minus, mut rest) = (inside.is_some(), inside.unwrap_or(text).trim());
    let (mut signed, mut priced) = (minus, false);
    loop {
        let first = rest.chars().next()?;
        if !priced && is_currency(first) {
            priced = true;
            rest = rest[first.len_utf8()..].trim_start();
        } else if !signed && matches!(first, '+' | '-' | '−') {
            (signed, minus) = (true, first != '+');
            rest = &rest[first.len_utf8()..];
        } else {
            break;
        }
    }
    while let Some(last) = rest.chars().next_back() {
        if !priced && is_currency(last) {
            priced = true;
        } else if !signed && matches!(last, '-' | '−') {
            (signed, minus) = (true, true);
        } else {
            break;
        }
        rest = rest[..rest.len() - last.len_utf8()].trim_end();
    }
    Some((minus, rest))
}

/// Whether a character is the sign of a currency.
fn is_currency(sign: char) -> bool {
    matches!(sign, '$' | '£' | '¥' | '฿' | '﷼' | '\u{20A0}'..='\u{20CF}')
}

/// Splits off an exponent, zero if there is none.
fn exponent(text: &str) -> Option<(&str, i32)> {
    let Some((digits, exponent)) = text.split_once(['e', 'E']) else {
        return Some((text, 0));
    };
    let (minus, number) = match exponent.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, exponent.strip_prefix('+').unwrap_or(exponent)),
    };
    let number = Some(number).filter(|n| all_digits(n)).and_then(|n| n.parse::<i32>().ok())?;
    (number <= EXPONENT && !digits.is_empty())
        .then_some((digits, if minus { -number } else { number }))
}

/// The digits before the decimal mark without what sets thousands apart: the given mark, a space or an apostrophe, the
/// same throughout, with one to three digits before the first and three behind the last. (In India there are two
/// between any others.)
fn ungrouped(text: &str, mark: char) -> Option<Cow<'_, str>> {
    if all_digits(text) {
        return Some(Cow::Borrowed(text));
    }
    let sets_apart =
        |c: char| c == mark || matches!(c, ' ' | '\u{A0}' | '\u{202F}' | '\u{2009}' | '\'' | '’');
    let separator = text.chars().find(|c| !c.is_ascii_digit()).filter(|c| sets_apart(*c))?;
    let groups: Vec<&str> = text.split(separator).collect();
    let (first, rest) = groups.split_first()?;
    let (last, between) = rest.split_last()?;
    let sound = (1..=3).contains(&first.len())
        && !first.starts_with('0')
        && between.iter().all(|group| (2..=3).contains(&group.len()))
        && last.len() == 3
        && groups.iter().all(|group| all_digits(group));
    sound.then(|| Cow::Owned(groups.concat()))
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The number `whole.part` times ten to the `shift`.
fn scaled(whole: &str, part: &str, shift: i32) -> Result<i64, Fault> {
    let digits = [whole, part].concat();
    // Where the last digit kept ends, counted from the first.
    let end = whole.len() as i64 + i64::from(shift);
    let kept = usize::try_from(end).unwrap_or(0);
    let zeros = kept.saturating_sub(digits.len());
    let (kept, beyond) = digits.split_at(kept.min(digits.len()));
    let kept = if kept.bytes().all(|byte| byte == b'0') { "" } else { kept };
    let zeros = std::iter::repeat_n(b'0', if kept.is_empty() { 0 } else { zeros });
    let number = kept
        .bytes()
        .chain(zeros)
        .try_fold(0i64, |number, byte| number.checked_mul(10)?.checked_add(i64::from(byte - b'0')));
    let number = number.ok_or(Fault::Range)?;
    let beyond = beyond.trim_end_matches('0');
    if beyond.is_empty() {
        return Ok(number);
    }
    // Digits that begin further down have zeros before them.
    let beyond = format!("{}{beyond}", "0".repeat(usize::try_from(-end).unwrap_or(0)));
    let rest: f64 = format!("0.{beyond}").parse().map_err(|_| Fault::Money)?;
    let off = rest.min(1.0 - rest);
    if beyond.len() < NOISE_DIGITS || off > (number as f64 * NOISE_SHARE).clamp(NOISE.0, NOISE.1) {
        return Err(Fault::Decimals);
    }
    number.checked_add(i64::from(rest > 0.5)).ok_or(Fault::Range)
}

#[cfg(test)]
mod tests {
    use super::super::twin::Random;
    use super::*;

    fn cents(text: &str) -> Result<i64, Fault> {
        read(text, 2, false)
    }

    #[test]
    fn forms() {
        for (text, number) in [
            ("5", 500),
            ("+1.5", 150),
            ("1.500", 150),
            ("-0", 0),
            (".5", 50),
            ("5.", 500),
            ("(5.00)", -500),
            ("($1,234.50)", -123_450),
            ("$5.00", 500),
            ("-$5.00", -500),
            ("$-5.00", -500),
            ("5.00 €", 500),
            ("€ 5.00-", -500),
            ("−5.00", -500),
            ("₹1,00,000.00", 10_000_000),
            ("1 234 567", 123_456_700),
            ("1\u{202F}234.5", 123_450),
            ("1'234.50", 123_450),
            ("1e3", 100_000),
            ("1.5E+02", 15_000),
            ("25e-2", 25),
            ("1e-2", 1),
            ("0e9", 0),
            ("92233720368547758.07", i64::MAX),
            ("-92233720368547758.07", -i64::MAX),
        ] {
            assert_eq!(cents(text), Ok(number), "{text}");
        }
        for (text, number) in [
            ("5,00", 500),
            ("1.234,50", 123_450),
            (",5", 50),
            ("-5,", -500),
            ("1 234,5 €", 123_450),
        ] {
            assert_eq!(read(text, 2, true), Ok(number), "{text}");
        }
        assert_eq!(read("5.00", 2, true), Err(Fault::Money));
        assert_eq!((whole("3.0", false), whole("1,234", false)), (Ok(3), Ok(1234)));
        assert_eq!(whole("3.5", false), Err(Fault::Integer));
        assert_eq!(whole("2.9999999999999996", false), Ok(3));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "-",
            ".",
            "(",
            "()",
            "(-5)",
            "--1",
            "1.-5",
            "1.2.3",
            "٣",
            "$",
            "5$$",
            "e3",
            "1e",
            "1e3.5",
            "1e99",
            "0x10",
            "12,34,5",
            "1,23",
            "0,123",
            "1,2345",
            ",123",
            "1 234,567",
            "5%",
            "1.000.000",
            "5 00",
            "50¢",
            "inf",
            "1_000",
        ] {
            assert!(
                matches!(cents(text), Err(Fault::Money | Fault::Comma)),
                "{text}: {:?}",
                cents(text)
            );
        }
        assert_eq!(cents("5,00"), Err(Fault::Comma));
        assert_eq!(cents("1.234,50"), Err(Fault::Comma));
        for text in
            ["92233720368547758.08", "-92233720368547758.08", "1e40", "99999999999999999999"]
        {
            assert_eq!(cents(text), Err(Fault::Range), "{text}");
        }
    }

    #[test]
    fn float_noise_is_rounded_and_nothing_else() {
        for (text, number) in [
            ("3.0000000000001", 300),
            ("19.989999999999998", 1999),
            ("0.30000000000000004", 30),
            ("-4.349999904632568", -435),
            ("5.551115123125783e-17", 0),
            ("1234.5600586", 123_456),
            ("0.9999999999999999", 100),
        ] {
            assert_eq!(cents(text), Ok(number), "{text}");
        }
        for text in [
            "12.345",
            "1.501",
            "0.001",
            "1e-3",
            "100000.0051",
            "0.00012345",
            "12.3449999",
            "1.00005",
        ] {
            assert_eq!(cents(text), Err(Fault::Decimals), "{text}");
        }
        // Every amount of cents, divided as a program would and printed as it would print it.
        let mut random = Random(5);
        for _ in 0..20_000 {
            let amount = random.below(2_000_000) as i64 - 1_000_000;
            let noisy = (amount as f64 / 100.0 * 3.0) / 3.0 + 0.1 - 0.1;
            assert_eq!(cents(&format!("{noisy}")), Ok(amount), "{noisy}");
            let single = (amount / 10) as f32 / 100.0;
            assert_eq!(cents(&format!("{}", f64::from(single))), Ok(amount / 10), "{single}");
        }
    }

    /// Numbers written in every way, each of which has to give the number back.
    #[test]
    fn what_is_written_is_read() {
        let mut random = Random(4);
        for round in 0..50_000 {
            let size = random.below(12) as u32;
            let number = random.below(10usize.pow(size) + 1) as i64;
            let comma = round % 2 == 0;
            let (mark, apart) = if comma { (',', '.') } else { ('.', ',') };
            let digits = (number / 100).to_string();
            let separator =
                ["", " ", "'", &apart.to_string(), "\u{A0}"][random.below(5)].to_owned();
            let mut grouped = String::new();
            for (i, digit) in digits.chars().enumerate() {
                if i > 0 && (digits.len() - i).is_multiple_of(3) {
                    grouped.push_str(&separator);
                }
                grouped.push(digit);
            }
            let mut text = match (number % 100, random.below(3)) {
                (0, 0) => grouped,
                (0, 1) => format!("{grouped}{mark}"),
                (rest, 2) if number < 100 && rest > 0 => format!("{mark}{rest:02}"),
                (rest, _) => format!("{grouped}{mark}{rest:02}{}", "0".repeat(random.below(3))),
            };
            let currency = random.pick(&["", "$", "€", "£ ", "₹"]).to_owned();
            text = match random.below(2) {
                0 => currency + &text,
                _ => text + &currency.replace(' ', ""),
            };
            let (text, expected) = match random.below(4) {
                0 => (format!("({text})"), -number),
                1 => (format!("-{text}"), -number),
                2 => (format!("+{text}"), number),
                _ => (text, number),
            };
            assert_eq!(read(&text, 2, comma), Ok(expected), "{text}");
        }
    }
}
