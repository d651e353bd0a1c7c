//! The last words of a process that panics, to the others of its cluster.

use super::Control;
use crate::lock::lock;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// The run that is going on, for a panic to end.
static RUNNING: Mutex<Weak<Control>> = Mutex::new(Weak::new());

/// From now on a panic of this process is told to the others.
pub(crate) fn tell_of_panics(control: &Arc<Control>) {
    *lock(&RUNNING) = Arc::downgrade(control);
}

/// Tells the others why this process ends. It is called when something is wrong with the program
/// itself: it waits for no lock for long.
pub(in super::super) fn last_words(why: &str) {
    if std::thread::current().name() == Some("control") {
        return;
    }
    let Some(control) = RUNNING.try_lock().ok().and_then(|running| running.upgrade()) else {
        return;
    };
    for _ in 0..50 {
        // The panic may have come while this thread held it.
        if control.state.try_lock().is_ok() {
            control.fail(why);
            control.close();
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
