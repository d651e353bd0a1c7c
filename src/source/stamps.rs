//! The journal of stamps: when the records of sources that go on have arrived.
//!
//! Nothing in the records tells it, so it is written down, by the place of the records in their source,
//! and is on the disk before anything stamped so becomes visible. A run that goes on, or one that looks
//! again at what was read, stamps the records as they were stamped then.
//!
//! It is a file of lines in the directory of the state. Each has a checksum of the rest of it: a last
//! line that is torn was never relied on and is cut off; a line that is damaged is refused, by its
//! number. Bound: a line for each tick in which a source was open, some 60 bytes.

use crate::clock::Tick;
use crate::error::Error;
use crate::event::Stream;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What the file is called.
pub const FILE: &str = "stamps.log";

/// What lies between two places of a source arrived at an instant; nothing if the places are one:
/// then it is only known that time had come so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped {
    /// Where the first record begins, in bytes.
    pub from: u64,
    /// Where the last one ends.
    pub to: u64,
    /// Milliseconds since 1970.
    pub at: i64,
}

/// A source, by the name of its stream and its own.
pub type Of = (String, String);
/// What is known of each source, in order.
pub type Known = BTreeMap<Of, Vec<Stamped>>;

/// The granularity of stream time in a run that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticks {
    /// Of the run, and of what arrives.
    pub tick: Tick,
    /// Of the history that it begins with: a multiple of it.
    pub history: Tick,
}

#[derive(Serialize, Deserialize)]
enum Line {
    /// The first one: by these everything is stamped.
    Ticks(Ticks),
    /// A source and its number in the lines that follow.
    Source(u64, Of),
    /// By the numbers of their sources.
    Stamps(Vec<(u64, Stamped)>),
}

/// See the module.
#[derive(Debug)]
pub struct Stamps {
    path: PathBuf,
    file: File,
    /// How long the file is, up to its last whole line.
    length: u64,
    numbers: BTreeMap<Of, u64>,
}

impl Stamps {
    /// Opens the journal in a directory, to go on with it, or begins one.
    pub fn open(dir: &Path, ticks: Ticks) -> Result<(Stamps, Known), Error> {
        let path = dir.join(FILE);
        let found = read(&path)?;
        if found.ticks.is_some_and(|before| before != ticks) {
            return Err(Error::Usage(format!(
                "{}: what arrived was stamped with another --tick; say the same as before, or begin \
                 anew with another --state directory",
                path.display()
            )));
        }
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).open(&path).map_err(Error::file(&path))?;
        file.set_len(found.length).map_err(Error::file(&path))?;
        // The file must not be gone when what is in it is relied on.
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::file(dir))?;
        let Found { known, numbers, length, .. } = found;
        let mut stamps = Stamps { path, file, length, numbers };
        if found.ticks.is_none() {
            stamps.write(&line(&Line::Ticks(ticks)))?;
        }
        Ok((stamps, known))
    }

    /// The ticks by which a journal in a directory was written, if there is one.
    pub fn ticks(dir: &Path) -> Result<Option<Ticks>, Error> {
        Ok(read(&dir.join(FILE))?.ticks)
    }

    /// What is known, for who only looks.
    pub fn known(dir: &Path) -> Result<Known, Error> {
        Ok(read(&dir.join(FILE))?.known)
    }

    /// The lines that tell when records of a source have arrived.
    pub fn lines(&mut self, stream: Stream, name: &str, all: &[Stamped]) -> String {
        let mut lines = String::new();
        let of = (stream.name().to_owned(), name.to_owned());
        let next = self.numbers.len() as u64;
        let number = *self.numbers.entry(of.clone()).or_insert(next);
        if number == next {
            lines += &line(&Line::Source(number, of));
        }
        lines + &line(&Line::Stamps(all.iter().map(|stamped| (number, *stamped)).collect()))
    }

    /// Writes lines down. They are on the disk then.
    pub fn write(&mut self, lines: &str) -> Result<(), Error> {
        let done = self.file.write_all(lines.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(error) = done {
            // Half of it would be damage once something follows.
            let _ = self.file.set_len(self.length);
            return Err(Error::file(&self.path)(error));
        }
        self.length += lines.len() as u64;
        Ok(())
    }
}

fn line(line: &Line) -> String {
    // Texts and numbers can always be written.
    let text = serde_json::to_string(line).unwrap_or_default();
    format!("{:08x} {text}\n", crc32c::crc32c(text.as_bytes()))
}

#[derive(Default)]
struct Found {
    ticks: Option<Ticks>,
    known: Known,
    numbers: BTreeMap<Of, u64>,
    length: u64,
}

fn read(path: &Path) -> Result<Found, Error> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::default()),
        Err(error) => return Err(Error::file(path)(error)),
    };
    let mut found = Found::default();
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').zip(1..);
    let torn = lines.by_ref().find_map(|(bytes, number)| match parse(bytes) {
        None => Some(number),
        Some(line) => {
            found.add(line);
            found.length += bytes.len() as u64;
            None
        }
    });
    // The last one is torn; before others it is damage.
    match torn.filter(|_| lines.any(|(bytes, _)| parse(bytes).is_some())) {
        None => Ok(found),
        Some(number) => Err(Error::Usage(format!(
            "{}: line {number} is damaged, and what follows was relied on; put the file back as it was, \
             or begin anew with another --state directory",
            path.display()
        ))),
    }
}

fn parse(line: &[u8]) -> Option<Line> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (sum, text) = text.split_once(' ')?;
    let sum = u32::from_str_radix(sum, 16).ok()?;
    (sum == crc32c::crc32c(text.as_bytes())).then_some(())?;
    serde_json::from_str(text).ok()
}

impl Found {
    fn add(&mut self, line: Line) {
        match line {
            Line::Ticks(ticks) => self.ticks = Some(ticks),
            Line::Source(number, of) => {
                self.numbers.insert(of, number);
            }
            Line::Stamps(all) => {
                for (number, stamped) in all {
                    let of = self.numbers.iter().find(|(_, known)| **known == number);
                    if let Some((of, _)) = of {
                        self.known.entry(of.clone()).or_default().push(stamped);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKS: Ticks = Ticks { tick: Tick::SECOND, history: Tick::MINUTE };

    fn directory(name: &str) -> PathBuf {
        let dir =
            std::env::temp_dir().join(format!("tidemill-stamps-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("made");
        dir
    }

    fn stamped(from: u64, to: u64, at: i64) -> Stamped {
        Stamped { from, to, at }
    }

    fn write(stamps: &mut Stamps, name: &str, all: &[Stamped]) {
        let lines = stamps.lines(Stream::Behavior, name, all);
        stamps.write(&lines).expect("written");
    }

    fn of(name: &str) -> Of {
        ("behavior".into(), name.into())
    }

    #[test]
    fn what_was_written_is_read_again_and_a_torn_line_is_none() {
        let dir = directory("torn");
        let (mut stamps, known) = Stamps::open(&dir, TICKS).expect("opened");
        assert!(known.is_empty());
        write(&mut stamps, "a \"b\"\n.csv", &[stamped(0, 5, 1), stamped(5, 5, 2)]);
        write(&mut stamps, "c", &[stamped(0, 9, 3)]);
        let whole = std::fs::read(dir.join(FILE)).expect("read");
        write(&mut stamps, "c", &[stamped(9, 12, 4)]);
        let more = std::fs::read(dir.join(FILE)).expect("read");
        for cut in whole.len()..more.len() {
            std::fs::write(dir.join(FILE), &more[..cut]).expect("written");
            let (mut stamps, known) = Stamps::open(&dir, TICKS).expect("opened");
            assert_eq!(known[&of("a \"b\"\n.csv")], [stamped(0, 5, 1), stamped(5, 5, 2)]);
            assert_eq!(known[&of("c")], [stamped(0, 9, 3)], "cut at {cut}");
            // What is written behind a torn line is found.
            write(&mut stamps, "c", &[stamped(9, 13, 7)]);
            let known = Stamps::known(&dir).expect("read");
            assert_eq!(known[&of("c")], [stamped(0, 9, 3), stamped(9, 13, 7)]);
        }
    }

    #[test]
    fn any_flipped_bit_is_told_or_harmless_or_takes_the_last_line_only() {
        let dir = directory("flipped");
        let (mut stamps, _) = Stamps::open(&dir, TICKS).expect("opened");
        (0..4).for_each(|i| write(&mut stamps, "c", &[stamped(i, i + 1, i as i64)]));
        let whole = std::fs::read(dir.join(FILE)).expect("read");
        let last = whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n').expect("lines") + 1;
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(dir.join(FILE), &bytes).expect("written");
            match Stamps::known(&dir) {
                Err(error) => assert!(error.to_string().contains("damaged"), "{error}"),
                // A checksum in capitals is the same one.
                Ok(known) if known[&of("c")].len() == 4 => {}
                Ok(known) => {
                    // A line end that is none any more makes the last two lines one.
                    assert!(bit / 8 + 1 >= last, "byte {}", bit / 8);
                    assert!(known[&of("c")].len() >= 2);
                }
            }
        }
    }
}
