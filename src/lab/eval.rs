//! The evaluation report: each ranker under each protocol, and how sure the differences are.
//!
//! `static`: the index holds train. `streaming`: train, then every judged click after it
//! was predicted. `streaming_valid`: valid's clicks are learnt too, each at its time;
//! valid and test are of the same day, so this is what a live index would know. "Without
//! reminder" leaves the session's own items out of the answers, though the next click
//! may be one. Ranks are deterministic; the latencies are not.

use crate::recommend::RecommendError;
use crate::recommend::blend::{Options, Ranker};
use crate::recommend::defaults;
use crate::recommend::model::ModelOptions;
use serde::Serialize;

pub mod bootstrap;
pub mod clicks;
pub mod learner;
pub mod replay;
pub mod tune;
use bootstrap::{Difference, Draws, compare, quantile};
use clicks::Click;
use replay::{Clicks, Outcome, Protocol, replay};

/// What is evaluated.
#[derive(Debug, Clone)]
pub struct EvalOptions {
    /// The indices.
    pub model: ModelOptions,
    /// The rankers by name, with the reminder on.
    pub rankers: Vec<(&'static str, Options)>,
    /// For the intervals.
    pub draws: Draws,
}

impl Default for EvalOptions {
    fn default() -> Self {
        EvalOptions {
            model: defaults::MODEL,
            rankers: vec![
                ("pairs", defaults::options(Ranker::Pairs)),
                ("vmis_knn", defaults::options(Ranker::Knn)),
                ("blend", defaults::options(defaults::BLEND)),
            ],
            draws: Draws { resamples: 10_000, seed: 1 },
        }
    }
}

/// Latency percentiles in microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Latency {
    /// Half are faster.
    pub p50: f64,
    /// 90 % are faster.
    pub p90: f64,
    /// 99 % are faster.
    pub p99: f64,
}

/// One ranker under one protocol.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// The protocol.
    pub protocol: &'static str,
    /// Whether the session's own items may be recommended.
    pub reminder: bool,
    /// The ranker.
    pub ranker: &'static str,
    /// How many clicks were predicted.
    pub predictions: usize,
    /// The mean reciprocal rank within 20.
    pub mrr_20: f64,
    /// The share of next clicks within 20.
    pub hr_20: f64,
    /// The share of the catalogue that was recommended at least once.
    pub coverage: f64,
    /// How long a recommendation took.
    pub latency_us: Latency,
}

/// One ranker's MRR@20 less another's.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The protocol.
    pub protocol: &'static str,
    /// Whether the session's own items may be recommended.
    pub reminder: bool,
    /// The first ranker.
    pub ranker: &'static str,
    /// The one it is compared with.
    pub with: &'static str,
    /// The difference and its 95 % interval.
    pub mrr_20: Difference,
}

/// All that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The figures.
    pub results: Vec<Line>,
    /// The differences.
    pub comparisons: Vec<Comparison>,
}

/// Evaluates the rankers on `test`.
pub fn evaluate(
    train: &[Click],
    valid: &[Click],
    test: &[Click],
    options: &EvalOptions,
) -> Result<Report, RecommendError> {
    let mut report = Report { results: Vec::new(), comparisons: Vec::new() };
    let protocols: [(_, _, &[Click]); 3] = [
        ("static", Protocol::Static, &[]),
        ("streaming", Protocol::Streaming, &[]),
        ("streaming_valid", Protocol::Streaming, valid),
    ];
    // With the reminder first, then without.
    let mut settings: Vec<Options> = options.rankers.iter().map(|r| r.1).collect();
    settings.extend(options.rankers.iter().map(|(_, with)| Options { reminder: None, ..*with }));
    for (protocol, kind, stream) in protocols {
        let clicks = Clicks { train, stream, judged: test };
        let replayed = replay(clicks, kind, &options.model, &settings)?;
        let halves = replayed.outcomes.chunks(options.rankers.len().max(1));
        for (outcomes, reminder) in halves.zip([true, false]) {
            let named: Vec<_> = options.rankers.iter().map(|r| r.0).zip(outcomes).collect();
            for (ranker, outcome) in &named {
                report.results.push(Line {
                    protocol,
                    reminder,
                    ranker,
                    predictions: outcome.cases.len(),
                    mrr_20: outcome.mrr(),
                    hr_20: outcome.hit_rate(),
                    coverage: outcome.recommended.len() as f64 / replayed.catalogue.max(1) as f64,
                    latency_us: latency(outcome),
                });
            }
            for (at, (with, second)) in named.iter().enumerate() {
                for (ranker, first) in &named[at + 1..] {
                    report.comparisons.push(Comparison {
                        protocol,
                        reminder,
                        ranker,
                        with,
                        mrr_20: compare(&first.cases, &second.cases, options.draws),
                    });
                }
            }
        }
    }
    Ok(report)
}

fn latency(outcome: &Outcome) -> Latency {
    let mut sorted = outcome.micros.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |share| quantile(&sorted, share).unwrap_or(0.0);
    Latency { p50: at(0.5), p90: at(0.9), p99: at(0.99) }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let yes = |b: bool| if b { "yes" } else { "no" };
        writeln!(
            f,
            "{:16} {:8} {:9} {:>6} {:>6} {:>8} {:>7} {:>7} {:>7}",
            "protocol", "reminder", "ranker", "MRR@20", "HR@20", "coverage", "p50 us", "p90", "p99"
        )?;
        for l in &self.results {
            let t = l.latency_us;
            write!(f, "{:16} {:8} {:9}", l.protocol, yes(l.reminder), l.ranker)?;
            write!(f, " {:>6.4} {:>6.4} {:>8.4}", l.mrr_20, l.hr_20, l.coverage)?;
            writeln!(f, " {:>7.1} {:>7.1} {:>7.1}", t.p50, t.p90, t.p99)?;
        }
        writeln!(f, "\nMRR@20 differences with 95 % intervals (bootstrap by session):")?;
        for c in &self.comparisons {
            let d = c.mrr_20;
            write!(f, "{:16} {:8}", c.protocol, yes(c.reminder))?;
            write!(f, " {:9} - {:9}", c.ranker, c.with)?;
            writeln!(f, " {:+.4} [{:+.4}, {:+.4}]", d.mean, d.low, d.high)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::recommend::blend::Reminder;
    use crate::recommend::pairs::Time;

    fn clicks(seed: u64, sessions: u64, from: i64) -> Vec<Click> {
        let mut random = Random::new(seed);
        let click = |line: u64| Click {
            session: seed * 1_000 + line / 4,
            item: random.below(30) as u64,
            time: Time(from + line as i64 * 600_000),
            line,
        };
        (0..sessions * 4).map(click).collect()
    }

    #[test]
    fn reports_every_ranker_under_every_protocol_the_same_each_time() {
        let train = clicks(1, 100, 0);
        let (valid, test) = (clicks(2, 10, 400_000_000), clicks(3, 10, 400_000_001));
        let mut options = EvalOptions::default();
        options.draws.resamples = 50;
        let shown = || {
            let mut report = evaluate(&train, &valid, &test, &options).unwrap();
            assert_eq!((report.results.len(), report.comparisons.len()), (18, 18));
            for line in &mut report.results {
                assert_eq!(line.predictions, 30);
                assert!(line.mrr_20 <= line.hr_20 && line.coverage <= 1.0);
                line.latency_us = Latency { p50: 0.0, p90: 0.0, p99: 0.0 };
            }
            assert!(
                report.results.iter().any(|line| 0.0 < line.mrr_20 && line.mrr_20 < line.hr_20)
            );
            format!("{report}{}", serde_json::to_string(&report).unwrap())
        };
        let once = shown();
        assert!(once.contains("\"mrr_20\"") && once.contains("\"hr_20\""));
        assert_eq!(once, shown());
    }

    #[test]
    fn the_search_ends_higher_than_it_began() {
        let folds = tune::folds(&clicks(1, 100, 0), &clicks(2, 10, 400_000_000));
        assert!(folds.iter().all(|f| !f.judged.is_empty()));
        let mut start =
            tune::Parameters { model: defaults::MODEL, options: defaults::options(Ranker::Pairs) };
        // From a poor start there is something to find.
        start.options.reminder = Some(Reminder { weight: 3.0, rho: 0.4, skip_current: false });
        let axes = &tune::PAIR_AXES[..3];
        let best = tune::search(&folds, axes, start, |_, _, _| {}).unwrap();
        let scores = tune::scores(&folds, &[start, best]).unwrap();
        assert!(tune::mean(&scores[1]).mrr > tune::mean(&scores[0]).mrr);
    }
}
