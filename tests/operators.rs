//! The verbs that no query of the catalog uses yet, against the obvious way: `retain` and `lag`
//! (the passing of time), and `normalise`.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill::clock::{Millis, Time};
use tidemill::event::Stream;
use tidemill::event::transactions::{AMOUNT, STATUS, USER_ID};
use tidemill::operator::{Aggregate, Collection, MinMax, Passing, Scale, ZScore, normalise};
use tidemill::query::{AnyQuery, History, Inputs, Query};
use tidemill::text::Text;
use tidemill::value::{Hour, Money, Real, Value};
use tidemill::worker::replay::{Change, replay};

/// The rows of a view after all changes up to a time, as text.
fn view(log: &[Change], at: Time) -> Vec<String> {
    let mut counts: BTreeMap<String, isize> = BTreeMap::new();
    for change in log.iter().filter(|change| change.time <= at) {
        *counts.entry(format!("{:?}", change.row)).or_default() += change.diff;
    }
    counts.into_iter().filter(|(_, n)| *n != 0).map(|(row, _)| row).collect()
}

const SPAN: Millis = Millis::hours(2);

/// How many transactions each user made in the last two hours of stream time.
struct Recent;

tidemill::record! {
    /// A user and a number.
    pub struct Count { keys { user_id: Text } values { n: i64 } }
}

impl Query for Recent {
    type Output = Count;
    fn name(&self) -> &'static str {
        "recent"
    }
    fn about(&self) -> &'static str {
        "a test"
    }
    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Count> {
        inputs
            .transactions(&[USER_ID])
            .flat_map("Users", |sale| Some(sale.user_id().clone()))
            .retain(SPAN, inputs.tick())
            .aggregate(
                "Recent",
                |user| Some(user.clone()),
                |n: &mut i64, _, diff| *n += diff,
                |user, &n| Some(Count { user_id: user.clone(), n }),
            )
    }
    fn answer(&self, _: &History, _: Time) -> Vec<Count> {
        Vec::new() // the test has it: it needs the stamps
    }
}

/// Also: a key that was never seen, or is empty again, has no row (`aggregate` once read one off
/// the empty state, and took it back when the first record came).
#[test]
fn what_is_retained_goes_when_its_time_is_over() {
    for seed in 0..6 {
        // Time passes for a query with the streams it reads, and what is asked of it is asked then.
        let mut recorded = support::history(seed, 150, seed % 2 == 0);
        recorded.retain(|(stream, _)| *stream == Stream::Transactions);
        let query: Arc<dyn AnyQuery> = Arc::new(Recent);
        let runs = [1, 3].map(|workers| {
            replay(&[Arc::clone(&query)], &recorded, None, support::tick(), workers).expect("runs")
        });
        assert_eq!(runs[0], runs[1], "seed {seed}");
        let history = History::new(recorded.clone(), None);
        let (mut seen_going, mut before) = (false, 0);
        for at in history.times() {
            let mut users: BTreeMap<Text, i64> = BTreeMap::new();
            // What holds now, less what held when the span began.
            let over = |then: &Time| then.after(SPAN, support::tick()) <= at;
            let began = history.times().into_iter().filter(over).max();
            for row in history.transactions(at) {
                *users.entry(row.user_id().clone()).or_default() += 1;
            }
            for row in began.into_iter().flat_map(|then| history.transactions(then)) {
                *users.entry(row.user_id().clone()).or_default() -= 1;
            }
            let want: Vec<String> = users
                .iter()
                .filter(|(_, n)| **n != 0)
                .map(|(user, n)| {
                    format!("{:?}", vec![Value::Text(user.clone()), Value::Integer(*n)])
                })
                .collect();
            let mut want = want;
            want.sort();
            assert_eq!(view(&runs[0][0], at), want, "at {at:?}, seed {seed}");
            let now: i64 = users.values().sum();
            seen_going |= now < before;
            before = now;
        }
        assert!(seen_going, "nothing ever went: the test shows nothing");
        let last = history.times().last().copied();
        assert!(runs[0][0].iter().all(|change| Some(change.time) <= last), "after the end");
    }
}

/// Each user's revenue of an hour, relative to the other users of that hour.
struct Relative<S>(std::marker::PhantomData<fn() -> S>);

tidemill::record! {
    /// A user's hour.
    pub struct Share {
        keys { hour: Hour, user_id: Text }
        values { revenue: Money, relative: Option<Real> }
    }
}

impl<S: Scale> Query for Relative<S> {
    type Output = Share;
    fn name(&self) -> &'static str {
        "relative"
    }
    fn about(&self) -> &'static str {
        "a test"
    }
    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Share> {
        let revenue = inputs.transactions(&[USER_ID, AMOUNT, STATUS.optional()]).aggregate(
            "Revenue",
            |sale| sale.is_sale().then(|| (sale.hour(), sale.user_id().clone())),
            |(n, sum): &mut (i64, i64), sale, diff| {
                *n += diff;
                *sum += sale.amount().map_or(0, |m| m.0) * diff;
            },
            |(hour, user), &(n, sum)| (n > 0).then(|| (*hour, (user.clone(), sum))),
        );
        normalise::<S, _, _>(revenue).map(|(hour, (user_id, revenue, relative))| Share {
            hour,
            user_id,
            revenue: Money(revenue),
            relative,
        })
    }
    fn answer(&self, history: &History, at: Time) -> Vec<Share> {
        let mut hours: BTreeMap<Hour, BTreeMap<Text, i64>> = BTreeMap::new();
        for sale in history.transactions(at).iter().filter(|t| t.is_sale()) {
            let user = hours.entry(sale.hour()).or_default().entry(sale.user_id().clone());
            *user.or_default() += sale.amount().map_or(0, |m| m.0);
        }
        let mut rows = Vec::new();
        for (hour, users) in hours {
            let values: Vec<f64> = users.values().map(|v| *v as f64).collect();
            let n = values.len() as f64;
            let (low, high) =
                values.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
            let mean = values.iter().sum::<f64>() / n;
            let deviation =
                (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
            for (user_id, revenue) in users {
                let x = revenue as f64;
                let relative = if std::any::type_name::<S>().contains("MinMax") {
                    (x - low) / (high - low)
                } else {
                    (x - mean) / deviation
                };
                let relative = (high > low).then_some(Real(relative));
                rows.push(Share { hour, user_id, revenue: Money(revenue), relative });
            }
        }
        rows
    }
}

fn check<S: Scale>() {
    for seed in 0..3 {
        let recorded = support::history(seed, 100, true);
        let query: Arc<dyn AnyQuery> = Arc::new(Relative::<S>(std::marker::PhantomData));
        let runs = [1, 2].map(|workers| {
            replay(&[Arc::clone(&query)], &recorded, None, support::tick(), workers).expect("runs")
        });
        assert_eq!(runs[0], runs[1]);
        let history = History::new(recorded, None);
        for at in history.times() {
            // The last digit may differ: compare at nine.
            let round = |row: &Vec<Value>| -> String {
                row.iter()
                    .map(|cell| match cell {
                        Value::Real(x, _) => format!("{:.9};", x + 0.0),
                        other => format!("{other:?};"),
                    })
                    .collect::<String>()
                    .replace("-0.000000000;", "0.000000000;")
            };
            let mut counts: BTreeMap<String, isize> = BTreeMap::new();
            for change in runs[0][0].iter().filter(|change| change.time <= at) {
                *counts.entry(round(&change.row)).or_default() += change.diff;
            }
            let got: Vec<String> =
                counts.into_iter().filter(|(_, n)| *n != 0).map(|(row, _)| row).collect();
            let mut want: Vec<String> =
                query.answer_cells(&history, at).iter().map(round).collect();
            want.sort();
            assert_eq!(got, want, "seed {seed} at {at:?}");
        }
    }
}

#[test]
fn min_max_normalisation_equals_its_definition() {
    check::<MinMax>();
}

#[test]
fn z_score_normalisation_equals_its_definition() {
    check::<ZScore>();
}
