//! How the text of a file is written: what separates its fields, whether it names its columns, and its encoding.
//!
//! What separates the fields is found on the first line: that of comma, semicolon, tab and bar which makes most fields
//! of it. UTF-8 and, by its mark, UTF-16 are known; any other encoding has to be said. It is all made UTF-8 as it is
//! read. What is no text in its encoding becomes a byte that is none in UTF-8 either, so that it is told like such a one.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::scan::Index;

/// What separates fields, as far as it is looked for.
const DELIMITERS: [u8; 4] = *b",;\t|";
/// Bytes decoded in one go.
const PIECE: usize = 64 << 10;
/// A byte that is in no text of UTF-8.
const NO_TEXT: u8 = 0xFF;

/// What was said of a file; the rest is found.
#[derive(Clone, Debug, Default)]
pub struct Dialect {
    /// What separates the fields.
    pub delimiter: Option<u8>,
    /// The names of the columns of a file that has none.
    pub columns: Option<Vec<String>>,
    /// The encoding.
    pub encoding: Option<&'static Encoding>,
}

impl Dialect {
    /// As is said here, or else there.
    pub fn or(&self, other: &Dialect) -> Dialect {
        Dialect {
            delimiter: self.delimiter.or(other.delimiter),
            columns: self.columns.clone().or_else(|| other.columns.clone()),
            encoding: self.encoding.or(other.encoding),
        }
    }

    /// What separates the fields, if this is the first line.
    pub(super) fn delimiter(&self, line: &[u8]) -> u8 {
        let fields = |delimiter: u8| {
            let mut index = Index::default();
            index.fill(line, true, delimiter);
            let mut fields = index
                .places()
                .windows(2)
                .map(|p| &line[p[0].wrapping_add(1) as usize..p[1] as usize]);
            // Quotes within fields are no letters of a name.
            let cuts =
                |field: &[u8]| !field.starts_with(b"\"") && memchr::memchr(b'"', field).is_some();
            if index.is_broken() || fields.any(cuts) { 0 } else { index.places().len() }
        };
        // The last of the greatest is taken.
        let found = || DELIMITERS.into_iter().rev().max_by_key(|delimiter| fields(*delimiter));
        self.delimiter.or_else(found).unwrap_or(b',')
    }
}

/// The name of what separates fields.
pub fn delimiter_named(name: &str) -> Result<u8, String> {
    match name {
        "tab" | "\\t" => Ok(b'\t'),
        _ => match name.as_bytes() {
            [b'"' | b'\n' | b'\r' | b'0'..=b'9' | b'.' | b'-'] => {
                Err("this is part of values".into())
            }
            [byte] if byte.is_ascii() => Ok(*byte),
            _ => Err("expected one character, or tab".into()),
        },
    }
}

/// The encoding of a name.
pub fn encoding_named(name: &str) -> Result<&'static Encoding, String> {
    let unknown = || {
        "no such encoding; expected for instance utf-8, utf-16le, windows-1252 or iso-8859-1".into()
    };
    Encoding::for_label(name.as_bytes()).ok_or_else(unknown)
}

/// Reads text as UTF-8, whatever encoding it is in.
pub(super) struct Decoded<R> {
    input: R,
    state: State,
}

enum State {
    /// Nothing was read yet.
    New(Option<&'static Encoding>),
    /// The first bytes, which are text of UTF-8.
    Mark(Vec<u8>),
    Plain,
    Other(Box<Other>),
}

struct Other {
    decoder: Decoder,
    /// Bytes that have been read and not decoded.
    raw: Vec<u8>,
    ended: bool,
    done: bool,
    /// Text that there was no room for.
    over: Vec<u8>,
}

impl<R: Read> Decoded<R> {
    pub fn new(input: R, encoding: Option<&'static Encoding>) -> Decoded<R> {
        Decoded { input, state: State::New(encoding) }
    }

    /// Finds what the text begins with.
    fn begin(&mut self, said: Option<&'static Encoding>) -> io::Result<()> {
        let mut first = Vec::new();
        // Only what may be a mark of UTF-16 is waited for.
        while first.len() < 2 && first.first().is_none_or(|byte| *byte >= 0xFE) {
            let mut byte = [0];
            if self.input.read(&mut byte)? == 0 {
                break;
            }
            first.push(byte[0]);
        }
        let marked = match first.as_slice() {
            [0xFF, 0xFE] => Some(UTF_16LE),
            [0xFE, 0xFF] => Some(UTF_16BE),
            _ => None,
        };
        self.state = match said.or(marked).filter(|encoding| *encoding != UTF_8) {
            None => State::Mark(first),
            Some(encoding) => {
                let decoder = encoding.new_decoder_with_bom_removal();
                let over = Vec::new();
                State::Other(Box::new(Other {
                    decoder,
                    raw: first,
                    ended: false,
                    done: false,
                    over,
                }))
            }
        };
        Ok(())
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if let State::New(said) = self.state {
            self.begin(said)?;
        }
        match &mut self.state {
            State::Mark(first) => {
                let taken = first.len().min(room.len());
                room[..taken].copy_from_slice(&first[..taken]);
                first.drain(..taken);
                let done = first.is_empty();
                if done {
                    self.state = State::Plain;
                }
                // What is there already must not wait for more.
                if taken > 0 { Ok(taken) } else { self.input.read(room) }
            }
            State::Other(other) => other.read(&mut self.input, room),
            State::Plain | State::New(_) => self.input.read(room),
        }
    }
}

impl Other {
    fn read(&mut self, input: &mut impl Read, room: &mut [u8]) -> io::Result<usize> {
        while self.over.is_empty() && !self.done && !room.is_empty() {
            if !self.ended {
                let before = self.raw.len();
                self.raw.resize(before + PIECE, 0);
                let read = input.read(&mut self.raw[before..]);
                self.raw.truncate(before + read.as_ref().copied().unwrap_or(0));
                self.ended = read? == 0;
            }
            self.decode();
        }
        let taken = self.over.len().min(room.len());
        room[..taken].copy_from_slice(&self.over[..taken]);
        self.over.drain(..taken);
        Ok(taken)
    }

    /// Decodes what has been read.
    fn decode(&mut self) {
        let mut from = 0;
        loop {
            let rest = &self.raw[from..];
            let most = self.decoder.max_utf8_buffer_length_without_replacement(rest.len());
            let at = self.over.len();
            self.over.resize(at + most.unwrap_or(4 * rest.len() + 16), 0);
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
                rest,
                &mut self.over[at..],
                self.ended,
            );
            self.over.truncate(at + written);
            from += read;
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => self.over.push(NO_TEXT),
            }
        }
        self.raw.drain(..from);
        self.done = self.ended;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Yields so many bytes at a time.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let most = room.len().min(self.1);
            self.0.read(&mut room[..most])
        }
    }

    fn decoded(bytes: &[u8], encoding: Option<&str>) -> Vec<u8> {
        let encoding = encoding.map(|name| encoding_named(name).unwrap());
        let mut results = [1, 2, 3, 1000].map(|size| {
            let mut text = Vec::new();
            let mut reader = Decoded::new(Pieces(bytes, size), encoding);
            let mut room = vec![0; size + 1];
            loop {
                match reader.read(&mut room).unwrap() {
                    0 => break text,
                    read => text.extend_from_slice(&room[..read]),
                }
            }
        });
        assert!(results.iter().all(|text| *text == results[0]));
        results[0].split_off(0)
    }

    fn utf16(text: &str, big: bool) -> Vec<u8> {
        let unit = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn text_of_each_encoding_is_made_utf_8() {
        let text = "a;Größe €;𝄞\r\n".repeat(50);
        for mark in ["", "\u{FEFF}"] {
            let plain = format!("{mark}{text}");
            assert_eq!(decoded(plain.as_bytes(), None), plain.as_bytes());
            for big in [false, true] {
                let bytes = utf16(&plain, big);
                let name = if big { "utf-16be" } else { "utf-16le" };
                assert_eq!(decoded(&bytes, Some(name)), text.as_bytes());
                if !mark.is_empty() {
                    assert_eq!(decoded(&bytes, None), text.as_bytes());
                }
            }
        }
        assert_eq!(decoded(b"Gr\xF6\xDFe \x80", Some("windows-1252")), "Größe €".as_bytes());
        assert_eq!(decoded(b"Gr\xF6\xDFe", None), b"Gr\xF6\xDFe");
        assert_eq!(decoded(b"", None), b"");
        assert_eq!(decoded(b"\xFF", None), b"\xFF");
    }

    #[test]
    fn what_is_no_text_stays_none() {
        let lone = [utf16("\u{FEFF}a", false), vec![0, 0xD8], utf16("b", false), vec![7]].concat();
        assert_eq!(decoded(&lone, None), b"a\xFFb\xFF");
    }

    #[test]
    fn the_first_line_tells_what_separates_fields() {
        let found = |line: &str| Dialect::default().delimiter(line.as_bytes());
        for (line, delimiter) in [
            ("a,b,c", b','),
            ("a;b;c", b';'),
            ("a\tb", b'\t'),
            ("a|b|c", b'|'),
            ("a", b','),
            ("time;\"net, gross, tax\";x", b';'),
            ("\"a;b;c;d\",e", b','),
            ("\"a\";\"b\"", b';'),
            ("a;b,c", b','),
        ] {
            assert_eq!(found(line), delimiter, "{line}");
        }
        let said = Dialect { delimiter: Some(b':'), ..Dialect::default() };
        assert_eq!(said.delimiter(b"a,b,c"), b':');
        assert_eq!((delimiter_named("tab"), delimiter_named("|")), (Ok(b'\t'), Ok(b'|')));
        assert!(delimiter_named("\"").is_err() && delimiter_named(";;").is_err());
    }
}
