//! Where views go. A sink sees sealed changes only: `(row, time, diff)` in order of time and row,
//! with equal rows added up. Sinks that write the current view ask for it when there is something
//! to write. Everything is written by worker 0 beside its place; it replaces what earlier runs wrote
//! when, and only when, the run has succeeded.

use crate::clock::Time;
use crate::error::Error;
use crate::operator::memory::Memory;
use crate::operator::{Port, Sealed};
use crate::query::Column;
use crate::tell::Tell;
use crate::value::Decimals;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

mod chosen;
mod csv;
mod database;
mod digest;
mod jsonl;
mod kafka;
mod pairs;
mod pending;
mod plots;
mod postgres;
mod segments;
mod sqlite;
mod table;
mod tables;
mod under_way;
mod webhook;

pub use crate::secret::Reference;
pub(crate) use csv::write_line as csv_line;
pub(crate) use digest::digest;
pub use kafka::{Brokers, Form};
pub use postgres::Target;

/// What a sink needs to know of a view.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The query's name.
    pub name: &'static str,
    /// Its columns, key columns first.
    pub columns: &'static [Column],
}

impl Schema {
    /// Whether its rows are by hour or hour of day.
    fn is_hourly(&self) -> bool {
        self.columns.first().is_some_and(|c| c.name.starts_with("hour"))
    }
}

/// Where views go.
pub trait Sink {
    /// The run goes on from a cut: these are the views as they were then.
    fn go_on(&mut self, _ports: &mut [Box<dyn Port>], _cut: Time) -> Result<(), Error> {
        Ok(())
    }
    /// A change of view number `view` was sealed.
    fn change(&mut self, _view: usize, _change: &Sealed<'_>) -> Result<(), Error> {
        Ok(())
    }
    /// Everything before this time has been seen.
    fn sealed(&mut self, _frontier: Option<Time>) -> Result<(), Error> {
        Ok(())
    }
    /// What the operators of worker 0 remember, told with each frontier.
    fn remembered(&mut self, _memory: &Memory) {}
    /// Nothing more will be sealed, because the sources have `ended` or because somebody stopped
    /// the run: gets ready what is to be published, so that little is left that could fail.
    fn stage(&mut self, _ports: &mut [Box<dyn Port>], _ended: bool) -> Result<(), Error> {
        Ok(())
    }
    /// The run has succeeded: puts in place what was got ready. A sink that is dropped without
    /// leaves everything as it was.
    fn publish(&mut self) -> Result<(), Error> {
        Ok(())
    }
    /// Makes durable everything it was told, in one step that is done or not: all changes up to the
    /// cut, and none beyond. Gives what it holds then, by which a later run finds it again; if that
    /// takes a while, it holds it when it is settled next (see `turn`). Only in a run that keeps its
    /// state; what is published at the end alone does nothing here.
    fn commit(&mut self, _ports: &mut [Box<dyn Port>], _cut: Time) -> Result<Option<Held>, Error> {
        Ok(None)
    }
    /// Called again and again while the run goes on, also when nothing is sealed: does what is due
    /// and says how far it is with what it was told. Never waits.
    fn turn(&mut self) -> Result<Standing, Error> {
        Ok(Standing::Settled)
    }
    /// The run was asked to end, and what is under way has been waited for long enough. An error if
    /// something is lost by that; otherwise a later run does it.
    fn give_up(&mut self) -> Result<(), Error> {
        Ok(())
    }
    /// Whether `stage` or `commit` reads the rows.
    fn wants_view(&self) -> bool {
        false
    }
}

/// How far a sink is with what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// What it was to commit or to stage is where it belongs.
    Settled,
    /// That is under way, and more can be told.
    Busy,
    /// So much is under way that nothing more is to be told until it is less.
    Behind,
}

/// What a sink is opened with, beside the views.
#[derive(Clone)]
pub struct Opening<'a> {
    /// The decimals of money.
    pub decimals: Decimals,
    /// The state of the run, if it keeps any.
    pub going: Option<Going<'a>>,
    /// Whether the run may go on for ever, so that what is sealed is to be seen before its end.
    pub live: bool,
    /// Told what a person should know.
    pub tell: Tell,
    /// Where sinks that have no place of their own write down what could not be delivered.
    pub beside: PathBuf,
}

/// The most rows of a view that `table` shows.
pub const TABLE: usize = 24;

/// What a sink held at a cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The sink, as `--sink` names it.
    pub sink: String,
    /// In its own words.
    pub what: String,
}

/// A run that keeps its state, as its sinks must know it.
#[derive(Clone, Copy, Debug)]
pub struct Going<'a> {
    /// By what they know whose what they hold is.
    pub id: &'a str,
    /// The number of this run among those that keep this state.
    pub epoch: u64,
    /// The cut that it goes on from.
    pub from: Option<Time>,
    /// What sinks held then.
    pub held: &'a [Held],
}

/// A sink as it is named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spec {
    /// `csv:DIR`: the current view, `DIR/<query>.csv`.
    Csv(PathBuf),
    /// `jsonl:DIR`: the change log, `DIR/<query>.changes.jsonl`.
    Jsonl(PathBuf),
    /// The change logs of hourly views only, for the demo: those of views with a row per event
    /// are larger than their input.
    HourlyJsonl(PathBuf),
    /// `plot:DIR`: a picture of each hourly view, `DIR/<query>.svg`.
    Plot(PathBuf),
    /// `sqlite:FILE`: a table per query.
    Sqlite(PathBuf),
    /// `digest:FILE`: rows and a checksum per view, to compare runs by.
    Digest(PathBuf),
    /// `postgres:env:NAME`, `postgres:file:PATH` or a URL without a password: a table per query.
    Postgres(Target),
    /// `webhook:env:NAME=VIEW` or `webhook:file:PATH=VIEW`: a request for each new row.
    Webhook(Reference),
    /// `kafka:HOST:PORT/PREFIX` or `kafka-upsert:...`: a topic per query.
    Kafka(Form, Brokers),
    /// `table`: on standard output, cut to so many rows.
    Table {
        /// The most rows of a view.
        rows: usize,
    },
    /// `SINK=NAME,...`: some of the views only.
    Chosen {
        /// The sink.
        of: Box<Spec>,
        /// Names, or patterns such as `hourly_*`.
        views: Vec<String>,
    },
}

impl std::str::FromStr for Spec {
    type Err = String;
    fn from_str(text: &str) -> Result<Spec, String> {
        // A place that exists is meant as it is, whatever characters it has.
        let exists = text.split_once(':').is_some_and(|(_, place)| Path::new(place).exists());
        if let (Some((of, names)), false) = (text.rsplit_once('='), exists) {
            let views: Vec<String> = names.split(',').map(|name| name.trim().into()).collect();
            if views.iter().any(String::is_empty) {
                return Err(format!("{text}: a name is missing; write {of}=NAME,NAME"));
            }
            return Ok(Spec::Chosen { of: Box::new(Spec::of_all(of)?), views });
        }
        match Spec::of_all(text)? {
            Spec::Webhook(reference) => Err(format!(
                "a webhook is for some views: webhook:{reference}=security_alerts, for instance"
            )),
            spec => Ok(spec),
        }
    }
}

impl Spec {
    /// The sink of a text that names no views.
    fn of_all(text: &str) -> Result<Spec, String> {
        let (kind, place) = text.split_once(':').unwrap_or((text, ""));
        let path = PathBuf::from(place);
        match (kind, place.is_empty()) {
            ("table", true) => Ok(Spec::Table { rows: TABLE }),
            ("csv", false) => Ok(Spec::Csv(path)),
            ("jsonl", false) => Ok(Spec::Jsonl(path)),
            ("plot", false) => Ok(Spec::Plot(path)),
            ("sqlite", false) => Ok(Spec::Sqlite(path)),
            ("digest", false) => Ok(Spec::Digest(path)),
            ("postgres", false) => Ok(Spec::Postgres(place.parse()?)),
            ("kafka", false) => Ok(Spec::Kafka(Form::ChangeLog, place.parse()?)),
            ("kafka-upsert", false) => Ok(Spec::Kafka(Form::Upsert, place.parse()?)),
            ("kafka" | "kafka-upsert", true) => {
                Err(format!("{kind} needs brokers: {}", kafka::HOW))
            }
            ("webhook", _) => match Reference::of(place) {
                Some(reference) => Ok(Spec::Webhook(reference)),
                None => Err("webhook needs an address by reference: webhook:env:NAME=VIEW or \
                             webhook:file:PATH=VIEW, where URL#SECRET is"
                    .into()),
            },
            ("postgres", true) => Err(format!("postgres needs a database: {}", postgres::HOW)),
            ("csv" | "jsonl" | "plot", true) => {
                Err(format!("{kind} needs a directory: {kind}:DIR"))
            }
            ("sqlite" | "digest", true) => Err(format!("{kind} needs a file: {kind}:FILE")),
            _ => Err(format!(
                "there is no sink {text:?}; use csv:DIR, jsonl:DIR, plot:DIR, sqlite:FILE, postgres:env:NAME, webhook:env:NAME=VIEW, kafka:HOST:PORT, digest:FILE or table"
            )),
        }
    }
}

impl Spec {
    /// Opens the sink, so that what cannot be written is known before anything is read.
    pub fn open(
        &self,
        views: &[Schema],
        opening: &Opening<'_>,
    ) -> Result<Box<dyn Sink + Send>, Error> {
        let (decimals, going) = (opening.decimals, opening.going);
        Ok(match self {
            Spec::Csv(dir) => Box::new(csv::Csv::open(dir, views, decimals)?),
            Spec::Jsonl(dir) => jsonl::open(dir, views, (decimals, going), |_| true)?,
            Spec::HourlyJsonl(dir) => {
                jsonl::open(dir, views, (decimals, going), Schema::is_hourly)?
            }
            Spec::Plot(dir) => Box::new(plots::Plots::open(dir, views, decimals)?),
            Spec::Sqlite(file) => match going {
                None if opening.live => Box::new(tables::Tables::live(file, views, decimals)?),
                None => Box::new(sqlite::Sqlite::open(file, views, decimals)?),
                Some(going) => Box::new(tables::Tables::open(file, views, decimals, going)?),
            },
            Spec::Postgres(target) => Box::new(postgres::Postgres::open(target, views, opening)?),
            Spec::Kafka(form, brokers) => kafka::open(brokers, *form, views, opening)?,
            Spec::Webhook(reference) => {
                Box::new(webhook::Webhook::open(reference, views, opening)?)
            }
            Spec::Digest(file) => Box::new(digest::Digests::open(file, views, decimals)?),
            Spec::Table { rows } => Box::new(table::Table::new(views, *rows, decimals)),
            Spec::Chosen { of, views: names } => {
                let kept = chosen::matching(names, views)?;
                let views: Vec<Schema> = kept.iter().map(|view| views[*view].clone()).collect();
                Box::new(chosen::Chosen { of: of.open(&views, opening)?, kept })
            }
        })
    }

    /// Refuses sinks that would write the same files.
    pub fn refuse_twins(specs: &[Spec]) -> Result<(), Error> {
        let mut seen = Vec::new();
        for spec in specs {
            let place = match spec.target() {
                Some(target) => Some(PathBuf::from(target)),
                None => spec.place().map(same_place),
            };
            // Files of a kind do not meet those of another in one directory.
            let plain = match spec {
                Spec::Chosen { of, .. } => &**of,
                spec => spec,
            };
            let kind = match plain {
                Spec::Csv(_) => "csv",
                Spec::Jsonl(_) | Spec::HourlyJsonl(_) => "jsonl",
                Spec::Plot(_) => "plot",
                Spec::Sqlite(_) | Spec::Digest(_) => "file",
                Spec::Postgres(_) => "postgres",
                Spec::Webhook(_) => "webhook",
                Spec::Kafka(form, _) => form.name(),
                Spec::Table { .. } => "table",
                Spec::Chosen { .. } => "list",
            };
            if seen.contains(&(kind, place.clone())) {
                let at = place.map_or(String::new(), |p| format!(" to {}", p.display()));
                return Err(Error::Usage(format!("--sink: {kind}{at} is named twice")));
            }
            seen.push((kind, place));
        }
        Ok(())
    }

    fn place(&self) -> Option<&Path> {
        match self {
            Spec::Csv(path)
            | Spec::Jsonl(path)
            | Spec::HourlyJsonl(path)
            | Spec::Plot(path)
            | Spec::Sqlite(path)
            | Spec::Digest(path) => Some(path),
            Spec::Postgres(_) | Spec::Webhook(_) | Spec::Kafka(..) | Spec::Table { .. } => None,
            Spec::Chosen { of, .. } => of.place(),
        }
    }

    /// What it writes to that is no file.
    fn target(&self) -> Option<String> {
        match self {
            Spec::Postgres(target) => Some(target.to_string()),
            Spec::Webhook(reference) => Some(reference.to_string()),
            Spec::Kafka(_, brokers) => Some(brokers.to_string()),
            Spec::Chosen { of, .. } => of.target(),
            _ => None,
        }
    }

    /// The order in which sinks publish: first those that may still be refused and can be undone or
    /// do no harm.
    pub fn order(&self) -> u8 {
        match self {
            Spec::Table { .. } => 0,
            Spec::Sqlite(_) | Spec::Postgres(_) => 1,
            Spec::Chosen { of, .. } => of.order(),
            _ => 2,
        }
    }

    /// Whether each change's time is seen, so that ticks must be fine.
    pub fn wants_times(&self) -> bool {
        match self {
            Spec::Chosen { of, .. } => of.wants_times(),
            Spec::Jsonl(_) | Spec::HourlyJsonl(_) | Spec::Webhook(_) | Spec::Kafka(..) => true,
            _ => false,
        }
    }

    /// The directory a file sink writes to.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Spec::Csv(dir) | Spec::Jsonl(dir) | Spec::HourlyJsonl(dir) | Spec::Plot(dir) => {
                Some(dir)
            }
            Spec::Digest(file) if crate::files::is_stream(file) => None,
            Spec::Sqlite(file) | Spec::Digest(file) => file.parent(),
            Spec::Postgres(_) | Spec::Webhook(_) | Spec::Kafka(..) | Spec::Table { .. } => None,
            Spec::Chosen { of, .. } => of.directory(),
        }
    }
}

/// A path by which the same place is known however it is spelled: links are followed as far as
/// there is something, and the rest is taken as it is.
fn same_place(path: &Path) -> PathBuf {
    let mut rest = Vec::new();
    let mut there = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    loop {
        if let Ok(found) = there.canonicalize() {
            return rest.iter().rev().fold(found, |path, part| path.join(part));
        }
        match (there.file_name().map(ToOwned::to_owned), there.pop()) {
            (Some(name), true) => rest.push(name),
            _ => return path.to_owned(),
        }
    }
}

/// An id for a run that keeps no state.
fn own_id() -> Result<String, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::Cluster(format!("no random number for the id of the run: {e}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn make_directory(dir: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(dir).map_err(Error::file(dir))
}

/// Writes a file beside its place and puts it there whole: see [`crate::files`].
pub(crate) fn replace_file(
    path: &Path,
    write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>,
) -> Result<(), Error> {
    crate::files::replace(path, write).map_err(Error::file(path))
}
