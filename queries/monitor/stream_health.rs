//! The health of the streams: per stream and minute of stream time, what came and how late.
//!
//! - `events`: records that came in the minute. A record delivered again unchanged is dropped
//!   before it is seen here, and a bad one is in the dead letters; the run's summary counts both.
//! - `corrected`: records that were taken back in the minute: by a later record of their id, or by
//!   a retraction of a change log.
//! - `late`: events whose delay is above `late_after` (default five minutes).
//! - `mean_delay`, `worst_delay`: milliseconds from an event's own time to its stamp. Stamps are
//!   rounded up to the tick (a minute where nothing else is said), and delays with them.
//!
//! The clock is the sources' own: a stream that is silent has no rows, and one that is late as a
//! whole is only seen to be so beside a faster one. What came is never rewritten. Each stream may
//! be absent. State: four numbers per stream and minute.

use crate::clock::{Millis, Time};
use crate::config::Settings;
use crate::error::Error;
use crate::event::{Row, Shape, Stream};
use crate::monoid::Most;
use crate::operator::{Aggregate, Collection};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::{Moment, Real};
use serde::Deserialize;
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamHealth {
    /// The delay from which on an event is late.
    pub late_after: Millis,
}

impl Default for StreamHealth {
    fn default() -> Self {
        StreamHealth { late_after: Millis::minutes(5) }
    }
}

crate::record! {
    /// A minute of a stream.
    pub struct Output {
        keys { stream: Text, minute: Moment }
        values {
            events: i64,
            corrected: i64,
            late: i64,
            mean_delay: Option<Real>,
            worst_delay: Option<i64>,
        }
    }
}

/// An arrival: the stream's position, its minute, its delay, whether it takes a record back.
type Arrival = (u8, i64, i64, bool);

fn arrival<S: Shape>(row: &Row<'_, S>, stamp: Time) -> Arrival {
    let stamp = stamp.millis() as i64;
    let minute = stamp.div_euclid(60_000) * 60_000;
    (S::STREAM.index() as u8, minute, stamp - row.time(), row.diff() < 0)
}

impl Query for StreamHealth {
    type Output = Output;

    fn name(&self) -> &'static str {
        "stream_health"
    }

    fn about(&self) -> &'static str {
        "events, corrections, lateness and delay per stream and minute"
    }

    fn configure(&mut self, settings: &Settings) -> Result<(), Error> {
        *self = settings.of(self.name())?;
        Ok(())
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        inputs.any_of(Stream::ALL);
        // Delays mean little against the end of a day.
        inputs.tick();
        let late_after = self.late_after.0 as i64;
        let streams = [
            inputs.behavior(&[]).arrivals("Behavior", arrival),
            inputs.transactions(&[]).arrivals("Transactions", arrival),
            inputs.logistics(&[]).arrivals("Logistics", arrival),
            inputs.ads(&[]).arrivals("Ads", arrival),
            inputs.logins(&[]).arrivals("Logins", arrival),
            inputs.inventory(&[]).arrivals("Inventory", arrival),
        ];
        let [first, rest @ ..] = streams;
        rest.into_iter().fold(first, |all, more| all.concat(more)).aggregate(
            "StreamHealth",
            |(stream, minute, ..): &Arrival| Some((*stream, *minute)),
            move |(counts, delays, worst): &mut ((i64, i64, i64), i128, Most), arrival, _| {
                let (_, _, delay, takes_back) = *arrival;
                if takes_back {
                    counts.1 += 1;
                } else {
                    counts.0 += 1;
                    counts.2 += i64::from(delay > late_after);
                    *delays += i128::from(delay);
                    worst.see(delay);
                }
            },
            |&(stream, minute), &((events, corrected, late), delays, worst)| {
                let stream = Stream::ALL.get(usize::from(stream))?;
                Some(Output {
                    stream: Text::new(stream.name()),
                    minute: Moment(minute),
                    events,
                    corrected,
                    late,
                    mean_delay: (events > 0).then(|| Real(delays as f64 / events as f64)),
                    worst_delay: worst.0,
                })
            },
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut minutes: BTreeMap<(&str, i64), Vec<(i64, i64)>> = BTreeMap::new();
        for &stream in Stream::ALL {
            for (stamp, time, diff) in history.arrivals(stream, at) {
                let minute = stamp.millis() as i64 / 60_000 * 60_000;
                let arrivals = minutes.entry((stream.name(), minute)).or_default();
                arrivals.push((stamp.millis() as i64 - time, diff));
            }
        }
        let row = |((stream, minute), arrivals): ((&str, i64), Vec<(i64, i64)>)| {
            let delays: Vec<i64> =
                arrivals.iter().filter(|(_, diff)| *diff > 0).map(|(delay, _)| *delay).collect();
            let events = delays.len() as i64;
            Output {
                stream: Text::new(stream),
                minute: Moment(minute),
                events,
                corrected: arrivals.len() as i64 - events,
                late: delays.iter().filter(|d| **d > self.late_after.0 as i64).count() as i64,
                mean_delay: Real::ratio(delays.iter().sum(), events),
                worst_delay: delays.iter().max().copied(),
            }
        };
        minutes.into_iter().map(row).collect()
    }
}
