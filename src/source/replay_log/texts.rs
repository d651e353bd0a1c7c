//! A column of texts as flat arrays, for both codecs.
//!
//! Texts that are all numbers (ids of users and items mostly are) are written as numbers; others
//! as their bytes one after the other, with the place where each ends. Reading back checks every
//! place and the encoding, so no bytes whatever make it panic.

use super::Damaged;
use crate::text::{Digits, Text};

/// Texts as arrays.
pub(super) enum Flat {
    /// All of them are numbers in canonical form.
    Numbers(Vec<u64>),
    /// Where each ends, and all their bytes.
    Strings(Vec<u64>, Vec<u8>),
}

/// Texts as arrays.
pub(super) fn flatten(texts: &[Text]) -> Flat {
    let numbers: Option<Vec<u64>> = texts.iter().map(Text::as_number).collect();
    numbers.map_or_else(
        || {
            let (mut ends, mut bytes) = (Vec::with_capacity(texts.len()), Vec::new());
            for text in texts {
                bytes.extend_from_slice(text.as_str(&mut Digits::default()).as_bytes());
                ends.push(bytes.len() as u64);
            }
            Flat::Strings(ends, bytes)
        },
        Flat::Numbers,
    )
}

/// The texts of numbers.
pub(super) fn numbers(numbers: &[u64]) -> Vec<Text> {
    numbers.iter().map(|number| Text::from(*number)).collect()
}

/// The texts of strings.
pub(super) fn strings(ends: &[u64], bytes: &[u8]) -> Result<Vec<Text>, Damaged> {
    let all = std::str::from_utf8(bytes).map_err(|_| Damaged("a text is not UTF-8"))?;
    let mut start = 0;
    let text = |end: &u64| {
        let end = usize::try_from(*end).unwrap_or(usize::MAX);
        let text = all.get(start..end).ok_or(Damaged("a text ends before it begins"))?;
        start = end;
        Ok(Text::new(text))
    };
    ends.iter().map(text).collect()
}
