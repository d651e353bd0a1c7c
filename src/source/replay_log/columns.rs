//! The default codec: a batch's columns by the `columnar` crate, in safe code.
//!
//! The payload is a list of pieces, each a tag (what it is, and of which field), its length in
//! words, and one column as `columnar` lays it out. A piece that is not wanted is stepped over.
//! `columnar` checks the structure of each wanted piece before it is read in place.

use super::Damaged;
use super::texts::{Flat, flatten, numbers, strings};
use crate::batch::{Batch, Column};
use columnar::bytes::indexed::{self, DecodedStore};
use columnar::{AsBytes, Borrow, FromBytes, Strings};

// What a piece is: the low byte of its tag.
const RUN_TIMES: u64 = 0;
const RUN_ENDS: u64 = 1;
const TIMES: u64 = 2;
const DIFFS: u64 = 3;
const NUMBER: u64 = 4;
const TEXT_NUMBERS: u64 = 5;
const TEXT_STRINGS: u64 = 6;

type StringsRef<'a> = Strings<&'a [u64], &'a [u8]>;

/// Writes a batch.
pub(super) fn encode(batch: &Batch, out: &mut Vec<u64>) {
    let times: Vec<u64> = batch.runs.iter().map(|run| run.time.millis()).collect();
    let ends: Vec<u32> = batch.runs.iter().map(|run| run.end).collect();
    piece(out, RUN_TIMES, &times.as_slice());
    piece(out, RUN_ENDS, &ends.as_slice());
    piece(out, TIMES, &batch.times.as_slice());
    if !batch.diffs.is_empty() {
        piece(out, DIFFS, &batch.diffs.as_slice());
    }
    for (field, column) in batch.columns.iter().enumerate() {
        let tag = |kind: u64| kind | (field as u64) << 8;
        match column {
            Column::Absent => {}
            Column::Number(values) => piece(out, tag(NUMBER), &values.as_slice()),
            Column::Text(texts) => match flatten(texts) {
                Flat::Numbers(values) => piece(out, tag(TEXT_NUMBERS), &values.as_slice()),
                Flat::Strings(bounds, values) => {
                    piece(out, tag(TEXT_STRINGS), &Strings { bounds, values }.borrow());
                }
            },
        }
    }
}

fn piece<'a>(out: &mut Vec<u64>, tag: u64, column: &impl AsBytes<'a>) {
    let mut words = Vec::with_capacity(indexed::length_in_words(column));
    indexed::encode(&mut words, column);
    out.extend([tag, words.len() as u64]);
    out.extend_from_slice(&words);
}

/// Reads a batch's stamps and its wanted columns.
pub(super) fn decode(
    mut words: &[u64],
    want: &[bool],
) -> Result<(Vec<(u64, u32)>, Batch), Damaged> {
    let mut batch = Batch::new(0, 0, want.len());
    let (mut run_times, mut run_ends): (&[u64], &[u32]) = (&[], &[]);
    while let [tag, length, rest @ ..] = words {
        let length = usize::try_from(*length).unwrap_or(usize::MAX);
        let (store, rest) = rest.split_at_checked(length).ok_or(Damaged("a column is cut off"))?;
        words = rest;
        let (kind, field) = (tag & 0xFF, (tag >> 8) as usize);
        if kind >= NUMBER && !want.get(field).copied().unwrap_or(false) {
            continue;
        }
        match kind {
            RUN_TIMES => run_times = column(store)?,
            RUN_ENDS => run_ends = column(store)?,
            TIMES => batch.times = column::<&[i64]>(store)?.to_vec(),
            DIFFS => batch.diffs = column::<&[i32]>(store)?.to_vec(),
            NUMBER => batch.columns[field] = Column::Number(column::<&[i64]>(store)?.to_vec()),
            TEXT_NUMBERS => batch.columns[field] = Column::Text(numbers(column(store)?)),
            TEXT_STRINGS => {
                let texts: StringsRef<'_> = column(store)?;
                batch.columns[field] = Column::Text(strings(texts.bounds, texts.values)?);
            }
            _ => return Err(Damaged("a column is of an unknown kind")),
        }
    }
    if run_times.len() != run_ends.len() {
        return Err(Damaged("its stamps are incomplete"));
    }
    Ok((run_times.iter().copied().zip(run_ends.iter().copied()).collect(), batch))
}

fn column<'a, T: FromBytes<'a>>(store: &'a [u64]) -> Result<T, Damaged> {
    indexed::validate::<T>(store).map_err(|_| Damaged("a column has no valid structure"))?;
    Ok(T::from_store(&DecodedStore::new(store), &mut 0))
}
