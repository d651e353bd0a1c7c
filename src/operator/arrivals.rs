//! The order of arrival: what judges a record by those that came before sees all in one order.
//!
//! That order is (clock, partition, position), where the clock is that of the record's partition
//! before it is rounded up to the tick: no judgement depends on the tick, on how the input is cut
//! into blocks or on who read it. Records are sent to the worker they belong to and kept there
//! until their tick is sealed; then the tick's records are taken in the order of arrival. Bound:
//! what is between the frontier and the newest stamp.

use super::Batches;
use super::ticks::Ticks;
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
}

/// Shows each record to the judge of the worker that `to` names.
pub(super) fn in_arrival_order<'s>(
    batches: Batches<'s>,
    name: &str,
    to: impl Fn(&Batch, usize) -> u64 + 'static,
    mut judge: impl Judge + 'static,
) -> Batches<'s> {
    divide(batches, to).unary_frontier::<CapacityContainerBuilder<Vec<Arc<Batch>>>, _, _, _>(
        Exchange::new(|(worker, _): &(u64, Arc<Batch>)| *worker),
        name,
        move |_, _| {
            let mut ticks: Ticks<Vec<Part>> = Ticks::default();
            let mut rest = None;
            move |(input, frontier), output| {
                input.for_each(|cap, data| {
                    ticks.hold(&cap);
                    for (_, batch) in data.drain(..) {
                        let mut clock = batch.clock;
                        for (time, rows) in batch.runs() {
                            let before = clock;
                            clock = rows.clone().fold(clock, |now, row| batch.clock_at(row, now));
                            let batch = Arc::clone(&batch);
                            ticks.at(time).push(Part { batch, rows, clock: before });
                        }
                    }
                });
                let mut out = judge.layout().clone();
                ticks.release(frontier, |cap, time, parts| {
                    in_order(parts, |batch, row, clock| judge.see(batch, row, clock, &mut out));
                    // Also where no record changes anything: that the time came must be seen.
                    out.mark(time);
                    judge.sweep(time);
                    if out.len() >= 8192 {
                        let full = std::mem::replace(&mut out, judge.layout().clone());
                        output.session(cap).give(Arc::new(full));
                    }
                    rest = out.runs.last().map(|_| cap.clone());
                });
                if let Some(cap) = rest.take()
                    && !out.runs.is_empty()
                {
                    output.session(&cap).give(Arc::new(out));
                }
            }
        },
    )
}

/// Some rows of a batch that are in one tick, and the clock before the first of them.
struct Part {
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
