//! Sources by name: `STREAM=FILE`, patterns, replay logs, and those that are described.

use super::inputs;
use super::stream_names;
use crate::checkpoint::Store;
use crate::error::Error;
use crate::event::Stream;
use crate::files::Hold;
use crate::near::did_you_mean;
use crate::source::described::{Kafka, Said};
use crate::source::dialect::Dialect;
use crate::source::hook::Hook;
use crate::source::lookup::{Lookup, Table};
use crate::source::push::Push;
use crate::source::read::{BLOCK_SIZE, Reader};
use crate::source::{Input, replay_log};
use crate::tell::Tell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Sources, opened.
#[derive(Default)]
pub struct Opened {
    /// In the order in which they were given.
    pub inputs: Vec<(Stream, Input)>,
    /// Size of all of them in bytes, if known.
    pub bytes: Option<u64>,
    /// Whether standard input is among them.
    pub stdin: bool,
    /// How much is read in one go.
    block: usize,
    /// Whether files may grow while they are read.
    follow: bool,
    /// Where standard input is written down, if it is, and that no other run writes there.
    kept: Option<PathBuf>,
    lock: Option<Hold>,
    /// The files in which values are looked up, each read once.
    tables: HashMap<(String, Lookup), Arc<Table>>,
}

/// What is known of sources beside their names.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Those that are described, by section.
    pub described: Vec<Vec<Said>>,
    /// The format that files are named of.
    pub format: Option<String>,
    /// How much is read in one go, if it is not the usual.
    pub block: Option<usize>,
    /// Whether files may grow while they are read.
    pub follow: bool,
    /// The streams whose records are pushed.
    pub push: Vec<Stream>,
    /// Told what a person should know of those that come from elsewhere.
    pub tell: Tell,
    /// Where standard input is written down, because it cannot be read again.
    pub inputs: Option<PathBuf>,
}

/// Opens sources named as `STREAM=FILE` or as a replay log, and those that are described. A description whose
/// stream is named tells how to read what is named instead of its own files. Files of a `format` need no stream.
pub fn open(sources: &[String], dialect: &Dialect, known: Known) -> Result<Opened, Error> {
    let block = known.block.unwrap_or(BLOCK_SIZE);
    let earlier = known.inputs.as_deref().map_or(Ok(Vec::new()), inputs::earlier)?;
    let (kept, follow) = (known.inputs, known.follow);
    let mut opened = Opened { bytes: Some(0), block, kept, follow, ..Opened::default() };
    let arc = |group: Vec<Said>| group.into_iter().map(Arc::new).collect::<Vec<_>>();
    let described: Vec<Vec<Arc<Said>>> = known.described.into_iter().map(arc).collect();
    let format = known.format.as_deref().map(crate::config::format).transpose()?.map(arc);
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
        if let Some(format) = &format {
            let stream = source.split_once('=').and_then(|(name, _)| Stream::by_name(name));
            let pattern = stream.map_or(source.as_str(), |s| &source[s.name().len() + 1..]);
            let of = |said: &&Arc<Said>| stream.is_none_or(|stream| said.stream == stream);
            let sections: Vec<_> = format.iter().filter(of).cloned().collect();
            opened.add_any(paths(source, pattern)?, dialect, &sections)?;
            continue;
        }
        let (stream, paths) = files(source)?;
        named.insert(stream);
        let of_stream = |group: &Vec<Arc<Said>>| {
            let mine = group.iter().filter(|said| said.stream == stream);
            Some(mine.cloned().collect::<Vec<_>>()).filter(|group| !group.is_empty())
        };
        let mut groups = described.iter().filter_map(of_stream);
        match (groups.next(), groups.next()) {
            (None, _) => opened.add(stream, paths, dialect, None)?,
            (Some(sections), None) => opened.add_any(paths, dialect, &sections)?,
            (Some(_), Some(_)) => {
                return Err(Error::Usage(format!(
                    "--source {source}: several sources of {} are described; name its files there",
                    stream.name()
                )));
            }
        }
    }
    for group in &described {
        let mine = group.iter().filter(|said| !named.contains(&said.stream));
        let sections: Vec<Arc<Said>> = mine.cloned().collect();
        let Some(first) = sections.first() else { continue };
        let stream = first.stream;
        if first.files.is_empty() && first.push {
            continue;
        }
        if first.files.is_empty() {
            return Err(Error::Usage(format!(
                "[[source]] of {name} names no files; add files = \"...\", or --source {name}=FILE",
                name = stream.name()
            )));
        }
        for pattern in &first.files {
            let source = format!("{}={pattern}", stream.name());
            opened.add_any(paths(&source, pattern)?, dialect, &sections)?;
        }
    }
    // Nobody writes to these any more.
    opened.follow = false;
    for (stream, path) in earlier {
        let mut of = described.iter().flatten().filter(|said| said.stream == stream);
        let said = of.next().cloned();
        opened.add(stream, vec![path], dialect, said)?;
    }
    let dir = opened.kept.clone();
    for stream in &known.push {
        let place = dir.as_deref().ok_or_else(|| {
            let what = "--push: what is pushed is written down before it is acknowledged; say where with \
                        --state DIR";
            Error::Usage(what.into())
        })?;
        opened.hold(place)?;
        let mine = described.iter().flatten().filter(|said| said.stream == *stream);
        let hook = mine.clone().find_map(|said| said.hook.as_ref());
        let hook = hook.map(Hook::open).transpose()?;
        let (push, path) = Push::open(place, *stream)?;
        opened.push((*stream, Some(push.signed(hook))), &path, &described)?;
        if let Some(kafka) = mine.filter_map(|said| said.kafka.as_ref()).next() {
            let way_in = opened.inputs.last().and_then(|(_, input)| input.push());
            way_in.map_or(Ok(()), |push| from_kafka(&push, kafka, known.tell.clone()))?;
        }
    }
    let before = dir.as_deref().map_or(Ok(Vec::new()), inputs::pushed)?;
    for (stream, path) in before.iter().filter(|(stream, _)| !known.push.contains(stream)) {
        opened.push((*stream, None), path, &described)?;
    }
    if opened.inputs.is_empty() {
        let what = match format {
            Some(_) => "nothing to read: name the files of --format with --source FILE",
            None => {
                "nothing to read: name a source with --source STREAM=FILE, or describe one in --config"
            }
        };
        return Err(Error::Usage(what.into()));
    }
    opened.refuse_twice()?;
    Ok(opened)
}

impl Opened {
    /// Takes the directory of the state, in which nobody else writes then.
    fn hold(&mut self, dir: &Path) -> Result<(), Error> {
        if self.lock.is_none() {
            self.lock = Some(Store::lock(dir)?);
        }
        Ok(())
    }

    /// Opens a file of what was pushed, and may be pushed now.
    fn push(
        &mut self,
        (stream, push): (Stream, Option<Push>),
        path: &Path,
        described: &[Vec<Arc<Said>>],
    ) -> Result<(), Error> {
        let said = described.iter().flatten().find(|said| said.stream == stream && said.push);
        let name = path.display().to_string();
        let said = said.map(|said| self.look_up(&name, &Dialect::default(), said)).transpose()?;
        let goes_on = push.is_some();
        let reader = Reader::pushed(path, self.block, (stream, push))?.described(said);
        self.bytes = self.bytes.filter(|_| !goes_on);
        self.inputs.push((stream, reader.into()));
        Ok(())
    }

    /// Opens files of a stream.
    fn add(
        &mut self,
        stream: Stream,
        paths: Vec<String>,
        dialect: &Dialect,
        said: Option<Arc<Said>>,
    ) -> Result<(), Error> {
        for path in paths {
            let reader = match self.kept.clone().filter(|_| path == "-") {
                None => self.reader(&path, dialect, said.as_ref())?,
                Some(dir) => {
                    self.take_stdin()?;
                    self.hold(&dir)?;
                    let (file, dialect) =
                        (inputs::new(&dir, stream)?, told(dialect, said.as_ref()));
                    let reader = Reader::kept(&file, self.block, &dialect)?;
                    if self.follow { reader.from_now_on() } else { reader }
                }
            };
            let said = said.as_ref().map(|said| self.look_up(&path, dialect, said)).transpose()?;
            self.inputs.push((stream, reader.described(said).into()));
        }
        Ok(())
    }

    /// Opens files, each for all those sections that are meant for it.
    fn add_any(
        &mut self,
        paths: Vec<String>,
        dialect: &Dialect,
        sections: &[Arc<Said>],
    ) -> Result<(), Error> {
        if let [said] = sections
            && said.needs.is_empty()
            && said.format.is_none()
        {
            return self.add(said.stream, paths, dialect, Some(Arc::clone(said)));
        }
        for path in paths {
            let (mut meant, mut lacks) = (Vec::new(), Vec::new());
            let mut once = None;
            for said in sections {
                // Standard input is opened once, for one of them.
                let reader = match once.take() {
                    Some(reader) => reader,
                    None => self.reader(&path, dialect, Some(said))?,
                };
                let what = reader.header().lacks(&said.needs, said.dialect.columns.as_deref());
                let is_meant = what.is_none();
                lacks.extend(what.map(|what| (said.stream, what)));
                meant.extend(is_meant.then_some(said));
                if path == "-" {
                    once = Some(reader);
                } else if is_meant {
                    let said = self.look_up(&path, dialect, said)?;
                    self.inputs.push((said.stream, reader.described(Some(said)).into()));
                }
            }
            if meant.is_empty() {
                let format = sections.first().and_then(|said| said.format.as_deref());
                let lacks =
                    lacks.iter().map(|(stream, what)| format!("\n  for {}: {what}", stream.name()));
                return Err(Error::Usage(format!(
                    "{path} is not of the format {}; it would need{}",
                    format.unwrap_or("described"),
                    lacks.collect::<String>()
                )));
            }
            if let Some(reader) = once {
                let [said] = meant[..] else {
                    let what = "standard input can be read once, and the format reads more than that from it; \
                                use a file, or name the stream: --source STREAM=-";
                    return Err(Error::Usage(what.into()));
                };
                let said = self.look_up(&path, dialect, said)?;
                self.inputs.push((said.stream, reader.described(Some(said)).into()));
            }
        }
        Ok(())
    }

    fn take_stdin(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.stdin, true) {
            return Err(Error::Usage("standard input can be read once only".into()));
        }
        Ok(())
    }

    fn reader(
        &mut self,
        path: &str,
        dialect: &Dialect,
        said: Option<&Arc<Said>>,
    ) -> Result<Reader, Error> {
        if path == "-" {
            self.take_stdin()?;
        }
        let dialect = told(dialect, said);
        let plain = !(path == "-" || path.ends_with(".gz") || path.ends_with(".zst"));
        let size = std::fs::metadata(path).map(|m| m.len()).ok();
        self.bytes = self.bytes.zip(size.filter(|_| plain)).map(|(a, b)| a + b);
        if self.follow {
            // Nobody knows how much there will be.
            self.bytes = None;
            return Ok(Reader::follow(path, self.block, &dialect)?);
        }
        Ok(Reader::open(path, self.block, &dialect)?)
    }

    /// What is said of a source, with the other files read in which its values are looked up.
    fn look_up(
        &mut self,
        path: &str,
        dialect: &Dialect,
        said: &Arc<Said>,
    ) -> Result<Arc<Said>, Error> {
        if said.lookups.is_empty() {
            return Ok(Arc::clone(said));
        }
        let mut tables = Vec::new();
        for (_, lookup) in &said.lookups {
            // Where the user is, or else beside the source.
            let beside = Path::new(path).with_file_name(&lookup.file);
            let file = match Path::new(&lookup.file).exists() {
                true => lookup.file.clone(),
                false if beside.exists() => beside.display().to_string(),
                false => {
                    return Err(Error::Usage(format!(
                        "{path}: values are looked up in {file}, which is neither here nor beside it; \
                         put it there, or say where it is in [source.lookup]",
                        file = lookup.file
                    )));
                }
            };
            let key = (file.clone(), lookup.clone());
            let table = match self.tables.get(&key) {
                Some(table) => Arc::clone(table),
                None => {
                    let encoding = dialect.or(&said.dialect).encoding;
                    let there = Dialect { encoding, ..Dialect::default() };
                    Arc::new(Table::read(&file, lookup, &there)?)
                }
            };
            self.tables.insert(key, Arc::clone(&table));
            tables.push(table);
        }
        Ok(Arc::new(said.with_tables(tables)))
    }

    /// Refuses files that tell of the same things in two ways, which would be counted twice.
    fn refuse_twice(&self) -> Result<(), Error> {
        let mut found: BTreeMap<&str, (&[String], &str)> = BTreeMap::new();
        for (_, input) in &self.inputs {
            let Input::Text(reader) = input else { continue };
            let Some((said, apart)) = reader.said().and_then(|s| Some((s, s.apart.as_deref()?)))
            else {
                continue;
            };
            let file = reader.header().file();
            let (needs, other) = found.entry(apart).or_insert((&said.needs, file));
            if *needs != said.needs.as_slice() {
                return Err(Error::Usage(format!(
                    "{other} and {file} both tell of the {apart}, which would count twice; name one of them"
                )));
            }
        }
        Ok(())
    }
}

/// Begins to read topics of Kafka.
#[cfg(feature = "kafka")]
fn from_kafka(push: &Arc<Push>, kafka: &Kafka, tell: Tell) -> Result<(), Error> {
    crate::source::kafka::start(push, kafka, move |what| tell.say(what))
}

/// The same, where this program cannot.
#[cfg(not(feature = "kafka"))]
fn from_kafka(_: &Arc<Push>, kafka: &Kafka, _: Tell) -> Result<(), Error> {
    Err(Error::Usage(format!(
        "[source.kafka] {}: this program was built without Kafka; build it with: cargo build --release \
         --features kafka",
        kafka.brokers
    )))
}

/// How a source is written, as far as it was said.
fn told(dialect: &Dialect, said: Option<&Arc<Said>>) -> Dialect {
    said.map_or_else(|| dialect.clone(), |said| dialect.or(&said.dialect))
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
    Ok((stream, paths(source, pattern)?))
}

/// The files that a pattern names, of this `--source`.
fn paths(source: &str, pattern: &str) -> Result<Vec<String>, Error> {
    // A path that exists is meant as it is, whatever characters it has.
    if pattern == "-"
        || std::path::Path::new(pattern).exists()
        || !pattern.contains(['*', '?', '['])
    {
        return Ok(vec![pattern.to_string()]);
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
    Ok(paths)
}
