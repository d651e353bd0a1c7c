//! From what was asked to a plan that can run: open everything, and refuse early and by name what
//! cannot work.

use super::choose::Available;
use super::options::{Cleaning, Running};
use crate::clean::{Cleaner, Step, currency::Rates, enrich::Categories};
use crate::clock::{Clock, Millis, Tick};
use crate::error::Error;
use crate::event::{Stream, behavior, transactions};
use crate::operator::Dedupe;
use crate::query::{AnyQuery, Reads};
use crate::sink::{Schema, Sink, Spec};
use crate::source::absent::Absent;
use crate::source::header::Header;
use crate::source::plan::{ParseOptions, Plan as Columns};
use crate::source::{DeadLetters, Feeds, Input, Partition};
use crate::value::Decimals;
use crate::worker::{self, Cluster, Plan, Progress, Secret, Summary, with_id};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

/// Everything a run is made of.
pub struct Launch {
    /// The sources, opened, in the order in which they were given.
    pub sources: Vec<(Stream, Input)>,
    /// The queries asked for by name; none: all that can run.
    pub queries: Vec<String>,
    /// Where views go.
    pub sinks: Vec<Spec>,
    /// How records are read and cleaned.
    pub cleaning: Cleaning,
    /// Threads, processes and the tick.
    pub running: Running,
    /// Size of all input in bytes, if known.
    pub bytes: Option<u64>,
    /// Instead of queries of the catalog and sinks: these and where their changes go.
    pub tap: Option<Tap>,
}

/// Queries that are not of the catalog, and what reads them.
pub struct Tap {
    /// The queries.
    pub queries: Vec<Arc<dyn AnyQuery>>,
    /// Sees their changes; only process 0 uses it.
    pub sink: Box<dyn Sink + Send>,
}

/// A plan that can run.
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
}

impl Launch {
    /// Runs it.
    pub fn run(self) -> Result<Summary, Error> {
        let progress = super::show::progress(self.bytes, self.running.quiet);
        let prepared = self.prepare()?;
        super::signals::stops(&prepared.plan.feeds.stop);
        prepared.run(progress)
    }

    /// Opens everything and matches queries with sources.
    pub fn prepare(mut self) -> Result<Prepared, Error> {
        let cluster = self.cluster()?;
        let options = self.parse_options()?;
        let available = self.available(&options)?;
        let quiet = self.running.quiet || self.running.process > 0;
        let tap = self.tap.take();
        let chosen = match &tap {
            Some(tap) => {
                let queries = tap.queries.iter().map(Arc::clone);
                queries.map(|query| self.tapped(query, &available)).collect::<Result<_, _>>()?
            }
            None => self.choose(&available, quiet)?,
        };
        let mut all = Reads::default();
        chosen.iter().for_each(|(_, reads)| all.merge(reads));
        let dedupe = self.dedupe(&available);
        let names: Vec<&str> = chosen.iter().map(|(query, _)| query.name()).collect();
        let no_ids = "no record is made unique by id here (no source has an id column, or `dedupe` is not among --steps)";
        self.refuse_idle(&names, dedupe.is_empty().then_some(no_ids))?;
        self.refuse_unread(&all)?;
        self.refuse_zone(chosen.iter().map(|(query, _)| &**query))?;
        let recorded = self.recorded()?;
        let tick = recorded.or(self.running.tick.and_then(Tick::from_millis));
        let tick = tick.unwrap_or_else(|| worker::default_tick(&self.sinks, &all));
        refuse_coarse(tick, &chosen)?;
        let cleaner = self.cleaner()?;
        let logs = available.iter().filter(|(_, _, plan)| plan.is_change_log());
        let change_logs = logs.map(|(stream, ..)| *stream).collect();
        let wanted = |stream: Stream, source: usize| {
            if available[source].2.is_change_log() {
                // What a record takes back is found by all of its fields.
                return (1..stream.schema().fields.len()).collect();
            }
            let mut fields = all.fields(stream);
            // To convert them, or to see that they are all of one.
            if fields.contains(&transactions::AMOUNT.field) {
                fields.push(transactions::CURRENCY.field);
            }
            if cleaner.enrich.is_some() && fields.contains(&behavior::CATEGORY.field) {
                fields.push(behavior::ITEM_ID.field);
            }
            if dedupe.contains_key(&stream) {
                fields = with_id(stream, fields);
            }
            fields
        };
        let views: Vec<Schema> =
            chosen.iter().map(|(q, _)| Schema { name: q.name(), columns: q.columns() }).collect();
        let decimals = Decimals(self.cleaning.decimals);
        Spec::refuse_twins(&self.sinks)?;
        let mut sinks = Vec::new();
        if self.running.process == 0 {
            let mut specs: Vec<&Spec> = self.sinks.iter().collect();
            specs.sort_by_key(|spec| spec.order());
            for spec in specs {
                sinks.push(spec.open(&views, decimals)?);
            }
            sinks.extend(tap.map(|tap| tap.sink));
        }
        let queries: Vec<_> = chosen.into_iter().map(|(query, _)| query).collect();
        let cluster = self.described(cluster, &queries, tick)?;
        let read: Vec<Stream> = all.streams().collect();
        let partitions = self.partitions(&cluster, &options, tick, |stream, i| {
            read.contains(&stream).then(|| wanted(stream, i))
        })?;
        let feeds = self.feeds(partitions, cleaner);
        let plan = Plan {
            queries,
            reads: all,
            dedupe,
            change_logs,
            feeds,
            tick,
            cluster,
            sinks,
            progress: Box::new(|_| {}),
        };
        Ok(Prepared { plan })
    }

    /// The sources alone, with every field that is there, as they are recorded.
    pub fn everything(mut self) -> Result<(Arc<Feeds>, Tick), Error> {
        let cluster = Cluster::threads(1);
        let options = self.parse_options()?;
        let available = self.available(&options)?;
        let later = "records are made unique by id when a recording is run";
        self.refuse_idle(&[], Some(later))?;
        let cleaner = self.cleaner()?;
        let tick = self.recorded()?.or(self.running.tick.and_then(Tick::from_millis));
        let tick = tick.unwrap_or(Tick::MINUTE);
        let enriched = cleaner.enrich.is_some();
        let partitions = self.partitions(&cluster, &options, tick, |stream, i| {
            let (_, _, plan) = &available[i];
            let all = 1..stream.schema().fields.len();
            let category = stream == Stream::Behavior && enriched;
            let there = |f: &usize| plan.fills(*f) || (category && *f == behavior::CATEGORY.field);
            Some(all.filter(there).collect())
        })?;
        let feeds = self.feeds(partitions, cleaner);
        Ok((feeds, tick))
    }

    fn cluster(&self) -> Result<Cluster, Error> {
        let running = &self.running;
        let workers = running.workers.map_or_else(
            || std::thread::available_parallelism().map_or(1, usize::from),
            usize::from,
        );
        let (count, process) = (usize::from(running.processes), usize::from(running.process));
        let mut cluster = Cluster::processes(workers, count, process, running.hostfile.as_deref())?;
        if let (1, Some(path)) = (count, &running.secret_file) {
            return Err(Error::Usage(format!(
                "--secret-file {}: there is one process only; say how many with --processes",
                path.display()
            )));
        }
        cluster.patience = Duration::from_millis(running.join_timeout);
        Ok(cluster)
    }

    /// The cluster with what its processes must have in common, and by what they know each other.
    fn described(
        &self,
        mut cluster: Cluster,
        queries: &[Arc<dyn AnyQuery>],
        tick: Tick,
    ) -> Result<Cluster, Error> {
        if cluster.count() > 1 {
            cluster.description = self.describe(&cluster, queries, tick);
            let file = self.running.secret_file.as_deref();
            cluster.secret = Some(Secret::find(file, cluster.is_local())?);
        }
        Ok(cluster)
    }

    /// The tick of the replay logs among the sources, which fixes that of the run.
    fn recorded(&self) -> Result<Option<Tick>, Error> {
        let mut found = None;
        for (_, input) in &self.sources {
            let file = input.header().file();
            let Input::Recorded(frames) = input else { continue };
            let wrong = |what: String| Err(Error::Usage(format!("{file}: {what}")));
            if frames.decimals() != self.cleaning.decimals {
                let decimals = frames.decimals();
                return wrong(format!("recorded with --decimals {decimals}; say the same here"));
            }
            let tick = frames.tick();
            let asked = self.running.tick.and_then(Tick::from_millis);
            if found.or(asked).is_some_and(|other| other != tick) {
                let tick = tick.millis();
                return wrong(format!(
                    "recorded with --tick {tick}ms, which cannot be another now; record it again"
                ));
            }
            found = Some(tick);
        }
        Ok(found)
    }

    /// The partitions this process reads. `wanted` gives the fields of a source to fill, or
    /// nothing if it is not read.
    fn partitions(
        &mut self,
        cluster: &Cluster,
        options: &ParseOptions,
        tick: Tick,
        wanted: impl Fn(Stream, usize) -> Option<Vec<usize>>,
    ) -> Result<Vec<Partition>, Error> {
        let clock = Clock::new(tick, self.cleaning.max_jump.map(|ms| ms as i64));
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
        let options = reader.said().map_or_else(|| options.clone(), |said| said.over(options));
        let renames = reader.said().map_or(&[][..], |said| said.map.as_slice());
        let renames = [renames, self.cleaning.map.as_slice()].concat();
        Ok(Columns::new(schema, header, wanted, &[], &options, &renames)?)
    }

    fn feeds(&self, partitions: Vec<Partition>, cleaner: Cleaner) -> Arc<Feeds> {
        let cleaning = &self.cleaning;
        let dead_letters = self.dead_letters();
        Arc::new(Feeds {
            partitions,
            dead_letters,
            notes: Default::default(),
            cleaner: (cleaner.currency.is_some() || cleaner.enrich.is_some()).then_some(cleaner),
            currencies: Default::default(),
            max_jump: cleaning.max_jump.map(|ms| ms as i64),
            max_bad: cleaning.max_bad,
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            stop: Arc::new(AtomicBool::new(false)),
        })
    }

    /// Where bad records go: where it was said, or beside the first file sink, or where the user is.
    fn dead_letters(&self) -> DeadLetters {
        let beside = self.sinks.iter().find_map(|s| s.directory().map(PathBuf::from));
        let named = self.cleaning.dead_letters.clone().or_else(|| {
            let directory = beside.as_ref()?;
            Some(directory.join("dead_letters.jsonl"))
        });
        let path = named.clone().unwrap_or_else(|| PathBuf::from("dead_letters.jsonl"));
        let Running { process, processes, .. } = self.running;
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

    fn has(&self, step: Step) -> bool {
        self.cleaning.steps.contains(&step)
    }

    fn parse_options(&self) -> Result<ParseOptions, Error> {
        let name = if self.has(Step::Zone) { self.cleaning.time_zone.as_str() } else { "UTC" };
        let zone = jiff::tz::TimeZone::get(name).map_err(|_| {
            Error::Usage(format!("--time-zone {name}: no such zone; try UTC or Europe/Berlin"))
        })?;
        let now = jiff::Timestamp::now().as_millisecond();
        Ok(ParseOptions {
            decimals: self.cleaning.decimals,
            trim_fold: self.has(Step::Trim),
            zone,
            max_time: self.has(Step::Validate).then(|| now + self.cleaning.max_future as i64),
            decimal_comma: self.cleaning.decimal_comma,
            absent: Absent::with(&self.cleaning.absent),
            time_forms: self.cleaning.time_format.clone(),
            values: self.cleaning.map_value.clone(),
            made: Vec::new(),
        })
    }

    /// What each source has, as a plan that would read every column.
    fn available(&self, options: &ParseOptions) -> Result<Vec<(Stream, Header, Columns)>, Error> {
        self.cleaning.refuse_unknown_fields()?;
        let plan = |(stream, input): &(Stream, Input)| {
            let all: Vec<usize> = (0..stream.schema().fields.len()).collect();
            let plan = self.columns(*stream, input, &all, options)?;
            Ok((*stream, input.header().clone(), plan))
        };
        self.sources.iter().map(plan).collect()
    }

    /// The streams that are made unique: those with an id in some source that is no change log.
    fn dedupe(&self, available: &Available) -> BTreeMap<Stream, Dedupe> {
        let how = Dedupe {
            policy: self.cleaning.on_duplicate,
            keep: self.cleaning.dedupe_hours.map(Millis::hours),
        };
        let unique = |stream: Stream| {
            let mut sources = available.iter().filter(|(s, ..)| *s == stream);
            sources.any(|(_, _, plan)| plan.fills(stream.id()) && !plan.is_change_log())
        };
        let streams = Stream::ALL.iter().copied().filter(|s| self.has(Step::Dedupe) && unique(*s));
        streams.map(|stream| (stream, how)).collect()
    }

    fn cleaner(&self) -> Result<Cleaner, Error> {
        let mut cleaner = Cleaner::default();
        if let (true, Some(path)) = (self.has(Step::Currency), &self.cleaning.rates) {
            cleaner.currency = Some(Rates::read(path, &self.cleaning.base_currency)?);
        }
        if let (true, Some(path)) = (self.has(Step::Enrich), &self.cleaning.enrich) {
            cleaner.enrich = Some(Categories::read(path)?);
        }
        Ok(cleaner)
    }
}

/// Ticks must divide the periods at which queries change: nothing is known of what is between them.
fn refuse_coarse(tick: Tick, chosen: &[(Arc<dyn AnyQuery>, Reads)]) -> Result<(), Error> {
    for (query, reads) in chosen {
        if let Some(period) = reads.between_ticks(tick) {
            let (name, tick) = (query.name(), Millis(tick.millis()));
            return Err(Error::Usage(format!(
                "{name} changes once in {period}, and a tick of {tick} does not divide that; \
                 choose another --tick, or leave {name} out with --query"
            )));
        }
    }
    Ok(())
}

impl Prepared {
    /// Runs the plan.
    pub fn run(self, progress: Box<dyn FnMut(&Progress) + Send>) -> Result<Summary, Error> {
        worker::run(Plan { progress, ..self.plan })
    }
}
