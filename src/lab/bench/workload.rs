//! What an experiment runs on: the user's sources, or the demo shop, recorded once.

use super::progress::Progress;
use crate::cli::launch::Launch;
use crate::cli::options::{Cleaning, Running};
use crate::cli::sources;
use crate::error::Error;
use crate::event::Stream;
use crate::lab::generator::{self, Blocks, Feed, Options};
use crate::sink::replace_file;
use crate::source::Input;
use crate::source::read::{BLOCK_SIZE, Reader};
use crate::source::replay_log::{Codec, EXTENSION, Header, Writer};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What to run, and where figures go.
#[derive(clap::Args, Debug, Clone)]
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
    pub seed: u64,
    /// Days of the demo shop
    #[arg(long, default_value_t = 14, value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "source")]
    days: u32,
    /// The queries to run [default: all whose streams are given]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub query: Vec<String>,
    /// Where figures (.csv), pictures (.svg) and generated data go
    #[arg(long, default_value = "tidemill-bench", value_name = "DIR")]
    pub out: PathBuf,
}

/// What parses into the cleaning a run has by default.
#[derive(clap::Parser)]
struct Defaults {
    #[command(flatten)]
    cleaning: Cleaning,
}

impl Workload {
    /// The sources as `tidemill run` takes them; generates and records the demo shop if need be.
    pub fn sources(&self) -> Result<Vec<String>, Error> {
        self.prepare()?;
        if !self.source.is_empty() {
            return Ok(self.source.clone());
        }
        let path = self.shop().with_extension(EXTENSION);
        let text = path.display().to_string();
        // One that this build cannot read is made again.
        if sources::open(std::slice::from_ref(&text), &Default::default(), Vec::new()).is_err() {
            self.record(&path)?;
        }
        Ok(vec![text])
    }

    /// The same as text; generates the demo shop if need be.
    pub fn texts(&self) -> Result<Vec<String>, Error> {
        self.prepare()?;
        if !self.source.is_empty() {
            return Ok(self.source.clone());
        }
        let (shop, mut texts) = (self.shop(), Vec::new());
        std::fs::create_dir_all(&shop).map_err(Error::file(&shop))?;
        for (stream, feed, blocks) in self.generate()? {
            let path = shop.join(feed.file_name());
            if !path.exists() {
                let write =
                    |out: &mut dyn Write| blocks.into_iter().try_for_each(|b| out.write_all(&b));
                replace_file(&path, write)?;
            }
            texts.push(format!("{}={}", stream.name(), path.display()));
        }
        Ok(texts)
    }

    fn prepare(&self) -> Result<(), Error> {
        if self.source.iter().any(|source| source.ends_with("=-")) {
            let why = "an experiment reads its sources several times; standard input cannot be";
            return Err(Error::Usage(why.into()));
        }
        std::fs::create_dir_all(&self.out).map_err(Error::file(&self.out))
    }

    /// Where the generated shop is kept.
    fn shop(&self) -> PathBuf {
        self.out.join(format!("shop-{}-{}-{}", self.events, self.seed, self.days))
    }

    fn generate(&self) -> Result<Vec<(Stream, Feed, Blocks)>, Error> {
        let (events, seed, days) = (self.events, self.seed, self.days);
        let options = Options { events, seed, days, ..Options::default() };
        let streams = Feed::ALL.iter().filter_map(|f| Some((Stream::by_name(f.name())?, *f)));
        let generated = streams.map(|(stream, feed)| {
            let blocks = generator::blocks(&options, feed);
            Ok((stream, feed, blocks.map_err(|e| Error::Usage(e.to_string()))?))
        });
        generated.collect()
    }

    fn record(&self, path: &Path) -> Result<(), Error> {
        let mut inputs = Vec::new();
        for (stream, feed, blocks) in self.generate()? {
            let text = Box::new(crate::cli::demo::Text::new(blocks));
            inputs.push((stream, Reader::from_read(feed.name(), text, BLOCK_SIZE)?.into()));
        }
        let progress = Progress::new(1);
        progress.step("generating the demo shop");
        let launch = Launch {
            sources: inputs,
            queries: Vec::new(),
            sinks: Vec::new(),
            cleaning: self.cleaning(),
            running: Running::one_worker(None),
            bytes: None,
            tap: None,
        };
        let (feeds, tick) = launch.everything()?;
        let command = crate::cli::command_line();
        let header = Header::new(Codec::Columnar, tick, 2, feeds.recorded(), command);
        let mut writer = Writer::create(path, &header)?;
        feeds.read_all(|partition, batch| writer.write(partition.index(), &batch))?;
        writer.finish()?;
        progress.end();
        Ok(())
    }

    /// How records are cleaned: as a run does when nothing is said.
    pub fn cleaning(&self) -> Cleaning {
        let defaults = <Defaults as clap::Parser>::parse_from(["tidemill"]);
        let dead_letters = Some(self.out.join("dead_letters.jsonl"));
        Cleaning { dead_letters, ..defaults.cleaning }
    }

    /// The names of the queries that run.
    pub fn query_names(&self, sources: &[String]) -> Result<Vec<String>, Error> {
        let plan = self.launch(sources)?.prepare()?.plan;
        Ok(plan.queries.iter().map(|query| query.name().to_string()).collect())
    }

    /// The workload, to be run in this process by one worker.
    pub fn launch(&self, sources: &[String]) -> Result<Launch, Error> {
        let opened = sources::open(sources, &Default::default(), Vec::new())?;
        // A minute, as `tidemill record` has it; a log has its own.
        let log = opened.inputs.iter().any(|(_, input)| matches!(input, Input::Recorded(_)));
        let tick = (!log).then_some(60_000);
        Ok(Launch {
            sources: opened.inputs,
            queries: self.query.iter().map(|q| q.trim().into()).collect(),
            sinks: Vec::new(),
            cleaning: self.cleaning(),
            running: Running::one_worker(tick),
            bytes: opened.bytes,
            tap: None,
        })
    }
}
