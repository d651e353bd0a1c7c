//! The history of all streams, as the naive answers read it: correct by construction and slow by
//! construction. Every record is kept with its stamp; what a query may see at a time is worked
//! out from the first record on, each time it is asked.

use crate::batch::{Batch, Column};
use crate::clock::{Clock, Millis, Tick, Time};
use crate::error::Error;
use crate::event::{Ads, Behavior, Inventory, Logins, Logistics, Row, Shape, Stream, Transactions};
use crate::operator::{Dedupe, OnDuplicate, withdraws};
use crate::source::plan::{ParseOptions, Plan};
use crate::source::read::Reader;
use std::collections::HashMap;
use std::sync::Arc;

/// Every record of every stream, stamped.
pub struct History {
    batches: Vec<(Stream, Arc<Batch>)>,
    dedupe: Option<Dedupe>,
}

/// The percentile of numbers in order, between two of them in proportion, for answers.
pub fn percentile(sorted: &[f64], p: f64) -> Option<f64> {
    let rank = sorted.len().checked_sub(1)? as f64 * p;
    let (low, high) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    Some(low + (high - low) * rank.fract())
}

/// A record as it came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Its stamp.
    pub stamp: Time,
    /// Its event time.
    pub time: i64,
    /// Whether it takes another back, as in a change log.
    pub retracts: bool,
    /// Whether it is a later one of its id, and replaced the earlier or was ignored.
    pub known: bool,
}

impl History {
    /// A history of these batches, which the clock has stamped.
    pub fn new(batches: Vec<(Stream, Arc<Batch>)>, dedupe: Option<Dedupe>) -> Self {
        History { batches, dedupe }
    }

    /// A history from CSV text with a header, one partition per text, read and stamped as `run`
    /// does with one-minute ticks; a later record of an id replaces the earlier. For examples.
    pub fn from_csv(texts: &[(Stream, &str)]) -> Result<History, Error> {
        let mut batches = Vec::new();
        for (partition, (stream, text)) in (0..).zip(texts) {
            let bytes = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
            let mut reader = Reader::from_read(stream.name(), bytes, 1 << 16)?;
            let all: Vec<usize> = (1..stream.schema().fields.len()).collect();
            let options = ParseOptions::default();
            let plan = Plan::new(stream.schema(), reader.header(), &all, &[], &options, &[])?;
            let mut clock = Clock::new(Tick::MINUTE, None);
            while let Some(block) = reader.wait_block()? {
                let mut parsed = plan.parse(&block, partition, &mut Default::default());
                if let Some(bad) = parsed.bad.first() {
                    let what = format!("{stream:?}, line {}: {}", bad.line, bad.reason);
                    return Err(Error::Usage(what));
                }
                clock.stamp(&mut parsed.batch);
                batches.push((*stream, Arc::new(parsed.batch)));
            }
        }
        let dedupe = Dedupe { policy: OnDuplicate::Replace, keep: Millis::hours(720) };
        Ok(History::new(batches, Some(dedupe)))
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
    /// Parcels, as known at `at`.
    pub fn logistics(&self, at: Time) -> Vec<Row<'_, Logistics>> {
        self.rows(at)
    }
    /// Every status of every parcel, as known at `at`.
    pub fn logistics_scans(&self, at: Time) -> Vec<Row<'_, Logistics>> {
        self.rows_by(None, at)
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
        let mut last: HashMap<String, Time> = HashMap::new();
        let arrival = |(stamp, batch, i): (Time, &Batch, usize)| {
            let (time, retracts) = (batch.times[i], batch.diff(i) < 0);
            let mut known = false;
            if let (Column::Text(ids), Some(how)) = (&batch.columns[stream.id()], self.dedupe)
                && !ids[i].is_empty()
                && !retracts
            {
                let id = ids[i].to_string();
                let withdraws = withdraws(stream, batch, i);
                let (take_back, pass) = how.judge(last.get(&id).copied(), stamp, withdraws);
                known = take_back || !pass;
                if pass {
                    last.insert(id, stamp);
                }
            }
            Arrival { stamp, time, retracts, known }
        };
        self.records(stream, at).into_iter().map(arrival).collect()
    }

    /// All records up to `at`, in the order in which they count as later and earlier.
    fn records(&self, stream: Stream, at: Time) -> Vec<(Time, &Batch, usize)> {
        let mut records = Vec::new();
        for (_, batch) in self.batches.iter().filter(|(s, _)| *s == stream) {
            let batch = &**batch;
            for (time, rows) in batch.runs().filter(|(time, _)| *time <= at) {
                records.extend(rows.map(|i| ((time, batch.partition, batch.offset, i), batch)));
            }
        }
        records.sort_by_key(|(order, _)| *order);
        records.into_iter().map(|((time, _, _, i), batch)| (time, batch, i)).collect()
    }

    fn rows<S: Shape>(&self, at: Time) -> Vec<Row<'_, S>> {
        self.rows_by(self.dedupe, at)
    }

    fn rows_by<S: Shape>(&self, dedupe: Option<Dedupe>, at: Time) -> Vec<Row<'_, S>> {
        let mut seen: Vec<Option<Row<'_, S>>> = Vec::new();
        let mut last: HashMap<String, (Time, usize)> = HashMap::new();
        for (time, batch, i) in self.records(S::STREAM, at) {
            let row = Row::<S>::new(batch, i);
            if row.diff() < 0 {
                // A retraction takes an equal record away.
                if let Some(equal) =
                    seen.iter().position(|x| x.is_some_and(|x| equal_rows(x.place(), (batch, i))))
                {
                    seen[equal] = None;
                }
                continue;
            }
            let id = match (&batch.columns[S::STREAM.id()], dedupe) {
                (Column::Text(ids), Some(_)) => ids[i].to_string(),
                _ => String::new(),
            };
            let (Some(how), false) = (dedupe, id.is_empty()) else {
                seen.push(Some(row));
                continue;
            };
            let known = last.get(&id).copied();
            let (take_back, pass) =
                how.judge(known.map(|(then, _)| then), time, withdraws(S::STREAM, batch, i));
            if let (true, Some((_, place))) = (take_back, known) {
                seen[place] = None;
            }
            if pass {
                last.insert(id, (time, seen.len()));
                seen.push(Some(row));
            }
        }
        seen.into_iter().flatten().collect()
    }
}

fn equal_rows(a: (&Batch, usize), b: (&Batch, usize)) -> bool {
    a.0.times[a.1] == b.0.times[b.1]
        && a.0.columns.iter().zip(&b.0.columns).all(|(x, y)| match (x, y) {
            (Column::Number(x), Column::Number(y)) => x[a.1] == y[b.1],
            (Column::Text(x), Column::Text(y)) => x[a.1] == y[b.1],
            (Column::Absent, Column::Absent) => true,
            _ => false,
        })
}
