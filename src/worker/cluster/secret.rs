//! The secret by which the processes of a cluster know each other.
//!
//! It is given in a file or in the environment. Where all processes are on this machine, and so no
//! other machine can call them, one is made up once and kept in a file that only this user can
//! read; other users of the machine are strangers like anybody else.

use crate::error::Error;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The variable that holds the secret.
pub const VARIABLE: &str = "TIDEMILL_SECRET";
/// A longer file is not a secret.
const LIMIT: u64 = 4096;

/// A secret, as a key. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// From what was given; white space around it does not count.
    pub fn new(text: &[u8]) -> Option<Secret> {
        let text = text.trim_ascii();
        (!text.is_empty()).then(|| Secret(Sha256::digest(text).into()))
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.0
    }

    /// The one in `file`, else that of the environment, else, where `local` says that all
    /// processes are on this machine, this user's own.
    pub fn find(file: Option<&Path>, local: bool) -> Result<Secret, Error> {
        if let Some(path) = file {
            let wrong = |what: String| {
                Error::Usage(format!(
                    "--secret-file {}: {what}; `openssl rand -hex 32` makes a good secret",
                    path.display()
                ))
            };
            let mut text = Vec::new();
            File::open(path)
                .and_then(|file| file.take(LIMIT + 1).read_to_end(&mut text))
                .map_err(|e| wrong(e.to_string()))?;
            if text.len() as u64 > LIMIT {
                return Err(wrong(format!("longer than {LIMIT} bytes")));
            }
            return Secret::new(&text).ok_or_else(|| wrong("the file is empty".into()));
        }
        if let Some(text) = std::env::var_os(VARIABLE) {
            return Secret::new(text.as_encoded_bytes())
                .ok_or_else(|| Error::Usage(format!("{VARIABLE} is set and empty")));
        }
        if !local {
            return Err(Error::Usage(format!(
                "other machines can call these processes: give all of them the same secret with \
                 --secret-file FILE or {VARIABLE} (`openssl rand -hex 32` makes a good one)"
            )));
        }
        own().map_err(|(path, error)| {
            Error::Usage(format!(
                "{}: no secret of this user's own can be kept there ({error}); give all processes \
                 the same one with --secret-file FILE or {VARIABLE}",
                path.display()
            ))
        })
    }
}

/// This user's own secret, made when it is first asked for.
fn own() -> Result<Secret, (PathBuf, io::Error)> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| std::env::home_dir().map(|home| home.join(".local/state")))
        .unwrap_or_default();
    let path = state.join("tidemill").join("cluster-secret");
    keep(&path).map_err(|error| (path, error))
}

/// Reads the secret kept at `path`, or makes one and keeps it there. Processes that are started
/// together may both find none: one of them wins, and both take its secret.
fn keep(path: &Path) -> io::Result<Secret> {
    for _ in 0..10 {
        match read_own(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => make(path)?,
            found => return found,
        }
    }
    Err(io::Error::other("it is removed as often as it is made"))
}

fn make(path: &Path) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    // Whole before it has its name, and never over one that is there.
    let temporary = path.with_extension(&text[..16]);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let linked =
        file.write_all(text.as_bytes()).and_then(|()| std::fs::hard_link(&temporary, path));
    std::fs::remove_file(&temporary)?;
    match linked {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(e),
        _ => Ok(()),
    }
}

fn read_own(path: &Path) -> io::Result<Secret> {
    if std::fs::symlink_metadata(path)?.file_type().is_symlink() {
        return Err(io::Error::other("it is a link, which another may have put there"));
    }
    let file = File::open(path)?;
    // Of what was opened, not of what has the name by now.
    let about = file.metadata()?;
    if !about.is_file() || about.uid() != nix::unistd::geteuid().as_raw() {
        return Err(io::Error::other("it is not a file of this user"));
    }
    if about.mode() & 0o077 != 0 {
        return Err(io::Error::other("others may read it: remove it"));
    }
    let mut text = Vec::new();
    file.take(LIMIT).read_to_end(&mut text)?;
    Secret::new(&text).ok_or_else(|| io::Error::other("it is empty: remove it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn place(name: &str) -> PathBuf {
        let target = std::env::current_exe().expect("a test").parent().expect("deps").to_path_buf();
        let path = target.join(format!("secret-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        path.join("tidemill/cluster-secret")
    }

    #[test]
    fn a_secret_is_made_once_and_only_this_user_can_read_it() {
        let path = place("once");
        let together: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || keep(&path).expect("a secret"))
            })
            .collect();
        let mut all = together.into_iter().map(|thread| thread.join().expect("no panic"));
        let first = all.next().expect("one");
        assert!(all.all(|other| other == first), "all have the same");
        assert_eq!(std::fs::metadata(&path).expect("it is kept").mode() & 0o777, 0o600);
        let beside = std::fs::read_dir(path.parent().expect("a directory")).expect("is there");
        assert_eq!(beside.count(), 1, "no temporary files stay");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("ours");
        assert!(keep(&path).expect_err("others read it").to_string().contains("others"));
    }

    #[test]
    fn a_planted_link_is_not_followed() {
        let path = place("link");
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        let elsewhere = path.with_extension("elsewhere");
        std::fs::write(&elsewhere, "known").expect("a file");
        std::os::unix::fs::symlink(&elsewhere, &path).expect("a link");
        assert!(keep(&path).expect_err("a link").to_string().contains("link"));
    }
}
