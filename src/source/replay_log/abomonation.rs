//! The second codec: a batch's columns by the `abomonation` crate, for comparison only.
//!
//! That crate writes values as the image they have in memory and reads them by turning the image
//! back into references in place. It is fast, and unsound on bytes it did not write
//! (RUSTSEC-2021-0120: it exposes padding and misaligned references, and trusts every length it
//! finds). It is used in this file and nowhere else, and only where all of these hold:
//!
//! - the frame's checksum was verified before `decode` is called, and the header says that the
//!   very same program file wrote it, so the bytes are an image of this build's own types;
//! - the buffer is of `u64`, and every array in the image is a multiple of eight bytes long, so each
//!   reference is aligned (that is why multiplicities and bytes are padded to words);
//! - the type has no padding, no strings, no enums and nothing with a `Drop` that could run: only
//!   tuples of vectors of `u64` and `i64`, which are valid for any bits.
//!
//! These are the only uses of `unsafe` in the crate.
#![allow(unsafe_code)]

use super::Damaged;
use super::texts::{Flat, flatten, numbers, strings};
use crate::batch::{Batch, Column};
use std::mem::size_of;

/// Stamps (times, ends), event times, multiplicities; then by field the number columns, the
/// texts that are numbers, and the others (ends, length in bytes, bytes in words).
type Image = (
    (Vec<u64>, Vec<u64>),
    (Vec<i64>, Vec<i64>),
    Vec<(u64, Vec<i64>)>,
    Vec<(u64, Vec<u64>)>,
    Vec<(u64, Vec<u64>, u64, Vec<u64>)>,
);

// No padding anywhere in the image.
const _: () = {
    let word = size_of::<u64>();
    let vec = size_of::<Vec<u64>>();
    assert!(vec == 3 * word && size_of::<Image>() == 7 * vec);
    assert!(size_of::<(u64, Vec<i64>)>() == word + vec);
    assert!(size_of::<(u64, Vec<u64>, u64, Vec<u64>)>() == 2 * (word + vec));
};

/// Writes a batch.
pub(super) fn encode(batch: &Batch, out: &mut Vec<u64>) {
    let mut image = Image::default();
    image.0.0 = batch.runs.iter().map(|run| run.time.millis()).collect();
    image.0.1 = batch.runs.iter().map(|run| u64::from(run.end)).collect();
    image.1.0 = batch.times.clone();
    image.1.1 = batch.diffs.iter().map(|diff| i64::from(*diff)).collect();
    for (field, column) in batch.columns.iter().enumerate() {
        let field = field as u64;
        match column {
            Column::Absent => {}
            Column::Number(values) => image.2.push((field, values.clone())),
            Column::Text(texts) => match flatten(texts) {
                Flat::Numbers(values) => image.3.push((field, values)),
                Flat::Strings(ends, bytes) => {
                    let mut words = vec![0u64; bytes.len().div_ceil(8)];
                    bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(&bytes);
                    image.4.push((field, ends, bytes.len() as u64, words));
                }
            },
        }
    }
    let mut bytes = Vec::new();
    // SAFETY: the image has no padding (checked above), so all its bytes are initialised.
    // Writing to a vector cannot fail.
    let _ = unsafe { abomonation::encode(&image, &mut bytes) };
    out.extend(bytes.chunks_exact(8).map(bytemuck::pod_read_unaligned::<u64>));
}

/// Reads a batch's stamps and its wanted columns. The words must have been verified.
pub(super) fn decode(
    words: &mut [u64],
    want: &[bool],
) -> Result<(Vec<(u64, u32)>, Batch), Damaged> {
    // SAFETY: the caller has verified the checksum and the build, so the bytes are what `encode`
    // wrote in this very program; they start on a word, and every part is whole words.
    let decoded = unsafe { abomonation::decode::<Image>(bytemuck::cast_slice_mut(words)) };
    let (image, _) = decoded.ok_or(Damaged("a column is cut off"))?;
    let wanted = |field: u64| want.get(field as usize).copied().unwrap_or(false);
    let mut batch = Batch::new(0, 0, want.len());
    let stamps = image.0.0.iter().zip(&image.0.1).map(|(time, end)| (*time, *end as u32)).collect();
    batch.times = image.1.0.clone();
    batch.diffs = image.1.1.iter().map(|diff| *diff as i32).collect();
    for (field, values) in image.2.iter().filter(|(field, _)| wanted(*field)) {
        batch.columns[*field as usize] = Column::Number(values.clone());
    }
    for (field, values) in image.3.iter().filter(|(field, _)| wanted(*field)) {
        batch.columns[*field as usize] = Column::Text(numbers(values));
    }
    for (field, ends, length, words) in image.4.iter().filter(|(field, ..)| wanted(*field)) {
        let bytes = bytemuck::cast_slice(words).get(..*length as usize);
        let bytes = bytes.ok_or(Damaged("a text is cut off"))?;
        batch.columns[*field as usize] = Column::Text(strings(ends, bytes)?);
    }
    Ok((stamps, batch))
}
