//! Threads, processes and the tick.

use super::Job;
use crate::clock::Tick;
use crate::error::Error;
use crate::query::AnyQuery;
use crate::source::IN_FLIGHT;
use crate::worker::{Cluster, Secret};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How a run is divided, and how finely its results are visible.
#[derive(Clone, Debug)]
pub struct Running {
    /// Worker threads of each process; none: one per core.
    pub workers: Option<u16>,
    /// Processes of the cluster.
    pub processes: u16,
    /// Which process this is, from 0; process 0 writes the results.
    pub process: u16,
    /// A file with the address of each process; none: all are on this machine.
    pub hostfile: Option<PathBuf>,
    /// A file with the secret by which the processes know each other.
    pub secret_file: Option<PathBuf>,
    /// How long to wait for the other processes to start.
    pub join_timeout: Duration,
    /// How many bytes of records may be under way between reading and results.
    pub in_flight: usize,
    /// How finely results are visible in time; none: as the sinks and queries need it.
    pub tick: Option<Tick>,
}

impl Default for Running {
    fn default() -> Self {
        Running {
            workers: None,
            processes: 1,
            process: 0,
            hostfile: None,
            secret_file: None,
            join_timeout: Duration::from_secs(60),
            in_flight: IN_FLIGHT,
            tick: None,
        }
    }
}

impl Running {
    /// One worker.
    pub fn one_worker(tick: Option<Tick>) -> Running {
        Running { workers: Some(1), tick, ..Running::default() }
    }

    /// How many worker threads a process has.
    pub fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.workers.map_or_else(cores, usize::from)
    }

    pub(super) fn cluster(&self) -> Result<Cluster, Error> {
        let workers = self.threads();
        let (count, process) = (usize::from(self.processes), usize::from(self.process));
        let mut cluster = Cluster::processes(workers, count, process, self.hostfile.as_deref())?;
        if let (1, Some(path)) = (count, &self.secret_file) {
            return Err(Error::Usage(format!(
                "--secret-file {}: there is one process only; say how many with --processes",
                path.display()
            )));
        }
        cluster.patience = self.join_timeout;
        Ok(cluster)
    }
}

impl Job {
    /// The cluster with what its processes must have in common, and by what they know each other.
    pub(super) fn described(
        &self,
        mut cluster: Cluster,
        queries: &[Arc<dyn AnyQuery>],
        tick: Tick,
    ) -> Result<Cluster, Error> {
        if cluster.count() > 1 {
            cluster.description = self.describe(&cluster, queries, tick);
            let file = self.running.secret_file.as_deref();
            cluster.secret = Some(Secret::find(file, cluster.is_local())?);
        }
        Ok(cluster)
    }
}
