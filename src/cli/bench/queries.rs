//! `tidemill bench queries`: what each query costs alone, and what all cost together. Sharing (one
//! reading of the streams, one deduplication) is what the sum exceeds the whole by.

use super::capacity::{Figures, measure};
use super::process::Division;
use super::sheet::{self, figure};
use super::workload::Workload;
use crate::error::Error;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill bench queries --events 1000000
  tidemill bench queries --source shop.tide --query hourly_transactions,hourly_behavior

Memory is the most that was resident in the run of a query by itself, buffers and code included.
The memory and bytes per row of a view are above those of the cheapest query, so they are what the
query remembers and nothing else, as far as that can be seen from outside.")]
pub struct Args {
    #[command(flatten)]
    workload: Workload,
    /// Worker threads
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// Measured runs each; the median counts
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let workload = &self.workload;
        let sources = workload.sources()?;
        let prepared = workload.launch(&sources)?.prepare()?;
        let names: Vec<String> =
            prepared.plan.queries.iter().map(|query| query.name().to_string()).collect();
        drop(prepared);
        let division = Division { workers: usize::from(self.workers), processes: 1 };
        let measured =
            |queries: &[String]| measure(workload, &sources, queries, division, self.runs);
        let mut alone: Vec<(String, Figures)> = Vec::new();
        for name in &names {
            alone.push((name.clone(), measured(std::slice::from_ref(name))?));
        }
        let together = measured(&names)?;
        let sum: f64 = alone.iter().map(|(_, f)| f.cpu.median).sum();
        let floor = alone.iter().map(|(_, f)| f.peak.least).fold(f64::INFINITY, f64::min);
        let mut lines = Vec::new();
        for (name, figures) in alone.iter().chain([&("all together".to_string(), together)]) {
            let rows = figures.view_rows();
            let above = (figures.peak.median - floor).max(0.0);
            let per_row = above * 1e6 / rows.max(1) as f64;
            let share = if name == "all together" { figures.cpu.median / sum } else { f64::NAN };
            let mut row = sheet::setting(workload.seed, division.workers, 1);
            row.extend([("runs", self.runs.to_string()), ("query", name.clone())]);
            row.extend(figures.row());
            row.extend([
                ("view_rows", rows.to_string()),
                ("mb_above_cheapest", figure(above)),
                ("bytes_per_view_row", figure(per_row)),
                ("cpu_to_sum_of_each", figure(share)),
            ]);
            sheet::append(&workload.out, "queries", &row)?;
            lines.push(vec![
                name.clone(),
                figure(figures.rate(figures.seconds.median)),
                figure(figures.seconds.median),
                figure(figures.cpu.median),
                figure(figures.peak.median),
                rows.to_string(),
                figure(per_row),
                figure(share),
            ]);
        }
        let header = [
            "query",
            "Mevents/s",
            "wall s",
            "CPU s",
            "peak MB",
            "view rows",
            "bytes/row",
            "CPU/sum",
        ];
        sheet::print(&header, &lines)?;
        let bars = lines
            .iter()
            .map(|line| [0, 1, 3, 4].iter().filter_map(|i| line.get(*i).cloned()).collect());
        let panels = ["query", "million events per second", "CPU seconds", "peak MB"];
        sheet::draw(&workload.out, "queries", "queries: each alone", &panels, bars.collect())
    }
}
