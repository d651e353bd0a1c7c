//! The history of all streams, as the naive answers read it: correct by construction and slow by
//! construction. Every record is kept with its stamp; what a query may see at a time is worked
//! out from the first record on, each time it is asked.

use crate::batch::{Batch, Column};
use crate::clock::Time;
use crate::event::{Ads, Behavior, Inventory, Logins, Logistics, Row, Shape, Stream, Transactions};
use crate::operator::{Dedupe, withdraws};
use std::collections::HashMap;
use std::sync::Arc;

/// Every record of every stream, stamped.
pub struct History {
    batches: Vec<(Stream, Arc<Batch>)>,
    dedupe: Option<Dedupe>,
}

impl History {
    /// A history of these batches, which the clock has stamped.
    pub fn new(batches: Vec<(Stream, Arc<Batch>)>, dedupe: Option<Dedupe>) -> Self {
        History { batches, dedupe }
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
            self.batches.iter().flat_map(|(_, b)| b.runs().map(|(time, _)| time)).collect();
        times.sort_unstable();
        times.dedup();
        times
    }

    /// What came of a stream up to `at`: stamp, event time, and +1 or, for what was taken back, -1.
    /// A record that comes again unchanged does not count.
    pub fn arrivals(&self, stream: Stream, at: Time) -> Vec<(Time, i64, i64)> {
        match stream {
            Stream::Behavior => self.walk::<Behavior>(at).1,
            Stream::Transactions => self.walk::<Transactions>(at).1,
            Stream::Logistics => self.walk::<Logistics>(at).1,
            Stream::Ads => self.walk::<Ads>(at).1,
            Stream::Logins => self.walk::<Logins>(at).1,
            Stream::Inventory => self.walk::<Inventory>(at).1,
        }
    }

    fn rows<S: Shape>(&self, at: Time) -> Vec<Row<'_, S>> {
        self.walk(at).0
    }

    fn walk<S: Shape>(&self, at: Time) -> (Vec<Row<'_, S>>, Vec<(Time, i64, i64)>) {
        // All records up to `at`, in the order in which they count as later and earlier.
        let mut records = Vec::new();
        for (stream, batch) in &self.batches {
            if *stream != S::STREAM {
                continue;
            }
            let batch = &**batch;
            for (time, rows) in batch.runs().filter(|(time, _)| *time <= at) {
                records.extend(rows.map(|i| ((time, batch.partition, batch.offset, i), batch, i)));
            }
        }
        records.sort_by_key(|(order, ..)| *order);

        let mut came = Vec::new();
        let mut seen: Vec<Option<Row<'_, S>>> = Vec::new();
        let mut last: HashMap<String, (Time, usize)> = HashMap::new();
        for ((time, ..), batch, i) in records {
            let row = Row::<S>::new(batch, i);
            if row.diff() < 0 {
                // A retraction takes an equal record away.
                came.push((time, row.time(), -1));
                if let Some(equal) =
                    seen.iter().position(|x| x.is_some_and(|x| equal_rows(x.place(), (batch, i))))
                {
                    seen[equal] = None;
                }
                continue;
            }
            let id = match (&batch.columns[S::STREAM.id()], self.dedupe) {
                (Column::Text(ids), Some(_)) => ids[i].to_string(),
                _ => String::new(),
            };
            let (Some(how), false) = (self.dedupe, id.is_empty()) else {
                came.push((time, row.time(), 1));
                seen.push(Some(row));
                continue;
            };
            let known = last.get(&id).copied();
            let (take_back, pass) =
                how.judge(known.map(|(then, _)| then), time, withdraws(S::STREAM, batch, i));
            let mut same = false;
            if let (true, Some((_, place))) = (take_back, known)
                && let Some(old) = seen[place].take()
            {
                same = equal_rows(old.place(), (batch, i));
                came.extend((!same).then(|| (time, old.time(), -1)));
            }
            if pass {
                came.extend((!same).then(|| (time, row.time(), 1)));
                last.insert(id, (time, seen.len()));
                seen.push(Some(row));
            }
        }
        (seen.into_iter().flatten().collect(), came)
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
