//! Writes a replay log: into a temporary file that takes its place when it is complete.

use super::frame::{END, Head, as_bytes};
use super::{Codec, Header, MAGIC, VERSION, encode};
use crate::batch::Batch;
use crate::error::Error;
use crate::files::Staged;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A replay log being written.
pub struct Writer {
    path: PathBuf,
    out: Staged,
    codec: Codec,
    frames: u64,
    rows: u64,
    words: Vec<u64>,
}

impl Writer {
    /// Begins a file.
    pub fn create(path: &Path, header: &Header) -> Result<Writer, Error> {
        let mut writer = Writer {
            path: path.to_path_buf(),
            out: Staged::create(path).map_err(Error::file(path))?,
            codec: header.codec,
            frames: 0,
            rows: 0,
            words: Vec::new(),
        };
        // Plain strings and numbers: serialising them cannot fail.
        let mut text = serde_json::to_vec(header).unwrap_or_default();
        text.resize(text.len().next_multiple_of(8), b' ');
        let mut head = MAGIC.to_vec();
        head.extend(VERSION.to_le_bytes());
        head.extend((text.len() as u32).to_le_bytes());
        head.extend(u64::from(crc32c::crc32c(&text)).to_le_bytes());
        head.extend(text);
        writer.out.write_all(&head).map_err(Error::file(path))?;
        Ok(writer)
    }

    /// Appends a stamped batch of a partition.
    pub fn write(&mut self, partition: u32, batch: &Batch) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        self.words.clear();
        encode(self.codec, batch, &mut self.words);
        let head = Head {
            length: (self.words.len() * 8) as u32,
            crc: 0,
            sequence: self.frames,
            partition,
            rows: batch.len() as u32,
            offset: batch.offset,
        };
        self.frames += 1;
        self.rows += batch.len() as u64;
        self.put(head)
    }

    /// Ends the file and puts it in place. Gives the number of records.
    pub fn finish(mut self) -> Result<u64, Error> {
        self.words.clear();
        let sequence = self.frames;
        self.put(Head { length: 0, crc: 0, sequence, partition: END, rows: 0, offset: 0 })?;
        let placed = self.out.complete().and_then(|whole| {
            // A recording is kept: it must not be gone with the machine's next power cut.
            whole.sync()?;
            whole.publish()
        });
        placed.map_err(Error::file(&self.path))?;
        Ok(self.rows)
    }

    fn put(&mut self, head: Head) -> Result<(), Error> {
        let head = head.sealed(&self.words).words();
        let out = &mut self.out;
        out.write_all(as_bytes(&head))
            .and_then(|()| out.write_all(as_bytes(&self.words)))
            .map_err(Error::file(&self.path))
    }
}
