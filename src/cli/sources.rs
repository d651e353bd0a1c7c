//! `--source`, as `run`, `record` and `bench` take it.

use super::choose::stream_names;
use super::near::did_you_mean;
use crate::error::Error;
use crate::event::Stream;
use crate::source::dialect::Dialect;
use crate::source::read::{BLOCK_SIZE, Reader};
use crate::source::{Input, replay_log};
use std::path::Path;

/// The sources of a command line, opened.
pub struct Opened {
    /// In the order in which they were given.
    pub inputs: Vec<(Stream, Input)>,
    /// Size of all of them in bytes, if known.
    pub bytes: Option<u64>,
    /// Whether standard input is among them.
    pub stdin: bool,
}

/// Opens what `--source` names: `STREAM=FILE`, or a replay log.
pub fn open(sources: &[String], dialect: &Dialect) -> Result<Opened, Error> {
    let mut opened = Opened { inputs: Vec::new(), bytes: Some(0), stdin: false };
    for source in sources {
        if Path::new(source).extension().is_some_and(|e| e == replay_log::EXTENSION) {
            let partitions = replay_log::open(source)?;
            let size = std::fs::metadata(source).map(|m| m.len()).ok();
            opened.bytes = opened.bytes.zip(size).map(|(a, b)| a + b);
            let recorded = partitions.into_iter().map(|(s, f)| (s, Input::Recorded(f)));
            opened.inputs.extend(recorded);
            continue;
        }
        let (stream, paths) = files(source)?;
        for path in paths {
            if path == "-" && std::mem::replace(&mut opened.stdin, true) {
                return Err(Error::Usage("standard input can be read once only".into()));
            }
            let plain = !(path == "-" || path.ends_with(".gz") || path.ends_with(".zst"));
            let size = std::fs::metadata(&path).map(|m| m.len()).ok();
            opened.bytes = opened.bytes.zip(size.filter(|_| plain)).map(|(a, b)| a + b);
            opened.inputs.push((stream, Reader::open(&path, BLOCK_SIZE, dialect)?.into()));
        }
    }
    Ok(opened)
}

/// The stream and the files that a `--source` names.
fn files(source: &str) -> Result<(Stream, Vec<String>), Error> {
    let (name, pattern) = source.split_once('=').ok_or_else(|| {
        Error::Usage(format!(
            "--source {source}: expected STREAM=FILE, for instance transactions=transaction.csv, or FILE.tide"
        ))
    })?;
    let stream = Stream::by_name(name).ok_or_else(|| {
        let near = did_you_mean(name, Stream::ALL.iter().map(|s| s.name()));
        let names = stream_names();
        Error::Usage(format!("--source {source}: there is no stream {name}{near} ({names})"))
    })?;
    // A path that exists is meant as it is, whatever characters it has.
    if pattern == "-"
        || std::path::Path::new(pattern).exists()
        || !pattern.contains(['*', '?', '['])
    {
        return Ok((stream, vec![pattern.to_string()]));
    }
    let wrong = |what: String| Error::Usage(format!("--source {source}: {what}"));
    let matches = glob::glob(pattern).map_err(|e| wrong(e.to_string()))?;
    let mut paths = Vec::new();
    for path in matches {
        let path = path.map_err(|e| wrong(e.to_string()))?;
        let text = path.to_str().ok_or_else(|| wrong(format!("{path:?} is not UTF-8")))?;
        paths.push(text.to_string());
    }
    if paths.is_empty() {
        return Err(wrong("no file matches the pattern".into()));
    }
    Ok((stream, paths))
}
