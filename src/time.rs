//! Stream time: its instants, spans and granularity.
//!
//! A [`Time`] is made by the clock ([`crate::clock`]) and by what is worked out from one; a test keeps
//! it so.

use serde::{Deserialize, Serialize};
use std::fmt;
use timely::order::{PartialOrder, TotalOrder};
use timely::progress::timestamp::{PathSummary, Refines, Timestamp};

/// Stream time: milliseconds since 1970, a multiple of the tick.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(u64);

impl Time {
    /// The instant so many milliseconds after 1970: for the clock alone.
    pub(crate) fn minted(millis: u64) -> Time {
        Time(millis)
    }

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
    /// A second.
    pub const SECOND: Tick = Tick(1_000);
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

    /// Whether each instant of this tick is one of the other, which is finer.
    pub fn is_multiple_of(self, finer: Tick) -> bool {
        self.0.is_multiple_of(finer.0)
    }

    /// The first multiple of the tick at or after an event time.
    #[inline]
    pub fn round_up(self, event_time: i64) -> Time {
        Time((event_time.max(0) as u64).div_ceil(self.0) * self.0)
    }
}
