//! `dedupe`: one record per id, or per line of it where a payment has several.
//!
//! Which of several records with an id holds is decided by the shop's time: by the column `version`
//! where there is one (a record with a version is newer than one without), otherwise by event time;
//! among equals the later arrival (see [`super::arrivals`]) wins. So a record that is delivered again,
//! or late, cannot undo a newer one.
//!
//! A sale may also be told apart from what undid it ([`Per::Movement`]): then one record of each
//! holds, and a refund of an id does not replace its sale.
//!
//! What the operator sends is a stream of batches again, in which a replaced record comes back with
//! diff -1. The records of a change log among the sources pass as they are: it takes back itself
//! what does not hold, and does not keep its siblings from being made unique. Bound: the
//! records of the ids of the run or, where it is said for how long an id is remembered, of those
//! seen in that span of the clock.

use super::arrivals::{Judge, in_arrival_order};
use super::identity::{Identity, Name};
use super::memory::{Place, Reader, Writer};
use super::written_rows::{Clerk, Scribe, WrittenRow};
use super::{Batches, Table, route};
use crate::batch::{Batch, Column, time_of_row};
use crate::clock::{Millis, Time};
use crate::event::{Movement, NULL, PaymentStatus, Stream, transactions};
use crate::text::Text;
use hashbrown::hash_map::EntryRef;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

/// What becomes of the records of one id, of which one is newer than another by `version`, or by
/// event time where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum OnDuplicate {
    /// The newest holds.
    #[default]
    Replace,
    /// The oldest holds; but where some are cancellations or refunds, the newest of those.
    Ignore,
    /// All hold, but those which a cancellation or refund follows: it takes the record just older
    /// than itself back.
    Keep,
}

/// Of what one record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Per {
    /// Of each id and line.
    Id,
    /// Of each id and line, and of what it does to the money: a sale, and what undid it.
    Movement,
}

impl Per {
    /// What a record does, as far as that tells it apart.
    pub fn movement(self, stream: Stream, batch: &Batch, row: usize) -> Movement {
        if self == Per::Id || stream != Stream::Transactions {
            return Movement::Payment;
        }
        let number = |field: usize| match &batch.columns[field] {
            Column::Number(values) => Some(values[row]).filter(|value| *value != NULL),
            _ => None,
        };
        let status = number(transactions::STATUS.field).and_then(PaymentStatus::of);
        Movement::of(status, number(transactions::AMOUNT.field))
    }

    /// Whether a record takes back the one it refers to. What undoes a sale does not where it is
    /// told apart from that.
    pub fn withdraws(self, policy: OnDuplicate, stream: Stream, batch: &Batch, row: usize) -> bool {
        let apart = self == Per::Movement && policy == OnDuplicate::Keep;
        !apart && withdraws(stream, batch, row)
    }
}

/// How records are recognised.
#[derive(Clone, Copy, Debug)]
pub struct Dedupe {
    /// What becomes of several records with an id.
    pub policy: OnDuplicate,
    /// For how long an id is remembered after its last record, by the clock; none: to the end.
    pub keep: Option<Millis>,
    /// How far behind the clock a record may be: one that is further behind is final, and its id is
    /// not remembered any more. None: no record is ever final.
    pub lateness: Option<Millis>,
}

impl Dedupe {
    /// Whether an id is still known at `now` whose last record came at clock `then`, and of whose
    /// records that may be taken back the oldest has this event time.
    fn remembers(self, then: i64, oldest: i64, now: i64) -> bool {
        let within = |span: Option<Millis>, then: i64| {
            span.is_none_or(|span| now.saturating_sub(then) <= span.signed())
        };
        within(self.keep, then) && within(self.lateness, oldest)
    }

    /// Whether ids are ever forgotten.
    fn forgets(self) -> bool {
        self.keep.is_some() || self.lateness.is_some()
    }
}

/// How new a record is beside others of its id: by version, where there is one, or event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Age(i64, i64);

impl Age {
    pub(crate) fn of(stream: Stream, batch: &Batch, row: usize) -> Age {
        match &batch.columns[stream.version()] {
            Column::Number(versions) if versions[row] != NULL => Age(versions[row], 0),
            _ => Age(NULL, batch.times[row]),
        }
    }
}

/// Whether a record takes back the one it refers to.
fn withdraws(stream: Stream, batch: &Batch, row: usize) -> bool {
    if stream != Stream::Transactions {
        return false;
    }
    match &batch.columns[transactions::STATUS.field] {
        Column::Number(status) => {
            PaymentStatus::of(status[row]).is_some_and(PaymentStatus::withdraws)
        }
        _ => false,
    }
}

/// Whether a record says nothing without an earlier one: that a payment was taken back or disputed.
fn undoes(stream: Stream, batch: &Batch, row: usize) -> bool {
    let undoes = |status: i64| PaymentStatus::of(status).is_some_and(|s| !s.is_of_payment());
    let status = &batch.columns[transactions::STATUS.field];
    stream == Stream::Transactions
        && matches!(status, Column::Number(status) if undoes(status[row]))
        && !matches!(&batch.columns[transactions::REFERS_TO.field],
                     Column::Text(others) if !others[row].is_empty())
}

/// Counts what happened, for the run's summary.
#[derive(Default, Debug)]
pub(crate) struct Counts {
    /// Records of a known id.
    pub duplicates: AtomicU64,
    /// Those among them that changed nothing because a newer one was known.
    pub superseded: AtomicU64,
    /// Records that differ from another of the same id and the same age: what holds is whichever
    /// came last.
    pub differing: AtomicU64,
    /// Ids of which there are cancellations, refunds or chargebacks and no payment, because it never
    /// came or was forgotten.
    pub unpaired: AtomicI64,
}

/// Counts what happened to all streams, for the run's summary.
#[derive(Default, Debug)]
pub(crate) struct Tally {
    /// Where one record of each id holds.
    pub ids: Counts,
    /// Where sales are told apart from what undid them.
    pub movements: Counts,
    /// Whether payments are looked at in either way.
    looked: [AtomicBool; 2],
    /// Refunds, voids and disputes of which the ledger knows no sale.
    pub unmatched: AtomicI64,
    /// Retractions in change logs of records that have not come.
    pub never_came: AtomicI64,
    /// Payments that come to more than 64 bits hold.
    pub beyond: AtomicI64,
    /// Orders of more items than baskets may have.
    pub too_large: AtomicI64,
}

impl Tally {
    /// Says that a stream is looked at in this way.
    fn looks(&self, stream: Stream, per: Per) {
        if stream == Stream::Transactions {
            self.looked[usize::from(per == Per::Movement)].store(true, Relaxed);
        }
    }

    fn of(&self, per: Per) -> &Counts {
        match per {
            Per::Id => &self.ids,
            Per::Movement => &self.movements,
        }
    }

    /// A count of records. Payments that are looked at in both ways are counted once.
    pub fn count(&self, which: impl Fn(&Counts) -> &AtomicU64) -> u64 {
        let [ids, _] = &self.looked;
        let movements = if ids.load(Relaxed) { 0 } else { which(&self.movements).load(Relaxed) };
        which(&self.ids).load(Relaxed) + movements
    }

    /// How many refunds, voids and disputes have no sale: the ledger knows best.
    pub fn unpaired(&self) -> i64 {
        let [_, movements] = &self.looked;
        match movements.load(Relaxed) {
            true => self.unmatched.load(Relaxed),
            false => self.ids.unpaired.load(Relaxed),
        }
    }
}

/// Makes the stream's records unique by id; those of change logs are as they come.
pub(crate) fn dedupe<'s>(
    batches: Batches<'s>,
    stream: Stream,
    fields: &[usize],
    (how, per): (Dedupe, Per),
    tally: Arc<Tally>,
) -> Batches<'s> {
    let layout = Batch::with_fields(stream.schema(), fields);
    let known = Known::new(stream, (how, per), (layout, fields), tally);
    let by_id = move |batch: &Batch, row: usize| match &batch.columns[stream.id()] {
        Column::Text(ids) => route(&ids[row]),
        _ => 0,
    };
    let name = if per == Per::Id { "Dedupe" } else { "Movements" };
    in_arrival_order(batches, name, by_id, known)
}

/// What is known of an id.
struct Held {
    /// The clock at its last record.
    last: i64,
    /// How new the record that holds is.
    age: Age,
    /// Whether that is a cancellation or refund.
    withdraws: bool,
    /// Whether some record was a payment, and not only what became of one.
    sold: bool,
    /// The record that holds.
    row: Box<[u8]>,
    /// With the policy `keep`: the older records, in order, with whether they withdraw.
    older: Vec<Older>,
}

type Older = (Age, bool, Box<[u8]>);

/// What is known of an id, as it is written down.
#[derive(Serialize, Deserialize)]
struct Written {
    id: Text,
    line: Text,
    movement: Movement,
    last: i64,
    sold: bool,
    /// The records with whether they withdraw; that which holds is the last.
    rows: Vec<(Age, bool, WrittenRow)>,
}

/// The table of known ids.
struct Known {
    stream: Stream,
    how: Dedupe,
    per: Per,
    layout: Batch,
    /// The fields that it has.
    fields: Vec<usize>,
    tally: Arc<Tally>,
    rows: Table<Identity, Held>,
    /// Ids in the order of arrival, to find those whose time is over, where ids are forgotten.
    ages: VecDeque<(i64, Identity)>,
    scratch: Vec<u8>,
}

impl Judge for Known {
    fn layout(&self) -> &Batch {
        &self.layout
    }

    fn see(&mut self, batch: &Batch, row: usize, now: i64, out: &mut Batch) {
        let id = match &batch.columns[self.stream.id()] {
            Column::Text(ids) if !batch.change_log && !ids[row].is_empty() => &ids[row],
            // A record without an id is a record of its own, and a change log has taken back
            // what does not hold.
            _ => {
                out.push_fields(&self.fields, (batch, row), batch.diff(row));
                return out.clocks.push(now);
            }
        };
        let line = match self.stream.line().and_then(|line| batch.columns.get(line)) {
            Some(Column::Text(lines)) => &lines[row],
            _ => &Text::EMPTY,
        };
        let movement = self.per.movement(self.stream, batch, row);
        self.known(Name(id, line, movement), batch, row, now, out);
    }

    fn save(&self, writer: &mut Writer) {
        let scribe = Scribe::new(self.stream, &self.layout, writer);
        for (id, held) in &self.rows {
            let older = held.older.iter().map(|(age, withdraws, row)| (*age, *withdraws, row));
            let all = older.chain([(held.age, held.withdraws, &held.row)]);
            let rows = all.map(|(age, withdraws, row)| (age, withdraws, scribe.row(row)));
            let Name(id, line, movement) = id.name();
            let (id, line, rows) = (id.clone(), line.clone(), rows.collect());
            let (last, sold) = (held.last, held.sold);
            writer.put(&Written { id, line, movement, last, sold, rows });
        }
    }

    fn load(&mut self, reader: &mut Reader<'_>, here: Place) {
        let Some(clerk) = Clerk::new(self.stream, &self.layout, reader) else { return };
        let mine = reader.all().filter(|w: &Written| here.owns(&w.id));
        for Written { id, line, movement, last, sold, rows } in mine {
            let id = Identity::from(&Name(&id, &line, movement));
            let rows =
                rows.into_iter().map(|(age, withdraws, row)| (age, withdraws, clerk.row(row)));
            let mut older: Vec<Older> = rows.collect();
            let Some((age, withdraws, row)) = older.pop() else { continue };
            self.tally.of(self.per).unpaired.fetch_add(i64::from(!sold), Relaxed);
            if self.how.forgets() {
                self.ages.push_back((last, id.clone()));
            }
            self.rows.insert(id, Held { last, age, withdraws, sold, row, older });
        }
        self.ages.make_contiguous().sort_by_key(|(last, _)| *last);
    }

    fn size(&self) -> (usize, usize) {
        (self.rows.len(), self.rows.capacity() * (size_of::<(Identity, Held)>() + 1))
    }

    /// Forgets ids whose time is over: every record to come has a clock after `now`.
    fn sweep(&mut self, now: Time) {
        let now = i64::try_from(now.millis()).unwrap_or(i64::MAX);
        while let Some((then, _)) = self.ages.front() {
            // No record is newer than the clock at which it came.
            if self.how.remembers(*then, *then, now.saturating_add(1)) {
                break;
            }
            if let Some((then, id)) = self.ages.pop_front()
                && self.rows.get(&id).is_some_and(|held| held.last == then)
            {
                self.rows.remove(&id);
            }
        }
    }
}

impl Known {
    fn new(
        stream: Stream,
        (how, per): (Dedupe, Per),
        (layout, fields): (Batch, &[usize]),
        tally: Arc<Tally>,
    ) -> Known {
        tally.looks(stream, per);
        let (rows, ages, scratch) = (Table::default(), VecDeque::new(), Vec::new());
        let fields = fields.iter().copied().filter(|field| *field > 0).collect();
        Known { stream, how, per, layout, fields, tally, rows, ages, scratch }
    }

    /// Takes the next record that has an id.
    fn known(&mut self, id: Name<'_>, batch: &Batch, row: usize, now: i64, out: &mut Batch) {
        self.scratch.clear();
        batch.write_fields(row, &self.fields, &self.layout, &mut self.scratch);
        let age = Age::of(self.stream, batch, row);
        let withdraws = self.per.withdraws(self.how.policy, self.stream, batch, row);
        let undoes = undoes(self.stream, batch, row);
        let counts = self.tally.of(self.per);
        let mut moved = true;
        match self.rows.entry_ref(&id) {
            EntryRef::Occupied(mut entry)
                if self.how.remembers(entry.get().last, entry.get().oldest(), now) =>
            {
                counts.duplicates.fetch_add(1, Relaxed);
                let held = entry.get_mut();
                moved = held.last != now;
                let differs =
                    held.age == age && held.withdraws == withdraws && *held.row != *self.scratch;
                if differs && self.how.policy != OnDuplicate::Keep {
                    counts.differing.fetch_add(1, Relaxed);
                }
                held.last = now;
                if !held.sold && !undoes {
                    held.sold = true;
                    counts.unpaired.fetch_sub(1, Relaxed);
                }
                let policy = self.how.policy;
                if policy == OnDuplicate::Keep {
                    let row = std::mem::take(&mut self.scratch).into();
                    held.insert((age, withdraws, row), now, (&self.fields, out));
                } else if held.gives_way(policy, age, withdraws) {
                    // The same record delivered again changes nothing.
                    if *held.row != *self.scratch {
                        out.read_fields(&self.fields, &held.row, -1);
                        out.push_fields(&self.fields, (batch, row), 1);
                        out.clocks.extend([now, now]);
                        held.row = self.scratch.as_slice().into();
                    }
                    (held.age, held.withdraws) = (age, withdraws);
                } else if policy == OnDuplicate::Replace {
                    counts.superseded.fetch_add(1, Relaxed);
                }
            }
            entry => {
                out.push_fields(&self.fields, (batch, row), 1);
                out.clocks.push(now);
                counts.unpaired.fetch_add(i64::from(undoes), Relaxed);
                // The record of an id whose time is over stands for good.
                let row = self.scratch.as_slice().into();
                let (sold, older) = (!undoes, Vec::new());
                let held = Held { last: now, age, withdraws, sold, row, older };
                match entry {
                    EntryRef::Occupied(mut entry) => *entry.get_mut() = held,
                    EntryRef::Vacant(entry) => {
                        entry.insert_with_key(Identity::from(&id), held);
                    }
                }
            }
        }
        if moved && self.how.forgets() {
            self.ages.push_back((now, Identity::from(&id)));
        }
    }
}

impl Held {
    /// The event time of the oldest of its records that may still be taken back.
    fn oldest(&self) -> i64 {
        let older = self.older.iter().map(|(.., row)| time_of_row(row));
        older.fold(time_of_row(&self.row), i64::min)
    }

    /// Whether another record of the id, which came later, holds instead.
    fn gives_way(&self, policy: OnDuplicate, age: Age, withdraws: bool) -> bool {
        match (policy, self.withdraws, withdraws) {
            (OnDuplicate::Ignore, false, true) => true,
            (OnDuplicate::Ignore, true, false) => false,
            (OnDuplicate::Ignore, false, false) => age < self.age,
            _ => age >= self.age,
        }
    }

    /// Puts another record among those of the id: it may take back the one just older, and be
    /// taken back by the one just newer.
    fn insert(&mut self, new: Older, now: i64, (fields, out): (&[usize], &mut Batch)) {
        let newest = (self.age, self.withdraws, std::mem::take(&mut self.row));
        self.older.push(newest);
        let at = self.older.partition_point(|(age, ..)| *age <= new.0);
        let holds = self.older.get(at).is_none_or(|(_, withdraws, _)| !withdraws);
        let mut give = |row: &[u8], diff| {
            out.read_fields(fields, row, diff);
            out.clocks.push(now);
        };
        if let Some((_, _, before)) = at.checked_sub(1).and_then(|i| self.older.get(i)) {
            match (holds, !new.1) {
                (true, false) => give(before, -1),
                (false, true) => give(before, 1),
                _ => {}
            }
        }
        if holds {
            give(&new.2, 1);
        }
        self.older.insert(at, new);
        if let Some(newest) = self.older.pop() {
            (self.age, self.withdraws, self.row) = newest;
        }
    }
}
