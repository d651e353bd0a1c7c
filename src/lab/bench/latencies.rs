//! How late batches were visible, told apart by shares of them.

use super::sheet::{Row, figure};
use crate::error::Error;
use hdrhistogram::Histogram;
use std::time::Duration;

/// Latencies are told apart to three digits, up to this many nanoseconds (an hour).
const LONGEST: u64 = 3_600_000_000_000;
/// How late batches were visible.
pub struct Latencies {
    /// Of the latencies, in nanoseconds.
    pub(super) histogram: Histogram<u64>,
    /// Of the processor time of worker 0.
    pub(super) work: Histogram<u64>,
    /// Events offered.
    pub(super) events: usize,
    /// From the first one due until all were visible.
    pub seconds: f64,
    /// Changes of views.
    pub(super) changes: u64,
    /// Batches that were not offered, because the rate is more than can be made or taken.
    pub missed: usize,
}

impl Latencies {
    /// The latency that this share of the batches did not exceed, in milliseconds.
    pub fn at(&self, share: f64) -> f64 {
        self.histogram.value_at_quantile(share) as f64 / 1e6
    }

    /// The curve of the latency over the share of the batches, in milliseconds.
    pub fn curve(&self) -> Vec<(f64, f64)> {
        curve(&self.histogram)
    }

    /// The same of the processor time of worker 0.
    pub fn work_curve(&self) -> Vec<(f64, f64)> {
        curve(&self.work)
    }

    /// The processor time of worker 0 that this share of the batches did not exceed, in
    /// milliseconds: the latency without waiting for the processor or for other workers.
    pub fn work(&self, share: f64) -> f64 {
        self.work.value_at_quantile(share) as f64 / 1e6
    }

    /// Batches measured.
    pub fn batches(&self) -> u64 {
        self.histogram.len()
    }

    /// For the sheet: milliseconds.
    pub fn row(&self) -> Row {
        vec![
            ("batches", self.batches().to_string()),
            ("achieved_per_s", figure(self.events as f64 / self.seconds)),
            ("p50_ms", figure(self.at(0.5))),
            ("p90_ms", figure(self.at(0.9))),
            ("p99_ms", figure(self.at(0.99))),
            ("p99_9_ms", figure(self.at(0.999))),
            ("max_ms", figure(self.at(1.0))),
            ("work_p50_ms", figure(self.work(0.5))),
            ("work_p99_ms", figure(self.work(0.99))),
            ("view_changes", self.changes.to_string()),
        ]
    }
}

/// As far into the tail as there are batches to tell of it.
fn curve(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let nines = (histogram.len().max(1) as f64).log10();
    let steps = (nines * 20.0).floor() as i32;
    let share = |step: i32| 1.0 - 10f64.powf(-f64::from(step) / 20.0);
    let at = |share: f64| (share, histogram.value_at_quantile(share) as f64 / 1e6);
    (0..=steps).map(|step| at(share(step))).collect()
}

/// Counts durations, and takes them away.
pub(super) fn histogram(durations: &mut Vec<Duration>) -> Result<Histogram<u64>, Error> {
    let mut histogram = Histogram::new_with_bounds(1, LONGEST, 3)
        .map_err(|e| Error::Experiment(format!("cannot count latencies: {e}")))?;
    for duration in durations.drain(..) {
        histogram.saturating_record((duration.as_nanos() as u64).max(1));
    }
    Ok(histogram)
}
