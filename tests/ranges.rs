//! Every parameter of every query at both ends of its range: it does what its definition says, or
//! it is refused.

mod support;

use std::sync::Arc;
use support::View;
use tidemill::lab::replay::{Recorded, replay};
use tidemill::lab::verify::close;
use tidemill::operator::{Dedupe, OnDuplicate};
use tidemill::queries::{catalog, configured};
use tidemill::query::{AnyQuery, History, Parameter};
use tidemill::value::Value;
use tidemill::worker::reads;

/// Ends of what numbers can be, and what lies beyond them.
const NUMBERS: [&str; 12] = [
    "-9223372036854775808",
    "-1",
    "0",
    "1",
    "255",
    "256",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "9223372036854775806",
    "9223372036854775807",
];

/// The shortest and the longest that can be written.
const SPANS: [&str; 3] = ["0ms", "1ms", "13031d"];

/// The furthest from UTC to both sides, one that is not whole hours off, and none.
const ZONES: [&str; 4] = ["Etc/GMT+12", "Pacific/Kiritimati", "Asia/Kathmandu", "Europe/Atlantis"];

/// Values to try: numbers for a number, spans for a span of time, zones for a zone.
fn tries(parameter: &Parameter) -> &'static [&'static str] {
    match parameter.value.chars().next() {
        _ if parameter.name == "zone" => &ZONES,
        Some('0'..='9') if parameter.value.ends_with(|c: char| c.is_ascii_digit()) => &NUMBERS,
        Some('"') => &SPANS,
        _ => &[],
    }
}

/// The query with one parameter set; none if that is refused.
fn with(name: &str, parameter: &str, value: &str) -> Option<Arc<dyn AnyQuery>> {
    let mut settings = support::settings();
    settings.set("ad_targets.span=5h").expect("well written");
    settings.set("ad_targets.budget=1200000").expect("well written");
    settings.set(&format!("{name}.{parameter}={value}")).expect("well written");
    let queries = configured(&settings).ok()?;
    let query = queries.into_iter().map(|(_, query)| query).find(|query| query.name() == name)?;
    reads(&*query).between_ticks(support::tick()).is_none().then_some(query)
}

fn check(query: &Arc<dyn AnyQuery>, recorded: &Recorded, history: &History, what: &str) {
    let how = Some(Dedupe { policy: OnDuplicate::Replace, keep: None, lateness: None });
    let logs = replay(&[Arc::clone(query)], recorded, how, support::tick(), 1);
    let logs = logs.unwrap_or_else(|error| panic!("{what}: {error}"));
    let times = history.times();
    let (mut view, mut changes) = (View::default(), logs[0].iter().peekable());
    for at in times.iter().step_by(times.len().div_ceil(5)).chain(times.last()) {
        while let Some(change) = changes.next_if(|change| change.time <= *at) {
            view.apply(change);
        }
        let (mut got, mut want) = (view.rows(), query.answer_cells(history, *at));
        let keys = query.columns().iter().filter(|column| column.key).count();
        let order = |row: &Vec<Value>| format!("{:?}", &row[..keys]);
        got.sort_by_key(order);
        want.sort_by_key(order);
        let equal = got.len() == want.len()
            && got.iter().flatten().zip(want.iter().flatten()).all(|(a, b)| close(a, b));
        assert!(equal, "{what} at {at:?}\n dataflow: {got:?}\n answer: {want:?}");
    }
}

#[test]
fn every_parameter_does_what_it_says_at_the_ends_of_its_range_or_is_refused() {
    let how = Some(Dedupe { policy: OnDuplicate::Replace, keep: None, lateness: None });
    let recorded = support::history(5, 90, false);
    let history = History::new(recorded.clone(), how);
    let (mut refused, mut wrong, mut tried) = (0, Vec::new(), 0);
    for (_, query) in catalog() {
        for parameter in query.parameters() {
            let mut taken = 0;
            for value in tries(&parameter) {
                let what = format!("{}.{}={value}", query.name(), parameter.name);
                let Some(query) = with(query.name(), &parameter.name, value) else {
                    refused += 1;
                    continue;
                };
                (taken, tried) = (taken + 1, tried + 1);
                let checked =
                    std::panic::AssertUnwindSafe(|| check(&query, &recorded, &history, &what));
                if let Err(why) = std::panic::catch_unwind(checked) {
                    let why = why.downcast_ref::<String>().cloned().unwrap_or_default();
                    wrong.push(format!("{what}: {why:.400}"));
                }
            }
            // Lists have no ends.
            assert!(taken > 0 || parameter.value.starts_with('['), "{}", parameter.name);
        }
    }
    assert!(tried > 200 && refused > 100, "{tried} tried, {refused} refused");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_can_mean_nothing_is_refused() {
    // A campaign that may be shown no time is not shown: leave it out.
    assert!(with("ad_targets", "cap", "0").is_none());
    assert!(with("ad_targets", "cap", "1").is_some());
    // Ticks of ten minutes know nothing of what is between them.
    assert!(with("user_recommendations", "refresh", "25m").is_none());
    assert!(with("user_recommendations", "refresh", "20m").is_some());
}
