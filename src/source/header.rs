//! The header line of a CSV source: its column names.
//!
//! Names are compared without regard to surrounding space, and to case where none is exactly the same. Two columns of one
//! name leave it open which is meant, so it is an error to mean them; columns without a name cannot be meant. The last
//! ones without a name are no columns at all: many programs end each line in what separates fields.

use std::sync::Arc;

use super::dialect::Dialect;
use super::error::SourceError;
use super::json::{Names, Path};
use super::number;
use super::plan::DIFF;
use super::scan::{Index, unquote};
use super::split::HeaderLine;
use super::time::Form;
use crate::schema::Schema;
use crate::shown::{self, VALUE, shown};
use serde_json::Value;

/// The columns of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    file: String,
    columns: Vec<String>,
    /// How many columns without a name there are behind the last.
    spare: usize,
    delimiter: u8,
    /// Of JSON: what the first records have.
    json: Option<Arc<Names>>,
    /// Whether any path may be there: no record has been seen.
    any: bool,
    /// How many fields the first line has, if it does not name the columns.
    unnamed: Option<usize>,
}

impl Header {
    /// Takes apart a header line, given without its line end. `file` names the source in errors.
    pub fn parse(file: &str, line: Option<&[u8]>, delimiter: u8) -> Result<Header, SourceError> {
        let wrong = |problem| SourceError::Header { file: file.to_owned(), problem };
        let line = line.ok_or_else(|| wrong("there is no header, the file is empty"))?;
        let mut index = Index::default();
        index.fill(line, true, delimiter);
        let fields = || {
            let places = index.places().windows(2);
            places.map(|place| &line[place[0].wrapping_add(1) as usize..place[1] as usize])
        };
        let carriage = |field: &[u8]| memchr::memchr(b'\r', field).is_some();
        if fields().any(|field| carriage(field) && (index.is_broken() || field[0] != b'"')) {
            return Err(SourceError::CarriageReturns { file: file.to_owned() });
        }
        if index.is_broken() {
            return Err(wrong("a quote in the header is not closed, or text follows it"));
        }
        let mut columns = Vec::new();
        for field in fields() {
            let mut room = Vec::new();
            let name = std::str::from_utf8(unquote(field, &mut room));
            let name = name.map_err(|_| {
                wrong("the header is not UTF-8 (--encoding windows-1252 if the file is from a spreadsheet)")
            })?;
            columns.push(name.trim().to_owned());
        }
        Ok(Header::named(file, columns, delimiter))
    }

    /// A header of columns whose names are known.
    pub fn named(file: &str, mut columns: Vec<String>, delimiter: u8) -> Header {
        let all = columns.len();
        columns
            .truncate(columns.iter().rposition(|name| !name.is_empty()).map_or(1, |last| last + 1));
        let spare = all - columns.len();
        let (file, json, unnamed) = (file.to_owned(), None, None);
        Header { file, spare, columns, delimiter, json, any: false, unnamed }
    }

    /// The names of values in JSON, by their paths.
    pub(super) fn json(file: &str, names: Names) -> Header {
        let columns = names.paths();
        Header { json: Some(Arc::new(names)), ..Header::named(file, columns, b',') }
    }

    /// Of records of JSON that have the fields of a stream by their names, and maybe others.
    pub(super) fn of_fields(file: &str, schema: &Schema) -> Header {
        let fields = schema.fields.iter().map(|field| (field.name.to_owned(), Value::from("")));
        let record = Value::Object(fields.collect()).to_string();
        Header { any: true, ..Header::json(file, Names::of(record.as_bytes(), false)) }
    }

    /// The same source with these columns.
    pub(super) fn with(&self, columns: Vec<String>) -> Header {
        Header { columns, ..self.clone() }
    }

    /// Which of these columns are missing, or how the columns differ from those of a file that does
    /// not name them; nothing if all is there.
    pub fn lacks(&self, needs: &[String], unnamed: Option<&[String]>) -> Option<String> {
        let there = |name: &&String| {
            let listed = self.position(name).is_ok_and(|place| place.is_some());
            listed || Path::parse(name).is_ok_and(|path| self.has(&path))
        };
        let missing: Vec<&str> =
            needs.iter().filter(|name| !there(name)).map(String::as_str).collect();
        match (unnamed, self.unnamed) {
            (Some(names), Some(fields)) if names.len() != fields => {
                Some(format!("{} columns; it has {fields}", names.len()))
            }
            (Some(_), _) if self.is_json() => Some("a file of columns, not JSON".into()),
            _ if missing.is_empty() => None,
            _ => Some(format!("{}; it has {}", shown::list(missing.into_iter()), self.list())),
        }
    }

    /// Whether it is of JSON.
    pub fn is_json(&self) -> bool {
        self.json.is_some()
    }

    /// Whether records of JSON may have values that the first have not.
    pub(super) fn may_have_more(&self) -> bool {
        self.json.as_ref().is_some_and(|names| !names.whole)
    }

    /// Whether there is such a value in the first records of JSON, or may be.
    pub(super) fn has(&self, path: &Path) -> bool {
        // What is pushed is no change log.
        let any = self.any && path.to_string() != DIFF;
        any || self.json.as_ref().is_some_and(|names| names.has(path))
    }

    /// Takes apart a header as it was read, unless the names were said.
    pub(super) fn read(
        file: &str,
        line: Option<&HeaderLine>,
        dialect: &Dialect,
    ) -> Result<Header, SourceError> {
        if let Some(HeaderLine { bytes, json: Some(whole), .. }) = line {
            return Ok(Header::json(file, Names::of(bytes, *whole)));
        }
        let bytes = line.map(|line| line.bytes.as_slice());
        let delimiter = dialect.delimiter(bytes.unwrap_or_default());
        match (&dialect.columns, line) {
            (Some(columns), _) => {
                let mut index = Index::default();
                index.fill(bytes.unwrap_or_default(), true, delimiter);
                let unnamed = Some(index.places().len() - 1);
                Ok(Header { unnamed, ..Header::named(file, columns.clone(), delimiter) })
            }
            (None, Some(line)) if line.cut => Err(match memchr::memchr(b'\r', &line.bytes) {
                Some(_) => SourceError::CarriageReturns { file: file.to_owned() },
                None => SourceError::Header {
                    file: file.to_owned(),
                    problem: "the header is longer than 4 MiB",
                },
            }),
            (None, _) => Header::parse(file, bytes, delimiter),
        }
    }

    /// The source's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The column names, in the order of the file.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How many columns there are, and how many without a name behind them.
    pub(super) fn widths(&self) -> (usize, usize) {
        (self.columns.len(), self.spare)
    }

    /// What separates fields.
    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Whether the first line looks like a record and not like names.
    pub(super) fn is_record(&self) -> bool {
        let is_value =
            |name: &String| number::read(name, 9, false).is_ok() || Form::Any.reads(name);
        self.columns.iter().any(is_value)
    }

    /// The column names for a message, with what else may be wrong with them.
    pub fn list(&self) -> String {
        let names = shown::list(self.columns.iter().map(String::as_str));
        match self.columns.as_slice() {
            [] if self.is_json() => "none, as no first line is a record of JSON".into(),
            [one] if one.chars().any(|c| !c.is_alphanumeric() && !" _-./".contains(c)) => {
                format!("{names} (what separates fields? --delimiter says it)")
            }
            _ if self.is_record() => {
                format!(
                    "{names} (that looks like a record: --no-header NAME,NAME,... names the columns)"
                )
            }
            _ => names,
        }
    }

    /// Which column has the name, if any has.
    pub fn position(&self, name: &str) -> Result<Option<usize>, SourceError> {
        let name = name.trim();
        let only = |like: &dyn Fn(&String) -> bool| {
            let mut found = self.columns.iter().enumerate().filter(|(_, column)| like(column));
            match (found.next(), found.next()) {
                (Some(_), Some(_)) if !name.is_empty() => Err(SourceError::DuplicateColumn {
                    file: self.file.clone(),
                    column: shown(name, VALUE),
                }),
                (first, _) => Ok(first.map(|(place, _)| place)),
            }
        };
        match only(&|column| column == name)? {
            Some(place) => Ok(Some(place)),
            None => only(&|column| same(column, name)),
        }
    }
}

/// Whether two names are the same but for case.
fn same(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[u8]) -> Header {
        Header::parse("f.csv", Some(line), b',').unwrap()
    }

    #[test]
    fn reads_names() {
        let header = parse(b"Time, \"a\"\"b\" ,\"x,y\",,AMOUNT ,");
        assert_eq!(header.columns(), ["Time", "\"a\"\"b\"", "x,y", "", "AMOUNT"]);
        assert_eq!(header.widths(), (5, 1));
        let position = |name| header.position(name).unwrap();
        assert_eq!(position(" amount"), Some(4));
        assert_eq!(position("time"), Some(0));
        assert_eq!(position("none"), None);
        assert_eq!(Header::parse("f", Some(b"a;b"), b';').unwrap().columns(), ["a", "b"]);
    }

    #[test]
    fn of_two_names_that_differ_in_case_the_one_is_meant_that_is_the_same() {
        let header = parse(b"Amount,amount,NET,Net,x,x");
        assert_eq!(header.position("amount").unwrap(), Some(1));
        assert_eq!(header.position("Amount").unwrap(), Some(0));
        for name in ["AMOUNT", "net", "x"] {
            let error = header.position(name).unwrap_err().to_string();
            assert!(error.contains("f.csv: two columns are named"), "{error}");
        }
    }

    #[test]
    fn refuses_what_is_unclear() {
        let error =
            |line: Option<&[u8]>| Header::parse("f.csv", line, b',').unwrap_err().to_string();
        assert!(error(Some(b"a,\xFF")).contains("not UTF-8"));
        assert!(error(None).contains("empty"));
        for line in [&b"a\r1"[..], b"a,b\r1,2\r", b"\"a\",\"b\"\r\"1\",\"2\""] {
            assert!(error(Some(line)).contains("lines end in CR"));
        }
        for line in [&b"a,\"b"[..], b"a,\"b\"c"] {
            assert!(error(Some(line)).contains("a quote in the header is not closed"));
        }
        assert!(Header::parse("f", Some(b"a,\"b\rc\""), b',').is_ok());
    }

    #[test]
    fn a_first_line_that_is_none_of_names_is_told() {
        assert!(parse(b"2024-01-01 10:00,5.00").list().contains("--no-header"));
        assert!(parse(b"a:b:c").list().contains("--delimiter"));
        assert_eq!(parse(b"order id,amount").list(), "order id, amount");
    }

    #[test]
    fn many_columns_are_no_trouble() {
        let names: Vec<String> = (0..200_000).map(|i| format!("c{i}")).collect();
        let header = parse(names.join(",").as_bytes());
        assert_eq!(header.position("C199999").unwrap(), Some(199_999));
    }
}
