//! Where to say what a person should know while a run goes on: that a disk is full, that a database
//! is away.

use std::sync::Arc;

/// Somebody who is told; nobody unless it is said who.
#[derive(Clone, Default)]
pub struct Tell(Option<Arc<Say>>);

impl std::fmt::Debug for Tell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tell")
    }
}

type Say = dyn Fn(&str) + Send + Sync;

impl Tell {
    /// Says it so.
    pub fn by(say: impl Fn(&str) + Send + Sync + 'static) -> Tell {
        Tell(Some(Arc::new(say)))
    }

    /// Tells a line.
    pub fn say(&self, what: &str) {
        if let Some(say) = &self.0 {
            say(what);
        }
    }
}
