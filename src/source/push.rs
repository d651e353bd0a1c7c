//! Records that are pushed: each batch is written down, in a file for each stream, before it is
//! acknowledged, and read from there like a file that grows.
//!
//! A batch is lines of JSON. Each of them begins with a field [`MARK`] that tells the batch: a checksum of
//! what was sent, how many lines there are, and the sender's own key for it, if it has one. So a batch that
//! was not written whole is found when the file is opened again, and cut off, since nobody was told that
//! it was accepted; and one that is sent again is known. What is not on the disk yet is not read.
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
    keys: Mutex<Keys>,
    waiting: Arc<AtomicUsize>,
    write: Sender<(Vec<u8>, Ack)>,
}

/// The batches that were accepted lately and had a key, with their checksums and counts.
#[derive(Default)]
struct Keys {
    known: HashMap<String, (String, usize)>,
    order: VecDeque<String>,
    /// Of keys that end in a number: the highest of each.
    positions: BTreeMap<String, i64>,
}

impl Keys {
    fn add(&mut self, key: &str, sum: &str, count: usize) {
        if let Some((of, number)) = key.rsplit_once(' ')
            && let Ok(number) = number.parse::<i64>()
        {
            let known = self.positions.entry(of.to_owned()).or_insert(number);
            *known = number.max(*known);
        }
        if self.known.insert(key.to_owned(), (sum.to_owned(), count)).is_none() {
            self.order.push_back(key.to_owned());
        }
        while self.order.len() > KEYS {
            let oldest = self.order.pop_front();
            oldest.into_iter().for_each(|key| drop(self.known.remove(&key)));
        }
    }

    fn remove(&mut self, key: &str) {
        self.known.remove(key);
        self.order.retain(|other| other != key);
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
        let (keys, length) = look_through(&path).map_err(failed)?;
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
        Ok((Push { stream, hook, tail, keys: Mutex::new(keys), waiting, write }, path))
    }

    /// The same, where webhooks are taken as well.
    pub fn signed(self, hook: Option<Hook>) -> Push {
        Push { hook, ..self }
    }

    /// How far what was pushed is written and read.
    pub fn tail(&self) -> Arc<Tail> {
        Arc::clone(&self.tail)
    }

    /// The highest number of all keys that are alike but for a number behind the last space.
    pub fn positions(&self) -> BTreeMap<String, i64> {
        lock(&self.keys).positions.clone()
    }

    /// Nothing more can come, which ends the run.
    pub fn fail(&self, why: &str) {
        self.tail.fail(&io::Error::other(why.to_owned()));
    }

    /// Whether there is room for a batch.
    pub fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Acquire) < WAITING && self.tail.unread() < UNREAD
    }

    /// Takes a batch of records, each an object of JSON on one line; `sent` is what was sent.
    pub fn take(&self, records: &[&[u8]], (key, sent): (Option<&str>, &[u8]), ack: Ack) -> Taken {
        let key = key.unwrap_or_default();
        let plain = |byte: u8| (0x20..0x7f).contains(&byte) && !b"\"\\".contains(&byte);
        if key.len() > KEY || !key.bytes().all(plain) {
            return Taken::Key;
        }
        let sum =
            Sha256::digest(sent).iter().take(8).map(|b| format!("{b:02x}")).collect::<String>();
        let mut keys = lock(&self.keys);
        match keys.known.get(key) {
            Some((known, count)) if *known == sum => return Taken::Before(*count),
            Some(_) => return Taken::Other,
            None => {}
        }
        if !self.has_room() {
            return Taken::Busy;
        }
        let mark = format!("{{\"{MARK}\":\"{sum} {} {key}\"", records.len());
        let mut lines = Vec::new();
        for record in records {
            let rest = record.trim_ascii().get(1..).unwrap_or_default().trim_ascii_start();
            lines.extend_from_slice(mark.as_bytes());
            lines.extend_from_slice(if rest == b"}" { b"" } else { b"," });
            // Line ends are nowhere within a text of JSON.
            lines.extend(rest.iter().map(|byte| if b"\r\n".contains(byte) { b' ' } else { *byte }));
            lines.push(b'\n');
        }
        self.waiting.fetch_add(lines.len(), Ordering::AcqRel);
        if !key.is_empty() {
            keys.add(key, &sum, records.len());
        }
        // The other end is there as long as this one is.
        let _ = self.write.send((lines, ack));
        Taken::Writing
    }

    /// Forgets a key of which the batch could not be written.
    pub fn forget(&self, key: &str) {
        lock(&self.keys).remove(key);
    }
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

/// The keys in a file, and how long it is without a batch at its end that is not whole.
fn look_through(path: &Path) -> io::Result<(Keys, u64)> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let (mut keys, mut length, mut at) = (Keys::default(), 0, 0);
    let (mut line, mut batch, mut seen) = (Vec::new(), Vec::new(), 0);
    loop {
        line.clear();
        if file.read_until(b'\n', &mut line)? == 0 || !line.ends_with(b"\n") {
            return Ok((keys, length));
        }
        at += line.len() as u64;
        let mark = mark(&line);
        if seen == 0 {
            batch = mark.to_vec();
        } else if batch != mark {
            // No batch of ours ends early with another behind it; what is here is kept.
            (seen, batch) = (0, mark.to_vec());
        }
        seen += 1;
        let told = std::str::from_utf8(&batch).unwrap_or_default();
        let mut parts = told.splitn(3, ' ');
        let (sum, count, key) = (parts.next(), parts.next(), parts.next());
        if count.and_then(|count| count.parse::<usize>().ok()).is_none_or(|count| seen >= count) {
            if let (Some(sum), Some(key)) = (sum, key.filter(|key| !key.is_empty())) {
                keys.add(key, sum, seen);
            }
            (seen, length) = (0, at);
        }
    }
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
        let taken = to.take(&bytes, (key, sent.as_bytes()), ack);
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
}
