//! Running a job as a person sees it: with a progress bar, until its end or a signal.

use super::serve::begin;
use crate::error::Error;
use crate::plan::Job;
use crate::serve::{Door, Service};
use crate::value::Decimals;
use crate::worker::{Plan, Summary, run};

/// Runs a job. `bytes` is the size of all input, if known.
pub fn launch(job: Job, bytes: Option<u64>, quiet: bool) -> Result<Summary, Error> {
    let (summary, _) = launch_served(job, bytes, quiet, None)?;
    Ok(summary)
}

/// The same, with its views served if that is wanted; what serves them goes on when the run has
/// ended.
pub fn launch_served(
    mut job: Job,
    bytes: Option<u64>,
    quiet: bool,
    door: Option<Door>,
) -> Result<(Summary, Option<Service>), Error> {
    let progress = super::show::progress(bytes, quiet);
    let silent = quiet || job.running.process > 0;
    let decimals = Decimals(job.cleaning.decimals);
    job.looked_at |= door.is_some();
    let mut plan = job.plan(&mut |note| {
        if !silent {
            super::say(note);
        }
    })?;
    let service = door.map(|door| begin(door, &mut plan, decimals)).transpose()?;
    if let Some(service) = &service {
        // Also where nothing else is told: without it nobody knows a port that was chosen.
        super::say(&format!("serving the views at {}", service.url()));
    }
    super::signals::stops(&plan.leave);
    Ok((run(Plan { progress, ..plan })?, service))
}
