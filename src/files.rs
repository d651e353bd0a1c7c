//! Files that are put in place whole.
//!
//! What is written goes to a temporary file beside its place first, and takes the place in one
//! step when it is complete: a reader sees the old or the new one, and whoever fails before that
//! leaves the old one as it was.
//!
//! - A place that is a symbolic link is written through: the file it points to is replaced where
//!   it lies. A device, a pipe or what the program was started with (`/dev/stdout`) is written to.
//! - A temporary file is made new, under a name nobody can foresee, and readable by its owner
//!   alone; it never follows a link that somebody put there. Once it is complete it gets the mode
//!   of the file it replaces, or else the one any new file would have (the umask).
//! - Whatever way a run ends, its temporary files go: when they are dropped, or, where the program
//!   ends at once, by [`abandon`].

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufWriter, ErrorKind, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError, TryLockError};

mod hold;
pub(crate) use hold::{Hold, hold, holder};

/// How long a chain of links may be, as the kernel has it.
const LINKS: usize = 40;
/// So much of a file's name is in that of its temporary: names end at 255 bytes.
const SHOWN: usize = 200;

/// The temporary files there are.
static TEMPORARY: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Removes all temporary files, before the program ends at once.
pub fn abandon() {
    // Whoever ends the program may be who holds the lock: then it must not be waited for.
    let mut paths = match TEMPORARY.try_lock() {
        Ok(paths) => paths,
        Err(TryLockError::Poisoned(paths)) => paths.into_inner(),
        Err(TryLockError::WouldBlock) => return,
    };
    for path in std::mem::take(&mut *paths) {
        // Nothing more can be done about one that cannot be removed.
        let _ = fs::remove_file(path);
    }
}

/// Where something is written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// A file that is there or not yet, links followed.
    File(PathBuf),
    /// What is written to and never replaced.
    Stream(PathBuf),
}

impl Place {
    /// What a path leads to.
    fn of(path: &Path) -> io::Result<Place> {
        let mut path = path.to_path_buf();
        for _ in 0..LINKS {
            let Some(name) = path.file_name() else { return Err(ErrorKind::IsADirectory.into()) };
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
            let parent = fs::canonicalize(parent.unwrap_or(Path::new(".")))?;
            let here = parent.join(name);
            // The files a process has open look like links there, and are none.
            if parent.starts_with("/proc") {
                return Ok(Place::Stream(here));
            }
            let kind = match fs::symlink_metadata(&here) {
                Ok(metadata) => metadata.file_type(),
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Place::File(here)),
                Err(e) => return Err(e),
            };
            if kind.is_symlink() {
                path = parent.join(fs::read_link(&here)?);
            } else if kind.is_dir() {
                return Err(ErrorKind::IsADirectory.into());
            } else if kind.is_file() {
                return Ok(Place::File(here));
            } else {
                return Ok(Place::Stream(here));
            }
        }
        Err(io::Error::other("too many links lead from one to the next"))
    }
}

/// Whether something could be written there, as far as can be known beforehand.
pub fn check(path: &Path) -> io::Result<()> {
    Staged::create(path).map(drop)
}

/// Whether what is there is written to and never replaced.
pub fn is_stream(path: &Path) -> bool {
    matches!(Place::of(path), Ok(Place::Stream(_)))
}

/// A file that is removed unless it is put in place.
struct Temporary(PathBuf);

impl Temporary {
    /// Makes one beside `place`.
    fn beside(place: &Path) -> io::Result<(Temporary, File)> {
        let name = place.file_name().unwrap_or_default().as_bytes();
        let name = OsString::from(String::from_utf8_lossy(&name[..name.len().min(SHOWN)]).as_ref());
        loop {
            let mut hidden = OsString::from(".");
            hidden.push(&name);
            hidden.push(format!(".{:016x}.tmp", RandomState::new().build_hasher().finish()));
            let path = place.with_file_name(hidden);
            let file =
                OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
            match file {
                Ok(file) => {
                    TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
                    return Ok((Temporary(path), file));
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn forget(&self) {
        TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It is gone already if it was put in place; otherwise nothing more can be done.
        let _ = fs::remove_file(&self.0);
        self.forget();
    }
}

/// A file being written beside its place.
pub struct Staged {
    place: Place,
    temporary: Temporary,
    out: BufWriter<File>,
}

impl Staged {
    /// Begins a file that is to be at `path`.
    pub fn create(path: &Path) -> io::Result<Staged> {
        let place = Place::of(path)?;
        let (temporary, file) = match &place {
            Place::File(path) => Temporary::beside(path)?,
            // Its directory may be no place for files.
            Place::Stream(_) => Temporary::beside(&std::env::temp_dir().join("tidemill"))?,
        };
        Ok(Staged { place, temporary, out: BufWriter::with_capacity(1 << 18, file) })
    }

    /// Ends the writing: what remains to be done is to put it in place.
    pub fn complete(self) -> io::Result<Complete> {
        let file = self.out.into_inner().map_err(|e| e.into_error())?;
        if let Place::File(path) = &self.place {
            let mode = match fs::symlink_metadata(path) {
                Ok(metadata) => metadata.permissions().mode() & 0o777,
                Err(_) => 0o666 & !umask(),
            };
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        Ok(Complete { place: self.place, temporary: self.temporary })
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A file that is written and not yet in its place. Dropped, it never was.
pub struct Complete {
    place: Place,
    temporary: Temporary,
}

impl Complete {
    /// Puts it in place.
    pub fn publish(self) -> io::Result<()> {
        match &self.place {
            Place::File(path) => fs::rename(&self.temporary.0, path),
            Place::Stream(path) => {
                let mut file = File::open(&self.temporary.0)?;
                file.rewind()?;
                pour(&mut file, path)
            }
        }
    }

    /// Puts it in the same directory under a name that shows only now.
    pub fn publish_as(self, path: &Path) -> io::Result<()> {
        fs::rename(&self.temporary.0, path)
    }

    /// Has the bytes reach the disk first.
    pub fn sync(&self) -> io::Result<()> {
        File::open(&self.temporary.0)?.sync_all()
    }
}

/// Writes to what is not replaced.
fn pour(file: &mut File, path: &Path) -> io::Result<()> {
    let own = format!("/proc/{}/fd", std::process::id());
    let open = path.strip_prefix(&own).ok().and_then(Path::to_str);
    let poured = match open {
        Some("1") => io::copy(file, &mut io::stdout().lock()).and_then(|_| io::stdout().flush()),
        Some("2") => io::copy(file, &mut io::stderr().lock()).map(drop),
        // What others wrote to it stays.
        _ => OpenOptions::new().append(true).open(path).and_then(|mut out| {
            io::copy(file, &mut out)?;
            Ok(())
        }),
    };
    match poured {
        // A reader that has gone away (`| head`) is not an error of ours.
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        poured => poured,
    }
}

/// What the modes of new files lack.
fn umask() -> u32 {
    static UMASK: OnceLock<u32> = OnceLock::new();
    // Asking the system itself would change it for a moment, for all threads.
    *UMASK.get_or_init(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        line.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok()).unwrap_or(0o022)
    })
}

/// Writes a file beside its place and puts it there.
pub fn replace(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = Staged::create(path)?;
    write(&mut out)?;
    out.complete()?.publish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn directory(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("tidemill-files-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn put(path: &Path, text: &str) -> io::Result<()> {
        replace(path, |out| out.write_all(text.as_bytes()))
    }

    fn names(dir: &Path) -> Vec<String> {
        let names = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name());
        let mut names: Vec<String> = names.map(|n| n.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn links_are_written_through_however_long_the_chain_and_even_if_nothing_is_there() {
        let dir = directory("links");
        fs::create_dir(dir.join("real")).unwrap();
        symlink("real/b", dir.join("a")).unwrap();
        symlink("../c", dir.join("real/b")).unwrap();
        put(&dir.join("a"), "one").unwrap();
        assert_eq!(fs::read_to_string(dir.join("c")).unwrap(), "one");
        put(&dir.join("a"), "two").unwrap();
        assert_eq!(fs::read_to_string(dir.join("c")).unwrap(), "two");
        assert!(dir.join("a").is_symlink() && dir.join("real/b").is_symlink());
        symlink("round", dir.join("round")).unwrap();
        assert!(put(&dir.join("round"), "x").is_err());
        assert!(put(&dir.join("real"), "x").is_err());
        assert_eq!(names(&dir), ["a", "c", "real", "round"]);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_mode_is_that_of_what_was_there_and_a_temporary_file_is_its_owners() {
        let dir = directory("modes");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let path = dir.join("a");
        let out = Staged::create(&path).unwrap();
        assert_eq!(mode(&out.temporary.0), 0o600);
        drop(out);
        put(&path, "new").unwrap();
        File::create(dir.join("usual")).unwrap();
        assert_eq!(mode(&path), mode(&dir.join("usual")));
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        put(&path, "again").unwrap();
        assert_eq!(mode(&path), 0o640);
        assert_eq!(names(&dir), ["a", "usual"]);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_fails_or_is_dropped_leaves_the_old_file_and_nothing_beside_it() {
        let dir = directory("failures");
        let path = dir.join("a");
        put(&path, "old").unwrap();
        let failed = replace(&path, |out| {
            out.write_all(b"half")?;
            Err(ErrorKind::StorageFull.into())
        });
        assert!(failed.is_err());
        drop(Staged::create(&path).unwrap().complete().unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(&dir), ["a"]);
        // However long the name is.
        put(&dir.join("n".repeat(250)), "x").unwrap();
        fs::remove_dir_all(dir).unwrap();
    }
}
