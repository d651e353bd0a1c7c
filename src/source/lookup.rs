//! Values that stand in another file, and are looked up there by a key: the time of a payment in the
//! list of orders, the category of an item in a catalogue.
//!
//! The other file is read once, before the records are. Of keys that stand there more than once the
//! last holds. Bound: ten million keys, and a gigabyte of what they stand for.

use std::fmt;

use hashbrown::HashMap;
use serde::Deserialize;

use super::absent::Absent;
use super::columns::Columns;
use super::dialect::Dialect;
use super::error::SourceError;
use super::layout::Records;
use super::read::{BLOCK_SIZE, Reader};
use super::rows::Cell;
use super::split::Shape;
use crate::text::Text;

/// The most keys.
const KEYS: usize = 10_000_000;
/// The most bytes of keys and what they stand for.
const BYTES: usize = 1 << 30;

/// What a section `[source.lookup.FIELD]` says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The other file; a name alone may be that of a file beside the source.
    pub file: String,
    /// The column of the source that holds the key.
    pub key: String,
    /// The column of the other file that holds it, if it is called otherwise.
    pub there: Option<String>,
    /// The column of the other file that is taken.
    pub value: String,
}

/// What was read of the other file.
#[derive(Default)]
pub struct Table {
    file: String,
    values: HashMap<Text, Text>,
}

impl PartialEq for Table {
    /// Whether they are of one file; that of one run is read once.
    fn eq(&self, other: &Table) -> bool {
        self.file == other.file && self.values.len() == other.values.len()
    }
}

impl Eq for Table {}

impl fmt::Debug for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} keys of {}", self.values.len(), self.file)
    }
}

impl Table {
    /// What a key stands for, if it is there.
    pub fn get(&self, key: &str) -> Option<&Text> {
        self.values.get(&Text::new(key))
    }

    /// The file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Reads a file.
    pub fn read(path: &str, lookup: &Lookup, dialect: &Dialect) -> Result<Table, SourceError> {
        let mut reader = Reader::open(path, BLOCK_SIZE, dialect)?;
        let columns = Columns::of(reader.header());
        let there = lookup.there.as_ref().unwrap_or(&lookup.key);
        let mut places =
            [columns.find(there, "the key")?, columns.find(&lookup.value, "the value")?];
        let (header, json) = columns.of_json(|number| places.iter_mut().for_each(number))?;
        let (mut records, mut room) = (Records::default(), Vec::new());
        let (mut table, mut bytes) = (Table { file: path.into(), ..Table::default() }, 0);
        let absent = Absent::default();
        while let Some(block) = reader.wait_block()? {
            let quotes = match block.shape {
                Shape::Plain => false,
                Shape::Quoted => true,
                Shape::TooLong | Shape::Unclosed => continue,
            };
            let rows = records.apart(&header, json.as_deref(), &block.bytes, quotes).rows;
            for row in 0..rows.len() {
                let [key, value] = places.map(|column| {
                    let span = rows.span(row, column..column + 1);
                    bytes += span.len();
                    let cell = Cell { block: rows.bytes, start: span.start, end: span.end };
                    let text = cell.text(&mut room, true).unwrap_or_default();
                    Text::new(if absent.has(text) { "" } else { text })
                });
                if !key.is_empty() && !value.is_empty() {
                    table.values.insert(key, value);
                }
            }
            if table.values.len() > KEYS || bytes > BYTES {
                return Err(SourceError::Lookup { file: path.into() });
            }
            reader.give_back(block.bytes);
        }
        Ok(table)
    }
}
