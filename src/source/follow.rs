//! Reads a file that grows, and waits for more at its end.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How often it is looked whether there is more.
const POLL: Duration = Duration::from_millis(10);

/// What the two ends of such a source have in common.
#[derive(Debug, Default)]
pub struct Tail {
    /// Whether all that was there when the run began has been read.
    caught_up: AtomicBool,
    /// Whether nobody reads on.
    gone: AtomicBool,
}

impl Tail {
    /// Of a source of which nothing was there before.
    pub fn caught_up() -> Arc<Tail> {
        Arc::new(Tail { caught_up: true.into(), ..Tail::default() })
    }

    /// Whether all that was there when the run began has been handed over.
    pub fn is_caught_up(&self) -> bool {
        self.caught_up.load(Ordering::Acquire)
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
    pub file: File,
    pub tail: Arc<Tail>,
}

impl Read for Follow {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.file.read(room)?;
            if read > 0 || room.is_empty() || self.tail.gone.load(Ordering::Acquire) {
                return Ok(read);
            }
            self.tail.caught_up.store(true, Ordering::Release);
            thread::sleep(POLL);
        }
    }
}
