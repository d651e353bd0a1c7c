//! `tidemill bench sweep`: the knee of the throughput-latency curve. The offered rate is doubled
//! until the 99th percentile exceeds the bound, and then bisected.

use super::latency::positive;
use super::open_loop::{Latencies, Loop, Offer};
use super::pool::Changes;
use super::sheet::{self, figure};
use super::workload::Workload;
use crate::error::Error;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill bench sweep --preload 1000000 --query hourly_transactions
  tidemill bench sweep --source tx.tide --preload 10000000 --target 10 --every 1

A batch (one tick) is sent every few milliseconds, of as many events as the rate asks for. The knee
is the highest rate found at which the 99th percentile of the latency stays within the target.")]
pub struct Args {
    #[command(flatten)]
    workload: Workload,
    /// Events in the state before it begins
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    preload: u64,
    /// The first rate that is tried, in events per second
    #[arg(long, default_value_t = 10_000.0, value_name = "N", value_parser = positive)]
    rate: f64,
    /// The highest rate that is tried
    #[arg(long, default_value_t = 20_000_000.0, value_name = "N", value_parser = positive)]
    most: f64,
    /// The bound on the 99th percentile
    #[arg(long, default_value_t = 100.0, value_name = "MS", value_parser = positive)]
    target: f64,
    /// Time between batches
    #[arg(long, default_value_t = 5.0, value_name = "MS", value_parser = positive)]
    every: f64,
    /// For how long each rate is offered
    #[arg(long, default_value_t = 2.0, value_name = "SECONDS", value_parser = positive)]
    seconds: f64,
    /// How often the interval is halved
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=20))]
    steps: u16,
    /// Worker threads
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let workload = &self.workload;
        let workers = usize::from(self.workers);
        let mut open = Loop::start(workload, self.preload, 0, Changes::Spread, workers)?;
        let mut tried: Vec<(f64, Latencies)> = Vec::new();
        let mut holds = |rate: f64, tried: &mut Vec<(f64, Latencies)>| {
            let batch = (rate * self.every / 1e3).round().max(1.0) as usize;
            let latencies = open.offer(Offer { rate, batch, seconds: self.seconds })?;
            // A rate that is offered but not kept up with ends late, whatever the percentile says.
            let kept = latencies.seconds <= self.seconds * 1.1 + self.target / 1e3;
            let held = kept && latencies.at(0.99) <= self.target;
            tried.push((rate, latencies));
            Ok::<bool, Error>(held)
        };
        let (mut low, mut high) = (0.0, self.rate.min(self.most));
        while holds(high, &mut tried)? {
            low = high;
            if high >= self.most {
                break;
            }
            high = (high * 2.0).min(self.most);
        }
        if low < high {
            for _ in 0..self.steps {
                let middle = (low + high) / 2.0;
                if holds(middle, &mut tried)? {
                    low = middle;
                } else {
                    high = middle;
                }
            }
        }
        let (preloaded, queries) = (open.preloaded(), open.queries());
        open.verify()?;
        tried.sort_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((rate, at_knee)) = tried.iter().rfind(|(rate, _)| *rate <= low) {
            let mut row = sheet::setting(workload.seed, workers, 1);
            row.extend([
                ("queries", queries),
                ("preloaded", preloaded.to_string()),
                ("target_ms", figure(self.target)),
                ("every_ms", figure(self.every)),
                ("knee_per_s", figure(*rate)),
            ]);
            row.extend(at_knee.row());
            row.push(("verified", "yes".into()));
            sheet::append(&workload.out, "sweep", &row)?;
        }
        let line = |(rate, latencies): &(f64, Latencies)| {
            let (p50, p99) = (figure(latencies.at(0.5)), figure(latencies.at(0.99)));
            vec![figure(*rate), p50, p99, figure(latencies.most())]
        };
        let lines: Vec<Vec<String>> = tried.iter().map(line).collect();
        sheet::print(&["offered/s", "p50 ms", "p99 ms", "max ms"], &lines)?;
        let panels = ["rate", "p50 milliseconds", "p99 milliseconds"];
        let bars = lines
            .iter()
            .map(|line| vec![format!("{}/s", line[0]), line[1].clone(), line[2].clone()]);
        let title = format!("latency at the offered rate (the knee is at {}/s)", figure(low));
        sheet::draw(&workload.out, "sweep", &title, &panels, bars.collect())?;
        if low == 0.0 {
            return Err(Error::Experiment(format!(
                "even {} events/s miss the target of {} ms; try a lower --rate",
                self.rate, self.target
            )));
        }
        crate::cli::print(&format!("the knee is at {} events/s\n", figure(low)))
    }
}
