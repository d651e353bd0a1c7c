//! A source that is described once, in TOML, with all that options of the command line would say of it:
//!
//! ```toml
//! [[source]]
//! stream = "transactions"
//! push = true                      # records come by POST /v1/events/transactions, or [source.kafka], or:
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
//! user_id = ["Customer ID", "Email"]      # the first of them that is there; none need be
//! price = { minus = "refund" }
//! tax = { minor = "tax", currency = "currency" }  # counts cents, and whole yen; or currency = "EUR"
//!
//! [source.values.status]           # what the names of a field stand for
//! paid = "captured"
//!
//! [source.kafka]                   # records are messages, each an object of JSON
//! brokers = "127.0.0.1:9092"
//! topics = ["payments"]
//! start = "earliest"               # or latest, stored, a time
//! expired = "error"                # or earliest
//! options = { "sasl.password" = "env:KAFKA_PASSWORD" }
//!
//! [source.hook]                    # records are webhooks, at /v1/hooks/transactions
//! from = "stripe"                  # or shopify, aftership
//! secret = "env:STRIPE_SECRET"
//!
//! [source.without]                 # rows that do not count: Failed, or blank
//! state = ["Failed", ""]
//! [source.only]                    # rows that do
//! event = ["purchase"]
//! [source.tell]                    # amounts that are in no field, to be told in the summary
//! Taxes = "is not in the amounts"
//! [source.fill_down]               # cells that are blank where they are the same as above
//! by = "Name"
//! columns = ["Currency"]
//! [source.lookup.transaction_time] # what stands in another file for the key that is here
//! file = "orders.csv"
//! key = "order_id"                 # there = "id" where it is called otherwise in the other file
//! value = "ordered_at"
//! ```
//!
//! A section may begin from a format, `format = "shopify-orders"`, which is a file of such sections
//! of which each is taken for the files that have the columns it `needs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::dialect::{Dialect, delimiter_named, encoding_named};
use super::hook;
use super::lookup::{Lookup, Table};
use super::made::Made;
use super::plan::{ParseOptions, ValueMap};
use super::rules::{FillDown, Rules};
use super::time::Form;
use crate::event::Stream;

/// What a section `[[source]]` holds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Described {
    stream: String,
    /// The name of a format, or its file, that says what is not said here.
    pub format: Option<String>,
    /// The columns by which a file is known to be meant.
    needs: Vec<String>,
    /// What such sections are called of which one tells what another does, too.
    apart: Option<String>,
    only: BTreeMap<String, Vec<String>>,
    without: BTreeMap<String, Vec<String>>,
    tell: BTreeMap<String, String>,
    fill_down: Option<FillDown>,
    files: Option<OneOr<Vec<String>>>,
    /// Whether its records are pushed, over HTTP.
    push: bool,
    kafka: Option<Kafka>,
    hook: Option<hook::Described>,
    delimiter: Option<String>,
    columns: Option<Vec<String>>,
    encoding: Option<String>,
    time_format: Option<OneOr<BTreeMap<String, String>>>,
    decimal_comma: bool,
    absent: Vec<String>,
    fields: BTreeMap<String, Made>,
    lookup: BTreeMap<String, Lookup>,
    values: BTreeMap<String, BTreeMap<String, String>>,
}

/// Topics of Kafka.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// Some of the brokers, `host:port,…`.
    pub brokers: String,
    /// The topics.
    #[serde(deserialize_with = "several")]
    pub topics: Vec<String>,
    /// The group to which positions are committed, for others to see.
    #[serde(default = "group")]
    pub group: String,
    /// Where to begin: `earliest`, `latest`, `stored` (by the group), or a time.
    #[serde(default = "start")]
    pub start: String,
    /// What to do where what follows is not there any more: `error`, or go on with the `earliest`.
    #[serde(default = "expired")]
    pub expired: String,
    /// Options of librdkafka. A value `env:NAME` or `file:PATH` stands for what is there.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

fn group() -> String {
    "tidemill".into()
}

fn start() -> String {
    "earliest".into()
}

fn expired() -> String {
    "error".into()
}

fn several<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(match OneOr::<Vec<String>>::deserialize(from)? {
        OneOr::One(one) => vec![one],
        OneOr::Several(several) => several,
    })
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
    /// Whether its records are pushed, or come like that.
    pub push: bool,
    /// The topics that they come of, if they do.
    pub kafka: Option<Kafka>,
    /// Who sends them by a webhook, if somebody does.
    pub hook: Option<hook::Described>,
    /// How its text is written.
    pub dialect: Dialect,
    /// In which columns fields are.
    pub map: Vec<(String, String)>,
    made: Vec<(String, Made)>,
    time_forms: Vec<(Option<String>, Form)>,
    values: Vec<ValueMap>,
    decimal_comma: bool,
    absent: Vec<String>,
    rules: Rules,
    /// Fields that are looked up in other files.
    pub lookups: Vec<(String, Lookup)>,
    /// The columns by which a file is known to be meant.
    pub needs: Vec<String>,
    /// See [`Described`].
    pub apart: Option<String>,
    /// The format it is of.
    pub format: Option<String>,
}

impl Described {
    /// The same, where nothing is said as in a section of a format.
    pub fn over(&self, format: &Described) -> Described {
        fn both<T: Clone>(
            over: &BTreeMap<String, T>,
            under: &BTreeMap<String, T>,
        ) -> BTreeMap<String, T> {
            let mut all = under.clone();
            all.extend(over.iter().map(|(key, value)| (key.clone(), value.clone())));
            all
        }
        let mut values = format.values.clone();
        for (field, names) in &self.values {
            values.entry(field.clone()).or_default().extend(names.clone());
        }
        Described {
            stream: format.stream.clone(),
            format: self.format.clone(),
            needs: format.needs.clone(),
            apart: format.apart.clone(),
            only: both(&self.only, &format.only),
            without: both(&self.without, &format.without),
            tell: both(&self.tell, &format.tell),
            fill_down: self.fill_down.clone().or_else(|| format.fill_down.clone()),
            files: self.files.clone().or_else(|| format.files.clone()),
            push: self.push,
            kafka: self.kafka.clone(),
            hook: self.hook.clone(),
            delimiter: self.delimiter.clone().or_else(|| format.delimiter.clone()),
            columns: self.columns.clone().or_else(|| format.columns.clone()),
            encoding: self.encoding.clone().or_else(|| format.encoding.clone()),
            time_format: self.time_format.clone().or_else(|| format.time_format.clone()),
            decimal_comma: self.decimal_comma || format.decimal_comma,
            absent: [&format.absent[..], &self.absent].concat(),
            fields: both(&self.fields, &format.fields),
            lookup: both(&self.lookup, &format.lookup),
            values,
        }
    }

    /// That of a format, of which nothing else is said.
    pub fn of_format(name: &str) -> Described {
        Described { format: Some(name.to_owned()), ..Described::default() }
    }

    /// Whether it is about a stream, as far as it says.
    pub fn is_of(&self, format: &Described) -> bool {
        self.stream.is_empty() || self.stream == format.stream
    }

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
                Made::Column(column) => map.push((field, column.clone())),
                parts => made.push((field, parts.clone())),
            }
        }
        let mut lookups = Vec::new();
        for (field, lookup) in self.lookup {
            lookups.push((known("lookup", &field)?, lookup));
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
        let Described { only, without, tell, fill_down, .. } = self;
        let shared = self.format.is_some();
        let rules = Rules { only, without, tell, fill_down, shared };
        let (needs, apart, format) = (self.needs, self.apart, self.format);
        Ok(Said {
            stream,
            files,
            push: self.push || self.kafka.is_some() || self.hook.is_some(),
            kafka: self.kafka,
            hook: self.hook,
            dialect,
            map,
            made,
            time_forms,
            values,
            decimal_comma,
            absent,
            rules,
            lookups,
            needs,
            apart,
            format,
        })
    }
}

impl Said {
    /// The same, with what was read of the other files, in the order of its lookups.
    pub fn with_tables(&self, tables: Vec<Arc<Table>>) -> Said {
        let mut said = self.clone();
        for ((field, lookup), table) in self.lookups.iter().zip(tables) {
            said.made.push((field.clone(), Made::Looked { key: lookup.key.clone(), table }));
        }
        said
    }

    /// How values are read: as is said here, and where options of the command line say otherwise as they do.
    pub fn over(&self, options: &ParseOptions) -> ParseOptions {
        let mut both = options.clone();
        // What is said last wins.
        both.time_forms.splice(0..0, self.time_forms.iter().cloned());
        both.made.splice(0..0, self.made.iter().cloned());
        both.values.splice(0..0, self.values.iter().cloned());
        both.decimal_comma |= self.decimal_comma;
        both.absent.add(&self.absent);
        both.rules = self.rules.clone();
        both
    }
}
