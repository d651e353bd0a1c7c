//! Sources by name: `STREAM=FILE`, patterns, replay logs, and those that are described.

use super::near::did_you_mean;
use super::stream_names;
use crate::error::Error;
use crate::event::Stream;
use crate::source::described::Said;
use crate::source::dialect::Dialect;
use crate::source::read::{BLOCK_SIZE, Reader};
use crate::source::{Input, replay_log};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Sources, opened.
pub struct Opened {
    /// In the order in which they were given.
    pub inputs: Vec<(Stream, Input)>,
    /// Size of all of them in bytes, if known.
    pub bytes: Option<u64>,
    /// Whether standard input is among them.
    pub stdin: bool,
}

/// Opens sources named as `STREAM=FILE` or as a replay log, and those that are described. A description whose
/// stream is named tells how to read what is named instead of its own files.
pub fn open(sources: &[String], dialect: &Dialect, described: Vec<Said>) -> Result<Opened, Error> {
    let mut opened = Opened { inputs: Vec::new(), bytes: Some(0), stdin: false };
    let described: Vec<Arc<Said>> = described.into_iter().map(Arc::new).collect();
    let mut named = BTreeSet::new();
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
        named.insert(stream);
        let mut of_stream = described.iter().filter(|said| said.stream == stream);
        let said = of_stream.next().cloned();
        if of_stream.next().is_some() {
            return Err(Error::Usage(format!(
                "--source {source}: several sources of {} are described; name its files there",
                stream.name()
            )));
        }
        opened.add(stream, paths, dialect, said)?;
    }
    for said in described.iter().filter(|said| !named.contains(&said.stream)) {
        let stream = said.stream;
        if said.files.is_empty() {
            return Err(Error::Usage(format!(
                "[[source]] of {name} names no files; add files = \"...\", or --source {name}=FILE",
                name = stream.name()
            )));
        }
        for pattern in &said.files {
            let (_, paths) = files(&format!("{}={pattern}", stream.name()))?;
            opened.add(stream, paths, dialect, Some(Arc::clone(said)))?;
        }
    }
    if opened.inputs.is_empty() {
        let what =
            "nothing to read: name a source with --source STREAM=FILE, or describe one in --config";
        return Err(Error::Usage(what.into()));
    }
    Ok(opened)
}

impl Opened {
    /// Opens files of a stream.
    fn add(
        &mut self,
        stream: Stream,
        paths: Vec<String>,
        dialect: &Dialect,
        said: Option<Arc<Said>>,
    ) -> Result<(), Error> {
        let dialect =
            said.as_ref().map_or_else(|| dialect.clone(), |said| dialect.or(&said.dialect));
        for path in paths {
            if path == "-" && std::mem::replace(&mut self.stdin, true) {
                return Err(Error::Usage("standard input can be read once only".into()));
            }
            let plain = !(path == "-" || path.ends_with(".gz") || path.ends_with(".zst"));
            let size = std::fs::metadata(&path).map(|m| m.len()).ok();
            self.bytes = self.bytes.zip(size.filter(|_| plain)).map(|(a, b)| a + b);
            let reader = Reader::open(&path, BLOCK_SIZE, &dialect)?.described(said.clone());
            self.inputs.push((stream, reader.into()));
        }
        Ok(())
    }
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
