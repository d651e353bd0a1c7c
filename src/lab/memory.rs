//! Text in memory as stamped batches, read as a run reads it: for examples, tests and benches.

use super::replay::Recorded;
use crate::clock::{Clock, Tick};
use crate::error::Error;
use crate::event::Stream;
use crate::operator::{Dedupe, OnDuplicate};
use crate::query::History;
use crate::source::plan::{ParseOptions, Plan};
use crate::source::{DeadLetters, Feeds, Input, Partition, Reader};
use std::io::Cursor;
use std::sync::Arc;

/// Text with a header that is a partition of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// The stream.
    pub stream: Stream,
    /// The number of the partition.
    pub partition: u32,
    /// The text.
    pub csv: &'a str,
    /// About how many bytes are read in one go.
    pub block: usize,
}

impl Text<'_> {
    /// Its records with every column filled, stamped by event times rounded up to a tick. A bad
    /// record is an error.
    pub fn record(self, tick: Tick) -> Result<Recorded, Error> {
        let Text { stream, partition, csv, block } = self;
        let bytes = Box::new(Cursor::new(csv.as_bytes().to_vec()));
        let input = Input::Text(Reader::from_read(stream.name(), bytes, block)?);
        let (schema, options) = (stream.schema(), ParseOptions::default());
        let all: Vec<usize> = (1..schema.fields.len()).collect();
        let plan = Plan::new(schema, input.header(), &all, &[], &options, &[])?;
        let read = Partition::new(stream, partition, plan, input, Clock::new(tick, None));
        let feeds = Feeds::new(vec![read], DeadLetters::unwritten());
        let mut recorded = Recorded::new();
        feeds.read_all(|_, batch| {
            recorded.push((stream, Arc::new(batch)));
            Ok::<(), Error>(())
        })?;
        feeds.dead_letters.first().map_or(Ok(recorded), |bad| Err(Error::Usage(bad)))
    }
}

impl History {
    /// A history from CSV text with a header, one partition per text, read and stamped as `run`
    /// does with one-minute ticks; a later record of an id replaces the earlier. For examples.
    pub fn from_csv(texts: &[(Stream, &str)]) -> Result<History, Error> {
        let mut batches = Recorded::new();
        for (partition, &(stream, csv)) in (0..).zip(texts) {
            let text = Text { stream, partition, csv, block: 1 << 16 };
            batches.extend(text.record(Tick::MINUTE)?);
        }
        let dedupe = Dedupe { policy: OnDuplicate::Replace, keep: None, lateness: None };
        Ok(History::new(batches, Some(dedupe)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_record_is_told_with_its_line() {
        let csv = "transaction_time,amount\n2026-01-05 10:00:00,1.00\n2026-01-05 10:00:00,x\n";
        let wrong = History::from_csv(&[(Stream::Transactions, csv)]).err().expect("it is bad");
        assert!(wrong.to_string().starts_with("transactions, line 3: "), "{wrong}");
    }
}
