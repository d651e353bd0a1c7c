//! Fields that no column holds as it is: the product of two (`quantity * price`), several joined to one text (an order
//! and its line, a date and a time of day), or one and the same value for all records.
//!
//! What they are made of is written, for all rows of a block, as a column of its own that then is read like any other.

use std::sync::Arc;

use serde::Deserialize;

use super::columns::Columns;
use super::currency::{Minor, shifted, whole_units};
use super::error::SourceError;
use super::lookup::Table;
use super::number;
use super::plan::Plan;
use super::rows::{Cell, Rows};
use super::scan::Segment;
use crate::text::Text;
use crate::value::decimals_of;

/// Decimals of a factor.
const DECIMALS: u32 = 6;

/// What a field is made of, by the names of columns.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "expected a column, a list of which the first that is there is taken, { product = [A, B] }, \
                 { join = [A, ...], with = \"/\" }, { minus = A }, { minor = A, currency = B } or { constant = \"...\" }"
)]
pub enum Made {
    /// The product of two numbers.
    Product {
        /// The columns.
        product: [String; 2],
    },
    /// Several texts, one behind the other.
    Join {
        /// The columns.
        join: Vec<String>,
        /// What is between them.
        #[serde(default)]
        with: String,
    },
    /// The same for all records.
    Constant {
        /// The value.
        constant: String,
    },
    /// A number with the other sign.
    Minus {
        /// The column.
        minus: String,
    },
    /// An amount that counts the minor unit of its currency: 1000 are 10.00 EUR and 1000 JPY.
    Minor {
        /// The column.
        minor: String,
        /// The column of the currency, or its code where all are of one.
        currency: String,
    },
    /// What stands in another file for what a column holds.
    #[serde(skip)]
    Looked {
        /// The column that holds the key.
        key: String,
        /// The other file.
        table: Arc<Table>,
    },
    /// What a column holds.
    Column(String),
    /// The first of these that is there: of the file's columns, and in JSON in each record.
    First(Vec<Made>),
}

/// What a field is made of, by the places of columns.
#[derive(Clone, Debug)]
pub(super) enum Parts {
    Product([usize; 2]),
    Join(Vec<usize>, String),
    Constant(String),
    Minus(usize),
    Minor(usize, Minor),
    Looked(usize, Arc<Table>),
    Column(usize),
    First(Vec<Parts>),
}

impl Made {
    /// The places of the columns. `field` is what is made of them.
    pub(super) fn parts(&self, columns: &Columns<'_>, field: &str) -> Result<Parts, SourceError> {
        let find = |column: &String| columns.find(column, field);
        Ok(match self {
            Made::Product { product: [a, b] } => Parts::Product([find(a)?, find(b)?]),
            Made::Join { join, with } => {
                Parts::Join(join.iter().map(find).collect::<Result<_, _>>()?, with.clone())
            }
            Made::Constant { constant } => Parts::Constant(constant.clone()),
            Made::Minus { minus } => Parts::Minus(find(minus)?),
            Made::Minor { minor, currency } => {
                let amount = find(minor)?;
                let minor = match (find(currency), decimals_of(currency)) {
                    (Ok(column), _) => Minor::Of(column),
                    (Err(_), Some(decimals)) => Minor::Known(decimals),
                    (Err(missing), None) => return Err(missing),
                };
                Parts::Minor(amount, minor)
            }
            Made::Looked { key, table } => Parts::Looked(find(key)?, Arc::clone(table)),
            Made::Column(column) => Parts::Column(find(column)?),
            Made::First(several) => first(several, columns, field)?,
        })
    }

    /// The columns it names, of which some need not be there.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Made::Product { product } => product.iter().map(String::as_str).collect(),
            Made::Join { join, .. } => join.iter().map(String::as_str).collect(),
            Made::Constant { .. } => Vec::new(),
            Made::Minor { minor, currency } if decimals_of(currency).is_none() => {
                vec![minor, currency]
            }
            Made::Minus { minus: column }
            | Made::Minor { minor: column, .. }
            | Made::Column(column)
            | Made::Looked { key: column, .. } => vec![column],
            Made::First(several) => several.iter().flat_map(Made::names).collect(),
        }
    }
}

/// The first of several that is there, or all of which any may be in a record.
fn first(several: &[Made], columns: &Columns<'_>, field: &str) -> Result<Parts, SourceError> {
    let there = several.iter().map(|made| made.parts(columns, field));
    let mut there: Vec<Parts> = there.filter_map(Result::ok).collect();
    if columns.may_come() || (columns.is_json() && !there.is_empty()) {
        let any = several.iter().filter_map(|made| made.possible(columns));
        return Ok(Parts::First(any.collect()));
    }
    match there.is_empty() {
        false => Ok(there.swap_remove(0)),
        true => {
            let names: Vec<&str> = several.iter().flat_map(Made::names).collect();
            Err(columns.nothing(field, &names))
        }
    }
}

impl Made {
    /// The places of columns of JSON, which may come in some record.
    fn possible(&self, columns: &Columns<'_>) -> Option<Parts> {
        let find = |column: &String| columns.possible(column).ok().flatten();
        Some(match self {
            Made::Product { product: [a, b] } => Parts::Product([find(a)?, find(b)?]),
            Made::Join { join, with } => {
                Parts::Join(join.iter().map(find).collect::<Option<_>>()?, with.clone())
            }
            Made::Constant { constant } => Parts::Constant(constant.clone()),
            Made::Minus { minus } => Parts::Minus(find(minus)?),
            Made::Minor { minor, currency } => {
                let of = decimals_of(currency).map(Minor::Known);
                Parts::Minor(find(minor)?, of.or_else(|| find(currency).map(Minor::Of))?)
            }
            Made::Looked { key, table } => Parts::Looked(find(key)?, Arc::clone(table)),
            Made::Column(column) => Parts::Column(find(column)?),
            Made::First(several) => {
                Parts::First(several.iter().filter_map(|made| made.possible(columns)).collect())
            }
        })
    }
}

impl Parts {
    /// The column, and what is made if it is not the column as it is.
    pub fn placed(self) -> (usize, Option<Parts>) {
        match self {
            Parts::Column(column) => (column, None),
            Parts::First(mut several) if several.len() == 1 => several.remove(0).placed(),
            made => (made.column(), Some(made)),
        }
    }

    /// The column that stands for the field in messages.
    pub fn column(&self) -> usize {
        match self {
            Parts::Product([first, _]) => *first,
            Parts::Join(columns, _) => columns.first().copied().unwrap_or(0),
            Parts::Constant(_) => 0,
            Parts::Minus(column)
            | Parts::Minor(column, _)
            | Parts::Column(column)
            | Parts::Looked(column, _) => *column,
            Parts::First(several) => several.first().map_or(0, Parts::column),
        }
    }

    /// Adds the tables that values are looked up in, with the columns of their keys.
    pub fn tables(&self, into: &mut Vec<(usize, Arc<Table>)>) {
        match self {
            Parts::Looked(key, table) => into.push((*key, Arc::clone(table))),
            Parts::First(several) => several.iter().for_each(|parts| parts.tables(into)),
            _ => {}
        }
    }

    /// Writes the value of a row behind what is there.
    fn write(&self, at: (&Plan, &Rows<'_>, usize), room: &mut Vec<u8>, out: &mut String) {
        let (plan, rows, row) = at;
        let start = out.len();
        let mut text = |column: usize, out: &mut String| {
            let span = rows.span(row, column..column + 1);
            let cell = Cell { block: rows.bytes, start: span.start, end: span.end };
            // What is no text is told where the column itself is read.
            out.push_str(plan.text(cell, room).unwrap_or_default());
        };
        match self {
            Parts::Constant(value) => out.push_str(value),
            Parts::Column(column) => text(*column, out),
            Parts::Minus(column) => {
                text(*column, out);
                let value = minus(out.split_off(start));
                out.push_str(&value);
            }
            Parts::Minor(column, minor) => {
                text(*column, out);
                let (amount, comma) = (out.split_off(start), plan.options.decimal_comma);
                let value = match minor {
                    Minor::Known(decimals) => shifted(&amount, *decimals, comma),
                    Minor::Of(column) => {
                        text(*column, out);
                        whole_units(&amount, &out.split_off(start), comma)
                    }
                };
                out.push_str(&value);
            }
            Parts::Looked(column, table) => {
                text(*column, out);
                let value = table.get(&out.split_off(start)).map(Text::to_string);
                out.push_str(&value.unwrap_or_default());
            }
            Parts::Join(columns, with) => {
                for (i, column) in columns.iter().enumerate() {
                    out.push_str(if i > 0 { with } else { "" });
                    let before = out.len();
                    text(*column, out);
                    // What lacks a part is not known.
                    if out.len() == before {
                        return out.truncate(start);
                    }
                }
            }
            Parts::Product([a, b]) => {
                text(*a, out);
                let a = out.split_off(start);
                text(*b, out);
                let b = out.split_off(start);
                out.push_str(&product(&a, &b, plan.options.decimal_comma));
            }
            Parts::First(several) => {
                for parts in several {
                    parts.write(at, room, out);
                    if out.len() > start {
                        return;
                    }
                }
            }
        }
    }

    /// The columns.
    pub fn each_column(&mut self, see: &mut dyn FnMut(&mut usize)) {
        match self {
            Parts::Product(columns) => columns.iter_mut().for_each(see),
            Parts::Join(columns, _) => columns.iter_mut().for_each(see),
            Parts::Constant(_) => {}
            Parts::Minor(column, minor) => {
                see(column);
                if let Minor::Of(currency) = minor {
                    see(currency);
                }
            }
            Parts::Minus(column) | Parts::Column(column) | Parts::Looked(column, _) => see(column),
            Parts::First(several) => several.iter_mut().for_each(|parts| parts.each_column(see)),
        }
    }
}

/// A column that was made: of one field, without a row too many.
pub(super) struct MadeColumn {
    bytes: Vec<u8>,
    places: Vec<u32>,
    segments: [Segment; 1],
}

impl MadeColumn {
    /// Makes the values of all rows.
    pub fn of(plan: &Plan, parts: &Parts, rows: &Rows<'_>) -> MadeColumn {
        let (mut bytes, mut places) = (Vec::new(), vec![u32::MAX]);
        let (mut room, mut value) = (Vec::new(), String::new());
        for row in 0..rows.len() {
            value.clear();
            parts.write((plan, rows, row), &mut room, &mut value);
            // A quote is a letter here.
            match value.starts_with('"') {
                true => bytes
                    .extend_from_slice(format!("\"{}\"", value.replace('"', "\"\"")).as_bytes()),
                false => bytes.extend_from_slice(value.as_bytes()),
            }
            // Blocks are small against what a place can hold, and so are their values.
            places.push(bytes.len() as u32);
            bytes.push(b'\n');
        }
        let segments = [Segment { row: 0, first: 0, rows: rows.len() }];
        MadeColumn { bytes, places, segments }
    }

    /// The column as rows of one field.
    pub fn rows(&self) -> Rows<'_> {
        let MadeColumn { bytes, places, segments } = self;
        Rows { bytes, places, segments, width: 1, origin: None }
    }
}

/// A number with the other sign; of what is none, something that is none either.
fn minus(text: String) -> String {
    let negative = text.starts_with('-') || (text.starts_with('(') && text.ends_with(')'));
    match (text.is_empty(), negative) {
        (true, _) => text,
        (_, true) => text.trim_matches(['-', '(', ')']).to_owned(),
        (_, false) => format!("-{text}"),
    }
}

/// The product of two numbers, exactly; of what is none, something that is none either.
fn product(a: &str, b: &str, comma: bool) -> String {
    if a.is_empty() || b.is_empty() {
        return String::new();
    }
    let factor = |text| number::read(text, DECIMALS, comma).ok().map(i128::from);
    let Some(product) = factor(a).zip(factor(b)).map(|(a, b)| a * b) else {
        return format!("{a} times {b}");
    };
    let (sign, scale) = (if product < 0 { "-" } else { "" }, 10u128.pow(2 * DECIMALS));
    let (whole, part) = (product.unsigned_abs() / scale, product.unsigned_abs() % scale);
    let part = format!("{part:0width$}", width = 2 * DECIMALS as usize);
    match part.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        part => format!("{sign}{whole}{}{part}", if comma { ',' } else { '.' }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_exact() {
        for (a, b, expected) in [
            ("3", "2.00", "6"),
            ("-2", "0.35", "-0.7"),
            ("6", "2.555", "15.33"),
            ("0.000001", "0.000001", "0.000000000001"),
            ("1,000", "$4.20", "4200"),
            ("9000000000000", "9000000000000", "81000000000000000000000000"),
            ("", "5", ""),
            ("x", "5", "x times 5"),
        ] {
            assert_eq!(product(a, b, false), expected, "{a} {b}");
        }
        assert_eq!(product("2", "1,25", true), "2,5");
    }
}
