//! The order of arrival: what judges a record by those that came before sees all in one order.
//!
//! That order is (clock, partition, position), where the clock is that of the record's partition
//! before it is rounded up to the tick: no judgement depends on the tick, on how the input is cut
//! into blocks or on who read it. Records are sent to the worker they belong to and kept there
//! until their tick is sealed; then the tick's records are taken in the order of arrival. Bound:
//! what is between the frontier and the newest stamp.

use super::Batches;
use super::memory::{Place, Reader, Writer};
use super::sealed::{Open, Remember, remember};
use crate::batch::Batch;
use crate::clock::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::Arc;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::Operator;

/// What sees the records of a worker in the order of arrival and says what becomes of them.
pub(super) trait Judge {
    /// The layout of what it gives.
    fn layout(&self) -> &Batch;
    /// Takes the next record, which came at this clock.
    fn see(&mut self, batch: &Batch, row: usize, clock: i64, out: &mut Batch);
    /// Told that a tick is over.
    fn sweep(&mut self, _now: Time) {}
    /// Drops what only records of event times up to this one could change.
    fn forget(&mut self, _until: i64) {}
    /// Writes down what it knows.
    fn save(&self, writer: &mut Writer);
    /// Takes back what a worker wrote down, as far as it belongs here.
    fn load(&mut self, reader: &mut Reader<'_>, here: Place);
    /// How many entries there are, and the bytes of their table.
    fn size(&self) -> (usize, usize);
}

/// Shows each record to the judge of the worker that `to` names.
pub(super) fn in_arrival_order<'s>(
    batches: Batches<'s>,
    name: &str,
    to: impl Fn(&Batch, usize) -> u64 + 'static,
    judge: impl Judge + 'static,
) -> Batches<'s> {
    let by_worker = Exchange::new(|(worker, _): &(u64, Arc<Batch>)| *worker);
    let out = judge.layout().clone();
    remember(divide(batches, to), by_worker, name, Judging { judge, out })
}

struct Judging<J> {
    judge: J,
    /// What is to be sent, also of several ticks.
    out: Batch,
}

impl<J: Judge> Judging<J> {
    fn take(&mut self) -> Arc<Batch> {
        let empty = self.judge.layout().clone();
        Arc::new(std::mem::replace(&mut self.out, empty))
    }
}

impl<J: Judge + 'static> Remember for Judging<J> {
    type In = (u64, Arc<Batch>);
    type Held = Vec<Part>;
    type Out = Arc<Batch>;

    fn hold(&self, (_, batch): Self::In, ticks: &mut Open<Vec<Part>>) {
        let mut clock = batch.clock;
        for (time, rows) in batch.runs() {
            let before = clock;
            clock = rows.clone().fold(clock, |now, row| batch.clock_at(row, now));
            let batch = Arc::clone(&batch);
            ticks.held(time).push(Part { batch, rows, clock: before });
        }
    }

    fn step(&mut self, stamp: Time, _: i64, parts: Vec<Part>, mut give: impl FnMut(Arc<Batch>)) {
        let Judging { judge, out } = self;
        in_order(parts, |batch, row, clock| judge.see(batch, row, clock, out));
        // Also where no record changes anything: that the time came must be seen.
        out.mark(stamp);
        judge.sweep(stamp);
        if out.len() >= 8192 {
            give(self.take());
        }
    }

    fn flush(&mut self, mut give: impl FnMut(Arc<Batch>)) {
        if !self.out.runs.is_empty() {
            give(self.take());
        }
    }

    fn forget(&mut self, until: i64) {
        self.judge.forget(until);
    }

    fn save(&self, writer: &mut Writer) {
        self.judge.save(writer);
    }

    fn load(&mut self, reader: &mut Reader<'_>, here: Place) {
        self.judge.load(reader, here);
    }

    fn size(&self) -> (usize, usize) {
        self.judge.size()
    }
}

/// Some rows of a batch that are in one tick, and the clock before the first of them.
pub(super) struct Part {
    batch: Arc<Batch>,
    rows: Range<usize>,
    clock: i64,
}

impl Part {
    /// Where its next row is in the order of arrival.
    fn place(&self) -> (i64, u32, u64, usize) {
        let clock = self.batch.clock_at(self.rows.start, self.clock);
        (clock, self.batch.partition, self.batch.offset, self.rows.start)
    }
}

/// Shows the rows of a tick in the order of arrival. Within a part they are in that order.
fn in_order(parts: Vec<Part>, mut see: impl FnMut(&Batch, usize, i64)) {
    let parts = parts.into_iter().filter(|part| !part.rows.is_empty());
    let mut heap: BinaryHeap<Reverse<(_, usize)>> = BinaryHeap::new();
    let mut parts: Vec<Part> = parts.collect();
    heap.extend(parts.iter().enumerate().map(|(i, part)| Reverse((part.place(), i))));
    while let Some(Reverse((_, i))) = heap.pop() {
        let part = &mut parts[i];
        let next = heap.peek().map(|Reverse((place, _))| *place);
        while !part.rows.is_empty() && next.is_none_or(|next| part.place() <= next) {
            let row = part.rows.start;
            part.clock = part.batch.clock_at(row, part.clock);
            see(&part.batch, row, part.clock);
            part.rows.start += 1;
        }
        if !part.rows.is_empty() {
            heap.push(Reverse((part.place(), i)));
        }
    }
}

/// Sends each record to the worker it belongs to.
fn divide<'s>(
    batches: Batches<'s>,
    to: impl Fn(&Batch, usize) -> u64 + 'static,
) -> timely::dataflow::Stream<'s, Time, Vec<(u64, Arc<Batch>)>> {
    let peers = batches.scope().peers();
    batches.unary::<CapacityContainerBuilder<Vec<(u64, Arc<Batch>)>>, _, _, _>(
        Pipeline,
        "Divide",
        move |_, _| {
            move |input, output| {
                input.for_each(|cap, data| {
                    let mut session = output.session(&cap);
                    for batch in data.drain(..) {
                        if peers == 1 {
                            session.give((0, batch));
                            continue;
                        }
                        for (worker, part) in parts(&batch, &to, peers).into_iter().enumerate() {
                            if !part.is_empty() {
                                session.give((worker as u64, Arc::new(part)));
                            }
                        }
                    }
                });
            }
        },
    )
}

fn parts(batch: &Batch, to: impl Fn(&Batch, usize) -> u64, peers: usize) -> Vec<Batch> {
    let mut parts = vec![batch.layout(); peers];
    let mut clock = batch.clock;
    for (time, rows) in batch.runs() {
        for row in rows {
            let worker = to(batch, row) as usize % peers;
            clock = batch.clock_at(row, clock);
            parts[worker].push_row(batch, row, batch.diff(row));
            parts[worker].clocks.push(clock);
        }
        for part in &mut parts {
            part.stamp(time);
        }
    }
    parts
}
