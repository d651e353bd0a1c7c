//! `tidemill bench latency`: how soon changes are visible on a given state, at an offered rate or
//! one batch after the other.

use super::workload::Workload;
use crate::error::Error;
use crate::lab::bench::latencies::Latencies;
use crate::lab::bench::offer::{Loop, Offer, Pace};
use crate::lab::bench::pool::Changes;
use crate::lab::bench::progress::Progress;
use crate::lab::bench::sheet::{self, figure};
use crate::plot::{Axis, Curve, Curves, Scaling};
use std::path::Path;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill bench latency --rate 1000 --batch 1
  tidemill bench latency --source transactions=tx.csv --query hourly_transactions \\
      --preload 10000000 --rate 100000 --batch 1000 --changes spread
  tidemill bench latency --source tx.tide --preload 10000000 --closed --batch 1000 --changes end

A batch is one tick. Its latency runs from when it was due (not from when it could be sent) until
its changes are visible in every view. In the open loop batches are due at the rate, whether or not
earlier ones are visible; in the closed loop (--closed) each is due when the one before is visible.
Work is the processor time of worker 0 for a batch: what the latency would be if nobody else wanted
the processor.")]
pub struct Args {
    #[command(flatten)]
    workload: Workload,
    /// Events in the state before it begins [default: all that do not come live]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    preload: Option<u64>,
    /// Open loop: events offered per second
    #[arg(long, default_value_t = 1000.0, value_name = "N", value_parser = positive)]
    rate: f64,
    /// Open loop: for how long
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS", value_parser = positive)]
    seconds: f64,
    /// Closed loop: each batch when the one before is visible
    #[arg(long, conflicts_with_all = ["rate", "seconds"])]
    closed: bool,
    /// Closed loop: so many batches
    #[arg(long, default_value_t = 1000, value_name = "N", requires = "closed",
        value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    batches: u32,
    /// Events per batch
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    batch: u32,
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
        let workload = &self.workload.workload();
        let offer = self.offer();
        // A tenth goes before, unmeasured: what happens once only is not counted.
        let before = Offer { count: offer.count.div_ceil(10), ..offer };
        let live = ((offer.count + before.count) * offer.batch) as u64;
        let workers = usize::from(self.workers);
        let progress = Progress::new(4);
        progress.step("making the state");
        let mut running = Loop::start(workload, self.preload, live, self.changes, workers)?;
        progress.step("unmeasured batches");
        let mut latencies = running.offer(before)?;
        if latencies.missed == 0 {
            progress.step("measured batches");
            latencies = running.offer(offer)?;
        }
        if latencies.missed > 0 {
            progress.end();
            running.abandon();
            return Err(Error::Experiment(format!(
                "{} events/s in batches of {} cannot be offered here: after {:.1} s {} batches were left; take a lower --rate or a larger --batch (`tidemill bench sweep` finds the rate that holds)",
                self.rate, self.batch, latencies.seconds, latencies.missed
            )));
        }
        progress.step("verifying");
        let (preloaded, queries) = (running.preloaded(), running.queries());
        let preloading = running.preloading.as_secs_f64();
        running.verify()?;
        progress.end();
        let (pace, offered) = match offer.pace {
            Pace::Open(rate) => ("open", figure(rate)),
            Pace::Closed => ("closed", String::new()),
        };
        let mut row = sheet::setting(workload, workers, 1);
        row.extend([
            ("queries", queries),
            ("preloaded", preloaded.to_string()),
            ("preload_seconds", figure(preloading)),
            ("changes", format!("{:?}", self.changes).to_lowercase()),
            ("loop", pace.into()),
            ("batch", self.batch.to_string()),
            ("offered_per_s", offered),
        ]);
        row.extend(latencies.row());
        row.push(("verified", "yes".into()));
        sheet::append(&workload.out, "latency", &[row])?;
        self.show(&latencies, preloaded, &workload.out)
    }

    fn offer(&self) -> Offer {
        let batch = self.batch as usize;
        match self.closed {
            true => Offer { pace: Pace::Closed, batch, count: self.batches as usize },
            false => Offer::at_rate(self.rate, batch, self.seconds),
        }
    }

    fn show(&self, latencies: &Latencies, preloaded: usize, out: &Path) -> Result<(), Error> {
        let shares = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];
        let line = |(name, share): (&str, f64)| {
            vec![name.into(), figure(latencies.at(share)), figure(latencies.work(share))]
        };
        super::print(&["share", "latency ms", "work ms"], &shares.map(line))?;
        let how = match self.closed {
            true => "one after the other".to_string(),
            false => format!("at {} events/s", self.rate),
        };
        let batch = self.batch;
        let curve = |name: &str, points| Curve { name: name.into(), points };
        let curves = Curves {
            title: format!("Latency: batches of {batch}, {how}, on {preloaded} events"),
            across: Axis { name: "share of the batches".into(), scaling: Scaling::Nines },
            up: Axis { name: "milliseconds".into(), scaling: Scaling::Logarithmic },
            curves: vec![
                curve("latency", latencies.curve()),
                curve("processor time of worker 0", latencies.work_curve()),
            ],
        };
        super::tell(sheet::draw_curves(out, "latency", &curves)?)
    }
}
