//! The oracle: every query of the catalog equals its naive answer at every time, on random
//! histories with disorder, duplicates, corrections and retractions, with 1 and 3 workers.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill::clock::Millis;
use tidemill::event::Stream;
use tidemill::operator::{Dedupe, OnDuplicate};
use tidemill::queries::behavior::trending_items::TrendingItems;
use tidemill::queries::configured;
use tidemill::queries::mining::bought_together::BoughtTogether;
use tidemill::queries::mining::frequent_itemsets::FrequentItemsets;
use tidemill::queries::mining::inventory_alerts::InventoryAlerts;
use tidemill::queries::recommend::ad_targets::AdTargets;
use tidemill::queries::recommend::trending_for_category::TrendingForCategory;
use tidemill::queries::recommend::user_recommendations::UserRecommendations;
use tidemill::query::{AnyQuery, History};
use tidemill::value::{Money, Value};
use tidemill::worker::reads;
use tidemill::worker::replay::{Change, Recorded, replay};

/// Equal but for the last digits of a float: the answer may add up in another order.
fn close(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Real(a, p), Value::Real(b, q)) => {
            p == q && (a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3))
        }
        _ => a == b,
    }
}

/// Rows of the view after all changes up to and including a time.
struct View(BTreeMap<String, (Vec<Value>, isize)>);

impl View {
    fn apply(&mut self, change: &Change) {
        let entry = self.0.entry(format!("{:?}", change.row));
        let entry = entry.or_insert_with(|| (change.row.clone(), 0));
        entry.1 += change.diff;
    }
    fn rows(&self) -> Vec<Vec<Value>> {
        let mut rows = Vec::new();
        for (row, count) in self.0.values() {
            assert!(*count >= 0, "a row was taken back that is not there: {row:?}");
            rows.extend(std::iter::repeat_n(row.clone(), *count as usize));
        }
        rows
    }
}

fn streams(query: &dyn AnyQuery) -> Vec<Stream> {
    reads(query).streams().collect()
}

/// Queries with other parameters than the catalog's, where those would not come into play in the
/// few hours of a history.
fn tuned() -> Vec<Arc<dyn AnyQuery>> {
    let trending = TrendingItems {
        k: 3,
        least: 1,
        prior: 2,
        recent: Millis::minutes(40),
        baseline: Millis::minutes(90),
    };
    let stock = InventoryAlerts {
        window: Millis::minutes(90),
        lead: Millis::minutes(60),
        buffer: Millis::minutes(10),
    };
    let targets = AdTargets { cap: 2, span: Millis::minutes(50), budget: Money(1_200_000) };
    vec![
        Arc::new(targets),
        Arc::new(UserRecommendations { active: Millis::minutes(50), refresh: Millis::minutes(30) }),
        Arc::new(TrendingForCategory { span: Millis::minutes(50) }),
        Arc::new(trending),
        Arc::new(BoughtTogether { most: 3, least: 1, top: 5 }),
        Arc::new(FrequentItemsets { most: 4, least: 2, top: 5 }),
        Arc::new(stock),
    ]
}

fn check(seed: u64, records: usize, dedupe: Option<Dedupe>) {
    check_history(seed, support::history(seed, records, dedupe.is_none()), dedupe);
}

fn check_history(seed: u64, recorded: Recorded, dedupe: Option<Dedupe>) {
    let catalog = configured(&support::settings()).expect("the parameters are good");
    let mut queries: Vec<_> = catalog.into_iter().map(|(_, query)| query).collect();
    queries.extend(tuned());
    // While writing a query: TIDEMILL_ORACLE=its_name cargo test --test oracle
    if let Ok(names) = std::env::var("TIDEMILL_ORACLE") {
        queries.retain(|query| names.split(',').any(|name| name == query.name()));
    }
    let history = History::new(recorded.clone(), dedupe);
    let logs = replay(&queries, &recorded, dedupe, support::tick(), 1).expect("one worker runs");
    let three = replay(&queries, &recorded, dedupe, support::tick(), 3).expect("three workers run");
    // An answer reads the whole history, so of a long one some times are looked at.
    let times = history.times();
    let step = times.len().div_ceil(80).max(1);
    for ((query, log), other) in queries.iter().zip(&logs).zip(&three) {
        assert_eq!(log, other, "{}: 3 workers differ from 1 (seed {seed})", query.name());
        // Time passes for a query with the streams it reads.
        let own = streams(&**query).into_iter().flat_map(|stream| history.stamps(stream));
        let end = own.max().unwrap_or_default();
        let (mut view, mut changes) = (View(BTreeMap::new()), log.iter().peekable());
        for (n, time) in times.iter().copied().enumerate() {
            while let Some(change) = changes.next_if(|change| change.time <= time) {
                view.apply(change);
            }
            if n % step != 0 && n + 1 != times.len() {
                continue;
            }
            let (mut got, mut want) = (view.rows(), query.answer_cells(&history, time.min(end)));
            let order = |row: &Vec<Value>| {
                let keys = query.columns().iter().filter(|c| c.key).count();
                format!("{:?}", &row[..keys])
            };
            got.sort_by_key(order);
            want.sort_by_key(order);
            let equal = got.len() == want.len()
                && got.iter().zip(&want).all(|(a, b)| a.iter().zip(b).all(|(a, b)| close(a, b)));
            assert!(
                equal,
                "{} at {time:?} (seed {seed})\n dataflow: {got:?}\n answer:   {want:?}",
                query.name()
            );
        }
        assert!(changes.next().is_none(), "{}: changes after the last record", query.name());
    }
}

fn policy(policy: OnDuplicate, hours: Option<u64>) -> Option<Dedupe> {
    Some(Dedupe { policy, keep: hours.map(Millis::hours) })
}

#[test]
fn queries_equal_their_answers_when_later_records_replace() {
    (0..4).for_each(|seed| check(seed, 120, policy(OnDuplicate::Replace, None)));
}

#[test]
fn queries_equal_their_answers_when_ids_are_forgotten() {
    (10..13).for_each(|seed| check(seed, 120, policy(OnDuplicate::Replace, Some(2))));
}

#[test]
fn queries_equal_their_answers_when_later_records_are_ignored() {
    (20..22).for_each(|seed| check(seed, 120, policy(OnDuplicate::Ignore, None)));
}

#[test]
fn queries_equal_their_answers_when_later_records_are_kept() {
    (30..32).for_each(|seed| check(seed, 120, policy(OnDuplicate::Keep, None)));
}

#[test]
fn queries_equal_their_answers_on_change_logs() {
    (40..44).for_each(|seed| check(seed, 120, None));
}

#[test]
fn queries_equal_their_answers_where_one_file_is_a_change_log() {
    for (seed, how) in [(60, OnDuplicate::Replace), (61, OnDuplicate::Keep)] {
        check_history(seed, support::mixed_history(seed, 100), policy(how, None));
    }
}

#[test]
fn queries_equal_their_answers_over_weeks() {
    for seed in 50..52 {
        let recorded = support::history_at_pace(seed, 90, false, 16_000);
        check_history(seed, recorded, policy(OnDuplicate::Replace, None));
    }
}
