//! What cannot be read again of a run that keeps its state is written down in the directory of the
//! state: standard input as `input.N.STREAM`, a file for each run that had some, and what was pushed as
//! `pushed.STREAM.ndjson`. In later runs these are sources like others, that are read on from where they
//! were.

use crate::error::Error;
use crate::event::Stream;
use crate::source::push;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The longest first line that is looked for.
const LONGEST: u64 = 4 << 20;

/// The number and the stream in the name of such a file.
fn parts(name: &str) -> Option<(u64, Stream)> {
    let (number, stream) = name.strip_prefix("input.")?.split_once('.')?;
    Some((number.parse().ok()?, Stream::by_name(stream)?))
}

/// What was written down by earlier runs, in order. What has no whole line has no record.
pub(super) fn earlier(dir: &Path) -> Result<Vec<(Stream, String)>, Error> {
    let mut found = Vec::new();
    for (number, stream, path) in all(dir)? {
        let file = fs::File::open(&path).map_err(Error::file(&path))?;
        let mut line = Vec::new();
        BufReader::new(file.take(LONGEST))
            .read_until(b'\n', &mut line)
            .map_err(Error::file(&path))?;
        if line.ends_with(b"\n") {
            found.push((number, stream, path));
        }
    }
    found.sort_by_key(|(number, ..)| *number);
    Ok(found.into_iter().map(|(_, stream, path)| (stream, path)).collect())
}

/// What was pushed in earlier runs.
pub(super) fn pushed(dir: &Path) -> Result<Vec<(Stream, PathBuf)>, Error> {
    let mut found = Vec::new();
    for name in names(dir)? {
        found.extend(push::stream_of(&name).map(|stream| (stream, dir.join(name))));
    }
    found.sort_by_key(|(stream, _)| stream.name());
    Ok(found)
}

/// The name of a new one.
pub(super) fn new(dir: &Path, stream: Stream) -> Result<String, Error> {
    fs::create_dir_all(dir).map_err(Error::file(dir))?;
    let last = all(dir)?.iter().map(|(number, ..)| *number).max().unwrap_or(0);
    let path = dir.join(format!("input.{}.{}", last + 1, stream.name()));
    let wrong = || Error::Usage(format!("--state {}: it is not UTF-8", dir.display()));
    path.to_str().map(str::to_owned).ok_or_else(wrong)
}

fn all(dir: &Path) -> Result<Vec<(u64, Stream, String)>, Error> {
    let mut all = Vec::new();
    for name in names(dir)? {
        if let (Some((number, stream)), Some(path)) = (parts(&name), dir.join(&name).to_str()) {
            all.push((number, stream, path.to_owned()));
        }
    }
    Ok(all)
}

/// The names of the files in a directory, if it is there.
fn names(dir: &Path) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file(dir)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(Error::file(dir))?.file_name().into_string().ok());
    }
    Ok(names)
}
