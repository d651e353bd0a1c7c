//! What a run writes down so that a later one can go on from there: the directory of `--state`.
//!
//! | file | what it is |
//! |---|---|
//! | `manifest.N` | checkpoint number N: its cut, where the sources were, its files and their checksums |
//! | `state.N` | what every operator remembered at that cut |
//! | `epoch` | who writes here: each run that begins counts it up, and the ones before may not write any more |
//! | `input.N.STREAM` | standard input of one of the runs, which could not be read again |
//! | `lock` | held by the run that writes here |
//!
//! A checkpoint is there when its manifest is: the files it names are written and synced before, it
//! takes its name in one step, and the directory is synced after. The last two are kept. Which one
//! a run begins with is decided by [`Store::open`]: the newest that is sound; an older one if that
//! is damaged, and this is said; and if none is, it does not begin. A directory is given
//! `manifest.0`, which says that there is nothing yet, before anything else, so that one in which
//! manifests were lost is never taken for a new one.

use crate::error::Error;

mod disk;
mod manifest;
mod store;
#[cfg(test)]
mod tests;
pub use disk::{Directory, Disk, Out};
pub use manifest::{Manifest, Saved, SourceAt};
pub use store::{Opened, Store, Witness};

/// A directory of `--state` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// It is there, but cannot be understood.
    #[error("--state {place}: {what}")]
    Damaged {
        /// The directory.
        place: String,
        /// What is wrong, and what can be done.
        what: String,
    },
    /// Another run has begun to write there.
    #[error(
        "--state {place}: another run (epoch {other}) has taken over from this one (epoch {mine}), which ends without writing more"
    )]
    TakenOver {
        /// The directory.
        place: String,
        /// The epoch of this run.
        mine: u64,
        /// That of the other.
        other: u64,
    },
}

impl From<StateError> for Error {
    fn from(error: StateError) -> Error {
        Error::of(error, false)
    }
}
