//! Bad records: counted, and kept with where they came from and why, one JSON object per line.
//!
//! The file is begun when the first bad record comes, and put in place when the run ends. A
//! partition's records are in their order; partitions may interleave. What an earlier run left in its place goes when this one had no bad
//! record, if it is recognisably such a file. Bound: `write` holds one block's bad records.

use super::Bad;
use crate::error::Error;
use crate::event::Stream;
use crate::files::{Complete, Staged};
use crate::lock::lock;
use crate::shown::{LIST, shown};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// How long the line of a bad record may be, by which the file is recognised.
const LONGEST: u64 = 1 << 22;

/// How many kinds of reasons are told apart; what is beyond goes under one name.
const KINDS: usize = 100;

/// What is wrong with bad records: how many, and where the first stood with the value that is wrong.
pub type Reasons = BTreeMap<String, (u64, String)>;

/// Where bad records go.
pub struct DeadLetters {
    path: PathBuf,
    file: Mutex<Option<Result<Out, std::io::Error>>>,
    count: AtomicU64,
    /// Where the first stood, and why it is bad.
    first: Mutex<Option<String>>,
    reasons: Mutex<Reasons>,
    /// What goes if this run does not write it anew.
    earlier: Vec<PathBuf>,
    /// Whether the run goes on from an earlier one, and so does the file.
    goes_on: bool,
}

/// The file, which takes its place at the end or is written where it is.
enum Out {
    Staged(Box<Staged>),
    There(BufWriter<File>),
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Out::Staged(out) => out.write(bytes),
            Out::There(out) => out.write(bytes),
        }
    }
    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Out::Staged(out) => out.flush(),
            Out::There(out) => out.flush(),
        }
    }
}

impl DeadLetters {
    /// They are written to `path` once there are any.
    pub fn new(path: PathBuf) -> DeadLetters {
        DeadLetters {
            path,
            file: Mutex::new(None),
            count: AtomicU64::new(0),
            first: Mutex::new(None),
            reasons: Mutex::default(),
            earlier: Vec::new(),
            goes_on: false,
        }
    }

    /// They follow those that are there, of which so many of each stream and source are kept: of
    /// the others the records are read once more.
    pub fn going_on(mut self, known: &BTreeMap<(String, String), u64>) -> Result<Self, Error> {
        self.goes_on = true;
        self.earlier.clear();
        let kept = keep(&self.path, known).map_err(Error::file(&self.path))?;
        crate::files::replace(&self.path, |out| out.write_all(&kept))
            .map_err(Error::file(&self.path))?;
        if kept.is_empty() {
            std::fs::remove_file(&self.path).map_err(Error::file(&self.path))?;
        }
        Ok(self)
    }

    /// Makes durable what was written.
    pub fn sync(&self) -> Result<(), Error> {
        let synced = match &mut *lock(&self.file) {
            Some(Ok(Out::There(out))) => out.flush().and_then(|()| out.get_ref().sync_all()),
            _ => Ok(()),
        };
        synced.map_err(Error::file(&self.path))
    }

    /// They are written nowhere, for who puts up with none: see [`DeadLetters::first`].
    pub fn unwritten() -> DeadLetters {
        DeadLetters::new(PathBuf::new())
    }

    /// They stand for what an earlier run left in their place, and in those of the processes that
    /// do not belong to the cluster now, if `processes` says how many do.
    pub fn instead_of_earlier(mut self, processes: Option<u16>) -> DeadLetters {
        self.earlier.push(self.path.clone());
        if let (Some(count), Some(stem)) = (processes, self.path.file_stem()) {
            let directory = self.path.parent().filter(|p| !p.as_os_str().is_empty());
            let entries = std::fs::read_dir(directory.unwrap_or(Path::new(".")));
            for path in entries.into_iter().flatten().flatten().map(|entry| entry.path()) {
                let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
                let number = stem.to_str().and_then(|stem| name.strip_prefix(stem));
                let number = number.and_then(|rest| rest.strip_prefix('.')?.strip_suffix(".jsonl"));
                if number.and_then(|n| n.parse::<u16>().ok()).is_some_and(|n| n >= count.max(1)) {
                    self.earlier.push(path);
                }
            }
        }
        self
    }

    /// Where they are written.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Where the first one that came stood, and why it is bad.
    pub fn first(&self) -> Option<String> {
        lock(&self.first).clone()
    }

    /// What is wrong with those that this process read, without the values that are.
    pub fn reasons(&self) -> Reasons {
        lock(&self.reasons).clone()
    }

    fn tell(&self, source: &str, bad: &[Bad]) {
        let mut reasons = lock(&self.reasons);
        for bad in bad {
            let what = bad.reason.split_once(": \"").map_or(&*bad.reason, |(what, _)| what);
            let known = reasons.contains_key(what) || reasons.len() < KINDS;
            let what = shown(if known { what } else { "other reasons" }, LIST);
            let first = || shown(&format!("{source}, line {}: {}", bad.line, bad.reason), LIST);
            reasons.entry(what).or_insert_with(|| (0, first())).0 += 1;
        }
    }

    /// Writes the bad records of a block.
    pub fn write(&self, stream: Stream, source: &str, bad: &[Bad]) {
        let Some(first) = bad.first() else { return };
        let place = || format!("{source}, line {}: {}", first.line, first.reason);
        lock(&self.first).get_or_insert_with(place);
        self.tell(source, bad);
        self.count.fetch_add(bad.len() as u64, Ordering::Relaxed);
        if self.path.as_os_str().is_empty() {
            return;
        }
        let mut file = lock(&self.file);
        let file = file.get_or_insert_with(|| {
            if let Some(parent) = self.path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            if self.goes_on {
                let file = OpenOptions::new().append(true).create(true).open(&self.path)?;
                return Ok(Out::There(BufWriter::new(file)));
            }
            Ok(Out::Staged(Box::new(Staged::create(&self.path)?)))
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
        let written = self.count() > 0;
        for path in self.earlier.iter().filter(|path| !written || **path != self.path) {
            if is_ours(path) {
                std::fs::remove_file(path).map_err(Error::file(path))?;
            }
        }
        match lock(&self.file).take() {
            None => Ok(()),
            Some(Ok(Out::There(mut out))) => {
                out.flush().and_then(|()| out.get_ref().sync_all()).map_err(Error::file(&self.path))
            }
            Some(Ok(Out::Staged(out))) => {
                out.complete().and_then(Complete::publish).map_err(Error::file(&self.path))
            }
            Some(Err(error)) => Err(Error::file(&self.path)(error)),
        }
    }
}

/// The first letters of each stream and source, so many as are known.
fn keep(path: &Path, known: &BTreeMap<(String, String), u64>) -> std::io::Result<Vec<u8>> {
    #[derive(serde::Deserialize)]
    struct From {
        stream: String,
        source: String,
    }
    let mut left = known.clone();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let (mut kept, mut lines, mut line) = (Vec::new(), BufReader::new(file), Vec::new());
    while lines.read_until(b'\n', &mut line)? > 0 {
        // What was cut off with the run is none of those that are known.
        if let Ok(From { stream, source }) = serde_json::from_slice(&line)
            && let Some(left) = left.get_mut(&(stream, source)).filter(|left| **left > 0)
        {
            *left -= 1;
            kept.extend_from_slice(&line);
        }
        line.clear();
    }
    Ok(kept)
}

/// Whether a file is one of bad records: its first line is such a record.
fn is_ours(path: &Path) -> bool {
    // A link, or what is no file, was put there by somebody else.
    let is_file = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    let Ok(file) = File::open(path) else { return false };
    let mut line = Vec::new();
    let read = BufReader::new(file).take(LONGEST).read_until(b'\n', &mut line);
    let letter = serde_json::from_slice::<serde_json::Value>(&line).unwrap_or_default();
    let has = |name: &str| letter.get(name).is_some();
    is_file
        && read.is_ok()
        && ["stream", "source", "offset", "line", "reason"].iter().all(|name| has(name))
        && (has("raw") || has("raw_hex"))
}
