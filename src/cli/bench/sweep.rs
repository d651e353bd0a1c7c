//! `tidemill bench sweep`: the knee of the throughput-latency curve. The offered rate is doubled
//! until the 99th percentile exceeds the bound, and then bisected.

use super::latency::positive;
use super::workload::Workload;
use crate::error::Error;
use crate::lab::bench::knee::{Search, Tried};
use crate::lab::bench::offer::Loop;
use crate::lab::bench::pool::Changes;
use crate::lab::bench::progress::Progress;
use crate::lab::bench::sheet::{self, Row, figure};
use crate::plot::{Axis, Curve, Curves, Scaling};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill bench sweep --query hourly_transactions,hourly_behavior
  tidemill bench sweep --source tx.tide --preload 10000000 --target 10 --every 1

A batch (one tick) is sent every few milliseconds, of as many events as the rate asks for. The knee
is the highest rate found at which the 99th percentile of the latency stays within the target.")]
pub struct Args {
    #[command(flatten)]
    workload: Workload,
    /// Events in the state before it begins [default: all that do not come live]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    preload: Option<u64>,
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
        let workload = &self.workload.workload();
        let workers = usize::from(self.workers);
        let progress = Progress::new(u64::from(self.steps) + 2);
        progress.step("making the state");
        let mut running = Loop::start(workload, self.preload, 0, Changes::Spread, workers)?;
        let (mut tried, knee) = self.search().find(&mut running, &progress)?;
        let (preloaded, queries) = (running.preloaded(), running.queries());
        progress.step("verifying");
        running.verify()?;
        progress.end();
        tried.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        let setting = sheet::setting(workload, workers, 1);
        let row = |tried: &Tried| {
            let mut row: Row = setting.clone();
            row.extend([
                ("queries", queries.clone()),
                ("preloaded", preloaded.to_string()),
                ("target_ms", figure(self.target)),
                ("every_ms", figure(self.every)),
                ("offered_per_s", figure(tried.rate)),
                ("held", if tried.held { "yes" } else { "no" }.into()),
                ("knee_per_s", figure(knee)),
            ]);
            row.extend(tried.latencies.row());
            row.push(("verified", "yes".into()));
            row
        };
        sheet::append(&workload.out, "sweep", &tried.iter().map(row).collect::<Vec<_>>())?;
        let curves = self.draw(&tried, knee, preloaded)?;
        super::tell(sheet::draw_curves(&workload.out, "sweep", &curves)?)?;
        if knee == 0.0 {
            return Err(Error::Experiment(format!(
                "even {} events/s miss the target of {} ms; try a lower --rate",
                self.rate, self.target
            )));
        }
        crate::cli::print(&format!("the knee is at {} events/s\n", figure(knee)))
    }

    fn search(&self) -> Search {
        let (rate, most, target) = (self.rate, self.most, self.target);
        Search { rate, most, target, every: self.every, seconds: self.seconds, steps: self.steps }
    }

    fn draw(&self, tried: &[Tried], knee: f64, preloaded: usize) -> Result<Curves, Error> {
        let shares = [("p50", 0.5), ("p99", 0.99), ("max", 1.0)];
        let line = |tried: &Tried| {
            let at = shares.map(|(_, share)| figure(tried.latencies.at(share)));
            let held = if tried.held { "yes" } else { "no" };
            [vec![figure(tried.rate)], at.to_vec(), vec![held.into()]].concat()
        };
        let lines: Vec<Vec<String>> = tried.iter().map(line).collect();
        super::print(&["offered/s", "p50 ms", "p99 ms", "max ms", "held"], &lines)?;
        let mut curves: Vec<Curve> = shares
            .map(|(name, share)| Curve {
                name: name.into(),
                points: tried.iter().map(|t| (t.rate, t.latencies.at(share))).collect(),
            })
            .into();
        curves.push(Curve {
            name: "target of p99".into(),
            points: tried.iter().map(|t| (t.rate, self.target)).collect(),
        });
        Ok(Curves {
            title: format!("Latency on {preloaded} events: the knee is at {}/s", figure(knee)),
            across: Axis { name: "events per second".into(), scaling: Scaling::Logarithmic },
            up: Axis { name: "milliseconds".into(), scaling: Scaling::Logarithmic },
            curves,
        })
    }
}
