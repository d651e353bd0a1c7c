//! What can go wrong with a run, and the exit code each kind has.
//!
//! Wrong use (2) is what the user can mend in the command line or the configuration; everything
//! else is a failure (1). Every message says what, where, and what to do.

use crate::recommend::RecommendError;
use thiserror::Error;

pub use crate::source::SourceError;

/// Why a command did not do what it was asked.
#[derive(Debug, Error)]
pub enum Error {
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// A source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file cannot be read or written.
    #[error("{path}: {source}{}", hint(.source))]
    File {
        /// Which file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The database of a sink refuses.
    #[error("{path}: {source}")]
    Sqlite {
        /// Which file.
        path: String,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// Another run writes to the same place.
    #[error("{place}: another run{} writes there; wait for its end, or name another place", by(.process))]
    Busy {
        /// The directory or database.
        place: String,
        /// The process, if known.
        process: Option<u32>,
    },
    /// Another program keeps a database.
    #[error("{path}: database is locked{}; wait until it is free and run again", by(.process))]
    Locked {
        /// Which file.
        path: String,
        /// The process, if known.
        process: Option<u32>,
    },
    /// Too many bad records.
    #[error(
        "{bad} of {records} records are bad, more than --max-bad {limit}; see {where_} for the reasons"
    )]
    TooManyBad {
        /// Bad records.
        bad: u64,
        /// All records.
        records: u64,
        /// The limit as it was given.
        limit: String,
        /// Where they are listed.
        where_: String,
    },
    /// Amounts of several currencies would be added up.
    #[error(
        "the amounts of transactions are in {currencies}, which cannot be added up; give --rates FILE (a CSV of currency,rate) to have them in --base-currency, or a file for each currency"
    )]
    Currencies {
        /// Some of them.
        currencies: String,
    },
    /// A signal ended the run early.
    #[error("stopped by {name} before the end; what is written is complete up to where it stopped")]
    Stopped {
        /// The signal's name.
        name: &'static str,
        /// Its number.
        signal: i32,
    },
    /// Detection is not as good as was asked for.
    #[error("precision or recall of {kinds} is below --at-least {least}")]
    Score {
        /// What is not found well enough.
        kinds: String,
        /// The limit as it was given.
        least: String,
    },
    /// The cluster could not be formed, or a part of it failed.
    #[error("{0}")]
    Cluster(String),
    /// What was remembered cannot be taken back.
    #[error(transparent)]
    State(#[from] crate::operator::memory::Damaged),
    /// An experiment gave no figure that could be trusted.
    #[error("{0}")]
    Experiment(String),
    /// A view cannot be drawn.
    #[error(transparent)]
    Plot(#[from] crate::plot::PlotError),
    /// Nothing can be recommended, or the session data cannot be read.
    #[error(transparent)]
    Recommend(#[from] RecommendError),
}

fn by(process: &Option<u32>) -> String {
    process.map_or(String::new(), |process| format!(" (process {process})"))
}

fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => " (is the path right?)",
        std::io::ErrorKind::PermissionDenied => " (may this user read and write it?)",
        std::io::ErrorKind::StorageFull => " (free some space and run again)",
        _ => "",
    }
}

impl Error {
    /// A function that wraps an I/O error with the path it is about.
    pub fn file(path: impl AsRef<std::path::Path>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.as_ref().display().to_string();
        move |source| Error::File { path, source }
    }

    /// 2 for wrong use, 128 and the signal's number for what a signal ended, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) | Error::Currencies { .. } => 2,
            Error::Recommend(RecommendError::Read { .. } | RecommendError::Header { .. }) => 2,
            Error::Source(
                SourceError::Open { .. }
                | SourceError::Directory { .. }
                | SourceError::Header { .. }
                | SourceError::Json { .. }
                | SourceError::Lookup { .. }
                | SourceError::Nothing { .. }
                | SourceError::CarriageReturns { .. }
                | SourceError::DuplicateColumn { .. }
                | SourceError::MissingColumn { .. }
                | SourceError::UnknownField { .. }
                | SourceError::Unclear { .. }
                | SourceError::UnknownValue { .. }
                | SourceError::Names { .. }
                | SourceError::Replay { .. }
                | SourceError::Decimals(_),
            ) => 2,
            // Signals are numbered up to 64.
            Error::Stopped { signal, .. } => u8::try_from(128 + signal).unwrap_or(1),
            _ => 1,
        }
    }
}
