//! The replay log: a source's records, read, cleaned and stamped once, to be fed again without
//! any of that work. Experiments that must not measure parsing read from it.
//!
//! A file is a header ([`Header`], JSON behind a magic number and a checksum), then *frames*: one
//! batch each, behind a head of 32 bytes (length, crc32c, sequence, partition, rows, offset), then
//! an end mark that says how many frames there are. Everything lies on multiples of eight bytes.
//! A frame's checksum is verified before its payload is decoded, and what is decoded is checked
//! for consistency besides, so damaged bytes are an error that names the file, never a panic and
//! never a wrong record. Stamps come back as they were recorded; a log has one tick.
//!
//! Two codecs write the payload. [`Codec::Columnar`] is the default: safe code, columns as they lie
//! in memory. [`Codec::Abomonation`] is there for comparison, behind the cargo feature
//! `abomonation`; see `abomonation.rs` for why it is fenced in. A file that this build cannot
//! read exactly is refused with the command that makes it again.

use super::error::SourceError;
use super::header;
use crate::batch::Batch;
use crate::clock::Tick;
use crate::event::{Kind, Stream};
use serde::{Deserialize, Serialize};

#[cfg(feature = "abomonation")]
mod abomonation;
mod columns;
mod frame;
mod read;
mod texts;
mod write;

pub use read::{Frame, Frames, open};
pub use write::Writer;

/// Changes whenever the meaning of the bytes does.
const VERSION: u32 = 1;
/// The first bytes of every replay log.
const MAGIC: [u8; 8] = *b"TIDEMILL";
/// The extension by which a replay log is known among sources.
pub const EXTENSION: &str = "tide";

/// How the payload of a frame is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// The `columnar` crate: safe, and the fastest to read when measured.
    Columnar,
    /// The `abomonation` crate, for comparison: needs a build with the feature of that name.
    Abomonation,
}

impl Codec {
    /// Its name, as `--codec` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Columnar => "columnar",
            Codec::Abomonation => "abomonation",
        }
    }

    /// Whether this build has it.
    pub fn is_built(self) -> bool {
        self == Codec::Columnar || cfg!(feature = "abomonation")
    }
}

/// A partition of the source that was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The stream's name.
    pub stream: String,
    /// The source's name: the file's path.
    pub name: String,
    /// The fields that are filled.
    pub fields: Vec<String>,
    /// Whether it has multiplicities: is a change log.
    pub change_log: bool,
    /// The currency to which amounts were converted, if they were.
    #[serde(default)]
    pub converted: Option<String>,
}

/// What a replay log says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// How payloads are written.
    pub codec: Codec,
    /// The build that wrote it: a checksum of the program file.
    pub build: String,
    /// The streams' fields and kinds as the writer knew them.
    pub layout: String,
    /// Milliseconds.
    pub tick: u64,
    /// Decimals of money.
    pub decimals: u32,
    /// In the order in which the sources were given.
    pub partitions: Vec<Recorded>,
    /// The command that makes the file.
    pub command: String,
}

impl Header {
    /// A header for this build.
    pub fn new(
        codec: Codec,
        tick: Tick,
        decimals: u32,
        partitions: Vec<Recorded>,
        command: String,
    ) -> Header {
        let (build, tick) = (build(codec), tick.millis());
        let layout = layout(&partitions);
        Header { codec, build, layout, tick, decimals, partitions, command }
    }

    /// Why this build cannot read the file, if it cannot.
    fn refusal(&self) -> Option<String> {
        if !self.codec.is_built() {
            let name = self.codec.name();
            return Some(format!(
                "its codec is {name}: build with `cargo build --features {name}`, or"
            ));
        }
        if self.layout != layout(&self.partitions) {
            return Some("it was recorded when the streams had other fields".into());
        }
        // Columnar bytes mean the same to every build with this layout; the other codec's are an
        // image of the writer's memory.
        (self.codec == Codec::Abomonation && self.build != build(self.codec))
            .then(|| "it was recorded by another build of the program".into())
    }
}

/// The streams and fields of the partitions, with all that decides what their values mean.
fn layout(partitions: &[Recorded]) -> String {
    let known = Stream::ALL.iter().filter(|s| partitions.iter().any(|p| p.stream == s.name()));
    let describe = |stream: &Stream| {
        let fields = stream.schema().fields.iter().map(|field| match field.kind {
            Kind::Name { names, .. } => format!("{} {}", field.name, names.join("|")),
            kind => format!("{} {kind:?}", field.name),
        });
        format!("{}: {}", stream.name(), fields.collect::<Vec<_>>().join(", "))
    };
    known.map(describe).collect::<Vec<_>>().join("; ")
}

/// Names the build: its version and, where that matters, a checksum of the program file.
fn build(codec: Codec) -> String {
    static PROGRAM: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let version = env!("CARGO_PKG_VERSION");
    if codec == Codec::Columnar {
        return version.into();
    }
    let program = PROGRAM.get_or_init(|| {
        let bytes = std::env::current_exe().and_then(std::fs::read);
        // A program that cannot read itself matches only what it wrote itself, in this process.
        bytes.map_or_else(
            |_| format!("process {}", std::process::id()),
            |bytes| format!("{:08x}", crc32c::crc32c(&bytes)),
        )
    });
    format!("{version} {program}")
}

/// Writes a batch's columns as words.
fn encode(codec: Codec, batch: &Batch, out: &mut Vec<u64>) {
    match codec {
        #[cfg(feature = "abomonation")]
        Codec::Abomonation => abomonation::encode(batch, out),
        _ => columns::encode(batch, out),
    }
}

/// Why a frame is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Damaged(&'static str);

/// Reads a batch's stamps and wanted columns from verified words.
fn decode(
    codec: Codec,
    words: &mut [u64],
    rows: usize,
    want: &[bool],
) -> Result<(Vec<(u64, u32)>, Batch), Damaged> {
    let decoded = match codec {
        #[cfg(feature = "abomonation")]
        Codec::Abomonation => abomonation::decode(words, want),
        _ => columns::decode(words, want),
    }?;
    let (_, batch) = &decoded;
    let even = batch.times.len() == rows
        && (batch.diffs.is_empty() || batch.diffs.len() == rows)
        && batch.columns.iter().all(|column| column.count().is_none_or(|n| n == rows));
    if even { Ok(decoded) } else { Err(Damaged("its columns differ in length")) }
}

/// The columns a recorded partition has, as a CSV header would name them.
fn columns_of(file: &str, recorded: &Recorded) -> Result<header::Header, SourceError> {
    let stream = Stream::by_name(&recorded.stream).ok_or_else(|| SourceError::Replay {
        file: file.into(),
        problem: format!("it holds a stream {} that there is not", recorded.stream),
        command: String::new(),
    })?;
    let mut names = vec![stream.schema().fields[0].name];
    names.extend(recorded.fields.iter().map(String::as_str));
    if recorded.change_log {
        names.push("_diff");
    }
    header::Header::parse(file, Some(names.join(",").as_bytes()), b',')
}

#[cfg(test)]
mod tests;
