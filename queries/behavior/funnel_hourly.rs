//! The funnel by hour: how many sessions came from looking to buying, and where they stopped.
//!
//! Steps: `view_item`, `add_to_cart`, `begin_checkout`, `purchase` (GA4's purchase journey). A
//! session reaches a step if it has that event or one of a later step: who has bought has checked
//! out, also in a shop whose pages do not say so, or whose event was lost. So no step has more
//! sessions than the one before. In which order the events came does not matter, as clients'
//! clocks and late records do not keep it. It counts
//! in the hour of event time in which it starts. `cart_rate`, `checkout_rate` and
//! `purchase_rate` are a step by the step before, `conversion` the last step by the first; empty
//! where nobody reached the one divided by. Sessions: [`crate::query::session`]. State: one entry
//! per event (shared with `sessions`), five counts per hour.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::behavior::funnel_hourly::FunnelHourly;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Behavior, "\
//! visit_time,session_id,event
//! 2026-01-05T10:00:00Z,a,view_item
//! 2026-01-05T10:01:00Z,a,add_to_cart
//! 2026-01-05T10:02:00Z,b,view_item
//! 2026-01-05T10:03:00Z,b,purchase
//! ")])?;
//! let hours = FunnelHourly::default().answer(&history, history.last());
//! assert_eq!((hours[0].view_item, hours[0].add_to_cart, hours[0].purchase), (2, 2, 1));
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use super::sessions::{count, naive};
use crate::clock::{Millis, Time};
use crate::operator::{Aggregate, Collection};
use crate::query::session::STEPS;
use crate::query::{History, Inputs, Query};
use crate::value::{Hour, Real};
use std::collections::BTreeMap;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug)]
    pub struct FunnelHourly {
        /// The longest inactivity within a session that has no id.
        pub gap: Millis = Millis::minutes(30),
    }
}

crate::record! {
    /// The sessions that start in an hour.
    pub struct Output {
        keys {
            /// The hour in which the sessions start (event time, by its first moment).
            hour: Hour,
        }
        values {
            /// Sessions that start in it.
            sessions: i64,
            /// Those with a view_item or a later step.
            view_item: i64,
            /// Those with an add_to_cart or a later step.
            add_to_cart: i64,
            /// Those with a begin_checkout or a purchase.
            begin_checkout: i64,
            /// Those with a purchase.
            purchase: i64,
            /// add_to_cart / view_item, a share from 0 to 1.
            cart_rate: Option<Real>,
            /// begin_checkout / add_to_cart.
            checkout_rate: Option<Real>,
            /// purchase / begin_checkout.
            purchase_rate: Option<Real>,
            /// purchase / view_item.
            conversion: Option<Real>,
        }
    }
}

fn row(hour: Hour, sessions: i64, [view, cart, checkout, purchase]: [i64; 4]) -> Output {
    Output {
        hour,
        sessions,
        view_item: view,
        add_to_cart: cart,
        begin_checkout: checkout,
        purchase,
        cart_rate: Real::ratio(cart, view),
        checkout_rate: Real::ratio(checkout, cart),
        purchase_rate: Real::ratio(purchase, checkout),
        conversion: Real::ratio(purchase, view),
    }
}

impl Query for FunnelHourly {
    type Output = Output;

    fn name(&self) -> &'static str {
        "funnel_hourly"
    }

    fn about(&self) -> &'static str {
        "sessions by hour that view, add to cart, check out and buy, with conversions"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        inputs.sessions(self.gap).aggregate(
            "FunnelHourly",
            |session| Some(Hour::of(session.start)),
            |(sessions, (view, cart), (checkout, purchase)): &mut Reached, session, diff| {
                *sessions += diff;
                let furthest = session.steps.iter().rposition(|there| *there);
                let reached = furthest.map_or(0, |step| step + 1);
                let steps = [view, cart, checkout, purchase];
                steps.into_iter().take(reached).for_each(|step| *step += diff);
            },
            |&hour, &(sessions, (view, cart), (checkout, purchase))| {
                (sessions > 0).then(|| row(hour, sessions, [view, cart, checkout, purchase]))
            },
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut hours: BTreeMap<Hour, (i64, [i64; 4])> = BTreeMap::new();
        for (_, events) in naive(history, at, self.gap) {
            let (sessions, reached) = hours.entry(events[0].hour()).or_default();
            *sessions += 1;
            for (i, reached) in reached.iter_mut().enumerate() {
                let so_far = STEPS[i..].iter().any(|step| count(&events, |e| e == *step) > 0);
                *reached += i64::from(so_far);
            }
        }
        hours.into_iter().map(|(hour, (sessions, steps))| row(hour, sessions, steps)).collect()
    }
}

/// All sessions, and those that reached each step.
type Reached = (i64, (i64, i64), (i64, i64));
