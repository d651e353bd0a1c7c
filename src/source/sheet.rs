//! Rows that are made of a block, where they do not lie in it as they are.

use std::ops::Range;

use super::rows::{Origin, Rows};
use super::scan::Segment;

/// Values row by row, each with a byte behind it; that behind the last of a row ends a line. Reused
/// from block to block.
#[derive(Default)]
pub(super) struct Sheet {
    bytes: Vec<u8>,
    /// Where the values end, after a first entry that stands one before them.
    places: Vec<u32>,
    segments: Vec<Segment>,
    /// Which bytes of the block each row was made of.
    spans: Vec<Range<usize>>,
    width: usize,
}

impl Sheet {
    /// Begins anew, with rows of so many values.
    pub fn begin(&mut self, width: usize) {
        self.bytes.clear();
        self.places.clear();
        self.places.push(u32::MAX);
        self.spans.clear();
        self.segments.clear();
        self.width = width;
    }

    /// Adds a value that is read as it is: one that begins with a quote would be taken out of it.
    #[inline]
    pub fn text(&mut self, text: &[u8]) {
        if text.first() != Some(&b'"') {
            return self.cell(text);
        }
        let mut quoted = vec![b'"'];
        for part in text.split_inclusive(|byte| *byte == b'"') {
            quoted.extend_from_slice(part);
            if part.ends_with(b"\"") {
                quoted.push(b'"');
            }
        }
        quoted.push(b'"');
        self.cell(&quoted);
    }

    /// Adds a value as a CSV has it, with its quotes.
    #[inline]
    pub fn cell(&mut self, cell: &[u8]) {
        self.bytes.extend_from_slice(cell);
        // No block makes rows of more than a few hundred megabytes.
        self.places.push(self.bytes.len() as u32);
        self.bytes.push(b',');
    }

    /// Ends a row, which was made of these bytes of the block.
    #[inline]
    pub fn end(&mut self, span: Range<usize>) {
        if let Some(last) = self.bytes.last_mut() {
            *last = b'\n';
        }
        self.spans.push(span);
    }

    /// The rows, which were made of a block.
    pub fn rows<'a>(&'a mut self, block: &'a [u8]) -> Rows<'a> {
        self.segments.clear();
        if !self.spans.is_empty() {
            self.segments.push(Segment { row: 0, first: 0, rows: self.spans.len() });
        }
        let Sheet { bytes, places, segments, spans, width } = self;
        let origin = Some(Origin { block, spans });
        Rows { bytes, places, segments, width: *width, origin }
    }
}
