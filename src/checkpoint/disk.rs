//! What is asked of a disk, and no more: a few files in one directory, each written from its
//! beginning or at its end, made durable, and put in place by another name.
//!
//! Everything durable goes through here, so that a test can stand in for the disk and lose, keep or
//! tear what was not synced, as a machine does that loses its power.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Some files, by name.
pub trait Disk: Send + Sync {
    /// The names of the files that are there, in order.
    fn names(&self) -> io::Result<Vec<String>>;
    /// All of a file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Begins a file anew.
    fn create(&self, name: &str) -> io::Result<Box<dyn Out>>;
    /// Gives a file another name, in one step; one that has this name goes.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes durable which names there are.
    fn sync(&self) -> io::Result<()>;
    /// What the directory is called in messages.
    fn place(&self) -> String;
}

/// A file being written.
pub trait Out: Write + Send {
    /// Makes durable what was written.
    fn sync(&mut self) -> io::Result<()>;
}

/// A directory of this machine.
pub struct Directory(PathBuf);

impl Directory {
    /// The directory, made if need be.
    pub fn at(path: &Path) -> io::Result<Directory> {
        fs::create_dir_all(path)?;
        Ok(Directory(path.to_path_buf()))
    }
}

impl Disk for Directory {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            // No file of ours has a name that is no text.
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort();
        Ok(names)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(name))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Out>> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).open(self.0.join(name))?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    fn place(&self) -> String {
        self.0.display().to_string()
    }
}

impl Out for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}
