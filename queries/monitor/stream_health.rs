//! The health of the streams: per stream and minute of stream time, what came and how late.
//!
//! - `events`: records that came in the minute, as they were sent: duplicates are among them.
//! - `duplicates`: those of a known id, which replaced the earlier record or were ignored.
//! - `retractions`: records of a change log that take another back, whether or not that ever came;
//!   they are no events.
//! - `unmatched`: by how much the retractions whose record has not come became more; below zero
//!   where records came in the minute that had been taken back before.
//! - `late`: events whose delay is above `late_after` (default five minutes).
//! - `mean_delay`, `worst_delay`: milliseconds from an event's own time to the clock of its source
//!   when it came: the newest event time of the same file so far. An event in order has none. They
//!   do not depend on the tick.
//!
//! The clock is the sources' own: a stream that is silent has no rows, and one that is late as a
//! whole is only seen to be so beside a faster one. What came is never rewritten. A record that
//! cannot be read never came: it is in the dead letters, and counted in the run's summary. Each
//! stream may be absent. State: seven numbers per stream and minute.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::monitor::stream_health::StreamHealth;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Behavior, "\
//! visit_time,event_id,page_views
//! 2026-01-05T10:00:00Z,e1,1
//! 2026-01-05T09:30:00Z,e2,1
//! 2026-01-05T09:30:00Z,e2,1
//! ")])?;
//! let minutes = StreamHealth::default().answer(&history, history.last());
//! assert_eq!((minutes[0].events, minutes[0].late, minutes[0].duplicates), (3, 2, 1));
//! assert_eq!(minutes[0].worst_delay, Some(30 * 60_000));
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use crate::clock::{Millis, Time};
use crate::event::{
    Ads, Behavior, Catalog, Customers, Inventory, Logins, Logistics, Shape, Stream, Transactions,
};
use crate::monoid::Most;
use crate::operator::{Collection, Keyed};
use crate::query::{Arrival, History, Inputs, Query};
use crate::text::Text;
use crate::value::{Moment, Real};
use std::collections::BTreeMap;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug)]
    pub struct StreamHealth {
        /// The delay from which on an event is late.
        pub late_after: Millis = Millis::minutes(5),
    }
}

crate::record! {
    /// A minute of a stream.
    pub struct Output {
        keys {
            /// The stream.
            stream: Text,
            /// The minute of stream time (by its first moment).
            minute: Moment,
        }
        values {
            /// Records that came, duplicates among them.
            events: i64,
            /// Those with a known id.
            duplicates: i64,
            /// Records of a change log that take another back; no events.
            retractions: i64,
            /// Retractions whose record has not come: how many more than before the minute.
            unmatched: i64,
            /// Events whose delay is above late_after.
            late: i64,
            /// Mean milliseconds from an event's own time to the newest of its source so far.
            mean_delay: Option<Real>,
            /// The largest of the same.
            worst_delay: Option<i64>,
        }
    }
}

/// A stream's place in the list, and a minute.
type Key = (u8, i64);
/// Events, duplicates, retractions, unmatched and late ones; the delays added up; the worst.
type Health = ((i64, i64, i64, i64, i64), i128, Most);

fn minute(clock: i64) -> i64 {
    clock.div_euclid(60_000) * 60_000
}

impl StreamHealth {
    /// What came of a stream. A record of a known id adds nothing to the records that hold, so
    /// what was sent less what is added to those are the duplicates; a retraction of what never
    /// came is not among what was sent, so that less what arrived are the unmatched.
    fn of<'s, S: Shape>(&self, inputs: &Inputs<'s>) -> Keyed<'s, Key, Health> {
        let late_after = self.late_after.signed();
        let key = |clock: i64| Some((S::STREAM.index() as u8, minute(clock)));
        let arrived = inputs.arrived::<S>().clocked(
            "StreamHealth",
            move |_, clock| key(clock),
            move |(counts, delays, worst): &mut Health, row, clock| {
                counts.3 -= row.diff();
                if row.diff() < 0 {
                    counts.2 += 1;
                    return;
                }
                let delay = clock.saturating_sub(row.time());
                counts.0 += 1;
                counts.4 += i64::from(delay > late_after);
                *delays += i128::from(delay);
                worst.see(delay);
            },
        );
        let sent = inputs.sent::<S>(&[]).clocked(
            "Sent",
            move |_, clock| key(clock),
            |(counts, ..): &mut Health, row, _| {
                counts.3 += row.diff();
                counts.1 += row.diff();
            },
        );
        let hold = inputs.rows::<S>(&[]).clocked(
            "Unique",
            move |_, clock| key(clock),
            |(counts, ..): &mut Health, row, _| counts.1 -= row.diff(),
        );
        arrived.concat(sent).concat(hold)
    }
}

impl Query for StreamHealth {
    type Output = Output;

    fn name(&self) -> &'static str {
        "stream_health"
    }

    fn about(&self) -> &'static str {
        "events, duplicates, lateness and delay per stream and minute"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        inputs.any_of(Stream::ALL);
        let shop = self.of::<Behavior>(inputs).concat(self.of::<Transactions>(inputs));
        let shop = shop.concat(self.of::<Logistics>(inputs)).concat(self.of::<Ads>(inputs));
        let all = shop.concat(self.of::<Logins>(inputs)).concat(self.of::<Inventory>(inputs));
        let all = all.concat(self.of::<Catalog>(inputs)).concat(self.of::<Customers>(inputs));
        all.rows(|&(stream, minute), &(counts, delays, worst), rows| {
            let Some(stream) = Stream::ALL.get(usize::from(stream)) else { return };
            let (events, duplicates, retractions, unmatched, late) = counts;
            rows.push(Output {
                stream: Text::new(stream.name()),
                minute: Moment(minute),
                events,
                duplicates,
                retractions,
                unmatched,
                late,
                mean_delay: (events > 0).then(|| Real(delays as f64 / events as f64)),
                worst_delay: worst.0,
            });
        })
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut minutes: BTreeMap<(&str, i64), Vec<Arrival>> = BTreeMap::new();
        for &stream in Stream::ALL {
            for arrival in history.arrivals(stream, at) {
                let minute = arrival.clock - arrival.clock.rem_euclid(60_000);
                minutes.entry((stream.name(), minute)).or_default().push(arrival);
            }
        }
        let row = |((stream, minute), arrivals): ((&str, i64), Vec<Arrival>)| {
            let (back, events): (Vec<Arrival>, Vec<Arrival>) =
                arrivals.into_iter().partition(|arrival| arrival.retracts);
            let unmatched = back.iter().chain(&events).map(|arrival| arrival.unmatched).sum();
            let delays: Vec<i64> = events.iter().map(|event| event.clock - event.time).collect();
            Output {
                stream: Text::new(stream),
                minute: Moment(minute),
                events: events.len() as i64,
                duplicates: events.iter().filter(|event| event.known).count() as i64,
                retractions: back.len() as i64,
                unmatched,
                late: delays.iter().filter(|d| **d > self.late_after.0 as i64).count() as i64,
                mean_delay: Real::ratio(delays.iter().sum::<i64>(), events.len() as i64),
                worst_delay: delays.iter().max().copied(),
            }
        };
        minutes.into_iter().map(row).collect()
    }
}
