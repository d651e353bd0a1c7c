//! A run as a user would start it, in processes of its own, with its cost and the digests of its
//! views. Memory and processor time are then the run's alone, and nothing is warm from before but
//! the files.

use super::workload::Workload;
use crate::error::Error;
use crate::lab::cost::Cost;
use crate::sink::replace_file;
use crate::worker::VARIABLE;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// How a run is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    /// Worker threads of each process.
    pub workers: usize,
    /// Processes on this machine.
    pub processes: usize,
}

impl Division {
    /// One worker.
    pub const ONE: Division = Division { workers: 1, processes: 1 };
    /// Two workers.
    pub const TWO: Division = Division { workers: 2, processes: 1 };
}

impl std::fmt::Display for Division {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x {}", self.workers, self.processes)
    }
}

/// What a run cost, and the digests of its views.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Of all processes: time of the slowest, the rest added up.
    pub cost: Cost,
    /// One line per view.
    pub views: String,
}

/// Runs some queries over some sources.
pub fn run(
    workload: &Workload,
    sources: &[String],
    queries: &[String],
    division: Division,
) -> Result<Measured, Error> {
    let program = std::env::current_exe().map_err(Error::file("this program"))?;
    let place = |name: String| workload.out.join(format!(".{name}.{}", std::process::id()));
    let digests = place("views.csv".into());
    let hosts = place("hosts".into());
    let mut temporary = vec![digests.clone(), hosts.clone()];
    if division.processes > 1 {
        let ports = free_ports(division.processes)?;
        replace_file(&hosts, |out| out.write_all(ports.as_bytes()))?;
    }
    let secret = random()?;
    let mut started: Vec<(Child, PathBuf)> = Vec::new();
    for process in 0..division.processes {
        let report = place(format!("report-{process}"));
        let mut command = Command::new(&program);
        command.args(["run", "--quiet", "--workers", &division.workers.to_string()]);
        command.args(sources.iter().flat_map(|s| ["--source", s]));
        command.args(queries.iter().flat_map(|q| ["--query", q]));
        command.arg("--sink").arg(format!("digest:{}", digests.display()));
        command.arg("--dead-letters").arg(workload.out.join("dead_letters.jsonl"));
        command.arg("--report").arg(&report);
        if division.processes > 1 {
            let (count, this) = (division.processes.to_string(), process.to_string());
            command.args(["--processes", &count, "--process", &this, "--hostfile"]).arg(&hosts);
            command.env(VARIABLE, &secret);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        temporary.push(report.clone());
        started.push((command.spawn().map_err(Error::file(&program))?, report));
    }
    let result = finish(started, &digests);
    for path in temporary {
        // Not all of them were made.
        let _ = std::fs::remove_file(path);
    }
    result
}

fn finish(started: Vec<(Child, PathBuf)>, digests: &PathBuf) -> Result<Measured, Error> {
    let mut total = Cost::default();
    for (child, report) in started {
        let output = child.wait_with_output().map_err(Error::file("a measured run"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.trim().trim_start_matches("tidemill: ").to_string();
            return Err(match output.status.code() {
                Some(2) => Error::Usage(said),
                _ => Error::Experiment(format!("a measured run failed: {said}")),
            });
        }
        let cost = Cost::read(&report)?;
        total.records += cost.records;
        total.changes += cost.changes;
        total.seconds = total.seconds.max(cost.seconds);
        total.cpu_seconds += cost.cpu_seconds;
        total.peak_bytes += cost.peak_bytes;
    }
    let views = std::fs::read_to_string(digests).map_err(Error::file(digests))?;
    Ok(Measured { cost: total, views })
}

/// The views that runs divided this way must give: those of one worker, or for one worker of two.
pub fn reference(
    workload: &Workload,
    sources: &[String],
    queries: &[String],
    division: Division,
) -> Result<String, Error> {
    let other = if division == Division::ONE { Division::TWO } else { Division::ONE };
    Ok(run(workload, sources, queries, other)?.views)
}

/// A secret for processes that are started together.
fn random() -> Result<String, Error> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)
        .map_err(|e| Error::Experiment(format!("the system gives no random numbers: {e}")))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A host file of ports that are free now.
fn free_ports(count: usize) -> Result<String, Error> {
    let bind = |_| TcpListener::bind("127.0.0.1:0").and_then(|l| Ok((l.local_addr()?, l)));
    // All are held until all are known, so that they differ.
    let bound: Vec<_> =
        (0..count).map(bind).collect::<Result<_, _>>().map_err(Error::file("127.0.0.1"))?;
    Ok(bound.iter().map(|(address, _)| format!("{address}\n")).collect())
}

/// Refuses a figure whose views are not those of the reference.
pub fn verify(what: &str, views: &str, reference: &str) -> Result<(), Error> {
    if views == reference {
        return Ok(());
    }
    let wrong = views.lines().zip(reference.lines()).find(|(a, b)| a != b);
    let (got, want) = wrong.unwrap_or((views, reference));
    Err(Error::Experiment(format!(
        "{what}: the views differ from the reference run's, so there is no figure (view,rows,checksum: {got}, expected {want}); please report this with the command"
    )))
}

#[cfg(test)]
mod tests {
    use super::verify;

    const VIEWS: &str = "view,rows,crc32c\na,2,00000001\nab,3,0000000f\n";

    #[test]
    fn views_that_differ_are_no_figure() {
        assert!(verify("run 1", VIEWS, VIEWS).is_ok());
        for wrong in [VIEWS.replace("0f", "0e"), VIEWS.replace(",3,", ",4,"), String::new()] {
            let error = verify("run 1", &wrong, VIEWS).expect_err("they differ");
            assert_eq!(error.exit_code(), 1);
            assert!(error.to_string().contains("run 1: the views differ"), "{error}");
        }
        let more = format!("{VIEWS}b,1,00000000\n");
        assert!(verify("run 1", VIEWS, &more).is_err() && verify("run 1", &more, VIEWS).is_err());
    }
}
