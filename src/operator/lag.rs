//! `lag` and `retain`: what happens because time passes and nothing else does.
//!
//! `lag` lets every update through again a span of stream time later; `retain` is a collection
//! together with its delayed opposite, so an item stays for the span and then goes. Updates wait
//! in one bucket per future tick and are added up there, so what is taken back in time costs
//! nothing later. When the sources end, what still waits comes out with its future time, and the
//! ports do not show it (see `collect`). Bound: the items of the last span.
//!
//! `due` holds each item back until an instant of its own, such as an hour after its event time;
//! `recent` is a collection without what is due in that way; `every` holds all back until the next full period, so that what reads it is not kept busy by
//! each change.

use super::ticks::Ticks;
use super::{Collection, Item, Table};
use crate::clock::{Millis, Tick, Time};
use differential_dataflow::AsCollection;
use std::hash::Hash;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;

/// Changes that come from the passing of time.
pub trait Passing<'s, T> {
    /// The collection as it was `span` earlier.
    fn lag(self, span: Millis, tick: Tick) -> Collection<'s, T>;
    /// The items that came within the last `span`.
    fn retain(self, span: Millis, tick: Tick) -> Collection<'s, T>;
    /// The items whose instant (milliseconds since 1970) has come: at stream time `t` those of
    /// the collection as it is then with `when` at or before `t`.
    fn due(self, when: impl Fn(&T) -> i64 + 'static, tick: Tick) -> Collection<'s, T>;
    /// The items whose instant is less than `span` ago: at stream time `t` those with `when` in
    /// (t - span, t], and those whose instant is still to come.
    fn recent(
        self,
        span: Millis,
        when: impl Fn(&T) -> i64 + 'static,
        tick: Tick,
    ) -> Collection<'s, T>;
    /// The collection as it was at the latest multiple of `period` of stream time.
    fn every(self, period: Millis, tick: Tick) -> Collection<'s, T>;
}

impl<'s, T: Item + Hash> Passing<'s, T> for Collection<'s, T> {
    fn lag(self, span: Millis, tick: Tick) -> Collection<'s, T> {
        delay(self, "Lag", move |_, time| time.after(span, tick))
    }

    fn retain(self, span: Millis, tick: Tick) -> Collection<'s, T> {
        let gone = self.clone().lag(span, tick).negate();
        self.concat(gone)
    }

    fn due(self, when: impl Fn(&T) -> i64 + 'static, tick: Tick) -> Collection<'s, T> {
        delay(self, "Due", move |item, time| time.max(tick.round_up(when(item))))
    }

    fn recent(
        self,
        span: Millis,
        when: impl Fn(&T) -> i64 + 'static,
        tick: Tick,
    ) -> Collection<'s, T> {
        let span = i64::try_from(span.0).unwrap_or(i64::MAX);
        let gone = self.clone().due(move |item| when(item).saturating_add(span), tick).negate();
        self.concat(gone)
    }

    fn every(self, period: Millis, tick: Tick) -> Collection<'s, T> {
        delay(self, "Every", move |_, time| tick.round_up(time.round_up(period)))
    }
}

/// Lets each update through at another time, which must not be earlier.
fn delay<'s, T: Item + Hash>(
    collection: Collection<'s, T>,
    name: &str,
    to: impl Fn(&T, Time) -> Time + 'static,
) -> Collection<'s, T> {
    collection
        .inner
        .unary_frontier::<CapacityContainerBuilder<Vec<(T, Time, isize)>>, _, _, _>(
            Pipeline,
            name,
            move |_, _| {
                let mut ticks: Ticks<Table<T, isize>> = Ticks::default();
                move |(input, frontier), output| {
                    input.for_each(|cap, data| {
                        ticks.hold(&cap);
                        for (item, time, diff) in data.drain(..) {
                            let later = ticks.at(to(&item, time));
                            *later.entry(item).or_default() += diff;
                        }
                    });
                    ticks.release(frontier, |cap, time, items| {
                        let mut session = output.session(cap);
                        for (item, diff) in items {
                            if diff != 0 {
                                session.give((item, time, diff));
                            }
                        }
                    });
                }
            },
        )
        .as_collection()
}
