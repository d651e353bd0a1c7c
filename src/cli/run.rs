//! `tidemill run`: maintain queries over the user's files.

use super::launch::launch_served;
use super::options::{Choice, Cleaning, Running, duration, percent};
use super::serve::{Pacing, Serving, stay};
use super::show;
use super::sinks::Sinks;
use crate::error::Error;
use crate::event::Stream;
use crate::lab::cost::Meter;
use crate::near::did_you_mean;
use crate::plan::sources::Known;
use crate::plan::{Job, Keeping, Outlook, stream_names};
use crate::sink::{Spec, TABLE};
use crate::source::described::Said;
use crate::tell::Tell;
use crate::worker::Often;
use std::path::PathBuf;
use std::time::Duration;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill run --source transactions=transaction.csv
  tidemill run --source behavior=user_behavior.csv --source transactions=transaction.csv \\
      --source logistics=logistics.csv --sink csv:out --sink jsonl:out --workers 2
  tidemill run --source transactions='2026-*.csv.zst' --query hourly_transactions --sink sqlite:shop.db
  zcat log.gz | tidemill run --source behavior=- --map behavior.visit_time=ts
  tidemill run --source transactions=pay.csv --rates rates.csv --base-currency EUR
  tidemill run --source transactions=export.csv --time-format day-first --decimal-comma
  tidemill run --format shopify-orders --source orders_export.csv
  tidemill run --source transactions=transaction.csv --serve      (http://127.0.0.1:7878/)
  tidemill run --source transactions=transaction.csv --serve --speed 60x     (as if it were live)
  tidemill run --config shop.toml        (sources described in sections [[source]])

Sources are CSV with a header, or JSON (an object per line, or an array of them), where a column is
a path: user.id, items[*].price. Columns may be in any order and others are ignored. Only the time
column and what the chosen queries read must be there. A column _diff (+1/-1) makes a source a
change log: its records are told apart by all fields and not by id, and a retraction of what never
came counts for nothing but is told at the end. Files ending in .gz and .zst are decompressed; - is standard input. A replay log made by
`tidemill record` is named alone (--source shop.tide): its streams, cleaning and tick are in it.")]
pub struct Args {
    #[command(flatten)]
    choice: Choice,
    /// Where views go: csv:DIR, jsonl:DIR (the change log), plot:DIR, sqlite:FILE, postgres:env:NAME
    /// or postgres:file:PATH (where the URL of the database is), webhook:env:NAME=VIEW (where
    /// URL#SECRET is), kafka:HOST:PORT/PREFIX or kafka:file:PATH (where properties are; the change
    /// log, or kafka-upsert:... the rows), digest:FILE (rows and a checksum per view) or table; some
    /// views only: jsonl:DIR=hourly_*,NAME
    /// [default: table, and none with --serve]
    #[arg(long, value_name = "SINK", value_parser = Sinks)]
    sink: Vec<Spec>,
    /// Read the first 1,000 rows of each source (and those in one block with them) and tell how
    /// they are read, without running
    #[arg(long)]
    check: bool,
    /// Go on when the files have been read: what is appended to them, or comes on standard input,
    /// is taken up as it comes, until Ctrl-C
    #[arg(long, conflicts_with_all = ["speed", "rate"])]
    follow: bool,
    /// Take events of these streams over HTTP, until Ctrl-C: POST /v1/events/STREAM, as JSON, NDJSON
    /// or CSV; each is written down in the state before it is acknowledged
    #[arg(long, value_name = "STREAM,...", value_delimiter = ',', value_parser = stream,
        requires_all = ["serve", "state"], conflicts_with_all = ["speed", "rate"])]
    push: Vec<Stream>,
    /// Keep the state of the run here: killed or ended, it goes on from there when it is started
    /// again, with any number of workers; sources that have grown or are new are read on
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// How often the state is written down, at most
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = duration, requires = "state")]
    checkpoint_every: u64,
    /// Less often, if it would take more than this share of the time to write it down
    #[arg(long, default_value = "5%", value_name = "PERCENT", value_parser = share, requires = "state")]
    checkpoint_share: f64,
    /// Write what the run cost (records, seconds, CPU, memory) as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    serving: Serving,
    #[command(flatten)]
    pacing: Pacing,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    cleaning: Cleaning,
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let meter = Meter::start();
        let settings = self.running.settings()?;
        let (described, block) = (settings.sources()?, self.running.block());
        let push = pushed(self.push, &described);
        if self.check {
            for stream in push.iter().map(|stream| stream.name()) {
                super::print(&format!("{stream}: events come by POST /v1/events/{stream}\n"))?;
            }
            if !push.is_empty()
                && self.choice.is_empty()
                && described.iter().flatten().all(|s| s.push)
            {
                return Ok(());
            }
        }
        // Who only looks takes nothing.
        let (push, follow) = if self.check { (Vec::new(), false) } else { (push, self.follow) };
        // Before anything is read, so that what is wrong with it is told at once.
        let process = self.running.process;
        let door = if self.check { None } else { self.serving.open(process)? };
        let inputs = self.state.clone().filter(|_| !self.check);
        let known = Known {
            described,
            block,
            inputs,
            follow,
            push,
            tell: Tell::by(crate::cli::say),
            ..Known::default()
        };
        let opened = self.choice.open(&self.cleaning.dialect(), known)?;
        if opened.stdin && self.running.processes > 1 {
            return Err(Error::Usage(
                "standard input cannot be shared by several processes; use a file".into(),
            ));
        }
        let quiet = self.running.quiet;
        let mut sinks = self.sink;
        if sinks.is_empty() && !self.serving.is_on() {
            sinks.push(Spec::Table { rows: TABLE });
        }
        let job = Job {
            sources: opened.inputs,
            queries: self.choice.queries(),
            sinks,
            settings,
            cleaning: self.cleaning.plan(),
            running: self.running.plan(),
            pace: self.pacing.plan(),
            keeping: self.state.map(|directory| Keeping {
                directory,
                often: Often {
                    every: Duration::from_millis(self.checkpoint_every),
                    share: self.checkpoint_share,
                },
            }),
            tell: Tell::by(crate::cli::say),
            ..Job::default()
        };
        if self.check {
            return tell(&job.check()?);
        }
        let (summary, service) = launch_served(job, opened.bytes, quiet, door)?;
        if let Some(path) = &self.report {
            meter.cost(summary.records, summary.changes).write(path)?;
        }
        if !quiet {
            crate::cli::say(show::summary(&summary).trim_end());
            if let Some(path) = &summary.dead_letters {
                crate::cli::say(&format!("bad records are in {path}"));
            }
        }
        stay(service, summary.stopped);
        super::signals::end(summary.stopped)
    }
}

/// More than nothing.
fn share(text: &str) -> Result<f64, String> {
    percent(text).and_then(|share| match share >= 0.001 {
        true => Ok(share),
        false => Err("expected a percentage from 0.1% to 100%".into()),
    })
}

fn stream(name: &str) -> Result<Stream, String> {
    let near = did_you_mean(name, Stream::ALL.iter().map(|stream| stream.name()));
    Stream::by_name(name)
        .ok_or_else(|| format!("there is no such stream{near}; there are {}", stream_names()))
}

/// The streams whose records are pushed, as options and descriptions say.
fn pushed(mut streams: Vec<Stream>, described: &[Vec<Said>]) -> Vec<Stream> {
    streams.extend(described.iter().flatten().filter(|said| said.push).map(|said| said.stream));
    streams.sort_by_key(|stream| stream.name());
    streams.dedup();
    streams
}

/// Tells what a job would do.
fn tell(outlook: &Outlook) -> Result<(), Error> {
    let lines = outlook.lines();
    let text = lines.iter().map(|line| crate::shown::message(line) + "\n").collect::<String>();
    crate::cli::print(&text)?;
    match outlook.unusable().map(|source| source.name.as_str()) {
        None if !outlook.is_empty() => Ok(()),
        source => Err(Error::Unreadable { file: source.unwrap_or("every source").to_owned() }),
    }
}
