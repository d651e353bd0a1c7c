//! `due`, `recent` and `every`: what happens because time passes and nothing else does.
//!
//! What time it is says a [`Clock`]: the newest event time that came of some streams up to a stamp,
//! not the stamp, which is that time rounded up to the tick. So what has come or gone in the end is
//! the same for all ticks, and a tick decides only when it is seen. Time passes where a record
//! comes, and nothing happens at other times: after the last one nothing is left to be shown.
//!
//! `due` holds each item back until an instant of its own, such as an hour after its event time;
//! `recent` is a collection without what is due in that way; `every` holds all back until the next
//! full period, so that what reads it is not kept busy by each change. Updates wait in one bucket
//! per tick of their instant and are added up there, so what is taken back in time costs nothing
//! later. Bound: the items whose instant is to come.

use super::memory::{Place, Reader, Writer};
use super::sealed::{Open, Remember, remember_by_clock};
use super::{Batches, Collection, Item, Table};
use crate::clock::{Millis, Tick, Time};
use differential_dataflow::AsCollection;
use std::collections::BTreeMap;
use std::hash::Hash;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::generic::Operator;

/// For a worker: the newest event time of some records, and their stamp.
pub(super) type Mark = (u64, Time, i64);

/// What time it is in some streams.
#[derive(Clone)]
pub struct Clock<'s> {
    pub(super) marks: Stream<'s, Time, Vec<Mark>>,
    tick: Tick,
}

impl<'s> Clock<'s> {
    /// The clock of a stream; each worker gets to know what all have read.
    pub(crate) fn of(batches: Batches<'s>, tick: Tick) -> Self {
        let peers = batches.scope().peers() as u64;
        let marks = batches.unary::<CapacityContainerBuilder<Vec<Mark>>, _, _, _>(
            Pipeline,
            "Clock",
            move |_, _| {
                move |input, output| {
                    input.for_each(|cap, data| {
                        let mut newest: BTreeMap<Time, i64> = BTreeMap::new();
                        for batch in data.drain(..) {
                            let mut clock = batch.clock;
                            for (time, rows) in batch.runs() {
                                clock = rows.fold(clock, |now, row| batch.clock_at(row, now));
                                let known = newest.entry(time).or_insert(clock);
                                *known = clock.max(*known);
                            }
                        }
                        let mut session = output.session(&cap);
                        for (time, clock) in newest {
                            (0..peers).for_each(|worker| session.give((worker, time, clock)));
                        }
                    });
                }
            },
        );
        Clock { marks, tick }
    }

    /// The clock of these streams and those together: the newest event time of any.
    pub fn and(self, other: Clock<'s>) -> Self {
        Clock { marks: self.marks.concat(other.marks), tick: self.tick }
    }
}

/// A clock of which only the full periods count.
#[derive(Clone)]
pub struct Periods<'s> {
    pub(crate) clock: Clock<'s>,
    pub(crate) period: Millis,
}

/// Changes that come from the passing of time.
pub trait Passing<'s, T> {
    /// The items whose instant (milliseconds since 1970) has come: `when` is now or before.
    fn due(self, when: impl Fn(&T) -> i64 + 'static, clock: &Clock<'s>) -> Collection<'s, T>;
    /// The items whose instant is less than `span` ago: those with `when` in (now - span, now], and
    /// those whose instant is still to come.
    fn recent(
        self,
        span: Millis,
        when: impl Fn(&T) -> i64 + 'static,
        clock: &Clock<'s>,
    ) -> Collection<'s, T>;
    /// The collection as it was at the end of the last full period: what was stamped up to then.
    fn every(self, periods: &Periods<'s>) -> Collection<'s, T>;
}

impl<'s, T: Item + Hash> Passing<'s, T> for Collection<'s, T> {
    fn due(self, when: impl Fn(&T) -> i64 + 'static, clock: &Clock<'s>) -> Collection<'s, T> {
        hold_back(self, "Due", move |item, _| when(item), clock)
    }

    fn recent(
        self,
        span: Millis,
        when: impl Fn(&T) -> i64 + 'static,
        clock: &Clock<'s>,
    ) -> Collection<'s, T> {
        let span = span.signed();
        let gone = self.clone().due(move |item| when(item).saturating_add(span), clock).negate();
        self.concat(gone)
    }

    fn every(self, periods: &Periods<'s>) -> Collection<'s, T> {
        let period = periods.period;
        hold_back(self, "Every", move |_, time| time.end_of(period).signed(), &periods.clock)
    }
}

/// Holds each update back until an instant: `until` says it of an item and its stamp, and says the
/// same of the tick in which that instant is.
fn hold_back<'s, T: Item + Hash>(
    collection: Collection<'s, T>,
    name: &str,
    until: impl Fn(&T, Time) -> i64 + 'static,
    clock: &Clock<'s>,
) -> Collection<'s, T> {
    let held = Held { until, tick: clock.tick, buckets: BTreeMap::new(), items: 0 };
    remember_by_clock(collection.inner, Pipeline, (name, clock.clone()), held).as_collection()
}

struct Held<T, F> {
    until: F,
    tick: Tick,
    /// By the tick of the instant, or the stamp where that is later.
    buckets: BTreeMap<Time, Table<T, isize>>,
    /// How many items are in all of them: there may be a bucket for each tick of a day.
    items: usize,
}

impl<T: Item + Hash, F: Fn(&T, Time) -> i64> Held<T, F> {
    fn put(&mut self, bucket: Time, item: T, diff: isize) {
        let bucket = self.buckets.entry(bucket).or_default();
        let before = bucket.len();
        *bucket.entry(item).or_default() += diff;
        self.items += bucket.len() - before;
    }
}

impl<T: Item + Hash, F: Fn(&T, Time) -> i64 + 'static> Remember for Held<T, F> {
    type In = (T, Time, isize);
    type Held = Vec<(T, isize)>;
    type Out = (T, Time, isize);

    fn hold(&self, (item, time, diff): Self::In, ticks: &mut Open<Self::Held>) {
        ticks.held(time).push((item, diff));
    }

    fn step(&mut self, stamp: Time, now: i64, items: Self::Held, mut give: impl FnMut(Self::Out)) {
        for (item, diff) in items {
            let tick = self.tick.round_up((self.until)(&item, stamp));
            self.put(stamp.max(tick), item, diff);
        }
        let mut rest: Table<T, isize> = Table::default();
        while let Some(bucket) = self.buckets.first_entry() {
            let tick = *bucket.key();
            if tick > stamp {
                break;
            }
            let bucket = bucket.remove();
            self.items -= bucket.len();
            for (item, diff) in bucket {
                if (self.until)(&item, tick) > now {
                    // Later within the tick: it is due with the next stamp.
                    *rest.entry(item).or_default() += diff;
                } else if diff != 0 {
                    give((item, stamp, diff));
                }
            }
        }
        if !rest.is_empty() {
            self.items += rest.len();
            self.buckets.insert(stamp, rest);
        }
    }

    fn save(&self, writer: &mut Writer) {
        for (bucket, items) in &self.buckets {
            items.iter().for_each(|(item, diff)| writer.put(&(bucket, item, diff)));
        }
    }

    fn load(&mut self, reader: &mut Reader<'_>, here: Place) {
        for (bucket, item, diff) in reader.all::<(Time, T, isize)>() {
            if here.owns(&item) {
                self.put(bucket, item, diff);
            }
        }
    }

    fn size(&self) -> (usize, usize) {
        (self.items, self.items * (size_of::<(T, isize)>() + 1))
    }
}
