//! What the generator makes as a source of a run.

use super::{Blocks, Feed, Options, blocks};
use crate::error::Error;
use crate::source::read::{BLOCK_SIZE, Reader};
use std::io::{self, Read};

/// A feed as a source, in which nothing is written to a file.
pub fn open(options: &Options, feed: Feed) -> Result<Reader, Error> {
    let blocks = blocks(options, feed).map_err(|e| Error::Usage(e.to_string()))?;
    let text = Text { blocks, block: io::Cursor::default() };
    Ok(Reader::from_read(feed.name(), Box::new(text), BLOCK_SIZE)?)
}

/// Blocks as a stream of bytes.
struct Text {
    blocks: Blocks,
    block: io::Cursor<Vec<u8>>,
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.block.read(buffer)? {
                0 if !buffer.is_empty() => match self.blocks.next() {
                    Some(block) => self.block = io::Cursor::new(block),
                    None => return Ok(0),
                },
                n => return Ok(n),
            }
        }
    }
}
