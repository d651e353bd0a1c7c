//! Finds the separators of a block: every delimiter (mostly a comma) and line end that is not inside quotes.
//!
//! Sixty-four bytes are compared at once and the hits read off as the bits of a word. Without a quote in the block every
//! hit is a separator. With one, the hits are walked under the rules of RFC 4180: a quote opens only as the first byte
//! of a field (anywhere else outside quotes it is a letter), a doubled quote inside stands for one, and the next single
//! quote closes. After it the field has to end. A record in which text follows instead is broken: most likely the quote
//! that opened was a letter too, and what it took for one field are many records. So the record's first line alone is
//! bad, and the line after it starts a record again.

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
    /// Where in the index the separators before broken records are.
    broken: Vec<usize>,
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

/// A row that cannot be told apart into as many fields as the header has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ragged {
    /// Its bytes in the block, without the line end.
    pub span: Range<usize>,
    /// How many fields it has; none if it is broken.
    pub fields: Option<usize>,
}

impl Index {
    /// Finds the separators of a block of less than 4 GiB that starts with a record. Its end ends a record too.
    pub fn fill(&mut self, bytes: &[u8], quotes: bool, delimiter: u8) {
        self.len = 0;
        self.records = 0;
        self.broken.clear();
        self.reserve();
        self.places[0] = u32::MAX;
        self.len = 1;
        if quotes {
            self.fill_quoted(bytes, delimiter);
        } else {
            self.fill_plain(bytes, delimiter);
        }
        let ended = self.places[self.len - 1] == bytes.len() as u32;
        if !ended && bytes.last().is_some_and(|&last| last != b'\n') {
            self.reserve();
            self.places[self.len] = bytes.len() as u32;
            self.len += 1;
            self.records += 1;
        }
    }

    fn fill_quoted(&mut self, bytes: &[u8], delimiter: u8) {
        let mut walk = Walk { delimiter, ..Walk::default() };
        let mut record = self.len;
        let mut found = |place: usize, sound: bool| {
            if !sound {
                // Its fields are not to be trusted.
                self.len = record;
                self.broken.push(record - 1);
            }
            self.reserve();
            self.places[self.len] = place as u32;
            self.len += 1;
            if bytes.get(place).is_none_or(|&byte| byte == b'\n') {
                self.records += 1;
                record = self.len;
            }
        };
        walk.on(bytes, true, &mut found);
        // A quote that is open at the end of a block was seen to be followed by text further on, or the block would
        // not end here.
        while walk.open {
            walk.give_up(bytes, true, &mut found);
            walk.on(bytes, true, &mut found);
        }
    }

    /// Whether any record is broken.
    pub fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    fn fill_plain(&mut self, bytes: &[u8], delimiter: u8) {
        let (steps, rest) = bytes.as_chunks::<STEP>();
        let mut base = 0;
        for step in steps {
            let [commas, lines, _] = masks(step, delimiter);
            self.push(base, commas | lines, lines);
            base += STEP as u32;
        }
        let mut step = [0; STEP];
        step[..rest.len()].copy_from_slice(rest);
        let [commas, lines, _] = masks(&step, delimiter);
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

    /// Sorts the records into even rows of `width` fields, ragged ones and blank lines, which are left out. A row may
    /// have `spare` fields more, and empty ones beyond.
    pub fn rows(
        &self,
        bytes: &[u8],
        (width, spare): (usize, usize),
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
            && self.broken.is_empty()
            && self.records * width == places.len() - 1
            && places[1..].chunks_exact(width).all(|row| ends_record(&row[width - 1]));
        if even {
            segments.push(Segment { row: 0, first: 0, rows: self.records });
            return;
        }
        let (mut first, mut rows) = (0, 0);
        let mut broken = self.broken.iter().copied().peekable();
        while let Some(length) = places[first + 1..].iter().position(ends_record) {
            let fields = length + 1;
            let start = places[first].wrapping_add(1) as usize;
            let end = places[first + fields] as usize;
            let span = start..end - usize::from(bytes[start..end].last() == Some(&b'\r'));
            if broken.next_if_eq(&first).is_some() {
                ragged.push(Ragged { span, fields: None });
            } else if span.is_empty() && fields == 1 {
                // A blank line.
            } else if fields != width && !self.is_wider(bytes, first, fields, width, spare) {
                ragged.push(Ragged { span, fields: Some(fields) });
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

impl Index {
    /// Whether a row has fields beyond the even ones, which are empty but for the spare ones.
    fn is_wider(
        &self,
        bytes: &[u8],
        first: usize,
        fields: usize,
        width: usize,
        spare: usize,
    ) -> bool {
        let beyond = first + (width + spare).min(fields)..first + fields;
        let empty = |at: usize| {
            let field =
                &bytes[self.places[at].wrapping_add(1) as usize..self.places[at + 1] as usize];
            let field = field.trim_ascii_end();
            let inside = field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\""));
            inside.unwrap_or(field).trim_ascii().is_empty()
        };
        fields > width && beyond.into_iter().all(empty)
    }
}

/// Which of the bytes are delimiters, line ends and quotes.
#[inline]
fn masks(step: &[u8; STEP], delimiter: u8) -> [u64; 3] {
    let mut masks = [0; 3];
    for (i, part) in step.as_chunks::<16>().0.iter().enumerate() {
        let part = u8x16::new(*part);
        for (mask, byte) in masks.iter_mut().zip([delimiter, b'\n', b'"']) {
            *mask |= u64::from(part.simd_eq(u8x16::splat(byte)).to_bitmask()) << (16 * i);
        }
    }
    masks
}

/// Walks over bytes that start with a record, and goes on where it was when there are more of them.
struct Walk {
    delimiter: u8,
    /// What lies before has been looked at.
    at: usize,
    /// Where the current record starts.
    record: usize,
    /// Where the current field starts.
    field: usize,
    /// Whether a quote is open.
    open: bool,
    /// Whether the current record is broken and only the end of its line is looked for.
    broken: bool,
}

impl Default for Walk {
    fn default() -> Walk {
        Walk { delimiter: b',', at: 0, record: 0, field: 0, open: false, broken: false }
    }
}

impl Walk {
    /// Walks to the end of the bytes, which is the end of a record as well if they are `whole`. Calls `found` with the
    /// place of every comma and line end outside quotes and `true`, in order; and with `false` and the end of its first
    /// line for a record that is broken, which takes back the commas found in it.
    #[inline]
    fn on(&mut self, bytes: &[u8], whole: bool, found: &mut impl FnMut(usize, bool)) {
        while self.broken || self.until_text(bytes, whole, found) {
            if !self.give_up(bytes, whole, found) {
                return;
            }
        }
    }

    /// Walks until text follows a closing quote: then true.
    #[inline]
    fn until_text(
        &mut self,
        bytes: &[u8],
        whole: bool,
        found: &mut impl FnMut(usize, bool),
    ) -> bool {
        let (mut open, mut field, mut escaped) = (self.open, self.field, usize::MAX);
        for base in (self.at..bytes.len()).step_by(STEP) {
            let part = &bytes[base..bytes.len().min(base + STEP)];
            let mut step = [0; STEP];
            step[..part.len()].copy_from_slice(part);
            let [commas, lines, quotes] = masks(&step, self.delimiter);
            let mut bits = commas | lines | quotes;
            while bits != 0 {
                let bit = bits.trailing_zeros();
                bits &= bits - 1;
                let place = base + bit as usize;
                if quotes >> bit & 1 == 0 {
                    if !open {
                        found(place, true);
                        field = place + 1;
                        if lines >> bit & 1 == 1 {
                            self.record = field;
                        }
                    }
                } else if !open {
                    open = place == field;
                } else if place != escaped {
                    match (bytes.get(place + 1), bytes.get(place + 2)) {
                        (Some(b'"'), _) => escaped = place + 1,
                        (Some(b'\n'), _) | (Some(b'\r'), Some(b'\n')) => open = false,
                        (Some(next), _) if *next == self.delimiter => open = false,
                        (None, _) | (Some(b'\r'), None) if whole => open = false,
                        // What comes next will tell: look at this quote again then.
                        (None, _) | (Some(b'\r'), None) => {
                            (self.at, self.open, self.field) = (place, open, field);
                            return false;
                        }
                        _ => return true,
                    }
                }
            }
        }
        (self.at, self.open, self.field) = (bytes.len(), open, field);
        false
    }

    /// Takes the current record's first line for a broken record, if that line ends here; else false.
    #[cold]
    fn give_up(&mut self, bytes: &[u8], whole: bool, found: &mut impl FnMut(usize, bool)) -> bool {
        let from = if self.broken { self.at } else { self.record };
        let end = memchr::memchr(b'\n', &bytes[from..]).map(|end| from + end);
        self.broken = end.is_none() && !whole;
        self.open = false;
        if self.broken {
            self.at = bytes.len();
            return false;
        }
        let end = end.unwrap_or(bytes.len());
        found(end, false);
        self.at = bytes.len().min(end + 1);
        (self.record, self.field) = (self.at, self.at);
        true
    }
}

/// The record ends of bytes that start with a record.
#[derive(Default)]
pub(super) struct Ends {
    /// One past the first record's line end.
    pub first: Option<usize>,
    /// One past the last whole record's line end.
    pub last: Option<usize>,
    /// Where the first quote is.
    pub quote: Option<usize>,
    /// Whether each line is a record and a quote is a letter.
    lines: bool,
    walk: Walk,
    seen: usize,
}

impl Ends {
    /// Of records whose fields are separated so.
    pub fn new(delimiter: u8) -> Ends {
        Ends { walk: Walk { delimiter, ..Walk::default() }, ..Ends::default() }
    }

    /// Of records that are lines, whatever is in them.
    pub fn lines() -> Ends {
        Ends { lines: true, ..Ends::default() }
    }

    /// Looks at the bytes that have come to be known since the last time. `whole` says that there are no more.
    pub fn find(&mut self, bytes: &[u8], whole: bool) {
        let seen = std::mem::replace(&mut self.seen, bytes.len());
        if self.quote.is_none() {
            let fresh = &bytes[seen..];
            let quote = if self.lines { None } else { memchr::memchr(b'"', fresh) };
            self.quote = quote.map(|place| seen + place);
            if self.quote.is_none() {
                let first = memchr::memchr(b'\n', fresh).map(|place| seen + place + 1);
                self.first = self.first.or(first);
                self.last =
                    memchr::memrchr(b'\n', fresh).map(|place| seen + place + 1).or(self.last);
                return;
            }
            // Up to the record with the quote there is nothing to be walked.
            let record = self.last.unwrap_or(0);
            let delimiter = self.walk.delimiter;
            self.walk = Walk { delimiter, at: record, record, field: record, ..Walk::default() };
        }
        let Ends { first, last, walk, .. } = self;
        walk.on(bytes, whole, &mut |place, _| {
            if bytes.get(place).is_none_or(|&byte| byte == b'\n') {
                let end = bytes.len().min(place + 1);
                *first = first.or(Some(end));
                *last = Some(end);
            }
        });
    }

    /// Whether a quote is open at the end.
    pub fn open(&self) -> bool {
        self.walk.open
    }
}

/// The content of a field: without its quotes if it starts with one, each doubled quote inside as one. `room` holds the content where it differs from any part of the field.
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

    /// The separators and the starts of broken records, by walking byte by byte.
    fn slow(bytes: &[u8]) -> (Vec<u32>, Vec<u32>) {
        let (mut places, mut broken, mut record) = (vec![u32::MAX], Vec::new(), 0);
        while record < bytes.len() {
            let (mut quoted, mut field, mut at, mut found, mut sound) =
                (false, record, record, Vec::new(), true);
            while at < bytes.len() {
                match bytes[at] {
                    b'"' if quoted && bytes.get(at + 1) == Some(&b'"') => at += 1,
                    b'"' if quoted => {
                        quoted = false;
                        let rest = &bytes[at + 1..];
                        let ends = [&b","[..], b"\n", b"\r\n"];
                        sound &= rest.is_empty()
                            || rest == b"\r"
                            || ends.iter().any(|end| rest.starts_with(end));
                    }
                    b'"' => quoted = at == field,
                    b',' if !quoted => {
                        found.push(at as u32);
                        field = at + 1;
                    }
                    b'\n' if !quoted => break,
                    _ => {}
                }
                at += 1;
            }
            if quoted || !sound {
                let line = bytes[record..].iter().position(|&byte| byte == b'\n');
                at = line.map_or(bytes.len(), |line| record + line);
                broken.push(record as u32);
                found.clear();
            }
            places.append(&mut found);
            places.push(at as u32);
            record = at + 1;
        }
        (places, broken)
    }

    fn random_bytes(random: &mut Random, of: &[u8]) -> Vec<u8> {
        let length = random.below(400);
        (0..length).map(|_| of[random.below(of.len())]).collect()
    }

    #[test]
    fn finds_the_separators() {
        let mut random = Random(2);
        let mut index = Index::default();
        for round in 0..10_000 {
            let of = [&b"ab,\n\"\"\""[..], b"a\",\n\r", b"abc,,\r\n\n\""][round % 3];
            let bytes = random_bytes(&mut random, of);
            index.fill(&bytes, true, b',');
            let starts = index.broken.iter().map(|&at| index.places[at].wrapping_add(1));
            assert_eq!((index.places().to_vec(), starts.collect()), slow(&bytes), "{bytes:?}");
            let bytes = random_bytes(&mut random, b"abcdefgh,,\r\n");
            index.fill(&bytes, false, b',');
            assert_eq!(index.places(), slow(&bytes).0, "{bytes:?}");
        }
        index.fill(&[b','; 100_000], false, b',');
        assert_eq!(index.places().len(), 100_002);
    }

    #[test]
    fn sorts_rows() {
        let mut index = Index::default();
        let (mut segments, mut ragged) = (Vec::new(), Vec::new());
        let bytes = b"a,b\nc,d\r\n\n\r\ne\nf,g\nh,i,j\r\nk,l";
        index.fill(bytes, false, b',');
        index.rows(bytes, (2, 0), &mut segments, &mut ragged);
        let found: Vec<_> = segments.iter().map(|s| (s.row, s.rows)).collect();
        assert_eq!(found, [(0, 2), (2, 1), (3, 1)]);
        assert_eq!(
            ragged,
            [Ragged { span: 12..13, fields: Some(1) }, Ragged { span: 18..23, fields: Some(3) }]
        );
        index.fill(b"a\n\nb", false, b',');
        index.rows(b"a\n\nb", (1, 0), &mut segments, &mut ragged);
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
            (r#" "a""#, r#" "a""#),
        ] {
            assert_eq!(unquote(field.as_bytes(), &mut Vec::new()), content.as_bytes(), "{field}");
        }
    }
}
