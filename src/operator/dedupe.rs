//! `dedupe`: one record per id.
//!
//! Records are sent to the worker their id belongs to and kept there, as bytes, until their tick
//! is sealed; then the tick's records are taken in the order of (partition, offset), which does
//! not depend on who read them. What the operator sends is a stream of batches again, in which a
//! replaced record comes back with diff -1. Bound: the records of the ids seen in the last `keep`
//! of stream time; a record that comes after that is taken for a new one, so what holds is a
//! function of the stamps alone and not of when the table is swept.

use super::ticks::Ticks;
use super::{Batches, Table, route};
use crate::batch::{Batch, Column};
use crate::clock::{Millis, Time};
use crate::event::{PaymentStatus, Stream, transactions};
use crate::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::Operator;

/// What becomes of a later record with a known id. In each case a cancellation or refund takes
/// the record it refers to back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum OnDuplicate {
    /// It replaces the earlier one.
    #[default]
    Replace,
    /// It is ignored.
    Ignore,
    /// It counts as well.
    Keep,
}

/// How records are recognised.
#[derive(Clone, Copy, Debug)]
pub struct Dedupe {
    /// What becomes of a later record with a known id.
    pub policy: OnDuplicate,
    /// For how long an id is remembered after its last record.
    pub keep: Millis,
}

impl Dedupe {
    /// What a record with an id means, given the last one with that id: whether the last one is
    /// taken back, and whether this one is let through.
    pub(crate) fn judge(self, known: Option<Time>, now: Time, withdraws: bool) -> (bool, bool) {
        let live = known.is_some_and(|then| now.since(then) <= self.keep);
        match (live, self.policy) {
            (false, _) => (false, true),
            (true, OnDuplicate::Replace) => (true, true),
            (true, _) if withdraws => (true, true),
            (true, OnDuplicate::Ignore) => (false, false),
            (true, OnDuplicate::Keep) => (false, true),
        }
    }
}

/// Whether a record takes back the one it refers to.
pub(crate) fn withdraws(stream: Stream, batch: &Batch, row: usize) -> bool {
    if stream != Stream::Transactions {
        return false;
    }
    match &batch.columns[transactions::STATUS.field] {
        Column::Number(status) => matches!(
            PaymentStatus::of(status[row]),
            Some(PaymentStatus::Cancelled | PaymentStatus::Refunded)
        ),
        _ => false,
    }
}

/// Counts what happened, for the run's summary.
#[derive(Default, Debug)]
pub(crate) struct Tally {
    pub duplicates: std::sync::atomic::AtomicU64,
}

/// Makes the stream's records unique by id.
pub(crate) fn dedupe<'s>(
    batches: Batches<'s>,
    stream: Stream,
    fields: &[usize],
    how: Dedupe,
    tally: Arc<Tally>,
) -> Batches<'s> {
    let layout = Batch::with_fields(stream.schema(), fields);
    divide(batches, stream).unary_frontier::<CapacityContainerBuilder<Vec<Arc<Batch>>>, _, _, _>(
        Exchange::new(|(worker, _): &(u64, Arc<Batch>)| *worker),
        "Dedupe",
        move |_, _| {
            let mut ticks: Ticks<Vec<(Arc<Batch>, Range<usize>)>> = Ticks::default();
            let mut known = Known { stream, how, layout, tally, ..Known::empty() };
            move |(input, frontier), output| {
                input.for_each(|cap, data| {
                    ticks.hold(&cap);
                    for (_, batch) in data.drain(..) {
                        for (time, rows) in batch.runs() {
                            ticks.at(time).push((Arc::clone(&batch), rows));
                        }
                    }
                });
                let mut out = known.layout.clone();
                ticks.release(frontier, |cap, time, mut parts| {
                    parts.sort_unstable_by_key(|(b, rows)| (b.partition, b.offset, rows.start));
                    for (batch, rows) in parts {
                        for row in rows {
                            known.see(&batch, row, time, &mut out);
                        }
                    }
                    // Also where every record was known: that the time came must be seen.
                    out.mark(time);
                    known.sweep(time);
                    if out.len() >= 8192 {
                        let full = std::mem::replace(&mut out, known.layout.clone());
                        output.session(cap).give(Arc::new(full));
                    }
                    known.rest = out.runs.last().map(|_| cap.clone());
                });
                if let Some(cap) = known.rest.take()
                    && !out.runs.is_empty()
                {
                    output.session(&cap).give(Arc::new(out));
                }
            }
        },
    )
}

/// Sends each record to the worker its id belongs to.
fn divide<'s>(
    batches: Batches<'s>,
    stream: Stream,
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
                        for (worker, part) in parts(&batch, stream, peers).into_iter().enumerate() {
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

fn parts(batch: &Batch, stream: Stream, peers: usize) -> Vec<Batch> {
    let mut parts = vec![batch.layout(); peers];
    for (time, rows) in batch.runs() {
        for row in rows {
            let worker = match &batch.columns[stream.id()] {
                Column::Text(ids) => route(&ids[row]) as usize % peers,
                _ => 0,
            };
            parts[worker].push_row(batch, row, batch.diff(row));
        }
        for part in &mut parts {
            part.stamp(time);
        }
    }
    parts
}

/// The table of known ids.
struct Known {
    stream: Stream,
    how: Dedupe,
    layout: Batch,
    tally: Arc<Tally>,
    rows: Table<Text, (Time, Box<[u8]>)>,
    /// Ids in the order of their stamps, to find those whose time is over.
    ages: VecDeque<(Time, Text)>,
    scratch: Vec<u8>,
    rest: Option<timely::dataflow::operators::Capability<Time>>,
}

impl Known {
    fn empty() -> Known {
        Known {
            stream: Stream::Behavior,
            how: Dedupe { policy: OnDuplicate::Replace, keep: Millis(0) },
            layout: Batch::default(),
            tally: Arc::default(),
            rows: Table::default(),
            ages: VecDeque::new(),
            scratch: Vec::new(),
            rest: None,
        }
    }

    fn see(&mut self, batch: &Batch, row: usize, now: Time, out: &mut Batch) {
        let id = match &batch.columns[self.stream.id()] {
            Column::Text(ids) if !ids[row].is_empty() => &ids[row],
            // A record without an id is a record of its own.
            _ => return out.push_row(batch, row, batch.diff(row)),
        };
        self.scratch.clear();
        batch.write_row(row, &self.layout, &mut self.scratch);
        let known = self.rows.get_mut(id);
        let (take_back, pass) = self.how.judge(
            known.as_ref().map(|(then, _)| *then),
            now,
            withdraws(self.stream, batch, row),
        );
        if let Some((then, old)) = known {
            self.tally.duplicates.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if !pass {
                return;
            }
            // The same record delivered again changes nothing.
            let same = take_back && **old == *self.scratch;
            if take_back && !same {
                out.read_row(old, -1);
            }
            if !same {
                out.push_row(batch, row, 1);
                *old = self.scratch.as_slice().into();
            }
            if *then != now {
                *then = now;
                self.ages.push_back((now, id.clone()));
            }
        } else {
            out.push_row(batch, row, 1);
            self.rows.insert(id.clone(), (now, self.scratch.as_slice().into()));
            self.ages.push_back((now, id.clone()));
        }
    }

    /// Forgets ids whose time is over: no record can meet them any more.
    fn sweep(&mut self, now: Time) {
        while let Some((then, _)) = self.ages.front() {
            if now.since(*then) <= self.how.keep {
                break;
            }
            if let Some((then, id)) = self.ages.pop_front()
                && self.rows.get(&id).is_some_and(|(last, _)| *last == then)
            {
                self.rows.remove(&id);
            }
        }
    }
}
