//! Opens a replay log and reads its frames, partition by partition.
//!
//! Opening reads the header and the head of every frame (a few thousand for a large file), so a
//! file that is cut off or out of order is refused before anything runs, and each partition can
//! be read by itself. Bound: a place per frame, and the frames the workers hold.

use super::frame::{END, Head, LONGEST, WORDS};
use super::{Codec, Header, MAGIC, Recorded, VERSION, columns_of, decode};
use crate::batch::Batch;
use crate::clock::{Tick, runs};
use crate::event::Stream;
use crate::source::error::SourceError;
use crate::source::header;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

/// A partition of a replay log, being read.
pub struct Frames {
    file: File,
    log: Arc<Log>,
    header: header::Header,
    converted: Option<String>,
    /// Where this partition's frames are, the next one last.
    places: Vec<(u64, Head)>,
}

/// What the partitions of a log share.
struct Log {
    path: String,
    header: Header,
    tick: Tick,
}

/// A frame as read, not yet verified.
pub struct Frame {
    head: Head,
    words: Vec<u64>,
    log: Arc<Log>,
}

/// Opens a replay log: the partitions in the order in which they were recorded.
pub fn open(path: &str) -> Result<Vec<(Stream, Frames)>, SourceError> {
    let failed = |error| SourceError::Open { file: path.into(), error };
    let mut file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let (header, mut at) = read_header(path, &mut file)?;
    let refuse = |problem: &str| refused(path, problem, &header.command);
    if let Some(why) = header.refusal() {
        return Err(refuse(&why));
    }
    let tick = Tick::from_millis(header.tick).ok_or_else(|| refuse("its tick is zero"))?;
    let mut places: Vec<Vec<(u64, Head)>> = vec![Vec::new(); header.partitions.len()];
    for sequence in 0u64.. {
        let mut head = [0; WORDS];
        read_words(&mut file, at, &mut head).map_err(|_| refuse("it is cut off"))?;
        let head = Head::of(head);
        at += (WORDS * 8) as u64;
        if head.sequence != sequence || head.length > LONGEST || !head.length.is_multiple_of(8) {
            return Err(refuse(&format!("it is damaged at byte {at}")));
        }
        if head.partition == END {
            if head.crc != head.checksum(&[]) || at != size {
                return Err(refuse("its end is damaged"));
            }
            break;
        }
        let Some(places) = places.get_mut(head.partition as usize) else {
            return Err(refuse(&format!("it is damaged at byte {at}")));
        };
        places.push((at, head));
        at += u64::from(head.length);
        if at > size {
            return Err(refuse("it is cut off"));
        }
    }
    let log = Arc::new(Log { path: path.into(), header, tick });
    let partition = |(recorded, mut places): (&Recorded, Vec<(u64, Head)>)| {
        places.reverse();
        let columns = columns_of(path, recorded)?;
        // `columns_of` has found the stream.
        let stream = Stream::by_name(&recorded.stream).unwrap_or(Stream::ALL[0]);
        let file = File::open(path).map_err(failed)?;
        let (log, converted) = (Arc::clone(&log), recorded.converted.clone());
        Ok((stream, Frames { file, log, header: columns, converted, places }))
    };
    log.header.partitions.iter().zip(places).map(partition).collect()
}

fn refused(path: &str, problem: &str, command: &str) -> SourceError {
    let command = match command {
        "" => format!("tidemill record --source STREAM=FILE --out {path}"),
        known => known.into(),
    };
    SourceError::Replay { file: path.into(), problem: problem.into(), command }
}

fn read_header(path: &str, file: &mut File) -> Result<(Header, u64), SourceError> {
    let refuse = |problem: &str| refused(path, problem, "");
    let mut start = [0; 24];
    file.read_exact(&mut start).map_err(|_| refuse("it is no replay log"))?;
    if start[..8] != MAGIC {
        return Err(refuse("it is no replay log"));
    }
    let number = |at: usize| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&start[at..at + 4]);
        u32::from_le_bytes(bytes)
    };
    let (version, length, crc) = (number(8), number(12), number(16));
    if version != VERSION {
        let problem = format!("its format is version {version}, this program's is {VERSION}");
        return Err(refuse(&problem));
    }
    // A header names files and fields: more than this is damage.
    if length > 16 << 20 {
        return Err(refuse("its header is damaged"));
    }
    let mut text = vec![0; length as usize];
    let read = file.read_exact(&mut text);
    if read.is_err() || crc32c::crc32c(&text) != crc {
        return Err(refuse("its header is damaged"));
    }
    let header = serde_json::from_slice(&text).map_err(|_| refuse("its header is unknown"))?;
    Ok((header, 24 + u64::from(length)))
}

fn read_words(file: &mut File, at: u64, words: &mut [u64]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytemuck::cast_slice_mut(words))
}

impl Frames {
    /// The partition's columns, named as those of a CSV.
    pub fn header(&self) -> &header::Header {
        &self.header
    }

    /// The currency to which amounts were converted when they were recorded, if they were.
    pub fn converted(&self) -> Option<&str> {
        self.converted.as_deref()
    }

    /// The tick of the recorded stamps.
    pub fn tick(&self) -> Tick {
        self.log.tick
    }

    /// Decimals of money.
    pub fn decimals(&self) -> u32 {
        self.log.header.decimals
    }

    /// The codec of the log.
    pub fn codec(&self) -> Codec {
        self.log.header.codec
    }

    /// Passes by so many frames; gives a checksum of them, and whether there were so many.
    pub fn pass(&mut self, frames: u64) -> (u32, bool) {
        let mut crc = 0;
        for _ in 0..frames {
            let Some((_, head)) = self.places.pop() else { return (crc, false) };
            crc = head.added(crc);
        }
        (crc, true)
    }

    /// The next frame, or none at the end.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, SourceError> {
        let Some((at, head)) = self.places.pop() else { return Ok(None) };
        let mut words = vec![0; head.length as usize / 8];
        read_words(&mut self.file, at, &mut words)
            .map_err(|error| SourceError::Read { file: self.log.path.clone(), error })?;
        Ok(Some(Frame { head, words, log: Arc::clone(&self.log) }))
    }
}

impl Frame {
    /// Verifies the frame and decodes the wanted fields of partition number `partition`.
    pub fn decode(mut self, partition: u32, want: &[bool]) -> Result<Batch, SourceError> {
        let header = &self.log.header;
        let (path, sequence) = (&self.log.path, self.head.sequence);
        let damaged = |problem: &str| {
            let command = &header.command;
            let what = format!("frame {sequence}: {problem} (make it again: `{command}`)");
            let error = io::Error::new(io::ErrorKind::InvalidData, what);
            SourceError::Read { file: path.clone(), error }
        };
        if self.head.checksum(&self.words) != self.head.crc {
            return Err(damaged("its checksum is wrong"));
        }
        let rows = self.head.rows as usize;
        let (stamps, mut batch) =
            decode(header.codec, &mut self.words, rows, want).map_err(|why| damaged(why.0))?;
        batch.runs = runs(&stamps, self.log.tick, rows)
            .ok_or_else(|| damaged("its stamps are out of order"))?;
        (batch.partition, batch.offset) = (partition, self.head.offset);
        let recorded = header.partitions.get(self.head.partition as usize);
        batch.change_log = recorded.is_some_and(|recorded| recorded.change_log);
        Ok(batch)
    }

    /// The checksum of the frames before this one with this one.
    pub fn added(&self, before: u32) -> u32 {
        self.head.added(before)
    }

    /// Where in its source it begins.
    pub fn offset(&self) -> u64 {
        self.head.offset
    }

    /// Size of the payload in bytes.
    pub fn bytes(&self) -> usize {
        self.words.len() * 8
    }
}
