//! The stream clocks: the only place where a [`Time`] is made.
//!
//! By the *event clock* a record's stamp is a pure function of its partition's contents and order: the
//! clock of a partition is the largest plausible event time seen so far, and a record is stamped with
//! that clock rounded up to the tick. It does not look at the wall clock, a worker's index or the
//! size of a block, so the stamps are the same however the reading is divided.
//!
//! By the [`Arrival`] clock a record's stamp is the tick of the wall clock in which it was read. That
//! could not be found out again, so it is written down (see [`crate::source::stamps`]).

use crate::batch::{Batch, Run};
use crate::lock::lock;
pub use crate::time::{Millis, Tick, Time};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

/// Stamps as a replay log has them (milliseconds, end): `None` unless they are what a clock with
/// this tick gives to so many rows.
pub(crate) fn runs(recorded: &[(u64, u32)], tick: Tick, rows: usize) -> Option<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::with_capacity(recorded.len());
    for &(millis, end) in recorded {
        let (last, start) = runs.last().map_or((None, 0), |run| (Some(run.time.millis()), run.end));
        let later = last.is_none_or(|last| last < millis);
        if !later
            || end <= start
            || !millis.is_multiple_of(tick.millis())
            || millis > i64::MAX as u64
        {
            return None;
        }
        runs.push(Run { time: Time::minted(millis), end });
    }
    (runs.last().map_or(0, |run| run.end as usize) == rows).then_some(runs)
}

/// One partition's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    tick: Tick,
    max_jump: Option<i64>,
    lateness: Option<i64>,
    now: i64,
}

/// Why a record must not be stamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Implausible {
    /// Its event time is too far ahead of the clock.
    Ahead,
    /// Its event time is so far behind the clock that what it would change is final.
    Late,
}

impl Clock {
    /// A clock that has seen nothing. With `max_jump`, an event time further ahead of the clock
    /// than that is implausible (except the first, which sets the clock).
    pub fn new(tick: Tick, max_jump: Option<i64>) -> Self {
        Clock { tick, max_jump, lateness: None, now: i64::MIN }
    }

    /// With this bound, an event time further behind the clock than that is too late.
    pub fn bounded(self, lateness: Option<Millis>) -> Self {
        Clock { lateness: lateness.map(Millis::signed), ..self }
    }

    /// The stamp of a record arriving now with nothing newer than what was seen.
    pub fn time(&self) -> Time {
        self.tick.round_up(self.now)
    }

    /// The same where nothing comes before an event time.
    pub fn time_at(&self, event_time: i64) -> Time {
        self.tick.round_up(self.now.max(event_time))
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
        let newest = newest.map_or(0, |newest| self.tick.round_up(*newest).millis());
        let next = self.tick.round_up(self.time().millis().saturating_add(1) as i64);
        let time = Time::minted(newest.max(next.millis()));
        self.now = time.millis() as i64;
        for batch in batches {
            batch.runs = vec![Run { time, end: batch.len() as u32 }];
            batch.clock = self.now;
        }
        time
    }

    /// A clock that has seen everything up to a time.
    pub fn resumed(tick: Tick, time: Time) -> Clock {
        Clock { now: time.signed(), ..Clock::new(tick, None) }
    }

    /// Moves the clock on where it stamps nothing any more.
    pub(crate) fn see(&mut self, times: &[i64]) {
        self.now = times.iter().fold(self.now, |now, time| now.max(*time));
    }

    /// The clock where it stood when it was written down.
    pub(crate) fn at(self, event_time: Option<i64>) -> Clock {
        Clock { now: event_time.unwrap_or(i64::MIN), ..self }
    }

    /// The clock moved on, so that everything it stamps is later than a time.
    pub(crate) fn past(self, time: Time) -> Clock {
        Clock { now: self.now.max(time.signed().saturating_add(1)), ..self }
    }

    /// The rows of a block that arrived at an instant which are late, in order.
    pub fn late(&self, times: &[i64], at: i64) -> Vec<(usize, Implausible)> {
        let Some(lateness) = self.lateness else { return Vec::new() };
        let oldest = at.saturating_sub(lateness);
        let late = times.iter().enumerate().filter(|(_, time)| **time < oldest);
        late.map(|(row, _)| (row, Implausible::Late)).collect()
    }

    /// The rows of a block whose event time is implausible, in order: they must not be stamped.
    pub fn refuse(&self, times: &[i64]) -> Vec<(usize, Implausible)> {
        let (jump, lateness) = (self.max_jump.unwrap_or(i64::MAX), self.lateness);
        if self.max_jump.is_none() && lateness.is_none() {
            return Vec::new();
        }
        let (lateness, mut now) = (lateness.unwrap_or(i64::MAX), self.now);
        let mut refused = Vec::new();
        for (i, &t) in times.iter().enumerate() {
            if now != i64::MIN && t > now.saturating_add(jump) {
                refused.push((i, Implausible::Ahead));
            } else if t < now.saturating_sub(lateness) {
                refused.push((i, Implausible::Late));
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
        let mut limit = if now == i64::MIN { i64::MIN } else { time.millis() as i64 };
        for (i, &t) in batch.times.iter().enumerate() {
            if t > now {
                now = t;
                if t > limit {
                    let next = self.tick.round_up(t);
                    if i > 0 && next != time {
                        batch.runs.push(Run { time, end: i as u32 });
                    }
                    time = next;
                    limit = time.millis() as i64;
                }
            }
        }
        batch.runs.push(Run { time, end: batch.times.len() as u32 });
        self.now = now;
    }
}

/// The clock of sources that go on: the wall clock, in milliseconds, which is never turned back. All
/// of a process's sources have one together.
#[derive(Debug)]
pub struct Arrival {
    tick: Tick,
    inner: Mutex<Turned>,
    wall: fn() -> i64,
}

/// How far the clock is, and by how much it is ahead of the wall clock.
#[derive(Debug)]
struct Turned {
    latest: i64,
    ahead: i64,
}

impl Arrival {
    /// The clock with this tick.
    pub fn new(tick: Tick) -> Arrival {
        Arrival::by(tick, wall)
    }

    /// The same, by another wall clock.
    fn by(tick: Tick, wall: fn() -> i64) -> Arrival {
        Arrival { tick, inner: Mutex::new(Turned { latest: i64::MIN, ahead: 0 }), wall }
    }

    /// What time it is.
    pub fn now(&self) -> i64 {
        let mut inner = lock(&self.inner);
        let now = (self.wall)().saturating_add(inner.ahead);
        inner.latest = inner.latest.max(now);
        inner.latest
    }

    /// The stamp of what arrives at an instant.
    pub fn time(&self, at: i64) -> Time {
        self.tick.round_up(at)
    }

    /// From now on everything is stamped later than a time. Where that is in the future the clock
    /// goes on from there: it would stand still otherwise, and what arrives would not be seen.
    pub fn pass(&self, time: Time) {
        let after = time.signed().saturating_add(1);
        let mut inner = lock(&self.inner);
        let now = (self.wall)();
        inner.ahead = inner.ahead.max(after.saturating_sub(now));
        inner.latest = inner.latest.max(after);
    }
}

fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Stamps a batch whole with the tick of an instant, which is its clock at every row.
pub(crate) fn stamp_arrived(batch: &mut Batch, at: i64, clock: &Arrival) {
    batch.clock = at;
    batch.clocks = vec![at; batch.len()];
    batch.runs = vec![Run { time: clock.time(at), end: batch.len() as u32 }];
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[test]
    fn the_arrival_clock_is_never_turned_back_and_goes_on_from_a_time_in_the_future() {
        static WALL: AtomicI64 = AtomicI64::new(1_000);
        let set = |to| WALL.store(to, Ordering::Relaxed);
        let tick = Tick::from_millis(10).expect("not zero");
        let clock = Arrival::by(tick, || WALL.load(Ordering::Relaxed));
        assert_eq!((clock.now(), clock.time(1_000).millis()), (1_000, 1_000));
        assert_eq!(clock.time(1_001).millis(), 1_010);
        set(900);
        assert_eq!(clock.now(), 1_000);
        set(1_100);
        assert_eq!(clock.now(), 1_100);
        // A time that is past changes nothing; one to come is where it goes on.
        clock.pass(tick.round_up(500));
        assert_eq!(clock.now(), 1_100);
        clock.pass(tick.round_up(5_000));
        assert_eq!(clock.now(), 5_001);
        set(1_103);
        assert_eq!(clock.now(), 5_004);
    }

    fn stamped(times: &[i64], block: usize, jump: Option<i64>) -> (Vec<(i64, u64)>, usize) {
        let mut clock = Clock::new(Tick::from_millis(10).expect("not zero"), jump);
        let (mut out, mut refused) = (Vec::new(), 0);
        for chunk in times.chunks(block) {
            let mut batch = Batch { times: chunk.to_vec(), ..Batch::default() };
            let far: Vec<usize> = clock.refuse(&batch.times).iter().map(|(i, _)| *i).collect();
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
    fn late_is_what_is_further_behind_the_newest_so_far() {
        let tick = Tick::from_millis(10).expect("not zero");
        let clock = Clock::new(tick, Some(50)).bounded(Some(Millis(20)));
        // The newest so far is 100, then 120, then still 120: 171 is too far ahead of it.
        let times = [100, 80, 79, 120, 100, 99, 171, 99, 170];
        let late = |i| (i, Implausible::Late);
        let want = [late(2), late(5), (6, Implausible::Ahead), late(7)];
        assert_eq!(clock.refuse(&times), want);
        assert_eq!(Clock::new(tick, None).refuse(&times), []);
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
