//! Cuts a stream of bytes into blocks of whole records.
//!
//! A block always starts with a record, so where it ends depends on its own bytes alone. Bytes after the last whole
//! record are carried into the next block. A record that does not end within `MAX_RECORD`, or whose quote is still open
//! at the end of the stream, is broken: its first line alone is handed over as such and reading goes on behind it, so
//! one stray quote costs one line. (Records in which text follows a closing quote are broken in the same way; they stay
//! in their blocks, where the parser finds them again.) Which records there are, and which are broken, so never depends
//! on the block size.

use std::io::{self, Read};

use super::rules::Above;
use super::scan::Ends;

/// The longest record, its line end included.
pub const MAX_RECORD: usize = 8 << 20;
/// The longest header, its line end included.
pub const MAX_HEADER: usize = 4 << 20;
/// The most bytes kept of a bad record.
pub const MAX_RAW: usize = 64 << 10;
/// How far into a source its first records are looked at, to find what they hold.
const FIRST: usize = 64 << 10;
/// The byte order mark some programs write first.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// What kind of records a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Whole records without a quote among them.
    Plain,
    /// Whole records, some with quotes.
    Quoted,
    /// The start of one line, which opens a record that is too long.
    TooLong,
    /// The start of one line, which opens a quote that is never closed.
    Unclosed,
}

/// Some whole records in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Where it starts in the decoded stream.
    pub offset: u64,
    /// Where the next block starts.
    pub end: u64,
    /// What is in it.
    pub shape: Shape,
    /// Its bytes; all of them but where the shape says otherwise.
    pub bytes: Vec<u8>,
    /// What the rows before end with, where cells are filled from above.
    pub above: Option<Above>,
}

impl Block {
    /// What is before a place in the stream, at which a record begins, and the rest.
    pub(super) fn divide(mut self, at: u64) -> (Option<Block>, Option<Block>) {
        if self.offset >= at {
            return (None, Some(self));
        }
        let broken = matches!(self.shape, Shape::TooLong | Shape::Unclosed);
        // Of a broken record only the start is there; no place is within it.
        let before = if broken { self.bytes.len() } else { (at - self.offset) as usize };
        let bytes = self.bytes.split_off(before.min(self.bytes.len()));
        let rest = Block { offset: at, end: self.end, shape: self.shape, bytes, above: None };
        self.end = at.min(self.end);
        (Some(self), Some(rest).filter(|rest| !rest.bytes.is_empty()))
    }
}

/// The first line that is not blank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HeaderLine {
    /// Its bytes, without the line end or space around it.
    pub bytes: Vec<u8>,
    /// How many line ends there are in it and before it.
    pub lines: u64,
    /// Whether it goes on beyond `MAX_HEADER`.
    pub cut: bool,
    /// Of JSON: these are the first records, and whether there are no others.
    pub json: Option<bool>,
}

/// Cuts what it reads into blocks.
pub(super) struct Splitter<R> {
    input: R,
    /// How large a block should be.
    target: usize,
    /// The longest record.
    limit: usize,
    /// Whether to hand over what is there rather than wait until a block is full.
    eager: bool,
    /// Bytes read but not handed over; they start with a record.
    carried: Vec<u8>,
    /// What separates fields, where it matters for quotes.
    pub delimiter: u8,
    /// Whether each line is a record, and quotes do not matter.
    pub lines: bool,
    /// Where `carried` starts in the stream.
    offset: u64,
    /// Whether the input has ended.
    ended: bool,
}

impl<R: Read> Splitter<R> {
    /// A splitter at the start of its input.
    pub fn new(input: R, target: usize, eager: bool) -> Splitter<R> {
        Splitter::with_limit(input, target, eager, MAX_RECORD)
    }

    /// A splitter with another limit for records.
    pub fn with_limit(input: R, target: usize, eager: bool, limit: usize) -> Splitter<R> {
        let target = target.clamp(1, limit);
        let (carried, delimiter, lines) = (Vec::new(), b',', false);
        Splitter { input, target, limit, eager, carried, delimiter, lines, offset: 0, ended: false }
    }

    /// The first line that is not blank, without a byte order mark. None at the end of the input. It is taken off, or
    /// left as the first record.
    pub fn header(&mut self, take: bool) -> io::Result<Option<HeaderLine>> {
        let (mut lines, mut ends) = (0, Ends::default());
        loop {
            if self.pass_mark() {
                ends = Ends::default();
            }
            ends.find(&self.carried, self.ended);
            let cut = ends.first.is_none() && self.carried.len() >= MAX_HEADER;
            let end = match ends.first {
                Some(end) => end,
                None if self.ended || cut => self.carried.len(),
                None => {
                    self.carry_more()?;
                    continue;
                }
            };
            if end == 0 {
                return Ok(None);
            }
            let line = &self.carried[..end];
            let blank = line.trim_ascii().is_empty();
            let found = !blank && !take;
            // Tabs may stand between empty names.
            let spaces = |byte: &u8| matches!(byte, b' ' | b'\r' | b'\n');
            let text = line
                .iter()
                .position(|byte| !spaces(byte))
                .zip(line.iter().rposition(|byte| !spaces(byte)));
            let bytes = text.map_or(Vec::new(), |(first, last)| line[first..=last].to_vec());
            if !found {
                lines += memchr::memchr_iter(b'\n', line).count() as u64;
                self.carried.drain(..end);
                self.offset += end as u64;
            }
            if !blank {
                return Ok(Some(HeaderLine { bytes, lines, cut, json: None }));
            }
            ends = Ends::default();
        }
    }

    /// Reads on into what is carried.
    fn carry_more(&mut self) -> io::Result<()> {
        let mut bytes = std::mem::take(&mut self.carried);
        let filled = bytes.len();
        bytes.resize(filled + self.target, 0);
        let read = self.read(&mut bytes[filled..]);
        bytes.truncate(filled + read.as_ref().copied().unwrap_or(0));
        self.carried = bytes;
        read.map(drop)
    }

    /// Takes off a byte order mark at the beginning; whether one was there.
    fn pass_mark(&mut self) -> bool {
        let is_there = self.offset == 0 && self.carried.starts_with(MARK);
        if is_there {
            self.carried.drain(..MARK.len());
            self.offset = MARK.len() as u64;
        }
        is_there
    }

    /// What it reads.
    pub fn input(&mut self) -> &mut R {
        &mut self.input
    }

    /// The first lines, which stay where they are, and whether there are no others: as many as end within [`FIRST`]
    /// bytes, but at least one that is not blank; that one alone where others are not waited for.
    pub fn first_lines(&mut self) -> io::Result<(&[u8], bool)> {
        let most = FIRST.min(self.limit);
        loop {
            self.pass_mark();
            let start = self.carried.iter().position(|byte| !byte.is_ascii_whitespace());
            let first = start.and_then(|start| {
                memchr::memchr(b'\n', &self.carried[start..]).map(|end| start + end + 1)
            });
            let enough =
                self.ended || self.carried.len() >= if first.is_some() { most } else { self.limit };
            if enough || (self.eager && first.is_some()) {
                let all = self.ended && self.carried.len() <= most && !self.eager;
                let within = self.carried.get(..most).and_then(|part| memchr::memrchr(b'\n', part));
                let end = match (all, self.eager) {
                    (true, _) => self.carried.len(),
                    (_, false) if within.is_some_and(|end| Some(end) >= start) => {
                        within.map_or(0, |end| end + 1)
                    }
                    _ => first.unwrap_or(self.carried.len()),
                };
                return Ok((&self.carried[..end], all));
            }
            self.carry_more()?;
        }
    }

    /// The next block, in the given buffer, or none at the end.
    pub fn next(&mut self, mut buffer: Vec<u8>) -> io::Result<Option<Block>> {
        let mut filled = self.carried.len();
        let mut goal = self.target.max(filled);
        // A buffer that comes back is nearly full, so hardly anything is cleared here.
        buffer.resize(goal, 0);
        buffer[..filled].copy_from_slice(&self.carried);
        self.carried.clear();
        // Records that came with the header or the last block must not wait for the next read.
        let mut look_first = self.eager && filled > 0;
        let mut ends = if self.lines { Ends::lines() } else { Ends::new(self.delimiter) };
        loop {
            while filled < goal && !self.ended && !std::mem::take(&mut look_first) {
                filled += self.read(&mut buffer[filled..goal])?;
                if self.eager {
                    break;
                }
            }
            ends.find(&buffer[..filled], self.ended);
            let whole = match ends.last {
                _ if self.ended && !ends.open() => filled, // the last line may lack its end
                Some(last) => last,
                None if self.ended => {
                    return self.broken(buffer, filled, Shape::Unclosed).map(Some);
                }
                None if filled >= self.limit => {
                    return self.broken(buffer, filled, Shape::TooLong).map(Some);
                }
                None => {
                    if filled == goal {
                        goal = (2 * goal).min(self.limit);
                        buffer.resize(goal, 0);
                    }
                    continue;
                }
            };
            if whole == 0 {
                return Ok(None);
            }
            self.carried.extend_from_slice(&buffer[whole..filled]);
            buffer.truncate(whole);
            let shape = match ends.quote {
                Some(quote) if quote < whole => Shape::Quoted,
                _ => Shape::Plain,
            };
            return Ok(Some(self.block(buffer, whole, shape)));
        }
    }

    /// Takes the first line of a broken record out of the buffer, and out of the input if it is longer still.
    fn broken(&mut self, mut buffer: Vec<u8>, filled: usize, shape: Shape) -> io::Result<Block> {
        buffer.truncate(filled);
        let line = memchr::memchr(b'\n', &buffer);
        let mut length = line.map_or(filled, |place| place + 1);
        let mut complete = line.is_some();
        self.carried.extend_from_slice(&buffer[length..]);
        buffer.truncate(length.min(MAX_RAW));
        let mut skipped = vec![0; if complete { 0 } else { self.target }];
        while !complete && !self.ended {
            let read = self.read(&mut skipped)?;
            let end = memchr::memchr(b'\n', &skipped[..read]);
            complete = end.is_some();
            let used = end.map_or(read, |place| place + 1);
            length += used;
            self.carried.extend_from_slice(&skipped[used..read]);
        }
        if complete && buffer.last() != Some(&b'\n') {
            buffer.push(b'\n');
        }
        Ok(self.block(buffer, length, shape))
    }

    /// The block of the next `length` bytes of the stream.
    fn block(&mut self, bytes: Vec<u8>, length: usize, shape: Shape) -> Block {
        let offset = self.offset;
        self.offset += length as u64;
        Block { offset, end: self.offset, shape, bytes, above: None }
    }

    /// Reads some bytes and notes the end of the input.
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.input.read(room) {
                Ok(0) => self.ended = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(read) => return Ok(read.min(room.len())),
                Err(error) => return Err(error),
            }
            return Ok(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The blocks of some bytes after the header, and the header.
    fn blocks(bytes: &[u8], target: usize) -> (Vec<u8>, Vec<Block>) {
        let mut splitter = Splitter::new(bytes, target, false);
        let header = splitter.header(true).unwrap().unwrap();
        let next = || splitter.next(Vec::new()).unwrap();
        (header.bytes, std::iter::from_fn(next).collect())
    }

    #[test]
    fn ends_blocks_with_records() {
        let (header, found) = blocks(b"\xEF\xBB\xBF\n a,b\r\n1,2\n3,\"x\ny\"\n5,6", 1);
        assert_eq!(header, b"a,b");
        let found: Vec<_> =
            found.iter().map(|b| (b.offset, b.end, b.shape, b.bytes.as_slice())).collect();
        assert_eq!(
            found,
            [
                (10, 14, Shape::Plain, &b"1,2\n"[..]),
                (14, 22, Shape::Quoted, b"3,\"x\ny\"\n"),
                (22, 25, Shape::Plain, b"5,6"),
            ]
        );
    }

    #[test]
    fn a_stray_quote_costs_one_line() {
        let (_, found) = blocks(b"a\nx\n\"open\ny\nz\n", 100);
        let found: Vec<_> = found.iter().map(|b| (b.offset, b.shape, b.bytes.as_slice())).collect();
        assert_eq!(
            found,
            [
                (2, Shape::Plain, &b"x\n"[..]),
                (4, Shape::Unclosed, b"\"open\n"),
                (10, Shape::Plain, b"y\nz\n")
            ]
        );
    }

    #[test]
    fn long_records_are_cut_and_passed_by() {
        for (length, quoted) in [
            (MAX_RECORD - 1, false),
            (MAX_RECORD, false),
            (5 * MAX_RECORD, false),
            (2 * MAX_RECORD, true),
        ] {
            let start = if quoted { &b"\"first\n"[..] } else { b"" };
            let end = if quoted { &b"\"\n"[..] } else { b"\n" };
            let long = [start, &vec![b'x'; length], end].concat();
            let file = [b"a\n1\n", long.as_slice(), b"2\n3"].concat();
            for target in [1, 1000, 1 << 18, MAX_RECORD] {
                let (_, found) = blocks(&file, target);
                assert!(found.iter().all(|block| block.bytes.len() <= MAX_RECORD));
                assert!(found.windows(2).all(|pair| pair[0].end == pair[1].offset));
                assert_eq!(found.last().unwrap().end, file.len() as u64);
                let broken: Vec<_> =
                    found.iter().filter(|block| block.shape == Shape::TooLong).collect();
                let expected: &[(u64, usize)] = match (length < MAX_RECORD, quoted) {
                    (true, _) => &[],
                    (false, false) => &[(4, MAX_RAW + 1)],
                    // The line that opens the quote, and the one that then is too long by itself.
                    (false, true) => &[(4, 7), (11, MAX_RAW + 1)],
                };
                let broken: Vec<_> =
                    broken.iter().map(|block| (block.offset, block.bytes.len())).collect();
                assert_eq!(broken, expected);
                let rest: Vec<u8> = found
                    .iter()
                    .filter(|b| b.shape == Shape::Plain)
                    .flat_map(|b| b.bytes.clone())
                    .collect();
                assert!(rest.starts_with(b"1\n") && rest.ends_with(b"2\n3"));
            }
        }
    }

    #[test]
    fn the_lines_of_a_header_are_counted() {
        for (file, lines) in [("a,b\n1", 1), ("\n \r\na,b\r\n1", 3), ("\n\"a\nb\",c\n1", 3)] {
            for target in [1, 3, 100] {
                let mut splitter = Splitter::new(file.as_bytes(), target, false);
                assert_eq!(splitter.header(true).unwrap().unwrap().lines, lines, "{file:?}");
                assert_eq!(splitter.next(Vec::new()).unwrap().unwrap().bytes, b"1");
            }
        }
    }

    #[test]
    fn a_header_has_a_limit() {
        let file = vec![b'x'; MAX_HEADER + 10];
        let header = Splitter::new(file.as_slice(), 1 << 18, false).header(true).unwrap().unwrap();
        assert!(header.cut && header.bytes.len() < file.len());
    }

    #[test]
    fn an_eager_splitter_does_not_wait() {
        /// Yields each piece once, then fails, so that reading ahead would show.
        struct Live(Vec<&'static [u8]>);
        impl Read for Live {
            fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
                let piece = if self.0.is_empty() { None } else { Some(self.0.remove(0)) };
                let piece = piece.ok_or_else(|| io::Error::other("read too far"))?;
                room[..piece.len()].copy_from_slice(piece);
                Ok(piece.len())
            }
        }
        let mut splitter = Splitter::new(Live(vec![b"a,b\n", b"1,", b"2\n3"]), 1000, true);
        assert_eq!(splitter.header(true).unwrap().unwrap().bytes, b"a,b");
        assert_eq!(splitter.next(Vec::new()).unwrap().unwrap().bytes, b"1,2\n");
        assert!(splitter.next(Vec::new()).is_err());
    }
}
