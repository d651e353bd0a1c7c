//! Running a job as a person sees it: with a progress bar, until its end or a signal.

use crate::error::Error;
use crate::plan::Job;
use crate::worker::{Plan, Summary, run};

/// Runs a job. `bytes` is the size of all input, if known.
pub fn launch(job: Job, bytes: Option<u64>, quiet: bool) -> Result<Summary, Error> {
    let progress = super::show::progress(bytes, quiet);
    let silent = quiet || job.running.process > 0;
    let plan = job.plan(&mut |note| {
        if !silent {
            super::say(note);
        }
    })?;
    super::signals::stops(&plan.feeds.stop);
    run(Plan { progress, ..plan })
}
