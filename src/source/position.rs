//! Where a source is: how far it was read when everything stamped up to a time had come, and how it
//! goes on from there.
//!
//! A source is read again from its beginning to the position, since what it is (its header, how its
//! columns are read, what cells are filled with from above) shows there; up to the position nothing
//! is parsed. The bytes that are passed by are compared with those that were read before, by a
//! checksum: a file that has become another one is refused, one that has grown is not.

use super::error::SourceError;
use super::split::Block;
use crate::clock::{Clock, Time};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How far a source was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The byte at which the next record starts, in the decoded text.
    pub offset: u64,
    /// How many blocks or frames were taken.
    pub pieces: u64,
    /// How many lines there are before it.
    pub lines: u64,
    /// How many of the records before it are dead letters.
    pub bad: u64,
    /// The clock there.
    pub clock: Option<i64>,
    /// A checksum of what is before it.
    pub crc: u32,
    /// Whether that was the end.
    pub ended: bool,
    /// Whether what follows is stamped by arrival.
    #[serde(default)]
    pub live: bool,
}

/// The positions that a source may have to go back to: one for each block with records stamped
/// after the last cut. Bound: a block of the source each, until the next cut.
#[derive(Debug, Default)]
pub(super) struct Trail {
    blocks: VecDeque<(Position, Time)>,
}

impl Trail {
    /// Notes where a block began, and the last stamp in it.
    pub fn pass(&mut self, at: Position, last: Time) {
        self.blocks.push_back((at, last));
    }

    /// Where the first block began in which something is stamped after the cut. Forgets what is
    /// before it.
    pub fn position(&mut self, cut: Time) -> Option<Position> {
        while self.blocks.front().is_some_and(|(_, last)| *last <= cut) {
            self.blocks.pop_front();
        }
        self.blocks.front().map(|(at, _)| at.clone())
    }
}

/// What is still to be passed by before a source goes on where it was.
#[derive(Debug)]
pub(super) struct Passing {
    to: u64,
    crc: u32,
    found: u32,
}

impl Passing {
    pub fn to(position: &Position) -> Passing {
        Passing { to: position.offset, crc: position.crc, found: 0 }
    }

    /// Divides a block into what is before the position, which was read before, and the rest.
    pub fn pass(&mut self, block: Block) -> (Option<Block>, Option<Block>) {
        let (before, rest) = block.divide(self.to);
        if let Some(before) = &before {
            self.found = crc32c::crc32c_append(self.found, &before.bytes);
        }
        (before, rest)
    }

    /// Whether the source is the one it was, now that its first bytes have passed.
    pub fn check(&self, file: &str) -> Result<(), SourceError> {
        same(file, self.to, self.found, self.crc)
    }
}

/// Whether the checksum of what was passed by is that of what was read before.
pub(super) fn same(file: &str, bytes: u64, found: u32, known: u32) -> Result<(), SourceError> {
    let changed = || SourceError::Changed { file: file.to_owned(), bytes };
    if found == known { Ok(()) } else { Err(changed()) }
}

/// The clock of a source that goes on after a cut: nothing it has to say is stamped up to there,
/// if it had said everything before or was not there at all.
pub(super) fn clock_after(clock: Clock, position: Option<&Position>, cut: Time) -> Clock {
    match position {
        Some(Position { ended: false, clock: now, .. }) => clock.at(*now),
        Some(Position { clock: now, .. }) => clock.at(*now).past(cut),
        None => clock.past(cut),
    }
}

#[cfg(test)]
mod tests {
    use super::super::split::Shape;
    use super::*;

    fn block(offset: u64, text: &str) -> Block {
        let end = offset + text.len() as u64;
        Block { offset, end, shape: Shape::Plain, bytes: text.into(), above: None }
    }

    #[test]
    fn what_is_before_the_position_is_passed_by_however_it_is_divided() {
        let text = "one\ntwo\nthree\nfour\n";
        let position =
            Position { offset: 8, crc: crc32c::crc32c(b"one\ntwo\n"), ..Position::default() };
        for size in 1..text.len() {
            let mut passing = Passing::to(&position);
            let mut rest = String::new();
            for (i, bytes) in text.as_bytes().chunks(size).enumerate() {
                let part = std::str::from_utf8(bytes).expect("ASCII");
                if let Some(block) = passing.pass(block((i * size) as u64, part)).1 {
                    assert_eq!(block.offset, 8 + rest.len() as u64);
                    rest += std::str::from_utf8(&block.bytes).expect("ASCII");
                }
            }
            assert_eq!(rest, "three\nfour\n", "in parts of {size}");
            passing.check("f").expect("the same file");
        }
        let mut passing = Passing::to(&position);
        passing.pass(block(0, "one\ntwO\nthree\n"));
        let changed = passing.check("f.csv").expect_err("another file").to_string();
        assert!(changed.contains("f.csv") && changed.contains("first 8 bytes"), "{changed}");
    }

    #[test]
    fn a_source_goes_back_to_the_first_block_with_something_after_the_cut() {
        let time = |millis: u64| {
            crate::clock::Tick::from_millis(1).expect("not zero").round_up(millis as i64)
        };
        let at = |offset: u64| Position { offset, ..Position::default() };
        let mut trail = Trail::default();
        for (offset, last) in [(0, 10), (5, 10), (9, 30), (12, 30)] {
            trail.pass(at(offset), time(last));
        }
        assert_eq!(trail.position(time(9)), Some(at(0)));
        assert_eq!(trail.position(time(10)), Some(at(9)));
        assert_eq!(trail.position(time(29)), Some(at(9)));
        assert_eq!(trail.position(time(30)), None);
    }

    #[test]
    fn the_clock_of_a_source_goes_on_where_it_stood() {
        let tick = crate::clock::Tick::MINUTE;
        let minute = |minutes: i64| tick.round_up(minutes * 60_000);
        let after = |position: Option<&Position>, cut| {
            clock_after(Clock::new(tick, None), position, cut).time()
        };
        let at = |minutes: i64, ended| Position {
            clock: Some(minutes * 60_000),
            ended,
            ..Position::default()
        };
        // Behind the cut, as it was: what it says next may be of the time of the cut.
        assert_eq!(after(Some(&at(7, false)), minute(9)), minute(7));
        // What had come to its end, and what is new, has its say after the cut.
        assert_eq!(after(Some(&at(7, true)), minute(9)), minute(10));
        assert_eq!(after(Some(&at(12, true)), minute(9)), minute(12));
        assert_eq!(after(None, minute(9)), minute(10));
    }
}
