//! `tidemill demo`, and `tidemill` alone: all queries over the built-in shop.

use super::generate::Shop;
use super::launch::launch;
use super::options::{Cleaning, Running};
use super::show;
use crate::error::Error;
use crate::event::Stream;
use crate::lab::generator::{Feed, open};
use crate::plan::Job;
use crate::sink::Spec;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill demo
  tidemill demo --events 100000 --seed 7 --out /tmp/shop --workers 4")]
pub struct Args {
    /// Where views, change logs and pictures go
    #[arg(long, default_value = "tidemill-out", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    shop: Shop,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    cleaning: Cleaning,
}

/// What all queries together take a few seconds for.
const EVENTS: u64 = 400_000;

/// So that no arguments mean the demo: `clap` parses an empty line into the defaults.
#[derive(clap::Parser)]
struct Alone {
    #[command(flatten)]
    args: Args,
}

impl Args {
    /// The demo with nothing said.
    pub fn plain() -> Args {
        <Alone as clap::Parser>::parse_from(["tidemill"]).args
    }

    pub fn run(mut self) -> Result<(), Error> {
        self.shop.events.get_or_insert(EVENTS);
        let options = self.shop.options()?;
        let mut sources = Vec::new();
        for (stream, feed) in Stream::ALL.iter().filter_map(|s| Some((*s, Feed::of(*s)?))) {
            sources.push((stream, open(&options, feed)?.into()));
        }
        let quiet = self.running.quiet;
        // Per-event views change at every tick: an hour keeps the demo's change logs readable.
        let mut running = self.running;
        if running.tick.is_none() {
            running.tick = Some(3_600_000);
        }
        if !quiet {
            crate::cli::say(&format!(
                "the demo shop: about {} events over {} days, seed {}",
                show::grouped(options.events),
                options.days,
                options.seed
            ));
        }
        let out = self.out.clone();
        let job = Job {
            sources,
            sinks: vec![
                Spec::Csv(out.clone()),
                Spec::HourlyJsonl(out.clone()),
                Spec::Plot(out.clone()),
                Spec::Table { rows: if quiet { 0 } else { 6 } },
            ],
            settings: running.settings()?,
            cleaning: self.cleaning.plan(),
            running: running.plan(),
            ..Job::default()
        };
        let summary = launch(job, None, quiet)?;
        if !quiet {
            crate::cli::say(&format!("\n{}", show::summary(&summary).trim_end()));
            crate::cli::say(&format!(
                "views (.csv), and of hourly ones change logs (.changes.jsonl) and pictures (.svg), are in {}",
                out.display()
            ));
            if let Some(path) = &summary.dead_letters {
                crate::cli::say(&format!("bad records are in {path}"));
            }
        }
        super::signals::end(summary.stopped)
    }
}
