//! A view in memory: a name, a header and rows of text.
//!
//! Cells stay text until a column is chosen, so one rule, [`Cell::of`], decides everywhere whether
//! something is a number. A row shorter than the header reads as empty cells rather than failing.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::PlotError;

/// A header and rows of text; the first column is the key.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The view's name, used as the default title and in errors.
    pub name: String,
    /// Column names.
    pub header: Vec<String>,
    /// Cells, in the order of the header.
    pub rows: Vec<Vec<String>>,
}

/// Beyond this, sums and spans of values could overflow; no view has such amounts.
const LARGEST: f64 = 1e300;

/// What a cell holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell {
    /// Empty, or a number that cannot be drawn (NaN, infinite): the value cannot be computed.
    Missing,
    /// A finite number.
    Number(f64),
    /// Anything else.
    Text,
}

impl Cell {
    fn of(text: &str) -> Self {
        let text = text.trim();
        match text.parse::<f64>() {
            _ if text.is_empty() => Self::Missing,
            Ok(value) if value.abs() <= LARGEST => Self::Number(value),
            Ok(_) => Self::Missing,
            Err(_) => Self::Text,
        }
    }
}

impl Table {
    /// Reads a CSV file; its stem becomes the name.
    pub fn read(path: &Path) -> Result<Self, PlotError> {
        let file = File::open(path)
            .map_err(|source| PlotError::Open { path: path.to_path_buf(), source })?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::from_reader(&name, file)
            .map_err(|source| PlotError::Csv { path: path.to_path_buf(), source })
    }

    /// Reads CSV from any source.
    pub fn from_reader(name: &str, reader: impl Read) -> Result<Self, csv::Error> {
        let mut csv = csv::Reader::from_reader(reader);
        let text = |cell: &str| crate::spreadsheet::plain(cell).to_owned();
        let owned = |record: &csv::StringRecord| record.iter().map(text).collect();
        let header = owned(csv.headers()?);
        let rows = csv.records().map(|record| record.map(|r| owned(&r)));
        Ok(Self { name: name.to_owned(), header, rows: rows.collect::<Result<_, _>>()? })
    }

    /// The text at a place, empty if the row is too short.
    pub(super) fn text(&self, row: usize, column: usize) -> &str {
        let cell = self.rows.get(row).and_then(|cells| cells.get(column));
        cell.map_or("", String::as_str)
    }

    /// The number at a place, if there is one.
    pub(super) fn number(&self, row: usize, column: usize) -> Option<f64> {
        match Cell::of(self.text(row, column)) {
            Cell::Number(value) => Some(value),
            Cell::Missing | Cell::Text => None,
        }
    }

    /// Whether a column holds no text. Identifiers are names even when they are digits.
    pub(super) fn is_numeric(&self, column: usize) -> bool {
        let name = self.header.get(column).map_or("", String::as_str);
        let is_identifier = name == "id" || name.ends_with("_id");
        !is_identifier
            && (0..self.rows.len()).all(|row| Cell::of(self.text(row, column)) != Cell::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_numbers_gaps_or_text() {
        assert_eq!(Cell::of(" 1.5 "), Cell::Number(1.5));
        assert_eq!(Cell::of("-3"), Cell::Number(-3.0));
        for gap in ["", "  ", "NaN", "inf", "-1e301"] {
            assert_eq!(Cell::of(gap), Cell::Missing, "{gap}");
        }
        for text in ["1,5", "north", "<b>", "1 2"] {
            assert_eq!(Cell::of(text), Cell::Text, "{text}");
        }
    }

    #[test]
    fn a_short_row_reads_as_empty_and_an_identifier_is_no_value() {
        let table = Table {
            name: "t".into(),
            header: vec!["k".into(), "depot_id".into(), "n".into()],
            rows: vec![vec!["a".into(), "7".into()]],
        };
        assert_eq!(table.text(0, 2), "");
        assert_eq!(table.number(0, 2), None);
        assert!(!table.is_numeric(1));
        assert!(table.is_numeric(2));
    }
}
