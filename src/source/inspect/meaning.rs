//! Which stream and fields the columns of a file are taken for.

use std::collections::{BTreeMap, BTreeSet};

use super::column::{Column, Reading};
use super::{plain, words};
use crate::event::{Kind, Stream};
use crate::shown::{VALUE, shown};
use crate::source::time::Form;

/// What a field is taken from.
#[derive(Clone, Debug, PartialEq)]
pub enum Taken {
    /// A column.
    Column(String),
    /// The product of two.
    Product([String; 2]),
}

/// What a file is taken for.
#[derive(Clone, Debug)]
pub struct Guess {
    /// The stream.
    pub stream: Stream,
    /// Its fields, and what they are taken from.
    pub fields: BTreeMap<&'static str, Taken>,
    /// What names of its fields stand for.
    pub values: BTreeMap<&'static str, BTreeMap<String, &'static str>>,
    /// How its times are written, where that has to be said.
    pub time_format: Option<&'static str>,
    /// What is open, or to be known.
    pub notes: Vec<String>,
}

/// What the columns are taken for, if they have a time and something to it.
pub fn guess(columns: &[Column]) -> Option<Guess> {
    let streams = Stream::ALL.iter().copied();
    let guesses = streams.filter_map(|stream| as_stream(columns, stream));
    let (_, mut guess) = guesses.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
    guess.finish(columns);
    Some(guess)
}

/// How well the columns would be a stream, and as what.
fn as_stream(columns: &[Column], stream: Stream) -> Option<(u32, Guess)> {
    let mut fields = BTreeMap::new();
    let (mut score, mut used) = (0, BTreeSet::new());
    let schema = stream.schema();
    for (at, field) in schema.fields.iter().enumerate() {
        let others = words::columns(stream).iter().find(|(name, _)| *name == field.name);
        let others = others.map_or(&[][..], |(_, others)| *others);
        let own = plain(field.name);
        let names = std::iter::once(own.as_str()).chain(others.iter().copied());
        let found = names.enumerate().find_map(|(rank, name)| {
            let column = columns.iter().find(|column| {
                !used.contains(&column.name) && is_called(column, name) && fits(column, field.kind)
            });
            // A name that may be anything is an id only if each is there once.
            let id = at == stream.id() && rank > 0;
            column.filter(|column| !id || column.unique).map(|column| (rank, column))
        });
        if let Some((rank, column)) = found {
            used.insert(column.name.clone());
            let own = if rank == 0 { 3 } else { 1 };
            score += own * weight(stream, field.name);
            fields.insert(field.name, Taken::Column(column.name.clone()));
        }
    }
    // Some column of times is better than none.
    if !fields.contains_key(schema.fields[0].name) {
        let mut times = columns.iter().filter(|column| !used.contains(&column.name));
        let time = times.find(|column| column.is_time())?;
        used.insert(time.name.clone());
        fields.insert(schema.fields[0].name, Taken::Column(time.name.clone()));
    }
    if stream == Stream::Transactions && !fields.contains_key("amount") {
        let price = words::PRICES.iter().find_map(|name| {
            let mut free = columns.iter().filter(|column| !used.contains(&column.name));
            free.find(|column| is_called(column, name) && fits(column, Kind::Money))
        })?;
        let taken = match fields.get("quantity") {
            Some(Taken::Column(quantity)) => Taken::Product([quantity.clone(), price.name.clone()]),
            _ => Taken::Column(price.name.clone()),
        };
        fields.insert("amount", taken);
        score += 3;
    }
    // What has a price and tells nothing of visits is a sale.
    let tells = |field: &&str| fields.contains_key(*field);
    let visits = ["event", "session_id", "page_views", "orders"].iter().any(&tells);
    let priced = ["price", "quantity"].iter().any(tells);
    if stream == Stream::Behavior && priced && !visits {
        return None;
    }
    if !tells_of(columns, stream, &fields) {
        return None;
    }
    let guess =
        Guess { stream, fields, values: BTreeMap::new(), time_format: None, notes: Vec::new() };
    (score > 0).then_some((score, guess))
}

/// Whether columns that could be any record of a shop tell of what the stream is about: a list of
/// what is sold, or of who buys, has no events in it.
fn tells_of(columns: &[Column], stream: Stream, fields: &BTreeMap<&'static str, Taken>) -> bool {
    let has = |names: &[&str]| names.iter().any(|name| fields.contains_key(name));
    let events = ["quantity", "qty", "amount", "total", "sessionid", "event", "orderid", "menge"];
    let is_event = |column: &Column| events.iter().any(|name| is_called(column, name));
    match stream {
        Stream::Catalog => {
            let sold = has(&["item_id"]) && has(&["price", "cost", "available"]);
            sold && !columns.iter().any(is_event)
        }
        Stream::Customers => {
            let known =
                has(&["user_id", "anonymous_id"]) && has(&["email_hash", "consent", "created"]);
            known && !columns.iter().any(is_event)
        }
        _ => true,
    }
}

/// Fields that tell nothing of which stream it is.
const OPTIONAL: [&str; 8] =
    ["line_id", "tax", "shipping", "discount", "coupon", "channel", "seller_id", "ship_country"];

/// The same, of what visitors do.
const SEEN_WITH: [&str; 8] =
    ["order_id", "value", "currency", "source", "medium", "consent", "experiment", "variant"];

/// How much a field tells of which stream it is.
fn weight(stream: Stream, field: &str) -> u32 {
    match (stream, field) {
        (Stream::Transactions, "amount") => 4,
        (Stream::Behavior, "event" | "session_id" | "page_views") => 4,
        (Stream::Logistics, "shipment_id" | "carrier" | "shipped_time" | "cost") => 4,
        (Stream::Catalog, "item_id" | "available" | "cost") => 4,
        (Stream::Customers, "created" | "email_hash" | "consent") => 4,
        (_, "transaction_time" | "visit_time" | "delivery_time") => 3,
        // Other streams may have these as well.
        (Stream::Transactions, field) if OPTIONAL.contains(&field) => 0,
        (Stream::Behavior, field) if SEEN_WITH.contains(&field) => 0,
        (Stream::Logistics, "kind" | "service") => 0,
        _ => 1,
    }
}

/// Whether a column has a name, or the last part of its path is one.
fn is_called(column: &Column, name: &str) -> bool {
    let last = column.name.rsplit(['.', '*', ']']).next().unwrap_or_default();
    let key = column.name.split_once("[key=").and_then(|(_, key)| key.split(']').next());
    plain(&column.name) == name
        || (!last.is_empty() && plain(last) == name)
        || key.is_some_and(|key| plain(key) == name)
}

/// Whether a field of this kind could have the values.
fn fits(column: &Column, kind: Kind) -> bool {
    match kind {
        Kind::Time => column.is_time() || column.is_number() || column.dated,
        Kind::Money => column.is_number() || column.reading == Reading::Text && reads_some(column),
        Kind::Integer => column.is_number(),
        Kind::Name { .. } => !column.names.is_empty() && !column.is_time(),
        Kind::Text(_) => column.reading != Reading::Blank && !column.is_date(),
    }
}

/// Whether some values are amounts, though most are not.
fn reads_some(column: &Column) -> bool {
    column.samples.iter().any(|value| value.bytes().any(|byte| byte.is_ascii_digit()))
}

impl Guess {
    /// What each column is taken for.
    pub fn by_column(&self) -> BTreeMap<&str, String> {
        let stream = self.stream.name();
        let mut taken = BTreeMap::new();
        for (field, from) in &self.fields {
            match from {
                Taken::Column(column) => {
                    taken.insert(column.as_str(), format!("{stream}.{field}"));
                }
                Taken::Product(factors) => {
                    for factor in factors {
                        let says = taken.entry(factor.as_str()).or_insert_with(String::new);
                        let and = if says.is_empty() { "" } else { " and " };
                        *says = format!("{says}{and}a factor of {stream}.{field}");
                    }
                }
            }
        }
        taken
    }

    /// Finds what names stand for, and what has to be said of times and currencies.
    fn finish(&mut self, columns: &[Column]) {
        let of = |name: &str| columns.iter().find(|column| column.name == name);
        let fields = self.fields.clone();
        for (field, taken) in &fields {
            let Taken::Column(column) = taken else { continue };
            let Some(column) = of(column) else { continue };
            let index = self.stream.schema().field(field);
            match index.map(|index| self.stream.schema().fields[index].kind) {
                Some(Kind::Name { names, also, .. }) => self.name(field, column, names, also),
                Some(Kind::Time) => self.time(column),
                _ => {}
            }
            if *field == "currency" && column.names.len() > 1 {
                let names: Vec<&str> = column.names.keys().map(String::as_str).collect();
                self.notes.push(format!(
                    "amounts are in {}: a run needs --rates FILE (a CSV of currency,rate)",
                    crate::shown::list(names.into_iter())
                ));
            }
        }
    }

    fn time(&mut self, column: &Column) {
        match &column.reading {
            Reading::Date(Err(_)) => {
                self.notes.push(format!(
                    "whether the day or the month comes first in {} is open; put day-first or month-first \
                     for time_format",
                    shown(&column.name, VALUE)
                ));
            }
            Reading::Date(Ok(_)) | Reading::Epoch => {}
            // Small numbers, of which the name says that they are times.
            _ if column.dated => self
                .notes
                .push(format!("not all of {} are times of one kind", shown(&column.name, VALUE))),
            _ if column.samples.iter().any(|v| Form::Any.reads(v)) => {}
            _ => {
                self.time_format = Some("epoch-s");
                self.notes.push(format!(
                    "{} holds small numbers; they are taken for seconds since 1970",
                    shown(&column.name, VALUE)
                ));
            }
        }
    }

    fn name(
        &mut self,
        field: &'static str,
        column: &Column,
        names: &[&'static str],
        also: &[(&'static str, i64)],
    ) {
        let mut open = Vec::new();
        for name in column.names.keys() {
            let known = |other: &&str| other.eq_ignore_ascii_case(name);
            if names.iter().any(&known) || also.iter().any(|(other, _)| known(other)) {
                continue;
            }
            let bare = plain(name);
            let same = names.iter().copied().find(|other| plain(other) == bare);
            match same.or_else(|| words::name_of(self.stream, field, &bare)) {
                Some(known) => {
                    self.values.entry(field).or_default().insert(name.clone(), known);
                }
                None => open.push(name.as_str()),
            }
        }
        if !open.is_empty() {
            self.notes.push(format!(
                "what {} stand for in {} is not known; its names are {}",
                crate::shown::list(open.into_iter()),
                shown(&column.name, VALUE),
                names.join(", ")
            ));
        }
    }
}
