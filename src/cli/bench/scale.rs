//! `tidemill bench scale`: capacity over numbers of workers and of processes.

use super::workload::Workload;
use crate::error::Error;
use crate::lab::bench::measure::{HEADER, Measurement};
use crate::lab::bench::process::{Division, reference};
use crate::lab::bench::progress::Progress;
use crate::lab::bench::sheet::{self, figure};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill bench scale --source transactions=transaction.csv --workers 4
  tidemill bench scale --events 2000000 --workers 2 --processes 2 --runs 3

Measures 1 to N workers in one process, then 2 to N processes of one worker each. Partitions are
divided among processes: where there are fewer files than processes, some have nothing to read.")]
pub struct Args {
    #[command(flatten)]
    workload: Workload,
    /// The most workers [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// The most processes
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    processes: u16,
    /// Measured runs each; the median counts
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let workload = &self.workload.workload();
        let sources = workload.sources()?;
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let most = self.workers.map_or_else(cores, usize::from);
        let threads = (1..=most).map(|workers| Division { workers, processes: 1 });
        let several =
            (2..=usize::from(self.processes)).map(|p| Division { workers: 1, processes: p });
        let divisions: Vec<Division> = threads.chain(several).collect();
        let progress = Progress::new((divisions.len() * usize::from(self.runs)) as u64 + 1);
        progress.step("the reference run");
        // All are held against one, so also against each other.
        let expected = reference(workload, &sources, &workload.query, Division::ONE)?;
        let (mut one, mut cells, mut bars) = (None, Vec::new(), Vec::new());
        for division in divisions {
            let measurement =
                Measurement { workload, sources: &sources, division, runs: self.runs };
            let figures = measurement.of(&workload.query, &expected, &progress)?;
            figures.keep("scale", workload, &[])?;
            let one = *one.get_or_insert(figures.seconds.median);
            let ratio = figures.seconds.median / one;
            let mut line = figures.cells();
            let (name, rate) = (line[0].clone(), line[2].clone());
            bars.push(vec![name, rate, figure(ratio), figure(figures.peak.median)]);
            line.push(figure(ratio));
            cells.push(line);
        }
        progress.end();
        let header: Vec<&str> = HEADER.into_iter().chain(["wall / 1 worker"]).collect();
        super::print(&header, &cells)?;
        let panels = ["workers", "million events per second", "wall time to one worker", "peak MB"];
        let title = "scale: workers x processes";
        super::tell(sheet::draw(&workload.out, "scale", title, &panels, bars)?)
    }
}
