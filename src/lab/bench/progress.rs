//! What a person sees of an experiment while it goes on.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A bar on standard error, if that is a terminal.
pub struct Progress(ProgressBar);

impl Progress {
    /// Of so many steps.
    pub fn new(steps: u64) -> Progress {
        let bar = ProgressBar::new(steps);
        // The template is ours; should it be wrong, the default style will do.
        if let Ok(style) = ProgressStyle::with_template("{bar:20} {elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Progress(bar)
    }

    /// The next step begins.
    pub fn step(&self, what: &str) {
        if !self.0.message().is_empty() {
            self.0.inc(1);
        }
        self.0.set_message(what.to_string());
    }

    /// One more step than was thought.
    pub fn more(&self) {
        self.0.inc_length(1);
    }

    /// All is done.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}
