//! Chooses parameters by coordinate search on validation folds; test is never read.
//!
//! The folds are valid itself and the last two days of train, each predicted from what
//! came before it: valid alone is small (330 sessions), and a value that wins there but
//! not on the tails is chance. Each step tries a short grid of round values of one
//! parameter around the best so far, and prints all of it, so that a flat region can be
//! told from a peak.

use std::collections::BTreeMap;

use super::clicks::Click;
use super::replay::{Clicks, Protocol, replay};
use crate::recommend::RecommendError;
use crate::recommend::blend::{Options, Ranker, Reminder};
use crate::recommend::model::ModelOptions;

/// All that is tuned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameters {
    /// The indices.
    pub model: ModelOptions,
    /// The rankers.
    pub options: Options,
}

/// A parameter, its grid and how to set it.
pub struct Axis {
    /// Its name in the printed table.
    pub name: &'static str,
    /// The values to try.
    pub grid: &'static [f64],
    /// Sets it.
    pub set: fn(&mut Parameters, f64),
}

/// Train and what is predicted from it.
#[derive(Debug, Clone)]
pub struct Fold {
    /// Learnt first.
    pub train: Vec<Click>,
    /// Predicted.
    pub judged: Vec<Click>,
}

/// What a fold's predictions were worth.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quality {
    /// MRR@20: what the search goes by.
    pub mrr: f64,
    /// HR@20, for choosing within a flat region.
    pub hit_rate: f64,
}

/// The mean over the folds.
pub fn mean(of: &[Quality]) -> Quality {
    let folds = of.len().max(1) as f64;
    Quality {
        mrr: of.iter().map(|q| q.mrr).sum::<f64>() / folds,
        hit_rate: of.iter().map(|q| q.hit_rate).sum::<f64>() / folds,
    }
}

/// The parameters of the first ranker and the reminder.
pub const PAIR_AXES: &[Axis] = &[
    Axis {
        name: "reminder weight",
        grid: &[0.4, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0],
        set: |p, v| reminder(p, |r| r.weight = v),
    },
    Axis {
        name: "reminder rho",
        grid: &[0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
        set: |p, v| reminder(p, |r| r.rho = v),
    },
    Axis {
        name: "skip current",
        grid: &[0.0, 1.0],
        set: |p, v| reminder(p, |r| r.skip_current = v > 0.5),
    },
    Axis {
        name: "last",
        grid: &[2.0, 3.0, 4.0, 6.0, 8.0, 12.0],
        set: |p, v| p.options.pairs.last = v as usize,
    },
    Axis {
        name: "rho",
        grid: &[0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8],
        set: |p, v| p.options.pairs.rho = v,
    },
    Axis {
        name: "backward",
        grid: &[0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.5],
        set: |p, v| p.options.pairs.backward = v,
    },
    Axis {
        name: "alpha",
        grid: &[0.0, 0.25, 0.5, 0.6, 0.75, 0.9, 1.0],
        set: |p, v| p.options.pairs.alpha = v,
    },
    Axis {
        name: "beta",
        grid: &[0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4],
        set: |p, v| p.options.pairs.beta = v,
    },
];

/// The parameters of the index, each value a replay of its own.
pub const INDEX_AXES: &[Axis] = &[
    Axis {
        name: "fade",
        grid: &[0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
        set: |p, v| p.model.reading.fade = v,
    },
    Axis {
        name: "keep",
        grid: &[20.0, 50.0, 100.0, 1000.0],
        set: |p, v| p.model.reading.keep = v as usize,
    },
];

/// The parameters of the second ranker.
pub const KNN_AXES: &[Axis] = &[
    Axis {
        name: "knn last",
        grid: &[2.0, 3.0, 4.0, 6.0, 8.0, 12.0],
        set: |p, v| p.options.knn.last = v as usize,
    },
    Axis {
        name: "knn m",
        grid: &[50.0, 100.0, 200.0, 500.0, 1000.0],
        set: |p, v| p.options.knn.recent = v as usize,
    },
    Axis {
        name: "knn k",
        grid: &[25.0, 50.0, 100.0, 200.0, 500.0],
        set: |p, v| p.options.knn.neighbours = v as usize,
    },
];

/// The weight of the blend.
pub const BLEND_AXES: &[Axis] = &[Axis {
    name: "blend",
    grid: &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
    set: |p, v| p.options.ranker = Ranker::Blend(v),
}];

fn reminder(parameters: &mut Parameters, change: impl Fn(&mut Reminder)) {
    if let Some(reminder) = &mut parameters.options.reminder {
        change(reminder);
    }
}

/// Valid, and the last two days of train as further folds.
pub fn folds(train: &[Click], valid: &[Click]) -> Vec<Fold> {
    const DAY: i64 = 86_400_000;
    let end = train.iter().map(|c| c.time.0).max().unwrap_or(0);
    let mut starts = BTreeMap::new();
    for click in train {
        let start = starts.entry(click.session).or_insert(click.time);
        *start = click.time.min(*start);
    }
    let between = |from: i64, to: i64| -> Vec<Click> {
        let start = |c: &&Click| starts.get(&c.session).is_some_and(|s| (from..to).contains(&s.0));
        train.iter().filter(start).copied().collect()
    };
    let tail = |to: i64| Fold { train: between(i64::MIN, to - DAY), judged: between(to - DAY, to) };
    vec![Fold { train: train.to_vec(), judged: valid.to_vec() }, tail(end + 1), tail(end + 1 - DAY)]
}

/// MRR@20 and HR@20, streaming, of each of `tried` on each fold. Equal models share a replay.
pub fn scores(folds: &[Fold], tried: &[Parameters]) -> Result<Vec<Vec<Quality>>, RecommendError> {
    let mut scores = vec![Vec::new(); tried.len()];
    for fold in folds {
        let clicks = Clicks { train: &fold.train, stream: &[], judged: &fold.judged };
        let mut at = 0;
        for group in tried.chunk_by(|a, b| a.model == b.model) {
            let settings: Vec<_> = group.iter().map(|p| p.options).collect();
            // Chunks are not empty.
            let replayed = replay(clicks, Protocol::Streaming, &group[0].model, &settings)?;
            for outcome in replayed.outcomes {
                scores[at].push(Quality { mrr: outcome.mrr(), hit_rate: outcome.hit_rate() });
                at += 1;
            }
        }
    }
    Ok(scores)
}

/// One pass over the axes; `report` gets each axis, value and its fold scores.
pub fn search(
    folds: &[Fold],
    axes: &[Axis],
    start: Parameters,
    mut report: impl FnMut(&Axis, f64, &[Quality]),
) -> Result<Parameters, RecommendError> {
    let mut best = start;
    for axis in axes {
        let tried: Vec<_> = axis
            .grid
            .iter()
            .map(|value| {
                let mut parameters = best;
                (axis.set)(&mut parameters, *value);
                parameters
            })
            .collect();
        let scores = scores(folds, &tried)?;
        let mut highest = f64::MIN;
        for ((value, parameters), of) in axis.grid.iter().zip(&tried).zip(&scores) {
            report(axis, *value, of);
            let mrr = mean(of).mrr;
            if mrr > highest {
                highest = mrr;
                best = *parameters;
            }
        }
    }
    Ok(best)
}
