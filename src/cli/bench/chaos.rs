//! `tidemill bench chaos`: are the bytes the same, wherever a run is killed?

use super::workload::Workload;
use crate::error::Error;
use crate::lab::bench::chaos::{Chaos, Setting};
use crate::lab::bench::progress::Progress;
use crate::lab::bench::sheet;
use std::time::Instant;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill bench chaos --events 100000 --kills 20
  tidemill bench chaos --events 10000000 --kills 500 --per-history 20

Runs that keep their state (--state) are killed (SIGKILL) soon after a checkpoint that is drawn at
random, and started again with another number of workers, until the history is at its end. Then the
change logs and views are compared, byte for byte, with those of a run that was not touched; a
difference ends the experiment, and names the seed.")]
pub struct Args {
    #[command(flatten)]
    workload: Workload,
    /// How many kills there are in all, at least
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    kills: u64,
    /// How many kills there are in one history, at most
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    per_history: u64,
    /// Worker threads of a run, at most
    #[arg(long, short, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,
    /// How often there is a checkpoint, in milliseconds
    #[arg(long, default_value_t = 100, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    checkpoint_every: u64,
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let workload = &self.workload.workload();
        let progress = Progress::new(self.kills + 1);
        progress.step("a run that is not touched");
        let (workers, every) = (usize::from(self.workers), self.checkpoint_every);
        let began = Instant::now();
        let chaos = Chaos::new(workload, Setting { workers, every, in_flight: 256 << 10 })?;
        let (mut rows, mut kills, mut history, mut idle) = (Vec::new(), 0, 0, 0);
        while kills < self.kills {
            let seed = workload.seed + history;
            progress.step(&format!("history {}, seed {seed}, {kills} kills so far", history + 1));
            let lived = chaos.live(seed, self.per_history)?;
            // Now and then a run is at its end before the moment that was drawn.
            idle = if lived.kills == 0 { idle + 1 } else { 0 };
            if idle == 3 {
                let what = "runs end before they can be killed; take more --events".into();
                return Err(Error::Experiment(what));
            }
            (kills, history) = (kills + lived.kills, history + 1);
            rows.push([seed, lived.kills, lived.checkpoints].map(|n| n.to_string()).to_vec());
        }
        progress.end();
        let each = rows.iter().map(|row| {
            let mut all = sheet::setting(workload, workers, 1);
            let names = ["history_seed", "kills", "checkpoints"];
            all.extend(names.into_iter().zip(row.iter().cloned()));
            all
        });
        sheet::append(&workload.out, "chaos", &each.collect::<Vec<_>>())?;
        super::print(&["seed", "kills", "checkpoints"], &rows)?;
        crate::cli::say(&format!(
            "{kills} kills in {history} histories, {:.0} s: the same bytes every time",
            began.elapsed().as_secs_f64()
        ));
        Ok(())
    }
}
