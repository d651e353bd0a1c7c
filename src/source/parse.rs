//! Turns a block of records into a batch of columns.
//!
//! First the separators of the whole block are found and the rows with the right number of fields picked out; then each
//! wanted column is read from top to bottom by a loop of its own kind, which costs no choice per value. A value is read
//! by the fast way of its kind, and when that declines by the full one, which takes quotes, space and odd forms and is
//! the only one to find fault. Rows with a fault are kept until all columns are read, so that columns stay in step, and
//! then taken out of all of them at once. Of several faults in a row the one leftmost in the file is told.

use std::borrow::Cow;

use super::bad::{Bad, broken};
use super::error::Fault;
use super::layout::Layout;
use super::made::MadeColumn;
use super::notes::{Note, Told};
use super::number;
use super::plan::{Filled, Plan};
use super::rows::{Cell, Found, Rows};
use super::scalar;
use super::split::{Block, Shape};
use super::time::{Clock, Form};
use crate::batch::{Batch, Column};
use crate::event::{Fold, Kind, NULL};
use crate::text::Text;

/// What came of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The good records.
    pub batch: Batch,
    /// The bad ones.
    pub bad: Vec<Bad>,
    /// How many line ends the block has.
    pub lines: u64,
    /// How many records it has, good and bad.
    pub records: u64,
    /// What is to be told of fields.
    pub notes: Vec<(usize, Note)>,
    /// What is to be told of rows.
    pub told: Vec<(String, Told)>,
}

/// Memory kept from one block to the next.
#[derive(Default)]
pub struct Scratch {
    layout: Layout,
    faults: Vec<Found>,
    /// Values that cannot be read and do not cost their record.
    unread: Vec<Found>,
    room: Vec<u8>,
}

impl Plan {
    /// Parses a block of the input numbered `partition`.
    pub fn parse(&self, block: &Block, partition: u32, scratch: &mut Scratch) -> Parsed {
        let mut batch = Batch::new(partition, block.offset, self.fields);
        batch.change_log = self.diff.is_some();
        let bytes = block.bytes.as_slice();
        let quotes = match block.shape {
            Shape::Plain => false,
            Shape::Quoted => true,
            Shape::TooLong => return broken(block, batch, Fault::TooLong),
            Shape::Unclosed => return broken(block, batch, Fault::Unclosed),
        };
        let Scratch { layout, faults, unread, room } = scratch;
        faults.clear();
        unread.clear();
        let apart = layout.apart(self, bytes, quotes, block.above.as_ref());
        let rows = &apart.rows;
        let mut parsed = Parsed { batch, ..Parsed::default() };
        parsed.records = apart.records();
        parsed.lines = apart.lines;
        parsed.told = self.rules.tell(self, &apart);
        self.fill(&mut parsed, rows, (faults, unread), room);
        if !faults.is_empty() || !apart.is_even() {
            faults.sort_unstable();
            faults.dedup_by_key(|found| found.row);
            self.tell(&mut parsed, &apart, faults);
            unread.retain(|found| faults.binary_search_by_key(&found.row, |f| f.row).is_err());
            let rows: Vec<usize> = faults.iter().map(|found| found.row).collect();
            parsed.batch.remove(&rows);
        }
        parsed.notes.extend(self.left_out(rows, unread));
        if parsed.batch.diffs.iter().all(|&diff| diff == 1) {
            parsed.batch.diffs = Vec::new();
        }
        parsed
    }

    /// Reads all columns. What is at fault goes to the first list where it costs the record, else to the second.
    fn fill(
        &self,
        Parsed { batch, notes, .. }: &mut Parsed,
        rows: &Rows<'_>,
        (faults, unread): (&mut Vec<Found>, &mut Vec<Found>),
        room: &mut Vec<u8>,
    ) {
        batch.times = self.within(&self.time, rows, faults, |rows, faults| {
            self.times(&self.time, rows, faults, room)
        });
        if let Some(column) = self.diff {
            batch.diffs = rows.column(column, faults, |field| {
                let number = match self.text(field, room)? {
                    "" => return Err(Fault::Missing),
                    text => number::whole(text, false)?,
                };
                match i32::try_from(number) {
                    Ok(0) => Err(Fault::Zero),
                    Ok(diff) => Ok(diff),
                    Err(_) => Err(Fault::Range),
                }
            });
        }
        for filled in &self.filled {
            let (faults, before) = match filled.essential {
                true => (&mut *faults, usize::MAX),
                false => {
                    let before = unread.len();
                    (&mut *unread, before)
                }
            };
            let mut column = self.within(filled, rows, faults, |rows, faults| match filled.kind {
                Kind::Name { .. } => {
                    let mut note = Note::default();
                    let names = self.names(filled, rows, (faults, &mut note), room);
                    notes.push((filled.field, note));
                    Column::Number(names)
                }
                _ => self.column(filled, rows, faults, room),
            });
            if let Column::Number(values) = &mut column {
                faults.iter().skip(before).for_each(|found| values[found.row] = NULL);
            }
            batch.columns[filled.field] = column;
        }
        self.check_decimals(batch, (faults, unread));
    }

    /// Reads a field within the rows of the block, or within the column that is made for it.
    fn within<T>(
        &self,
        filled: &Filled,
        rows: &Rows<'_>,
        faults: &mut Vec<Found>,
        read: impl FnOnce(&Rows<'_>, &mut Vec<Found>) -> T,
    ) -> T {
        let Some(parts) = &filled.made else { return read(rows, faults) };
        let made = MadeColumn::of(self, parts, rows);
        let before = faults.len();
        let result = read(&made.rows(), faults);
        faults.iter_mut().skip(before).for_each(|found| found.column = filled.column);
        result
    }

    /// Reads a column of times. One has to be there in that of the event.
    fn times(
        &self,
        filled: &Filled,
        rows: &Rows<'_>,
        faults: &mut Vec<Found>,
        room: &mut Vec<u8>,
    ) -> Vec<i64> {
        static ANY: Form = Form::Any;
        let form = filled.form.as_ref().unwrap_or(&ANY);
        let mut clock = Clock::new(&self.options.zone, self.options.max_time, form);
        let usual = clock.is_usual();
        rows.column(filled.place(), faults, |field| {
            if usual && let Some(time) = clock.usual(field.bytes()) {
                return Ok(time);
            }
            match self.text(field, room)? {
                "" if filled.field == 0 => Err(Fault::Missing),
                "" => Ok(NULL),
                text => clock.parse(text),
            }
        })
    }

    /// The content of a field; empty where it stands for nothing.
    #[inline]
    pub(super) fn text<'b>(
        &self,
        field: Cell<'b>,
        room: &'b mut Vec<u8>,
    ) -> Result<&'b str, Fault> {
        let text = field.text(room, self.options.trim_fold)?;
        Ok(if self.options.absent.has(text) { "" } else { text })
    }

    /// Reads a column of names, and counts those that are known and those that are not.
    fn names(
        &self,
        filled: &Filled,
        rows: &Rows<'_>,
        (faults, note): (&mut Vec<Found>, &mut Note),
        room: &mut Vec<u8>,
    ) -> Vec<i64> {
        let Kind::Name { names, also, other } = filled.kind else { return Vec::new() };
        let fold = self.options.trim_fold;
        rows.column(filled.place(), faults, |field| match self.text(field, room)? {
            "" => Ok(NULL),
            text => {
                let same = |name: &str| name == text || (fold && name.eq_ignore_ascii_case(text));
                let said =
                    filled.values.iter().find(|(name, _)| same(name)).map(|(_, index)| *index);
                let found = said.or_else(|| name(text, names, fold));
                let found = found
                    .or_else(|| also.iter().find(|(name, _)| same(name)).map(|(_, index)| *index));
                note.name(text, found.is_some());
                found.or(other.map(|other| other as i64)).ok_or(Fault::Name)
            }
        })
    }

    /// Reads the column of a field.
    fn column(
        &self,
        filled: &Filled,
        rows: &Rows<'_>,
        faults: &mut Vec<Found>,
        room: &mut Vec<u8>,
    ) -> Column {
        let trim = self.options.trim_fold;
        let column = filled.place();
        // What is empty is absent; the rest is read by its kind.
        let absent_or = |text: &str, read: &dyn Fn(&str) -> Result<i64, Fault>| match text {
            "" => Ok(NULL),
            text => read(text),
        };
        match filled.kind {
            Kind::Name { .. } => Column::Absent, // see `names`
            Kind::Time => Column::Number(self.times(filled, rows, faults, room)),
            Kind::Money => Column::Number(rows.column(column, faults, |field| {
                match self.money.short(field.block, field.start, field.end) {
                    Some(number) => Ok(number),
                    None => absent_or(self.text(field, room)?, &|text| self.money.parse(text)),
                }
            })),
            Kind::Integer => {
                let read = |text: &str| number::whole(text, self.options.decimal_comma);
                Column::Number(rows.column(column, faults, |field| {
                    match scalar::short_integer(field.block, field.start, field.end) {
                        Some(number) => Ok(number),
                        None => absent_or(self.text(field, room)?, &read),
                    }
                }))
            }
            Kind::Text(fold) => {
                let fold = if trim { fold } else { Fold::Keep };
                Column::Text(rows.column(column, faults, |field| match field.number() {
                    Some(text) => Ok(text),
                    None => Ok(Text::new(&folded(self.text(field, room)?, fold))),
                }))
            }
        }
    }
}

/// The index of a name, exactly so or, if `fold`, in any case.
fn name(text: &str, names: &[&str], fold: bool) -> Option<i64> {
    let exact = names.iter().position(|name| *name == text);
    let folded = || names.iter().position(|name| fold && name.eq_ignore_ascii_case(text));
    exact.or_else(folded).map(|index| index as i64)
}

/// A text in the case it should have.
fn folded(text: &str, fold: Fold) -> Cow<'_, str> {
    match fold {
        Fold::Lower if !text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) => {
            Cow::Owned(text.to_lowercase())
        }
        Fold::Upper if !text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_lowercase()) => {
            Cow::Owned(text.to_uppercase())
        }
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialect::Dialect;
    use super::super::header::Header;
    use super::super::plan::ParseOptions;
    use super::super::split::{MAX_RAW, Splitter};
    use super::super::time::Unit;
    use super::super::twin::SCHEMA;
    use super::*;

    /// Parses a file of one block with all fields wanted.
    fn parse(file: &[u8]) -> Parsed {
        let mut splitter = Splitter::new(file, 1 << 18, false);
        let header =
            Header::read("f.csv", splitter.header(true).unwrap().as_ref(), &Dialect::default())
                .unwrap();
        // Small numbers are enough here.
        let epoch = (Some("orders.time".into()), Form::Epoch(Unit::Seconds));
        let options = ParseOptions {
            max_time: Some(4_000_000_000_000),
            time_forms: if file.starts_with(b"time\n2026") { vec![] } else { vec![epoch] },
            ..ParseOptions::default()
        };
        let plan = Plan::new(&SCHEMA, &header, &[1, 2, 3, 4, 5, 6, 7], &[], &options, &[]).unwrap();
        let block = splitter.next(Vec::new()).unwrap().unwrap();
        plan.parse(&block, 0, &mut Scratch::default())
    }

    fn reason(file: &str) -> String {
        let parsed = parse(file.as_bytes());
        assert_eq!((parsed.bad.len(), parsed.batch.len(), parsed.records), (1, 0, 1), "{file}");
        parsed.bad[0].reason.clone()
    }

    #[test]
    fn fills_the_columns_that_are_there() {
        let parsed =
            parse(b"label,_diff,time,amount,x\r\n\r\nAbc ,1,10,1.5,\r\n,-1,20,,\"a\nb\"\r\n");
        let batch = &parsed.batch;
        assert_eq!((parsed.lines, parsed.records, parsed.bad.len()), (4, 2, 0));
        assert_eq!(batch.times, [10_000, 20_000]);
        assert_eq!(batch.diffs, [1, -1]);
        assert_eq!(batch.columns[1], Column::Number(vec![150, NULL]));
        assert_eq!(batch.columns[4], Column::Text(vec!["abc".into(), Text::default()]));
        assert!([0, 2, 3, 5, 6, 7].iter().all(|&field| batch.columns[field] == Column::Absent));
        assert!(parse(b"time,_diff\n1,1\n2,1\n").batch.diffs.is_empty());
    }

    #[test]
    fn tells_what_is_wrong() {
        for (file, expected) in [
            ("time,amount\n5,x\n", "column amount: not an amount: \"x\""),
            (
                "time,amount\n5,1.234\n",
                "column amount: too many decimals (see --decimals): \"1.234\"",
            ),
            ("time,amount\n,1\n", "column time: missing value: \"\""),
            ("time\n2026-02-30\n", "column time: impossible date: \"2026-02-30\""),
            ("time\n4000000001\n", "column time: too far in the future: \"4000000001\""),
            (
                "time,count\n5,9223372036854775808\n",
                "column count: number out of range: \"9223372036854775808\"",
            ),
            ("time,status\n5,lost\n", "column status: unknown name: \"lost\""),
            ("time,_diff\n5,0\n", "column _diff: a row cannot count zero times: \"0\""),
            ("time,_diff\n5,\n", "column _diff: missing value: \"\""),
            ("time,count\n5\n", "the record has 1 fields, the header 2"),
            ("time,count\n5,6,7\n", "the record has 3 fields, the header 2"),
            ("count,time\nx,y\n", "column count: not a whole number: \"x\""),
            ("time\n\"5\n", "quote is never closed"),
            (
                "time\n\"5\"6\n",
                "text follows a closing quote, or a quote opens that should be doubled",
            ),
            (
                "time,count\n5,6\r7,8\r\n",
                "the record has 3 fields, the header 2; lines end in CR, which is part of a field here",
            ),
        ] {
            assert_eq!(reason(file), expected);
        }
        let long = reason(&format!("time\n{}\n", "é".repeat(100)));
        assert_eq!(long, format!("column time: not a time: \"{}…\"", "é".repeat(40)));
        let parsed = parse(b"time,label\n5,\xFF\n");
        assert_eq!(
            parsed.bad[0].reason,
            "column label: not UTF-8 (--encoding says what it is): \"\u{FFFD}\""
        );
        assert_eq!(parsed.bad[0].raw, b"5,\xFF");
    }

    #[test]
    fn bad_records_are_told_in_order_with_their_place() {
        let parsed = parse(b"time,label\r\n1,a\r\nx,b\r\n\r\n2\r\n3,\"c\r\nd\"\r\ny,e");
        let found: Vec<_> =
            parsed.bad.iter().map(|bad| (bad.offset, bad.line, bad.raw.as_slice())).collect();
        assert_eq!(found, [(17, 2, &b"x,b"[..]), (24, 4, b"2"), (37, 7, b"y,e")]);
        assert_eq!((parsed.batch.times, parsed.records, parsed.lines), (vec![1000, 3000], 5, 6));
    }

    #[test]
    fn much_of_a_bad_record_is_kept_but_not_all() {
        let file = format!("time,label\nx,{}\n", "y".repeat(2 * MAX_RAW));
        assert_eq!(parse(file.as_bytes()).bad[0].raw.len(), MAX_RAW);
    }
}
