//! A job that is looked at and not run: how its first rows are read, and which queries they are
//! enough for.

use super::{Job, Queries};
use crate::clock::Tick;
use crate::error::Error;
use crate::event::Stream;
use crate::source::Arrivals;
use crate::source::check::Checked;
use crate::worker::Cluster;

/// What a job would do.
#[derive(Debug, Default)]
pub struct Outlook {
    /// Its sources.
    pub sources: Vec<Checked>,
    /// The queries that would run.
    pub queries: Vec<String>,
    /// What others lack, each with its name.
    pub lacking: Vec<String>,
}

impl Job {
    /// Reads the first rows of each source, with every field that is there.
    pub fn check(mut self) -> Result<Outlook, Error> {
        let options = self.cleaning.parse_options()?;
        let available = self.available(&options)?;
        let mut outlook = Outlook::default();
        // That none can run is no reason not to look.
        match self.choose(&available, &mut |note| outlook.lacking.push(note.to_owned())) {
            Ok(chosen) => {
                outlook.queries = chosen.iter().map(|(query, _)| query.name().to_owned()).collect();
            }
            Err(error) if !matches!(self.queries, Queries::All) => return Err(error),
            Err(error) => outlook.lacking.push(error.to_string()),
        }
        let cleaner = self.cleaning.cleaner()?;
        let all = |stream: Stream, i: usize| {
            let (_, _, plan) = &available[i];
            let fields = 1..stream.schema().fields.len();
            Some(fields.filter(|field| plan.fills(*field)).collect())
        };
        let partitions = self.partitions(&Cluster::threads(1), &options, Tick::DAY, all)?;
        let arrivals = Arrivals::new(Tick::MINUTE, None);
        let feeds = self.feeds((partitions, arrivals), cleaner, None)?;
        for partition in &feeds.partitions {
            outlook.sources.push(partition.check(&feeds)?);
        }
        Ok(outlook)
    }
}

impl Outlook {
    /// What is to be told of it, line by line.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.sources.iter().flat_map(Checked::lines).collect();
        let count = self.queries.len();
        let queries = if count == 1 { "query" } else { "queries" };
        let names = match count {
            0 => String::new(),
            _ => format!(": {}", self.queries.join(", ")),
        };
        lines.push(format!("{count} {queries} would run{names}"));
        lines.extend(self.lacks());
        lines
    }

    /// What queries need that is not there, each with those that need it.
    fn lacks(&self) -> Vec<String> {
        let mut needs: Vec<(&str, Vec<&str>)> = Vec::new();
        for note in &self.lacking {
            let note = note.trim_start_matches("skipped ");
            let (name, lacks) = note.split_once(": ").unwrap_or(("", note));
            let ends = [";", ", which ", "\n"].iter().filter_map(|end| lacks.find(end));
            let lacks = &lacks[..ends.min().unwrap_or(lacks.len())];
            match needs.iter_mut().find(|(other, _)| *other == lacks) {
                Some((_, names)) => names.push(name),
                None => needs.push((lacks, vec![name])),
            }
        }
        needs.iter().map(|(lacks, names)| format!("  {lacks}: {}", names.join(", "))).collect()
    }

    /// A source of which no row can be used though it has some.
    pub fn unusable(&self) -> Option<&Checked> {
        self.sources.iter().find(|source| source.good == 0 && source.rows > 0)
    }

    /// Whether any row can be used.
    pub fn is_empty(&self) -> bool {
        self.sources.iter().all(|source| source.good == 0)
    }
}
