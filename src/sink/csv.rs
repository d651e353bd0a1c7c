//! `csv:DIR`: the current view as `DIR/<query>.csv`, sorted by key.
//!
//! A text that a spreadsheet would run as a formula is given a leading apostrophe, in a way that
//! can be undone (see [`crate::spreadsheet`]); numbers are left alone. A text with a semicolon or a
//! tab is quoted like one with a comma, so that it stays one cell where those part the columns.

use super::pending::Pending;
use super::{Schema, Sink};
use crate::error::Error;
use crate::files;
use crate::operator::Port;
use crate::spreadsheet::guarded;
use crate::value::{Decimals, Value};
use std::path::{Path, PathBuf};

pub(super) struct Csv {
    files: Vec<(PathBuf, Schema)>,
    pending: Pending,
    decimals: Decimals,
}

impl Csv {
    pub fn open(dir: &Path, views: &[Schema], decimals: Decimals) -> Result<Csv, Error> {
        let pending = Pending::within(dir)?;
        let files = views.iter().map(|v| (dir.join(format!("{}.csv", v.name)), v.clone()));
        let files: Vec<(PathBuf, Schema)> = files.collect();
        for (path, _) in &files {
            files::check(path).map_err(Error::file(path))?;
        }
        Ok(Csv { files, pending, decimals })
    }
}

impl Sink for Csv {
    fn wants_view(&self) -> bool {
        true
    }

    fn stage(&mut self, ports: &mut [Box<dyn Port>], _ended: bool) -> Result<(), Error> {
        for ((path, schema), port) in self.files.iter().zip(ports) {
            self.pending.write(path, |out| write(out, schema, &mut **port, self.decimals))?;
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<(), Error> {
        self.pending.publish()
    }
}

/// Writes a view as CSV.
pub(super) fn write(
    out: &mut dyn std::io::Write,
    schema: &Schema,
    port: &mut dyn Port,
    decimals: Decimals,
) -> std::io::Result<()> {
    let header: Vec<&str> = schema.columns.iter().map(|c| c.name).collect();
    writeln!(out, "{}", header.join(","))?;
    let (mut line, mut result) = (String::new(), Ok(()));
    port.view(&mut |row, count| {
        line.clear();
        write_line(row.cells().iter(), decimals, &mut line);
        // A view is a set of rows; should one be there twice, so it is written.
        for _ in 0..count {
            if result.is_ok() {
                result = out.write_all(line.as_bytes());
            }
        }
    });
    result
}

/// Writes a row.
pub(crate) fn write_line<'a>(
    cells: impl Iterator<Item = &'a Value>,
    decimals: Decimals,
    out: &mut String,
) {
    for (i, cell) in cells.enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_cell(cell, decimals, out);
    }
    out.push('\n');
}

fn write_cell(cell: &Value, decimals: Decimals, out: &mut String) {
    let start = out.len();
    cell.write(decimals, out);
    if !matches!(cell, Value::Text(_)) {
        return;
    }
    let text = out.split_off(start);
    let text = guarded(&text);
    if text.contains(['"', ',', ';', '\t', '\n', '\r']) {
        out.push('"');
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;

    #[test]
    fn formulas_are_neutralised_and_quotes_doubled() {
        let cell = |text: &str| {
            let mut out = String::new();
            write_cell(&Value::Text(Text::new(text)), Decimals(2), &mut out);
            out
        };
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("@a,b"), "\"'@a,b\"");
        assert_eq!(cell("-5"), "-5");
        assert_eq!(cell("-5+x"), "'-5+x");
        assert_eq!(cell("lamp;=1+1"), "\"lamp;=1+1\"");
        assert_eq!(cell("say \"hi\""), "\"say \"\"hi\"\"\"");
        assert_eq!(cell("plain"), "plain");
        let mut out = String::new();
        write_cell(&Value::Integer(-5), Decimals(2), &mut out);
        assert_eq!(out, "-5");
    }
}
