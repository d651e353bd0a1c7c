//! The options that every experiment has.

use crate::lab::bench::workload;
use std::path::PathBuf;

/// What to run, and where figures go.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "The workload")]
pub struct Workload {
    /// A stream and its file, or a replay log (FILE.tide); repeat for more
    #[arg(long, value_name = "STREAM=FILE")]
    source: Vec<String>,
    /// Without --source: about how many events of the demo shop
    #[arg(long, default_value_t = 1_000_000, value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "source")]
    events: u64,
    /// The seed of the demo shop, and of what is drawn at random
    #[arg(long, default_value_t = 42, value_name = "N")]
    seed: u64,
    /// Days of the demo shop
    #[arg(long, default_value_t = 14, value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "source")]
    days: u32,
    /// The queries to run [default: all whose streams are given]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    query: Vec<String>,
    /// Where figures (.csv), pictures (.svg) and generated data go
    #[arg(long, default_value = "tidemill-bench", value_name = "DIR")]
    out: PathBuf,
}

impl Workload {
    /// As an experiment has it.
    pub fn workload(&self) -> workload::Workload {
        workload::Workload {
            source: self.source.clone(),
            events: self.events,
            seed: self.seed,
            days: self.days,
            query: self.query.clone(),
            out: self.out.clone(),
            command: crate::cli::command_line(),
        }
    }
}
