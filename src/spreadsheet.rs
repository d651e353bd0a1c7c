//! What a spreadsheet would run: a text cell that begins like a formula.
//!
//! Such a cell is written with an apostrophe before it, which a spreadsheet hides and takes as
//! "this is text". So that the original can always be told, a text that begins with apostrophes
//! and then like a formula gets one more: taking one away ([`plain`]) gives back what was there, and
//! two texts are never written alike. Plain numbers such as `-7` are no formulas and stay as
//! they are, and so does every other text.

use std::borrow::Cow;

/// A text as it is written for a spreadsheet.
pub fn guarded(text: &str) -> Cow<'_, str> {
    match is_guarded_form(text) && !is_number(text) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

/// The text that [`guarded`] was given.
pub fn plain(written: &str) -> &str {
    match written.strip_prefix('\'') {
        Some(text) if is_guarded_form(text) => text,
        _ => written,
    }
}

/// Apostrophes, or none, and then what begins a formula.
fn is_guarded_form(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// A sign, digits, and at most one point among them.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let points = digits.bytes().filter(|b| *b == b'.').count();
    let only = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    points <= 1 && only && digits.bytes().any(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{guarded, plain};
    use std::collections::BTreeMap;

    #[test]
    fn every_text_is_written_in_its_own_way_and_read_back() {
        // All texts of up to four of these letters.
        let letters = ["'", "=", "-", "+", "@", "\t", "1", ".", "a", ";"];
        let mut texts = vec![String::new()];
        for _ in 0..4 {
            let longer: Vec<String> =
                texts.iter().flat_map(|t| letters.iter().map(move |l| format!("{t}{l}"))).collect();
            texts.extend(longer);
        }
        let mut seen = BTreeMap::new();
        for text in &texts {
            let written = guarded(text).into_owned();
            assert_eq!(plain(&written), text);
            let other = seen.insert(written.clone(), text.clone());
            assert!(other.as_ref().is_none_or(|other| other == text), "{text} and {other:?}");
            let formula = written.starts_with(['=', '+', '-', '@', '\t', '\r']);
            assert!(!formula || written.parse::<f64>().is_ok(), "{written} would be run");
        }
    }

    #[test]
    fn numbers_and_ordinary_texts_stay_as_they_are() {
        for text in ["-7", "+7", "-7.25", "lamp", "'tis", "o'neill", "", "2026-01-05"] {
            assert_eq!(guarded(text), text);
        }
        assert_eq!(guarded("=1+1"), "'=1+1");
        assert_eq!(guarded("'=1+1"), "''=1+1");
        assert_eq!(guarded("-cmd"), "'-cmd");
        assert_eq!(guarded("-1-1"), "'-1-1");
    }
}
