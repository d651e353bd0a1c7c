//! Matches the columns of a file with the fields of a stream, before any record is read.
//!
//! All that can be settled once per file is settled here: which column feeds which field and how its values are read. What
//! the file lacks is an error now, not a bad record later.

use jiff::tz::TimeZone;

use std::sync::Arc;

use super::absent::Absent;
use super::columns::Columns;
use super::error::SourceError;
use super::header::Header;
use super::json::Tree;
use super::made::{Made, Parts};
use super::rules::{RowRules, Rules};
use super::scalar::Money;
use super::time::Form;
use crate::event::{Col, Field, Kind, Schema, ShopEvent, Stream, behavior};

/// The column that says how often a row counts.
pub(super) const DIFF: &str = "_diff";

/// How values are written in a file.
#[derive(Clone, Debug)]
pub struct ParseOptions {
    /// How many decimals money has.
    pub decimals: u32,
    /// Whether an amount may have no more decimals than its own currency.
    pub decimals_of_currency: bool,
    /// Whether to trim white space, fold case and match names without regard to it; else values are taken as they are.
    pub trim_fold: bool,
    /// The zone of times that do not say.
    pub zone: TimeZone,
    /// The last event time in milliseconds that is believed.
    pub max_time: Option<i64>,
    /// Whether the decimal mark is a comma.
    pub decimal_comma: bool,
    /// The words that stand for nothing.
    pub absent: Absent,
    /// What names of a source stand for: field, its name and ours, as `--map-value` has them.
    pub values: Vec<ValueMap>,
    /// What fields are made of that no column holds: of a `stream.field`.
    pub made: Vec<(String, Made)>,
    /// The forms of times that were said: of a `stream.field`, or of all.
    pub time_forms: Vec<(Option<String>, Form)>,
    /// What is said of rows as such.
    pub rules: Rules,
}

impl Default for ParseOptions {
    fn default() -> ParseOptions {
        ParseOptions {
            decimals: 2,
            decimals_of_currency: true,
            trim_fold: true,
            zone: TimeZone::UTC,
            max_time: None,
            decimal_comma: false,
            absent: Absent::default(),
            time_forms: Vec::new(),
            values: Vec::new(),
            made: Vec::new(),
            rules: Rules::default(),
        }
    }
}

/// That a name of a source stands for one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueMap {
    /// The stream and field.
    pub field: String,
    /// The source's name.
    pub from: String,
    /// The name of the vocabulary.
    pub to: String,
}

/// How to read the records of one file.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) header: Header,
    /// How the columns are found in a record of JSON.
    pub(super) json: Option<Arc<Tree>>,
    /// Which rows count, and the like.
    pub(super) rules: RowRules,
    /// How many fields the schema has.
    pub(super) fields: usize,
    pub(super) stream: &'static str,
    pub(super) time: Filled,
    pub(super) diff: Option<usize>,
    pub(super) filled: Vec<Filled>,
    pub(super) money: Money,
    pub(super) options: ParseOptions,
}

/// A field that is filled from a column.
#[derive(Clone, Debug)]
pub(super) struct Filled {
    pub field: usize,
    /// The field's name.
    pub name: &'static str,
    /// Its column, or the first of those it is made of.
    pub column: usize,
    /// What it is made of, if no column holds it as it is.
    pub made: Option<Parts>,
    pub kind: Kind,
    /// Whether a value that cannot be read costs the record.
    pub essential: bool,
    /// The form of a time; none as long as it has to be found.
    pub form: Option<Form>,
    /// The names that were said to stand for others, with the index of those.
    pub values: Vec<(String, i64)>,
}

impl Filled {
    /// Where it is in the rows it is read from.
    #[inline]
    pub fn place(&self) -> usize {
        if self.made.is_some() { 0 } else { self.column }
    }

    /// Its columns, or those it is made of.
    pub fn each_column(&mut self, see: &mut dyn FnMut(&mut usize)) {
        see(&mut self.column);
        if let Some(parts) = &mut self.made {
            parts.each_column(see);
        }
    }

    fn new(
        field: usize,
        (column, made): (usize, Option<Parts>),
        schema: &Schema,
        options: &ParseOptions,
    ) -> Result<Filled, SourceError> {
        let Field { name, kind, essential } = schema.fields[field];
        let said = options.time_forms.iter().rev().find(|(of, _)| {
            of.as_deref().is_none_or(|of| of.split_once('.') == Some((schema.name, name)))
        });
        let form = said.map(|(_, form)| form.clone());
        let values = values_of(schema, field, &options.values)?;
        Ok(Filled { field, name, column, made, kind, essential, form, values })
    }
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
        let money = Money::new(options.decimals, options.decimal_comma)
            .ok_or(SourceError::Decimals(options.decimals))?;
        let renames = renames_of(schema, renames)?;
        let line = options.rules.fill_down.as_ref().and_then(|fill| fill.line());
        let columns = Columns::of(header).with(line.filter(|_| !header.is_json()));
        let column_of = |field: usize| {
            let renamed = renames.iter().rfind(|(of, _)| *of == field);
            renamed.map_or(schema.fields[field].name, |(_, column)| *column)
        };
        let made_of = |field: usize| {
            let mut all = options.made.iter().rev();
            let named = (schema.name, schema.fields[field].name);
            // A renaming has the last word.
            let renamed = renames.iter().any(|(of, _)| *of == field);
            let made = all.find(|(of, _)| of.split_once('.') == Some(named)).filter(|_| !renamed);
            made.map(|(of, made)| made.parts(&columns, of)).transpose()
        };
        let named = |field: usize| {
            if let Some(parts) = made_of(field)? {
                return Ok(parts.placed());
            }
            let name = format!("{}.{}", schema.name, schema.fields[field].name);
            let column = column_of(field);
            match (columns.find(column, &name), factors(column)) {
                (Err(_), Some(product)) => {
                    Ok(Made::Product { product }.parts(&columns, &name)?.placed())
                }
                (found, _) => Ok((found?, None)),
            }
        };
        // What is made of the first of several that is there may be absent.
        let is_made = |field: usize| match made_of(field) {
            Err(SourceError::Nothing { .. }) => false,
            made => made.is_err(),
        };
        // A click log tells of views only: who saw which item, and when.
        let there = |col: Col| named(col.field).ok();
        let told = [behavior::EVENT, behavior::PAGE_VIEWS, behavior::ORDERS];
        let item = (schema.name == Stream::Behavior.name()).then(|| there(behavior::ITEM_ID));
        let item = item.flatten().filter(|_| told.into_iter().all(|col| there(col).is_none()));
        let find = |field: usize| match &item {
            Some((column, _)) if field == behavior::EVENT.field => {
                let view = ShopEvent::ViewItem.name().to_owned();
                Ok((*column, Some(Parts::Constant(view))))
            }
            _ => named(field),
        };
        let mut time = Filled::new(0, find(0)?, schema, options)?;
        let mut filled = Vec::new();
        for field in 1..schema.fields.len() {
            let column = match find(field) {
                Ok(column) => column,
                Err(unclear @ SourceError::DuplicateColumn { .. }) if wanted.contains(&field) => {
                    return Err(unclear);
                }
                Err(missing) if required.contains(&field) => return Err(missing),
                // So does what it is made of.
                Err(missing) if is_made(field) => return Err(missing),
                // A renaming names a column the user says is there.
                Err(missing) if renames.iter().any(|(of, _)| *of == field) => return Err(missing),
                Err(_) => continue,
            };
            if wanted.contains(&field) {
                filled.push(Filled::new(field, column, schema, options)?);
            }
        }
        let mut diff = columns.position(DIFF)?;
        let mut rules = options.rules.of(&columns)?;
        let all = std::iter::once(&time).chain(&filled);
        rules.looks_up(all.filter_map(|filled| filled.made.as_ref()));
        let (header, json) = columns.of_json(|number| {
            let all = std::iter::once(&mut time).chain(&mut filled);
            all.for_each(|filled| filled.each_column(number));
            rules.each_column(number);
            diff.iter_mut().for_each(number);
        })?;
        Ok(Plan {
            header,
            json,
            rules,
            fields: schema.fields.len(),
            stream: schema.name,
            time,
            diff,
            filled,
            money,
            options: options.clone(),
        })
    }
}

impl Plan {
    /// The column that an amount is taken from as it is, where that is called as the price of one
    /// piece may be and how many pieces there are is told.
    pub fn price_alone(&self, amount: usize, quantity: usize) -> Option<&str> {
        let counted = self.filled.iter().any(|filled| filled.field == quantity);
        let amount = self.filled.iter().find(|filled| filled.field == amount)?;
        let name = self.header.columns().get(amount.column)?;
        let alone = counted && amount.made.is_none() && super::inspect::is_price(name);
        alone.then_some(name.as_str())
    }

    /// The fields that are times.
    pub(super) fn time_fields(&mut self) -> impl Iterator<Item = &mut Filled> {
        let times = self.filled.iter_mut().filter(|filled| filled.kind == Kind::Time);
        std::iter::once(&mut self.time).chain(times)
    }
}

/// The columns of which a renaming makes a product, `quantity*price`. A star in brackets is one of
/// a path.
fn factors(column: &str) -> Option<[String; 2]> {
    let mut depth = 0;
    let star = column.find(|letter| {
        depth += i32::from(letter == '[') - i32::from(letter == ']');
        letter == '*' && depth == 0
    })?;
    let (a, b) = (column[..star].trim(), column[star + 1..].trim());
    (!a.is_empty() && !b.is_empty()).then(|| [a.to_owned(), b.to_owned()])
}

/// What the names of a field were said to stand for. Those said last come first.
fn values_of(
    schema: &Schema,
    field: usize,
    maps: &[ValueMap],
) -> Result<Vec<(String, i64)>, SourceError> {
    let Field { name, kind, .. } = schema.fields[field];
    let mine = |map: &&ValueMap| map.field.split_once('.') == Some((schema.name, name));
    let index = |map: &ValueMap| {
        let Kind::Name { names, .. } = kind else { return None };
        names.iter().position(|known| known.eq_ignore_ascii_case(&map.to)).map(|index| index as i64)
    };
    let known = match kind {
        Kind::Name { names, .. } => format!("its names are: {}", names.join(", ")),
        _ => "it has no list of names".into(),
    };
    let found = maps.iter().rev().filter(mine).map(|map| match index(map) {
        Some(index) => Ok((map.from.clone(), index)),
        None => Err(SourceError::UnknownValue {
            field: map.field.clone(),
            from: map.from.clone(),
            to: map.to.clone(),
            known: known.clone(),
        }),
    });
    found.collect()
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
        let field = schema.field(field.trim());
        found.push((field.ok_or_else(|| unknown(schema, name))?, column.as_str()));
    }
    Ok(found)
}

fn unknown(schema: &Schema, name: &str) -> SourceError {
    let fields: Vec<&str> = schema.fields.iter().map(|field| field.name).collect();
    SourceError::UnknownField {
        name: name.to_owned(),
        stream: schema.name,
        fields: fields.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::super::twin::SCHEMA;
    use super::*;

    fn plan(header: &str, required: &[usize], renames: &[(&str, &str)]) -> Result<Plan, String> {
        let header = Header::parse("f.csv", Some(header.as_bytes()), b',').unwrap();
        let renames: Vec<_> = renames.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        let options = ParseOptions::default();
        Plan::new(&SCHEMA, &header, &[1, 2], required, &options, &renames)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn finds_columns_in_any_order() {
        let plan = plan("extra,Amount,_DIFF, TIME ", &[1], &[]).unwrap();
        assert_eq!((plan.time.column, plan.diff), (3, Some(2)));
        assert_eq!(plan.filled.iter().map(|f| (f.field, f.column)).collect::<Vec<_>>(), [(1, 1)]);
    }

    #[test]
    fn missing_columns_are_named() {
        let error = plan("when,amount", &[], &[]).unwrap_err();
        assert!(error.contains("f.csv: no column time for orders.time"), "{error}");
        assert!(error.contains("the columns are: when, amount"), "{error}");
        assert!(plan("time", &[1], &[]).unwrap_err().contains("orders.amount"));
        assert!(plan("time", &[], &[]).is_ok());
    }

    #[test]
    fn renames() {
        let plan_of = |renames: &[(&str, &str)]| plan("when,time,amount", &[], renames);
        assert_eq!(
            plan_of(&[("orders.time", "When"), ("other.time", "x")]).unwrap().time.column,
            0
        );
        assert!(
            plan_of(&[("orders.count", "n")]).unwrap_err().contains("no column n for orders.count")
        );
        let error = plan_of(&[("orders.nothing", "when")]).unwrap_err();
        assert!(
            error.contains("orders has no such field") && error.contains("time, amount"),
            "{error}"
        );
        assert!(plan_of(&[("time", "when")]).is_err());
    }

    #[test]
    fn decimals_have_a_limit() {
        let header = Header::parse("f.csv", Some(b"time"), b',').unwrap();
        let options = ParseOptions { decimals: 19, ..ParseOptions::default() };
        assert!(Plan::new(&SCHEMA, &header, &[], &[], &options, &[]).is_err());
    }
}
