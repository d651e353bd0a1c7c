//! Files of a sink that are complete and wait for the end of the run to be put in place.

use crate::error::Error;
use crate::files::{self, Complete, Hold, hold};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The files, in the order in which they are put in place.
#[derive(Default)]
pub(super) struct Pending {
    files: Vec<(PathBuf, Complete)>,
    _directory: Option<Hold>,
}

impl Pending {
    /// None yet, in a directory that no other run writes to until this is dropped.
    pub fn within(directory: &Path) -> Result<Pending, Error> {
        super::make_directory(directory)?;
        Ok(Pending { files: Vec::new(), _directory: Some(hold(directory)?) })
    }

    /// Writes a file beside its place.
    pub fn write(
        &mut self,
        path: &Path,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Error> {
        let staged = || {
            let mut out = files::Staged::create(path)?;
            write(&mut out)?;
            out.complete()
        };
        self.add(path, staged().map_err(Error::file(path))?);
        Ok(())
    }

    /// Adds a file that is complete.
    pub fn add(&mut self, path: &Path, complete: Complete) {
        self.files.push((path.to_path_buf(), complete));
    }

    /// Puts all in place.
    pub fn publish(&mut self) -> Result<(), Error> {
        for (path, complete) in self.files.drain(..) {
            complete.publish().map_err(Error::file(path))?;
        }
        Ok(())
    }
}
