//! Replays recorded sessions against a model and notes the rank of every next click.
//!
//! For each judged session, each click but its first is predicted from the clicks before
//! it. `Static`: the index holds train and learns nothing more. `Streaming`: all clicks
//! come in the order of their times, and each is learnt after it was predicted, so a
//! prediction knows all earlier clicks, of other judged sessions too, and no later one.
//! Latency is the only thing here that differs between two runs.

use std::time::Instant;

use crate::hash::{Table, TableState};
use hashbrown::HashSet;

use super::clicks::Click;
use super::learner::{Learner, Update};
use crate::recommend::RecommendError;
use crate::recommend::blend::{Options, Query};
use crate::recommend::model::ModelOptions;
use crate::recommend::pairs::{Event, WINDOW};

/// What the index knows when it predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Train only.
    Static,
    /// All earlier clicks.
    Streaming,
}

/// The clicks of one replay.
#[derive(Debug, Clone, Copy)]
pub struct Clicks<'a> {
    /// Learnt, never predicted.
    pub train: &'a [Click],
    /// Learnt when streaming, never predicted.
    pub stream: &'a [Click],
    /// Predicted, and learnt when streaming.
    pub judged: &'a [Click],
}

/// One prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// The judged session.
    pub session: u64,
    /// The place of the next click among the recommended, from 1.
    pub rank: Option<usize>,
}

/// All predictions under one setting.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// In the order predicted: the same for every setting.
    pub cases: Vec<Case>,
    /// All items ever recommended.
    pub recommended: HashSet<u64, TableState>,
    /// How long each recommendation took, in microseconds.
    pub micros: Vec<f64>,
}

impl Outcome {
    /// The mean of one over the rank.
    pub fn mrr(&self) -> f64 {
        self.mean(|case| case.rank.map_or(0.0, |rank| 1.0 / rank as f64))
    }

    /// The share of next clicks that were recommended.
    pub fn hit_rate(&self) -> f64 {
        self.mean(|case| if case.rank.is_some() { 1.0 } else { 0.0 })
    }

    fn mean(&self, value: impl Fn(&Case) -> f64) -> f64 {
        self.cases.iter().map(value).sum::<f64>() / self.cases.len().max(1) as f64
    }
}

/// What a replay found.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// One for each setting.
    pub outcomes: Vec<Outcome>,
    /// How many items the index knew at the end.
    pub catalogue: usize,
}

/// Replays `clicks` and predicts under every setting at once.
pub fn replay(
    clicks: Clicks<'_>,
    protocol: Protocol,
    model: &ModelOptions,
    settings: &[Options],
) -> Result<Replayed, RecommendError> {
    let mut learner = Learner::new(model);
    let recommender = learner.model.recommender();
    let mut outcomes = vec![Outcome::default(); settings.len()];
    let mut histories: Table<u64, Vec<u64>> = Table::default();
    let mut waiting = Vec::new();
    for (source, click) in in_order(clicks, protocol) {
        if source == Source::Judged {
            let history = histories.entry(click.session).or_default();
            if !history.is_empty() {
                learner.update(waiting.drain(..))?;
                learner.model.publish();
                let from = history.len().saturating_sub(WINDOW);
                let query = Query { items: &history[from..], session: Some(&click.session) };
                for (options, outcome) in settings.iter().zip(&mut outcomes) {
                    let started = Instant::now();
                    let answer = recommender.recommend(query, options);
                    outcome.micros.push(started.elapsed().as_secs_f64() * 1e6);
                    let place = answer.iter().position(|r| r.item == click.item);
                    outcome
                        .cases
                        .push(Case { session: click.session, rank: place.map(|at| at + 1) });
                    outcome.recommended.extend(answer.iter().map(|r| r.item));
                }
            }
            history.push(click.item);
        }
        let learnt = match protocol {
            Protocol::Static => source == Source::Train,
            Protocol::Streaming => true,
        };
        if learnt {
            waiting.push(Update {
                session: click.session,
                event: Event { time: click.time, id: (source, click.line), item: click.item },
                diff: 1,
            });
        }
    }
    learner.update(waiting)?;
    learner.model.publish();
    Ok(Replayed { outcomes, catalogue: learner.model.items() })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Train,
    Stream,
    Judged,
}

/// All clicks in the order they are met: by time, then source and line; for `Static`
/// train first.
fn in_order<'a>(clicks: Clicks<'a>, protocol: Protocol) -> Vec<(Source, &'a Click)> {
    let tag = |source| move |click: &'a Click| (source, click);
    let train = clicks.train.iter().map(tag(Source::Train));
    let stream = clicks.stream.iter().map(tag(Source::Stream));
    let judged = clicks.judged.iter().map(tag(Source::Judged));
    let mut all: Vec<_> = train.chain(stream).chain(judged).collect();
    all.sort_by_key(|(source, click)| {
        let later = protocol == Protocol::Static && *source != Source::Train;
        (later, click.time, *source, click.line)
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recommend::blend::Ranker;
    use crate::recommend::defaults;
    use crate::recommend::pairs::Time;

    fn clicks(list: &[(u64, u64, i64)]) -> Vec<Click> {
        let click = |(line, (session, item, time)): (u64, &(u64, u64, i64))| Click {
            session: *session,
            item: *item,
            time: Time(*time),
            line,
        };
        (0..).zip(list).map(click).collect()
    }

    fn ranks(protocol: Protocol, stream: &[Click]) -> Vec<(u64, Option<usize>)> {
        let train = clicks(&[(1, 10, 0), (1, 11, 1)]);
        // Session 8 comes after 7 and does the same; then something never seen.
        let judged = clicks(&[
            (8, 20, 30),
            (8, 21, 31),
            (8, 99, 32),
            (7, 20, 20),
            (7, 21, 21),
            (9, 10, 40),
            (9, 11, 41),
        ]);
        let all = Clicks { train: &train, stream, judged: &judged };
        let settings = [defaults::options(Ranker::Pairs)];
        let replayed = replay(all, protocol, &defaults::MODEL, &settings).unwrap();
        let cases = replayed.outcomes[0].cases.iter();
        cases.map(|c| (c.session, c.rank)).collect()
    }

    #[test]
    fn a_click_is_learnt_after_it_was_predicted_and_only_when_streaming() {
        let none = [(7, None), (8, None), (8, None), (9, Some(1))];
        assert_eq!(ranks(Protocol::Static, &[]), none);
        let learnt = [(7, None), (8, Some(1)), (8, None), (9, Some(1))];
        assert_eq!(ranks(Protocol::Streaming, &[]), learnt);
    }

    #[test]
    fn the_stream_is_learnt_at_its_time_only() {
        let early = clicks(&[(2, 20, 10), (2, 21, 11), (2, 99, 12)]);
        let learnt = ranks(Protocol::Streaming, &early);
        assert!(learnt[..3].iter().all(|(_, rank)| rank.is_some()));
        assert_eq!(ranks(Protocol::Static, &early)[0], (7, None));
        let late = clicks(&[(2, 20, 50), (2, 21, 51), (2, 99, 52)]);
        let without = ranks(Protocol::Streaming, &[]);
        assert_eq!(ranks(Protocol::Streaming, &late), without);
    }
}
