//! A batch: some records of one partition as columns, with their stamps in runs.
//!
//! Batches are built by the parser, stamped by the clock, and from then on shared and never
//! changed: all queries that read a stream look at the same ones. Rows are in the order of their
//! partition, so `(partition, offset, row)` orders records, also after rows were picked out.

use crate::schema::{Kind, NULL, Schema};
use crate::text::Text;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The values of one field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Column {
    /// The source lacks the column, or nobody reads it.
    #[default]
    Absent,
    /// Numbers, [`NULL`] where absent.
    Number(Vec<i64>),
    /// Texts, empty where absent.
    Text(Vec<Text>),
}

impl Column {
    /// Number of values; `None` if the column is absent.
    pub fn count(&self) -> Option<usize> {
        match self {
            Column::Absent => None,
            Column::Number(values) => Some(values.len()),
            Column::Text(values) => Some(values.len()),
        }
    }

    /// An empty column for values of a kind.
    pub fn of(kind: Kind) -> Column {
        match kind {
            Kind::Text(_) => Column::Text(Vec::new()),
            _ => Column::Number(Vec::new()),
        }
    }

    /// Appends a value of another column of the field.
    #[inline]
    fn push(&mut self, from: &Column, row: usize) {
        match (self, from) {
            (Column::Absent, _) => {}
            (Column::Number(to), Column::Number(from)) => to.push(from[row]),
            (Column::Text(to), Column::Text(from)) => to.push(from[row].clone()),
            (Column::Number(to), _) => to.push(NULL),
            (Column::Text(to), _) => to.push(Text::EMPTY),
        }
    }

    /// Writes a value as that of a column of this kind.
    #[inline]
    fn write(&self, row: usize, kind: &Column, out: &mut Vec<u8>) {
        match (kind, self) {
            (Column::Absent, _) => {}
            (Column::Number(_), Column::Number(values)) => out.extend(values[row].to_le_bytes()),
            (Column::Number(_), _) => out.extend(NULL.to_le_bytes()),
            (Column::Text(_), Column::Text(values)) => write_text(&values[row], out),
            (Column::Text(_), _) => write_text(&Text::EMPTY, out),
        }
    }

    /// Appends the next value that was written.
    #[inline]
    fn read(&mut self, bytes: &mut Bytes<'_>) {
        match self {
            Column::Absent => {}
            Column::Number(values) => values.push(bytes.number()),
            Column::Text(values) => values.push(bytes.text()),
        }
    }
}

/// Rows up to `end` carry the stamp `time`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The stamp.
    pub time: Time,
    /// One past the run's last row.
    pub end: u32,
}

/// Some records of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The partition they came from.
    pub partition: u32,
    /// Where in the partition: byte offset of the block.
    pub offset: u64,
    /// The stamps, filled in by the clock.
    pub runs: Vec<Run>,
    /// The partition's clock before the first row: what the clock rounded up to the stamps is the
    /// running maximum of the event times from here on.
    pub clock: i64,
    /// The clock at each row, where rows were picked out of a batch; otherwise empty.
    pub clocks: Vec<i64>,
    /// Event times in milliseconds.
    pub times: Vec<i64>,
    /// Multiplicities; empty where all are +1.
    pub diffs: Vec<i32>,
    /// Whether they came with the records: the source is a change log.
    pub change_log: bool,
    /// A column per field of the schema; the first (event time) is `times`.
    pub columns: Vec<Column>,
}

impl Batch {
    /// An empty batch with columns for these fields.
    pub fn with_fields(schema: &Schema, fields: &[usize]) -> Batch {
        let columns = schema.fields.iter().enumerate();
        let columns = columns
            .map(|(i, f)| match i > 0 && fields.contains(&i) {
                true => Column::of(f.kind),
                false => Column::Absent,
            })
            .collect();
        Batch { columns, ..Batch::default() }
    }

    /// A batch of no rows and `fields` absent columns.
    pub fn new(partition: u32, offset: u64, fields: usize) -> Batch {
        Batch { partition, offset, columns: vec![Column::Absent; fields], ..Batch::default() }
    }

    /// An empty batch with the same columns.
    pub fn layout(&self) -> Batch {
        let empty = |column: &Column| match column {
            Column::Absent => Column::Absent,
            Column::Number(_) => Column::Number(Vec::new()),
            Column::Text(_) => Column::Text(Vec::new()),
        };
        let columns = self.columns.iter().map(empty).collect();
        let Batch { partition, offset, clock, change_log, .. } = *self;
        Batch { partition, offset, clock, change_log, columns, ..Batch::default() }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The multiplicity of a row.
    #[inline]
    pub fn diff(&self, row: usize) -> i32 {
        if self.diffs.is_empty() { 1 } else { self.diffs[row] }
    }

    /// The stamps with the rows that carry them.
    pub fn runs(&self) -> impl Iterator<Item = (Time, Range<usize>)> + '_ {
        let mut start = 0;
        self.runs.iter().map(move |run| {
            let rows = start..run.end as usize;
            start = rows.end;
            (run.time, rows)
        })
    }

    /// The clock at a row, before it is rounded up to a stamp, given that at the row before it
    /// (`clock` for the first). It does not depend on the tick.
    #[inline]
    pub fn clock_at(&self, row: usize, before: i64) -> i64 {
        // No indexing: where nobody asks for the clock, the compiler can leave this out.
        match self.clocks.get(row) {
            Some(clock) => *clock,
            None => self.times.get(row).map_or(before, |time| before.max(*time)),
        }
    }

    /// Roughly its size in memory.
    pub fn bytes(&self) -> usize {
        let columns = self.columns.iter().map(|c| match c {
            Column::Absent => 0,
            Column::Number(_) => 8,
            Column::Text(_) => 16,
        });
        self.len() * (8 + columns.sum::<usize>())
    }

    /// Takes out some rows, given in ascending order, before the batch is stamped.
    pub fn remove(&mut self, rows: &[usize]) {
        fn without<T>(values: &mut Vec<T>, rows: &[usize]) {
            let (mut i, mut gone) = (0, rows.iter().peekable());
            values.retain(|_| {
                let out = gone.next_if(|r| **r == i).is_some();
                i += 1;
                !out
            });
        }
        without(&mut self.times, rows);
        without(&mut self.diffs, rows);
        for column in &mut self.columns {
            match column {
                Column::Absent => {}
                Column::Number(values) => without(values, rows),
                Column::Text(values) => without(values, rows),
            }
        }
    }

    /// Takes out the rows from `at` on, as a batch that follows this one in its partition. Both are
    /// without stamps.
    pub fn split_off(&mut self, at: usize) -> Batch {
        fn behind<T>(values: &mut Vec<T>, at: usize) -> Vec<T> {
            values.split_off(at.min(values.len()))
        }
        self.runs.clear();
        let columns = self.columns.iter_mut().map(|column| match column {
            Column::Absent => Column::Absent,
            Column::Number(values) => Column::Number(behind(values, at)),
            Column::Text(values) => Column::Text(behind(values, at)),
        });
        Batch {
            columns: columns.collect(),
            // A row takes at least a byte, so this is still before the next block.
            offset: self.offset + at as u64,
            times: behind(&mut self.times, at),
            diffs: behind(&mut self.diffs, at),
            clocks: behind(&mut self.clocks, at),
            runs: Vec::new(),
            ..*self
        }
    }

    /// Takes out the rows that are stamped up to a time, which come first.
    pub fn pass(&mut self, cut: Time) {
        let passed = self.runs.iter().take_while(|run| run.time <= cut).count();
        let Some(end) = self.runs[..passed].last().map(|run| run.end) else { return };
        let gone = end as usize;
        let clock = (0..gone).fold(self.clock, |clock, row| self.clock_at(row, clock));
        let mut runs = self.runs.split_off(passed);
        runs.iter_mut().for_each(|run| run.end -= end);
        let rest = self.split_off(gone);
        *self = Batch { clock, runs, ..rest };
    }

    /// Appends a row of another batch of the same stream, without a stamp.
    pub fn push_row(&mut self, from: &Batch, row: usize, diff: i32) {
        self.push_diff(diff);
        self.times.push(from.times[row]);
        for (to, from) in self.columns.iter_mut().zip(&from.columns) {
            to.push(from, row);
        }
    }

    /// As `push_row`, of a batch that has these fields and no others.
    #[inline]
    pub fn push_fields(&mut self, fields: &[usize], (from, row): (&Batch, usize), diff: i32) {
        self.push_diff(diff);
        self.times.push(from.times[row]);
        for field in fields {
            self.columns[*field].push(&from.columns[*field], row);
        }
    }

    fn push_diff(&mut self, diff: i32) {
        if diff != 1 && self.diffs.is_empty() {
            self.diffs.resize(self.times.len(), 1);
        }
        if diff != 1 || !self.diffs.is_empty() {
            self.diffs.push(diff);
        }
    }

    /// Says that the rows appended since the last stamp carry this one.
    pub fn stamp(&mut self, time: Time) {
        let end = self.len() as u32;
        match self.runs.last_mut() {
            Some(run) if run.time == time => run.end = end,
            Some(run) if run.end == end => {}
            None if end == 0 => {}
            _ => self.runs.push(Run { time, end }),
        }
    }

    /// As `stamp`, also where no rows were appended: time has come this far.
    pub fn mark(&mut self, time: Time) {
        let end = self.len() as u32;
        match self.runs.last_mut() {
            Some(run) if run.time == time => run.end = end,
            _ => self.runs.push(Run { time, end }),
        }
    }

    /// Writes a row's values as bytes; `read_row` with the same batch layout reads them back.
    pub fn write_row(&self, row: usize, layout: &Batch, out: &mut Vec<u8>) {
        out.extend(self.times[row].to_le_bytes());
        for (column, kind) in self.columns.iter().zip(&layout.columns) {
            column.write(row, kind, out);
        }
    }

    /// As `write_row`, in a layout that has these fields and no others.
    #[inline]
    pub fn write_fields(&self, row: usize, fields: &[usize], layout: &Batch, out: &mut Vec<u8>) {
        out.extend(self.times[row].to_le_bytes());
        for field in fields {
            self.columns[*field].write(row, &layout.columns[*field], out);
        }
    }

    /// Appends a row from its bytes, which `write_row` made with this batch's layout.
    pub fn read_row(&mut self, bytes: &[u8], diff: i32) {
        self.push_diff(diff);
        let mut bytes = Bytes(bytes);
        self.times.push(bytes.number());
        self.columns.iter_mut().for_each(|column| column.read(&mut bytes));
    }

    /// As `read_row`, where this batch has these fields and no others.
    #[inline]
    pub fn read_fields(&mut self, fields: &[usize], bytes: &[u8], diff: i32) {
        self.push_diff(diff);
        let mut bytes = Bytes(bytes);
        self.times.push(bytes.number());
        fields.iter().for_each(|field| self.columns[*field].read(&mut bytes));
    }
}

/// The event time in the bytes of a row, which are written first.
pub fn time_of_row(bytes: &[u8]) -> i64 {
    Bytes(bytes).number()
}

fn write_text(text: &Text, out: &mut Vec<u8>) {
    let text = text.to_cow();
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

/// Reads what `write_row` wrote. The bytes never leave the process, so a short read is a bug of
/// ours; it reads as absent rather than panicking.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn number(&mut self) -> i64 {
        match self.0.split_first_chunk::<8>() {
            Some((head, rest)) => {
                self.0 = rest;
                i64::from_le_bytes(*head)
            }
            None => NULL,
        }
    }

    fn text(&mut self) -> Text {
        let Some((head, rest)) = self.0.split_first_chunk::<4>() else { return Text::EMPTY };
        let (text, rest) = rest.split_at(rest.len().min(u32::from_le_bytes(*head) as usize));
        self.0 = rest;
        Text::new(std::str::from_utf8(text).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_batch_are_its_rows_in_their_order() {
        let columns = vec![
            Column::Absent,
            Column::Number((0..9).collect()),
            Column::Text((0..9).map(|i| Text::from(i as u64)).collect()),
        ];
        let times = vec![5, 4, 9, 9, 1, 0, 7, 8, 8];
        let whole = Batch {
            offset: 100,
            diffs: vec![1, 1, -1, 1, 1, 1, 1, -1, 1],
            times,
            columns,
            ..Batch::default()
        };
        let mut first = whole.clone();
        let mut last = first.split_off(2);
        let middle = {
            let rest = last.split_off(4);
            std::mem::replace(&mut last, rest)
        };
        // By their places they stand in the order in which they came, before the next block.
        let places =
            |batch: &Batch| (0..batch.len()).map(|row| (batch.offset, row)).collect::<Vec<_>>();
        let places = [places(&first), places(&middle), places(&last)].concat();
        assert!(
            places.is_sorted_by(|a, b| a < b) && places.iter().all(|p| p.0 < 109),
            "{places:?}"
        );
        let mut joined = whole.layout();
        for batch in [&first, &middle, &last] {
            (0..batch.len()).for_each(|row| joined.push_row(batch, row, batch.diff(row)));
        }
        assert_eq!(joined, whole);
    }
}
