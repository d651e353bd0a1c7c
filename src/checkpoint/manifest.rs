//! A manifest: what a checkpoint consists of, as two lines of text, the second of which is the
//! checksum of the first.

use crate::clock::{Tick, Time};
use crate::description::Description;
use crate::sink::Held;
use crate::source::Position;
use serde::{Deserialize, Serialize};

/// Changes whenever the meaning of a manifest or of the files it names does.
pub(super) const FORMAT: u32 = 1;

/// What a checkpoint consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// How it is written.
    pub format: u32,
    /// The number of the checkpoint; 0 says that there is none yet.
    pub sequence: u64,
    /// Drawn when the directory was begun: sinks know by it whose what they hold is.
    pub id: String,
    /// Which of the runs that wrote here it is from.
    pub epoch: u64,
    /// What is known of its cut, and the file of what operators remember.
    pub checkpoint: Option<(Saved, Filed)>,
}

/// What is known of a cut beside what operators remember.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The cut: everything stamped up to here is in it.
    pub at: Time,
    /// The granularity of stream time.
    pub tick: Tick,
    /// What the run was started with, as far as it has a say in what is remembered.
    pub description: Description,
    /// Where the sources were.
    pub sources: Vec<SourceAt>,
    /// What the sinks held then.
    pub sinks: Vec<Held>,
    /// The currencies of the amounts so far.
    pub currencies: Vec<String>,
    /// The queries, in order.
    pub queries: Vec<String>,
    /// How many entries are remembered.
    pub entries: u64,
}

/// Where a source was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceAt {
    /// The stream it belongs to.
    pub stream: String,
    /// Its name: the file's path.
    pub name: String,
    /// Its number among the sources, by which records of the same time are ordered.
    pub index: u32,
    /// How far it was read.
    pub position: Position,
}

/// A file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filed {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its checksum, crc32c.
    pub crc: u32,
}

impl Manifest {
    /// What is known of its cut, if it is of a checkpoint.
    pub fn saved(&self) -> Option<&Saved> {
        self.checkpoint.as_ref().map(|(saved, _)| saved)
    }

    /// The name of that of a checkpoint.
    pub(super) fn name(sequence: u64) -> String {
        format!("manifest.{sequence}")
    }

    /// The number in such a name.
    pub(super) fn sequence_in(name: &str) -> Option<u64> {
        let number = name.strip_prefix("manifest.")?;
        number.parse().ok().filter(|n: &u64| n.to_string() == number)
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut text = serde_json::to_vec(self)?;
        let crc = crc32c::crc32c(&text);
        text.extend(format!("\ncrc32c {crc:08x}\n").into_bytes());
        Ok(text)
    }

    /// Reads a manifest, or says what is wrong with it.
    pub(super) fn read(bytes: &[u8]) -> Result<Manifest, String> {
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("it is cut off")?;
        let (text, rest) = bytes.split_at(end);
        if rest != format!("\ncrc32c {:08x}\n", crc32c::crc32c(text)).as_bytes() {
            return Err("its checksum is wrong".into());
        }
        let form: Form = serde_json::from_slice(text).map_err(|e| e.to_string())?;
        if form.format != FORMAT {
            return Err(format!(
                "its format is version {}, this program's is {FORMAT}",
                form.format
            ));
        }
        serde_json::from_slice(text).map_err(|e| e.to_string())
    }
}

/// What every version of a manifest has.
#[derive(Deserialize)]
struct Form {
    format: u32,
}
