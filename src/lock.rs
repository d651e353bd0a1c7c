//! Locks that a thread which panics cannot poison for the others.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes a lock. A panic of whoever had it ends the program anyway.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
