//! The knee of the throughput-latency curve: the offered rate is doubled until the 99th percentile
//! exceeds the bound, and then bisected.

use super::latencies::Latencies;
use super::offer::{Loop, Offer};
use super::progress::Progress;
use super::sheet::figure;
use crate::error::Error;

/// A rate that was offered.
pub struct Tried {
    /// In events per second.
    pub rate: f64,
    /// Whether it was kept up with, and the target met.
    pub held: bool,
    /// How late its batches were visible.
    pub latencies: Latencies,
}

/// How the knee is looked for.
pub struct Search {
    /// The first rate that is tried, in events per second.
    pub rate: f64,
    /// The highest rate that is tried.
    pub most: f64,
    /// The bound on the 99th percentile, in milliseconds.
    pub target: f64,
    /// Milliseconds between batches.
    pub every: f64,
    /// For how many seconds each rate is offered.
    pub seconds: f64,
    /// How often the interval is halved.
    pub steps: u16,
}

impl Search {
    /// The rates that were tried, and the highest that held; 0 if none did.
    pub fn find(
        &self,
        running: &mut Loop,
        progress: &Progress,
    ) -> Result<(Vec<Tried>, f64), Error> {
        let mut tried = Vec::new();
        let mut holds = |rate: f64| {
            progress.step(&format!("{} events/s", figure(rate)));
            let batch = (rate * self.every / 1e3).round().max(1.0) as usize;
            let latencies = running.offer(Offer::at_rate(rate, batch, self.seconds))?;
            // A rate that is offered but not kept up with ends late, whatever the percentile says.
            running.settle();
            let kept = latencies.missed == 0
                && latencies.seconds <= self.seconds * 1.1 + self.target / 1e3;
            let held = kept && latencies.at(0.99) <= self.target;
            tried.push(Tried { rate, held, latencies });
            Ok::<bool, Error>(held)
        };
        let (mut low, mut high) = (0.0, self.rate.min(self.most));
        while holds(high)? {
            low = high;
            if high >= self.most {
                return Ok((tried, low));
            }
            high = (high * 2.0).min(self.most);
            progress.more();
        }
        for _ in 0..self.steps {
            let middle = (low + high) / 2.0;
            if holds(middle)? {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok((tried, low))
    }
}
