//! `tidemill bench capacity`: how many events per second a run takes in when nothing holds it
//! back, and what that costs. Each figure is the median over several runs, with the spread.

use super::Spread;
use crate::error::Error;
use crate::lab::bench::process::{Division, Measured, reference, run, verify};
use crate::lab::bench::progress::Progress;
use crate::lab::bench::sheet::{self, figure};
use crate::lab::bench::workload::Workload;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill bench capacity --source transactions=transaction.csv --query hourly_transactions
  tidemill bench capacity --source tx.tide --workers 2 --runs 9
  tidemill bench capacity --events 2000000 --processes 2

A run is `tidemill run` in a process of its own, timed from its start to the last byte written.")]
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
        let progress = Progress::new(u64::from(self.runs) + 1);
        progress.step("the reference run");
        let expected = reference(workload, &sources, &workload.query, division)?;
        let measurement = Measurement { workload, sources: &sources, division, runs: self.runs };
        let figures = measurement.of(&workload.query, &expected, &progress)?;
        progress.end();
        figures.keep("capacity", workload, &[])?;
        sheet::print(&HEADER, &[figures.cells()])?;
        let header = ["run", "million events per second", "CPU seconds", "peak MB"];
        sheet::draw(&workload.out, "capacity", "capacity: each run", &header, figures.bars())
    }
}

/// How runs are made.
pub struct Measurement<'a> {
    pub workload: &'a Workload,
    pub sources: &'a [String],
    pub division: Division,
    pub runs: u16,
}

impl Measurement<'_> {
    /// Runs some queries several times and verifies each run.
    pub fn of(
        &self,
        queries: &[String],
        expected: &str,
        progress: &Progress,
    ) -> Result<Figures, Error> {
        let mut each = Vec::new();
        for i in 1..=self.runs {
            progress.step(&format!("{}: run {i} of {}", self.division, self.runs));
            let measured = run(self.workload, self.sources, queries, self.division)?;
            verify(&format!("run {i}"), &measured.views, expected)?;
            each.push(measured);
        }
        let of = |f: fn(&Measured) -> f64| Spread::of(each.iter().map(f));
        Ok(Figures {
            division: self.division,
            seconds: of(|m| m.cost.seconds),
            cpu: of(|m| m.cost.cpu_seconds),
            peak: of(|m| m.cost.peak_bytes as f64 / 1e6),
            each,
        })
    }
}

/// Figures of several runs, of at least one.
pub struct Figures {
    division: Division,
    pub seconds: Spread,
    pub cpu: Spread,
    pub peak: Spread,
    each: Vec<Measured>,
}

/// The columns of `Figures::cells`.
pub const HEADER: [&str; 8] =
    ["workers x processes", "events", "Mevents/s", "least", "most", "wall s", "CPU s", "peak MB"];

impl Figures {
    /// Events read, good and bad; the same in each run.
    pub fn events(&self) -> u64 {
        self.each.first().map_or(0, |measured| measured.cost.records)
    }

    /// Rows of all views at the end.
    pub fn view_rows(&self) -> u64 {
        let views = self.each.first().map_or("", |measured| measured.views.as_str());
        let rows = |line: &str| line.split(',').nth(1)?.parse::<u64>().ok();
        views.lines().filter_map(rows).sum()
    }

    /// Millions of events per second in so many seconds.
    pub fn rate(&self, seconds: f64) -> f64 {
        self.events() as f64 / seconds / 1e6
    }

    /// Adds a row per run to a sheet.
    pub fn keep(&self, name: &str, workload: &Workload, more: &[sheet::Cell]) -> Result<(), Error> {
        let setting = sheet::setting(workload.seed, self.division.workers, self.division.processes);
        let rows = self.each.iter().zip(1..).map(|(measured, i)| {
            let cost = &measured.cost;
            let mut row = setting.clone();
            row.push(("run", format!("{i}")));
            row.extend(more.iter().cloned());
            row.extend([
                ("events", cost.records.to_string()),
                ("events_per_s", figure(cost.records as f64 / cost.seconds)),
                ("seconds", figure(cost.seconds)),
                ("cpu_seconds", figure(cost.cpu_seconds)),
                ("peak_mb", figure(cost.peak_bytes as f64 / 1e6)),
                ("verified", "yes".into()),
            ]);
            row
        });
        sheet::append(&workload.out, name, &rows.collect::<Vec<_>>())
    }

    /// For the terminal.
    pub fn cells(&self) -> Vec<String> {
        vec![
            self.division.to_string(),
            self.events().to_string(),
            figure(self.rate(self.seconds.median)),
            figure(self.rate(self.seconds.most)),
            figure(self.rate(self.seconds.least)),
            figure(self.seconds.median),
            figure(self.cpu.median),
            figure(self.peak.median),
        ]
    }

    fn bars(&self) -> Vec<Vec<String>> {
        let rows = self.each.iter().zip(1..).map(|(measured, i)| {
            let cost = &measured.cost;
            vec![
                format!("run {i}"),
                figure(self.rate(cost.seconds)),
                figure(cost.cpu_seconds),
                figure(cost.peak_bytes as f64 / 1e6),
            ]
        });
        rows.collect()
    }
}
