//! What is said of the rows of a source as such: which of them count, which cells stand for those
//! below them, and which amounts are told as they are in no field.
//!
//! Rows that do not count are left out before anything of them is read, and counted. A cell that is
//! blank because it is the same as above (as those of an order's further lines are in some exports)
//! is filled from the row above of the same key. An amount that belongs to a record and to none of
//! its fields, such as its tax, is summed up and told, so that nobody takes the rest for all of it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;

use super::columns::Columns;
use super::error::SourceError;
use super::layout::{Apart, Layout};
use super::lookup::Table;
use super::made::Parts;
use super::notes::Told;
use super::number;
use super::plan::Plan;
use super::rows::{Cell, Rows};
use super::scan::{Segment, unquote};
use super::sheet::Sheet;
use super::split::{Block, Shape};
use crate::shown::{VALUE, shown};

/// What is said, by the names of columns.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Rows count that have one of these values.
    pub only: BTreeMap<String, Vec<String>>,
    /// Rows do not count that have one of these values.
    pub without: BTreeMap<String, Vec<String>>,
    /// Amounts that are told, and what is to be said of them.
    pub tell: BTreeMap<String, String>,
    /// Which cells are filled from above.
    pub fill_down: Option<FillDown>,
    /// Whether rows that `only` leaves out are those of other sections of a format, and not told.
    pub shared: bool,
}

/// Which cells are filled from above.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FillDown {
    /// Rows that belong together have the same value here, and follow each other.
    by: String,
    /// The columns that are filled.
    columns: Vec<String>,
    /// What the column is called that says which row of those that belong together it is, from 1.
    line: Option<String>,
}

impl FillDown {
    /// What the column is called that is added to those of the file.
    pub(super) fn line(&self) -> Option<&str> {
        self.line.as_deref()
    }
}

/// The same by the places of columns.
#[derive(Clone, Debug, Default)]
pub(super) struct RowRules {
    conditions: Vec<Condition>,
    told: Vec<(usize, String)>,
    fill: Option<Fill>,
    /// Where values are looked up, with the columns of the keys.
    tables: Vec<(usize, Arc<Table>)>,
}

/// Which rows count.
#[derive(Clone, Debug)]
struct Condition {
    column: usize,
    /// In lower case.
    values: Vec<String>,
    /// Whether those count that have one of the values, or the others.
    only: bool,
    /// What is told of those that do not count, if it is to be.
    says: Option<String>,
}

#[derive(Clone, Debug)]
struct Fill {
    by: usize,
    columns: Vec<usize>,
    line: bool,
}

/// What the cells were in the last row of the rows before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Above {
    key: Vec<u8>,
    cells: Vec<Vec<u8>>,
    line: u64,
}

impl Above {
    /// Passes the rows of a block: what is above is what they end with.
    pub(super) fn pass(&mut self, plan: &Plan, block: &Block, layout: &mut Layout) {
        let Some(fill) = &plan.rules.fill else { return };
        let quotes = block.shape == Shape::Quoted;
        if matches!(block.shape, Shape::Plain | Shape::Quoted) {
            let rows = layout.even(plan, &block.bytes, quotes).rows;
            let mut room = Vec::new();
            (0..rows.len()).for_each(|row| fill.see(&rows, row, self, &mut room));
        }
    }
}

impl Rules {
    /// Finds the columns. What nothing is said of where it is missing may be missing.
    pub(super) fn of(&self, columns: &Columns<'_>) -> Result<RowRules, SourceError> {
        let mut rules = RowRules::default();
        for (all, only) in [(&self.only, true), (&self.without, false)] {
            for (name, values) in all {
                let column = match columns.possible(name)? {
                    Some(column) => column,
                    None if only => columns.find(name, "only")?,
                    None => continue,
                };
                let list = values.iter().map(|value| match value.as_str() {
                    "" => "blank".to_owned(),
                    value => shown(value, VALUE),
                });
                let list = list.collect::<Vec<_>>().join(" or ");
                let is = if only { "is not" } else { "is" };
                let says = format!("left out, as {} {is} {list}", shown(name, VALUE));
                let says = Some(says).filter(|_| !(only && self.shared));
                let values = values.iter().map(|value| value.trim().to_lowercase()).collect();
                rules.conditions.push(Condition { column, values, only, says });
            }
        }
        for (name, says) in &self.tell {
            let column = columns.possible(name)?;
            let says = format!("{} {}", shown(name, VALUE), shown(says, 4 * VALUE));
            rules.told.extend(column.map(|column| (column, says)));
        }
        if let Some(FillDown { by, columns: names, line }) = &self.fill_down {
            let by = columns.find(by, "fill_down")?;
            let found = names.iter().map(|name| columns.possible(name));
            let found = found.collect::<Result<Vec<_>, _>>()?;
            rules.fill = Some(Fill {
                by,
                columns: found.into_iter().flatten().collect(),
                line: line.is_some(),
            });
        }
        Ok(rules)
    }
}

impl RowRules {
    /// The columns.
    pub fn each_column(&mut self, see: &mut dyn FnMut(&mut usize)) {
        self.conditions.iter_mut().for_each(|condition| see(&mut condition.column));
        self.told.iter_mut().for_each(|(column, _)| see(column));
        self.tables.iter_mut().for_each(|(column, _)| see(column));
        if let Some(fill) = &mut self.fill {
            see(&mut fill.by);
            fill.columns.iter_mut().for_each(see);
        }
    }

    /// Takes note of where values are looked up.
    pub fn looks_up<'p>(&mut self, made: impl Iterator<Item = &'p Parts>) {
        made.for_each(|parts| parts.tables(&mut self.tables));
        // Several values may be looked up by one key.
        self.tables.sort_by(|(a, x), (b, y)| (a, x.file()).cmp(&(b, y.file())));
        self.tables.dedup_by(|(a, x), (b, y)| a == b && x.file() == y.file());
    }

    /// Whether cells are filled from above.
    pub fn fills(&self) -> bool {
        self.fill.is_some()
    }

    /// Whether some rows may not count.
    pub fn chooses(&self) -> bool {
        !self.conditions.is_empty()
    }

    /// Copies rows with their cells filled, and what is above the rows after them.
    pub fn fill(&self, rows: &Rows<'_>, above: &mut Above, sheet: &mut Sheet) {
        let Some(fill) = &self.fill else { return };
        sheet.begin(rows.width + usize::from(fill.line));
        let mut room = Vec::new();
        for row in 0..rows.len() {
            fill.see(rows, row, above, &mut room);
            for column in 0..rows.width {
                let filled = fill.columns.iter().position(|filled| *filled == column);
                match filled.and_then(|at| above.cells.get(at)) {
                    Some(cell) => sheet.cell(cell),
                    None => sheet.cell(&rows.bytes[rows.span(row, column..column + 1)]),
                }
            }
            if fill.line {
                sheet.cell(above.line.to_string().as_bytes());
            }
            sheet.end(rows.record(row));
        }
    }

    /// The runs of rows that count, and how many are left out for each reason.
    pub fn choose(&self, plan: &Plan, rows: &Rows<'_>, kept: &mut Vec<Segment>) -> Vec<u64> {
        kept.clear();
        let mut left = vec![0; self.conditions.len()];
        let (mut room, mut row, mut count) = (Vec::new(), 0, 0);
        for segment in rows.segments {
            for i in 0..segment.rows {
                let fails = |condition: &Condition| {
                    let cell = cell(rows, row, condition.column);
                    let text = plan.text(cell, &mut room).unwrap_or_default().to_lowercase();
                    condition.values.contains(&text) != condition.only
                };
                match self.conditions.iter().position(fails) {
                    Some(condition) => left[condition] += 1,
                    None => {
                        let first = segment.first + i * rows.width;
                        match kept.last_mut() {
                            Some(last) if last.first + last.rows * rows.width == first => {
                                last.rows += 1
                            }
                            _ => kept.push(Segment { row: count, first, rows: 1 }),
                        }
                        count += 1;
                    }
                }
                row += 1;
            }
        }
        left
    }

    /// What is to be told of the rows of a block.
    pub fn tell(&self, plan: &Plan, apart: &Apart<'_>) -> Vec<(String, Told)> {
        let left = self.conditions.iter().zip(&apart.left).filter(|(_, left)| **left > 0);
        let left = left.filter_map(|(condition, left)| {
            Some((condition.says.clone()?, Told { records: *left, sum: None }))
        });
        let (rows, mut room) = (&apart.rows, Vec::new());
        let mut amounts = Vec::new();
        for (column, says) in &self.told {
            let (mut told, mut before): (Told, Option<Range<usize>>) = (Told::default(), None);
            for row in 0..rows.len() {
                let record = rows.record(row);
                // What is said of a record is repeated in each of its rows.
                if rows.origin.is_some() && before.as_ref() == Some(&record) {
                    continue;
                }
                before = Some(record);
                let text = plan.text(cell(rows, row, *column), &mut room).unwrap_or_default();
                let options = &plan.options;
                match number::read(text, options.decimals, options.decimal_comma) {
                    Ok(0) => {}
                    Ok(amount) => told.add(&Told {
                        records: 1,
                        sum: Some((i128::from(amount), options.decimals)),
                    }),
                    Err(_) if text.is_empty() => {}
                    Err(_) => told.add(&Told { records: 1, sum: None }),
                }
            }
            if told.records > 0 {
                amounts.push((says.clone(), told));
            }
        }
        for (column, table) in &self.tables {
            let mut missed = 0;
            for row in 0..rows.len() {
                let key = plan.text(cell(rows, row, *column), &mut room).unwrap_or_default();
                missed += u64::from(!key.is_empty() && table.get(key).is_none());
            }
            if missed > 0 {
                let name = plan.header.columns().get(*column).map_or("", String::as_str);
                let file = shown(table.file(), VALUE);
                let says = format!("their {} is not to be found in {file}", shown(name, VALUE));
                amounts.push((says, Told { records: missed, sum: None }));
            }
        }
        left.chain(amounts).collect()
    }
}

impl Fill {
    /// Passes a row: then what is above is what the row has, filled.
    fn see(&self, rows: &Rows<'_>, row: usize, above: &mut Above, room: &mut Vec<u8>) {
        let key = &rows.bytes[rows.span(row, self.by..self.by + 1)];
        let key = unquote(key, room).trim_ascii();
        if above.key != key {
            above.key = key.to_vec();
            above.cells = vec![Vec::new(); self.columns.len()];
            above.line = 0;
        }
        above.line += 1;
        for (column, cell) in self.columns.iter().zip(&mut above.cells) {
            let own = &rows.bytes[rows.span(row, *column..*column + 1)];
            if !own.trim_ascii().is_empty() && own != b"\"\"" {
                own.clone_into(cell);
            }
        }
    }
}

fn cell<'a>(rows: &Rows<'a>, row: usize, column: usize) -> Cell<'a> {
    let span = rows.span(row, column..column + 1);
    Cell { block: rows.bytes, start: span.start, end: span.end }
}
