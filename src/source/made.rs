//! Fields that no column holds as it is: the product of two (`quantity * price`), several joined to one text (an order
//! and its line, a date and a time of day), or one and the same value for all records.
//!
//! What they are made of is written, for all rows of a block, as a column of its own that then is read like any other.

use serde::Deserialize;

use super::columns::Columns;
use super::error::SourceError;
use super::number;
use super::plan::Plan;
use super::rows::{Cell, Rows};
use super::scan::Segment;

/// Decimals of a factor.
const DECIMALS: u32 = 6;

/// What a field is made of, by the names of columns.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
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
}

/// What a field is made of, by the places of columns.
#[derive(Clone, Debug)]
pub(super) enum Parts {
    Product([usize; 2]),
    Join(Vec<usize>, String),
    Constant(String),
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
        })
    }
}

impl Parts {
    /// The column that stands for the field in messages.
    pub fn column(&self) -> usize {
        match self {
            Parts::Product([first, _]) => *first,
            Parts::Join(columns, _) => columns.first().copied().unwrap_or(0),
            Parts::Constant(_) => 0,
        }
    }

    /// The columns.
    pub fn each_column(&mut self, see: &mut impl FnMut(&mut usize)) {
        match self {
            Parts::Product(columns) => columns.iter_mut().for_each(see),
            Parts::Join(columns, _) => columns.iter_mut().for_each(see),
            Parts::Constant(_) => {}
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
        let mut room = Vec::new();
        for row in 0..rows.len() {
            let mut text = |column: usize| {
                let span = rows.span(row, column..column + 1);
                let cell = Cell { block: rows.bytes, start: span.start, end: span.end };
                // What is no text is told where the column itself is read.
                plan.text(cell, &mut room).map(str::to_owned).unwrap_or_default()
            };
            let value = match parts {
                Parts::Constant(value) => value.clone(),
                Parts::Join(columns, with) => {
                    let texts: Vec<String> = columns.iter().map(|column| text(*column)).collect();
                    // What lacks a part is not known.
                    if texts.iter().any(String::is_empty) {
                        String::new()
                    } else {
                        texts.join(with)
                    }
                }
                Parts::Product([a, b]) => product(&text(*a), &text(*b), plan.options.decimal_comma),
            };
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
