//! What a run cost, as `tidemill run --report FILE` writes it and `tidemill bench` reads it.

use crate::error::Error;
use crate::sink::replace_file;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, Instant};

/// What a run cost its process.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Cost {
    /// Records read, good and bad.
    pub records: u64,
    /// Changes that reached the sinks.
    pub changes: u64,
    /// Wall time, from the start of the command to the last byte written.
    pub seconds: f64,
    /// Processor time of all threads.
    pub cpu_seconds: f64,
    /// The most memory that was resident at a time, in bytes; 0 where the system does not say.
    pub peak_bytes: u64,
}

/// Measures from now on.
pub struct Meter {
    began: Instant,
    cpu: f64,
}

impl Meter {
    /// Starts.
    pub fn start() -> Meter {
        Meter { began: Instant::now(), cpu: cpu_seconds() }
    }

    /// What it cost since.
    pub fn cost(&self, records: u64, changes: u64) -> Cost {
        Cost {
            records,
            changes,
            seconds: self.began.elapsed().as_secs_f64(),
            cpu_seconds: cpu_seconds() - self.cpu,
            peak_bytes: peak_bytes(),
        }
    }
}

impl Cost {
    /// Writes it down.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        // Plain numbers: serialising them cannot fail.
        let text = serde_json::to_vec(self).unwrap_or_default();
        replace_file(path, |out| out.write_all(&text))
    }

    /// Reads what a run wrote down.
    pub fn read(path: &Path) -> Result<Cost, Error> {
        let bytes = std::fs::read(path).map_err(Error::file(path))?;
        serde_json::from_slice(&bytes).map_err(|e| Error::file(path)(e.into()))
    }
}

fn cpu_seconds() -> f64 {
    // It fails only for a wrong argument.
    getrusage(UsageWho::RUSAGE_SELF).map_or(0.0, |usage| {
        (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6
    })
}

/// Processor time of this thread so far: what a batch cost, whoever else wanted the processor.
pub fn thread_cpu() -> Duration {
    // It fails only for a wrong argument.
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

fn peak_bytes() -> u64 {
    // The high-water mark of this program alone; that of getrusage would count what started it.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    kilobytes.and_then(|n| n.trim().parse::<u64>().ok()).map_or(0, |n| n * 1024)
}
