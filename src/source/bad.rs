//! Bad records: where each is, why it is bad and what it holds.
//!
//! Faults and uneven rows are found apart from each other and brought together here in the order of the file, so lines
//! need to be counted only once over the block, and only in blocks that have a bad record.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use super::error::Fault;
use super::layout::{Apart, Layout};
use super::parse::Parsed;
use super::plan::Plan;
use super::rows::Found;
use super::split::{Block, MAX_RAW, Shape};
use crate::batch::Batch;
use crate::clean::Refused;
use crate::shown::{VALUE, shown};

/// How much of a bad value is told.
const SHOWN: usize = 40;

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
    /// Which of the block's rows it is, if it is one.
    pub(super) row: Option<usize>,
}

impl Plan {
    /// Adds the bad records, in order.
    pub(super) fn tell(&self, parsed: &mut Parsed, apart: &Apart<'_>, faults: &[Found]) {
        let Apart { rows, ragged, broken, .. } = apart;
        let (width, block) = (rows.width, rows.block());
        let faulty = faults.iter().map(|found| {
            let name = self.header.columns().get(found.column);
            let column = shown(name.map_or("(made)", String::as_str), VALUE);
            let value = String::from_utf8_lossy(
                &rows.bytes[rows.span(found.row, found.column..found.column + 1)],
            );
            (
                rows.record(found.row),
                Some(found.row),
                format!("column {column}: {}: {:?}", found.fault, shortened(&value)),
            )
        });
        let uneven = ragged.iter().map(|ragged| {
            let span = ragged.span.clone();
            let hint = match carriage_inside(&block[span.clone()]) {
                true => "; lines end in CR, which is part of a field here",
                false => "",
            };
            let reason = match ragged.fields {
                Some(fields) => {
                    format!("the record has {fields} fields, the header {width}{hint}")
                }
                None => Fault::Quote.to_string(),
            };
            (span, None, reason)
        });
        let broken = broken.iter().map(|(span, reason)| (span.clone(), None, reason.clone()));
        let mut all: Vec<(Range<usize>, Option<usize>, String)> =
            faulty.chain(uneven).chain(broken).collect();
        all.sort_by_key(|(span, ..)| span.start);
        let (mut line, mut counted) = (1, 0);
        for (span, row, reason) in all {
            line += memchr::memchr_iter(b'\n', &block[counted..span.start]).count() as u64;
            counted = span.start;
            let raw = &block[span.start..span.end.min(span.start + MAX_RAW)];
            parsed.bad.push(Bad {
                offset: parsed.batch.offset + span.start as u64,
                line,
                reason,
                raw: raw.to_vec(),
                row,
            });
        }
    }
}

impl Plan {
    /// Takes refused rows out of a parsed block and adds them to its bad records. Rows are in
    /// ascending order. They are found again in the block, which is slow and rare.
    pub fn refuse(&self, parsed: &mut Parsed, block: &Block, refused: Vec<Refused>) {
        if refused.is_empty() {
            return;
        }
        let mut layout = Layout::default();
        let rows = layout
            .apart(self, &block.bytes, block.shape == Shape::Quoted, block.above.as_ref())
            .rows;
        let known: HashSet<usize> = parsed.bad.iter().filter_map(|bad| bad.row).collect();
        let good = (0..rows.len()).filter(|row| !known.contains(row));
        let mut wanted = refused.iter().peekable();
        for (good, row) in good.enumerate() {
            if let Some((_, reason)) = wanted.next_if(|(refused, _)| *refused == good) {
                let span = rows.record(row);
                let before = memchr::memchr_iter(b'\n', &block.bytes[..span.start]).count();
                parsed.bad.push(Bad {
                    offset: block.offset + span.start as u64,
                    line: 1 + before as u64,
                    reason: reason.clone(),
                    raw: block.bytes[span.start..span.end.min(span.start + MAX_RAW)].to_vec(),
                    row: Some(row),
                });
            }
        }
        parsed.bad.sort_by_key(|bad| bad.offset);
        let rows: Vec<usize> = refused.into_iter().map(|(row, _)| row).collect();
        parsed.batch.remove(&rows);
    }
}

/// The start of a value.
fn shortened(value: &str) -> Cow<'_, str> {
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => Cow::Owned(format!("{}…", &value[..end])),
        None => Cow::Borrowed(value),
    }
}

/// Whether a CR stands inside a record, as it does where lines end in nothing else.
fn carriage_inside(record: &[u8]) -> bool {
    memchr::memchr(b'\r', record).is_some()
}

/// A block of one broken line.
pub(super) fn broken(block: &Block, batch: Batch, fault: Fault) -> Parsed {
    let line = block.bytes.strip_suffix(b"\n");
    let raw = line.unwrap_or(&block.bytes);
    let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
    let (offset, reason) = (block.offset, fault.to_string());
    let bad = Bad { offset, line: 1, reason, raw: raw.to_vec(), row: None };
    let lines = u64::from(line.is_some());
    Parsed { batch, bad: vec![bad], lines, records: 1, ..Parsed::default() }
}
