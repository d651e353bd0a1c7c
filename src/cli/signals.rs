//! SIGINT, SIGTERM and SIGHUP: the first one ends a run in good order, the second at once.
//!
//! A thread waits for them, so no code runs inside a signal handler. While a run that can be
//! stopped is going on, the first signal sets its flag: the sources end, what is sealed is written,
//! and the program ends with 128 plus the signal's number, as a shell would say it. Anything else
//! ends at once with that code.

use crate::error::Error;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex};

/// The first signal that came; 0 before.
static CAUGHT: AtomicI32 = AtomicI32::new(0);
/// The flag of what is going on, and what is told when a signal ends it.
static RUNNING: Mutex<Option<(Arc<AtomicBool>, &str)>> = Mutex::new(None);

/// Begins to wait for signals. Where that is not possible they end the program as they would
/// without us. `exit` ends the process.
pub fn watch(exit: fn(i32) -> !) {
    let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !ignored(*signal));
    let Ok(mut signals) = Signals::new(wanted) else { return };
    let wait = move || signals.forever().for_each(|signal| heed(signal, exit));
    // If there is no thread to be had, there is no run that could be stopped in good order.
    let _ = std::thread::Builder::new().name("signals".into()).spawn(wait);
}

/// From now on a signal stops a run by this flag.
pub fn stops(flag: &Arc<AtomicBool>) {
    let told = "stopping, and writing what is sealed (once more to end at once)";
    *crate::lock::lock(&RUNNING) = Some((Arc::clone(flag), told));
}

/// From now on a signal ends by this flag what has nothing to write.
pub fn ends(flag: &Arc<AtomicBool>) {
    *crate::lock::lock(&RUNNING) = Some((Arc::clone(flag), "ended"));
}

/// Whether a signal has come.
pub fn caught() -> bool {
    CAUGHT.load(Ordering::SeqCst) > 0
}

/// The end of a run: an error if a signal ended it early.
pub fn end(stopped: bool) -> Result<(), Error> {
    match CAUGHT.load(Ordering::SeqCst) {
        signal if signal > 0 && stopped => Err(Error::Stopped { name: name(signal), signal }),
        _ => Ok(()),
    }
}

fn heed(signal: i32, exit: fn(i32) -> !) {
    let running = crate::lock::lock(&RUNNING).clone();
    let first = CAUGHT.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst).is_ok();
    match running {
        Some((flag, told)) if first => {
            flag.store(true, Ordering::SeqCst);
            // By another thread: a standard error that nobody reads blocks who writes to it, and
            // the second signal must still be heard.
            let say = move || super::say(&format!("\n{}: {told}", name(signal)));
            let _ = std::thread::Builder::new().spawn(say);
        }
        _ => {
            crate::files::abandon();
            exit(128 + signal)
        }
    }
}

fn name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "SIGINT",
        SIGTERM => "SIGTERM",
        _ => "SIGHUP",
    }
}

/// Whether whoever started the program wants a signal to be ignored, as `nohup` does with SIGHUP.
fn ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
