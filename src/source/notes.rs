//! What was left out of records that stand: values that could not be read and that no record is refused for. They are
//! absent, counted, and told at the end with an example.

use std::collections::BTreeMap;

use super::plan::Plan;
use super::rows::{Found, Rows};
use crate::shown::{VALUE, shown};

/// The values of one column of a block that were left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The stream and field.
    pub field: String,
    /// How many.
    pub count: u64,
    /// What was wrong with the first, and what it was.
    pub example: String,
}

/// What was left out of all records of a run, by source and field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes(BTreeMap<(u32, String), (u64, String)>);

impl Plan {
    /// The values that were not read, by column.
    pub(super) fn left_out(&self, rows: &Rows<'_>, unread: &[Found]) -> Vec<Left> {
        let of_column = unread.chunk_by(|a, b| a.column == b.column);
        of_column.map(|found| self.left_of(rows, found)).collect()
    }

    fn left_of(&self, rows: &Rows<'_>, found: &[Found]) -> Left {
        let Found { row, column, fault } = found[0];
        let name = self.filled.iter().find(|filled| filled.column == column);
        let name = name.map_or("", |filled| filled.name);
        let value = String::from_utf8_lossy(&rows.bytes[rows.span(row, column..column + 1)]);
        Left {
            field: format!("{}.{name}", self.stream),
            count: found.len() as u64,
            example: format!("{fault}: {:?}", shown(&value, VALUE)),
        }
    }
}

impl Notes {
    /// Adds what was left out of a block, in the order of the source.
    pub fn add(&mut self, partition: u32, left: Vec<Left>) {
        for Left { field, count, example } in left {
            self.0.entry((partition, field)).or_insert((0, example)).0 += count;
        }
    }

    /// A line for each field.
    pub fn lines(&self) -> Vec<String> {
        let mut fields: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
        for ((_, field), (count, example)) in &self.0 {
            fields.entry(field).or_insert((0, example)).0 += count;
        }
        let line = |(field, (count, example)): (&str, (u64, &str))| {
            let values = if count == 1 { "value" } else { "values" };
            format!("{count} {values} of {field} left out ({example})")
        };
        fields.into_iter().map(line).collect()
    }
}
