//! Carts that were left: an alert because something did not happen.
//!
//! There is an alert for each session that has an `add_to_cart` and no `purchase`, and whose last
//! `add_to_cart` lies at least `after` (60 minutes) before the newest event time of any visit. So it appears without any record of that
//! session coming, and goes when a purchase comes late, when the visitor adds something more, or
//! when the cart event is taken back. What is in the cart is not asked: `remove_from_cart` leaves
//! the alert. Sessions: [`crate::query::session`]. State: one entry per event (shared with
//! `sessions`), and the carts of the last hour.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::behavior::cart_abandonment::CartAbandonment;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Behavior, "\
//! visit_time,session_id,event
//! 2026-01-05T10:00:00Z,a,add_to_cart
//! 2026-01-05T10:30:00Z,b,add_to_cart
//! 2026-01-05T11:00:00Z,c,view_item
//! ")])?;
//! let alerts = CartAbandonment::default().answer(&history, history.last());
//! assert_eq!(alerts.len(), 1);
//! assert_eq!(alerts[0].session_id.to_string(), "a");
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use super::sessions::{count, naive};
use crate::clock::{Millis, Time};
use crate::event::{ShopEvent, Stream};
use crate::operator::{Collection, Passing};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::Moment;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug)]
    pub struct CartAbandonment {
        /// The longest inactivity within a session that has no id.
        pub gap: Millis = Millis::minutes(30),
        /// How long after the last `add_to_cart` a cart counts as left.
        pub after: Millis = Millis::minutes(60),
    }
}

crate::record! {
    /// A cart that was left.
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
            /// Event time of its last add_to_cart.
            last_cart: Moment,
            /// Events of the session.
            events: i64,
        }
    }
}

impl Query for CartAbandonment {
    type Output = Output;

    fn name(&self) -> &'static str {
        "cart_abandonment"
    }

    fn about(&self) -> &'static str {
        "sessions with a cart and no purchase an hour after the last add_to_cart"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let (after, clock) = (self.after.signed(), inputs.clock(Stream::Behavior));
        inputs
            .sessions(self.gap)
            .filter(|session| !session.converted())
            .flat_map(|session| {
                session.last_cart.map(|last_cart| Output {
                    start: Moment(session.start),
                    last_cart: Moment(last_cart),
                    events: session.events,
                    user_id: session.user_id,
                    session_id: session.session_id,
                })
            })
            .due(move |cart| cart.last_cart.0.saturating_add(after), &clock)
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let now = history.now(&[Stream::Behavior], at);
        let mut alerts = Vec::new();
        for ((user_id, session_id), events) in naive(history, at, self.gap) {
            let carts = events.iter().filter(|e| e.event() == Some(ShopEvent::AddToCart));
            let Some(last_cart) = carts.map(|e| e.time()).max() else { continue };
            let old = last_cart.saturating_add(self.after.signed()) <= now;
            if old && count(&events, |e| e == ShopEvent::Purchase) == 0 {
                alerts.push(Output {
                    user_id,
                    session_id,
                    start: Moment(events[0].time()),
                    last_cart: Moment(last_cart),
                    events: events.len() as i64,
                });
            }
        }
        alerts
    }
}
