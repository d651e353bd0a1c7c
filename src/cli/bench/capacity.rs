//! `tidemill bench capacity`: how many events per second a run takes in when nothing holds it
//! back, and what that costs. Each figure is the median over several runs, with the spread.

use super::workload::Workload;
use crate::error::Error;
use crate::lab::bench::measure::{HEADER, Measurement};
use crate::lab::bench::process::{Division, reference};
use crate::lab::bench::progress::Progress;
use crate::lab::bench::sheet;

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
        let workload = &self.workload.workload();
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
        super::print(&HEADER, &[figures.cells()])?;
        let header = ["run", "million events per second", "CPU seconds", "peak MB"];
        let title = "capacity: each run";
        super::tell(sheet::draw(&workload.out, "capacity", title, &header, figures.bars())?)
    }
}
