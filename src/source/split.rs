//! Cuts a stream of bytes into blocks of whole records.
//!
//! A block always starts with a record, so where it ends depends on its own bytes alone. Bytes after the last whole
//! record are carried into the next block. A record that does not end within `MAX_RECORD`, or whose quote is still open
//! at the end of the stream, is broken: its first line alone is handed over as such and reading goes on behind it, so
//! one stray quote costs one line. Which records there are, and which are broken, so never depends on the block size.

use std::io::{self, Read};

use super::scan::Ends;

/// The longest record, its line end included.
pub const MAX_RECORD: usize = 1 << 20;
/// The most bytes kept of a bad record.
pub const MAX_RAW: usize = 64 << 10;
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
}

/// Cuts what it reads into blocks.
pub(super) struct Splitter<R> {
    input: R,
    /// How large a block should be.
    target: usize,
    /// Whether to hand over what is there rather than wait until a block is full.
    eager: bool,
    /// Bytes read but not handed over; they start with a record.
    carried: Vec<u8>,
    /// Where `carried` starts in the stream.
    offset: u64,
    /// Whether the input has ended.
    ended: bool,
}

impl<R: Read> Splitter<R> {
    /// A splitter at the start of its input.
    pub fn new(input: R, target: usize, eager: bool) -> Splitter<R> {
        let target = target.clamp(1, MAX_RECORD);
        Splitter { input, target, eager, carried: Vec::new(), offset: 0, ended: false }
    }

    /// The first line that is not blank, without its line end or a byte order mark. None at the end of the input.
    pub fn header(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if self.offset == 0 && self.carried.starts_with(MARK) {
                self.carried.drain(..MARK.len());
                self.offset = MARK.len() as u64;
            }
            let ends = Ends::find(&self.carried);
            let end = match ends.first {
                Some(end) => end,
                None if self.ended || self.carried.len() >= MAX_RECORD => self.carried.len(),
                None => {
                    let mut bytes = std::mem::take(&mut self.carried);
                    let filled = bytes.len();
                    bytes.resize(filled + self.target, 0);
                    let read = self.read(&mut bytes[filled..]);
                    bytes.truncate(filled + read.as_ref().copied().unwrap_or(0));
                    self.carried = bytes;
                    read?;
                    continue;
                }
            };
            if end == 0 {
                return Ok(None);
            }
            let line: Vec<u8> = self.carried.drain(..end).collect();
            self.offset += end as u64;
            let text = line.trim_ascii();
            if !text.is_empty() {
                return Ok(Some(text.to_vec()));
            }
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
        loop {
            while filled < goal && !self.ended {
                filled += self.read(&mut buffer[filled..goal])?;
                if self.eager {
                    break;
                }
            }
            let ends = Ends::find(&buffer[..filled]);
            let whole = match ends.last {
                Some(last) => last,
                None if self.ended && !ends.open => filled,
                None if self.ended => return self.broken(buffer, filled, Shape::Unclosed).map(Some),
                None if filled >= MAX_RECORD => return self.broken(buffer, filled, Shape::TooLong).map(Some),
                None => {
                    if filled == goal {
                        goal = (2 * goal).min(MAX_RECORD);
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
            let shape = if ends.quotes { Shape::Quoted } else { Shape::Plain };
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
        Block { offset, end: self.offset, shape, bytes }
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
