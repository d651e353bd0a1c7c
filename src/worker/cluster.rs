//! Threads and processes.
//!
//! Partitions are divided among processes by their number; every process must be started with
//! the same sources and queries. The processes prove a shared secret to each other before
//! anything else; what they send each other afterwards is not encrypted.

use crate::description::Description;
use crate::error::Error;
use control::{Control, Report, Setup};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::communication::{Hooks, WorkerGuards};
use timely::worker::Worker;
use timely::{CommunicationConfig, WorkerConfig};

pub(crate) mod control;
mod greeting;
mod meeting;
mod secret;
pub use secret::{Secret, VARIABLE};

/// How long the others may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

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
    pub description: Description,
    /// By what the processes know each other.
    pub secret: Option<Secret>,
    /// How long the others may take to start.
    pub patience: Duration,
}

impl Cluster {
    /// One process.
    pub fn threads(workers: usize) -> Cluster {
        Cluster {
            workers,
            addresses: Vec::new(),
            process: 0,
            description: Description::default(),
            secret: None,
            patience: PATIENCE,
        }
    }

    /// Several processes; without a host file they are on this machine, from port 2101 on.
    pub fn processes(
        workers: usize,
        processes: usize,
        process: usize,
        hostfile: Option<&Path>,
    ) -> Result<Cluster, Error> {
        if process >= processes {
            return Err(Error::Usage(format!(
                "--process {process}: with --processes {processes} it must be 0 to {}",
                processes.saturating_sub(1)
            )));
        }
        if processes <= 1 {
            return match hostfile {
                None => Ok(Cluster::threads(workers)),
                Some(path) => Err(Error::Usage(format!(
                    "--hostfile {}: there is one process only; say how many with --processes",
                    path.display()
                ))),
            };
        }
        let addresses = match hostfile {
            Some(path) => hosts(path, processes)?,
            None => (0..processes).map(|i| format!("127.0.0.1:{}", 2101 + i)).collect(),
        };
        Ok(Cluster { addresses, process, ..Cluster::threads(workers) })
    }

    /// How many processes there are.
    pub fn count(&self) -> usize {
        self.addresses.len().max(1)
    }

    /// The workers of the whole cluster.
    pub fn peers(&self) -> usize {
        self.workers * self.count()
    }

    /// Whether no other machine can call the processes. A name that is not known now may be one.
    pub fn is_local(&self) -> bool {
        self.addresses.iter().all(|address| {
            address.to_socket_addrs().is_ok_and(|mut all| all.all(|a| a.ip().is_loopback()))
        })
    }

    /// Starts the workers of a run that nobody stops and that has no verdict.
    pub(crate) fn execute<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Worker) -> T + Send + Sync + 'static,
    ) -> Result<WorkerGuards<T>, Error> {
        self.join(&|| false)?.execute(work)
    }

    /// Finds the other processes, if there are any, unless `stopped` says that nobody waits for
    /// them any more.
    pub(crate) fn join(&self, stopped: &(dyn Fn() -> bool + Sync)) -> Result<Joined<'_>, Error> {
        let (builders, control) = match (self.count(), self.workers) {
            (1, 1) => (CommunicationConfig::Thread.try_build(), Vec::new()),
            (1, n) => (CommunicationConfig::Process(n).try_build(), Vec::new()),
            _ => {
                let (builders, control) = self.meet(stopped)?;
                (Ok(builders), control)
            }
        };
        Ok(Joined { cluster: self, builders: builders.map_err(Error::Cluster)?, control })
    }

    /// The allocators and the control connections, once all processes are there.
    fn meet(
        &self,
        stopped: &(dyn Fn() -> bool + Sync),
    ) -> Result<(Builders, Vec<Option<TcpStream>>), Error> {
        let secret = match &self.secret {
            Some(secret) => secret.clone(),
            None => Secret::find(None, self.is_local())?,
        };
        let met = meeting::meet(self, &secret, stopped)?;
        let (hooks, workers) = (Hooks::default(), self.workers);
        let local = ProcessBuilder::new_typed_vector(workers, hooks.refill.clone(), None);
        let (builders, guard) =
            initialize_networking_from_sockets(local, met.data, self.process, workers, hooks)
                .map_err(|e| Error::Cluster(format!("cannot start the network threads: {e}")))?;
        let builders = builders.into_iter().map(AllocatorBuilder::Tcp).collect();
        Ok(((builders, Box::new(guard)), met.control))
    }

    fn worker_config(&self) -> WorkerConfig {
        let mut worker = WorkerConfig::default();
        // Without this an idle arrangement keeps its dead updates.
        let merge = differential_dataflow::Config::default().idle_merge_effort(Some(1000));
        differential_dataflow::configure(&mut worker, &merge);
        worker
    }
}

type Builders = (Vec<AllocatorBuilder>, Box<dyn std::any::Any + Send>);

/// A process that has found the others.
pub(crate) struct Joined<'a> {
    cluster: &'a Cluster,
    builders: Builders,
    control: Vec<Option<TcpStream>>,
}

impl Joined<'_> {
    /// Begins to tell the others how far this process is, which `own` says, and to hear of them.
    /// `stop` is set when the run has to end before its sources do.
    pub(crate) fn control(
        &mut self,
        own: impl Fn() -> Report + Send + Sync + 'static,
        stop: Arc<AtomicBool>,
        max_bad: f64,
    ) -> Result<Arc<Control>, Error> {
        let setup = Setup::of(self.cluster, stop, max_bad);
        Control::start(setup, std::mem::take(&mut self.control), Box::new(own))
    }

    /// Starts the workers.
    pub(crate) fn execute<T: Send + 'static>(
        self,
        work: impl Fn(&mut Worker) -> T + Send + Sync + 'static,
    ) -> Result<WorkerGuards<T>, Error> {
        let (builders, others) = self.builders;
        timely::execute::execute_from(builders, others, self.cluster.worker_config(), work)
            .map_err(Error::Cluster)
    }
}

/// The addresses in a host file: as many as there are processes, each `host:port`.
fn hosts(path: &Path, processes: usize) -> Result<Vec<String>, Error> {
    let file = path.display();
    let wrong = |what: String| Error::Usage(format!("--hostfile {file}{what}"));
    let text = std::fs::read_to_string(path).map_err(|e| wrong(format!(": {e}")))?;
    let mut addresses: Vec<String> = Vec::new();
    for (line, text) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        // What follows a # is a note.
        let address = text.split('#').next().unwrap_or_default().trim();
        if address.is_empty() {
            continue;
        }
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        let good_host = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            Some(v6) => {
                v6.split('%').next().is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok())
            }
            None => !host.is_empty() && !host.contains([':', ' ', '[', ']', '/']),
        };
        if !good_host || !port.parse::<u16>().is_ok_and(|port| port > 0) {
            return Err(wrong(format!(
                ", line {}: {address:?}: expected host:port, for instance 10.0.0.5:2101 or \
                 [fd00::5]:2101",
                line + 1
            )));
        }
        if let Some(other) = addresses.iter().position(|a| a == address) {
            return Err(wrong(format!(
                ", line {}: {address} is process {other} already; each needs an address of its own",
                line + 1
            )));
        }
        addresses.push(address.to_string());
    }
    if addresses.len() < processes {
        return Err(wrong(format!(
            " names {} hosts, --processes {processes} needs as many: one host:port per line",
            addresses.len()
        )));
    }
    addresses.truncate(processes);
    Ok(addresses)
}

/// Makes any panic end the process with an error, told in one line: without it the other workers
/// would wait for ever for the one that is gone. `exit` ends the process.
pub fn end_on_panic(exit: fn(i32) -> !) {
    std::panic::set_hook(Box::new(move |info| {
        use std::io::Write;
        let what = info.payload_as_str().unwrap_or("no reason given").replace('\n', " ");
        let place = info.location().map_or(String::new(), |at| format!(" at {at}"));
        let line = if what.starts_with("timely communication error") {
            // The control of the run hears of it as well, tells which process is gone or why it
            // has ended, and ends this one. This is for the case that it does not.
            std::thread::sleep(control::GRACE * 2);
            format!("the connection to another process broke, so the run is over ({what})")
        } else {
            let line = format!("failed{place}: {what}");
            control::last_words(&line);
            format!("{line}; the run is over, please report this line")
        };
        // Standard error may be gone; then nothing can be said.
        let mut err = std::io::stderr().lock();
        let _ = writeln!(err, "tidemill: {line}");
        let trace = std::backtrace::Backtrace::capture();
        if trace.status() == std::backtrace::BacktraceStatus::Captured {
            let _ = writeln!(err, "{trace}");
        }
        crate::files::abandon();
        exit(1);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_file(name: &str, text: &str, processes: usize) -> Result<Vec<String>, String> {
        let target = std::env::current_exe().expect("a test").parent().expect("deps").to_path_buf();
        let path = target.join(format!("hosts-{name}-{}", std::process::id()));
        std::fs::write(&path, text).expect("a file");
        hosts(&path, processes).map_err(|e| {
            assert_eq!(e.exit_code(), 2);
            e.to_string()
        })
    }

    #[test]
    fn a_host_file_is_read_line_by_line() {
        let text =
            "\u{feff}# two machines\r\nlocalhost:2101\r\n\n[fd00::5]:2102 # the other\nx:1\n";
        assert_eq!(host_file("good", text, 2).expect("good"), ["localhost:2101", "[fd00::5]:2102"]);
        for (i, (text, says)) in [
            ("a:1\nb\n", "line 2"),
            ("a:1\nb:0\n", "line 2"),
            ("a:1\nb:70000\n", "line 2"),
            ("a:1\n::1:5\n", "[fd00::5]:2101"),
            ("a:1\n\na:1\n", "line 3: a:1 is process 0 already"),
            ("a:1\n", "names 1 hosts"),
        ]
        .into_iter()
        .enumerate()
        {
            let error = host_file(&format!("bad-{i}"), text, 2).expect_err("bad");
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn loopback_is_told_from_the_rest() {
        let local = |addresses: &[&str]| {
            let addresses = addresses.iter().map(ToString::to_string).collect();
            Cluster { addresses, ..Cluster::threads(1) }.is_local()
        };
        assert!(local(&["127.0.0.1:1", "[::1]:2", "127.9.9.9:3"]));
        assert!(!local(&["127.0.0.1:1", "10.0.0.5:2"]));
        assert!(!local(&["127.0.0.1:1", "0.0.0.0:2"]));
    }
}
