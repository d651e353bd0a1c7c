//! Recorded clicks: a file with a header that names a session, an item and a time in seconds, in
//! any order and among others; parted by tabs, commas or semicolons, with quotes as in CSV.

use csv::{ByteRecord, ReaderBuilder};
use std::path::Path;

use crate::recommend::pairs::Time;

/// Why recorded clicks cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ClickError {
    /// A file could not be read.
    #[error("{path}: {source}; check that the file is there and can be read")]
    Read {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The columns of a file are not to be told.
    #[error("{path}: {what}")]
    Header {
        /// The file.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// A line is not a click.
    #[error(
        "{path}:{line}: expected a session and an item, both whole numbers, and a time in seconds"
    )]
    Click {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
    },
}

impl From<ClickError> for crate::error::Error {
    fn from(error: ClickError) -> Self {
        let wrong_use = !matches!(error, ClickError::Click { .. });
        crate::error::Error::of(error, wrong_use)
    }
}

/// One click.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Click {
    /// The session.
    pub session: u64,
    /// The item.
    pub item: u64,
    /// When.
    pub time: Time,
    /// Orders clicks of one time: the place in the file.
    pub line: u64,
}

/// What is read, and the names it goes by; case, spaces and underscores do not matter.
const COLUMNS: [(&str, &[&str]); 3] = [
    ("session", &["sessionid", "session", "visitorid"]),
    ("item", &["itemid", "item", "productid"]),
    ("time", &["time", "timestamp", "visittime", "eventtime", "ts"]),
];

/// Reads the clicks of a file in the order of its lines.
pub fn read(path: &Path) -> Result<Vec<Click>, ClickError> {
    let shown = || path.display().to_string();
    let bytes = std::fs::read(path).map_err(|source| ClickError::Read { path: shown(), source })?;
    parse(&bytes, &shown())
}

fn parse(bytes: &[u8], path: &str) -> Result<Vec<Click>, ClickError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let first = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let count = |delimiter: &u8| first.iter().filter(|b| *b == delimiter).count();
    let delimiter = [b'\t', b',', b';'].into_iter().max_by_key(count).unwrap_or(b'\t');
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(bytes);
    let mut record = ByteRecord::new();
    let mut next = |record: &mut ByteRecord| {
        reader
            .read_byte_record(record)
            .map_err(|e| ClickError::Header { path: path.into(), what: e.to_string() })
    };
    next(&mut record)?;
    let places = places(&record).map_err(|what| ClickError::Header { path: path.into(), what })?;
    let mut clicks = Vec::new();
    while next(&mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        if record.iter().all(|cell| cell.trim_ascii().is_empty()) {
            continue;
        }
        let click = click(&record, places, clicks.len() as u64 + 1);
        let wrong = || ClickError::Click { path: path.into(), line: line as usize };
        clicks.push(click.ok_or_else(wrong)?);
    }
    Ok(clicks)
}

/// Where session, item and time stand.
fn places(header: &ByteRecord) -> Result<[usize; 3], String> {
    let plain = |cell: &[u8]| {
        let letters = cell.iter().filter(|b| !b" _-\t\r\"".contains(b));
        letters.map(u8::to_ascii_lowercase).collect::<Vec<u8>>()
    };
    let names: Vec<Vec<u8>> = header.iter().map(plain).collect();
    let is_number =
        |name: &Vec<u8>| std::str::from_utf8(name).is_ok_and(|name| name.parse::<f64>().is_ok());
    if names.is_empty() {
        return Err("the file is empty; its first line must name the columns".into());
    }
    if names.iter().all(is_number) {
        return Err("there is no header: the first line is numbers and must name the columns, for instance SessionId, ItemId, Time".into());
    }
    let mut places = [0; 3];
    for (place, (what, known)) in places.iter_mut().zip(COLUMNS) {
        let is = |name: &Vec<u8>| known.iter().any(|known| known.as_bytes() == name);
        let mut found = names.iter().enumerate().filter(|(_, name)| is(name)).map(|(at, _)| at);
        *place = match (found.next(), found.next()) {
            (Some(at), None) => at,
            (None, _) => {
                let has: Vec<_> = header.iter().map(String::from_utf8_lossy).take(20).collect();
                return Err(format!(
                    "there is no column for the {what}, such as {}; it has {:?}",
                    known.join(" or "),
                    has
                ));
            }
            (Some(_), Some(_)) => return Err(format!("two columns could be the {what}")),
        };
    }
    Ok(places)
}

fn click(record: &ByteRecord, [session, item, time]: [usize; 3], line: u64) -> Option<Click> {
    let cell = |at: usize| std::str::from_utf8(record.get(at)?.trim_ascii()).ok();
    let seconds: f64 = cell(time)?.parse().ok()?;
    // Beyond this, milliseconds are no longer exact in a float.
    let in_range = seconds.abs() < 4e12;
    let time = Time((seconds * 1000.0).round() as i64);
    let (session, item) = (cell(session)?.parse().ok()?, cell(item)?.parse().ok()?);
    in_range.then_some(Click { session, item, time, line })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clicks(text: &str) -> Result<Vec<Click>, String> {
        parse(text.as_bytes(), "f").map_err(|e| e.to_string())
    }

    #[test]
    fn columns_are_found_by_name_whatever_their_order_and_what_parts_them() {
        let want = Click { session: 1, item: 20, time: Time(1_500), line: 1 };
        for text in [
            "SessionId\tItemId\tTime\n1\t20\t1.5\n",
            "session_id,visit_time,item_id\n1,1.5,20\n",
            "\u{feff}Time;more;ITEM ID;session\r\n1.5;\"x;y\";20;1\r\n",
            "timestamp,\"session_id\",product_id\n\n1.5,\"1\",20",
        ] {
            assert_eq!(clicks(text), Ok(vec![want]), "{text}");
        }
    }

    #[test]
    fn what_is_no_click_is_told_with_its_line() {
        for bad in ["1\t2", "1\t2\tx", "1\t2\tNaN", "-1\t2\t3"] {
            let text = format!("SessionId\tItemId\tTime\n1\t2\t3\n{bad}\n");
            assert!(clicks(&text).unwrap_err().contains("f:3:"), "{bad}");
        }
    }

    #[test]
    fn a_file_without_a_header_is_told_so_and_its_first_line_is_not_lost() {
        assert!(clicks("1\t10\t1000\n1\t20\t1010\n").unwrap_err().contains("there is no header"));
        assert!(clicks("").unwrap_err().contains("empty"));
        let error = clicks("SessionId\tTime\n1\t2\n").unwrap_err();
        assert!(error.contains("no column for the item") && error.contains("SessionId"), "{error}");
        assert!(clicks("item,itemid,session,time\n").unwrap_err().contains("two columns"));
    }
}
