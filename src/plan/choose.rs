//! Matching queries with sources: which can run on what there is, and what the others lack.

use super::Job;
use super::reading::Available;
use crate::error::Error;
use crate::event::{Need, Stream, behavior};
use crate::near::did_you_mean;
use crate::queries::configured;
use crate::query::{AnyQuery, Reads};
use crate::worker::reads;
use std::sync::Arc;

/// A query and what it reads.
pub type Chosen = (Arc<dyn AnyQuery>, Reads);

/// The queries of a job.
#[derive(Clone, Default)]
pub enum Queries {
    /// All of the catalog that can run on what there is.
    #[default]
    All,
    /// Some of the catalog, by name.
    Named(Vec<String>),
    /// These, whether or not they are of the catalog.
    These(Vec<Arc<dyn AnyQuery>>),
}

impl Queries {
    /// Some of the catalog, by name; all where there is no name, or the one name `all`.
    pub fn named<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Queries {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.is_empty() || names == ["all"] { Queries::All } else { Queries::Named(names) }
    }
}

impl Job {
    /// The queries that were asked for, or else all that can run; `note` is told of the others.
    pub(super) fn choose(
        &self,
        available: &Available,
        note: &mut dyn FnMut(&str),
    ) -> Result<Vec<Chosen>, Error> {
        let names: Vec<&str> = match &self.queries {
            Queries::All => Vec::new(),
            Queries::Named(names) => names.iter().map(String::as_str).collect(),
            Queries::These(queries) => {
                let queries = queries.iter().map(Arc::clone);
                return queries.map(|query| self.given(query, available)).collect();
            }
        };
        let catalog = configured(&self.settings)?;
        for name in &names {
            if name.is_empty() {
                let what = "--query: a name is missing beside a comma; write NAME,NAME or `all`";
                return Err(Error::Usage(what.into()));
            }
            if !catalog.iter().any(|(_, q)| q.name() == *name) {
                let near = did_you_mean(name, catalog.iter().map(|(_, q)| q.name()));
                return Err(Error::Usage(format!(
                    "--query {name}: there is no such query{near} (`tidemill queries` lists them)"
                )));
            }
        }
        let (mut chosen, mut skipped) = (Vec::new(), Vec::new());
        for (_, query) in catalog {
            let named = names.contains(&query.name());
            if !named && !names.is_empty() {
                continue;
            }
            let reads = reads(&*query);
            match self.lacking(&reads, available) {
                None => chosen.push((query, reads)),
                Some(lacks) if named => {
                    return Err(Error::Usage(format!("--query {}: {lacks}", query.name())));
                }
                Some(lacks) => skipped.push(format!("{}: {lacks}", query.name())),
            }
        }
        if chosen.is_empty() {
            return Err(Error::Usage(format!("no query can run:\n  {}", skipped.join("\n  "))));
        }
        skipped.iter().for_each(|s| note(&format!("skipped {s}")));
        Ok(chosen)
    }

    fn given(&self, query: Arc<dyn AnyQuery>, available: &Available) -> Result<Chosen, Error> {
        let reads = reads(&*query);
        match self.lacking(&reads, available) {
            None => Ok((query, reads)),
            Some(lacks) => Err(Error::Usage(format!("{}: {lacks}", query.name()))),
        }
    }

    /// What a query cannot do without and no source has.
    fn lacking(&self, reads: &Reads, available: &Available) -> Option<String> {
        let given = |stream: Stream| available.iter().any(|(s, ..)| *s == stream);
        if reads.streams().all(|s| !given(s) && reads.may_lack(s)) {
            let names: Vec<&str> = reads.streams().map(Stream::name).collect();
            return Some(format!("needs one of the streams {}", names.join(", ")));
        }
        for stream in reads.streams().filter(|s| given(*s) || !reads.may_lack(*s)) {
            let mut sources = available.iter().filter(|(s, ..)| *s == stream).peekable();
            if sources.peek().is_none() {
                return Some(format!("needs the stream {0}; add --source {0}=FILE", stream.name()));
            }
            for (_, header, plan) in sources {
                for col in reads.columns(stream) {
                    let fields = stream.schema().fields;
                    let name = |field: usize| format!("{}.{}", stream.name(), fields[field].name);
                    let enriched = self.cleaning.enrich.is_some()
                        && stream == Stream::Behavior
                        && col.field == behavior::CATEGORY.field;
                    let lacks = match col.need {
                        Need::Optional => continue,
                        _ if plan.fills(col.field) || enriched => continue,
                        Need::Or(other) if plan.fills(other) => continue,
                        Need::Or(other) => format!("{} or {}", name(col.field), name(other)),
                        Need::Required => name(col.field),
                    };
                    return Some(format!(
                        "needs a column for {lacks}, which {} lacks (it has {}); name it with --map {}=COLUMN",
                        header.file(),
                        header.list(),
                        name(col.field),
                    ));
                }
            }
        }
        None
    }
}

/// The streams there are, for messages.
pub fn stream_names() -> String {
    let names: Vec<&str> = Stream::ALL.iter().map(|s| s.name()).collect();
    format!("the streams are {}", names.join(", "))
}
