//! Looks at a file that nothing is known of: how it is written, what its columns hold, and which
//! stream and fields that could be. What comes of it is a section `[[source]]` that reads the file,
//! for its user to look over.
//!
//! Names of columns are taken for fields by a list of what shops call them, and only where the
//! values are such as the field has. What is guessed is said to be.

use std::collections::{BTreeMap, HashSet};

use super::absent::Absent;
use super::columns::Columns;
use super::described::Said;
use super::dialect::Dialect;
use super::error::SourceError;
use super::header::Header;
use super::layout::Records;
use super::read::{BLOCK_SIZE, Reader};
use super::rows::Cell;
use super::split::Shape;
use crate::shown::{VALUE, shown};

mod column;
mod draft;
mod meaning;
mod words;

use column::Values;
pub use column::{Column, Reading};
pub use draft::toml_text;
pub use meaning::{Guess, Taken};

/// How many rows are looked at.
const ROWS: usize = 1000;
/// How many columns are looked at.
const COLUMNS: usize = 500;
/// How many columns are told.
const TOLD: usize = 100;

/// What was found in a file.
pub struct Inspected {
    /// The file.
    pub file: String,
    /// The format it is of, if that is known.
    pub format: Option<&'static str>,
    /// Whether it is JSON.
    pub json: bool,
    /// What separates its fields.
    pub delimiter: u8,
    /// Its encoding, if it is not UTF-8 and not marked; a guess.
    pub encoding: Option<&'static str>,
    /// Whether its first line names the columns.
    pub named: bool,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Whether its numbers have a decimal comma.
    pub decimal_comma: bool,
    /// What it is taken for, unless its format is known.
    pub guess: Option<Guess>,
}

/// What the first rows of a file hold.
struct Sample {
    header: Header,
    named: bool,
    values: Vec<Values>,
    /// Whether some value is no text of UTF-8.
    other: bool,
}

/// Looks at a file. `formats` are the known ones, with their sections.
pub fn inspect(
    file: &str,
    formats: &[(&'static str, Vec<Said>)],
) -> Result<Inspected, SourceError> {
    let mut encoding = None;
    let mut sample = match sample(file, None) {
        Err(SourceError::Header { problem, .. }) if problem.contains("UTF-8") => None,
        sample => Some(sample?).filter(|sample| !sample.other),
    };
    if sample.is_none() {
        encoding = Some("windows-1252");
        sample = Some(self::sample(file, Some(encoding_rs::WINDOWS_1252))?);
    }
    let Some(Sample { header, named, values, .. }) = sample else {
        return Err(SourceError::Header { file: file.into(), problem: "there is nothing in it" });
    };
    let decimal_comma = values.iter().any(Values::need_comma);
    let names = header.columns().iter().cloned();
    let columns: Vec<Column> =
        names.zip(values).map(|(name, values)| values.column(name, decimal_comma)).collect();
    let format = formats
        .iter()
        .find(|(_, sections)| sections.iter().any(|said| is_of(said, &header, named, &columns)))
        .map(|(name, _)| *name);
    let guess = if format.is_none() { meaning::guess(&columns) } else { None };
    Ok(Inspected {
        file: file.to_owned(),
        format,
        json: header.is_json(),
        delimiter: header.delimiter(),
        encoding,
        named,
        columns,
        decimal_comma,
        guess,
    })
}

/// Whether a section of a format is meant for a file.
fn is_of(said: &Said, header: &Header, named: bool, columns: &[Column]) -> bool {
    match &said.dialect.columns {
        None => !said.needs.is_empty() && header.lacks(&said.needs, None).is_none(),
        // Without names there is only how many there are, and a time among them.
        Some(names) => {
            let time = names.iter().position(|name| name == "time");
            let is_time = time.and_then(|at| columns.get(at)).is_some_and(Column::is_date);
            !named && !header.is_json() && names.len() == columns.len() && is_time
        }
    }
}

/// Reads the first rows.
fn sample(
    file: &str,
    encoding: Option<&'static encoding_rs::Encoding>,
) -> Result<Sample, SourceError> {
    let dialect = Dialect { encoding, ..Dialect::default() };
    let mut reader = Reader::open(file, BLOCK_SIZE, &dialect)?;
    let mut named = true;
    if !reader.header().is_json() && reader.header().is_record() {
        let names = (1..=reader.header().columns().len()).map(|i| format!("column{i}")).collect();
        reader = Reader::open(file, BLOCK_SIZE, &Dialect { columns: Some(names), ..dialect })?;
        named = false;
    }
    let columns = Columns::of(reader.header());
    let mut places: Vec<usize> = (0..reader.header().columns().len().min(COLUMNS)).collect();
    let listed = reader.header().columns().len().min(COLUMNS);
    // All lists cannot be opened at once: the first is.
    if reader.header().is_json() {
        let mut list = None;
        places.retain(|place| {
            let name = &reader.header().columns()[*place];
            let opened = name.split_once("[*]").map(|(list, _)| list.to_owned());
            opened.is_none_or(|opened| *list.get_or_insert(opened.clone()) == opened)
        });
    }
    let (header, json) = columns.of_json(|number| places.iter_mut().for_each(number))?;
    let (mut records, mut room, mut other) = (Records::default(), Vec::new(), false);
    let mut values: Vec<Values> = Vec::new();
    let count = if header.is_json() { header.columns().len() } else { listed };
    values.resize_with(count, Values::default);
    let (absent, mut seen) = (Absent::default(), 0);
    while seen < ROWS
        && let Some(block) = reader.wait_block()?
    {
        let quotes = block.shape == Shape::Quoted;
        if !matches!(block.shape, Shape::Plain | Shape::Quoted) {
            continue;
        }
        let rows = records.apart(&header, json.as_deref(), &block.bytes, quotes).rows;
        for row in 0..rows.len().min(ROWS - seen) {
            for (column, values) in values.iter_mut().enumerate() {
                let span = rows.span(row, column..column + 1);
                let cell = Cell { block: rows.bytes, start: span.start, end: span.end };
                match cell.text(&mut room, true) {
                    Ok(text) if text.is_empty() || absent.has(text) => values.blank(),
                    Ok(text) => values.see(text),
                    Err(_) => other = true,
                }
            }
        }
        seen += rows.len();
    }
    Ok(Sample { header, named, values, other })
}

impl Inspected {
    /// What was found, line by line, for a person to read.
    pub fn lines(&self) -> Vec<String> {
        let mut about = Vec::new();
        if let Some(format) = self.format {
            about.push(format!("of the format {format}"));
        }
        if self.json {
            about.push("JSON".into());
        } else {
            let separator = match self.delimiter {
                b'\t' => "a tab".to_owned(),
                byte => format!("{:?}", char::from(byte)),
            };
            about.push(format!("fields separated by {separator}"));
            about.push(match self.named {
                true => "the first line names them".into(),
                false => "no line names them".into(),
            });
        }
        match self.encoding {
            Some(encoding) => about.push(format!("no UTF-8, and so most likely {encoding}")),
            None => about.push("UTF-8 or marked".into()),
        }
        if self.decimal_comma {
            about.push("numbers with a decimal comma".into());
        }
        let mut lines = vec![format!("{}: {}", shown(&self.file, 4 * VALUE), about.join(", "))];
        let taken: BTreeMap<&str, String> = match &self.guess {
            Some(guess) => guess.by_column(),
            None => BTreeMap::new(),
        };
        for column in self.columns.iter().take(TOLD) {
            let field = match (taken.get(column.name.as_str()), &self.format) {
                (Some(field), _) => format!(" -> {field}"),
                (None, Some(_)) => String::new(),
                (None, None) => " (not used)".to_owned(),
            };
            lines.push(format!("  {}{field}", column.line()));
        }
        if self.columns.len() > TOLD {
            lines.push(format!("  and {} columns more", self.columns.len() - TOLD));
        }
        match (&self.guess, self.format) {
            (Some(guess), _) => lines.extend(guess.notes.iter().map(|note| format!("  {note}"))),
            (None, None) => lines.push("  nothing of it could be taken for a stream".into()),
            (None, Some(_)) => {}
        }
        lines
    }
}

/// Whether a column is called as the price of one piece may be.
pub(super) fn is_price(name: &str) -> bool {
    words::PRICES.contains(&plain(name).as_str())
}

/// Letters and digits alone, in lower case: how names are compared.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// How many different ones there are.
fn different<'a>(names: impl Iterator<Item = &'a String>) -> usize {
    names.collect::<HashSet<_>>().len()
}
