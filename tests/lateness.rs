//! With a bounded lateness states drop what is final, and nobody can tell: for every query of the
//! catalog, over records of which none is later than that, the change log is the one of a run in
//! which nothing is ever dropped.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use support::Random;
use support::tuned::all;
use tidemill::batch::{Batch, Column};
use tidemill::clock::{Millis, Tick, Time};
use tidemill::event::Stream;
use tidemill::lab::replay::Recorded;
use tidemill::lab::restore::{Outcome, Part};
use tidemill::operator::{Dedupe, OnDuplicate};
use tidemill::query::History;
use tidemill::value::Value;

/// The records that are at most so late, by the newest event time of their partition so far, and
/// whose id, of whatever line, does not come again when that is too late to change what it was: who uses an id anew
/// after so long has another record, and both stand.
fn accepted(recorded: &Recorded, lateness: Millis) -> Recorded {
    let mut newest: BTreeMap<(Stream, u32), i64> = BTreeMap::new();
    let mut first: BTreeMap<(Stream, String), i64> = BTreeMap::new();
    let mut accept = |(stream, batch): &(Stream, Arc<Batch>)| {
        let mut batch = (**batch).clone();
        let newest = newest.entry((*stream, batch.partition)).or_insert(i64::MIN);
        let mut refused = Vec::new();
        for (row, time) in batch.times.iter().enumerate() {
            let final_until = newest.saturating_sub(lateness.signed());
            let id = match &batch.columns[stream.id()] {
                Column::Text(ids) if !ids[row].is_empty() => ids[row].to_string(),
                _ => format!("row {row} at {}", batch.offset),
            };
            let known = *first.entry((*stream, id)).or_insert(*time);
            if final_until > *time || time.abs_diff(known) > lateness.0 / 2 {
                refused.push(row);
            } else {
                *newest = (*newest).max(*time);
            }
        }
        batch.remove(&refused);
        (*stream, Arc::new(batch))
    };
    let kept = recorded.iter().map(&mut accept);
    kept.filter(|(_, batch)| !batch.is_empty()).collect()
}

/// Runs the accepted part of a history with and without dropping; gives how many entries each
/// operator has at the last time but one, with and without.
fn check(seed: u64, recorded: &Recorded, policy: Option<OnDuplicate>) -> Vec<(String, u64, u64)> {
    let mut random = Random(seed ^ 0x1A7E);
    let tick = [1_000, 60_000, 600_000, 3_600_000][random.below(4) as usize];
    let tick = Tick::from_millis(tick).expect("not zero");
    let lateness = Millis::minutes([1, 5, 30, 90, 300][random.below(5) as usize]);
    let recorded = support::stamped(&accepted(recorded, lateness), tick);
    let dedupe = policy.map(|policy| Dedupe { policy, keep: None, lateness: Some(lateness) });
    let times = History::new(recorded.clone(), dedupe).times();
    let cut: Time = times[times.len() - 2];
    let workers = 1 + random.below(2) as usize;
    let reach = lateness;
    let run = |lateness: Option<Millis>| {
        let reach = Some(reach);
        let part = Part { queries: all(tick), dedupe, tick, lateness, reach, workers };
        part.run(&recorded, None, Some(cut)).expect("runs")
    };
    let (dropping, keeping): (Outcome, Outcome) = (run(Some(lateness)), run(None));
    for (i, query) in all(tick).iter().enumerate() {
        let of = format!("{} (seed {seed}, {tick:?}, {lateness})", query.name());
        let differs = keeping.logs[i].iter().zip(&dropping.logs[i]).find(|(a, b)| a != b);
        assert!(differs.is_none(), "{of}: {differs:?}");
        assert_eq!(keeping.logs[i].len(), dropping.logs[i].len(), "{of}");
    }
    let kept: BTreeMap<&str, u64> =
        keeping.contents.sizes().map(|(name, size)| (name, size.entries)).collect();
    let sizes = dropping.contents.sizes();
    sizes.map(|(name, size)| (name.to_owned(), size.entries, kept[name])).collect()
}

/// Some that keep each payment, visit or login, but only for as long as it can change.
const DROPS: [&str; 7] = [
    "hourly_transactions/HourlyTransactions",
    "top_items_hourly/TopItemsHourly",
    "active_users_hourly/ActiveUsersHourly",
    "hourly_logistics/HourlyLogistics",
    "velocity/Velocity",
    "risk_decisions_at_time/First",
    "security_alerts/Bursts",
];

#[test]
fn what_is_final_is_dropped_and_nobody_can_tell() {
    let mut all: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let policies =
        [OnDuplicate::Replace, OnDuplicate::Keep, OnDuplicate::Ignore].into_iter().cycle();
    for (seed, policy) in (0..seeds()).zip(policies) {
        check(seed, &support::history(seed, 110, false), Some(policy));
        // Over weeks, so that what is kept for a day goes as well.
        let weeks = support::history_at_pace(seed, 110, false, 16_000);
        for (name, with, without) in check(seed, &weeks, Some(policy)) {
            let known = all.entry(name).or_default();
            *known = (known.0 + with, known.1 + without);
        }
    }
    check(50, &support::history(50, 110, true), None);
    let kept = DROPS.map(|name| (name, all.get(name).copied().unwrap_or_default()));
    let kept: Vec<_> = kept.iter().filter(|(_, (with, without))| 2 * with >= *without).collect();
    assert!(kept.is_empty(), "half or more is still there: {kept:?}");
}

/// What is final is a matter of a millisecond: when the clock is half an hour less a millisecond after
/// the end of an hour, a record of its last millisecond can still come.
#[test]
fn an_hour_is_kept_to_its_last_moment() {
    let csv = "transaction_time,transaction_id,amount\n\
        2026-01-05T00:00:00.000Z,a,1.00\n\
        2026-01-05T01:29:59.998Z,b,2.00\n\
        2026-01-05T01:29:59.999Z,c,4.00\n\
        2026-01-05T00:59:59.999Z,d,8.00\n";
    let tick = Tick::from_millis(1).expect("not zero");
    // In blocks of about a record, so that each tick is sealed before the next comes.
    let recorded = support::record(Stream::Transactions, 0, csv, 30);
    let recorded = support::stamped(&recorded, tick);
    let mut queries = all(tick);
    queries.retain(|query| query.name() == "hourly_transactions");
    let lateness = Some(Millis::minutes(30));
    let part = Part { queries, dedupe: None, tick, lateness, reach: lateness, workers: 1 };
    let outcome = part.run(&recorded, None, None).expect("runs");
    let counts = outcome.views[0].iter().map(|(row, _)| &row[1]);
    assert!(counts.eq([&Value::Integer(2), &Value::Integer(2)]), "{:?}", outcome.views[0]);
}

/// More histories where there is time: TIDEMILL_SEEDS=100 cargo test --test lateness
fn seeds() -> u64 {
    std::env::var("TIDEMILL_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(3)
}
