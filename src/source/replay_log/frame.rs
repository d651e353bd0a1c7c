//! A frame's head: what is known of a frame before its payload is read.
//!
//! Four words: payload length in bytes and crc32c; sequence; partition and rows; offset. The
//! checksum covers the head (with its own place empty) and the payload, so a frame in the wrong
//! place or of the wrong length is found out as well.

/// Size of a head in words.
pub(super) const WORDS: usize = 4;
/// The partition that stands for the end of the file; its `sequence` is the number of frames.
pub(super) const END: u32 = u32::MAX;
/// No payload is longer: a frame holds one block of the source.
pub(super) const LONGEST: u32 = 1 << 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub length: u32,
    pub crc: u32,
    pub sequence: u64,
    pub partition: u32,
    pub rows: u32,
    pub offset: u64,
}

impl Head {
    pub fn of(words: [u64; WORDS]) -> Head {
        let (low, high) = (|word: u64| word as u32, |word: u64| (word >> 32) as u32);
        Head {
            length: low(words[0]),
            crc: high(words[0]),
            sequence: words[1],
            partition: low(words[2]),
            rows: high(words[2]),
            offset: words[3],
        }
    }

    pub fn words(self) -> [u64; WORDS] {
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        [pair(self.length, self.crc), self.sequence, pair(self.partition, self.rows), self.offset]
    }

    /// The checksum of this head and a payload.
    pub fn checksum(self, payload: &[u64]) -> u32 {
        let head = Head { crc: 0, ..self }.words();
        crc32c::crc32c_append(crc32c::crc32c(as_bytes(&head)), as_bytes(payload))
    }

    /// The checksum of the frames before this one with this one.
    pub fn added(self, before: u32) -> u32 {
        crc32c::crc32c_append(before, &self.crc.to_le_bytes())
    }

    /// The head as its payload wants it.
    pub fn sealed(self, payload: &[u64]) -> Head {
        Head { crc: self.checksum(payload), ..self }
    }
}

/// Words as they are in the file.
pub(super) fn as_bytes(words: &[u64]) -> &[u8] {
    const { assert!(cfg!(target_endian = "little"), "a replay log is little-endian") };
    bytemuck::cast_slice(words)
}
