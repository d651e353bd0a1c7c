//! The header line of a CSV source: its column names.
//!
//! Names are compared without regard to case and surrounding space, so they are kept trimmed. Two columns of one name
//! would leave it open which is meant, so that is an error; columns without a name cannot be meant and may repeat.

use super::error::SourceError;
use super::scan::{Index, unquote};

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
        let mut columns: Vec<String> = Vec::new();
        for place in index.places().windows(2) {
            let mut room = Vec::new();
            let name =
                unquote(&line[place[0].wrapping_add(1) as usize..place[1] as usize], &mut room);
            let name =
                std::str::from_utf8(name).map_err(|_| wrong("the header is not UTF-8"))?.trim();
            if !name.is_empty() && columns.iter().any(|column| same(column, name)) {
                return Err(SourceError::DuplicateColumn {
                    file: file.to_owned(),
                    column: name.to_owned(),
                });
            }
            columns.push(name.to_owned());
        }
        Ok(Header { file: file.to_owned(), columns })
    }

    /// The source's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The column names, in the order of the file.
    pub fn columns(&self) -> &[String] {
        &self.columns
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
    }
}
