//! Bad records: counted, and kept with where they came from and why, one JSON object per line.
//!
//! The file is begun when the first bad record comes, and put in place when the run ends. A partition's records are in their order;
//! partitions may interleave. Bound: `write` holds one block's bad records.

use super::Bad;
use super::lock;
use crate::error::Error;
use crate::event::Stream;
use crate::files::{Complete, Staged};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where bad records go.
pub struct DeadLetters {
    path: PathBuf,
    file: Mutex<Option<Result<Staged, std::io::Error>>>,
    count: AtomicU64,
}

impl DeadLetters {
    /// They are written to `path` once there are any.
    pub fn new(path: PathBuf) -> DeadLetters {
        DeadLetters { path, file: Mutex::new(None), count: AtomicU64::new(0) }
    }

    /// Where they are written.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Writes the bad records of a block.
    pub fn write(&self, stream: Stream, source: &str, bad: &[Bad]) {
        if bad.is_empty() {
            return;
        }
        self.count.fetch_add(bad.len() as u64, Ordering::Relaxed);
        let mut file = lock(&self.file);
        let file = file.get_or_insert_with(|| {
            if let Some(parent) = self.path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            Staged::create(&self.path)
        });
        let Ok(out) = file else { return };
        for bad in bad {
            let mut letter = serde_json::json!({
                "stream": stream.name(),
                "source": source,
                "offset": bad.offset,
                "line": bad.line,
                "reason": bad.reason,
            });
            match std::str::from_utf8(&bad.raw) {
                Ok(text) => letter["raw"] = text.into(),
                Err(_) => {
                    let hex: String = bad.raw.iter().map(|b| format!("{b:02x}")).collect();
                    letter["raw_hex"] = hex.into();
                }
            }
            if let Err(error) = writeln!(out, "{letter}") {
                *file = Err(error);
                return;
            }
        }
    }

    /// Puts the file in place, and says whether all bad records could be kept.
    pub fn finish(&self) -> Result<(), Error> {
        match lock(&self.file).take() {
            None => Ok(()),
            Some(Ok(out)) => {
                out.complete().and_then(Complete::publish).map_err(Error::file(&self.path))
            }
            Some(Err(error)) => Err(Error::file(&self.path)(error)),
        }
    }
}
