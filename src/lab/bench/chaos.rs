//! Runs that are killed at random and started again, each time with another number of workers, until
//! they have come to their end; what they have written then is compared, byte for byte, with what a
//! run wrote that was never touched.

use super::workload::Workload;
use crate::error::Error;
use crate::random::Random;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a run may go without a checkpoint.
const PATIENCE: Duration = Duration::from_secs(600);

/// How it is done.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Worker threads of a run: as many as this at most.
    pub workers: usize,
    /// How often there is a checkpoint, in milliseconds.
    pub every: u64,
    /// How many bytes of records may be under way.
    pub in_flight: usize,
}

/// What came of a history that was run to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lived {
    /// Runs that were killed.
    pub kills: u64,
    /// The number of the last checkpoint.
    pub checkpoints: u64,
}

/// A shop, and where the runs over it write.
pub struct Chaos<'a> {
    sources: Vec<String>,
    queries: Vec<String>,
    out: &'a Path,
    setting: Setting,
    program: PathBuf,
}

impl<'a> Chaos<'a> {
    /// Prepares it, with a run that is not touched.
    pub fn new(workload: &'a Workload, setting: Setting) -> Result<Chaos<'a>, Error> {
        let sources = workload.sources()?;
        let queries = workload.query_names(&sources)?;
        let program = std::env::current_exe().map_err(Error::file("this program"))?;
        let chaos = Chaos { sources, queries, out: &workload.out, setting, program };
        chaos.clear("plain")?;
        let mut plain = chaos.start("plain", setting.workers, &[])?;
        chaos.end(&mut plain)?;
        Ok(chaos)
    }

    /// One history with up to so many kills, drawn from the seed.
    pub fn live(&self, seed: u64, kills: u64) -> Result<Lived, Error> {
        let mut random = Random::new(seed);
        for place in ["kept", "state"] {
            self.clear(place)?;
        }
        let mut lived = Lived::default();
        loop {
            let workers = 1 + random.below(self.setting.workers);
            let mut run = self.start("kept", workers, &self.keeping())?;
            let more = random.below(3) as u64;
            let moment =
                Duration::from_millis(random.below(1 + 2 * self.setting.every as usize) as u64);
            let goes_on =
                lived.kills < kills && self.reaches(&mut run, self.checkpoint() + more)?;
            std::thread::sleep(if goes_on { moment } else { Duration::ZERO });
            if !goes_on || run.try_wait().map_err(Error::file(&self.program))?.is_some() {
                self.end(&mut run)?;
                break;
            }
            run.kill().and_then(|()| run.wait()).map_err(Error::file(&self.program))?;
            lived.kills += 1;
        }
        lived.checkpoints = self.checkpoint();
        self.compare(seed)?;
        Ok(lived)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.out.join(format!(".chaos-{name}"))
    }

    fn clear(&self, name: &str) -> Result<(), Error> {
        let place = self.place(name);
        match fs::remove_dir_all(&place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file(&place)(error))
            }
            _ => Ok(()),
        }
    }

    fn keeping(&self) -> Vec<String> {
        let Setting { every, in_flight, .. } = self.setting;
        let state = self.place("state").display().to_string();
        let every = format!("{every}ms");
        let [a, b, c] = ["--state", "--checkpoint-every", "--in-flight"].map(String::from);
        let mut all = vec![a, state, b, every, c, in_flight.to_string()];
        // As often as can be: it is for that they are made here.
        all.extend(["--checkpoint-share", "100%"].map(String::from));
        all
    }

    fn start(&self, out: &str, workers: usize, more: &[String]) -> Result<Child, Error> {
        let mut command = Command::new(&self.program);
        command.args(["run", "--quiet", "--workers", &workers.to_string()]);
        command.args(self.sources.iter().flat_map(|s| ["--source", s]));
        command.args(["--query", &self.queries.join(",")]);
        for kind in ["jsonl", "csv"] {
            command.arg("--sink").arg(format!("{kind}:{}", self.place(out).display()));
        }
        command.args(more).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().map_err(Error::file(&self.program))
    }

    /// Waits for the end of a run, which must be a good one.
    fn end(&self, run: &mut Child) -> Result<(), Error> {
        let mut said = String::new();
        if let Some(mut stderr) = run.stderr.take() {
            let read = std::io::Read::read_to_string(&mut stderr, &mut said);
            read.map_err(Error::file("a run"))?;
        }
        let status = run.wait().map_err(Error::file("a run"))?;
        match status.success() {
            true => Ok(()),
            false => Err(Error::Experiment(format!("a run failed: {}", said.trim()))),
        }
    }

    /// Waits for a checkpoint; false if the run ends before.
    fn reaches(&self, run: &mut Child, checkpoint: u64) -> Result<bool, Error> {
        let began = Instant::now();
        while self.checkpoint() < checkpoint {
            if run.try_wait().map_err(Error::file("a run"))?.is_some() {
                return Ok(false);
            }
            if began.elapsed() > PATIENCE {
                return Err(Error::Experiment("a run makes no checkpoint any more".into()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(true)
    }

    fn checkpoint(&self) -> u64 {
        let names = fs::read_dir(self.place("state")).into_iter().flatten().flatten();
        let number = |entry: fs::DirEntry| {
            entry.file_name().to_str()?.strip_prefix("manifest.")?.parse::<u64>().ok()
        };
        names.filter_map(number).max().unwrap_or(0)
    }

    fn compare(&self, seed: u64) -> Result<(), Error> {
        let (plain, kept) = (self.place("plain"), self.place("kept"));
        for query in &self.queries {
            let log = plain.join(format!("{query}.changes.jsonl"));
            let want = fs::read(&log).map_err(Error::file(&log))?;
            let got = segments(&kept.join(format!("{query}.changes")))?;
            let views = [&plain, &kept].map(|dir| fs::read(dir.join(format!("{query}.csv"))).ok());
            if want != got || views[0] != views[1] {
                return Err(Error::Experiment(format!(
                    "{query} is not what an untouched run gives (seed {seed}); please report this with \
                     the command"
                )));
            }
        }
        Ok(())
    }
}

/// The segments of a change log, together.
fn segments(dir: &Path) -> Result<Vec<u8>, Error> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::file(dir))? {
        paths.push(entry.map_err(Error::file(dir))?.path());
    }
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        all.extend(fs::read(&path).map_err(Error::file(&path))?);
    }
    Ok(all)
}
