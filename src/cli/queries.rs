//! `tidemill queries`: the catalog.

use crate::error::Error;
use crate::event::Need;
use crate::queries::catalog;
use crate::worker::reads;
use serde_json::json;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill queries
  tidemill queries --format json | jq -r '.[].name'")]
pub struct Args {
    /// How to list them
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Format {
    Text,
    Json,
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        match self.format {
            Format::Text => super::print(&text()),
            Format::Json => super::print(&json()),
        }
    }
}

fn text() -> String {
    let (mut out, mut last) = (String::new(), "");
    for (area, query) in catalog() {
        if area != last {
            let gap = if last.is_empty() { "" } else { "\n" };
            out.push_str(&format!("{gap}{area}\n"));
            last = area;
        }
        let streams: Vec<&str> = reads(&*query).streams().map(|s| s.name()).collect();
        let columns = |key: bool| -> Vec<&str> {
            query.columns().iter().filter(|c| c.key == key).map(|c| c.name).collect()
        };
        out.push_str(&format!(
            "  {}: {}\n      reads {}; by {}: {}\n",
            query.name(),
            query.about(),
            streams.join(", "),
            columns(true).join(", "),
            columns(false).join(", "),
        ));
    }
    out
}

fn json() -> String {
    let list: Vec<_> = catalog()
        .into_iter()
        .map(|(area, query)| {
            let reads = reads(&*query);
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
            let columns = |key: bool| -> Vec<&str> {
                query.columns().iter().filter(|c| c.key == key).map(|c| c.name).collect()
            };
            json!({
                "name": query.name(),
                "area": area,
                "about": query.about(),
                "reads": streams,
                "keys": columns(true),
                "values": columns(false),
            })
        })
        .collect();
    // A list of plain values can always be written.
    serde_json::to_string_pretty(&list).unwrap_or_default() + "\n"
}
