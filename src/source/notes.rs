//! What is to be told of records though it stops none: values that could not be read and are left out, and names that
//! nobody knows. They are counted, and told at the end with examples.

use std::collections::BTreeMap;

use super::error::SourceError;
use super::plan::{Filled, Plan};
use super::rows::{Found, Rows};
use crate::event::{Kind, Stream};
use crate::shown::{VALUE, shown};
use crate::value::{Decimals, Value};

/// How many unknown names of a field are counted each by itself.
const NAMES: usize = 1000;
/// How many of them are told.
const TOLD: usize = 10;

/// What is to be told of one field of some records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// How many values were left out.
    pub left: u64,
    /// What was wrong with the first of them, and what it was.
    pub example: String,
    /// How many names were known.
    pub known: u64,
    /// The names that were not, with how often.
    pub unknown: BTreeMap<String, u64>,
    /// How often others were not.
    pub more: u64,
}

/// What is to be told of some rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// How many records.
    pub records: u64,
    /// What they come to, if it is about an amount, and with how many decimals.
    pub sum: Option<(i128, u32)>,
}

/// What is to be told of all records of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// By stream, field and partition.
    fields: BTreeMap<(Stream, usize, u32), Note>,
    /// By stream and what is said.
    rows: BTreeMap<(Stream, String), Told>,
}

impl Told {
    /// Adds what is to be told of others.
    pub fn add(&mut self, other: &Told) {
        self.records += other.records;
        if let Some((sum, decimals)) = other.sum {
            let before = self.sum.map_or(0, |(sum, _)| sum);
            self.sum = Some((before.saturating_add(sum), decimals));
        }
    }

    /// A line that says so.
    fn line(&self, stream: Stream, says: &str) -> String {
        let records = if self.records == 1 { "record" } else { "records" };
        let mut line = format!("{} {records} of {}: {says}", self.records, stream.name());
        if let Some((sum, decimals)) = self.sum {
            line.push_str("; in all ");
            let sum = Value::Money(i64::try_from(sum).unwrap_or(i64::MAX));
            sum.write(Decimals(decimals), &mut line);
        }
        line
    }
}

impl Note {
    /// Counts a name, known or not.
    pub(super) fn name(&mut self, name: &str, known: bool) {
        if known {
            self.known += 1;
        } else {
            self.unknown(name, 1);
        }
    }

    fn unknown(&mut self, name: &str, count: u64) {
        let room = self.unknown.len() < NAMES;
        match self.unknown.get_mut(name) {
            Some(so_far) => *so_far += count,
            None if room => drop(self.unknown.insert(name.into(), count)),
            None => self.more += count,
        }
    }

    fn add(&mut self, other: &Note) {
        if self.left == 0 {
            self.example.clone_from(&other.example);
        }
        self.left += other.left;
        self.known += other.known;
        self.more += other.more;
        other.unknown.iter().for_each(|(name, count)| self.unknown(name, *count));
    }

    /// The unknown names, the most frequent first.
    fn ranked(&self) -> Vec<(&str, u64)> {
        let mut names: Vec<_> =
            self.unknown.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        names.sort_by_key(|(name, count)| (u64::MAX - count, *name));
        names
    }

    /// The unknown names for a message.
    fn list(&self) -> String {
        let names = self.ranked();
        let told = names
            .iter()
            .take(TOLD)
            .map(|(name, count)| format!("{} ({count})", shown(name, VALUE)));
        let mut list = told.collect::<Vec<_>>().join(", ");
        let rest = names.iter().skip(TOLD).map(|(_, count)| count).sum::<u64>() + self.more;
        if rest > 0 {
            list += &format!(" and {rest} of others");
        }
        list
    }
}

impl Plan {
    /// What is to be told of values that were not read, by field.
    pub(super) fn left_out(&self, rows: &Rows<'_>, unread: &[Found]) -> Vec<(usize, Note)> {
        let note = |filled: &Filled| {
            let mut mine = unread.iter().filter(|found| found.column == filled.column);
            let Found { row, column, fault } = *mine.next().filter(|_| !filled.essential)?;
            let value = String::from_utf8_lossy(&rows.bytes[rows.span(row, column..column + 1)]);
            let example = format!("{fault}: {:?}", shown(&value, VALUE));
            Some((filled.field, Note { left: 1 + mine.count() as u64, example, ..Note::default() }))
        };
        if unread.is_empty() { Vec::new() } else { self.filled.iter().filter_map(note).collect() }
    }
}

impl Notes {
    /// Adds what is to be told of a block.
    pub fn add(&mut self, stream: Stream, partition: u32, notes: Vec<(usize, Note)>) {
        for (field, note) in notes {
            self.fields.entry((stream, field, partition)).or_default().add(&note);
        }
    }

    /// Adds what is to be told of rows.
    pub fn tell(&mut self, stream: Stream, told: Vec<(String, Told)>) {
        for (says, told) in told {
            self.rows.entry((stream, says)).or_default().add(&told);
        }
    }

    /// What is to be told by field.
    fn by_field(&self) -> BTreeMap<(Stream, usize), Note> {
        let mut fields = BTreeMap::new();
        for ((stream, field, _), note) in &self.fields {
            fields.entry((*stream, *field)).or_insert_with(Note::default).add(note);
        }
        fields
    }

    /// Refuses a stream of which no name of a field is known.
    pub fn refuse_nameless(&self, stream: Stream) -> Result<(), SourceError> {
        for ((_, field), note) in self.by_field().into_iter().filter(|((of, _), _)| *of == stream) {
            let Kind::Name { names, .. } = stream.schema().fields[field].kind else { continue };
            if note.known == 0 && !note.unknown.is_empty() {
                let first =
                    note.ranked().first().map_or(String::new(), |(name, _)| shown(name, VALUE));
                return Err(SourceError::Names {
                    field: format!("{}.{}", stream.name(), stream.schema().fields[field].name),
                    found: note.list(),
                    first,
                    example: names.get(1).copied().unwrap_or_default(),
                    known: names.join(", "),
                });
            }
        }
        Ok(())
    }

    /// Lines for what is told of rows, and for each field.
    pub fn lines(&self) -> Vec<String> {
        let rows = self.rows.iter();
        let rows = rows.map(|((stream, says), told)| told.line(*stream, says));
        let mut lines: Vec<String> = rows.collect();
        for ((stream, field), note) in self.by_field() {
            let about = &stream.schema().fields[field];
            let name = format!("{}.{}", stream.name(), about.name);
            if note.left > 0 {
                let values = if note.left == 1 { "value" } else { "values" };
                lines.push(format!("{} {values} of {name} left out ({})", note.left, note.example));
            }
            if let (Kind::Name { names, other, .. }, Some((first, _))) =
                (about.kind, note.ranked().first())
            {
                let so = match other {
                    Some(other) => format!("count as {}", names[other]),
                    None => "are bad records".into(),
                };
                lines.push(format!(
                    "unknown names of {name} {so}: {} (--map-value {name}.{}=NAME)",
                    note.list(),
                    shown(first, VALUE)
                ));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_names_are_told_and_all_counted() {
        let mut note = Note::default();
        for i in 0..2 * NAMES {
            (0..1 + i % 3).for_each(|_| note.name(&format!("n{i}"), false));
        }
        (0..5).for_each(|_| note.name("often", false));
        assert_eq!(note.unknown.len(), NAMES);
        let mut notes = Notes::default();
        notes.add(Stream::Behavior, 1, vec![(4, note.clone())]);
        notes.add(Stream::Behavior, 0, vec![(4, note)]);
        let lines = notes.lines();
        let told = lines[0].split(": ").nth(1).expect("names");
        assert!(told.starts_with("n1001 (6)") || told.starts_with("n101 (6)"), "{lines:?}");
        assert_eq!(told.matches('(').count(), TOLD + 1);
        assert!(notes.refuse_nameless(Stream::Behavior).is_err());
        // Streams differ in how many fields they have.
        notes.add(Stream::Logistics, 3, vec![(9, Note { known: 1, ..Note::default() })]);
        assert!(Stream::ALL[1..].iter().all(|stream| notes.refuse_nameless(*stream).is_ok()));
        notes.add(Stream::Behavior, 2, vec![(4, Note { known: 1, ..Note::default() })]);
        assert!(notes.refuse_nameless(Stream::Behavior).is_ok());
    }
}
