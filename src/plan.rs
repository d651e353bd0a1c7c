//! From what is asked to a run that can begin: everything is opened, and what cannot work is
//! refused early and by name.
//!
//! A [`Job`] says what to run. The command line fills one, and any other program can:
//!
//! ```
//! use tidemill::plan::{Job, Queries};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # std::fs::create_dir_all("target/example")?;
//! std::fs::write("target/example/sales.csv", "transaction_time,item_id,amount\n\
//!     2026-01-05 10:00:00,shoe,19.90\n2026-01-05 10:30:00,bag,5.00\n")?;
//! let job = Job {
//!     queries: Queries::named(["hourly_transactions", "top_items_hourly"]),
//!     sinks: vec!["csv:target/example".parse()?],
//!     ..Job::over(["transactions=target/example/sales.csv"])?
//! };
//! let summary = job.run()?;
//! assert_eq!((summary.records, summary.bad), (2, 0));
//! # let view = std::fs::read_to_string("target/example/hourly_transactions.csv")?;
//! # assert!(view.starts_with("hour,count,") && view.contains("2026-01-05T10:00:00Z,2,24.90,"), "{view}");
//! # assert_eq!(std::fs::read_to_string("target/example/top_items_hourly.csv")?.lines().count(), 3);
//! # Ok(())
//! # }
//! ```
//!
//! Messages call what is wrong by the option of the command line that says it.

use crate::checkpoint::Saved;
use crate::clean::currency::money_of;
use crate::clock::{Millis, Tick};
use crate::config::Settings;
use crate::error::Error;
use crate::event::{Stream, behavior, transactions};
use crate::query::{AnyQuery, Reads};
use crate::shown::VALUE;
use crate::sink::{Going, Opening, Schema, Sink, Spec};
use crate::source::dialect::Dialect;
use crate::source::pace::Pace;
use crate::source::stamps::{Known, Ticks};
use crate::source::{Arrivals, Feeds, Input, ParseOptions};
use crate::tell::Tell;
use crate::value::Decimals;
use crate::worker::{self, Cluster, Graph, Intake, Plan, Summary, with_id};
use std::sync::Arc;

mod check;
mod choose;
mod cleaning;
mod describe;
mod idle;
mod inputs;
mod keeping;
mod reading;
pub mod remembered;
mod running;
pub mod sources;
mod ticks;
pub use check::Outlook;
pub use choose::{Queries, stream_names};
pub use cleaning::Cleaning;
pub use keeping::Keeping;
use keeping::{Kept, arrived};
pub use running::Running;

/// What is to be run.
#[derive(Default)]
pub struct Job {
    /// The sources, opened, in the order in which they were given.
    pub sources: Vec<(Stream, Input)>,
    /// The queries to maintain.
    pub queries: Queries,
    /// Where views go.
    pub sinks: Vec<Spec>,
    /// What else sees the changes of the views; only process 0 uses it.
    pub watchers: Vec<Box<dyn Sink + Send>>,
    /// The parameters of the queries.
    pub settings: Settings,
    /// How records are read and cleaned.
    pub cleaning: Cleaning,
    /// Threads, processes and the tick.
    pub running: Running,
    /// Whether somebody looks at the views while the run goes on.
    pub looked_at: bool,
    /// The pace at which records are let through; none: as they come.
    pub pace: Option<Pace>,
    /// Where the state is kept, so that a later run can go on from it; none: nowhere.
    pub keeping: Option<Keeping>,
    /// Told what a person should know while the run goes on.
    pub tell: Tell,
}

impl Job {
    /// All queries that can run over these sources, each `STREAM=FILE` or a replay log.
    pub fn over<S: Into<String>>(texts: impl IntoIterator<Item = S>) -> Result<Job, Error> {
        let texts: Vec<String> = texts.into_iter().map(Into::into).collect();
        let sources = sources::open(&texts, &Dialect::default(), Default::default())?.inputs;
        Ok(Job { sources, ..Job::default() })
    }

    /// Runs it to the end of its sources.
    pub fn run(self) -> Result<Summary, Error> {
        worker::run(self.plan(&mut |_| ())?)
    }

    /// Opens everything and matches queries with sources; `note` is told of queries that are left
    /// out, and why.
    pub fn plan(mut self, note: &mut dyn FnMut(&str)) -> Result<Plan, Error> {
        let cluster = self.running.cluster()?;
        let options = self.cleaning.parse_options()?;
        let available = self.available(&options)?;
        let chosen = self.choose(&available, note)?;
        prices_alone(&available, note);
        let mut all = Reads::default();
        chosen.iter().for_each(|(_, reads)| all.merge(reads));
        let dedupe = self.dedupe(&available);
        let names: Vec<&str> = chosen.iter().map(|(query, _)| query.name()).collect();
        let no_ids = "no record is made unique by id here (no source has an id column, or `dedupe` is not among --steps)";
        self.refuse_idle(&names, dedupe.is_empty().then_some(no_ids))?;
        self.refuse_unread(&all)?;
        self.refuse_zone(chosen.iter().map(|(query, _)| &**query))?;
        let kept = self.kept(note)?;
        let ticks = self.ticks(&all, kept.as_ref().and_then(Kept::ticks))?;
        let tick = ticks.tick;
        refuse_coarse(tick, &chosen)?;
        self.refuse_late_recordings()?;
        let queries: Vec<_> = chosen.iter().map(|(query, _)| Arc::clone(query)).collect();
        let same = kept.as_ref().map(|kept| self.same(kept, &queries, tick)).transpose()?;
        let cleaner = self.cleaning.cleaner()?;
        let logs = available.iter().filter(|(_, _, plan)| plan.is_change_log());
        let change_logs = logs.map(|(stream, ..)| *stream).collect();
        let wanted = |stream: Stream, source: usize| {
            if available[source].2.is_change_log() {
                // What a record takes back is found by all of its fields.
                return (1..stream.schema().fields.len()).collect();
            }
            let mut fields = all.fields(stream);
            // To convert them, or to see that they are all of one.
            if let Some((currency, money)) = money_of(stream)
                && fields.iter().any(|field| money.contains(field))
            {
                fields.push(currency);
            }
            if cleaner.enrich.is_some() && fields.contains(&behavior::CATEGORY.field) {
                fields.push(behavior::ITEM_ID.field);
            }
            if dedupe.contains_key(&stream) {
                fields = with_id(stream, fields);
                fields.extend(stream.line());
            }
            fields
        };
        let sinks = self.open_sinks(&chosen, kept.as_ref().map(Kept::going))?;
        let cluster = self.described(cluster, &queries, tick)?;
        let mut partitions = self.partitions(&cluster, &options, ticks.history, |stream, i| {
            all.streams().any(|read| read == stream).then(|| wanted(stream, i))
        })?;
        let (mut absent, mut arrivals) = (Vec::new(), Arrivals::new(tick, None));
        if let Some(kept) = &kept {
            (partitions, absent) = kept.resumed(partitions)?;
            (partitions, arrivals) = kept.arrived(partitions, ticks)?;
        }
        let fields = |stream: Stream| {
            let mut fields = all.fields(stream);
            // Lines are told apart where some source has them, and cost nothing where none does.
            let has =
                |line: &usize| available.iter().any(|(s, _, p)| *s == stream && p.fills(*line));
            fields.extend(stream.line().filter(has));
            (stream, fields)
        };
        let fields = all.streams().map(fields).collect();
        let lateness = self.cleaning.lateness.map(Millis);
        let intake = Intake { fields, dedupe, change_logs, tick, lateness, reach: lateness };
        let feeds = self.feeds((partitions, arrivals), cleaner, kept.as_ref())?;
        let same = same.map(|same| Saved { sources: absent, ..same });
        let state = kept.zip(same).map(|(kept, same)| kept.state(same, self.tell));
        // What keeps its state makes a checkpoint before it stops.
        let leave = if state.is_some() { Arc::default() } else { Arc::clone(&feeds.stop) };
        let graph = Graph { queries, intake };
        Ok(Plan { graph, feeds, cluster, sinks, progress: Box::new(|_| {}), state, leave })
    }

    /// The sources alone, with every field that is there, as they are recorded.
    pub fn everything(mut self) -> Result<(Arc<Feeds>, Tick), Error> {
        let options = self.cleaning.parse_options()?;
        let available = self.available(&options)?;
        let later = "records are made unique by id when a recording is run";
        self.refuse_idle(&[], Some(later))?;
        let tick = self.recorded()?.or(self.running.tick).unwrap_or(Tick::MINUTE);
        let ticks = Ticks { tick, history: tick };
        let feeds = self.open_everything(&options, &available, (ticks, Known::default()))?;
        Ok((feeds, tick))
    }

    /// Opens every field that is there; `known` is when what went on arrived.
    fn open_everything(
        &mut self,
        options: &ParseOptions,
        available: &reading::Available,
        (ticks, known): (Ticks, Known),
    ) -> Result<Arc<Feeds>, Error> {
        let cluster = Cluster::threads(1);
        let cleaner = self.cleaning.cleaner()?;
        let enriched = cleaner.enrich.is_some();
        let partitions = self.partitions(&cluster, options, ticks.history, |stream, i| {
            let (_, _, plan) = &available[i];
            let all = 1..stream.schema().fields.len();
            let category = stream == Stream::Behavior && enriched;
            let there = |f: &usize| plan.fills(*f) || (category && *f == behavior::CATEGORY.field);
            Some(all.filter(there).collect())
        })?;
        let arrivals = Arrivals::new(ticks.tick, None);
        let partitions = arrived(partitions, known, None, &arrivals);
        self.feeds((partitions, arrivals), cleaner, None)
    }

    /// Whether the run may go on for ever, so that sinks show what is sealed before its end.
    fn is_live(&self) -> bool {
        let stdin = |input: &Input| input.header().file() == "standard input";
        let stdin = self.sources.iter().any(|(_, input)| stdin(input));
        self.goes_on() || self.pace.is_some() || stdin
    }

    /// Opens the sinks, on process 0.
    fn open_sinks(
        &mut self,
        chosen: &[choose::Chosen],
        going: Option<Going<'_>>,
    ) -> Result<Vec<Box<dyn Sink + Send>>, Error> {
        let schema = |(q, _): &choose::Chosen| Schema { name: q.name(), columns: q.columns() };
        let views: Vec<Schema> = chosen.iter().map(schema).collect();
        let opening = Opening {
            decimals: Decimals(self.cleaning.decimals),
            going,
            live: self.is_live(),
            tell: self.tell.clone(),
            beside: self.beside(),
        };
        Spec::refuse_twins(&self.sinks)?;
        let mut sinks = Vec::new();
        if self.running.process == 0 {
            let mut specs: Vec<&Spec> = self.sinks.iter().collect();
            specs.sort_by_key(|spec| spec.order());
            for spec in specs {
                sinks.push(spec.open(&views, &opening)?);
            }
            sinks.append(&mut self.watchers);
        }
        Ok(sinks)
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
            if found.or(self.running.tick).is_some_and(|other| other != tick) {
                let tick = tick.millis();
                return wrong(format!(
                    "recorded with --tick {tick}ms, which cannot be another now; record it again"
                ));
            }
            found = Some(tick);
        }
        Ok(found)
    }
}

/// Tells where amounts may be the price of one piece of several.
fn prices_alone(available: &reading::Available, note: &mut dyn FnMut(&str)) {
    let (amount, quantity) = (transactions::AMOUNT.field, transactions::QUANTITY.field);
    for (_, header, plan) in available.iter().filter(|(s, ..)| *s == Stream::Transactions) {
        if let Some(column) = plan.price_alone(amount, quantity) {
            let (file, column) = (header.file(), crate::shown::shown(column, VALUE));
            note(&format!(
                "{file}: transactions.amount is {column} as it is; where that is the price of one \
                 piece, say --map 'transactions.amount=QUANTITY*{column}'"
            ));
        }
    }
}

/// The tick where none is given: how finely results are visible in time. It is a minute where some
/// sink or reader sees the times of changes, or some query depends on the passing of time; it is a day where
/// all only look at the current view: the views are the same, and the times between need not be
/// computed.
fn default_tick(looked_at: bool, sinks: &[Spec], reads: &Reads) -> Tick {
    if looked_at || reads.timed() || sinks.iter().any(Spec::wants_times) {
        Tick::MINUTE
    } else {
        Tick::DAY
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
