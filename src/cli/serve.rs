//! `--serve`: the views over HTTP while a run goes on, and after its sources have ended.

use crate::error::Error;
use crate::queries::catalog;
use crate::query::AnyQuery;
use crate::serve::{ADDRESS, Door, Options, Service};
use crate::source::pace::{Pace, Rate, Speed};
use crate::value::Decimals;
use crate::worker::Plan;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How soon a signal is heeded while nothing but serving goes on.
const LOOK: Duration = Duration::from_millis(50);

/// Where and to whom views are served.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "Serving")]
pub struct Serving {
    /// Serve the views over HTTP while the run goes on, and the final ones until Ctrl-C
    /// [without ADDR: 127.0.0.1:7878]
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = ADDRESS)]
    pub serve: Option<String>,
    /// A file with the token that readers must send (Authorization: Bearer TOKEN); or the variable
    /// TIDEMILL_TOKEN
    #[arg(long, value_name = "FILE", requires = "serve")]
    pub token_file: Option<PathBuf>,
    /// Serve other machines without a token: everybody who can reach the address reads everything
    #[arg(long, requires = "serve")]
    pub insecure: bool,
}

impl Serving {
    /// Whether views are served.
    pub fn is_on(&self) -> bool {
        self.serve.is_some()
    }

    /// Takes the address, if views are served by this process: only process 0 sees them.
    pub fn open(&self, process: u16) -> Result<Option<Door>, Error> {
        let Some(address) = self.serve.clone().filter(|_| process == 0) else { return Ok(None) };
        let (token_file, insecure) = (self.token_file.clone(), self.insecure);
        Options { address, token_file, insecure }.open().map(Some)
    }
}

/// How fast records are let through.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "Pace")]
pub struct Pacing {
    /// Let records through as fast as they happened, times this, from the first on: 60x is an hour
    /// of them in a minute [default: as fast as they come]
    #[arg(long, value_name = "TIMES", conflicts_with = "rate")]
    pub speed: Option<Speed>,
    /// Let so many records through in a second, in the order of their times, in each process
    #[arg(long, value_name = "N/s")]
    pub rate: Option<Rate>,
}

impl Pacing {
    /// As a job has it.
    pub fn plan(&self) -> Option<Pace> {
        let by_time = self.speed.map(|speed| Pace::by_time(speed, None));
        by_time.or_else(|| self.rate.map(Pace::by_count))
    }
}

/// Serves the views of a plan.
pub fn begin(door: Door, plan: &mut Plan, decimals: Decimals) -> Result<Service, Error> {
    let listed = catalog();
    let area = |query: &Arc<dyn AnyQuery>| {
        let found = listed.iter().find(|(_, listed)| listed.name() == query.name());
        (found.map_or("", |(area, _)| *area), Arc::clone(query))
    };
    let queries: Vec<_> = plan.graph.queries.iter().map(area).collect();
    let (service, feed) = door.serve(&queries, Arc::clone(&plan.feeds), decimals)?;
    plan.sinks.push(Box::new(feed));
    Ok(service)
}

/// Goes on serving the final views until a signal comes.
pub fn stay(service: Option<Service>, stopped: bool) {
    let Some(service) = service.filter(|_| !stopped) else { return };
    let flag = Arc::new(AtomicBool::new(false));
    super::signals::ends(&flag);
    super::say(&format!(
        "the sources have ended; the final views are at {} until Ctrl-C",
        service.url()
    ));
    while !flag.load(Ordering::SeqCst) && !super::signals::caught() {
        std::thread::sleep(LOOK);
    }
}
