//! Takes a block apart into rows, whatever its records are written in: those of a CSV lie in the
//! block as they are, those of JSON are made of it.

use std::ops::Range;

use super::json::Table;
use super::plan::Plan;
use super::rows::Rows;
use super::scan::{Index, Ragged, Segment};

/// Memory kept from one block to the next.
#[derive(Default)]
pub(super) struct Layout {
    index: Index,
    segments: Vec<Segment>,
    ragged: Vec<Ragged>,
    table: Table,
}

/// The rows of a block, and what is none of them.
pub(super) struct Apart<'a> {
    pub rows: Rows<'a>,
    /// Records that have more or fewer fields than the header.
    pub ragged: &'a [Ragged],
    /// Records that cannot be read, and why.
    pub broken: &'a [(Range<usize>, String)],
    /// How many line ends there are.
    pub lines: u64,
}

impl Layout {
    /// Takes whole records apart, which may have quotes.
    pub fn apart<'a>(&'a mut self, plan: &Plan, bytes: &'a [u8], quotes: bool) -> Apart<'a> {
        let Layout { index, segments, ragged, table } = self;
        if let Some(tree) = &plan.json {
            table.fill(tree, bytes);
            let rows = table.rows(bytes);
            return Apart { rows, ragged: &[], broken: &table.broken, lines: table.lines };
        }
        let (width, spare) = plan.header.widths();
        index.fill(bytes, quotes, plan.header.delimiter());
        index.rows(bytes, (width, spare), segments, ragged);
        let lines = index.lines(bytes, quotes);
        let rows = Rows { bytes, places: index.places(), segments, width, origin: None };
        Apart { rows, ragged, broken: &[], lines }
    }
}

impl Apart<'_> {
    /// Whether every record is a row.
    pub fn is_even(&self) -> bool {
        self.ragged.is_empty() && self.broken.is_empty()
    }

    /// How many records there are, those that make no row included.
    pub fn records(&self) -> usize {
        self.rows.len() + self.ragged.len() + self.broken.len()
    }
}
