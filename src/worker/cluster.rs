//! Threads and processes.
//!
//! Partitions are divided among processes by their number; every process must be started with
//! the same sources and queries. A worker or network thread that panics ends its process, the
//! others then lose their connection and end too.

use super::handshake;
use crate::error::Error;
use std::path::Path;
use timely::communication::WorkerGuards;
use timely::worker::Worker;
use timely::{CommunicationConfig, WorkerConfig};

/// How many threads and processes there are, and which process this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Worker threads of each process.
    pub workers: usize,
    /// `host:port` of each process; empty for a single one.
    pub addresses: Vec<String>,
    /// Which of them this is.
    pub process: usize,
    /// What the processes of one run have in common and those of another have not.
    pub run: u64,
}

impl Cluster {
    /// One process.
    pub fn threads(workers: usize) -> Cluster {
        Cluster { workers, addresses: Vec::new(), process: 0, run: 0 }
    }

    /// Several processes; without a host file they are on this machine, from port 2101 on.
    pub fn processes(
        workers: usize,
        processes: usize,
        process: usize,
        hostfile: Option<&Path>,
    ) -> Result<Cluster, Error> {
        if processes <= 1 {
            return Ok(Cluster::threads(workers));
        }
        if process >= processes {
            return Err(Error::Usage(format!(
                "--process {process}: with --processes {processes} it must be 0 to {}",
                processes - 1
            )));
        }
        let addresses: Vec<String> = match hostfile {
            Some(path) => std::fs::read_to_string(path)
                .map_err(Error::file(path))?
                .lines()
                .map(|line| line.trim().to_string())
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .take(processes)
                .collect(),
            None => (0..processes).map(|i| format!("127.0.0.1:{}", 2101 + i)).collect(),
        };
        if addresses.len() < processes {
            return Err(Error::Usage(format!(
                "--hostfile names {} hosts, --processes {processes} needs as many: one host:port per line",
                addresses.len()
            )));
        }
        Ok(Cluster { workers, addresses, process, run: 0 })
    }

    /// How many processes there are.
    pub fn count(&self) -> usize {
        self.addresses.len().max(1)
    }

    /// The workers of the whole cluster.
    pub fn peers(&self) -> usize {
        self.workers * self.count()
    }

    /// Starts the workers, in a cluster once all processes are there.
    pub(crate) fn execute<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Worker) -> T + Send + Sync + 'static,
    ) -> Result<WorkerGuards<T>, Error> {
        let (builders, others) = match (self.count(), self.workers) {
            (1, 1) => CommunicationConfig::Thread.try_build(),
            (1, n) => CommunicationConfig::Process(n).try_build(),
            _ => Ok(handshake::join(self)?),
        }
        .map_err(Error::Cluster)?;
        timely::execute::execute_from(builders, others, self.worker_config(), work)
            .map_err(Error::Cluster)
    }

    /// Says which run this is: processes that were started otherwise are refused.
    pub fn of_run(mut self, description: &str) -> Cluster {
        self.run = crate::operator::route(&(description, env!("CARGO_PKG_VERSION")));
        self
    }

    fn worker_config(&self) -> WorkerConfig {
        let mut worker = WorkerConfig::default();
        // Without this an idle arrangement keeps its dead updates.
        let merge = differential_dataflow::Config::default().idle_merge_effort(Some(1000));
        differential_dataflow::configure(&mut worker, &merge);
        worker
    }
}

/// Makes any panic end the process with an error: without it the other workers would wait for
/// ever for the one that is gone.
pub fn end_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        print(info);
        eprintln!("tidemill: a worker failed, so the run is over; please report the message above");
        std::process::exit(1);
    }));
}
