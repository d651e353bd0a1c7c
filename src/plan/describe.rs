//! What a process of a cluster was started with, for the others to compare.
//!
//! Everything that has a say in the views or in the judgement of the run is in it; where the views
//! go is not, since process 0 alone writes them.

use super::Job;
use crate::clock::Tick;
use crate::description::Description;
use crate::query::{AnyQuery, Parameter};
use crate::source::Input;
use crate::source::dialect::Dialect;
use crate::worker::Cluster;
use clap::ValueEnum;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// How much of the beginning and the end of a source is compared.
const LOOK: u64 = 4096;
/// The most sources that are compared one by one; the rest are compared together.
const SOURCES: usize = 5000;

impl Job {
    /// What this process was started with.
    pub(super) fn describe(
        &self,
        cluster: &Cluster,
        queries: &[Arc<dyn AnyQuery>],
        tick: Tick,
    ) -> Description {
        let (mut says, cleaning) = (Description::default(), &self.cleaning);
        says.add("the version", env!("CARGO_PKG_VERSION"));
        says.add("--hostfile", cluster.addresses.join(" "));
        says.add("--workers", cluster.workers);
        let names: Vec<&str> = queries.iter().map(|query| query.name()).collect();
        says.add("--query", names.join(","));
        self.describe_meaning(&mut says, queries, tick);
        says.add("--max-bad", format!("{}%", cleaning.max_bad * 100.0));
        self.describe_sources(&mut says);
        says
    }

    /// What has a say in the views, whatever is read.
    pub(super) fn describe_meaning(
        &self,
        says: &mut Description,
        queries: &[Arc<dyn AnyQuery>],
        tick: Tick,
    ) {
        let cleaning = &self.cleaning;
        says.add("--tick", format!("{}ms", tick.millis()));
        says.add("--decimals", cleaning.decimals);
        says.add("--time-zone", &cleaning.time_zone);
        let steps = cleaning.steps.iter().filter_map(ValueEnum::to_possible_value);
        let steps: Vec<String> = steps.map(|step| step.get_name().to_string()).collect();
        says.add("--steps", steps.join(","));
        let map: Vec<String> = cleaning.map.iter().map(|(a, b)| format!("{a}={b}")).collect();
        says.add("--map", or_none(map.join(" ")));
        let values =
            cleaning.map_value.iter().map(|map| format!("{}.{}={}", map.field, map.from, map.to));
        says.add("--map-value", or_none(values.collect::<Vec<_>>().join(" ")));
        let Dialect { delimiter, columns, encoding } = cleaning.dialect.clone();
        let delimiter = delimiter.map(|byte| char::from(byte).to_string());
        says.add("--delimiter", or_none(delimiter.unwrap_or_default()));
        says.add("--no-header", or_none(columns.unwrap_or_default().join(",")));
        says.add("--encoding", or_none(encoding.map_or(String::new(), |e| e.name().into())));
        let forms = cleaning.time_format.iter().map(|form| format!("{form:?}"));
        says.add("--time-format", or_none(forms.collect::<Vec<_>>().join(" ")));
        says.add("--decimal-comma", cleaning.decimal_comma);
        says.add("--absent", or_none(cleaning.absent.join(",")));
        says.add("--on-duplicate", format!("{:?}", cleaning.on_duplicate).to_lowercase());
        let hours = cleaning.dedupe_hours.map_or("none".into(), |hours| hours.to_string());
        says.add("--dedupe-hours", hours);
        says.add("--base-currency", &cleaning.base_currency);
        says.add("--max-future", format!("{}ms", cleaning.max_future));
        says.add("--max-jump", cleaning.max_jump.map_or("none".into(), |ms| format!("{ms}ms")));
        says.add("--lateness", cleaning.lateness.map_or("none".into(), |ms| format!("{ms}ms")));
        for (option, path) in [("--rates", &cleaning.rates), ("--enrich", &cleaning.enrich)] {
            match path {
                None => says.add(option, "none"),
                Some(path) => {
                    // What cannot be read was told before.
                    let contents = std::fs::read(path).unwrap_or_default();
                    says.add_contents(option, &path.display().to_string(), &contents);
                }
            }
        }
        for query in queries {
            for Parameter { name, value, .. } in query.parameters() {
                says.add(format!("the parameter {}.{name}", query.name()), value);
            }
        }
    }

    fn describe_sources(&self, says: &mut Description) {
        says.add("the number of sources", self.sources.len());
        let mut rest = Vec::new();
        for (i, (stream, input)) in self.sources.iter().enumerate() {
            let (name, ends) = glance(input.header().file());
            let said = match input {
                Input::Text(reader) => reader.said().map(|said| format!(" described as {said:?}")),
                Input::Recorded(_) => None,
            };
            let shown = format!("{}={name}{}", stream.name(), said.unwrap_or_default());
            if i < SOURCES {
                says.add_contents(format!("source {}", i + 1), &shown, &ends);
            } else {
                rest.extend(shown.into_bytes());
                rest.extend(ends);
            }
        }
        if !rest.is_empty() {
            says.add_contents("the sources", &format!("those after the first {SOURCES}"), &rest);
        }
    }
}

fn or_none(text: String) -> String {
    if text.is_empty() { "none".into() } else { text }
}

/// A file with its size, and how it begins and ends: what can be known without reading it all.
fn glance(path: &str) -> (String, Vec<u8>) {
    let about = std::fs::metadata(Path::new(path)).ok().filter(std::fs::Metadata::is_file);
    let Some(size) = about.map(|about| about.len()) else { return (path.into(), Vec::new()) };
    let ends = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        let mut bytes = Vec::new();
        file.by_ref().take(LOOK).read_to_end(&mut bytes)?;
        file.seek(SeekFrom::Start(size.saturating_sub(LOOK).max(bytes.len() as u64)))?;
        file.take(LOOK).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    // What cannot be read is told when it is to be read.
    (format!("{path} ({size} bytes)"), ends().unwrap_or_default())
}
