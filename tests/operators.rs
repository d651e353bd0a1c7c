//! The verb that no query of the catalog uses yet, `normalise`, against the obvious way.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill::clock::Time;
use tidemill::event::transactions::{AMOUNT, STATUS, USER_ID};
use tidemill::lab::replay::replay;
use tidemill::operator::{Collection, MinMax, Scale, ZScore, normalise};
use tidemill::query::{AnyQuery, History, Inputs, Query};
use tidemill::text::Text;
use tidemill::value::{Hour, Money, Real, Value};

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
