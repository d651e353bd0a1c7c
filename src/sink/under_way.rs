//! What a sink has given to a thread of its own, and what has come of it.

use crate::error::Error;
use crate::lock::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Seen by both the sink and the thread.
#[derive(Default)]
pub(super) struct UnderWay {
    /// Jobs that are not done, and their bytes.
    jobs: AtomicUsize,
    bytes: AtomicUsize,
    failed: Mutex<Option<Error>>,
    /// Whether nobody waits any more.
    left: AtomicBool,
}

impl UnderWay {
    /// A job is given.
    pub fn given(&self, bytes: usize) {
        self.jobs.fetch_add(1, Ordering::SeqCst);
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
    }

    /// A job is done.
    pub fn done(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        self.jobs.fetch_sub(1, Ordering::SeqCst);
    }

    /// The bytes that are under way.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::SeqCst)
    }

    /// Whether nothing is.
    pub fn is_done(&self) -> bool {
        self.jobs.load(Ordering::SeqCst) == 0
    }

    /// Nothing more will be done, for this reason.
    pub fn fail(&self, error: Error) {
        *lock(&self.failed) = Some(error);
    }

    /// What has gone wrong, once.
    pub fn failure(&self) -> Result<(), Error> {
        lock(&self.failed).take().map_or(Ok(()), Err)
    }

    /// Nobody waits any more.
    pub fn leave(&self) {
        self.left.store(true, Ordering::SeqCst);
    }

    /// Whether nobody waits any more.
    pub fn is_left(&self) -> bool {
        self.left.load(Ordering::SeqCst)
    }
}
