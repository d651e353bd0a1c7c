//! The sources as partitions: which columns are read of each, and where bad records go.

use super::Job;
use super::keeping::Kept;
use crate::clean::{Cleaner, Step};
use crate::clock::{Clock, Millis, Tick};
use crate::error::Error;
use crate::event::Stream;
use crate::operator::Dedupe;
use crate::sink::Spec;
use crate::source::header::Header;
use crate::source::plan::{ParseOptions, Plan as Columns};
use crate::source::time::Form;
use crate::source::{Arrivals, DeadLetters, Feeds, Input, Partition};
use crate::worker::Cluster;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What each source has.
pub type Available = [(Stream, Header, Columns)];

impl Job {
    /// What each source has, as a plan that would read every column.
    pub(super) fn available(
        &self,
        options: &ParseOptions,
    ) -> Result<Vec<(Stream, Header, Columns)>, Error> {
        self.cleaning.refuse_unknown_fields()?;
        let plan = |(stream, input): &(Stream, Input)| {
            let all: Vec<usize> = (0..stream.schema().fields.len()).collect();
            let plan = self.columns(*stream, input, &all, options)?;
            Ok((*stream, input.header().clone(), plan))
        };
        self.sources.iter().map(plan).collect()
    }

    /// The streams that are made unique: those with an id in some source that is no change log.
    pub(super) fn dedupe(&self, available: &Available) -> BTreeMap<Stream, Dedupe> {
        let how = Dedupe {
            policy: self.cleaning.on_duplicate,
            keep: self.cleaning.dedupe_hours.map(Millis::hours),
            lateness: self.cleaning.lateness.map(Millis),
        };
        let unique = |stream: Stream| {
            let mut sources = available.iter().filter(|(s, ..)| *s == stream);
            sources.any(|(_, _, plan)| plan.fills(stream.id()) && !plan.is_change_log())
        };
        let streams = Stream::ALL.iter().copied();
        let streams = streams.filter(|s| self.cleaning.has(Step::Dedupe) && unique(*s));
        streams.map(|stream| (stream, how)).collect()
    }

    /// The partitions this process reads. `wanted` gives the fields of a source to fill, or
    /// nothing if it is not read.
    pub(super) fn partitions(
        &mut self,
        cluster: &Cluster,
        options: &ParseOptions,
        tick: Tick,
        wanted: impl Fn(Stream, usize) -> Option<Vec<usize>>,
    ) -> Result<Vec<Partition>, Error> {
        let clock = Clock::new(tick, self.cleaning.max_jump.map(|ms| ms as i64));
        let clock = clock.bounded(self.cleaning.lateness.map(Millis));
        let mut partitions = Vec::new();
        for (i, (stream, input)) in std::mem::take(&mut self.sources).into_iter().enumerate() {
            let Some(wanted) = wanted(stream, i).filter(|_| i % cluster.count() == cluster.process)
            else {
                continue;
            };
            let plan = self.columns(stream, &input, &wanted, options)?;
            partitions.push(Partition::new(stream, i as u32, plan, input, clock));
        }
        Ok(partitions)
    }

    fn columns(
        &self,
        stream: Stream,
        input: &Input,
        wanted: &[usize],
        options: &ParseOptions,
    ) -> Result<Columns, Error> {
        // A recording has the fields under their own names.
        let (schema, header) = (stream.schema(), input.header());
        let Input::Text(reader) = input else {
            return Ok(Columns::new(schema, header, wanted, &[], options, &[])?);
        };
        let mut options = reader.said().map_or_else(|| options.clone(), |said| said.over(options));
        if reader.is_pushed() {
            // What comes first must not decide how what comes later is read.
            options.time_forms.insert(0, (None, Form::Any));
        }
        let renames = reader.said().map_or(&[][..], |said| said.map.as_slice());
        let renames = [renames, self.cleaning.map.as_slice()].concat();
        Ok(Columns::new(schema, header, wanted, &[], &options, &renames)?)
    }

    pub(super) fn feeds(
        &mut self,
        (partitions, arrivals): (Vec<Partition>, Arrivals),
        cleaner: Cleaner,
        kept: Option<&Kept>,
    ) -> Result<Arc<Feeds>, Error> {
        let pace = self.pace.take();
        let cleaning = &self.cleaning;
        let letters = match kept {
            None => self.dead_letters(),
            Some(kept) => self.dead_letters().going_on(&kept.letters())?,
        };
        let feeds = Feeds {
            keeps_positions: kept.is_some(),
            in_flight: self.running.in_flight,
            cleaner: (cleaner.currency.is_some() || cleaner.enrich.is_some()).then_some(cleaner),
            clocks_refuse: cleaning.max_jump.is_some() || cleaning.lateness.is_some(),
            max_bad: cleaning.max_bad,
            pace,
            arrivals,
            ..Feeds::new(partitions, letters)
        };
        let known = kept.and_then(Kept::saved).map_or(&[][..], |saved| &saved.currencies);
        feeds.currencies.know(known.iter().map(String::as_str));
        Ok(Arc::new(feeds))
    }

    /// The directory of what could not be delivered: that of bad records.
    pub(super) fn beside(&self) -> PathBuf {
        let letters = self.cleaning.dead_letters.as_deref().and_then(Path::parent);
        let directory = || self.sinks.iter().find_map(Spec::directory);
        letters.or_else(directory).map_or_else(PathBuf::new, PathBuf::from)
    }

    /// Where bad records go: where it was said, or beside the first file sink, or where the user is.
    fn dead_letters(&self) -> DeadLetters {
        let beside = self.sinks.iter().find_map(|s| s.directory().map(PathBuf::from));
        let named = self.cleaning.dead_letters.clone().or_else(|| {
            let directory = beside.as_ref()?;
            Some(directory.join("dead_letters.jsonl"))
        });
        let path = named.clone().unwrap_or_else(|| PathBuf::from("dead_letters.jsonl"));
        let (process, processes) = (self.running.process, self.running.processes);
        let letters = match process {
            0 => DeadLetters::new(path),
            _ => DeadLetters::new(path.with_extension(format!("{process}.jsonl"))),
        };
        match (named, process) {
            (None, _) => letters,
            (_, 0) => letters.instead_of_earlier(Some(processes)),
            _ => letters.instead_of_earlier(None),
        }
    }
}
