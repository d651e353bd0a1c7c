//! Sessions: when each began and ended, and what came of it.
//!
//! What a session is: [`crate::query::session`] (GA4's `session_id`, otherwise a user's events
//! with at most 30 minutes between neighbours). `pages` counts the viewing events, `converted` is
//! whether there was a `purchase`, `value` the sum of what the purchases are worth: the `value` that
//! each tells, otherwise its price times its quantity; empty if it does not fit into 64 bits. A late event can join two sessions, one that is taken back can part them; the rows
//! follow. State: one entry per event.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::behavior::sessions::Sessions;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Behavior, "\
//! visit_time,user_id,event,price,value
//! 2026-01-05T10:00:00Z,ann,view_item,,
//! 2026-01-05T10:20:00Z,ann,purchase,19.90,
//! 2026-01-05T11:00:00Z,ann,view_item,5.00,5.00
//! 2026-01-05T11:01:00Z,ann,purchase,5.00,34.90
//! ")])?;
//! let sessions = Sessions::default().answer(&history, history.last());
//! assert_eq!(sessions.len(), 2);
//! assert_eq!((sessions[0].events, sessions[0].value.map(|cents| cents.0)), (2, Some(1990)));
//! assert_eq!(sessions[1].value.map(|cents| cents.0), Some(3490));
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use crate::clock::{Millis, Time};
use crate::event::{Behavior, Row, ShopEvent};
use crate::monoid::Wide;
use crate::operator::Collection;
use crate::query::session::{value, visitor};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::{Moment, Money};
use std::collections::BTreeMap;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug)]
    pub struct Sessions {
        /// The longest inactivity within a session that has no id.
        pub gap: Millis = Millis::minutes(30),
    }
}

crate::record! {
    /// A session.
    pub struct Output {
        keys {
            /// The visitor, where known.
            user_id: Text,
            /// The session, where it has an id.
            session_id: Text,
            /// Event time of its first event.
            start: Moment,
        }
        values {
            /// Event time of its last event.
            end: Moment,
            /// Its events.
            events: i64,
            /// Viewing events among them.
            pages: i64,
            /// Whether there was a purchase.
            converted: bool,
            /// Price times quantity of the purchases, added up.
            /// Empty where it does not fit into 64 bits.
            value: Option<Money>,
        }
    }
}

impl Query for Sessions {
    type Output = Output;

    fn name(&self) -> &'static str {
        "sessions"
    }

    fn about(&self) -> &'static str {
        "sessions of visitors: start, end, events, pages, conversion and value"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        inputs.sessions(self.gap).map(|session| Output {
            start: Moment(session.start),
            end: Moment(session.end),
            events: session.events,
            pages: session.pages,
            converted: session.converted(),
            value: Money::of(session.value.get()),
            user_id: session.user_id,
            session_id: session.session_id,
        })
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let row = |((user_id, session_id), events): &(Visitor, Vec<Row<'_, Behavior>>)| Output {
            user_id: user_id.clone(),
            session_id: session_id.clone(),
            start: Moment(events[0].time()),
            end: Moment(events[events.len() - 1].time()),
            events: events.len() as i64,
            pages: count(events, ShopEvent::is_view),
            converted: count(events, |e| e == ShopEvent::Purchase) > 0,
            value: Money::of(total(events).get()),
        };
        naive(history, at, self.gap).iter().map(row).collect()
    }
}

/// What the events add to the value of their session.
pub(super) fn total(events: &[Row<'_, Behavior>]) -> Wide {
    let mut sum = Wide::default();
    events.iter().for_each(|event| sum.add(value(event)));
    sum
}

/// User and session id.
type Visitor = (Text, Text);

/// How many of the events are such.
pub(super) fn count(events: &[Row<'_, Behavior>], such: impl Fn(ShopEvent) -> bool) -> i64 {
    events.iter().filter(|e| e.event().is_some_and(&such)).count() as i64
}

/// All sessions with their events: sort each visitor's events and cut where the gap is too wide.
/// No session is empty.
pub(super) fn naive(
    history: &History,
    at: Time,
    gap: Millis,
) -> Vec<(Visitor, Vec<Row<'_, Behavior>>)> {
    let mut visitors: BTreeMap<Visitor, Vec<Row<'_, Behavior>>> = BTreeMap::new();
    for visit in history.behavior(at) {
        if let Some(visitor) = visitor(&visit) {
            visitors.entry(visitor).or_default().push(visit);
        }
    }
    let mut sessions = Vec::new();
    for (visitor, mut events) in visitors {
        events.sort_by_key(Row::time);
        if !visitor.1.is_empty() {
            sessions.push((visitor, events));
            continue;
        }
        let near =
            |a: &Row<'_, Behavior>, b: &Row<'_, Behavior>| b.time() - a.time() <= gap.0 as i64;
        for session in events.chunk_by(near) {
            sessions.push((visitor.clone(), session.to_vec()));
        }
    }
    sessions
}
