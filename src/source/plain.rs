//! A plain file that is read block by block, and is open only while it is read where there are
//! many of them.
//!
//! A run may name thousands of files, and a process may have so many open as `ulimit -n` says. So
//! the first ones stay open, up to a quarter of that limit, and the others are opened for each
//! read, at the place where the last one ended. One that was replaced in between is an error, since
//! a part of each would be read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Files that stay open.
static OPEN: AtomicUsize = AtomicUsize::new(0);
/// The most that stay open whatever the limit.
const MOST: u64 = 256;
/// Bytes read at once from a file that does not stay open: with thousands of them their buffers
/// are what memory goes to.
const SMALL: usize = 16 << 10;

/// See the module.
pub struct Plain(Kept);

enum Kept {
    Open(File),
    Place { path: PathBuf, offset: u64, identity: (u64, u64) },
}

impl Plain {
    /// The file, which was just opened, and how many bytes to read from it at once, at most `size`.
    pub fn new(path: &Path, file: File, size: usize) -> io::Result<(Plain, usize)> {
        let about = file.metadata()?;
        if !about.is_file() {
            // A pipe or a device cannot be opened once more where it was left.
            OPEN.fetch_add(1, Ordering::Relaxed);
            return Ok((Plain(Kept::Open(file)), size));
        }
        // A block of a small file is no larger than the file.
        let size = size.min(usize::try_from(about.len()).unwrap_or(size).max(64));
        if OPEN.fetch_add(1, Ordering::Relaxed) < most() {
            return Ok((Plain(Kept::Open(file)), size));
        }
        OPEN.fetch_sub(1, Ordering::Relaxed);
        let identity = (about.dev(), about.ino());
        let place = Kept::Place { path: path.to_owned(), offset: 0, identity };
        Ok((Plain(place), size.min(SMALL)))
    }
}

/// How many files stay open.
fn most() -> usize {
    use nix::sys::resource::{Resource, getrlimit};
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(256, |(soft, _)| soft);
    (limit / 4).min(MOST) as usize
}

impl Read for Plain {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kept::Open(file) => file.read(room),
            Kept::Place { path, offset, identity } => {
                let mut file = File::open(&*path)?;
                let about = file.metadata()?;
                if (about.dev(), about.ino()) != *identity {
                    return Err(io::Error::other("it was replaced by another file meanwhile"));
                }
                file.seek(SeekFrom::Start(*offset))?;
                let read = file.read(room)?;
                *offset += read as u64;
                Ok(read)
            }
        }
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        if matches!(self.0, Kept::Open(_)) {
            OPEN.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_kept_open_reads_the_same_and_one_that_was_replaced_is_told() {
        let dir = std::env::temp_dir().join(format!("tidemill-plain-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("f.csv");
        let bytes: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let about = path.metadata().unwrap();
        let identity = (about.dev(), about.ino());
        let place = || Plain(Kept::Place { path: path.clone(), offset: 0, identity });
        let mut read = Vec::new();
        place().read_to_end(&mut read).unwrap();
        assert!(read == bytes);
        let mut reader = place();
        assert!(reader.read(&mut [0; 10]).is_ok());
        std::fs::write(dir.join("g.csv"), &bytes).unwrap();
        std::fs::rename(dir.join("g.csv"), &path).unwrap();
        assert!(reader.read(&mut [0; 10]).unwrap_err().to_string().contains("replaced"));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
