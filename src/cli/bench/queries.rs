//! `tidemill bench queries`: what each query costs alone, and what all cost together. Sharing (one
//! reading of the streams, one deduplication) is what the sum exceeds the whole by.

use super::workload::Workload;
use crate::error::Error;
use crate::lab::bench::measure::{Figures, Measurement};
use crate::lab::bench::process::{Division, reference};
use crate::lab::bench::progress::Progress;
use crate::lab::bench::sheet::{self, figure};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill bench queries --events 5000000 --workers 2
  tidemill bench queries --source shop.tide --query hourly_transactions,hourly_behavior

Memory is the most that was resident in a run, code and buffers included. What it is above that of
the cheapest query is what the query remembers, as far as that can be seen from outside; it is
given per event read and per row of the view.")]
pub struct Args {
    #[command(flatten)]
    workload: Workload,
    /// Worker threads
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// Measured runs each; the median counts
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
}

const HEADER: [&str; 10] = [
    "query",
    "events",
    "Mevents/s",
    "wall s",
    "CPU s",
    "peak MB",
    "MB above",
    "view rows",
    "bytes/event",
    "bytes/row",
];

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let workload = &self.workload.workload();
        let sources = workload.sources()?;
        let names = workload.query_names(&sources)?;
        let division = Division { workers: usize::from(self.workers), processes: 1 };
        let progress = Progress::new((names.len() as u64 + 1) * (u64::from(self.runs) + 1));
        let measurement = Measurement { workload, sources: &sources, division, runs: self.runs };
        let measure = |name: &str, queries: &[String]| {
            progress.step(&format!("{name}: the reference run"));
            let expected = reference(workload, &sources, queries, division)?;
            let figures = measurement.of(queries, &expected, &progress)?;
            figures.keep("queries", workload, &cells(name, &figures))?;
            Ok::<Figures, Error>(figures)
        };
        let mut alone: Vec<(&str, Figures)> = Vec::new();
        for name in &names {
            alone.push((name, measure(name, std::slice::from_ref(name))?));
        }
        let together = measure("all together", &names)?;
        progress.end();
        let floor = alone.iter().map(|(_, f)| f.peak.least).fold(f64::INFINITY, f64::min);
        let mut lines: Vec<_> = alone.iter().map(|(name, f)| line(name, f, floor)).collect();
        lines.push(line("all together", &together, floor));
        super::print(&HEADER, &lines)?;
        let sum = |f: fn(&Figures) -> f64| alone.iter().map(|(_, figures)| f(figures)).sum::<f64>();
        crate::cli::print(&format!(
            "all together take {} of the CPU time and {} of the wall time of each alone, added up\n",
            figure(together.cpu.median / sum(|f| f.cpu.median)),
            figure(together.seconds.median / sum(|f| f.seconds.median)),
        ))?;
        let bars = lines.iter().map(|line| [0, 2, 4, 5].map(|i| line[i].clone()).to_vec());
        let panels = ["query", "million events per second", "CPU seconds", "peak MB"];
        let title = "queries: each alone";
        super::tell(sheet::draw(&workload.out, "queries", title, &panels, bars.collect())?)
    }
}

fn cells(name: &str, figures: &Figures) -> [sheet::Cell; 2] {
    [("query", name.to_string()), ("view_rows", figures.view_rows().to_string())]
}

fn line(name: &str, figures: &Figures, floor: f64) -> Vec<String> {
    let rows = figures.view_rows();
    let above = (figures.peak.median - floor).max(0.0);
    vec![
        name.to_string(),
        figures.events().to_string(),
        figure(figures.rate(figures.seconds.median)),
        figure(figures.seconds.median),
        figure(figures.cpu.median),
        figure(figures.peak.median),
        figure(above),
        rows.to_string(),
        figure(above * 1e6 / figures.events().max(1) as f64),
        figure(above * 1e6 / rows.max(1) as f64),
    ]
}
