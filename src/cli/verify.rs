//! `tidemill verify`: is what the dataflow says what each query means?

use super::options::{Choice, Cleaning, Running};
use super::show::grouped;
use crate::error::Error;
use crate::lab::verify::verify;
use crate::plan::sources::Known;
use crate::plan::{Job, Keeping};
use crate::worker::Often;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill verify --source transactions=transaction.csv
  tidemill verify --source transactions=transaction.csv --times 20 --against out
  tidemill verify --source shop.tide --query velocity
  tidemill verify --source transactions=growing.csv --state state

Every view is worked out twice: by the dataflow, and from the records alone by the plain definition
of its query, at several times of the history. It prints for each how many rows it has in the end and
a digest of them, which is the same on every machine and for any number of workers. --against reads
what a run of the same sources has written (DIR/NAME.csv). All records are held in memory.

Exit codes: 0 all the same, 1 something differs, 2 wrong use.")]
pub struct Args {
    #[command(flatten)]
    choice: Choice,
    /// At how many times of the history views are compared, the last of them its end
    #[arg(long, default_value_t = 5, value_name = "N")]
    times: usize,
    /// The state of a run that read these sources: what arrived while it went on (--follow) is taken
    /// to have arrived when it did
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// A directory in which a run has written its views
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    cleaning: Cleaning,
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        if let Some(dir) = self.against.as_ref().filter(|dir| !dir.is_dir()) {
            let what = format!("--against {}: there is no such directory", dir.display());
            return Err(Error::Usage(what));
        }
        if let Some(dir) = self.state.as_ref().filter(|dir| !dir.is_dir()) {
            let what = format!("--state {}: there is no such directory", dir.display());
            return Err(Error::Usage(what));
        }
        if self.running.processes > 1 {
            return Err(Error::Usage("--processes: one process verifies; use --workers".into()));
        }
        let settings = self.running.settings()?;
        let described = settings.sources()?;
        let known = Known { described, inputs: self.state.clone(), ..Known::default() };
        let opened = self.choice.open(&self.cleaning.dialect(), known)?;
        let running = self.running.plan();
        let workers = running.threads();
        let job = Job {
            sources: opened.inputs,
            queries: self.choice.queries(),
            settings,
            cleaning: self.cleaning.plan(),
            running,
            keeping: self.state.map(|directory| Keeping { directory, often: Often::ALWAYS }),
            ..Job::default()
        };
        let quiet = self.running.quiet;
        let job = job.remember(&mut |note| {
            if !quiet {
                super::say(note);
            }
        })?;
        let findings = verify(&job, (self.times, workers), self.against.as_deref())?;
        let widest = findings.iter().map(|f| f.query.len()).max().unwrap_or(0);
        let (mut text, mut differ) = (String::new(), 0);
        for f in &findings {
            let files = if f.files.is_empty() { "" } else { ", as written" };
            let verdict = match &f.differs {
                None => format!("the same at {} times{files}", f.times),
                Some(what) => format!("DIFFERS: {what}"),
            };
            differ += usize::from(f.differs.is_some());
            let rows = grouped(f.rows);
            text += &format!("{:widest$}  {rows:>9} rows  {}  {verdict}\n", f.query, f.digest);
        }
        super::print(&text)?;
        if !quiet {
            let count = grouped(job.count);
            super::say(&format!("{} views over {count} records verified", findings.len()));
        }
        match differ {
            0 => Ok(()),
            n => Err(Error::Experiment(format!("{n} of {} views differ", findings.len()))),
        }
    }
}
