//! Finds the separators of a block: every comma and line end that is not inside quotes.
//!
//! Sixty-four bytes are compared at once and the hits read off as the bits of a word. Without a quote in the block every
//! hit is a separator. With one, the hits are walked under the rules of RFC 4180: a quote opens only as the first byte
//! of a field, a doubled quote inside stands for one, and the next single quote closes. Everything else is data.

use std::ops::Range;

use wide::u8x16;

/// Bytes looked at in one step.
const STEP: usize = 64;

/// The separators of one block. Reused from block to block, so it allocates only until it has grown.
#[derive(Default)]
pub(super) struct Index {
    /// The places of the separators, after a first entry that stands one before the block (so that every field starts
    /// one after the entry before it), and junk beyond `len`.
    places: Vec<u32>,
    len: usize,
    /// How many of the separators end a record.
    records: usize,
}

/// A run of rows that all have as many fields as the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// The number of its first row among the block's even rows.
    pub row: usize,
    /// Where in the index the separator before its first row is.
    pub first: usize,
    /// How many rows it has.
    pub rows: usize,
}

/// A row with fewer or more fields than the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ragged {
    /// Its bytes in the block, without the line end.
    pub span: Range<usize>,
    /// How many fields it has.
    pub fields: usize,
}

impl Index {
    /// Finds the separators of a block of less than 4 GiB that starts with a record. Its end ends a record too.
    pub fn fill(&mut self, bytes: &[u8], quotes: bool) {
        self.len = 0;
        self.records = 0;
        self.reserve();
        self.places[0] = u32::MAX;
        self.len = 1;
        if quotes {
            separators(bytes, |place| {
                self.reserve();
                self.places[self.len] = place as u32;
                self.len += 1;
                self.records += usize::from(bytes[place] == b'\n');
            });
        } else {
            self.fill_plain(bytes);
        }
        if bytes.last().is_some_and(|&last| last != b'\n') {
            self.reserve();
            self.places[self.len] = bytes.len() as u32;
            self.len += 1;
            self.records += 1;
        }
    }

    fn fill_plain(&mut self, bytes: &[u8]) {
        let (steps, rest) = bytes.as_chunks::<STEP>();
        let mut base = 0;
        for step in steps {
            let [commas, lines, _] = masks(step);
            self.push(base, commas | lines, lines);
            base += STEP as u32;
        }
        let mut step = [0; STEP];
        step[..rest.len()].copy_from_slice(rest);
        let [commas, lines, _] = masks(&step);
        self.push(base, commas | lines, lines);
    }

    /// Appends the places of the bits. Eight are always written, as a loop over just the right number would be guessed
    /// wrong by the processor about once a step.
    #[inline]
    fn push(&mut self, base: u32, mut bits: u64, lines: u64) {
        self.reserve();
        // `reserve` leaves at least `STEP` places.
        let room = &mut self.places[self.len..][..STEP];
        self.len += bits.count_ones() as usize;
        self.records += lines.count_ones() as usize;
        for eight in room.as_chunks_mut::<8>().0 {
            for place in eight {
                *place = base.wrapping_add(bits.trailing_zeros());
                bits &= bits.wrapping_sub(1);
            }
            if bits == 0 {
                break;
            }
        }
    }

    /// Makes room for one more step.
    #[inline]
    fn reserve(&mut self) {
        if self.places.len() < self.len + STEP {
            let room = (2 * self.places.len()).max(64 * STEP);
            self.places.resize(room, 0);
        }
    }

    /// The separators, after the entry that stands before the block.
    pub fn places(&self) -> &[u32] {
        &self.places[..self.len]
    }

    /// How many line ends the block has, those inside quotes included.
    pub fn lines(&self, bytes: &[u8], quotes: bool) -> u64 {
        if quotes {
            memchr::memchr_iter(b'\n', bytes).count() as u64
        } else {
            // Every record ends in one, but for the last of the file.
            self.records as u64 - u64::from(bytes.last().is_some_and(|&last| last != b'\n'))
        }
    }

    /// Sorts the records into even rows of `width` fields, ragged ones and blank lines, which are left out.
    pub fn rows(
        &self,
        bytes: &[u8],
        width: usize,
        segments: &mut Vec<Segment>,
        ragged: &mut Vec<Ragged>,
    ) {
        segments.clear();
        ragged.clear();
        let places = self.places();
        let ends_record =
            |place: &u32| bytes.get(*place as usize).is_none_or(|&byte| byte == b'\n');
        // With as many records as whole rows and a record end after each row's worth of separators there is none left
        // in between. (A blank line would pass for a row of one field.)
        let even = width > 1
            && self.records * width == places.len() - 1
            && places[1..].chunks_exact(width).all(|row| ends_record(&row[width - 1]));
        if even {
            segments.push(Segment { row: 0, first: 0, rows: self.records });
            return;
        }
        let (mut first, mut rows) = (0, 0);
        while let Some(length) = places[first + 1..].iter().position(ends_record) {
            let fields = length + 1;
            let start = places[first].wrapping_add(1) as usize;
            let end = places[first + fields] as usize;
            let span = start..end - usize::from(bytes[start..end].last() == Some(&b'\r'));
            if span.is_empty() && fields == 1 {
                // A blank line.
            } else if fields != width {
                ragged.push(Ragged { span, fields });
            } else {
                match segments.last_mut().filter(|last| last.first + last.rows * width == first) {
                    Some(last) => last.rows += 1,
                    None => segments.push(Segment { row: rows, first, rows: 1 }),
                }
                rows += 1;
            }
            first += fields;
        }
    }
}

/// Which of the bytes are commas, line ends and quotes.
#[inline]
fn masks(step: &[u8; STEP]) -> [u64; 3] {
    let mut masks = [0; 3];
    for (i, part) in step.as_chunks::<16>().0.iter().enumerate() {
        let part = u8x16::new(*part);
        for (mask, byte) in masks.iter_mut().zip([b',', b'\n', b'"']) {
            *mask |= u64::from(part.simd_eq(u8x16::splat(byte)).to_bitmask()) << (16 * i);
        }
    }
    masks
}

/// Calls `found` with the place of every comma and line end outside quotes, in order, and returns whether a quote is
/// still open at the end.
fn separators(bytes: &[u8], mut found: impl FnMut(usize)) -> bool {
    let (mut open, mut field, mut escaped) = (false, 0, usize::MAX);
    for base in (0..bytes.len()).step_by(STEP) {
        let part = &bytes[base..bytes.len().min(base + STEP)];
        let mut step = [0; STEP];
        step[..part.len()].copy_from_slice(part);
        let [commas, lines, quotes] = masks(&step);
        let mut bits = commas | lines | quotes;
        while bits != 0 {
            let bit = bits.trailing_zeros();
            bits &= bits - 1;
            let place = base + bit as usize;
            if quotes >> bit & 1 == 0 {
                if !open {
                    found(place);
                    field = place + 1;
                }
            } else if !open {
                open = place == field;
            } else if place != escaped {
                if bytes.get(place + 1) == Some(&b'"') {
                    escaped = place + 1;
                } else {
                    open = false;
                }
            }
        }
    }
    open
}

/// The record ends of bytes that start with a record.
pub(super) struct Ends {
    /// One past the first record's line end.
    pub first: Option<usize>,
    /// One past the last whole record's line end.
    pub last: Option<usize>,
    /// Where the first quote is.
    pub quote: Option<usize>,
    /// Whether a quote is open at the end.
    pub open: bool,
}

impl Ends {
    /// Finds them.
    pub fn find(bytes: &[u8]) -> Ends {
        let mut ends =
            Ends { first: None, last: None, quote: memchr::memchr(b'"', bytes), open: false };
        if ends.quote.is_none() {
            ends.first = memchr::memchr(b'\n', bytes).map(|place| place + 1);
            ends.last = memchr::memrchr(b'\n', bytes).map(|place| place + 1);
            return ends;
        }
        ends.open = separators(bytes, |place| {
            if bytes[place] == b'\n' {
                ends.first = ends.first.or(Some(place + 1));
                ends.last = Some(place + 1);
            }
        });
        ends
    }
}

/// The content of a field: without its quotes if it starts with one, each doubled quote inside as one. What follows the
/// closing quote is kept as it is. `room` holds the content where it differs from any part of the field.
pub(super) fn unquote<'a>(field: &'a [u8], room: &'a mut Vec<u8>) -> &'a [u8] {
    let Some(inside) = field.strip_prefix(b"\"") else {
        return field;
    };
    if let Some(plain) = inside.strip_suffix(b"\"")
        && memchr::memchr(b'"', plain).is_none()
    {
        return plain;
    }
    room.clear();
    let mut rest = inside;
    while let Some(quote) = memchr::memchr(b'"', rest) {
        room.extend_from_slice(&rest[..quote]);
        rest = &rest[quote + 1..];
        let Some(more) = rest.strip_prefix(b"\"") else {
            break;
        };
        room.push(b'"');
        rest = more;
    }
    room.extend_from_slice(rest);
    room
}

#[cfg(test)]
mod tests {
    use super::super::twin::Random;
    use super::*;

    /// The separators, by walking byte by byte.
    fn slow(bytes: &[u8]) -> Vec<u32> {
        let (mut places, mut quoted, mut field, mut at) = (vec![u32::MAX], false, 0, 0);
        while at < bytes.len() {
            match bytes[at] {
                b'"' if quoted && bytes.get(at + 1) == Some(&b'"') => at += 1,
                b'"' if quoted => quoted = false,
                b'"' => quoted = at == field,
                b',' | b'\n' if !quoted => {
                    places.push(at as u32);
                    field = at + 1;
                }
                _ => {}
            }
            at += 1;
        }
        if bytes.last().is_some_and(|&last| last != b'\n') {
            places.push(bytes.len() as u32);
        }
        places
    }

    fn random_bytes(random: &mut Random, of: &[u8]) -> Vec<u8> {
        let length = random.below(400);
        (0..length).map(|_| of[random.below(of.len())]).collect()
    }

    #[test]
    fn finds_the_separators() {
        let mut random = Random(2);
        let mut index = Index::default();
        for _ in 0..5000 {
            let bytes = random_bytes(&mut random, b"ab,\n\"\"\"");
            index.fill(&bytes, true);
            assert_eq!(index.places(), slow(&bytes), "{bytes:?}");
            let bytes = random_bytes(&mut random, b"abcdefgh,,\r\n");
            index.fill(&bytes, false);
            assert_eq!(index.places(), slow(&bytes), "{bytes:?}");
        }
        index.fill(&[b','; 100_000], false);
        assert_eq!(index.places().len(), 100_002);
    }

    #[test]
    fn sorts_rows() {
        let mut index = Index::default();
        let (mut segments, mut ragged) = (Vec::new(), Vec::new());
        let bytes = b"a,b\nc,d\r\n\n\r\ne\nf,g\nh,i,j\r\nk,l";
        index.fill(bytes, false);
        index.rows(bytes, 2, &mut segments, &mut ragged);
        let found: Vec<_> = segments.iter().map(|s| (s.row, s.rows)).collect();
        assert_eq!(found, [(0, 2), (2, 1), (3, 1)]);
        assert_eq!(
            ragged,
            [Ragged { span: 12..13, fields: 1 }, Ragged { span: 18..23, fields: 3 }]
        );
        index.fill(b"a\n\nb", false);
        index.rows(b"a\n\nb", 1, &mut segments, &mut ragged);
        assert_eq!(segments.iter().map(|s| s.rows).sum::<usize>(), 2);
    }

    #[test]
    fn takes_quotes_off() {
        for (field, content) in [
            (r#""#, ""),
            (r#"a"b"#, r#"a"b"#),
            (r#""a""#, "a"),
            (r#""""#, ""),
            (r#""""""#, r#"""#),
            (r#""a""b""c""#, r#"a"b"c"#),
            (r#""a"b"c"#, r#"ab"c"#),
            (r#" "a""#, r#" "a""#),
        ] {
            assert_eq!(unquote(field.as_bytes(), &mut Vec::new()), content.as_bytes(), "{field}");
        }
    }
}
