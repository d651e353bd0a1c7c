//! Takes a block apart into rows, whatever its records are written in: those of a CSV lie in the
//! block as they are, those of JSON are made of it. Then cells are filled from above and rows left
//! out, where that is said.

use std::ops::Range;

use super::header::Header;
use super::json::{Table, Tree};
use super::plan::Plan;
use super::rows::Rows;
use super::rules::Above;
use super::scan::{Index, Ragged, Segment};
use super::sheet::Sheet;

/// Memory kept from one block to the next.
#[derive(Default)]
pub(super) struct Layout {
    records: Records,
    filled: Sheet,
    kept: Vec<Segment>,
}

/// The same for records as they are.
#[derive(Default)]
pub(super) struct Records {
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
    /// How many rows are left out for each of the reasons.
    pub left: Vec<u64>,
}

impl Layout {
    /// Takes whole records apart, which may have quotes. `above` is what the rows before end with.
    pub fn apart<'a>(
        &'a mut self,
        plan: &Plan,
        bytes: &'a [u8],
        quotes: bool,
        above: Option<&Above>,
    ) -> Apart<'a> {
        let Layout { records, filled, kept } = self;
        let mut apart = records.apart(&plan.header, plan.json.as_deref(), bytes, quotes);
        if plan.rules.fills() {
            let mut above = above.cloned().unwrap_or_default();
            plan.rules.fill(&apart.rows, &mut above, filled);
            apart.rows = filled.rows(bytes);
        }
        if plan.rules.chooses() {
            apart.left = plan.rules.choose(plan, &apart.rows, kept);
            apart.rows.segments = kept;
        }
        apart
    }

    /// Takes whole records apart, all of them as they are.
    pub fn even<'a>(&'a mut self, plan: &Plan, bytes: &'a [u8], quotes: bool) -> Apart<'a> {
        self.records.apart(&plan.header, plan.json.as_deref(), bytes, quotes)
    }
}

impl Records {
    /// Takes whole records apart, of columns as a header has them.
    pub fn apart<'a>(
        &'a mut self,
        header: &Header,
        json: Option<&Tree>,
        bytes: &'a [u8],
        quotes: bool,
    ) -> Apart<'a> {
        let Records { index, segments, ragged, table } = self;
        if let Some(tree) = json {
            table.fill(tree, bytes);
            let (rows, broken, lines) = table.apart(bytes);
            return Apart { rows, ragged: &[], broken, lines, left: Vec::new() };
        }
        let (width, spare) = header.widths();
        index.fill(bytes, quotes, header.delimiter());
        index.rows(bytes, (width, spare), segments, ragged);
        let lines = index.lines(bytes, quotes);
        let rows = Rows { bytes, places: index.places(), segments, width, origin: None };
        Apart { rows, ragged, broken: &[], lines, left: Vec::new() }
    }
}

impl Apart<'_> {
    /// Whether every record is a row.
    pub fn is_even(&self) -> bool {
        self.ragged.is_empty() && self.broken.is_empty()
    }

    /// How many records there are, those that make no row included.
    pub fn records(&self) -> u64 {
        let here = self.rows.len() + self.ragged.len() + self.broken.len();
        here as u64 + self.left.iter().sum::<u64>()
    }
}
