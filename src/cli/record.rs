//! `tidemill record`: a source as a replay log.

use super::options::Cleaning;
use super::show;
use crate::clock::Tick;
use crate::config::Settings;
use crate::error::Error;
use crate::plan::{Job, Running, sources};
use crate::source::replay_log::{Codec, EXTENSION, Header, Writer};
use std::path::PathBuf;
use std::time::Instant;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill record --source transactions=transaction.csv --out tx.tide
  tidemill record --source behavior='logs/*.csv.gz' --source logistics=logistics.csv \\
      --tick 1s --out shop.tide
  tidemill record --config shop.toml --out shop.tide
  tidemill run --source tx.tide --query hourly_transactions

Reads, cleans and stamps the records once and writes them down as checksummed frames, so that an
experiment which must not measure parsing can read them. Cleaning steps and the tick are settled
now; making records unique by id is not, a run does that. The codec abomonation needs a program
built with `cargo build --release --features abomonation`; its crate is unsound on bytes it did
not write (RUSTSEC-2021-0120), so such a file is read only by the build that wrote it.")]
pub struct Args {
    /// A stream and its file; repeat for more files, or use a pattern
    #[arg(long, value_name = "STREAM=FILE", required_unless_present = "config")]
    source: Vec<String>,
    /// A TOML file in which sources are described, in sections [[source]]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What the files of --source are exports of, as `run --format` takes it
    #[arg(long, value_name = "NAME")]
    format: Option<String>,
    /// The replay log to write
    #[arg(long, value_name = "FILE.tide")]
    out: PathBuf,
    /// How frames are written
    #[arg(long, default_value = "columnar")]
    codec: Codec,
    /// How finely results are visible in time when it is played [default: 1m]
    #[arg(long, value_name = "DURATION", value_parser = super::options::duration)]
    tick: Option<u64>,
    /// No summary
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    cleaning: Cleaning,
}

impl Args {
    pub fn run(mut self) -> Result<(), Error> {
        let began = Instant::now();
        if !self.codec.is_built() {
            let name = self.codec.name();
            return Err(Error::Usage(format!(
                "--codec {name}: this program was built without it; build with `cargo build --release --features {name}`"
            )));
        }
        if self.out.extension().is_none_or(|e| e != EXTENSION) {
            return Err(Error::Usage(format!(
                "--out {}: a replay log's name ends in .{EXTENSION}, by which `--source` knows it",
                self.out.display()
            )));
        }
        let mut settings = Settings::default();
        self.config.iter().try_for_each(|path| settings.read(path))?;
        let known = sources::Known {
            described: settings.sources()?,
            format: self.format,
            ..sources::Known::default()
        };
        let opened = sources::open(&self.source, &self.cleaning.dialect(), known)?;
        if self.cleaning.dead_letters.is_none() {
            self.cleaning.dead_letters = Some(self.out.with_extension("dead_letters.jsonl"));
        }
        let decimals = self.cleaning.decimals;
        let job = Job {
            sources: opened.inputs,
            cleaning: self.cleaning.plan(),
            running: Running::one_worker(self.tick.and_then(Tick::from_millis)),
            ..Job::default()
        };
        let (feeds, tick) = job.everything()?;
        let header =
            Header::new(self.codec, tick, decimals, feeds.recorded(), super::command_line());
        let mut writer = Writer::create(&self.out, &header)?;
        feeds.read_all(|partition, batch| writer.write(partition.index(), &batch))?;
        feeds.dead_letters.finish()?;
        let records = feeds.records();
        feeds.judge()?;
        let rows = writer.finish()?;
        if !self.quiet {
            let size = std::fs::metadata(&self.out).map_or(0, |m| m.len());
            crate::cli::say(&format!(
                "recorded {} of {} records in {:.2} s: {} ({:.1} MB, {:.1} bytes each, {})",
                show::grouped(rows),
                show::grouped(records),
                began.elapsed().as_secs_f64(),
                self.out.display(),
                size as f64 / 1e6,
                size as f64 / rows.max(1) as f64,
                self.codec.name(),
            ));
        }
        Ok(())
    }
}
