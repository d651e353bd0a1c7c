//! The history of all streams, as the naive answers read it: correct by construction and slow by
//! construction. Every record is kept with its stamp; what a query may see at a time is worked
//! out from the first record on, each time it is asked.

use crate::batch::{Batch, Column};
use crate::clock::{Millis, Time};
use crate::event::{
    Ads, Behavior, Inventory, Logins, Logistics, Movement, NULL, Row, Shape, Stream, Transactions,
};
use crate::operator::{Age, Dedupe, OnDuplicate, Per};
use crate::zone::{Day, Zone};
use std::collections::HashMap;
use std::sync::Arc;

/// Every record of every stream, stamped.
pub struct History {
    batches: Vec<(Stream, Arc<Batch>)>,
    dedupe: Option<Dedupe>,
    /// No clock goes on after this.
    stopped: Time,
}

/// The percentile of numbers in order, between two of them in proportion, for answers.
pub fn percentile(sorted: &[f64], p: f64) -> Option<f64> {
    let rank = sorted.len().checked_sub(1)? as f64 * p;
    let (low, high) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    Some(low + (high - low) * rank.fract())
}

/// An event time in a shop's zone, for answers.
pub fn on_the_wall(time: i64, zone: &Zone) -> jiff::Zoned {
    // Validated records are within the calendar.
    let at = jiff::Timestamp::from_millisecond(time).unwrap_or_default();
    at.to_zoned(zone.time_zone().clone())
}

/// The day of an event time in a shop's zone, for answers.
pub fn local_day(time: i64, zone: &Zone) -> Day {
    let start = on_the_wall(time, zone).start_of_day();
    let start = start.unwrap_or_else(|_| on_the_wall(time, zone));
    Day::starting(start.timestamp().as_millisecond(), start.offset().seconds())
}

/// A record as it came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The clock of its partition when it came, not yet rounded up to its stamp.
    pub clock: i64,
    /// Its event time.
    pub time: i64,
    /// Whether it takes another back, as in a change log.
    pub retracts: bool,
    /// By how much it changed the number of retractions whose record has not come: above zero for
    /// one more of these, below for a record that makes up for some.
    pub unmatched: i64,
    /// Whether it is a later one of its id, and replaced the earlier or was ignored.
    pub known: bool,
}

impl History {
    /// A history of these batches, which the clock has stamped.
    pub fn new(batches: Vec<(Stream, Arc<Batch>)>, dedupe: Option<Dedupe>) -> Self {
        History { batches, dedupe, stopped: Time::END }
    }

    /// The same records, as if clocks had stood still from `at` on: an answer that is another
    /// later is so because of a deadline.
    pub fn stopped(&self, at: Time) -> Self {
        History { batches: self.batches.clone(), dedupe: self.dedupe, stopped: at }
    }

    /// How far from its sale a refund, void or dispute can be; none: any.
    pub fn reach(&self) -> Option<Millis> {
        self.dedupe.and_then(|how| how.lateness)
    }

    /// The last stamp there is.
    pub fn last(&self) -> Time {
        self.times().last().copied().unwrap_or_default()
    }

    /// What visitors did, as known at `at`.
    pub fn behavior(&self, at: Time) -> Vec<Row<'_, Behavior>> {
        self.rows(at)
    }
    /// Payments, as known at `at`.
    pub fn transactions(&self, at: Time) -> Vec<Row<'_, Transactions>> {
        self.rows(at)
    }
    /// Payments and, apart from them, what undid them, as known at `at`.
    pub fn movements(&self, at: Time) -> Vec<Row<'_, Transactions>> {
        self.rows_by(self.dedupe, Per::Movement, at)
    }
    /// Parcels, as known at `at`.
    pub fn logistics(&self, at: Time) -> Vec<Row<'_, Logistics>> {
        self.rows(at)
    }
    /// Every status of every parcel, as known at `at`.
    pub fn logistics_scans(&self, at: Time) -> Vec<Row<'_, Logistics>> {
        self.rows_by(None, Per::Id, at)
    }

    /// Advertisements, as known at `at`.
    pub fn ads(&self, at: Time) -> Vec<Row<'_, Ads>> {
        self.rows(at)
    }
    /// Logins, as known at `at`.
    pub fn logins(&self, at: Time) -> Vec<Row<'_, Logins>> {
        self.rows(at)
    }
    /// Changes of stock, as known at `at`.
    pub fn inventory(&self, at: Time) -> Vec<Row<'_, Inventory>> {
        self.rows(at)
    }

    /// What time it is at `at` for what reads these streams: the newest event time that came of
    /// them, before it is rounded up to a stamp. The first there is where nothing came.
    pub fn now(&self, streams: &[Stream], at: Time) -> i64 {
        let (at, mut now) = (at.min(self.stopped), i64::MIN);
        for (_, batch) in self.batches.iter().filter(|(stream, _)| streams.contains(stream)) {
            let mut clock = batch.clock;
            for (_, rows) in batch.runs().filter(|(stamp, _)| *stamp <= at) {
                clock = rows.fold(clock, |now, row| batch.clock_at(row, now));
                now = now.max(clock);
            }
        }
        now
    }

    /// Every stamp there is, in order.
    pub fn times(&self) -> Vec<Time> {
        let mut times: Vec<Time> =
            Stream::ALL.iter().flat_map(|stream| self.stamps(*stream)).collect();
        times.sort_unstable();
        times.dedup();
        times
    }

    /// Every stamp of a stream, in no order.
    pub fn stamps(&self, stream: Stream) -> Vec<Time> {
        let batches = self.batches.iter().filter(|(s, _)| *s == stream);
        batches.flat_map(|(_, batch)| batch.runs().map(|(time, _)| time)).collect()
    }

    /// Every record of a stream that came up to `at`.
    pub fn arrivals(&self, stream: Stream, at: Time) -> Vec<Arrival> {
        let records = self.records(stream, at);
        let mut families = Families::new(Per::Id);
        let arrival = |(i, record): (usize, &Record<'_>)| {
            let retracts = record.batch.diff(record.row) < 0;
            let known = !retracts && families.add(stream, &records, i, self.dedupe);
            let unmatched = unmatched(&records[..=i]);
            let (clock, time) = (record.clock, record.batch.times[record.row]);
            Arrival { clock, time, retracts, unmatched, known }
        };
        records.iter().enumerate().map(arrival).collect()
    }

    /// All records up to `at`, in the order of their arrival: by their stamp, the clock of their
    /// partition, the partition, and their place in it.
    fn records(&self, stream: Stream, at: Time) -> Vec<Record<'_>> {
        let mut records = Vec::new();
        for (_, batch) in self.batches.iter().filter(|(s, _)| *s == stream) {
            let (batch, mut clock) = (&**batch, batch.clock);
            for (stamp, rows) in batch.runs() {
                for row in rows {
                    clock = batch.clock_at(row, clock);
                    records.push(Record { stamp, clock, batch, row });
                }
            }
        }
        records.retain(|record| record.stamp <= at);
        let place = |r: &Record<'_>| (r.stamp, r.clock, r.batch.partition, r.batch.offset, r.row);
        records.sort_by_key(place);
        records
    }

    fn rows<S: Shape>(&self, at: Time) -> Vec<Row<'_, S>> {
        self.rows_by(self.dedupe, Per::Id, at)
    }

    fn rows_by<S: Shape>(&self, dedupe: Option<Dedupe>, per: Per, at: Time) -> Vec<Row<'_, S>> {
        let records = self.records(S::STREAM, at);
        let mut families = Families::new(per);
        let mut stand: Vec<usize> = Vec::new();
        // The records of change logs, and how often each came and was not taken back.
        let mut counts: Vec<(usize, i64)> = Vec::new();
        for (i, record) in records.iter().enumerate() {
            if record.batch.change_log {
                let diff = i64::from(record.batch.diff(record.row));
                let equal = counts.iter_mut().find(|(at, _)| {
                    let other = &records[*at];
                    equal_rows((other.batch, other.row), (record.batch, record.row))
                });
                match equal {
                    Some((_, count)) => *count += diff,
                    None => counts.push((i, diff)),
                }
            } else if families.id(S::STREAM, record, dedupe).is_none() {
                stand.push(i);
            } else {
                families.add(S::STREAM, &records, i, dedupe);
            }
        }
        // What was taken back more often than it came is not there.
        for (i, count) in counts {
            stand.extend((0..count).map(|_| i));
        }
        for family in families.of.values().flatten() {
            stand.extend(holders((S::STREAM, per), &records, family, dedupe));
        }
        stand.sort_unstable();
        stand.into_iter().map(|i| Row::new(records[i].batch, records[i].row)).collect()
    }
}

/// A record, and when it came: its stamp, and the clock before it was rounded up to that.
#[derive(Clone, Copy)]
struct Record<'a> {
    stamp: Time,
    clock: i64,
    batch: &'a Batch,
    row: usize,
}

/// The records of each id in the order of arrival, a new family where the id was forgotten.
struct Families {
    per: Per,
    of: HashMap<(String, String, Movement), Vec<Vec<usize>>>,
}

impl Families {
    fn new(per: Per) -> Families {
        Families { per, of: HashMap::new() }
    }

    /// The id and line of a record, if records of its stream are made unique and it has an id.
    fn id(
        &self,
        stream: Stream,
        record: &Record<'_>,
        dedupe: Option<Dedupe>,
    ) -> Option<(String, String, Movement)> {
        let text = |field: usize| match &record.batch.columns[field] {
            Column::Text(texts) => texts[record.row].to_string(),
            _ => String::new(),
        };
        let id = text(stream.id());
        let known_again = dedupe.is_some() && !record.batch.change_log && !id.is_empty();
        let line = stream.line().map(text).unwrap_or_default();
        let movement = self.per.movement(stream, record.batch, record.row);
        known_again.then_some((id, line, movement))
    }

    /// Adds a record; whether it leaves the number of records that hold as it was.
    fn add(
        &mut self,
        stream: Stream,
        records: &[Record<'_>],
        i: usize,
        dedupe: Option<Dedupe>,
    ) -> bool {
        let (Some(id), Some(how)) = (self.id(stream, &records[i], dedupe), dedupe) else {
            return false;
        };
        let per = (stream, self.per);
        let families = self.of.entry(id).or_default();
        let last = families.last().and_then(|family| family.last());
        // Of records that replace one another only the one that holds can be taken back.
        let can_go = families.last().map_or(Vec::new(), |family| match how.policy {
            OnDuplicate::Keep => family.clone(),
            _ => holders(per, records, family, dedupe),
        });
        let oldest = can_go.iter().map(|i| records[*i].batch.times[records[*i].row]).min();
        let now = records[i].clock;
        let known = last.zip(oldest);
        let within = |span: Option<Millis>, then: i64| {
            span.is_none_or(|span| i128::from(now) - i128::from(then) <= i128::from(span.0))
        };
        let is_known = known.is_some_and(|(last, oldest)| {
            within(how.keep, records[*last].clock) && within(how.lateness, oldest)
        });
        if !is_known {
            families.push(Vec::new());
        }
        let family = families.len() - 1;
        let family = &mut families[family];
        let before = holders(per, records, family, dedupe).len();
        family.push(i);
        holders(per, records, family, dedupe).len() <= before
    }
}

/// Those of one family that hold.
fn holders(
    (stream, per): (Stream, Per),
    records: &[Record<'_>],
    family: &[usize],
    dedupe: Option<Dedupe>,
) -> Vec<usize> {
    let policy = dedupe.map(|how| how.policy).unwrap_or_default();
    let withdraws = |i: &usize| per.withdraws(policy, stream, records[*i].batch, records[*i].row);
    // Oldest first; among equals the order of arrival stays.
    let mut family = family.to_vec();
    family.sort_by_key(|i| Age::of(stream, records[*i].batch, records[*i].row));
    let holds = match dedupe.map(|how| how.policy) {
        None => return family,
        Some(OnDuplicate::Replace) => family.last(),
        Some(OnDuplicate::Ignore) => family.iter().rfind(|i| withdraws(i)).or(family.first()),
        Some(OnDuplicate::Keep) => {
            let followed = |n: usize| family.get(n + 1).is_some_and(withdraws);
            return (0..family.len()).filter(|n| !followed(*n)).map(|n| family[n]).collect();
        }
    };
    holds.into_iter().copied().collect()
}

/// By how much the last of these records changed the number of retractions whose record, the same
/// in all fields, has not come.
fn unmatched(records: &[Record<'_>]) -> i64 {
    let Some((last, earlier)) = records.split_last() else { return 0 };
    let log = |r: &&Record<'_>| {
        r.batch.change_log && equal_rows((r.batch, r.row), (last.batch, last.row))
    };
    let diff = |r: &Record<'_>| i64::from(r.batch.diff(r.row));
    let before: i64 = earlier.iter().filter(log).map(diff).sum();
    let after = before + if last.batch.change_log { diff(last) } else { 0 };
    (-after).max(0) - (-before).max(0)
}

/// Whether two records are the same in all fields. What a source lacks is absent in its records.
fn equal_rows(a: (&Batch, usize), b: (&Batch, usize)) -> bool {
    let value = |column: &Column, row: usize| match column {
        Column::Number(values) => (values[row], String::new()),
        Column::Text(texts) => (NULL, texts[row].to_string()),
        Column::Absent => (NULL, String::new()),
    };
    a.0.times[a.1] == b.0.times[b.1]
        && a.0.columns.iter().zip(&b.0.columns).all(|(x, y)| value(x, a.1) == value(y, b.1))
}
