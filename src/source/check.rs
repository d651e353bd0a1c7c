//! Reads the first rows of a source to tell how they are read, without running anything.

use std::collections::BTreeMap;

use super::error::SourceError;
use super::notes::Notes;
use super::parse::{Parsed, Scratch};
use super::{Feeds, Partition, Taken, Waiting};
use crate::batch::{Batch, Column};
use crate::clean::currency::money_of;
use crate::event::{Kind, NULL, Stream};
use crate::shown::{VALUE, shown};
use crate::text::Text;
use crate::value::{Decimals, Value};

/// How many rows are read, and those that come with them in their block.
pub const ROWS: u64 = 1000;
/// How many reasons of bad records are told.
const REASONS: usize = 10;

/// What the first rows of a source are.
#[derive(Debug, Default)]
pub struct Checked {
    /// The source.
    pub name: String,
    /// Rows that were read, bad ones included.
    pub rows: u64,
    /// Rows that can be used.
    pub good: u64,
    /// Whether there are more rows.
    pub more: bool,
    stream: Option<Stream>,
    /// What is wrong with bad records, how often, and the first such value.
    reasons: BTreeMap<String, (u64, String)>,
    times: Option<(i64, i64)>,
    /// By field and currency: how many amounts, and what they come to.
    sums: BTreeMap<(&'static str, Text), (u64, i128)>,
    notes: Notes,
    decimals: u32,
}

impl Partition {
    /// Reads the first rows.
    pub fn check(&self, feeds: &Feeds) -> Result<Checked, SourceError> {
        let (name, stream) = (shown(&self.name, 4 * VALUE), Some(self.stream));
        let mut checked = Checked { name, stream, ..Checked::default() };
        let mut scratch = Scratch::default();
        while checked.rows < ROWS {
            match self.take(feeds, &mut scratch)? {
                Taken::Parsed(waiting) => {
                    let Waiting { parsed, .. } = *waiting;
                    checked.see(self, parsed);
                }
                Taken::Later => std::thread::yield_now(),
                Taken::Ended => break,
            }
        }
        checked.more = !matches!(self.take(feeds, &mut scratch)?, Taken::Ended);
        checked.decimals = self.plan().options.decimals;
        Ok(checked)
    }
}

impl Checked {
    fn see(&mut self, partition: &Partition, parsed: Parsed) {
        let Parsed { batch, bad, records, notes, told, .. } = parsed;
        self.rows += records;
        self.good += batch.len() as u64;
        for bad in bad {
            let (what, value) = bad.reason.split_once(": \"").unwrap_or((&bad.reason, ""));
            let value = shown(value.strip_suffix('"').unwrap_or(value), VALUE);
            self.reasons.entry(what.to_owned()).or_insert((0, value)).0 += 1;
        }
        for time in &batch.times {
            let (first, last) = self.times.unwrap_or((*time, *time));
            self.times = Some((first.min(*time), last.max(*time)));
        }
        self.add_up(partition.stream, &batch);
        self.notes.add(partition.stream, partition.index, notes);
        self.notes.tell(partition.stream, told);
    }

    fn add_up(&mut self, stream: Stream, batch: &Batch) {
        let currency = match money_of(stream).and_then(|(field, _)| batch.columns.get(field)) {
            Some(Column::Text(texts)) => Some(texts),
            _ => None,
        };
        for (field, column) in stream.schema().fields.iter().zip(&batch.columns) {
            let (Kind::Money, Column::Number(amounts)) = (field.kind, column) else { continue };
            for (row, amount) in amounts.iter().enumerate().filter(|(_, amount)| **amount != NULL) {
                let currency = currency.and_then(|texts| texts.get(row)).cloned();
                let key = (field.name, currency.unwrap_or_default());
                let (count, sum) = self.sums.entry(key).or_default();
                *count += 1;
                *sum += i128::from(*amount);
            }
        }
    }

    /// What is to be told of it, line by line.
    pub fn lines(&self) -> Vec<String> {
        let stream = self.stream.map_or("", Stream::name);
        let first = if self.more { "first " } else { "" };
        let some = if self.rows == 1 { "row" } else { "rows" };
        let rows = format!("{first}{} {some} read, {} of them good", self.rows, self.good);
        let mut lines = vec![format!("{} ({stream}): {rows}", self.name)];
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(what, (count, _))| (u64::MAX - count, what.as_str()));
        for (what, (count, example)) in reasons.iter().take(REASONS) {
            let example =
                if example.is_empty() { String::new() } else { format!(": \"{example}\"") };
            lines.push(format!("  {count} bad: {what}{example}"));
        }
        if reasons.len() > REASONS {
            lines.push(format!("  and {} other reasons", reasons.len() - REASONS));
        }
        let text = |value: Value| {
            let mut out = String::new();
            value.write(Decimals(self.decimals), &mut out);
            out
        };
        if let Some((first, last)) = self.times {
            let (first, last) = (text(Value::Moment(first)), text(Value::Moment(last)));
            lines.push(format!("  times from {first} to {last}"));
        }
        for ((field, currency), (count, sum)) in &self.sums {
            let sum = text(Value::Money(i64::try_from(*sum).unwrap_or(i64::MAX)));
            let currency = shown(&currency.to_string(), VALUE);
            let space = if currency.is_empty() { "" } else { " " };
            let some = if *count == 1 { "amount" } else { "amounts" };
            lines.push(format!("  {field}: {count} {some}, in all {sum}{space}{currency}"));
        }
        lines.extend(self.notes.lines().iter().map(|line| format!("  {line}")));
        let names = self.stream.and_then(|stream| self.notes.refuse_nameless(stream).err());
        lines.extend(names.map(|error| format!("  {error}")));
        lines
    }
}
