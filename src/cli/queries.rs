//! `tidemill queries`: the catalog, and what there is to know of one query.

use crate::error::Error;
use crate::event::{Col, Need};
use crate::lab::generator::Feed;
use crate::near::did_you_mean;
use crate::queries::catalog;
use crate::query::{AnyQuery, Column, Parameter};
use crate::worker::reads;
use serde_json::json;
use std::sync::Arc;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill queries
  tidemill queries risk_decisions           what it reads, its parameters, and how to run it
  tidemill queries --format json | jq -r '.[].name'")]
pub struct Args {
    /// The query to tell about [default: all, in a list]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// How to list them
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Format {
    Text,
    Json,
}

type Listed = (&'static str, Arc<dyn AnyQuery>);

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let mut listed = catalog();
        if let Some(name) = &self.name {
            listed.retain(|(_, query)| query.name() == name);
            if listed.is_empty() {
                let near = did_you_mean(name, catalog().iter().map(|(_, query)| query.name()));
                let what =
                    format!("there is no query {name}{near} (`tidemill queries` lists them)");
                return Err(Error::Usage(what));
            }
        }
        super::print(&match (self.format, &self.name, &listed[..]) {
            (Format::Text, Some(_), [(area, query)]) => about(area, &**query),
            (Format::Text, ..) => list(&listed),
            (Format::Json, ..) => json(&listed),
        })
    }
}

fn list(listed: &[Listed]) -> String {
    let (mut out, mut last) = (String::new(), "");
    for (area, query) in listed {
        if *area != last {
            let gap = if last.is_empty() { "" } else { "\n" };
            out.push_str(&format!("{gap}{area}\n"));
            last = area;
        }
        let streams: Vec<&str> = reads(&**query).streams().map(|s| s.name()).collect();
        out.push_str(&format!(
            "  {}: {}\n      reads {}; by {}: {}\n",
            query.name(),
            query.about(),
            streams.join(", "),
            columns(&**query, true).join(", "),
            columns(&**query, false).join(", "),
        ));
    }
    out.push_str("\n`tidemill queries NAME` shows a query's parameters and how to run it.\n");
    out
}

fn about(area: &str, query: &dyn AnyQuery) -> String {
    let mut out = format!("{} ({area}): {}\n\nreads\n", query.name(), query.about());
    let reads = reads(query);
    for stream in reads.streams() {
        let fields = stream.schema().fields;
        let column = |col: &Col| match col.need {
            Need::Required => fields[col.field].name.to_string(),
            Need::Optional => format!("[{}]", fields[col.field].name),
            Need::Or(other) => format!("{} or {}", fields[col.field].name, fields[other].name),
        };
        let time = fields[0].name.to_string();
        let columns: Vec<String> =
            std::iter::once(time).chain(reads.columns(stream).iter().map(column)).collect();
        let may = if reads.may_lack(stream) { " (if given)" } else { "" };
        out.push_str(&format!("  {}{may}: {}\n", stream.name(), columns.join(", ")));
    }
    for (title, key) in [("key", true), ("values", false)] {
        let lines = query.columns().iter().filter(|c| c.key == key);
        let lines = lines.map(|c| [c.name.to_string(), kind(c), c.about.to_string()]);
        out.push_str(&format!("\n{title}\n{}", aligned(lines.collect())));
    }
    let parameters = query.parameters();
    if !parameters.is_empty() {
        out.push_str("\nparameters (--set NAME=VALUE, or --config FILE) and their defaults\n");
        let line = |p: Parameter| {
            [format!("{}.{} = {}", query.name(), p.name, p.value), String::new(), p.about.into()]
        };
        out.push_str(&aligned(parameters.into_iter().map(line).collect()));
    }
    out.push_str("\nexample\n");
    example(query).iter().for_each(|line| out.push_str(&format!("  {line}\n")));
    out
}

/// Commands that run a query on what the generator makes.
fn example(query: &dyn AnyQuery) -> [String; 2] {
    let sources: String = reads(query)
        .streams()
        .filter_map(|stream| Some((stream, Feed::of(stream)?)))
        .map(|(stream, feed)| format!(" --source {}=data/{}", stream.name(), feed.file_name()))
        .collect();
    let mut run = format!("tidemill run --query {}{sources}", query.name());
    // A list is better written in a file.
    if let Some(p) = query.parameters().iter().find(|p| !p.value.starts_with('[')) {
        let value = p.value.trim_matches('"');
        run.push_str(&format!(" --set {}.{}={value}", query.name(), p.name));
    }
    ["tidemill generate --all --events 100000 --out data".into(), run]
}

/// What a column's cells are.
fn kind(column: &Column) -> String {
    let may = if column.optional { ", may be empty" } else { "" };
    format!("{}{may}", column.kind)
}

/// Lines of three columns, the last of any length.
fn aligned(lines: Vec<[String; 3]>) -> String {
    // A long one (a list of rules) does not push the others away.
    let width = |i: usize| lines.iter().map(|l| l[i].len()).filter(|n| *n <= 48).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    let gap = if second == 0 { "" } else { "  " };
    let line = |[a, b, c]: &[String; 3]| format!("  {a:<first$}{gap}{b:<second$}  {c}\n");
    lines.iter().map(line).collect()
}

fn columns(query: &dyn AnyQuery, key: bool) -> Vec<&'static str> {
    query.columns().iter().filter(|c| c.key == key).map(|c| c.name).collect()
}

fn json(listed: &[Listed]) -> String {
    let list: Vec<_> = listed
        .iter()
        .map(|(area, query)| {
            let reads = reads(&**query);
            let streams: serde_json::Map<_, _> = reads
                .streams()
                .map(|stream| {
                    let fields = stream.schema().fields;
                    let columns: Vec<_> = reads
                        .columns(stream)
                        .iter()
                        .map(|col| match col.need {
                            Need::Required => json!({"name": fields[col.field].name}),
                            Need::Optional => {
                                json!({"name": fields[col.field].name, "optional": true})
                            }
                            Need::Or(other) => {
                                json!({"name": fields[col.field].name, "or": fields[other].name})
                            }
                        })
                        .collect();
                    (stream.name().to_string(), columns.into())
                })
                .collect();
            let parameters: serde_json::Map<_, _> = query
                .parameters()
                .into_iter()
                // They were made of JSON.
                .map(|p| (p.name, serde_json::from_str(&p.value).unwrap_or_default()))
                .collect();
            let meanings: serde_json::Map<_, _> =
                query.parameters().into_iter().map(|p| (p.name, p.about.into())).collect();
            let described: Vec<_> = query
                .columns()
                .iter()
                .map(|c| {
                    json!({"name": c.name, "key": c.key, "kind": c.kind, "optional": c.optional, "about": c.about})
                })
                .collect();
            json!({
                "name": query.name(),
                "area": area,
                "about": query.about(),
                "reads": streams,
                "keys": columns(&**query, true),
                "values": columns(&**query, false),
                "columns": described,
                "parameters": parameters,
                "parameters_about": meanings,
                "example": example(&**query),
            })
        })
        .collect();
    // A list of plain values can always be written.
    serde_json::to_string_pretty(&list).unwrap_or_default() + "\n"
}
