//! What can be wrong with a source as a whole, and with one record of it.
//!
//! A `SourceError` ends the run, so it says which file and what to do. A `Fault` only marks its record as bad.

use std::io;

use thiserror::Error;

use crate::error::Error as Failure;

/// Why a source cannot be read.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The file cannot be opened.
    #[error("cannot open {file}: {error}; {advice}", advice = advice(.error))]
    Open {
        /// The file.
        file: String,
        /// What the system says.
        error: io::Error,
    },
    /// The path is that of a directory.
    #[error("{file} is a directory; name the files in it, for instance '{file}/*.csv'")]
    Directory {
        /// The path.
        file: String,
    },
    /// Reading or decompressing failed.
    #[error("cannot read on in {file}: {error}; the file may be damaged or cut off")]
    Read {
        /// The file.
        file: String,
        /// What the system or the decoder says.
        error: io::Error,
    },
    /// There is no usable header line.
    #[error("{file}: {problem}; the first line must name the columns (or --no-header does)")]
    Header {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// None of several columns is there, any of which a field could be.
    #[error(
        "{file}: none of the columns {wanted} for {field}; the columns are: {columns}; use --map {field}=COLUMN"
    )]
    Nothing {
        /// The file.
        file: String,
        /// The stream and field.
        field: String,
        /// The columns looked for.
        wanted: String,
        /// The columns that are there.
        columns: String,
    },
    /// A file to look values up in that is too large for it.
    #[error(
        "{file}: more than ten million keys or a gigabyte to look up; leave what is not needed out of it"
    )]
    Lookup {
        /// The file.
        file: String,
    },
    /// A file is not the one of which a checkpoint tells how far it was read.
    #[error(
        "{file}: its first {bytes} bytes are not those that were read before; put the file back as it was (it may have grown), or begin anew with another --state directory"
    )]
    Changed {
        /// The file.
        file: String,
        /// How far it was read.
        bytes: u64,
    },
    /// Values of JSON that cannot be read together.
    #[error("{file}: {problem}")]
    Json {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// Lines that end in CR alone.
    #[error("{file}: its lines end in CR alone; end them in LF: tr '\\r' '\\n' < FILE > NEW")]
    CarriageReturns {
        /// The file.
        file: String,
    },
    /// Two columns of one name.
    #[error(
        "{file}: two columns are named {column}; rename one of them in the file, or name all of them with --no-header"
    )]
    DuplicateColumn {
        /// The file.
        file: String,
        /// The name.
        column: String,
    },
    /// A field has no column.
    #[error(
        "{file}: no column {column} for {field}; the columns are: {columns}; use --map {field}=COLUMN"
    )]
    MissingColumn {
        /// The file.
        file: String,
        /// The stream and field, as `--map` takes them.
        field: String,
        /// The column looked for.
        column: String,
        /// The columns that are there.
        columns: String,
    },
    /// A renaming of a field the stream does not have.
    #[error("--map {name}=…: stream {stream} has no such field; its fields are: {fields}")]
    UnknownField {
        /// The left side of the renaming.
        name: String,
        /// The stream.
        stream: &'static str,
        /// The fields that are there.
        fields: String,
    },
    /// A name that is to stand for one there is not.
    #[error("--map-value {field}.{from}={to}: {field} has no name {to}; {known}")]
    UnknownValue {
        /// The stream and field.
        field: String,
        /// The source's name.
        from: String,
        /// What it is to stand for.
        to: String,
        /// The names there are.
        known: String,
    },
    /// A stream of which no name is known.
    #[error(
        "none of the names in {field} is known: {found}; say what they stand for, for instance \
         --map-value {field}.{first}={example} (known are: {known})"
    )]
    Names {
        /// The stream and field.
        field: String,
        /// The names found, with how often.
        found: String,
        /// The most frequent one.
        first: String,
        /// One of those known.
        example: &'static str,
        /// The names known.
        known: String,
    },
    /// Times of which it is open how they are to be read.
    #[error(
        "{file}: column {column}: {why}; say which with --time-format {field}=day-first or =month-first"
    )]
    Unclear {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// Both readings.
        why: String,
        /// The stream and field.
        field: String,
    },
    /// A replay log this program cannot read exactly as it was written.
    #[error("{file}: not usable: {problem} make it again: `{command}`", problem = ended(.problem))]
    Replay {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
        /// The command that makes it.
        command: String,
    },
    /// More decimals than a 64-bit number has room for.
    #[error("{0} decimals are too many for money; use at most 18")]
    Decimals(u32),
}

/// What to do about a file that cannot be opened.
impl SourceError {
    /// Whether the user can mend it in the command line or the configuration.
    fn is_wrong_use(&self) -> bool {
        matches!(
            self,
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
                | SourceError::Decimals(_)
        )
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Failure {
        let wrong_use = error.is_wrong_use();
        Failure::of(error, wrong_use)
    }
}

fn advice(error: &io::Error) -> &'static str {
    use nix::errno::Errno;
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EMFILE | Errno::ENFILE) => {
            "raise the limit of open files (ulimit -n), or name fewer files"
        }
        _ => "check the path and its permissions",
    }
}

/// A problem with the punctuation that joins it to what to do about it.
fn ended(problem: &str) -> String {
    let joined = problem.ends_with([',', ';']) || problem.ends_with("or");
    if joined { problem.into() } else { format!("{problem};") }
}

/// Why a record is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Fault {
    /// The bytes of the field are not UTF-8.
    #[error("not UTF-8 (--encoding says what it is)")]
    Encoding,
    /// A value that must be there is empty.
    #[error("missing value")]
    Missing,
    /// Not in any of the forms of a time.
    #[error("not a time")]
    Time,
    /// The form of a time, but no such date or hour, or out of all reason.
    #[error("impossible date")]
    Date,
    /// Later than the options allow.
    #[error("too far in the future")]
    Future,
    /// A date of which the form leaves open which number is the day.
    #[error("day or month first? say which (--time-format)")]
    Order,
    /// A number that would be a time before 1990, or after all reason.
    #[error("a number that is no time after 1990 (--time-format epoch-s if it is one)")]
    Number,
    /// Not an amount of money.
    #[error("not an amount")]
    Money,
    /// An amount that would be one with a decimal comma.
    #[error("not an amount with a decimal point (--decimal-comma if the comma is one)")]
    Comma,
    /// An amount with more decimals than the currency has.
    #[error("too many decimals (see --decimals)")]
    Decimals,
    /// An amount with more decimals than its own currency has: its code, and how many it has.
    #[error("{}{}{} has {}", .0[0], .0[1], .0[2], decimals(*.1))]
    Currency([char; 3], u32),
    /// Not a whole number.
    #[error("not a whole number")]
    Integer,
    /// Too large for 64 bits, or for 32 in `_diff`.
    #[error("number out of range")]
    Range,
    /// A row that counts zero times.
    #[error("a row cannot count zero times")]
    Zero,
    /// Not in the closed vocabulary.
    #[error("unknown name")]
    Name,
    /// A record beyond the limit.
    #[error("record longer than 8 MiB")]
    TooLong,
    /// Text after the quote that closes a field: one of the two is a letter, or should be doubled.
    #[error("text follows a closing quote, or a quote opens that should be doubled")]
    Quote,
    /// A quote that does not close before the end of the file.
    #[error("quote is never closed")]
    Unclosed,
}

fn decimals(count: u32) -> String {
    match count {
        0 => "no decimals".into(),
        count => format!("{count} decimals"),
    }
}
