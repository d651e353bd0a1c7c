//! What can go wrong with a run, and the exit code each kind has.
//!
//! Wrong use (2) is what the user can mend in the command line or the configuration; everything
//! else is a failure (1). Every message says what, where, and what to do.

use thiserror::Error;

/// Why a command did not do what it was asked.
#[derive(Debug, Error)]
pub enum Error {
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// What a room says of its own: of a source, a picture, an index.
    #[error("{what}")]
    Room {
        /// What it says.
        what: Box<dyn std::error::Error + Send + Sync>,
        /// Whether the user can mend it in the command line or the configuration.
        wrong_use: bool,
    },
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
    /// No record of a source can be used.
    #[error("{file}: of the rows that were looked at none could be read")]
    Unreadable {
        /// The source.
        file: String,
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
    /// An experiment gave no figure that could be trusted.
    #[error("{0}")]
    Experiment(String),
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

    /// The error of a room; `wrong_use` says whether the user can mend it in the command line or the
    /// configuration.
    pub fn of(what: impl Into<Box<dyn std::error::Error + Send + Sync>>, wrong_use: bool) -> Error {
        Error::Room { what: what.into(), wrong_use }
    }

    /// 2 for wrong use, 128 and the signal's number for what a signal ended, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) | Error::Currencies { .. } => 2,
            Error::Room { wrong_use: true, .. } => 2,
            // Signals are numbered up to 64.
            Error::Stopped { signal, .. } => u8::try_from(128 + signal).unwrap_or(1),
            _ => 1,
        }
    }
}
