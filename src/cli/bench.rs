//! `tidemill bench`: experiments with verified results, as [`crate::lab::bench`] makes them.

use crate::error::Error;
use crate::lab::bench::sheet;
use std::path::PathBuf;

mod capacity;
mod chaos;
mod codecs;
mod latency;
mod queries;
mod scale;
mod sweep;
mod workload;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill bench capacity --source transactions=transaction.csv --query hourly_transactions
  tidemill bench capacity --events 2000000 --workers 2
  tidemill bench latency --rate 10000 --batch 10
  tidemill bench latency --source tx.tide --preload 10000000 --closed --batch 1000
  tidemill bench sweep --query hourly_transactions,hourly_behavior
  tidemill bench scale --source tx.tide --workers 4 --processes 2
  tidemill bench queries --events 1000000
  tidemill bench codecs --source transactions=transaction.csv
  tidemill bench chaos --events 100000 --kills 20

Without --source the demo shop is generated and recorded as a replay log once (--events, --seed,
--days), so that parsing is not measured. Every experiment compares what came out with a reference
run and fails if they differ. Each run is a row of --out DIR/<experiment>.csv; beside it is a
picture.")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Closed loop: how many events per second, at which cost
    Capacity(capacity::Args),
    /// Open loop: how soon changes are visible at an offered rate
    Latency(latency::Args),
    /// The highest rate at which changes are still visible soon
    Sweep(sweep::Args),
    /// Capacity over numbers of workers and processes
    Scale(scale::Args),
    /// What each query costs alone, and all cost together
    Queries(queries::Args),
    /// Whether the bytes are the same, wherever a run is killed
    Chaos(chaos::Args),
    /// How fast replay logs are read, against reading the source
    Codecs(codecs::Args),
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        match self.what {
            What::Capacity(args) => args.run(),
            What::Latency(args) => args.run(),
            What::Sweep(args) => args.run(),
            What::Scale(args) => args.run(),
            What::Queries(args) => args.run(),
            What::Chaos(args) => args.run(),
            What::Codecs(args) => args.run(),
        }
    }
}

/// Prints a table.
fn print(header: &[&str], rows: &[Vec<String>]) -> Result<(), Error> {
    super::print(&sheet::table(header, rows))
}

/// Says where figures and their picture are.
fn tell(picture: PathBuf) -> Result<(), Error> {
    let figures = picture.with_extension("csv");
    super::say(&format!("figures: {}, picture: {}", figures.display(), picture.display()));
    Ok(())
}
