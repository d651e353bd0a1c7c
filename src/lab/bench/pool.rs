//! Where an open loop takes its events from: a source read into memory, divided into what the state
//! is made of beforehand and what comes live.

use crate::batch::{Batch, Column};
use crate::clock::{Clock, Tick, Time};
use crate::error::Error;
use crate::event::Stream;
use crate::lab::replay::Recorded;
use crate::source::Feeds;
use crate::text::Text;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Which events come live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Changes {
    /// Earlier ones from everywhere, so that all hours change: by turns one is taken back, and one
    /// that was taken back comes again.
    Spread,
    /// The ones that follow in the source.
    End,
}

/// How many rows are away at a time, where changes are spread.
const AWAY: usize = 10_000;
/// Live batches are partitions of their own, beyond those of any source.
const LIVE: u32 = 1 << 24;

/// Events in memory.
pub struct Pool {
    /// What the state is made of, in the order of stamps.
    pub preload: Recorded,
    /// The last stamp in it.
    pub last: Time,
    /// What live events are drawn from, with the number of rows up to and including each.
    from: Vec<(usize, Stream, Arc<Batch>)>,
    changes: Changes,
    start: usize,
    /// How many of them were taken; where they follow the state, also those at its end.
    taken: usize,
    clock: Clock,
}

impl Pool {
    /// Reads so many events to begin with, or all that there are, and so many more to come live.
    pub fn read(
        feeds: &Feeds,
        tick: Tick,
        preload: Option<u64>,
        live: u64,
        (changes, seed): (Changes, u64),
    ) -> Result<Pool, Error> {
        let more = if changes == Changes::End { live } else { 0 };
        let (mut batches, mut rows) = (Recorded::new(), 0);
        feeds.read_all(|partition, batch| {
            rows += batch.len() as u64;
            batches.push((partition.stream, Arc::new(batch)));
            if preload.is_some_and(|preload| rows >= preload + more) {
                feeds.stop.store(true, Ordering::Relaxed);
            }
            Ok::<(), Error>(())
        })?;
        batches.retain(|(_, batch)| !batch.is_empty());
        let first = preload.unwrap_or(rows.saturating_sub(more));
        if first == 0 || rows < first + more.min(1) {
            return Err(Error::Usage(format!(
                "--preload {first}: the streams that these queries read have {rows} events, and {more} are to come live; take fewer or a larger source"
            )));
        }
        let (mut state, mut rest, mut left, mut taken) = (Recorded::new(), Vec::new(), first, 0);
        for (stream, batch) in batches {
            let rows = batch.len() as u64;
            if left > 0 {
                // At most the batch's own rows, which fit.
                let part = if rows > left {
                    Arc::new(head(&batch, left as usize))
                } else {
                    Arc::clone(&batch)
                };
                state.push((stream, part));
            }
            if rows > left {
                taken += left as usize;
                rest.push((stream, batch));
            }
            left -= rows.min(left);
        }
        if changes == Changes::Spread {
            (rest, taken) = (state.clone(), 0);
        }
        let stamp = |batch: &Batch| batch.runs.first().map(|run| run.time);
        state.sort_by_key(|(_, batch)| stamp(batch));
        let last = state.iter().filter_map(|(_, b)| b.runs.last()).map(|r| r.time).max();
        let last = last.unwrap_or_default();
        let mut rows = 0;
        let from = rest.into_iter().map(|(stream, batch)| {
            rows += batch.len();
            (rows, stream, batch)
        });
        let from = from.collect();
        let clock = Clock::resumed(tick, last);
        let start = (seed % (1 << 32)) as usize;
        Ok(Pool { preload: state, last, from, changes, start, taken, clock })
    }

    /// Rows to begin with.
    pub fn preloaded(&self) -> usize {
        self.preload.iter().map(|(_, batch)| batch.len()).sum()
    }

    /// So many events in a tick of their own; fewer where the source ends, none after it.
    pub fn draw(&mut self, rows: usize) -> Option<(Time, Recorded)> {
        let mut parts: Vec<(Stream, Batch)> = Vec::new();
        for _ in 0..rows {
            let Some((row, back)) = self.next() else { break };
            let (stream, batch, row) = self.at(row);
            let at = match parts.iter().position(|(s, _)| *s == stream) {
                Some(at) => at,
                None => {
                    let mut part = batch.layout();
                    part.partition = LIVE + stream.index() as u32;
                    part.offset = self.taken as u64;
                    // What is taken back here is known to be there.
                    part.change_log &= self.changes == Changes::End;
                    parts.push((stream, part));
                    parts.len() - 1
                }
            };
            let part = &mut parts[at].1;
            let diff = batch.diff(row);
            part.push_row(&batch, row, if back { -diff } else { diff });
            // It is a record of its own, not another version of the earlier one.
            if let (Changes::Spread, Column::Text(ids)) =
                (self.changes, &mut part.columns[stream.id()])
                && let Some(id) = ids.last_mut()
            {
                *id = Text::EMPTY;
            }
        }
        if parts.is_empty() {
            return None;
        }
        let time = self.clock.stamp_together(parts.iter_mut().map(|(_, part)| part));
        Some((time, parts.into_iter().map(|(stream, part)| (stream, Arc::new(part))).collect()))
    }

    /// The number of the next row among all, and whether it is taken back.
    fn next(&mut self) -> Option<(usize, bool)> {
        let all = self.from.last().map_or(0, |(rows, ..)| *rows);
        let next = match self.changes {
            Changes::End => (self.taken, false),
            Changes::Spread => spread(self.taken, all, self.start),
        };
        let there = next.0 < all;
        self.taken += usize::from(there);
        there.then_some(next)
    }

    /// A row by its number among all, which is below their count.
    fn at(&self, row: usize) -> (Stream, Arc<Batch>, usize) {
        let at = self.from.partition_point(|(rows, ..)| *rows <= row);
        let (rows, stream, batch) = &self.from[at];
        (*stream, Arc::clone(batch), row + batch.len() - rows)
    }
}

/// Rows from everywhere: each is taken back once in a round, and comes again some thousand changes
/// later. So nothing is ever taken back that is not there, and the state keeps its size.
fn spread(change: usize, all: usize, start: usize) -> (usize, bool) {
    let (turn, lag) = (change / 2, AWAY.min(all / 2));
    // A stride without a common divisor visits each row once in a round; near the golden section
    // rows that follow one another are far apart.
    let strides = (all * 5 / 8).max(1)..;
    let stride = strides.into_iter().find(|s| divisor(*s, all) == 1).unwrap_or(1);
    let row = |turn: usize| {
        let far = (start + turn) as u128 * stride as u128 % all.max(1) as u128;
        far as usize // below `all`
    };
    match change % 2 {
        0 => (row(turn), true),
        _ if turn >= lag => (row(turn - lag), false),
        // Nothing has been away for so long yet: others come twice.
        _ => (row(turn + lag), false),
    }
}

fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// The first rows of a batch.
fn head(batch: &Batch, rows: usize) -> Batch {
    let mut head = batch.layout();
    for (time, run) in batch.runs() {
        for row in run.start..run.end.min(rows) {
            head.push_row(batch, row, batch.diff(row));
        }
        head.stamp(time);
    }
    head
}

#[cfg(test)]
mod tests {
    use super::{head, spread};
    use crate::batch::{Batch, Column};
    use crate::clock::{Millis, Tick, Time};

    #[test]
    fn a_head_has_the_first_rows_and_their_stamps() {
        let mut batch = Batch::new(0, 0, 2);
        for row in 0..10u64 {
            batch.times.push(row as i64);
            batch.columns[1] = Column::Number((0..=row as i64).collect());
            batch.stamp(Time::default().after(Millis(row / 4), Tick::MINUTE));
        }
        for rows in 0..=10 {
            let head = head(&batch, rows);
            assert_eq!((head.len(), &head.times[..]), (rows, &batch.times[..rows]));
            let stamps =
                |b: &Batch| b.runs().flat_map(|(t, r)| r.map(move |_| t)).collect::<Vec<_>>();
            assert_eq!(stamps(&head), stamps(&batch)[..rows]);
        }
    }

    #[test]
    fn nothing_is_taken_back_that_is_not_there() {
        for (all, start) in [(1, 0), (2, 5), (7, 1), (1000, 42), (30_000, 3)] {
            let mut there = vec![1; all];
            for change in 0..4 * all + 50_000 {
                let (row, back) = spread(change, all, start);
                there[row] += if back { -1 } else { 1 };
                assert!(there[row] >= 0, "{all}: change {change}");
            }
            let rows: i32 = there.iter().sum();
            assert_eq!(rows, all as i32);
            let hit = (0..2 * all).map(|change| spread(change, all, start)).filter(|(_, b)| *b);
            let mut hit: Vec<usize> = hit.map(|(row, _)| row).collect();
            hit.sort_unstable();
            assert!(hit.into_iter().eq(0..all), "{all}: each row once in a round");
        }
    }
}
