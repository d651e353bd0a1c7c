//! Walks the even rows of a block column by column.
//!
//! The separators of even rows lie `width` apart, so a column is every `width`-th pair of neighbours. A field is handed
//! out as its place in the block, which lets the fast ways load whole words; whoever needs the content asks for it.

use std::ops::Range;

use super::error::Fault;
use super::scalar;
use super::scan::{Segment, unquote};
use crate::text::Text;

/// A fault in one field.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub row: usize,
    pub column: usize,
    pub fault: Fault,
}

/// The even rows of a block.
pub(super) struct Rows<'a> {
    pub bytes: &'a [u8],
    pub places: &'a [u32],
    pub segments: &'a [Segment],
    pub width: usize,
    /// Where the rows come from, if they are no part of their block as they are.
    pub origin: Option<Origin<'a>>,
}

/// What rows were made of.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    /// The block.
    pub block: &'a [u8],
    /// For each row that was made, the bytes of its record.
    pub spans: &'a [Range<usize>],
}

impl<'a> Rows<'a> {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.segments.last().map_or(0, |last| last.row + last.rows)
    }

    /// Reads one column. A field at fault gets a filler in its place.
    #[inline]
    pub fn column<T: Default>(
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

    /// The block that the rows are of.
    pub fn block(&self) -> &'a [u8] {
        self.origin.map_or(self.bytes, |origin| origin.block)
    }

    /// Where a row is in the block, without its line end.
    pub fn record(&self, row: usize) -> Range<usize> {
        let (start, mut at) = self.place(row);
        if let Some(Origin { spans, .. }) = self.origin {
            return spans.get(at / self.width).cloned().unwrap_or_default();
        }
        let ends = |place: u32| self.bytes.get(place as usize).is_none_or(|&byte| byte == b'\n');
        at += self.width;
        // It may have empty fields beyond the even ones.
        while !ends(self.places[at]) {
            at += 1;
        }
        let end = self.places[at] as usize;
        let carriage = self.bytes[start..end].last() == Some(&b'\r');
        start..end - usize::from(carriage)
    }

    /// Where a row starts in the block, and where in the index the separator before it is.
    fn place(&self, row: usize) -> (usize, usize) {
        let after = self.segments.partition_point(|segment| segment.row <= row);
        let segment = &self.segments[after - 1]; // the first has row 0
        let first = segment.first + (row - segment.row) * self.width;
        (self.places[first].wrapping_add(1) as usize, first)
    }

    /// Where some columns of a row are in the block, without the line end.
    pub fn span(&self, row: usize, columns: Range<usize>) -> Range<usize> {
        let (_, first) = self.place(row);
        let start = self.places[first + columns.start].wrapping_add(1) as usize;
        let end = self.places[first + columns.end] as usize;
        let carriage = columns.end == self.width && self.bytes[start..end].last() == Some(&b'\r');
        start..end - usize::from(carriage)
    }
}

/// One field of one row, as it is in the block.
#[derive(Clone, Copy)]
pub(super) struct Cell<'a> {
    pub block: &'a [u8],
    pub start: usize,
    pub end: usize,
}

impl<'a> Cell<'a> {
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        &self.block[self.start..self.end]
    }

    /// The field as a short number in its canonical form; None to have it read slowly.
    #[inline]
    pub fn number(self) -> Option<Text> {
        let number = scalar::digits(scalar::word(self.block, self.start, self.end)?)?;
        let canonical = self.block[self.start] != b'0' || self.end - self.start == 1;
        canonical.then(|| Text::from(number))
    }

    /// The content as a string, trimmed if so told.
    #[inline(never)]
    pub fn text<'b>(self, room: &'b mut Vec<u8>, trim: bool) -> Result<&'b str, Fault>
    where
        'a: 'b,
    {
        let bytes = self.bytes();
        // Between two plain letters there is nothing to be taken off.
        let plain =
            |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_graphic() && *byte != b'"');
        let (bytes, trim) = match plain(bytes.first()) && plain(bytes.last()) {
            true => (bytes, false),
            false => (unquote(bytes, room), trim),
        };
        let text = std::str::from_utf8(bytes).map_err(|_| Fault::Encoding)?;
        Ok(if trim { text.trim() } else { text })
    }
}
