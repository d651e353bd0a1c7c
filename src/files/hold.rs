//! One run at a time writes to a directory or a database. The lock is the system's, so it goes with
//! the process, however that ends.

use crate::error::Error;
use crate::lock::lock;
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

/// A place that is held while this lives.
pub(crate) type Hold = Arc<File>;

/// What this process holds, by device and inode: several sinks of a run share a directory.
static HELD: Mutex<BTreeMap<(u64, u64), Weak<File>>> = Mutex::new(BTreeMap::new());

/// Takes a place, or says who has it.
pub(crate) fn hold(path: &Path) -> Result<Hold, Error> {
    let open = || {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok((file, metadata.dev(), metadata.ino()))
    };
    let (file, device, inode) = open().map_err(Error::file(path))?;
    let mut held = lock(&HELD);
    if let Some(held) = held.get(&(device, inode)).and_then(Weak::upgrade) {
        return Ok(held);
    }
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            Err(Error::Busy { place: path.display().to_string(), process: holder("FLOCK", inode) })
        }
        // Where the file system has no locks nobody can be asked.
        Ok(()) | Err(TryLockError::Error(_)) => {
            let file = Arc::new(file);
            held.insert((device, inode), Arc::downgrade(&file));
            Ok(file)
        }
    }
}

/// The process that has such a lock on a file, if the system tells.
pub(crate) fn holder(kind: &str, inode: u64) -> Option<u32> {
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    // 3: FLOCK  ADVISORY  WRITE 4711 08:02:131 0 EOF
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, what, _, "WRITE", process, place, ..] = words.as_slice() else { return None };
        let same = place.rsplit(':').next().and_then(|n| n.parse().ok()) == Some(inode);
        let process = process.parse().ok().filter(|p| *p > 0 && *p != std::process::id());
        process.filter(|_| *what == kind && same)
    })
}
