//! A short string value of sixteen bytes, as keys and labels are.
//!
//! Most keys of a shop are whole numbers written in decimal, so those are held as the number: one word to hash and to
//! compare. Other strings of up to fourteen bytes lie inline, and longer ones behind a shared pointer. A string has
//! exactly one form (`Num` if it is a canonical number, else by its length), and every way in goes through the same
//! two constructors, so comparing form by form is comparing strings.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest string held inline.
const INLINE: usize = 14;
/// The least number of twenty digits, which is too long for `Num`.
const TWENTY_DIGITS: u64 = 10_000_000_000_000_000_000;
/// The leading bytes of the compact form; a smaller one is the length of an inline string.
const NUM_TAG: u8 = 255;
const LONG_TAG: u8 = 254;

/// A short string; the default is the empty one, which stands for an absent value.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    /// A decimal number without sign or leading zero, of at most 19 digits.
    Num(u64),
    /// Anything else of up to `INLINE` bytes; those beyond the length are zero.
    Short(u8, [u8; INLINE]),
    /// Anything longer. The box keeps the pointer to one word.
    Long(Arc<Box<str>>),
}

const _: () = assert!(size_of::<Text>() == 16);

/// Room for `Text::as_str` to write a number's digits in.
#[derive(Default)]
pub struct Digits([u8; 20]);

impl Text {
    /// The empty text.
    pub const EMPTY: Text = Text(Form::Short(0, [0; INLINE]));

    /// The text of a string.
    pub fn new(string: &str) -> Text {
        match canonical_number(string.as_bytes()) {
            Some(number) => Text(Form::Num(number)),
            None => Text::other(string),
        }
    }

    /// The text of a string known not to be a canonical number.
    fn other(string: &str) -> Text {
        let mut bytes = [0; INLINE];
        match bytes.get_mut(..string.len()) {
            Some(inline) => {
                inline.copy_from_slice(string.as_bytes());
                Text(Form::Short(string.len() as u8, bytes))
            }
            None => Text(Form::Long(Arc::new(string.into()))),
        }
    }

    /// Whether this is the empty string.
    pub fn is_empty(&self) -> bool {
        matches!(self.0, Form::Short(0, _))
    }

    /// The number, if this is one in canonical form of at most 19 digits.
    pub fn as_number(&self) -> Option<u64> {
        match self.0 {
            Form::Num(number) => Some(number),
            _ => None,
        }
    }

    /// The string, with `digits` for room where it has to be written out. Allocates nothing.
    pub fn as_str<'a>(&'a self, digits: &'a mut Digits) -> &'a str {
        match &self.0 {
            Form::Num(number) => {
                let mut at = digits.0.len();
                let mut rest = *number;
                loop {
                    at -= 1; // twenty places are enough for any u64
                    digits.0[at] = b'0' + (rest % 10) as u8;
                    rest /= 10;
                    if rest == 0 {
                        break utf8(&digits.0[at..]);
                    }
                }
            }
            Form::Short(length, bytes) => utf8(&bytes[..usize::from(*length)]),
            Form::Long(string) => string,
        }
    }

    /// The string; only a number is allocated.
    pub fn to_cow(&self) -> Cow<'_, str> {
        match &self.0 {
            Form::Num(number) => Cow::Owned(number.to_string()),
            Form::Short(length, bytes) => Cow::Borrowed(utf8(&bytes[..usize::from(*length)])),
            Form::Long(string) => Cow::Borrowed(string),
        }
    }
}

/// The bytes as a string. They are digits or were copied whole from one, so the fallback is never taken.
fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// The number a string of at most 19 digits stands for, if it is how that number is written.
fn canonical_number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > 19 || (bytes[0] == b'0' && bytes.len() > 1) {
        return None;
    }
    bytes.iter().try_fold(0u64, |number, &byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + u64::from(digit))
    })
}

impl Default for Text {
    fn default() -> Text {
        Text(Form::Short(0, [0; INLINE]))
    }
}

impl From<&str> for Text {
    fn from(string: &str) -> Text {
        Text::new(string)
    }
}

impl From<u64> for Text {
    fn from(number: u64) -> Text {
        if number < TWENTY_DIGITS {
            Text(Form::Num(number))
        } else {
            Text::other(&number.to_string())
        }
    }
}

impl Ord for Text {
    /// Numbers by size and before the rest, the rest as strings.
    fn cmp(&self, other: &Text) -> Ordering {
        match (&self.0, &other.0) {
            (Form::Num(a), Form::Num(b)) => a.cmp(b),
            (Form::Num(_), _) => Ordering::Less,
            (_, Form::Num(_)) => Ordering::Greater,
            // The order of strings is that of their bytes, and zeros behind the shorter of two come
            // before whatever the longer has there; if that is zeros too, the length decides.
            (Form::Short(m, a), Form::Short(n, b)) => (words(a), m).cmp(&(words(b), n)),
            (Form::Short(n, a), Form::Long(b)) => a[..usize::from(*n)].cmp(b.as_bytes()),
            (Form::Long(a), Form::Short(n, b)) => a.as_bytes().cmp(&b[..usize::from(*n)]),
            (Form::Long(a), Form::Long(b)) => a.cmp(b),
        }
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Text) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// An inline string as two numbers in the order of strings. They overlap, so that both are read
/// as they lie: putting the bytes together first costs more than the comparison.
#[inline]
fn words(bytes: &[u8; INLINE]) -> (u64, u64) {
    let word = |from: usize| bytes[from..].first_chunk().map_or(0, |w| u64::from_be_bytes(*w));
    (word(0), word(INLINE - 8))
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Form::Num(number) => state.write_u64(*number),
            Form::Short(length, bytes) => {
                // The length, which tells apart what ends in zeros, goes over a byte that the words
                // have in common.
                let (first, second) = words(bytes);
                let second = second ^ (u64::from(*length) << 56);
                state.write_u128((u128::from(first) << 64) | u128::from(second));
            }
            Form::Long(string) => string.hash(state),
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str(&mut Digits::default()))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(&mut Digits::default()), f)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_str(self.as_str(&mut Digits::default()));
        }
        match &self.0 {
            Form::Num(number) => {
                let mut tuple = serializer.serialize_tuple(2)?;
                tuple.serialize_element(&NUM_TAG)?;
                tuple.serialize_element(number)?;
                tuple.end()
            }
            Form::Short(length, bytes) => {
                let bytes = &bytes[..usize::from(*length)];
                let mut tuple = serializer.serialize_tuple(1 + bytes.len())?;
                tuple.serialize_element(length)?;
                for byte in bytes {
                    tuple.serialize_element(byte)?;
                }
                tuple.end()
            }
            Form::Long(string) => {
                let mut tuple = serializer.serialize_tuple(2)?;
                tuple.serialize_element(&LONG_TAG)?;
                tuple.serialize_element::<str>(string)?;
                tuple.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(TextVisitor)
        } else {
            // The most elements any form has; the visitor stops where the tag says.
            deserializer.deserialize_tuple(1 + INLINE, TextVisitor)
        }
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, string: &str) -> Result<Text, E> {
        Ok(Text::new(string))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text, A::Error> {
        let cut = || A::Error::custom("a text is cut short");
        let tag: u8 = seq.next_element()?.ok_or_else(cut)?;
        match tag {
            NUM_TAG => Ok(Text::from(seq.next_element::<u64>()?.ok_or_else(cut)?)),
            LONG_TAG => {
                let string = seq.next_element::<String>()?.ok_or_else(cut)?;
                Ok(Text::new(&string))
            }
            length => {
                let mut bytes = [0; INLINE];
                let inline = bytes
                    .get_mut(..usize::from(length))
                    .ok_or_else(|| A::Error::custom("a text has an unknown tag"))?;
                for byte in inline.iter_mut() {
                    *byte = seq.next_element()?.ok_or_else(cut)?;
                }
                let string = std::str::from_utf8(inline).map_err(A::Error::custom)?;
                Ok(Text::new(string))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &Text) -> u64 {
        use std::hash::BuildHasher;
        foldhash::fast::FixedState::with_seed(7).hash_one(text)
    }

    /// Strings at and around every limit between the forms.
    fn samples() -> Vec<String> {
        let mut samples: Vec<String> = [
            "",
            "0",
            "00",
            "7",
            "07",
            "-7",
            "+7",
            " 7",
            "7 ",
            "10",
            "9",
            "abc",
            "ABC",
            "é",
            "\0",
            "\0\0",
            "9999999999999999999",
            "10000000000000000000",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999999",
            "1e5",
            "12345678901234",
            "1234567890123x",
            "12345678901234x",
            "Ärger über Öl",
            "a longer string than fourteen bytes",
            "7.0",
        ]
        .map(String::from)
        .to_vec();
        for length in 0..25 {
            samples.push("1".repeat(length));
            samples.push("x".repeat(length));
        }
        samples
    }

    /// The order as the contract has it, worked out from the strings alone.
    fn slow_order(a: &str, b: &str) -> Ordering {
        let number =
            |s: &str| s.parse::<u64>().ok().filter(|n| s.len() <= 19 && n.to_string() == s);
        match (number(a), number(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.cmp(b),
        }
    }

    #[test]
    fn behaves_as_the_string() {
        for a in &samples() {
            let text = Text::new(a);
            assert_eq!(text.to_string(), *a);
            assert_eq!(format!("{text:?}"), format!("{a:?}"));
            assert_eq!(text.to_cow(), a.as_str());
            assert_eq!(text.as_str(&mut Digits::default()), a);
            assert_eq!(text.is_empty(), a.is_empty());
            for b in &samples() {
                let other = Text::from(b.as_str());
                assert_eq!(text == other, a == b, "{a:?} {b:?}");
                assert_eq!(text.cmp(&other), slow_order(a, b), "{a:?} {b:?}");
                assert!(a != b || hash(&text) == hash(&other));
            }
        }
        assert!(Text::default().is_empty());
    }

    #[test]
    fn a_number_is_its_text() {
        for number in [0, 1, 9, 10, 4_242, TWENTY_DIGITS - 1, TWENTY_DIGITS, u64::MAX] {
            assert_eq!(Text::from(number), Text::new(&number.to_string()));
            let digits = number.to_string().len();
            assert_eq!(Text::from(number).as_number(), (digits <= 19).then_some(number));
        }
    }

    #[test]
    fn round_trips() {
        let texts: Vec<Text> = samples().iter().map(|s| Text::new(s)).collect();
        let bytes = bincode::serialize(&texts).unwrap();
        assert_eq!(bincode::deserialize::<Vec<Text>>(&bytes).unwrap(), texts);
        let json = serde_json::to_string(&texts).unwrap();
        assert_eq!(json, serde_json::to_string(&samples()).unwrap());
        assert_eq!(serde_json::from_str::<Vec<Text>>(&json).unwrap(), texts);
        assert_eq!(bincode::serialize(&Text::new("4711")).unwrap().len(), 9);
        assert_eq!(bincode::serialize(&Text::new("abc")).unwrap().len(), 4);
    }

    #[test]
    fn damaged_bytes_are_refused_and_other_forms_made_canonical() {
        assert!(bincode::deserialize::<Text>(&[]).is_err());
        assert!(bincode::deserialize::<Text>(&[3, b'a']).is_err());
        assert!(bincode::deserialize::<Text>(&[200]).is_err());
        assert!(bincode::deserialize::<Text>(&[1, 0xFF]).is_err());
        let text: Text = bincode::deserialize(&[2, b'4', b'2']).unwrap();
        assert_eq!(text, Text::from(42));
    }
}
