//! `tidemill bench capacity`: how many events per second a run takes in when nothing holds it
//! back, and what that costs. Each figure is the median over several runs, with the spread.

use super::Spread;
use super::process::{Division, Measured, run, verify};
use super::sheet::{self, figure};
use super::workload::Workload;
use crate::error::Error;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill bench capacity --source transactions=transaction.csv --query hourly_transactions
  tidemill bench capacity --source tx.tide --workers 2 --runs 9
  tidemill bench capacity --events 2000000 --processes 2")]
pub struct Args {
    #[command(flatten)]
    workload: Workload,
    /// Worker threads of each process
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// Processes on this machine
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    processes: u16,
    /// Measured runs; the median counts
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let workload = &self.workload;
        let sources = workload.sources()?;
        let division =
            Division { workers: usize::from(self.workers), processes: usize::from(self.processes) };
        let figures = measure(workload, &sources, &workload.query, division, self.runs)?;
        let mut row = sheet::setting(workload.seed, division.workers, division.processes);
        row.push(("runs", self.runs.to_string()));
        row.extend(figures.row());
        sheet::append(&workload.out, "capacity", &row)?;
        sheet::print(&HEADER, &[figures.cells(division)])?;
        figures.draw(workload)
    }
}

/// Figures of several runs.
pub struct Figures {
    pub records: u64,
    pub seconds: Spread,
    pub cpu: Spread,
    pub peak: Spread,
    each: Vec<Measured>,
}

/// The columns of `Figures::cells`.
pub const HEADER: [&str; 8] =
    ["workers x processes", "events", "Mevents/s", "least", "most", "wall s", "CPU s", "peak MB"];

/// Runs some queries several times and verifies each run: by one worker, or for one worker by two.
pub fn measure(
    workload: &Workload,
    sources: &[String],
    queries: &[String],
    division: Division,
    runs: u16,
) -> Result<Figures, Error> {
    let other = if division == Division::ONE { Division::TWO } else { Division::ONE };
    let reference = run(workload, sources, queries, other)?;
    let mut each = Vec::new();
    for _ in 0..runs {
        let measured = run(workload, sources, queries, division)?;
        verify("capacity", &measured.views, &reference.views)?;
        each.push(measured);
    }
    let of = |f: fn(&Measured) -> f64| Spread::of(each.iter().map(f));
    Ok(Figures {
        records: reference.cost.records,
        seconds: of(|m| m.cost.seconds),
        cpu: of(|m| m.cost.cpu_seconds),
        peak: of(|m| m.cost.peak_bytes as f64 / 1e6),
        each,
    })
}

impl Figures {
    /// Rows of all views at the end.
    pub fn view_rows(&self) -> u64 {
        let views = self.each.first().map_or("", |measured| measured.views.as_str());
        let rows = |line: &str| line.split(',').nth(1)?.parse::<u64>().ok();
        views.lines().filter_map(rows).sum()
    }

    /// Millions of events per second in so many seconds.
    pub fn rate(&self, seconds: f64) -> f64 {
        self.records as f64 / seconds / 1e6
    }

    /// For the sheet.
    pub fn row(&self) -> sheet::Row {
        vec![
            ("events", self.records.to_string()),
            ("events_per_s", figure(self.rate(self.seconds.median) * 1e6)),
            ("seconds", figure(self.seconds.median)),
            ("seconds_least", figure(self.seconds.least)),
            ("seconds_most", figure(self.seconds.most)),
            ("cpu_seconds", figure(self.cpu.median)),
            ("peak_mb", figure(self.peak.median)),
            ("verified", "yes".into()),
        ]
    }

    /// For the terminal.
    pub fn cells(&self, division: Division) -> Vec<String> {
        vec![
            format!("{} x {}", division.workers, division.processes),
            self.records.to_string(),
            figure(self.rate(self.seconds.median)),
            figure(self.rate(self.seconds.most)),
            figure(self.rate(self.seconds.least)),
            figure(self.seconds.median),
            figure(self.cpu.median),
            figure(self.peak.median),
        ]
    }

    fn draw(&self, workload: &Workload) -> Result<(), Error> {
        let rows = self.each.iter().enumerate().map(|(i, measured)| {
            let cost = &measured.cost;
            vec![
                format!("run {}", i + 1),
                figure(self.rate(cost.seconds)),
                figure(cost.cpu_seconds),
                figure(cost.peak_bytes as f64 / 1e6),
            ]
        });
        let header = ["run", "million events per second", "CPU seconds", "peak MB"];
        sheet::draw(&workload.out, "capacity", "capacity: each run", &header, rows.collect())
    }
}
