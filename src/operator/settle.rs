//! `settle`: a record of a change log is there as often as it came and was not taken back, and
//! never less than not at all.
//!
//! The order in which a change and its retraction come from two partitions is nobody's to promise,
//! so a retraction of what has not come is kept: the record that comes later only makes up for it.
//! Until then it is no record: nothing passes, and it is counted. What passes is the change of the
//! count, where a count below zero is none; so verbs see no record less often than not at all.
//! Records are the same if all their fields are, also those that no query of the run reads.
//! Bound: the records of the change logs that are there, and those that were taken back without
//! having come. Sources that are no change logs pass by.

use super::arrivals::{Judge, in_arrival_order};
use super::dedupe::Tally;
use super::memory::{Place, Reader, Writer};
use super::written_rows::{Clerk, Scribe, WrittenRow};
use super::{Batches, Table, route};
use crate::batch::{Batch, time_of_row};
use crate::event::Stream;
use hashbrown::hash_map::EntryRef;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::vec::Filter;

/// Lets the records of change logs pass as often as they are there.
pub(crate) fn settle<'s>(
    batches: Batches<'s>,
    stream: Stream,
    fields: &[usize],
    tally: Arc<Tally>,
) -> Batches<'s> {
    let every: Vec<usize> = (1..stream.schema().fields.len()).collect();
    let counts = Counts {
        stream,
        whole: Batch::with_fields(stream.schema(), &every),
        layout: Batch { change_log: true, ..Batch::with_fields(stream.schema(), fields) },
        rows: Table::default(),
        scratch: Vec::new(),
        tally,
    };
    let logs = batches.clone().filter(|batch| batch.change_log);
    let others = batches.filter(|batch| !batch.change_log);
    let by_time = |batch: &Batch, row: usize| route(&batch.times[row]);
    others.concat(in_arrival_order(logs, "Settle", by_time, counts))
}

/// How often each record came, less how often it was taken back; none is zero.
struct Counts {
    stream: Stream,
    /// The layout by which records are told apart.
    whole: Batch,
    /// The layout of what passes.
    layout: Batch,
    rows: Table<Box<[u8]>, i64>,
    scratch: Vec<u8>,
    tally: Arc<Tally>,
}

impl Judge for Counts {
    fn layout(&self) -> &Batch {
        &self.layout
    }

    fn forget(&mut self, until: i64) {
        // What was not matched by now never will be, and stays counted.
        self.rows.retain(|row, _| time_of_row(row) > until);
    }

    fn save(&self, writer: &mut Writer) {
        let scribe = Scribe::new(self.stream, &self.whole, writer);
        self.rows.iter().for_each(|(row, count)| writer.put(&(scribe.row(row), count)));
    }

    fn load(&mut self, reader: &mut Reader<'_>, here: Place) {
        let Some(clerk) = Clerk::new(self.stream, &self.whole, reader) else { return };
        for ((time, cells), count) in reader.all::<(WrittenRow, i64)>() {
            if here.owns(&time) {
                self.tally.never_came.fetch_add(-count.min(0), Relaxed);
                self.rows.insert(clerk.row((time, cells)), count);
            }
        }
    }

    fn size(&self) -> (usize, usize) {
        (self.rows.len(), self.rows.capacity() * (size_of::<(Box<[u8]>, i64)>() + 1))
    }

    fn see(&mut self, batch: &Batch, row: usize, now: i64, out: &mut Batch) {
        self.scratch.clear();
        batch.write_row(row, &self.whole, &mut self.scratch);
        let diff = batch.diff(row);
        let (before, after) = match self.rows.entry_ref(self.scratch.as_slice()) {
            EntryRef::Occupied(mut entry) => {
                let before = *entry.get();
                let after = before.saturating_add(i64::from(diff));
                if after == 0 {
                    entry.remove();
                } else {
                    *entry.get_mut() = after;
                }
                (before, after)
            }
            EntryRef::Vacant(entry) => {
                entry.insert_with_key(self.scratch.as_slice().into(), i64::from(diff));
                (0, i64::from(diff))
            }
        };
        self.tally.never_came.fetch_add(before.min(0) - after.min(0), Relaxed);
        // Between none and the whole of `diff`, which has 32 bits.
        let change = (after.max(0) - before.max(0)) as i32;
        if change != 0 {
            out.push_row(batch, row, change);
            out.clocks.push(now);
        }
    }
}
