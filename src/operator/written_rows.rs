//! Records that are remembered, as they are written down: by the names of their fields.
//!
//! In memory a record is the bytes of the columns that the queries of the run read. Another run
//! may read others, and another build may have them in another order; so what is written down has
//! each value under its field's name, and what is taken back must have every field that is read.

use super::memory::{Reader, Writer};
use crate::batch::{Batch, Column};
use crate::event::Stream;
use crate::text::Text;
use serde::{Deserialize, Serialize};

/// A record's event time and its values.
pub(super) type WrittenRow = (i64, Vec<Cell>);

/// A value of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Cell {
    Number(i64),
    Text(Text),
}

/// How records in the layout of a run become written ones.
pub(super) struct Scribe<'a> {
    layout: &'a Batch,
}

impl<'a> Scribe<'a> {
    /// Begins with the names of the fields.
    pub fn new(stream: Stream, layout: &'a Batch, writer: &mut Writer) -> Scribe<'a> {
        let fields = stream.schema().fields.iter().zip(&layout.columns);
        let there = fields.filter(|(_, column)| column.count().is_some());
        writer.put(&there.map(|(field, _)| field.name).collect::<Vec<_>>());
        Scribe { layout }
    }

    /// A record of which these are the bytes.
    pub fn row(&self, bytes: &[u8]) -> WrittenRow {
        let mut one = self.layout.layout();
        one.read_row(bytes, 1);
        let cells = one.columns.into_iter().flat_map(|column| match column {
            Column::Absent => None,
            Column::Number(values) => values.into_iter().next().map(Cell::Number),
            Column::Text(values) => values.into_iter().next().map(Cell::Text),
        });
        (one.times.into_iter().next().unwrap_or_default(), cells.collect())
    }
}

/// How written records become those of the layout of this run.
pub(super) struct Clerk<'a> {
    layout: &'a Batch,
    /// Where each written value belongs; a field that nobody reads now belongs nowhere.
    places: Vec<Option<usize>>,
}

impl<'a> Clerk<'a> {
    /// Reads the names of the fields; none if a field that is read now is not among them.
    pub fn new(stream: Stream, layout: &'a Batch, reader: &mut Reader<'_>) -> Option<Clerk<'a>> {
        let names: Vec<String> = reader.one()?;
        let fields = &stream.schema().fields;
        let is_read = |i: &usize| layout.columns.get(*i).is_some_and(|c| c.count().is_some());
        let missing = (0..fields.len()).filter(is_read).map(|i| fields[i].name);
        if let Some(name) = missing.into_iter().find(|name| !names.iter().any(|n| n == name)) {
            reader.fail(format!("was written down without {name}, which is read now"));
            return None;
        }
        let place = |name: &String| fields.iter().position(|f| f.name == name).filter(is_read);
        let places = names.iter().map(place).collect();
        Some(Clerk { layout, places })
    }

    /// The bytes of a record.
    pub fn row(&self, (time, cells): WrittenRow) -> Box<[u8]> {
        let mut one = self.layout.layout();
        one.times.push(time);
        for (place, cell) in self.places.iter().zip(cells) {
            let column = place.and_then(|place| one.columns.get_mut(place));
            match (column, cell) {
                (Some(Column::Number(values)), Cell::Number(value)) => values.push(value),
                (Some(Column::Text(values)), Cell::Text(value)) => values.push(value),
                // A field that changed its kind reads as absent below.
                _ => {}
            }
        }
        for column in &mut one.columns {
            if column.count() == Some(0) {
                *column = Column::Absent;
            }
        }
        let mut bytes = Vec::new();
        one.write_row(0, self.layout, &mut bytes);
        bytes.into()
    }
}
