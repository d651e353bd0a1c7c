//! Turns a block of records into a batch of columns.
//!
//! First the separators of the whole block are found and the rows with the right number of fields picked out; then each
//! wanted column is read from top to bottom by a loop of its own kind, which costs no choice per value. A value is read
//! by the fast way of its kind, and when that declines by the full one, which takes quotes, space and odd forms and is
//! the only one to find fault. Rows with a fault are kept until all columns are read, so that columns stay in step, and
//! then taken out of all of them at once. Of several faults in a row the one leftmost in the file is told.

use std::borrow::Cow;
use std::ops::Range;

use super::error::Fault;
use super::plan::{Filled, Plan};
use super::scalar;
use super::scan::{Index, Ragged, Segment, unquote};
use super::split::{Block, MAX_RAW, Shape};
use super::time::Clock;
use crate::batch::{Batch, Column};
use crate::event::{Fold, Kind, NULL};
use crate::text::Text;

/// How much of a bad value is told.
const SHOWN: usize = 40;

/// What came of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The good records.
    pub batch: Batch,
    /// The bad ones.
    pub bad: Vec<Bad>,
    /// How many line ends the block has.
    pub lines: u64,
    /// How many records it has, good and bad.
    pub records: u64,
}

/// A record that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Where it starts in the decoded stream.
    pub offset: u64,
    /// The line of the block it starts in, from 1.
    pub line: u64,
    /// The column, what is wrong and the value.
    pub reason: String,
    /// Its bytes, without the line end, at most `MAX_RAW`.
    pub raw: Vec<u8>,
}

/// Memory kept from one block to the next.
#[derive(Default)]
pub struct Scratch {
    index: Index,
    segments: Vec<Segment>,
    ragged: Vec<Ragged>,
    faults: Vec<Found>,
    room: Vec<u8>,
}

/// A fault in one field.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    row: usize,
    column: usize,
    fault: Fault,
}

/// The even rows of a block.
struct Rows<'a> {
    bytes: &'a [u8],
    places: &'a [u32],
    segments: &'a [Segment],
    width: usize,
}

impl Plan {
    /// Parses a block of the input numbered `partition`.
    pub fn parse(&self, block: &Block, partition: u32, scratch: &mut Scratch) -> Parsed {
        let batch = Batch::new(partition, block.offset, self.fields);
        let bytes = block.bytes.as_slice();
        let quotes = match block.shape {
            Shape::Plain => false,
            Shape::Quoted => true,
            Shape::TooLong => return broken(block, batch, Fault::TooLong),
            Shape::Unclosed => return broken(block, batch, Fault::Unclosed),
        };
        let Scratch { index, segments, ragged, faults, room } = scratch;
        let width = self.header.columns().len();
        index.fill(bytes, quotes);
        index.rows(bytes, width, segments, ragged);
        faults.clear();
        let rows = Rows { bytes, places: index.places(), segments, width };
        let mut parsed = Parsed { batch, ..Parsed::default() };
        parsed.records = (rows.len() + ragged.len()) as u64;
        parsed.lines = index.lines(bytes, quotes);
        self.fill(&mut parsed.batch, &rows, faults, room);
        if !faults.is_empty() || !ragged.is_empty() {
            faults.sort_unstable();
            faults.dedup_by_key(|found| found.row);
            self.tell(&mut parsed, &rows, faults, ragged);
            let rows: Vec<usize> = faults.iter().map(|found| found.row).collect();
            parsed.batch.remove(&rows);
        }
        if parsed.batch.diffs.iter().all(|&diff| diff == 1) {
            parsed.batch.diffs = Vec::new();
        }
        parsed
    }

    /// Reads all columns.
    fn fill(&self, batch: &mut Batch, rows: &Rows<'_>, faults: &mut Vec<Found>, room: &mut Vec<u8>) {
        let trim = self.options.trim_fold;
        let mut clock = Clock::new(&self.options.zone, self.options.max_time);
        batch.times = rows.column(self.time, faults, |field| {
            if let Some(time) = clock.usual(field.bytes()) {
                return Ok(time);
            }
            match field.text(room, trim)? {
                "" => Err(Fault::Missing),
                text => clock.parse(text),
            }
        });
        if let Some(column) = self.diff {
            batch.diffs = rows.column(column, faults, |field| {
                let number = match field.text(room, trim)? {
                    "" => return Err(Fault::Missing),
                    text => scalar::integer(text)?,
                };
                match i32::try_from(number) {
                    Ok(0) => Err(Fault::Zero),
                    Ok(diff) => Ok(diff),
                    Err(_) => Err(Fault::Range),
                }
            });
        }
        for filled in &self.filled {
            batch.columns[filled.field] = self.column(filled, rows, faults, room);
        }
    }

    /// Reads the column of a field.
    fn column(&self, filled: &Filled, rows: &Rows<'_>, faults: &mut Vec<Found>, room: &mut Vec<u8>) -> Column {
        let trim = self.options.trim_fold;
        let column = filled.column;
        // What is empty is absent; the rest is read by its kind.
        let absent_or = |text: &str, read: &dyn Fn(&str) -> Result<i64, Fault>| match text {
            "" => Ok(NULL),
            text => read(text),
        };
        match filled.kind {
            Kind::Time => {
                let mut clock = Clock::new(&self.options.zone, self.options.max_time);
                Column::Number(rows.column(column, faults, |field| match clock.usual(field.bytes()) {
                    Some(time) => Ok(time),
                    None => absent_or(field.text(room, trim)?, &|text| clock.parse(text)),
                }))
            }
            Kind::Money => Column::Number(rows.column(column, faults, |field| {
                match self.money.short(field.block, field.start, field.end) {
                    Some(number) => Ok(number),
                    None => absent_or(field.text(room, trim)?, &|text| self.money.parse(text)),
                }
            })),
            Kind::Integer => Column::Number(rows.column(column, faults, |field| {
                match scalar::short_integer(field.block, field.start, field.end) {
                    Some(number) => Ok(number),
                    None => absent_or(field.text(room, trim)?, &scalar::integer),
                }
            })),
            Kind::Name { names, other } => Column::Number(rows.column(column, faults, |field| {
                absent_or(field.text(room, trim)?, &|text| name(text, names, other, trim))
            })),
            Kind::Text(fold) => {
                let fold = if trim { fold } else { Fold::Keep };
                Column::Text(rows.column(column, faults, |field| match field.number() {
                    Some(text) => Ok(text),
                    None => Ok(Text::new(&folded(field.text(room, trim)?, fold))),
                }))
            }
        }
    }

    /// Adds the bad records, in order.
    fn tell(&self, parsed: &mut Parsed, rows: &Rows<'_>, faults: &[Found], ragged: &[Ragged]) {
        let width = rows.width;
        let faulty = faults.iter().map(|found| {
            let column = &self.header.columns()[found.column];
            let value = String::from_utf8_lossy(&rows.bytes[rows.span(found.row, found.column..found.column + 1)]);
            (rows.span(found.row, 0..width), format!("column {column}: {}: {:?}", found.fault, shortened(&value)))
        });
        let uneven = ragged.iter().map(|ragged| {
            let fields = ragged.fields;
            (ragged.span.clone(), format!("the record has {fields} fields, the header {width}"))
        });
        let mut all: Vec<(Range<usize>, String)> = faulty.chain(uneven).collect();
        all.sort_unstable_by_key(|(span, _)| span.start);
        let (mut line, mut counted) = (1, 0);
        for (span, reason) in all {
            line += memchr::memchr_iter(b'\n', &rows.bytes[counted..span.start]).count() as u64;
            counted = span.start;
            let raw = &rows.bytes[span.start..span.end.min(span.start + MAX_RAW)];
            parsed.bad.push(Bad {
                offset: parsed.batch.offset + span.start as u64,
                line,
                reason,
                raw: raw.to_vec(),
            });
        }
    }
}

impl<'a> Rows<'a> {
    /// How many rows there are.
    fn len(&self) -> usize {
        self.segments.last().map_or(0, |last| last.row + last.rows)
    }

    /// Reads one column. A field at fault gets a filler in its place.
    #[inline]
    fn column<T: Default>(
        &self,
        column: usize,
        faults: &mut Vec<Found>,
        mut read: impl FnMut(Cell<'a>) -> Result<T, Fault>,
    ) -> Vec<T> {
        let mut values = Vec::with_capacity(self.len());
        let last = column + 1 == self.width;
        for segment in self.segments {
            let places = &self.places[segment.first + column..];
            for pair in places.windows(2).step_by(self.width).take(segment.rows) {
                let (start, mut end) = (pair[0].wrapping_add(1) as usize, pair[1] as usize);
                if last && end > start && self.bytes[end - 1] == b'\r' {
                    end -= 1;
                }
                values.push(match read(Cell { block: self.bytes, start, end }) {
                    Ok(value) => value,
                    Err(fault) => {
                        faults.push(Found { row: values.len(), column, fault });
                        T::default()
                    }
                });
            }
        }
        values
    }

    /// Where some columns of a row are in the block, without the line end.
    fn span(&self, row: usize, columns: Range<usize>) -> Range<usize> {
        let after = self.segments.partition_point(|segment| segment.row <= row);
        let segment = &self.segments[after - 1]; // the first has row 0
        let first = segment.first + (row - segment.row) * self.width;
        let start = self.places[first + columns.start].wrapping_add(1) as usize;
        let end = self.places[first + columns.end] as usize;
        let carriage = columns.end == self.width && self.bytes[start..end].last() == Some(&b'\r');
        start..end - usize::from(carriage)
    }
}

/// One field of one row, as it is in the block.
#[derive(Clone, Copy)]
struct Cell<'a> {
    block: &'a [u8],
    start: usize,
    end: usize,
}

impl<'a> Cell<'a> {
    #[inline]
    fn bytes(self) -> &'a [u8] {
        &self.block[self.start..self.end]
    }

    /// The field as a short number in its canonical form; None to have it read slowly.
    #[inline]
    fn number(self) -> Option<Text> {
        let number = scalar::digits(scalar::word(self.block, self.start, self.end)?)?;
        let canonical = self.block[self.start] != b'0' || self.end - self.start == 1;
        canonical.then(|| Text::from(number))
    }

    /// The content as a string, trimmed if so told.
    #[inline(never)]
    fn text<'b>(self, room: &'b mut Vec<u8>, trim: bool) -> Result<&'b str, Fault>
    where
        'a: 'b,
    {
        let text = std::str::from_utf8(unquote(self.bytes(), room)).map_err(|_| Fault::Encoding)?;
        Ok(if trim { text.trim() } else { text })
    }
}

/// The index of a name, exactly so or, if `fold`, in any case.
fn name(text: &str, names: &[&str], other: Option<usize>, fold: bool) -> Result<i64, Fault> {
    let exact = names.iter().position(|name| *name == text);
    let folded = || names.iter().position(|name| fold && name.eq_ignore_ascii_case(text));
    exact.or_else(folded).or(other).map(|index| index as i64).ok_or(Fault::Name)
}

/// A text in the case it should have.
fn folded(text: &str, fold: Fold) -> Cow<'_, str> {
    match fold {
        Fold::Lower if !text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) => {
            Cow::Owned(text.to_lowercase())
        }
        Fold::Upper if !text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_lowercase()) => {
            Cow::Owned(text.to_uppercase())
        }
        _ => Cow::Borrowed(text),
    }
}

/// The start of a value.
fn shortened(value: &str) -> Cow<'_, str> {
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => Cow::Owned(format!("{}…", &value[..end])),
        None => Cow::Borrowed(value),
    }
}

/// A block of one broken line.
fn broken(block: &Block, batch: Batch, fault: Fault) -> Parsed {
    let line = block.bytes.strip_suffix(b"\n");
    let raw = line.unwrap_or(&block.bytes);
    let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
    let bad = Bad { offset: block.offset, line: 1, reason: fault.to_string(), raw: raw.to_vec() };
    Parsed { batch, bad: vec![bad], lines: u64::from(line.is_some()), records: 1 }
}
