//! Reads a file that grows, and waits for more at its end.
//!
//! A file that is cut short, or in whose place another one is put, is not followed into what it has
//! become: where it was read to would mean nothing any more. It is told, and ends the run; what has
//! been read stands.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

/// How often it is looked whether there is more.
const POLL: Duration = Duration::from_millis(5);
/// After how many times it is looked whether it is still the same file.
const LOOK: u32 = 40;

/// What the two ends of such a source have in common.
#[derive(Debug)]
pub struct Tail {
    /// Whether the source has no history: all of it arrives.
    arrives: bool,
    /// Whether all that was there when the run began has been read.
    caught_up: AtomicBool,
    /// Up to where it may be read, and is.
    limit: AtomicU64,
    read: AtomicU64,
    /// Why nothing more can come.
    failed: OnceLock<String>,
    /// Whether nobody reads on.
    gone: AtomicBool,
}

impl Tail {
    fn new(arrives: bool, limit: u64) -> Arc<Tail> {
        Arc::new(Tail {
            arrives,
            caught_up: AtomicBool::new(false),
            limit: AtomicU64::new(limit),
            read: AtomicU64::new(0),
            failed: OnceLock::new(),
            gone: AtomicBool::new(false),
        })
    }

    /// Of a file that others write to: what is there is history, what comes arrives.
    pub(super) fn grows() -> Arc<Tail> {
        Tail::new(false, u64::MAX)
    }

    /// Of a source without a past.
    pub(super) fn comes() -> Arc<Tail> {
        let tail = Tail::new(true, u64::MAX);
        tail.caught_up.store(true, Ordering::Release);
        tail
    }

    /// Of a file of what is pushed, which may be read so far.
    pub(super) fn pushed(length: u64) -> Arc<Tail> {
        Tail::new(true, length)
    }

    /// Whether the source has no history.
    pub fn arrives(&self) -> bool {
        self.arrives
    }

    /// Whether all that was there when the run began has been handed over.
    pub fn is_caught_up(&self) -> bool {
        self.caught_up.load(Ordering::Acquire)
    }

    /// It may be read up to here.
    pub(super) fn extend(&self, limit: u64) {
        self.limit.store(limit, Ordering::Release);
    }

    /// Nothing more can come.
    pub(super) fn fail(&self, why: &io::Error) {
        let _ = self.failed.set(why.to_string());
    }

    /// Why nothing more can come, if it cannot.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failed.get().map(String::as_str)
    }

    /// How many bytes may be read and are not yet.
    pub(super) fn unread(&self) -> u64 {
        self.limit.load(Ordering::Acquire).saturating_sub(self.read.load(Ordering::Acquire))
    }
}

/// Who reads such a source; when it is gone, so is what reads ahead for it.
#[derive(Debug)]
pub(super) struct Following(Arc<Tail>);

impl Following {
    pub fn of(tail: Arc<Tail>) -> Following {
        Following(tail)
    }

    pub fn tail(&self) -> Arc<Tail> {
        Arc::clone(&self.0)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.gone.store(true, Ordering::Release);
    }
}

/// See the module.
pub(super) struct Follow {
    file: File,
    path: PathBuf,
    /// How far it was read.
    at: u64,
    /// How often it was looked at in vain.
    idle: u32,
    tail: Arc<Tail>,
}

impl Follow {
    pub fn new(path: &Path, file: File, tail: Arc<Tail>) -> Follow {
        Follow { file, path: path.to_owned(), at: 0, idle: 0, tail }
    }

    /// Whether the file is still there, and as long as it was.
    fn look(&self) -> io::Result<()> {
        let (here, there) = (self.file.metadata()?, std::fs::metadata(&self.path));
        let same = there.is_ok_and(|there| (there.dev(), there.ino()) == (here.dev(), here.ino()));
        let what = match (here.len() < self.at, same) {
            (true, _) => "was cut short while it was followed",
            (false, false) => "was moved away or replaced while it was followed",
            (false, true) => return Ok(()),
        };
        Err(io::Error::other(format!(
            "it {what}; what had been read of it stands, and what is there now can be read by a new run"
        )))
    }
}

impl Read for Follow {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            let unread = usize::try_from(self.tail.unread()).unwrap_or(usize::MAX);
            let most = room.len().min(unread);
            let read = self.file.read(&mut room[..most])?;
            if read > 0 || room.is_empty() {
                (self.at, self.idle) = (self.at + read as u64, 0);
                self.tail.read.fetch_add(read as u64, Ordering::AcqRel);
                return Ok(read);
            }
            if let Some(why) = self.tail.failure() {
                return Err(io::Error::other(why));
            }
            if self.tail.gone.load(Ordering::Acquire) {
                return Ok(0);
            }
            self.tail.caught_up.store(true, Ordering::Release);
            self.idle += 1;
            if self.idle.is_multiple_of(LOOK) {
                self.look()?;
            }
            thread::sleep(POLL);
        }
    }
}
