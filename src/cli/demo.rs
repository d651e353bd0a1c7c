//! `tidemill demo`, and `tidemill` alone: all queries over the built-in shop.

use super::generate::Shop;
use super::launch::launch_served;
use super::options::{Cleaning, Running};
use super::serve::{Serving, stay};
use super::show;
use crate::error::Error;
use crate::event::Stream;
use crate::lab::generator::{Feed, Options, open};
use crate::plan::Job;
use crate::query::Settings;
use crate::serve::{ADDRESS, Door};
use crate::sink::Spec;
use crate::source::pace::{Pace, Speed};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill demo                             the shop goes on until Ctrl-C, at http://127.0.0.1:7878/
  tidemill demo --speed 1x --serve 127.0.0.1:8000
  tidemill demo --once                      two weeks, written to tidemill-out/
  tidemill demo --once --events 100000 --seed 7 --out /tmp/shop --workers 4")]
pub struct Args {
    /// Write the views of the history to files, and end
    #[arg(long, conflicts_with_all = ["serve", "speed"])]
    once: bool,
    /// With --once: where views, change logs and pictures go; always: where bad records go
    #[arg(long, default_value = "tidemill-out", value_name = "DIR")]
    out: PathBuf,
    /// How fast the shop goes on after its history; 60x is an hour in a minute
    #[arg(long, value_name = "TIMES", default_value = "60x")]
    speed: Speed,
    #[command(flatten)]
    serving: Serving,
    #[command(flatten)]
    shop: Shop,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    cleaning: Cleaning,
}

/// What all queries together take a few seconds for.
const EVENTS: u64 = 400_000;
/// Some hundred orders a week have few baskets with the same items.
const LEAST: [&str; 2] = ["bought_together.least=2", "frequent_itemsets.least=2"];
/// For how many days the shop goes on after its history; at 60x that is half a day.
const LIVE_DAYS: u32 = 28;
const HOUR: u64 = 3_600_000;
const DAY: i64 = 24 * HOUR as i64;

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
        match self.once {
            true => self.run_once(),
            false => self.run_live(),
        }
    }

    /// The history, written to files.
    fn run_once(mut self) -> Result<(), Error> {
        // Per-event views change at every tick: an hour keeps the demo's change logs readable.
        self.running.tick.get_or_insert(HOUR);
        let (quiet, out) = (self.running.quiet, self.out.clone());
        let options = self.shop.options()?;
        self.say(&shop(&options));
        let job = Job {
            sinks: vec![
                Spec::Csv(out.clone()),
                Spec::HourlyJsonl(out.clone()),
                Spec::Plot(out.clone()),
                Spec::Table { rows: if quiet { 0 } else { 6 } },
            ],
            ..self.job(&options)?
        };
        let (summary, _) = launch_served(job, None, quiet, None)?;
        if !quiet {
            super::say(&format!("\n{}", show::summary(&summary).trim_end()));
            super::say(&format!(
                "views (.csv), and of hourly ones change logs (.changes.jsonl) and pictures (.svg), are in {}",
                out.display()
            ));
            if let Some(path) = &summary.dead_letters {
                super::say(&format!("bad records are in {path}"));
            }
        }
        super::signals::end(summary.stopped)
    }

    /// The history at once, which ends in this hour, and then the shop goes on.
    fn run_live(mut self) -> Result<(), Error> {
        let door = self.door()?;
        let beside = self.out.join("dead_letters.jsonl");
        self.cleaning.dead_letters.get_or_insert(beside);
        let history = self.shop.options()?;
        self.say(&format!("{}, then on at {}", shop(&history), self.speed));
        let days = history.days + LIVE_DAYS;
        let options = Options {
            events: history.events * u64::from(days) / u64::from(history.days.max(1)),
            start_ms: this_hour() - i64::from(history.days) * DAY,
            days,
            ..history.clone()
        };
        options.check().map_err(|e| Error::Usage(e.to_string()))?;
        let begins = options.start_ms + i64::from(history.days) * DAY;
        let pace = Some(Pace::by_time(self.speed, Some(begins)));
        let job = Job { pace, ..self.job(&options)? };
        let (summary, service) = launch_served(job, None, self.running.quiet, door)?;
        stay(service, summary.stopped);
        if !self.running.quiet {
            super::say(show::summary(&summary).trim_end());
        }
        Ok(())
    }

    /// Takes the address. Where none was asked for, any will do.
    fn door(&self) -> Result<Option<Door>, Error> {
        let at = |address: &str| {
            let serving = Serving { serve: Some(address.into()), ..self.serving.clone() };
            serving.open(self.running.process)
        };
        match &self.serving.serve {
            Some(address) => at(address),
            None => at(ADDRESS).or_else(|_| at("127.0.0.1:0")),
        }
    }

    fn job(&self, options: &Options) -> Result<Job, Error> {
        let mut sources = Vec::new();
        for (stream, feed) in Stream::ALL.iter().filter_map(|s| Some((*s, Feed::of(*s)?))) {
            sources.push((stream, open(options, feed)?.into()));
        }
        Ok(Job {
            sources,
            settings: self.settings()?,
            cleaning: self.cleaning.clone().plan(),
            running: self.running.plan(),
            ..Job::default()
        })
    }

    /// The parameters of the queries; what was said has the last word.
    fn settings(&self) -> Result<Settings, Error> {
        let said = self.running.settings()?;
        if self.running.config.is_some() {
            return Ok(said);
        }
        let mut settings = said.clone();
        let given = |least: &&&str| {
            let name = least.split('=').next().unwrap_or_default();
            self.running.set.iter().any(|set| set.trim_start().starts_with(name))
        };
        LEAST.iter().filter(|least| !given(least)).try_for_each(|least| settings.set(least))?;
        Ok(settings)
    }

    fn say(&self, text: &str) {
        if !self.running.quiet {
            super::say(text);
        }
    }
}

fn shop(options: &Options) -> String {
    format!(
        "the demo shop: about {} events over {} days, seed {}",
        show::grouped(options.events),
        options.days,
        options.seed
    )
}

/// The start of the hour that it is, in milliseconds since 1970.
fn this_hour() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = now.unwrap_or(Duration::ZERO).as_millis() as i64;
    millis - millis % HOUR as i64
}
