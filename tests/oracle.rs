//! The oracle: every query of the catalog equals its naive answer at every time, on random
//! histories with disorder, duplicates, corrections and retractions, and fields that are empty.
//! Drawn at random is also what must not matter: the number of workers and the companions of a query
//! do not change its log, and the tick does not change what there is in the end. (`tests/whole.rs`
//! does the same with the program itself: sinks and processes.)

mod support;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use support::{Random, View};
use tidemill::batch::Batch;
use tidemill::clock::{Millis, Tick, Time};
use tidemill::event::Stream;
use tidemill::lab::replay::{Change, Recorded, replay};
use tidemill::lab::verify::close;
use tidemill::operator::{Dedupe, OnDuplicate};
use tidemill::queries::configured;
use tidemill::query::{AnyQuery, History};
use tidemill::value::Value;
use tidemill::worker::reads;

/// Ticks, some of them two times, so that most histories are looked at closely.
const TICKS: [u64; 7] = [1_000, 60_000, 60_000, 600_000, 600_000, 3_600_000, 86_400_000];

fn drawn(random: &mut Random) -> Tick {
    let tick = TICKS[random.below(TICKS.len() as u64) as usize];
    Tick::from_millis(tick).expect("not zero")
}

/// What came into play for a query in the histories that were drawn.
#[derive(Clone, Copy, Default)]
struct Seen {
    rows: bool,
    taken_back: bool,
    deadline: bool,
}

type Queries = Vec<Arc<dyn AnyQuery>>;
type Log = Vec<Change>;

/// A history, and how it is made unique and stamped.
struct Case {
    seed: u64,
    history: History,
    recorded: Recorded,
    dedupe: Option<Dedupe>,
    tick: Tick,
}

impl Case {
    fn new(seed: u64, recorded: &Recorded, dedupe: Option<Dedupe>, tick: Tick) -> Case {
        let recorded = support::stamped(recorded, tick);
        Case { seed, history: History::new(recorded.clone(), dedupe), recorded, dedupe, tick }
    }

    /// Those that can be asked at this tick.
    fn fitting(&self, queries: &Queries) -> Queries {
        let fits = |q: &&Arc<dyn AnyQuery>| reads(&***q).between_ticks(self.tick).is_none();
        queries.iter().filter(fits).cloned().collect()
    }

    fn logs(&self, queries: &Queries, workers: u64) -> Vec<Log> {
        replay(queries, &self.recorded, self.dedupe, self.tick, workers as usize).expect("runs")
    }

    /// Holds a query's log against its answer at every time, or at some of a long history.
    fn compare(&self, query: &dyn AnyQuery, log: &Log) -> Seen {
        let (history, seed, tick) = (&self.history, self.seed, self.tick);
        let (name, times) = (query.name(), history.times());
        let step = times.len().div_ceil(40).max(1);
        let keys = query.columns().iter().filter(|c| c.key).count();
        let passes = reads(query).time_passes();
        let mut seen = Seen::default();
        let (mut view, mut changes) = (View::default(), log.iter().peekable());
        let mut before = Time::default();
        for (n, time) in times.iter().copied().enumerate() {
            while let Some(change) = changes.next_if(|change| change.time <= time) {
                seen.taken_back |= change.diff < 0;
                view.apply(change);
            }
            if n % step != 0 && n + 1 != times.len() {
                continue;
            }
            let (mut got, mut want) = (view.rows(), query.answer_cells(history, time));
            let order = |row: &Vec<Value>| format!("{:?}", &row[..keys]);
            got.sort_by_key(order);
            want.sort_by_key(order);
            let equal = got.len() == want.len()
                && got.iter().zip(&want).all(|(a, b)| a.iter().zip(b).all(|(a, b)| close(a, b)));
            assert!(
                equal,
                "{name} at {time:?} (seed {seed}, {tick:?})\n dataflow: {got:?}\n answer:   {want:?}",
            );
            let twice = got.windows(2).find(|pair| pair[0][..keys] == pair[1][..keys]);
            assert!(twice.is_none(), "{name}: rows share a key (seed {seed}): {twice:?}");
            seen.rows |= !got.is_empty();
            if passes && !seen.deadline && before > Time::default() {
                let mut still = query.answer_cells(&history.stopped(before), time);
                still.sort_by_key(order);
                seen.deadline = still != want;
            }
            before = time;
        }
        assert!(changes.next().is_none(), "{name}: changes after the last record");
        seen
    }
}

/// The view in the end, exactly.
fn end(log: &Log) -> BTreeMap<String, isize> {
    let mut view = View::default();
    log.iter().for_each(|change| view.apply(change));
    let rows = view.0.into_iter().filter(|(_, (_, n))| *n != 0);
    rows.map(|(row, (_, n))| (row, n)).collect()
}

/// Some hours of records close together, and some weeks of records far apart.
const PACES: [u64; 4] = [400, 400, 400, 16_000];

/// Draws histories, and for each the tick, the workers and the companions.
fn check(seeds: Range<u64>, dedupe: Option<Dedupe>) -> BTreeMap<String, Seen> {
    let mut all: BTreeMap<String, Seen> = BTreeMap::new();
    for (seed, pace) in seeds.zip(PACES) {
        let recorded = support::history_at_pace(seed, 110, dedupe.is_none(), pace);
        for (name, seen) in check_history(seed, &recorded, dedupe) {
            let known = all.entry(name).or_default();
            known.rows |= seen.rows;
            known.taken_back |= seen.taken_back;
            known.deadline |= seen.deadline;
        }
    }
    all
}

/// Everything that a query can do came into play.
fn everything(all: &BTreeMap<String, Seen>) {
    let mut never = Vec::new();
    for (_, query) in tidemill::queries::catalog() {
        let (name, passes) = (query.name(), reads(&*query).time_passes());
        let Some(seen) = all.get(name) else { continue };
        if !seen.rows {
            never.push(format!("{name} has a row"));
        }
        if !seen.taken_back && !NEVER_TAKEN_BACK.contains(&name) {
            never.push(format!("{name} takes one back"));
        }
        if passes && !seen.deadline {
            never.push(format!("{name} meets a deadline"));
        }
    }
    assert!(never.is_empty(), "the histories are too poor: it never comes that {never:?}");
}

/// Its rows are never rewritten: that is what it is for.
const NEVER_TAKEN_BACK: [&str; 1] = ["risk_decisions_at_time"];

/// What it shows is what was known at a stamp, so the tick is part of its meaning.
const BY_STAMP: [&str; 1] = ["risk_decisions_at_time"];

fn check_history(seed: u64, recorded: &Recorded, dedupe: Option<Dedupe>) -> Vec<(String, Seen)> {
    let catalog = configured(&support::settings()).expect("the parameters are good");
    let mut queries: Queries = catalog.into_iter().map(|(_, query)| query).collect();
    queries.extend(support::tuned::tuned());
    // While writing a query: TIDEMILL_ORACLE=its_name cargo test --test oracle
    if let Ok(names) = std::env::var("TIDEMILL_ORACLE") {
        queries.retain(|query| names.split(',').any(|name| name == query.name()));
    }
    let mut random = Random(seed ^ 0xDA7A);
    let case = Case::new(seed, recorded, dedupe, drawn(&mut random));
    let queries = case.fitting(&queries);
    let workers = 1 + random.below(3);
    let logs = case.logs(&queries, workers);
    let seen = queries
        .iter()
        .zip(&logs)
        .map(|(query, log)| (query.name().to_string(), case.compare(&**query, log)));
    let seen = seen.collect();
    // By other workers, and with some of the companions only.
    let others = 1 + (workers + random.below(2)) % 3;
    let some: Vec<bool> = queries.iter().map(|_| random.one_in(2)).collect();
    let chosen = |(query, some): (&Arc<dyn AnyQuery>, &bool)| some.then(|| Arc::clone(query));
    let few: Queries = queries.iter().zip(&some).filter_map(chosen).collect();
    let mut fewer = case.logs(&few, others).into_iter();
    for ((query, log), _) in queries.iter().zip(&logs).zip(&some).filter(|(_, some)| **some) {
        let ways = format!("seed {seed}, {others} workers and {} queries", few.len());
        assert_eq!(Some(log), fewer.next().as_ref(), "{} differs with {ways}", query.name());
    }
    // By another tick: what there is in the end is the same.
    let other = Case::new(seed, recorded, dedupe, drawn(&mut random));
    let both = other.fitting(&queries);
    let others = other.logs(&both, workers);
    for (query, log) in both.iter().zip(&others) {
        let same = queries.iter().position(|q| Arc::ptr_eq(q, query)).expect("one of them");
        let ticks = format!("seed {seed}, {:?} and {:?}", case.tick, other.tick);
        let equal = end(&logs[same]) == end(log) || BY_STAMP.contains(&query.name());
        assert!(
            equal,
            "{} depends on the tick ({ticks}):\n{:?}\n{:?}",
            query.name(),
            end(&logs[same]),
            end(log)
        );
    }
    seen
}

fn policy(policy: OnDuplicate, hours: Option<u64>) -> Option<Dedupe> {
    Some(Dedupe { policy, keep: hours.map(Millis::hours), lateness: None })
}

#[test]
fn queries_equal_their_answers_when_later_records_replace() {
    everything(&check(0..4, policy(OnDuplicate::Replace, None)));
}

#[test]
fn queries_equal_their_answers_when_ids_are_forgotten() {
    check(10..13, policy(OnDuplicate::Replace, Some(2)));
}

#[test]
fn queries_equal_their_answers_when_records_become_final() {
    for (seed, how) in [(12, OnDuplicate::Replace), (14, OnDuplicate::Ignore)] {
        let lateness = Some(Millis::minutes(40));
        check(seed..seed + 2, Some(Dedupe { policy: how, keep: None, lateness }));
    }
    let lateness = Some(Millis::minutes(30));
    check(16..18, Some(Dedupe { policy: OnDuplicate::Keep, keep: None, lateness }));
}

#[test]
fn queries_equal_their_answers_when_later_records_are_ignored() {
    check(20..22, policy(OnDuplicate::Ignore, None));
}

#[test]
fn queries_equal_their_answers_when_later_records_are_kept() {
    check(30..32, policy(OnDuplicate::Keep, None));
}

#[test]
fn queries_equal_their_answers_on_change_logs() {
    let back = |(_, batch): &(Stream, Arc<Batch>)| (0..batch.len()).all(|row| batch.diff(row) < 0);
    let batches = (50..54).map(|seed| support::history(seed, 110, true).into_iter().filter(back));
    assert!(batches.map(|batches| batches.count()).sum::<usize>() > 10, "only taking back");
    everything(&check(50..54, None));
}

#[test]
fn queries_equal_their_answers_where_one_file_is_a_change_log() {
    for (seed, how) in [(60, OnDuplicate::Replace), (61, OnDuplicate::Keep)] {
        check_history(seed, &support::mixed_history(seed, 100), policy(how, None));
    }
}
