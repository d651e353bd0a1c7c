//! Matches the columns of a file with the fields of a stream, before any record is read.
//!
//! All that can be settled once per file is settled here: which column feeds which field and how its values are read. What
//! the file lacks is an error now, not a bad record later.

use jiff::tz::TimeZone;

use super::error::SourceError;
use super::header::Header;
use super::scalar::Money;
use crate::event::{Kind, Schema};

/// The column that says how often a row counts.
const DIFF: &str = "_diff";

/// How values are written in a file.
#[derive(Clone, Debug)]
pub struct ParseOptions {
    /// How many decimals money has.
    pub decimals: u32,
    /// Whether to trim white space, fold case and match names without regard to it; else values are taken as they are.
    pub trim_fold: bool,
    /// The zone of times that do not say.
    pub zone: TimeZone,
    /// The last event time in milliseconds that is believed.
    pub max_time: Option<i64>,
}

impl Default for ParseOptions {
    fn default() -> ParseOptions {
        ParseOptions { decimals: 2, trim_fold: true, zone: TimeZone::UTC, max_time: None }
    }
}

/// How to read the records of one file.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) header: Header,
    /// How many fields the schema has.
    pub(super) fields: usize,
    pub(super) time: usize,
    pub(super) diff: Option<usize>,
    pub(super) filled: Vec<Filled>,
    pub(super) money: Money,
    pub(super) options: ParseOptions,
}

/// A field that is filled from a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filled {
    pub field: usize,
    pub column: usize,
    pub kind: Kind,
}

impl Plan {
    /// Finds the columns of the `wanted` fields, which are filled if they are there, and of the `required` ones, which
    /// have to be; the time always has. A renaming says that `stream.field` is in another column than that of its name.
    pub fn new(
        schema: &'static Schema,
        header: &Header,
        wanted: &[usize],
        required: &[usize],
        options: &ParseOptions,
        renames: &[(String, String)],
    ) -> Result<Plan, SourceError> {
        let money = Money::new(options.decimals).ok_or(SourceError::Decimals(options.decimals))?;
        let renames = renames_of(schema, renames)?;
        let column_of = |field: usize| {
            let renamed = renames.iter().rfind(|(of, _)| *of == field);
            renamed.map_or(schema.fields[field].name, |(_, column)| *column)
        };
        let find = |field: usize| {
            let column = column_of(field);
            header.position(column).ok_or_else(|| SourceError::MissingColumn {
                file: header.file().to_owned(),
                field: format!("{}.{}", schema.name, schema.fields[field].name),
                column: column.trim().to_owned(),
                columns: header.columns().join(", "),
            })
        };
        let time = find(0)?;
        let mut filled = Vec::new();
        for (field, described) in schema.fields.iter().enumerate().skip(1) {
            let column = match find(field) {
                Ok(column) => column,
                Err(missing) if required.contains(&field) => return Err(missing),
                // A renaming names a column the user says is there.
                Err(missing) if renames.iter().any(|(of, _)| *of == field) => return Err(missing),
                Err(_) => continue,
            };
            if wanted.contains(&field) {
                filled.push(Filled { field, column, kind: described.kind });
            }
        }
        Ok(Plan {
            header: header.clone(),
            fields: schema.fields.len(),
            time,
            diff: header.position(DIFF),
            filled,
            money,
            options: options.clone(),
        })
    }
}

/// The renamings of this stream's fields, by field.
fn renames_of<'a>(
    schema: &Schema,
    renames: &'a [(String, String)],
) -> Result<Vec<(usize, &'a str)>, SourceError> {
    let mut found = Vec::new();
    for (name, column) in renames {
        let Some((stream, field)) = name.split_once('.') else {
            return Err(unknown(schema, name));
        };
        if stream.trim() != schema.name {
            continue;
        }
        let field = schema.fields.iter().position(|known| known.name == field.trim());
        found.push((field.ok_or_else(|| unknown(schema, name))?, column.as_str()));
    }
    Ok(found)
}

fn unknown(schema: &Schema, name: &str) -> SourceError {
    let fields: Vec<&str> = schema.fields.iter().map(|field| field.name).collect();
    SourceError::UnknownField { name: name.to_owned(), stream: schema.name, fields: fields.join(", ") }
}
