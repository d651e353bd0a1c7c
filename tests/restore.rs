//! What is remembered can be written down and taken back: for every query of the catalog a random
//! history is cut at a random time, what every operator remembers there is written down and read
//! into a fresh dataflow with another number of workers, and the rest of the history is run. What
//! becomes visible after the cut, and what there is in the end, are those of the run that was not
//! cut.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use support::Random;
use support::tuned::all;
use tidemill::clock::{Millis, Tick, Time};
use tidemill::lab::replay::Recorded;
use tidemill::lab::restore::{Outcome, Part, after};
use tidemill::operator::memory::Size;
use tidemill::operator::{Dedupe, OnDuplicate};
use tidemill::query::{AnyQuery, History};

const TICKS: [u64; 4] = [60_000, 600_000, 3_600_000, 86_400_000];

/// Cuts a history twice; gives how much each operator wrote down.
fn check(seed: u64, recorded: &Recorded, dedupe: Option<Dedupe>) -> BTreeMap<String, Size> {
    let mut random = Random(seed ^ 0xC07);
    let tick = Tick::from_millis(TICKS[random.below(4) as usize]).expect("not zero");
    let recorded = support::stamped(recorded, tick);
    let times = History::new(recorded.clone(), dedupe).times();
    let mut drawn = || times[random.below(times.len() as u64) as usize];
    let (one, other) = (drawn(), drawn());
    let (first, second) = (one.min(other), one.max(other));
    let mut workers = [1, 2, 3, 1, 2].into_iter().skip(random.below(3) as usize);
    let mut part = || Part {
        queries: all(tick),
        dedupe,
        tick,
        lateness: None,
        reach: None,
        workers: workers.next().unwrap_or(1),
    };
    let whole = part().run(&recorded, None, Some(first)).expect("runs");
    let rest = after(&recorded, first);
    let next = part().run(&rest, Some(whole.contents.clone()), Some(second)).expect("goes on");
    let last = after(&rest, second);
    let last = part().run(&last, Some(next.contents.clone()), None).expect("goes on again");
    let of = format!("seed {seed}, {tick:?}");
    compare(&part().queries, &whole, &next, first, &of);
    compare(&part().queries, &whole, &last, second, &of);
    let sizes = whole.contents.sizes().chain(next.contents.sizes());
    let mut most: BTreeMap<String, Size> = BTreeMap::new();
    for (name, size) in sizes {
        let known = most.entry(name.to_owned()).or_default();
        known.entries = known.entries.max(size.entries);
    }
    most
}

fn compare(queries: &[Arc<dyn AnyQuery>], whole: &Outcome, rest: &Outcome, cut: Time, of: &str) {
    for (i, query) in queries.iter().enumerate() {
        let (name, log) = (query.name(), &whole.logs[i]);
        let later: Vec<_> = log.iter().filter(|change| change.time > cut).collect();
        let got: Vec<_> = rest.logs[i].iter().collect();
        assert_eq!(later, got, "{name} after the cut at {cut:?} ({of})");
        assert_eq!(whole.views[i], rest.views[i], "{name} in the end, cut at {cut:?} ({of})");
    }
}

fn policy(policy: OnDuplicate, hours: Option<u64>) -> Option<Dedupe> {
    Some(Dedupe { policy, keep: hours.map(Millis::hours), lateness: None })
}

#[test]
fn every_state_can_be_written_down_and_taken_back() {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let paces = [400, 400, 16_000].into_iter().cycle();
    for (seed, pace) in (0..seeds(6)).zip(paces) {
        let recorded = support::history_at_pace(seed, 90, false, pace);
        for (name, size) in check(seed, &recorded, policy(OnDuplicate::Replace, None)) {
            // Of a query that is there with two sets of parameters one may have nothing to say.
            let operator = name.trim_end_matches(|c: char| c == ' ' || c.is_ascii_digit());
            let known = seen.entry(operator.to_owned()).or_default();
            *known = size.entries.max(*known);
        }
    }
    // What remembers nothing at any cut shows nothing here.
    let least = |name: &str| 1 + u64::from(!name.contains("/View"));
    let empty: Vec<_> = seen.iter().filter(|(name, most)| **most < least(name)).collect();
    assert!(empty.is_empty(), "nothing was ever written down by {empty:?}");
    assert!(seen.len() > 60, "the operators of the catalog: {}", seen.len());
}

#[test]
fn so_can_what_is_known_of_ids() {
    let seeds = seeds(2);
    for seed in 0..seeds {
        let recorded = support::history(100 + seed, 90, false);
        check(seed, &recorded, policy(OnDuplicate::Replace, Some(2)));
        check(seed, &recorded, policy(OnDuplicate::Keep, None));
        check(seed, &recorded, policy(OnDuplicate::Ignore, Some(1)));
    }
}

#[test]
fn so_can_change_logs() {
    for seed in 0..seeds(2) {
        check(seed, &support::history(200 + seed, 90, true), None);
        let mixed = support::mixed_history(300 + seed, 80);
        check(seed, &mixed, policy(OnDuplicate::Replace, None));
    }
}

/// More histories where there is time: TIDEMILL_SEEDS=100 cargo test --test restore
fn seeds(few: u64) -> u64 {
    std::env::var("TIDEMILL_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(few)
}

#[test]
fn what_is_in_memory_is_what_is_written_down() {
    let tick = support::tick();
    let recorded = support::stamped(&support::history(3, 90, false), tick);
    let dedupe = policy(OnDuplicate::Replace, None);
    let part = Part { queries: all(tick), dedupe, tick, lateness: None, reach: None, workers: 2 };
    let end = History::new(recorded.clone(), dedupe).times().pop();
    let outcome = part.run(&recorded, None, end).expect("runs");
    let written: BTreeMap<&str, Size> = outcome.contents.sizes().collect();
    // Each worker begins with its clock, and what makes records unique with the names of fields.
    let sessions = "Gap(Millis(1800000))/Sessions";
    for (name, first) in [("velocity/Velocity", 2), (sessions, 2), ("transactions/Dedupe", 4)] {
        let (size, written) = (outcome.sizes[name], written[name]);
        assert_eq!(size.entries + first, written.entries, "{name}");
        assert!(size.entries > 2 && size.bytes > 8 * size.entries, "{name}: {size:?}");
    }
    let waits = |name: &str| name.contains("/Due") || name.contains("/Every");
    let waiting: Vec<_> = outcome.sizes.iter().filter(|(name, _)| waits(name)).collect();
    for (name, size) in &waiting {
        assert_eq!(size.entries + 2, written[name.as_str()].entries, "{name}");
    }
    assert!(waiting.iter().any(|(_, size)| size.entries > 2), "nothing waits: {waiting:?}");
}

#[test]
fn contents_of_other_operators_are_refused() {
    let tick = support::tick();
    let recorded = support::stamped(&support::history(1, 30, false), tick);
    let catalog = all(tick);
    let part = |names: &[&str]| Part {
        queries: catalog.iter().filter(|q| names.contains(&q.name())).cloned().collect(),
        dedupe: policy(OnDuplicate::Replace, None),
        tick,
        lateness: None,
        reach: None,
        workers: 1,
    };
    let cut = History::new(recorded.clone(), None).times()[3];
    let few = part(&["hourly_transactions"]).run(&recorded, None, Some(cut)).expect("runs");
    let more = part(&["hourly_transactions", "top_items_hourly"]);
    let refused = more.run(&after(&recorded, cut), Some(few.contents), None);
    let why = refused.expect_err("top_items_hourly has nothing to go on from").to_string();
    assert!(why.starts_with("the state of top_items_hourly/"), "{why}");
}
