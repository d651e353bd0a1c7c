//! Records that are pushed: each batch is written down, in a file for each stream, before it is
//! acknowledged, and read from there like a file that grows.
//!
//! A batch is lines of JSON. Each of them begins with a field [`MARK`] that tells the batch: a checksum of
//! what was sent, how many lines there are, and its [`Name`], if it has one. So a batch that was not
//! written whole is found when the file is opened again, and cut off, since nobody was told that it was
//! accepted; and one that is sent again is known. What is not on the disk yet is not read.
//!
//! All batches that wait are written and synced together. Bound: `WAITING` bytes of them, and
//! `KEYS` keys.

use super::follow::Tail;
use super::hook::Hook;
use crate::error::Error;
use crate::event::Stream;
use crate::lock::lock;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

/// The field that tells the batch of a record.
pub const MARK: &str = "_batch";
/// Bytes that may wait to be written.
const WAITING: usize = 32 << 20;
/// Bytes that may be written and not read yet: beyond, senders are asked to wait.
const UNREAD: u64 = 256 << 20;
/// So many keys are remembered of each stream, the newest.
const KEYS: usize = 100_000;
/// The longest key.
const KEY: usize = 200;
/// How much is written in one go.
const TOGETHER: usize = 4 << 20;

/// Told whether a batch is on the disk.
type Ack = Box<dyn FnOnce(Result<(), String>) + Send>;

/// By what a batch is known that is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// By nothing: it would be another one.
    None,
    /// By the key that its sender has given it.
    Key(&'a str),
    /// By the number of its last record in a log that is read in order. No key is taken for it.
    Place(&'a str, i64),
}

/// What becomes of a batch.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was accepted before: so many records.
    Before(usize),
    /// It is being written; whoever waits is told when it is.
    Writing,
    /// There is no room now.
    Busy,
    /// Another batch had that key.
    Other,
    /// It is none of printable ASCII, or too long.
    Key,
}

/// The way in for the records of a stream. See the module.
pub struct Push {
    /// The stream.
    pub stream: Stream,
    /// Whose webhooks are taken, if any are.
    pub hook: Option<Hook>,
    tail: Arc<Tail>,
    known: Arc<Mutex<Known>>,
    waiting: Arc<AtomicUsize>,
    write: Sender<(Vec<u8>, Ack)>,
}

/// The batches that were accepted, by their names.
#[derive(Default)]
struct Known {
    /// The newest of those that have a key.
    keys: HashMap<String, Batch>,
    order: VecDeque<String>,
    /// Up to where each log was read.
    places: BTreeMap<String, i64>,
}

/// A batch that has a key.
struct Batch {
    sum: String,
    count: usize,
    /// Whether it is on the disk.
    written: bool,
}

impl Known {
    /// What is known of a batch already.
    fn find(&self, name: Name<'_>, sum: &str, count: usize) -> Option<Taken> {
        match name {
            Name::None => None,
            Name::Key(key) => self.keys.get(key).map(|batch| match batch.written {
                _ if batch.sum != sum => Taken::Other,
                true => Taken::Before(batch.count),
                // Nobody knows yet what becomes of it.
                false => Taken::Busy,
            }),
            Name::Place(log, last) => {
                let before = self.places.get(log).is_some_and(|known| last <= *known);
                before.then_some(Taken::Before(count))
            }
        }
    }

    /// A batch is going to be written.
    fn begin(&mut self, name: Name<'_>, sum: &str, count: usize) {
        let Name::Key(key) = name else { return };
        let batch = Batch { sum: sum.to_owned(), count, written: false };
        if self.keys.insert(key.to_owned(), batch).is_none() {
            self.order.push_back(key.to_owned());
        }
        while self.order.len() > KEYS {
            let oldest = self.order.pop_front();
            oldest.into_iter().for_each(|key| drop(self.keys.remove(&key)));
        }
    }

    /// A batch is on the disk, or it could not be written and is none.
    fn done(&mut self, name: Name<'_>, written: bool) {
        match name {
            Name::Key(key) if written => {
                self.keys.get_mut(key).into_iter().for_each(|batch| batch.written = true);
            }
            Name::Key(key) => {
                self.keys.remove(key);
                self.order.retain(|other| other != key);
            }
            Name::Place(log, last) if written => {
                let known = self.places.entry(log.to_owned()).or_insert(last);
                *known = last.max(*known);
            }
            Name::Place(..) | Name::None => {}
        }
    }
}

impl std::fmt::Debug for Push {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Push({})", self.stream.name())
    }
}

/// The name of the file for a stream.
pub fn file_name(stream: Stream) -> String {
    format!("pushed.{}.ndjson", stream.name())
}

/// The stream of such a file.
pub fn stream_of(name: &str) -> Option<Stream> {
    Stream::by_name(name.strip_prefix("pushed.")?.strip_suffix(".ndjson")?)
}

impl Push {
    /// Opens the file of a stream in a directory, and makes good what is not whole.
    pub fn open(dir: &Path, stream: Stream) -> Result<(Push, PathBuf), Error> {
        let path = dir.join(file_name(stream));
        let failed = |error| Error::file(&path)(error);
        let file = OpenOptions::new().append(true).create(true).open(&path).map_err(failed)?;
        let (known, length) = look_through(&path).map_err(failed)?;
        file.set_len(length).and_then(|()| file.sync_all()).map_err(failed)?;
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::file(dir))?;
        let tail = Tail::pushed(length);
        let (write, jobs) = channel();
        let waiting = Arc::default();
        let writer =
            Writer { file, length, tail: Arc::clone(&tail), waiting: Arc::clone(&waiting) };
        thread::Builder::new()
            .name("push".into())
            .spawn(move || writer.write_all(&jobs))
            .map_err(failed)?;
        let hook = None;
        Ok((Push { stream, hook, tail, known: Arc::new(Mutex::new(known)), waiting, write }, path))
    }

    /// The same, where webhooks are taken as well.
    pub fn signed(self, hook: Option<Hook>) -> Push {
        Push { hook, ..self }
    }

    /// How far what was pushed is written and read.
    pub fn tail(&self) -> Arc<Tail> {
        Arc::clone(&self.tail)
    }

    /// Up to where each log was read whose batches have places.
    pub fn places(&self) -> BTreeMap<String, i64> {
        lock(&self.known).places.clone()
    }

    /// Nothing more can come, which ends the run.
    pub fn fail(&self, why: &str) {
        self.tail.fail(&io::Error::other(why.to_owned()));
    }

    /// Whether there is room for a batch.
    pub fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Acquire) < WAITING && self.tail.unread() < UNREAD
    }

    /// Takes a batch of records, each an object of JSON; `sent` is what was sent.
    pub fn take(&self, records: &[&[u8]], (name, sent): (Name<'_>, &[u8]), ack: Ack) -> Taken {
        let plain = |byte: u8| (0x20..0x7f).contains(&byte) && !b"\"\\".contains(&byte);
        if let Name::Key(key) = name
            && (key.len() > KEY || !key.bytes().all(plain))
        {
            return Taken::Key;
        }
        let count = records.len();
        let sum =
            Sha256::digest(sent).iter().take(8).map(|b| format!("{b:02x}")).collect::<String>();
        let mut known = lock(&self.known);
        if let Some(taken) = known.find(name, &sum, count) {
            return taken;
        }
        if !self.has_room() {
            return Taken::Busy;
        }
        let mark = match name {
            Name::None => format!("{sum} {count} "),
            Name::Key(key) => format!("{sum} {count} {key}"),
            Name::Place(log, last) => format!("{sum} {count}@{last} {log}"),
        };
        let begins = format!("{{\"{MARK}\":\"{mark}\"");
        let mut lines = Vec::new();
        for record in records {
            let rest = record.trim_ascii().get(1..).unwrap_or_default().trim_ascii_start();
            lines.extend_from_slice(begins.as_bytes());
            lines.extend_from_slice(if rest == b"}" { b"" } else { b"," });
            lines.extend(one_line(rest));
            lines.push(b'\n');
        }
        self.waiting.fetch_add(lines.len(), Ordering::AcqRel);
        known.begin(name, &sum, count);
        let all = Arc::clone(&self.known);
        let ack = Box::new(move |done: Result<(), String>| {
            if let Some((.., name)) = parts(mark.as_bytes()) {
                lock(&all).done(name, done.is_ok());
            }
            ack(done);
        });
        // The other end is there as long as this one is.
        let _ = self.write.send((lines, ack));
        Taken::Writing
    }
}

/// A text of JSON on one line: line ends are only between its parts, where they are as good as spaces.
pub fn one_line(json: &[u8]) -> impl Iterator<Item = u8> + '_ {
    json.iter().map(|byte| if b"\r\n".contains(byte) { b' ' } else { *byte })
}

/// The thread that writes.
struct Writer {
    file: File,
    length: u64,
    tail: Arc<Tail>,
    waiting: Arc<AtomicUsize>,
}

impl Writer {
    fn write_all(mut self, jobs: &Receiver<(Vec<u8>, Ack)>) {
        while let Ok((mut lines, ack)) = jobs.recv() {
            let mut acks = vec![ack];
            while lines.len() < TOGETHER
                && let Ok((more, ack)) = jobs.try_recv()
            {
                lines.extend(more);
                acks.push(ack);
            }
            let done = self.write(&lines);
            self.waiting.fetch_sub(lines.len(), Ordering::AcqRel);
            acks.into_iter().for_each(|ack| ack(done.clone()));
        }
    }

    fn write(&mut self, lines: &[u8]) -> Result<(), String> {
        if let Some(why) = self.tail.failure() {
            return Err(why.to_owned());
        }
        if let Err(error) = self.file.write_all(lines) {
            // Half of it is nothing. Where this fails as well nothing is told to be there.
            let cut = self.file.set_len(self.length);
            return Err(cut.err().unwrap_or(error).to_string());
        }
        match self.file.sync_data() {
            Ok(()) => {
                self.length += lines.len() as u64;
                self.tail.extend(self.length);
                Ok(())
            }
            Err(error) => {
                // Nobody knows what is on the disk then.
                self.tail.fail(&error);
                Err(error.to_string())
            }
        }
    }
}

/// The batches in a file, and how long it is without one at its end that is not whole.
fn look_through(path: &Path) -> io::Result<(Known, u64)> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let (mut known, mut length, mut at) = (Known::default(), 0, 0);
    let (mut line, mut batch, mut seen) = (Vec::new(), Vec::new(), 0);
    loop {
        line.clear();
        if file.read_until(b'\n', &mut line)? == 0 || !line.ends_with(b"\n") {
            return Ok((known, length));
        }
        at += line.len() as u64;
        let mark = mark(&line);
        if seen == 0 || batch != mark {
            // No batch of ours ends early with another behind it; what is here is kept.
            (seen, batch) = (0, mark.to_vec());
        }
        seen += 1;
        let (sum, count, name) = parts(&batch).unwrap_or(("", seen, Name::None));
        if seen >= count {
            known.begin(name, sum, seen);
            known.done(name, true);
            (seen, length) = (0, at);
        }
    }
}

/// The checksum in a mark, how many lines there are, and the name.
fn parts(mark: &[u8]) -> Option<(&str, usize, Name<'_>)> {
    let mut parts = std::str::from_utf8(mark).ok()?.splitn(3, ' ');
    let (sum, count, name) = (parts.next()?, parts.next()?, parts.next()?);
    Some(match count.split_once('@') {
        Some((count, last)) => (sum, count.parse().ok()?, Name::Place(name, last.parse().ok()?)),
        None if name.is_empty() => (sum, count.parse().ok()?, Name::None),
        None => (sum, count.parse().ok()?, Name::Key(name)),
    })
}

/// What a line tells of its batch.
fn mark(line: &[u8]) -> &[u8] {
    let begins = format!("{{\"{MARK}\":\"");
    let rest = line.strip_prefix(begins.as_bytes()).unwrap_or_default();
    rest.split(|byte| *byte == b'"').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    fn directory(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("tidemill-push-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("made");
        dir
    }

    /// Pushes some records and waits until they are written.
    fn push(to: &Push, key: Option<&str>, records: &[&str]) -> Taken {
        let (tell, told) = sync_channel(1);
        let bytes: Vec<&[u8]> = records.iter().map(|record| record.as_bytes()).collect();
        let sent = records.concat();
        let ack = Box::new(move |done| tell.send(done).expect("heard"));
        let name = key.map_or(Name::None, Name::Key);
        let taken = to.take(&bytes, (name, sent.as_bytes()), ack);
        if taken == Taken::Writing {
            told.recv().expect("told").expect("written");
        }
        taken
    }

    #[test]
    fn what_is_accepted_is_there_once_and_a_batch_that_is_not_whole_is_none() {
        let dir = directory("whole");
        let (to, path) = Push::open(&dir, Stream::Behavior).expect("opened");
        assert_eq!(push(&to, Some("a"), &["{\"x\":\n1}", " { } "]), Taken::Writing);
        assert_eq!(push(&to, Some("a"), &["{\"x\":\n1}", " { } "]), Taken::Before(2));
        assert_eq!(push(&to, Some("a"), &["{\"x\":2}"]), Taken::Other);
        assert_eq!(push(&to, Some("\""), &["{}"]), Taken::Key);
        let first = std::fs::read_to_string(&path).expect("there");
        let lines: Vec<&str> = first.lines().collect();
        assert!(lines[0].ends_with(" 2 a\",\"x\": 1}") && lines[1].ends_with(" 2 a\"}"), "{first}");
        assert_eq!(push(&to, None, &["{\"y\":1}", "{\"y\":2}", "{\"y\":3}"]), Taken::Writing);
        drop(to);
        let whole = std::fs::read(&path).expect("there");
        for cut in first.len()..=whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("ours");
            let (to, path) = Push::open(&dir, Stream::Behavior).expect("opened");
            let length = if cut == whole.len() { cut } else { first.len() };
            assert_eq!(
                std::fs::metadata(path).expect("there").len(),
                length as u64,
                "cut at {cut}"
            );
            // The key is known from the file.
            assert_eq!(push(&to, Some("a"), &["{\"x\":\n1}", " { } "]), Taken::Before(2));
        }
    }

    /// A key that reads like a place is a key, and moves no log.
    #[test]
    fn a_place_is_known_by_its_log_alone() {
        let dir = directory("place");
        let (to, _) = Push::open(&dir, Stream::Behavior).expect("opened");
        let take = |to: &Push, name| {
            let (tell, told) = sync_channel(1);
            let ack = Box::new(move |done| tell.send(done).expect("heard"));
            let taken = to.take(&[b"{}"], (name, b""), ack);
            if taken == Taken::Writing {
                told.recv().expect("told").expect("written");
            }
            taken
        };
        assert_eq!(take(&to, Name::Place("log 0", 7)), Taken::Writing);
        assert_eq!(push(&to, Some("log 0 99"), &["{}"]), Taken::Writing);
        assert_eq!(push(&to, Some("@99 log 0"), &["{}"]), Taken::Writing);
        for _ in 0..2 {
            let (to, _) = Push::open(&dir, Stream::Behavior).expect("opened");
            assert_eq!(to.places(), BTreeMap::from([("log 0".to_owned(), 7)]));
            assert_eq!(take(&to, Name::Place("log 0", 7)), Taken::Before(1));
            assert_eq!(push(&to, Some("log 0 99"), &["{}"]), Taken::Before(1));
        }
        assert_eq!(take(&to, Name::Place("log 0", 8)), Taken::Writing);
        assert_eq!(to.places()["log 0"], 8);
    }

    #[test]
    fn what_is_not_on_the_disk_yet_is_not_told_to_be() {
        let dir = directory("pending");
        let (to, _) = Push::open(&dir, Stream::Behavior).expect("opened");
        // The thread that writes waits with the word of the first.
        let (go, wait) = sync_channel::<()>(0);
        let ack = Box::new(move |_| wait.recv().expect("told to go"));
        assert_eq!(to.take(&[b"{}"], (Name::None, b""), ack), Taken::Writing);
        while to.waiting.load(Ordering::Acquire) > 0 {
            thread::yield_now();
        }
        let (tell, told) = sync_channel(1);
        let ack = Box::new(move |done| tell.send(done).expect("heard"));
        assert_eq!(to.take(&[b"{}"], (Name::Key("a"), b"x"), ack), Taken::Writing);
        let again = || to.take(&[b"{}"], (Name::Key("a"), b"x"), Box::new(|_| {}));
        assert_eq!(again(), Taken::Busy);
        go.send(()).expect("it waits");
        told.recv().expect("told").expect("written");
        assert_eq!(again(), Taken::Before(1));
    }
}
