//! A source that is described once, in TOML, with all that options of the command line would say of it:
//!
//! ```toml
//! [[source]]
//! stream = "transactions"
//! files = "exports/*.csv"          # or a list; --source transactions=FILE reads another as described
//! delimiter = ";"
//! columns = ["when", "", "sum"]    # of a file that does not name them
//! encoding = "windows-1252"
//! time_format = "day-first"        # or one for each field: { transaction_time = "day-first" }
//! decimal_comma = true
//! absent = ["unknown"]
//!
//! [source.fields]                  # in which columns the fields are, or what they are made of
//! status = "state"
//! amount = { product = ["quantity", "price"] }
//! transaction_id = { join = ["order", "line"], with = "/" }
//! currency = { constant = "EUR" }
//!
//! [source.values.status]           # what the names of a field stand for
//! paid = "captured"
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;

use super::dialect::{Dialect, delimiter_named, encoding_named};
use super::made::Made;
use super::plan::{ParseOptions, ValueMap};
use super::time::Form;
use crate::event::Stream;

/// What a section `[[source]]` holds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Described {
    stream: String,
    files: Option<OneOr<Vec<String>>>,
    delimiter: Option<String>,
    columns: Option<Vec<String>>,
    encoding: Option<String>,
    time_format: Option<OneOr<BTreeMap<String, String>>>,
    decimal_comma: bool,
    absent: Vec<String>,
    fields: BTreeMap<String, OneOr<Made>>,
    values: BTreeMap<String, BTreeMap<String, String>>,
}

/// One text, or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOr<T> {
    One(String),
    Several(T),
}

/// All that is said of a source, as options would say it.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its stream.
    pub stream: Stream,
    /// Its files, or patterns of them.
    pub files: Vec<String>,
    /// How its text is written.
    pub dialect: Dialect,
    /// In which columns fields are.
    pub map: Vec<(String, String)>,
    made: Vec<(String, Made)>,
    time_forms: Vec<(Option<String>, Form)>,
    values: Vec<ValueMap>,
    decimal_comma: bool,
    absent: Vec<String>,
}

impl Described {
    /// What is said, or what is wrong with it.
    pub fn said(self) -> Result<Said, String> {
        let names = Stream::ALL.iter().map(|stream| stream.name()).collect::<Vec<_>>().join(", ");
        let stream = Stream::by_name(&self.stream).ok_or_else(|| {
            format!("stream: there is no stream {:?}; expected one of {names}", self.stream)
        })?;
        let known = |section: &str, field: &str| match stream.schema().field(field) {
            Some(_) => Ok(format!("{}.{field}", self.stream)),
            None => {
                let fields = stream.schema().fields.iter().map(|field| field.name);
                let fields = fields.collect::<Vec<_>>().join(", ");
                Err(format!(
                    "{section}: {} has no field {field}; its fields are: {fields}",
                    self.stream
                ))
            }
        };
        let form =
            |form: &str| Form::named(form).map_err(|why| format!("time_format {form:?}: {why}"));
        let time_forms = match &self.time_format {
            None => Vec::new(),
            Some(OneOr::One(name)) => vec![(None, form(name)?)],
            Some(OneOr::Several(each)) => {
                let each = each
                    .iter()
                    .map(|(field, name)| Ok((Some(known("time_format", field)?), form(name)?)));
                each.collect::<Result<_, String>>()?
            }
        };
        let mut values = Vec::new();
        for (name, names) in &self.values {
            let field = known("values", name)?;
            let map = |(from, to): (&String, &String)| ValueMap {
                field: field.clone(),
                from: from.clone(),
                to: to.clone(),
            };
            values.extend(names.iter().map(map));
        }
        let (mut map, mut made) = (Vec::new(), Vec::new());
        for (field, of) in &self.fields {
            let field = known("fields", field)?;
            match of {
                OneOr::One(column) => map.push((field, column.clone())),
                OneOr::Several(parts) => made.push((field, parts.clone())),
            }
        }
        let delimiter = self.delimiter.as_deref().map(delimiter_named).transpose();
        let encoding = self.encoding.as_deref().map(encoding_named).transpose();
        let dialect = Dialect {
            delimiter: delimiter.map_err(|why| format!("delimiter: {why}"))?,
            columns: self.columns,
            encoding: encoding.map_err(|why| format!("encoding: {why}"))?,
        };
        let files = match self.files {
            None => Vec::new(),
            Some(OneOr::One(file)) => vec![file],
            Some(OneOr::Several(files)) => files,
        };
        let (decimal_comma, absent) = (self.decimal_comma, self.absent);
        Ok(Said { stream, files, dialect, map, made, time_forms, values, decimal_comma, absent })
    }
}

impl Said {
    /// How values are read: as is said here, and where options of the command line say otherwise as they do.
    pub fn over(&self, options: &ParseOptions) -> ParseOptions {
        let mut both = options.clone();
        // What is said last wins.
        both.time_forms.splice(0..0, self.time_forms.iter().cloned());
        both.made.splice(0..0, self.made.iter().cloned());
        both.values.splice(0..0, self.values.iter().cloned());
        both.decimal_comma |= self.decimal_comma;
        both.absent.add(&self.absent);
        both
    }
}
