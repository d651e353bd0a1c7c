//! What an experiment runs on: the user's sources, or the demo shop, recorded once.

use super::progress::Progress;
use crate::clock::Tick;
use crate::error::Error;
use crate::event::Stream;
use crate::lab::generator::{self, Feed, Options};
use crate::plan::{Cleaning, Job, Queries, Running, sources};
use crate::sink::replace_file;
use crate::source::Input;
use crate::source::replay_log::{Codec, EXTENSION, Header, Writer};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What to run, and where figures go.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Sources as `--source` names them; none: the demo shop.
    pub source: Vec<String>,
    /// About how many events of the demo shop.
    pub events: u64,
    /// The seed of the demo shop, and of what is drawn at random.
    pub seed: u64,
    /// Days of the demo shop.
    pub days: u32,
    /// The queries to run; none: all whose streams are given.
    pub query: Vec<String>,
    /// Where figures, pictures and generated data go.
    pub out: PathBuf,
    /// By what command this was asked, to be written beside the figures.
    pub command: String,
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
        if sources::open(std::slice::from_ref(&text), &Default::default(), Default::default())
            .is_err()
        {
            let progress = Progress::new(1);
            progress.step("generating the demo shop");
            self.record(self.generated()?, Codec::Columnar, &path)?;
            progress.end();
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
        for (stream, feed) in feeds() {
            let path = shop.join(feed.file_name());
            if !path.exists() {
                let blocks = generator::blocks(&self.options(), feed);
                let blocks = blocks.map_err(|e| Error::Usage(e.to_string()))?;
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

    fn options(&self) -> Options {
        let (events, seed, days) = (self.events, self.seed, self.days);
        Options { events, seed, days, ..Options::default() }
    }

    /// The demo shop, to be recorded.
    fn generated(&self) -> Result<Job, Error> {
        let open = |(stream, feed)| Ok((stream, generator::open(&self.options(), feed)?.into()));
        let sources = feeds().map(open).collect::<Result<_, Error>>()?;
        Ok(Job { sources, running: Running::one_worker(None), ..self.job() })
    }

    /// Writes the sources of a job down as a replay log.
    pub fn record(&self, job: Job, codec: Codec, path: &Path) -> Result<(), Error> {
        let decimals = job.cleaning.decimals;
        let (feeds, tick) = job.everything()?;
        let header = Header::new(codec, tick, decimals, feeds.recorded(), self.command.clone());
        let mut writer = Writer::create(path, &header)?;
        feeds.read_all(|partition, batch| writer.write(partition.index(), &batch))?;
        writer.finish()?;
        Ok(())
    }

    /// A job that reads nothing: records are cleaned as a run does when nothing is said.
    fn job(&self) -> Job {
        let dead_letters = Some(self.out.join("dead_letters.jsonl"));
        let queries = Queries::named(self.query.iter().map(|q| q.trim()));
        Job { queries, cleaning: Cleaning { dead_letters, ..Default::default() }, ..Job::default() }
    }

    /// The names of the queries that run.
    pub fn query_names(&self, sources: &[String]) -> Result<Vec<String>, Error> {
        let plan = self.over(sources)?.plan(&mut |_| ())?;
        Ok(plan.graph.queries.iter().map(|query| query.name().to_string()).collect())
    }

    /// The workload over these sources, to be run in this process by one worker.
    pub fn over(&self, sources: &[String]) -> Result<Job, Error> {
        let sources = sources::open(sources, &Default::default(), Default::default())?.inputs;
        // A minute, as `tidemill record` has it; a log has its own.
        let log = sources.iter().any(|(_, input)| matches!(input, Input::Recorded(_)));
        let running = Running::one_worker((!log).then_some(Tick::MINUTE));
        Ok(Job { sources, running, ..self.job() })
    }
}

/// The streams that the demo shop has.
fn feeds() -> impl Iterator<Item = (Stream, Feed)> {
    Feed::ALL.iter().filter_map(|feed| Some((Stream::by_name(feed.name())?, *feed)))
}
