//! `tidemill generate`: the demo shop's streams as CSV files.

use crate::error::Error;
use crate::lab::generator::{self, Dirt, Feed, Options, Plants};
use crate::shown::{LIST, shown};
use crate::sink::replace_file;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;

/// The shop that is simulated, and what goes wrong with its records.
#[derive(clap::Args, Debug, Clone)]
#[command(next_help_heading = "The shop")]
pub struct Shop {
    /// About how many records over the three main streams [default: 1000000; the demo: 400000]
    #[arg(long, value_name = "N")]
    pub events: Option<u64>,
    /// The same seed and options give the same bytes
    #[arg(long, default_value_t = 42, value_name = "N")]
    pub seed: u64,
    /// Days from 2026-01-01 on; at the end some parcels are still on the road
    #[arg(long, default_value_t = 14, value_name = "N")]
    pub days: u32,
    /// Share of users who pay in dollars or pounds
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    pub foreign: f64,
    /// Share of records that arrive seconds to minutes late
    #[arg(long, default_value_t = Dirt::default().disorder, value_name = "SHARE")]
    pub disorder: f64,
    /// Share of records that arrive hours to two days late
    #[arg(long, default_value_t = Dirt::default().late, value_name = "SHARE")]
    pub late: f64,
    /// Share of records that are delivered twice
    #[arg(long, default_value_t = Dirt::default().duplicates, value_name = "SHARE")]
    pub duplicates: f64,
    /// Share of orders that are cancelled
    #[arg(long, default_value_t = Dirt::default().cancellations, value_name = "SHARE")]
    pub cancellations: f64,
    /// Share of sales that are refunded
    #[arg(long, default_value_t = Dirt::default().refunds, value_name = "SHARE")]
    pub refunds: f64,
    /// Share of records that are corrected later
    #[arg(long, default_value_t = Dirt::default().corrections, value_name = "SHARE")]
    pub corrections: f64,
    /// Share of records that come once more, damaged
    #[arg(long, default_value_t = Dirt::default().malformed, value_name = "SHARE")]
    pub malformed: f64,
    /// Nothing late, twice, undone, corrected or damaged, and no fraud
    #[arg(long)]
    pub clean: bool,
}

impl Shop {
    /// The generator's options, checked.
    pub fn options(&self) -> Result<Options, Error> {
        let dirt = Dirt {
            disorder: self.disorder,
            late: self.late,
            duplicates: self.duplicates,
            cancellations: self.cancellations,
            refunds: self.refunds,
            corrections: self.corrections,
            malformed: self.malformed,
        };
        let options = Options {
            events: self.events.unwrap_or(Options::default().events),
            seed: self.seed,
            days: self.days,
            foreign: self.foreign,
            dirt: if self.clean { Dirt::none() } else { dirt },
            plants: if self.clean { Plants::none() } else { Plants::default() },
            ..Options::default()
        };
        options.check().map_err(|e| Error::Usage(e.to_string()))?;
        Ok(options)
    }
}

/// What is written: the three main streams, or all.
const MAIN: [Feed; 3] = [Feed::Behavior, Feed::Transactions, Feed::Logistics];

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill generate --events 1000000 --seed 7 --out data/
  tidemill generate --events 100000 --late 0.02 --duplicates 0.05 --out data/
  tidemill generate --all --out data/      (also ads, logins, inventory, catalog and truth)")]
pub struct Args {
    /// The directory to write to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Also write ads, logins, inventory, the catalog, and the truth about what was planted
    #[arg(long)]
    all: bool,
    /// No progress bar
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    shop: Shop,
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let options = self.shop.options()?;
        std::fs::create_dir_all(&self.out).map_err(Error::file(&self.out))?;
        let feeds: &[Feed] = if self.all { &Feed::ALL } else { &MAIN };
        for &feed in feeds {
            let path = self.out.join(feed.file_name());
            let blocks =
                generator::blocks(&options, feed).map_err(|e| Error::Usage(e.to_string()))?;
            let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {msg} {bytes} {bytes_per_sec}")
            {
                bar.set_style(style);
            }
            bar.set_message(shown(&path.display().to_string(), LIST));
            let mut bytes = 0u64;
            replace_file(&path, |out| {
                for block in blocks {
                    out.write_all(&block)?;
                    bytes += block.len() as u64;
                    bar.set_position(bytes);
                }
                Ok(())
            })?;
            bar.finish_and_clear();
            if !self.quiet {
                crate::cli::say(&format!(
                    "wrote {} ({:.1} MB)",
                    path.display(),
                    bytes as f64 / 1e6
                ));
            }
        }
        Ok(())
    }
}
