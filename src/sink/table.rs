//! `table`: the final views on standard output, aligned; long ones are cut in the middle.

use super::{Schema, Sink};
use crate::error::Error;
use crate::operator::Port;
use crate::shown::{VALUE, shown};
use crate::value::{Decimals, Value};
use std::io::Write;

pub(super) struct Table {
    views: Vec<Schema>,
    rows: usize,
    decimals: Decimals,
    text: String,
}

impl Table {
    pub fn new(views: &[Schema], rows: usize, decimals: Decimals) -> Table {
        Table { views: views.to_vec(), rows, decimals, text: String::new() }
    }
}

impl Sink for Table {
    fn wants_view(&self) -> bool {
        true
    }

    fn stage(&mut self, ports: &mut [Box<dyn Port>], _ended: bool) -> Result<(), Error> {
        if self.rows == 0 {
            return Ok(());
        }
        for (schema, port) in self.views.iter().zip(ports) {
            render(schema, &mut **port, self.decimals, self.rows, &mut self.text);
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<(), Error> {
        let mut out = std::io::stdout().lock();
        // A reader that has gone away (`| head`) is not an error of ours.
        match out.write_all(self.text.as_bytes()).and_then(|()| out.flush()) {
            Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Error::file("standard output")(e))
            }
            _ => Ok(()),
        }
    }
}

/// Appends a view as an aligned table of at most so many rows, numbers to the right.
pub(crate) fn render(
    schema: &Schema,
    port: &mut dyn Port,
    decimals: Decimals,
    most: usize,
    out: &mut String,
) {
    let mut rows: Vec<Vec<(String, bool)>> = Vec::new();
    let mut total = 0usize;
    let half = most / 2;
    let mut tail = std::collections::VecDeque::new();
    port.view(&mut |row, _| {
        let cells = row.cells().iter().map(|cell| show(cell, decimals)).collect();
        total += 1;
        if rows.len() < half {
            rows.push(cells);
        } else {
            tail.push_back(cells);
            if tail.len() > most - half {
                tail.pop_front();
            }
        }
    });
    let cut = total - rows.len() - tail.len();
    let head = rows.len();
    rows.extend(tail);
    let mut widths: Vec<usize> = schema.columns.iter().map(|c| c.name.len()).collect();
    for row in &rows {
        for (width, (cell, _)) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    out.push_str(&format!("\n{} ({total} rows)\n", schema.name));
    let mut line = |cells: Vec<(String, bool)>| {
        let parts: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|((cell, right), width)| match right {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            })
            .collect();
        out.push_str(parts.join("  ").trim_end());
        out.push('\n');
    };
    let numeric: Vec<bool> = (0..widths.len()).map(|i| rows.iter().any(|row| row[i].1)).collect();
    line(
        schema.columns.iter().zip(numeric).map(|(c, right)| (c.name.to_string(), right)).collect(),
    );
    for (i, row) in rows.into_iter().enumerate() {
        if i == head && cut > 0 {
            line(vec![(format!("... {cut} more ..."), false)]);
        }
        line(row);
    }
}

/// A cell for people, who see the start of a long text; a computed number has six significant
/// digits.
fn show(cell: &Value, decimals: Decimals) -> (String, bool) {
    let mut text = String::new();
    match cell {
        Value::Real(..) | Value::Quotient(..) => {
            let x = cell.number(decimals).unwrap_or(f64::NAN);
            let digits = if x == 0.0 { 0 } else { x.abs().log10().floor() as i32 };
            text = format!("{x:.*}", (5 - digits).clamp(0, 9) as usize);
        }
        _ => cell.write(decimals, &mut text),
    }
    (shown(&text, VALUE), cell.number(decimals).is_some())
}
