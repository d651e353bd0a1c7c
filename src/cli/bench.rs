//! `tidemill bench`: experiments with verified results.
//!
//! Each writes a row to a CSV in its directory, so that figures can be followed over commits, and
//! draws a picture. A run whose views differ from those of one worker is an error, not a figure.

use crate::error::Error;

mod capacity;
mod codecs;
mod latency;
mod queries;
mod scale;
mod sweep;

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
            What::Codecs(args) => args.run(),
        }
    }
}

/// The least, middle and greatest of some figures.
#[derive(Clone, Copy, Debug)]
struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    /// Of at least one figure.
    fn of(figures: impl IntoIterator<Item = f64>) -> Spread {
        let mut all: Vec<f64> = figures.into_iter().collect();
        all.sort_by(f64::total_cmp);
        let at = |i: usize| all.get(i).copied().unwrap_or(f64::NAN);
        let (n, middle) = (all.len(), all.len() / 2);
        let median =
            if n % 2 == 1 { at(middle) } else { (at(middle.wrapping_sub(1)) + at(middle)) / 2.0 };
        Spread { least: at(0), median, most: at(n.wrapping_sub(1)) }
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn spreads() {
        let spread = Spread::of([3.0, 1.0, 2.0]);
        assert_eq!((spread.least, spread.median, spread.most), (1.0, 2.0, 3.0));
        assert_eq!(Spread::of([4.0, 1.0]).median, 2.5);
        assert!(Spread::of([]).median.is_nan());
    }
}
