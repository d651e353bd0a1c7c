//! `tidemill bench latency`: how soon changes are visible at an offered rate, on a given state.

use super::open_loop::{Loop, Offer};
use super::pool::Changes;
use super::sheet::{self, figure};
use super::workload::Workload;
use crate::error::Error;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill bench latency --preload 1000000 --rate 1000 --batch 1
  tidemill bench latency --source transactions=tx.csv --query hourly_transactions \\
      --preload 10000000 --rate 100000 --batch 1000 --changes spread
  tidemill bench latency --source tx.tide --preload 10000000 --rate 50000 --batch 1000 --changes end

A batch is one tick. Its latency runs from when it was due (not from when it could be sent) until
its changes are visible in every view. Work is the processor time of worker 0 for a batch: what the
latency would be if nobody else wanted the processor.")]
pub struct Args {
    #[command(flatten)]
    workload: Workload,
    /// Events in the state before it begins
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    preload: u64,
    /// Events offered per second
    #[arg(long, default_value_t = 1000.0, value_name = "N", value_parser = positive)]
    rate: f64,
    /// Events per batch
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    batch: u32,
    /// For how long
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS", value_parser = positive)]
    seconds: f64,
    /// Which events come live
    #[arg(long, default_value = "spread")]
    changes: Changes,
    /// Worker threads
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
}

/// A number above zero.
pub fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|x: &f64| *x > 0.0 && *x <= 1e12);
    number.ok_or_else(|| "expected a number above 0".into())
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let Args { workload, rate, seconds, changes, .. } = &self;
        let offer = Offer { rate: *rate, batch: self.batch as usize, seconds: *seconds };
        let live = (rate * seconds).ceil() as u64 + u64::from(self.batch);
        let workers = usize::from(self.workers);
        let mut open = Loop::start(workload, self.preload, live, *changes, workers)?;
        // Once unmeasured, so that what happens once only is not counted.
        let warm = Offer { seconds: (seconds / 10.0).min(1.0), ..offer };
        if *changes == Changes::Spread {
            open.offer(warm)?;
        }
        let latencies = open.offer(offer)?;
        let (preloaded, queries) = (open.preloaded(), open.queries());
        let preloading = open.preloading.as_secs_f64();
        open.verify()?;
        let mut row = sheet::setting(workload.seed, workers, 1);
        row.extend([
            ("queries", queries),
            ("preloaded", preloaded.to_string()),
            ("preload_seconds", figure(preloading)),
            ("changes", format!("{changes:?}").to_lowercase()),
            ("batch", self.batch.to_string()),
            ("offered_per_s", figure(*rate)),
        ]);
        row.extend(latencies.row());
        row.extend([
            ("view_changes", latencies.changes.to_string()),
            ("verified", "yes".to_string()),
        ]);
        sheet::append(&workload.out, "latency", &row)?;
        let shares = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];
        let mut lines: Vec<[String; 3]> = shares
            .map(|(name, share)| {
                [name.into(), figure(latencies.at(share)), figure(latencies.work(share))]
            })
            .to_vec();
        lines.push(["max".into(), figure(latencies.most()), figure(latencies.work(1.0))]);
        let lines: Vec<Vec<String>> = lines.into_iter().map(Vec::from).collect();
        sheet::print(&["share", "latency ms", "work ms"], &lines)?;
        let title = format!(
            "latency: batches of {} at {} events/s on {preloaded} events",
            self.batch, rate
        );
        sheet::draw(
            &workload.out,
            "latency",
            &title,
            &["share", "latency, milliseconds", "processor time of the worker, milliseconds"],
            lines,
        )
    }
}
