//! The slow obvious twin of the CSV input path; `dirty` holds the two against each other.
//!
//! The twin walks the file byte by byte, has the `csv` crate take records apart, jiff read times from strings and 128-bit
//! numbers do the sums. What the real path yields must be the same, for every block size and however little each read
//! brings: rows, bad records with their place and reason, counts of lines and records.

use std::io::{self, Read};

use jiff::civil::DateTime;
use jiff::{Timestamp, civil};

use super::dialect::Dialect;
use super::error::Fault;
use super::header::Header;
use super::number;
use super::parse::Scratch;
use super::plan::{ParseOptions, Plan};
use super::split::Splitter;
use super::time::{Clock, Form};
use crate::batch::Column;
use crate::event::{Field, Fold, Kind, NULL, Schema};
use crate::text::Text;

pub(super) static SCHEMA: Schema = Schema {
    name: "orders",
    fields: &[
        Field { name: "time", kind: Kind::Time, essential: true },
        Field { name: "amount", kind: Kind::Money, essential: true },
        Field { name: "count", kind: Kind::Integer, essential: true },
        Field {
            name: "status",
            kind: Kind::Name {
                names: &["paid", "open", "sent back"],
                also: &[("opened", 1)],
                other: None,
            },
            essential: true,
        },
        Field { name: "label", kind: Kind::Text(Fold::Lower), essential: true },
        Field { name: "shipped", kind: Kind::Time, essential: false },
        Field {
            name: "channel",
            kind: Kind::Name { names: &["Web", "Shop"], also: &[], other: Some(7) },
            essential: true,
        },
        Field { name: "code", kind: Kind::Text(Fold::Upper), essential: false },
    ],
};

/// All that is read of a file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Outcome {
    /// Per row its time, diff and columns.
    pub rows: Vec<(i64, i32, Vec<Value>)>,
    /// Per bad record its offset, line counted from the header's end, reason without the value, and bytes.
    pub bad: Vec<(u64, u64, String, Vec<u8>)>,
    pub lines: u64,
    pub records: u64,
    /// How many values of good records were left out.
    pub left: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    None,
    Number(i64),
    Text(Text),
}

/// splitmix64.
pub(super) struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    pub fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// Reads a slice in short pieces.
struct Pieces<'a>(&'a [u8], Random);

impl Read for Pieces<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let most = room.len().min(1 + self.1.below(3000));
        self.0.read(&mut room[..most])
    }
}

/// What the real path makes of a file.
pub(super) fn real(
    file: &[u8],
    block_size: usize,
    limit: usize,
    wanted: &[usize],
    options: &ParseOptions,
) -> Result<Outcome, String> {
    let mut splitter = Splitter::with_limit(
        Pieces(file, Random(block_size as u64)),
        block_size,
        block_size.is_multiple_of(2),
        limit,
    );
    let header = Header::read(
        "test",
        splitter.header(true).unwrap().as_ref(),
        &Dialect { delimiter: Some(b','), ..Dialect::default() },
    );
    let header = header.map_err(|error| error.to_string())?;
    let plan = Plan::new(&SCHEMA, &header, wanted, &[], options, &[]).unwrap();
    let (mut outcome, mut scratch, mut buffer) =
        (Outcome::default(), Scratch::default(), Vec::new());
    let mut expected = None;
    while let Some(block) = splitter.next(buffer).unwrap() {
        assert_eq!(expected.unwrap_or(block.offset), block.offset);
        expected = Some(block.end);
        let parsed = plan.parse(&block, 3, &mut scratch);
        let batch = &parsed.batch;
        assert_eq!((batch.partition, batch.offset), (3, block.offset));
        for row in 0..batch.len() {
            let values = batch.columns.iter().map(|column| match column {
                Column::Absent => Value::None,
                Column::Number(values) => Value::Number(values[row]),
                Column::Text(values) => Value::Text(values[row].clone()),
            });
            outcome.rows.push((batch.times[row], batch.diff(row), values.collect()));
        }
        for bad in parsed.bad {
            let reason = bad.reason.split(": \"").next().unwrap().to_owned();
            outcome.bad.push((bad.offset, outcome.lines + bad.line, reason, bad.raw));
        }
        outcome.left += parsed.notes.iter().map(|(_, note)| note.left).sum::<u64>();
        outcome.lines += parsed.lines;
        outcome.records += parsed.records;
        buffer = block.bytes;
    }
    assert_eq!(expected.unwrap_or(file.len() as u64), file.len() as u64);
    Ok(outcome)
}

/// Where the record that starts at `start` ends, its line end included, or why it is broken. More than `limit` bytes
/// are not looked at.
fn record_end(file: &[u8], start: usize, limit: usize) -> Result<usize, Fault> {
    let (mut quoted, mut field_start, mut at) = (false, true, start);
    let whole = file.len() < start + limit;
    let file = &file[..file.len().min(start + limit)];
    while at < file.len() {
        let byte = file[at];
        at += 1;
        if quoted {
            if byte == b'"' && file.get(at) == Some(&b'"') {
                at += 1;
            } else if byte == b'"' {
                let rest = &file[at..];
                let ends = rest.is_empty() || rest == b"\r" || rest.starts_with(b",");
                if !ends && !rest.starts_with(b"\n") && !rest.starts_with(b"\r\n") {
                    // Its first line has to end as well.
                    let line = file[start..].contains(&b'\n') || whole;
                    return Err(if line { Fault::Quote } else { Fault::TooLong });
                }
                quoted = false;
            }
        } else if byte == b'\n' {
            return Ok(at);
        } else {
            quoted = byte == b'"' && field_start;
            field_start = byte == b',';
        }
    }
    match (whole, quoted) {
        (true, true) => Err(Fault::Unclosed),
        (true, false) => Ok(at),
        (false, _) => Err(Fault::TooLong),
    }
}

fn without_line_end(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

fn fields(record: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader([record, b"\n"].concat().leak() as &[u8]);
    let record = reader.byte_records().next().unwrap().unwrap();
    record.iter().map(<[u8]>::to_vec).collect()
}

/// What the twin makes of a file whose header is sound.
pub(super) fn twin(file: &[u8], limit: usize, wanted: &[usize], options: &ParseOptions) -> Outcome {
    let mut at = if file.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let mut columns: Option<Vec<String>> = None;
    let mut outcome = Outcome::default();
    while at < file.len() {
        let start = at;
        let limit = if columns.is_some() { limit } else { file.len() + 1 };
        let closed = record_end(file, start, limit);
        let line_end =
            || file[start..].iter().position(|&b| b == b'\n').map_or(file.len(), |p| start + p + 1);
        at = closed.as_ref().map_or_else(|_| line_end(), |end| *end);
        // No more is kept of a record than is looked at.
        let long = closed == Err(Fault::TooLong);
        let kept = if long { at.min(start + limit) } else { at };
        let record = without_line_end(&file[start..kept]);
        let line = outcome.lines + 1;
        if columns.is_some() {
            outcome.lines += file[start..at].iter().filter(|&&b| b == b'\n').count() as u64;
        }
        if record.is_empty() && closed.is_ok() {
            continue;
        }
        let Some(columns) = &columns else {
            if record.trim_ascii().is_empty() {
                continue;
            }
            let names =
                fields(record.trim_ascii()).into_iter().map(|n| String::from_utf8(n).unwrap());
            columns = Some(names.map(|name| name.trim().to_owned()).collect());
            continue;
        };
        outcome.records += 1;
        let row = match closed {
            Err(fault) => Err(fault.to_string()),
            Ok(_) => twin_row(&fields(record), columns, wanted, options),
        };
        match row {
            Ok((time, diff, values, left)) => {
                outcome.rows.push((time, diff, values));
                outcome.left += left;
            }
            Err(reason) => {
                let carriage = reason.starts_with("the record has") && record.contains(&b'\r');
                let hint = "; lines end in CR, which is part of a field here";
                let reason = if carriage { reason + hint } else { reason };
                outcome.bad.push((start as u64, line, reason, record.to_vec()))
            }
        }
    }
    outcome
}

fn twin_row(
    fields: &[Vec<u8>],
    columns: &[String],
    wanted: &[usize],
    options: &ParseOptions,
) -> Result<(i64, i32, Vec<Value>, u64), String> {
    // The last columns without a name need not be there, and empty fields beyond are none.
    let named = columns.iter().rposition(|name| !name.is_empty()).map_or(1, |last| last + 1);
    let beyond = fields.get(columns.len()..).unwrap_or_default();
    if fields.len() < named || beyond.iter().any(|field| !field.trim_ascii().is_empty()) {
        return Err(format!("the record has {} fields, the header {}", fields.len(), named));
    }
    let (mut time, mut diff, mut values) = (0, 1, vec![Value::None; SCHEMA.fields.len()]);
    let mut left = 0;
    for (column, bytes) in columns.iter().zip(fields) {
        let field = SCHEMA.fields.iter().position(|field| field.name.eq_ignore_ascii_case(column));
        let wrong = |fault: Fault| format!("column {column}: {fault}");
        if !column.eq_ignore_ascii_case("_diff")
            && field.is_none_or(|field| field > 0 && !wanted.contains(&field))
        {
            continue;
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Fault::Encoding);
        let text = text.map(|text| if options.trim_fold { text.trim() } else { text });
        let text = text.map(|text| if options.absent.has(text) { "" } else { text });
        if let Some(field) = field.filter(|field| !SCHEMA.fields[*field].essential) {
            let kind = SCHEMA.fields[field].kind;
            values[field] =
                text.and_then(|text| twin_value(kind, text, options)).unwrap_or_else(|_| {
                    left += 1;
                    match kind {
                        Kind::Text(_) => Value::Text(Text::default()),
                        _ => Value::Number(NULL),
                    }
                });
            continue;
        }
        let text = text.map_err(wrong)?;
        match field {
            None => {
                diff = twin_integer(text)
                    .map_err(wrong)?
                    .try_into()
                    .map_err(|_| wrong(Fault::Range))?;
                if text.is_empty() || diff == 0 {
                    return Err(wrong(if text.is_empty() { Fault::Missing } else { Fault::Zero }));
                }
            }
            Some(0) if text.is_empty() => return Err(wrong(Fault::Missing)),
            Some(0) => time = twin_time(text, options).map_err(wrong)?,
            Some(field) => {
                values[field] =
                    twin_value(SCHEMA.fields[field].kind, text, options).map_err(wrong)?
            }
        }
    }
    Ok((time, diff, values, left))
}

fn twin_value(kind: Kind, text: &str, options: &ParseOptions) -> Result<Value, Fault> {
    Ok(match kind {
        Kind::Text(_) if !options.trim_fold => Value::Text(text.into()),
        Kind::Text(Fold::Keep) => Value::Text(text.into()),
        Kind::Text(Fold::Lower) => Value::Text(text.to_lowercase().as_str().into()),
        Kind::Text(Fold::Upper) => Value::Text(text.to_uppercase().as_str().into()),
        _ if text.is_empty() => Value::Number(NULL),
        Kind::Time => Value::Number(twin_time(text, options)?),
        Kind::Money => Value::Number(twin_money(text, options)?),
        Kind::Integer if options.decimal_comma => Value::Number(number::whole(text, true)?),
        Kind::Integer => Value::Number(twin_integer(text)?),
        Kind::Name { names, also, other } => {
            let fold = |s: &str| {
                if options.trim_fold { s.to_ascii_lowercase() } else { s.to_owned() }
            };
            let index =
                |name: &&str| names.iter().position(|known| known == name).map(|i| i as i64);
            let names = names.iter().map(|name| (*name, index(name).unwrap()));
            let mut known = names.chain(also.iter().copied());
            let found = known.find(|(name, _)| fold(name) == fold(text)).map(|(_, index)| index);
            Value::Number(found.or(other.map(|other| other as i64)).ok_or(Fault::Name)?)
        }
    })
}

/// Whether the text has the form, in which a nine stands for any digit.
fn like(text: &str, form: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    shape == form
}

fn in_range(number: i128) -> Result<i64, Fault> {
    i64::try_from(number).ok().filter(|&number| number != NULL).ok_or(Fault::Range)
}

/// Numbers that are not plain are the business of `number`, whose tests write them and read them back.
fn twin_integer(text: &str) -> Result<i64, Fault> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    match digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
        true if text.is_empty() => Ok(0),
        true => number::whole(text, false),
        false => in_range(text.parse().unwrap_or(i128::MAX)),
    }
}

fn twin_money(text: &str, options: &ParseOptions) -> Result<i64, Fault> {
    let decimals = options.decimals;
    let mark = if options.decimal_comma { ',' } else { '.' };
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, part) = digits.split_once(mark).unwrap_or((digits, "0"));
    if whole.is_empty()
        || part.is_empty()
        || !(whole.to_owned() + part).chars().all(|c| c.is_ascii_digit())
        || part.trim_end_matches('0').len() > decimals as usize
    {
        return number::read(text, decimals, options.decimal_comma);
    }
    let part = part.trim_end_matches('0');
    let shift = 10i128.pow(decimals);
    let whole: i128 = whole.parse().unwrap_or(i128::from(i64::MAX));
    in_range(whole * shift)?;
    let part = format!("{part:0<width$}", width = decimals as usize);
    let number = whole * shift + part.parse::<i128>().unwrap_or(0);
    in_range(if text.starts_with('-') { -number } else { number })
}

fn twin_time(text: &str, options: &ParseOptions) -> Result<i64, Fault> {
    if let Some((_, form)) = options.time_forms.first() {
        return Clock::new(&options.zone, options.max_time, form).parse(text);
    }
    let time = {
        let (rest, offset) = match text.char_indices().skip(10).find(|(_, c)| "Zz+-".contains(*c)) {
            Some((at, _)) => text.split_at(at),
            None => (text, ""),
        };
        let (main, part) = rest.split_once('.').unwrap_or((rest, "0"));
        let main = main.replacen(['T', 't'], " ", 1);
        let with_time = like(&main, "9999-99-99 99:99:99");
        let good = match offset {
            "" => with_time || (like(&main, "9999-99-99") && !rest.contains('.')),
            "Z" | "z" => with_time,
            _ => with_time && (like(offset, "+99:99") || like(offset, "-99:99")),
        };
        let zoned = !matches!(offset, "" | "Z" | "z");
        if !good || part.is_empty() || !part.chars().all(|c| c.is_ascii_digit()) {
            // Other forms are the business of `time`, whose tests write them and read them back.
            return Clock::new(&options.zone, options.max_time, &Form::Any).parse(text);
        }
        if zoned && (offset[1..3] > *"23" || offset[4..6] > *"59") {
            return Err(Fault::Time);
        }
        if main.ends_with(":60") {
            return Err(Fault::Date); // jiff would take it for :59
        }
        let milliseconds: i64 = format!("{part:0<3}")[..3].parse().unwrap();
        let time = if offset.is_empty() {
            let time: DateTime = match with_time {
                true => main.parse().map_err(|_| Fault::Date)?,
                false => main
                    .parse::<civil::Date>()
                    .map_err(|_| Fault::Date)?
                    .to_datetime(civil::Time::midnight()),
            };
            time.to_zoned(options.zone.clone()).map_err(|_| Fault::Date)?.timestamp()
        } else {
            let (sign, hours) = if zoned { offset.split_at(1) } else { ("+", "00:00") };
            let at = format!("{main}Z").parse::<Timestamp>().map_err(|_| Fault::Date)?;
            let minutes: i64 =
                hours[..2].parse::<i64>().unwrap() * 60 + hours[3..].parse::<i64>().unwrap();
            at - jiff::SignedDuration::from_mins(if sign == "-" { -minutes } else { minutes })
        };
        i128::from(time.as_second() * 1000 + milliseconds)
    };
    let from: Timestamp = "1900-01-01T00:00:00Z".parse().unwrap();
    let until: Timestamp = "2200-01-01T00:00:00Z".parse().unwrap();
    match i64::try_from(time)
        .ok()
        .filter(|t| (from.as_millisecond()..until.as_millisecond()).contains(t))
    {
        None => Err(Fault::Date),
        Some(time) if options.max_time.is_some_and(|max| time > max) => Err(Fault::Future),
        Some(time) => Ok(time),
    }
}
