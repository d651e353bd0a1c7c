//! Looks at the first rows of a source to find what nobody said and what then holds for all of it: the form of its
//! times.
//!
//! How far is looked depends on the rows alone and not on the blocks they come in: to the first value of each column of
//! times; over a thousand rows where there is none, or where dates leave open which number is the day; and beyond, up
//! to eight megabytes, as long as no value told. Until then the blocks are held back, which a person who feeds the
//! program slowly would notice: saying the form spares it.

use super::error::SourceError;
use super::layout::Layout;
use super::made::MadeColumn;
use super::plan::{Filled, Plan};
use super::rows::Cell;
use super::split::{Block, MAX_RECORD, Shape};
use super::time::{Finder, Unclear};

/// How many rows are looked at.
const ROWS: usize = 1000;
/// How far into a source an order of day and month is looked for, in bytes.
const BYTES: u64 = MAX_RECORD as u64;
/// How much of a block is looked at first.
const START: usize = 4 << 10;

/// What is known so far.
pub(super) struct Look {
    /// For each column of times without a form.
    finders: Vec<(Filled, Finder)>,
    rows: usize,
    /// Where the first block starts.
    start: Option<u64>,
}

impl Look {
    /// Nothing is known; none if everything was said.
    pub fn new(plan: &mut Plan) -> Option<Look> {
        let open = plan.time_fields().filter(|filled| filled.form.is_none());
        let finders: Vec<_> = open.map(|filled| (filled.clone(), Finder::default())).collect();
        (!finders.is_empty()).then_some(Look { finders, rows: 0, start: None })
    }

    /// Looks at the next block; true if enough is known.
    pub fn see(&mut self, plan: &Plan, block: &Block) -> bool {
        let start = *self.start.get_or_insert(block.offset);
        let bytes = block.bytes.as_slice();
        let quotes = match block.shape {
            Shape::Plain => false,
            Shape::Quoted => true,
            Shape::TooLong | Shape::Unclosed => return block.end - start > 2 * BYTES,
        };
        // Mostly the first row tells, and the rest of its block need not be taken apart here. Without quotes any line
        // may be where to stop.
        let (mut from, mut size) = (0, START);
        while from < bytes.len() {
            let rest = &bytes[from..];
            let cut = if quotes { None } else { rest.get(size..) };
            let end = cut
                .and_then(|rest| memchr::memchr(b'\n', rest))
                .map_or(rest.len(), |end| size + end + 1);
            if self.piece(plan, &rest[..end], quotes, block.offset - start + from as u64) {
                return true;
            }
            (from, size) = (from + end, 4 * size);
        }
        block.end - start > 2 * BYTES
    }

    /// Looks at whole records, which lie `at` bytes behind the first.
    fn piece(&mut self, plan: &Plan, bytes: &[u8], quotes: bool, at: u64) -> bool {
        let mut layout = Layout::default();
        let rows = layout.apart(plan, bytes, quotes, None).rows;
        let mut room = Vec::new();
        let made = self.finders.iter().map(|(filled, _)| filled.made.as_ref());
        let made: Vec<_> = made.map(|parts| Some(MadeColumn::of(plan, parts?, &rows))).collect();
        for row in 0..rows.len() {
            let at = at + rows.record(row).start as u64;
            for ((filled, finder), made) in self.finders.iter_mut().zip(&made) {
                if !enough(finder, self.rows, at) {
                    let made = made.as_ref().map(MadeColumn::rows);
                    let rows = made.as_ref().unwrap_or(&rows);
                    let span = rows.span(row, filled.place()..filled.place() + 1);
                    let cell = Cell { block: rows.bytes, start: span.start, end: span.end };
                    finder.see(plan.text(cell, &mut room).unwrap_or_default());
                }
            }
            self.rows += 1;
            if self.finders.iter().all(|(_, finder)| enough(finder, self.rows, at)) {
                return true;
            }
        }
        false
    }

    /// The plan with what was found.
    pub fn found(self, plan: &Plan) -> Result<Plan, SourceError> {
        let mut plan = plan.clone();
        let (file, stream) = (plan.header.file().to_owned(), plan.stream);
        let columns = plan.header.columns().to_vec();
        let mut finders = self.finders.into_iter();
        for filled in plan.time_fields().filter(|filled| filled.form.is_none()) {
            let Some((Filled { column, .. }, finder)) = finders.next() else { break };
            filled.form = Some(finder.form().map_err(|Unclear(why)| SourceError::Unclear {
                file: file.clone(),
                column: columns.get(column).cloned().unwrap_or_default(),
                why,
                field: format!("{stream}.{}", filled.name),
            })?);
        }
        Ok(plan)
    }
}

/// Whether enough is known of a column after some rows, of which the last lies `at` bytes behind the first.
fn enough(finder: &Finder, rows: usize, at: u64) -> bool {
    match () {
        () if finder.is_blank() => rows >= ROWS,
        () if finder.is_unclear() => rows >= ROWS && at >= BYTES,
        () if finder.needs_order() => rows >= ROWS,
        () => true,
    }
}
