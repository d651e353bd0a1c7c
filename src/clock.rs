//! The stream clock: the only place where a [`Time`] is made.
//!
//! A record's stamp is a pure function of its partition's contents and order: the clock of a
//! partition is the largest plausible event time seen so far, and a record is stamped with that
//! clock rounded up to the tick. Nothing here looks at the wall clock, a worker's index or the
//! size of a block, so the stamps are the same however the reading is divided.

use crate::batch::{Batch, Run};
use serde::{Deserialize, Serialize};
use std::fmt;
use timely::order::{PartialOrder, TotalOrder};
use timely::progress::timestamp::{PathSummary, Refines, Timestamp};

/// Stream time: milliseconds since 1970, a multiple of the tick.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(u64);

impl Time {
    /// Milliseconds since 1970.
    pub fn millis(self) -> u64 {
        self.0
    }

    /// The last instant there is: no record carries it.
    pub const END: Time = Time(u64::MAX);

    /// The time `span` milliseconds later.
    pub fn after(self, span: Millis, tick: Tick) -> Time {
        tick.round_up(self.0.saturating_add(span.0).min(i64::MAX as u64) as i64)
    }

    /// In signed milliseconds, as event times are counted; the last there is for what is later.
    pub fn signed(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// The first multiple of `period` at or after this time.
    pub fn end_of(self, period: Millis) -> Time {
        let period = period.0.max(1);
        Time(self.0.div_ceil(period).saturating_mul(period))
    }

    /// The last multiple of `period` at or before an instant (milliseconds since 1970).
    pub fn last_full(period: Millis, now: i64) -> Time {
        let now = now.max(0) as u64;
        Time(now - now % period.0.max(1))
    }

    /// How long ago `earlier` was, as seen at this time.
    pub fn since(self, earlier: Time) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A length of stream time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

impl Millis {
    /// In signed milliseconds, as event times are counted; the longest there is for what is longer.
    pub fn signed(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }
    /// So many hours; what is too long for milliseconds is the longest there is.
    pub const fn hours(hours: u64) -> Millis {
        Millis(hours.saturating_mul(3_600_000))
    }
    /// So many minutes.
    pub const fn minutes(minutes: u64) -> Millis {
        Millis(minutes.saturating_mul(60_000))
    }
}

impl std::str::FromStr for Millis {
    type Err = String;

    /// 500ms, 30s, 5m, 2h, 7d.
    fn from_str(text: &str) -> Result<Millis, String> {
        let wrong = || "expected a duration such as 500ms, 30s, 5m, 2h or 7d".to_string();
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(digits);
        let unit = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let millis = number.checked_mul(unit).filter(|x| *x > 0 && *x < 1 << 50);
        millis.map(Millis).ok_or_else(wrong)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
        let unit = units.into_iter().find(|(unit, _)| self.0 > 0 && self.0.is_multiple_of(*unit));
        let (unit, name) = unit.unwrap_or((1, "ms"));
        write!(f, "{}{name}", self.0 / unit)
    }
}

impl Serialize for Millis {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl PartialOrder for Time {
    #[inline]
    fn less_than(&self, other: &Self) -> bool {
        self < other
    }
    #[inline]
    fn less_equal(&self, other: &Self) -> bool {
        self <= other
    }
}
impl TotalOrder for Time {}
impl Timestamp for Time {
    // There are no loops in our dataflows: no path advances a time.
    type Summary = ();
    fn minimum() -> Self {
        Time(0)
    }
}
impl PathSummary<Time> for () {
    #[inline]
    fn results_in(&self, time: &Time) -> Option<Time> {
        Some(*time)
    }
    #[inline]
    fn followed_by(&self, _: &()) -> Option<()> {
        Some(())
    }
}
impl Refines<()> for Time {
    fn to_inner(_: ()) -> Self {
        Time::minimum()
    }
    fn to_outer(self) {}
    fn summarize(_: ()) {}
}
impl differential_dataflow::lattice::Lattice for Time {
    #[inline]
    fn join(&self, other: &Self) -> Self {
        *self.max(other)
    }
    #[inline]
    fn meet(&self, other: &Self) -> Self {
        *self.min(other)
    }
}

/// The granularity at which results are consistent and visible, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick(u64);

impl Tick {
    /// One hour: how often a board is renewed (see `operator`).
    pub const HOUR: Tick = Tick(3_600_000);
    /// One minute: the default where someone reads the change log.
    pub const MINUTE: Tick = Tick(60_000);
    /// One day: the default where only current views are read (see `worker`).
    pub const DAY: Tick = Tick(86_400_000);

    /// A tick of so many milliseconds; `None` for zero.
    pub fn from_millis(millis: u64) -> Option<Tick> {
        (millis > 0).then_some(Tick(millis))
    }

    /// Milliseconds.
    pub fn millis(self) -> u64 {
        self.0
    }

    /// The first multiple of the tick at or after an event time.
    #[inline]
    pub fn round_up(self, event_time: i64) -> Time {
        Time((event_time.max(0) as u64).div_ceil(self.0) * self.0)
    }
}

/// Stamps as a replay log has them (milliseconds, end): `None` unless they are what a clock with
/// this tick gives to so many rows.
pub(crate) fn runs(recorded: &[(u64, u32)], tick: Tick, rows: usize) -> Option<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::with_capacity(recorded.len());
    for &(millis, end) in recorded {
        let (last, start) = runs.last().map_or((None, 0), |run| (Some(run.time.0), run.end));
        let later = last.is_none_or(|last| last < millis);
        if !later || end <= start || !millis.is_multiple_of(tick.0) || millis > i64::MAX as u64 {
            return None;
        }
        runs.push(Run { time: Time(millis), end });
    }
    (runs.last().map_or(0, |run| run.end as usize) == rows).then_some(runs)
}

/// One partition's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    tick: Tick,
    max_jump: Option<i64>,
    now: i64,
}

impl Clock {
    /// A clock that has seen nothing. With `max_jump`, an event time further ahead of the clock
    /// than that is implausible (except the first, which sets the clock).
    pub fn new(tick: Tick, max_jump: Option<i64>) -> Self {
        Clock { tick, max_jump, now: i64::MIN }
    }

    /// The stamp of a record arriving now with nothing newer than what was seen.
    pub fn time(&self) -> Time {
        self.tick.round_up(self.now)
    }

    /// Largest event time seen, or `None` before the first.
    pub fn event_time(&self) -> Option<i64> {
        (self.now != i64::MIN).then_some(self.now)
    }

    /// Follows a batch that was stamped before, as a replay log has it; `false` if its stamps are
    /// not what this clock makes of its event times.
    pub(crate) fn follow(&mut self, batch: &mut Batch) -> bool {
        let (Some(first), Some(last)) = (batch.runs.first(), batch.runs.last()) else {
            return true;
        };
        let now = batch.times.iter().fold(self.now, |now, time| now.max(*time));
        let in_order = self.now == i64::MIN || first.time >= self.time();
        let follows = in_order && last.time == self.tick.round_up(now);
        if follows {
            batch.clock = self.now;
            self.now = now;
        }
        follows
    }

    /// Stamps batches as one tick of their own, later than everything before: they become visible
    /// together. For inputs whose ticks are told (see `worker::live`).
    pub fn stamp_together<'a>(&mut self, batches: impl Iterator<Item = &'a mut Batch>) -> Time {
        let batches: Vec<&mut Batch> = batches.collect();
        let newest = batches.iter().filter_map(|batch| batch.times.iter().max()).max();
        let newest = newest.map_or(0, |newest| self.tick.round_up(*newest).0);
        let next = self.tick.round_up(self.time().0.saturating_add(1) as i64);
        let time = Time(newest.max(next.0));
        self.now = time.0 as i64;
        for batch in batches {
            batch.runs = vec![Run { time, end: batch.len() as u32 }];
            batch.clock = self.now;
        }
        time
    }

    /// A clock that has seen everything up to a time.
    pub fn resumed(tick: Tick, time: Time) -> Clock {
        Clock { tick, max_jump: None, now: time.0.min(i64::MAX as u64) as i64 }
    }

    /// The rows of a block whose event time is implausible, in order: they must not be stamped.
    pub fn refuse(&self, times: &[i64]) -> Vec<usize> {
        let Some(jump) = self.max_jump else { return Vec::new() };
        let (mut now, mut refused) = (self.now, Vec::new());
        for (i, &t) in times.iter().enumerate() {
            if now != i64::MIN && t > now.saturating_add(jump) {
                refused.push(i);
            } else {
                now = now.max(t);
            }
        }
        refused
    }

    /// Stamps a block's rows in order.
    pub fn stamp(&mut self, batch: &mut Batch) {
        batch.runs.clear();
        if batch.times.is_empty() {
            return;
        }
        batch.clock = self.now;
        let (mut now, mut time) = (self.now, self.tick.round_up(self.now));
        // The clock may move up to here without the stamp changing.
        let mut limit = if now == i64::MIN { i64::MIN } else { time.0 as i64 };
        for (i, &t) in batch.times.iter().enumerate() {
            if t > now {
                now = t;
                if t > limit {
                    let next = self.tick.round_up(t);
                    if i > 0 && next != time {
                        batch.runs.push(Run { time, end: i as u32 });
                    }
                    time = next;
                    limit = time.0 as i64;
                }
            }
        }
        batch.runs.push(Run { time, end: batch.times.len() as u32 });
        self.now = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamped(times: &[i64], block: usize, jump: Option<i64>) -> (Vec<(i64, u64)>, usize) {
        let mut clock = Clock::new(Tick(10), jump);
        let (mut out, mut refused) = (Vec::new(), 0);
        for chunk in times.chunks(block) {
            let mut batch = Batch { times: chunk.to_vec(), ..Batch::default() };
            let far = clock.refuse(&batch.times);
            batch.remove(&far);
            refused += far.len();
            clock.stamp(&mut batch);
            for (run, rows) in batch.runs() {
                out.extend(rows.map(|i| (batch.times[i], run.millis())));
            }
        }
        (out, refused)
    }

    /// The definition, one record at a time.
    fn naive(times: &[i64], jump: Option<i64>) -> Vec<(i64, u64)> {
        let mut now = None::<i64>;
        let mut out = Vec::new();
        for &t in times {
            if let (Some(n), Some(j)) = (now, jump)
                && t > n + j
            {
                continue;
            }
            now = Some(now.map_or(t, |n| n.max(t)));
            let clock = now.unwrap_or(0).max(0);
            out.push((t, ((clock + 9) / 10 * 10) as u64));
        }
        out
    }

    #[test]
    fn stamps_do_not_depend_on_blocks() {
        let mut seed = 7u64;
        for round in 0..300 {
            let times: Vec<i64> = (0..60)
                .map(|i| {
                    seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    let noise = (seed >> 33) as i64 % 40 - 20;
                    if (seed >> 20).is_multiple_of(23) { 900 + noise } else { i * 3 + noise }
                })
                .collect();
            let jump = (round % 2 == 0).then_some(100);
            let want = naive(&times, jump);
            for block in [1, 2, 7, 60] {
                let (got, refused) = stamped(&times, block, jump);
                assert_eq!(got, want, "block {block}");
                assert_eq!(refused, times.len() - want.len());
            }
        }
    }
}
