//! The header line of a CSV source: its column names.
//!
//! Names are compared without regard to case and surrounding space, so they are kept trimmed. Two columns of one name
//! would leave it open which is meant, so that is an error; columns without a name cannot be meant and may repeat.

use super::error::SourceError;
use super::scan::{Index, unquote};
use super::split::HeaderLine;
use crate::shown::{self, VALUE, shown};
use std::collections::HashSet;

/// The columns of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    file: String,
    columns: Vec<String>,
}

impl Header {
    /// Takes apart a header line, given without its line end. `file` names the source in errors.
    pub fn parse(file: &str, line: Option<&[u8]>) -> Result<Header, SourceError> {
        let wrong = |problem| SourceError::Header { file: file.to_owned(), problem };
        let line = line.ok_or_else(|| wrong("there is no header, the file is empty"))?;
        let mut index = Index::default();
        index.fill(line, true);
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
        let (mut columns, mut known) = (Vec::new(), HashSet::new());
        for field in fields() {
            let mut room = Vec::new();
            let name = unquote(field, &mut room);
            let name =
                std::str::from_utf8(name).map_err(|_| wrong("the header is not UTF-8"))?.trim();
            if !name.is_empty() && !known.insert(name.to_lowercase()) {
                return Err(SourceError::DuplicateColumn {
                    file: file.to_owned(),
                    column: shown(name, VALUE),
                });
            }
            columns.push(name.to_owned());
        }
        Ok(Header { file: file.to_owned(), columns })
    }

    /// Takes apart a header as it was read.
    pub(super) fn read(file: &str, line: Option<&HeaderLine>) -> Result<Header, SourceError> {
        match line {
            Some(line) if line.cut => Err(match memchr::memchr(b'\r', &line.bytes) {
                Some(_) => SourceError::CarriageReturns { file: file.to_owned() },
                None => SourceError::Header {
                    file: file.to_owned(),
                    problem: "the header is longer than 4 MiB",
                },
            }),
            _ => Header::parse(file, line.map(|line| line.bytes.as_slice())),
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

    /// The column names for a message.
    pub fn list(&self) -> String {
        shown::list(self.columns.iter().map(String::as_str))
    }

    /// Which column has the name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| same(column, name.trim()))
    }
}

/// Whether two names are the same but for case.
fn same(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names() {
        let header = Header::parse("f", Some(b"Time, \"a\"\"b\" ,\"x,y\",,AMOUNT ,")).unwrap();
        assert_eq!(header.columns(), ["Time", "\"a\"\"b\"", "x,y", "", "AMOUNT", ""]);
        assert_eq!(header.position(" amount"), Some(4));
        assert_eq!(header.position("time"), Some(0));
        assert_eq!(header.position("none"), None);
    }

    #[test]
    fn refuses_what_is_unclear() {
        let error = |line: Option<&[u8]>| Header::parse("f.csv", line).unwrap_err().to_string();
        assert!(error(Some(b"a,B, b")).contains("f.csv: two columns are named b"));
        assert!(error(Some(b"a,\xFF")).contains("not UTF-8"));
        assert!(error(None).contains("empty"));
        for line in [&b"a\r1"[..], b"a,b\r1,2\r", b"\"a\",\"b\"\r\"1\",\"2\""] {
            assert!(error(Some(line)).contains("lines end in CR"));
        }
        for line in [&b"a,\"b"[..], b"a,\"b\"c"] {
            assert!(error(Some(line)).contains("a quote in the header is not closed"));
        }
        assert!(Header::parse("f", Some(b"a,\"b\rc\"")).is_ok());
    }

    #[test]
    fn many_columns_are_no_trouble() {
        let names: Vec<String> = (0..200_000).map(|i| format!("c{i}")).collect();
        let header = Header::parse("f", Some(names.join(",").as_bytes())).unwrap();
        assert_eq!(header.position("C199999"), Some(199_999));
    }
}
