//! Hours whose sales are out of the ordinary for their hour of day.
//!
//! The sales of an hour (as in `hourly_transactions`: number and amount) are held against those of
//! the same hour of day (in the shop's `zone`) on the `days` days before. With the median `m` of these and their
//! median absolute deviation from it, the robust z of `x` is `0.6745 (x - m) / MAD` (Iglewicz and
//! Hoaglin 1993, whose limit of 3.5 is the default here); medians of an even number are the mean
//! of the two middle ones. An hour is shown if the z of its number or of its amount is beyond
//! `limit` (in thousandths) to either side. A z is empty where fewer than `baseline` hours are
//! known before, or where more than half of them are the same (the MAD is 0). An hour without any
//! sale is not there: neither shown nor part of a baseline. An
//! amount that does not fit into 64 bits is empty. State: two numbers per hour.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::monitor::anomalies::Anomalies;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Transactions, "\
//! transaction_time,amount
//! 2026-01-05T10:00:00Z,10.00
//! 2026-01-06T10:00:00Z,12.00
//! 2026-01-07T10:00:00Z,11.00
//! 2026-01-08T10:00:00Z,99.00
//! ")])?;
//! let query = Anomalies { baseline: 3, ..Anomalies::default() };
//! let hours = query.answer(&history, history.last());
//! assert_eq!(hours.len(), 1);
//! assert_eq!(hours[0].amount_median.map(|cents| cents.number()), Some(1100.0));
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use crate::clock::{Millis, Time};
use crate::event::transactions::AMOUNT;
use crate::monoid::{Dated, DatedLog, Entries, compare_products};
use crate::operator::{Aggregate, Collection};
use crate::query::{History, Inputs, Query, on_the_wall};
use crate::value::{Hour, Money, Quotient, Real};
use crate::zone::{Local, Zone};
use std::collections::BTreeMap;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug)]
    pub struct Anomalies {
        /// Days before that an hour is compared with.
        pub days: u16 = 28,
        /// Hours that must be known among them.
        pub baseline: usize = 7,
        /// The robust z beyond which an hour is shown, in thousandths.
        pub limit: i64 = 3_500,
        /// The shop's time zone, for instance Europe/Berlin.
        pub zone: Zone = Zone::default(),
    }
}

crate::record! {
    /// An hour out of the ordinary.
    pub struct Output {
        keys {
            /// The hour of the sales (event time, by its first moment).
            hour: Hour,
        }
        values {
            /// Sales in it.
            count: i64,
            /// Median of the same hour on the days before.
            count_median: Option<Real>,
            /// Robust z of count: 0.6745 (x - median) / MAD.
            count_z: Option<Real>,
            /// What the sales come to.
            /// Empty where it does not fit into 64 bits.
            amount: Option<Money>,
            /// Median of the same hour on the days before.
            amount_median: Option<Quotient<1>>,
            /// Robust z of amount.
            amount_z: Option<Real>,
        }
    }
}

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// How a value lies to those before it: twice their median, and its z in thousandths as a
/// quotient of whole numbers (1349 is twice 674.5, the denominator four times the MAD).
#[derive(Clone, Copy, Default)]
struct Place {
    twice_median: i128,
    top: i128,
    bottom: i128,
}

impl Place {
    fn of(x: i128, before: &[i128]) -> Place {
        let twice_median = twice_median(before.to_vec());
        let off = |x: i128| 2 * x - twice_median;
        Place {
            twice_median,
            top: 1349 * off(x),
            bottom: self::twice_median(before.iter().map(|x| off(*x).abs()).collect()),
        }
    }

    fn is_beyond(&self, limit: i64) -> bool {
        self.bottom > 0 && compare_products(self.top.abs(), 1, self.bottom, limit.into()).is_gt()
    }

    fn median(&self) -> Option<Real> {
        Real::ratio(self.twice_median, 2)
    }

    fn z(&self) -> Option<Real> {
        (self.bottom > 0).then(|| Real(self.top as f64 / (1000.0 * self.bottom as f64)))
    }
}

/// The two middle values added up; 0 for none.
fn twice_median(mut values: Vec<i128>) -> i128 {
    values.sort_unstable();
    let n = values.len();
    match n.checked_sub(1) {
        Some(last) => values[last / 2] + values[n / 2],
        None => 0,
    }
}

/// An hour's number of sales, and their amount.
type Sales = Dated<(i64, i128)>;

impl Anomalies {
    /// The days, and the hour more that they have where clocks were changed.
    fn span(&self) -> i64 {
        i64::from(self.days) * DAY + HOUR
    }

    fn judge(&self, clock: &Local, log: &DatedLog<(i64, i128)>, hour: &Sales) -> Option<Output> {
        let today = clock.day(hour.time);
        let days = today - i32::from(self.days)..today;
        let before = || {
            let near = log.between(hour.time - self.span() - 1, hour.time - 1).map(|(x, _)| x);
            near.filter(|x| days.contains(&clock.day(x.time)))
        };
        if before().count() < self.baseline.max(1) {
            return None;
        }
        let count =
            Place::of(hour.item.0.into(), &before().map(|x| x.item.0.into()).collect::<Vec<_>>());
        let amount = Place::of(hour.item.1, &before().map(|x| x.item.1).collect::<Vec<_>>());
        (count.is_beyond(self.limit) || amount.is_beyond(self.limit)).then(|| Output {
            hour: Hour::of(hour.time),
            count: hour.item.0,
            count_median: count.median(),
            count_z: count.z(),
            amount: Money::of(Some(hour.item.1)),
            amount_median: Quotient::of(amount.twice_median, 2),
            amount_z: amount.z(),
        })
    }
}

impl Query for Anomalies {
    type Output = Output;

    fn name(&self) -> &'static str {
        "anomalies"
    }

    fn about(&self) -> &'static str {
        "hours with far more or fewer sales than usual at their hour of day"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let (this, clock, days) = (self.clone(), self.zone.clock(), self.zone.clock());
        let reach = Millis(self.span() as u64 + 1);
        inputs
            .ledger(&[AMOUNT])
            .aggregate(
                "HourlySales",
                |line| (line.stands() && line.net().is_some()).then(|| line.hour()),
                |(count, amount): &mut (i64, i128), line, diff| {
                    *count += diff;
                    *amount += line.net().unwrap_or(0) * i128::from(diff);
                },
                move |hour, &(count, amount)| {
                    let sales = Dated { time: hour.start().0, item: (count, amount), value: 0 };
                    (count > 0).then(|| (clock.hour_of_day(sales.time), sales))
                },
            )
            .keyed(
                "Anomalies",
                |(of_day, _)| Some(*of_day),
                |hours: &mut Entries<(i64, i128)>, (_, sales), diff| hours.add(*sales, diff),
            )
            .as_of(reach, move |_, log, hour| this.judge(&days, log, hour))
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut hours: BTreeMap<Hour, (i64, i128)> = BTreeMap::new();
        for line in history.ledger(at) {
            if let (Some(price), true) = (line.amount, line.stands()) {
                let taken_off = i128::from(line.discount) + line.refunded.unwrap_or(0);
                let hour = hours.entry(line.hour()).or_default();
                *hour = (hour.0 + 1, hour.1 + i128::from(price) - taken_off);
            }
        }
        let median = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
        };
        // Median and z of one number of an hour.
        let place = |x: i128, before: Vec<i128>| {
            let before: Vec<f64> = before.into_iter().map(|x| x as f64).collect();
            let middle = median(before.clone());
            let mad = median(before.iter().map(|x| (x - middle).abs()).collect());
            (middle, (mad > 0.0).then(|| 0.6745 * (x as f64 - middle) / mad))
        };
        let mut rows = Vec::new();
        for (hour, (count, amount)) in &hours {
            let now = on_the_wall(hour.start().0, &self.zone);
            // The same reading of the clock on the days before, whatever lies between.
            let same = |other: &Hour| {
                let then = on_the_wall(other.start().0, &self.zone);
                let days = (now.date() - then.date()).get_days();
                then.hour() == now.hour() && (1..=i32::from(self.days)).contains(&days)
            };
            let before: Vec<(i64, i128)> =
                hours.iter().filter(|(other, _)| same(other)).map(|(_, sales)| *sales).collect();
            if before.len() < self.baseline.max(1) {
                continue;
            }
            let (count_median, count_z) =
                place((*count).into(), before.iter().map(|x| x.0.into()).collect());
            let mut amounts: Vec<i128> = before.iter().map(|x| x.1).collect();
            amounts.sort_unstable();
            let (n, (_, amount_z)) = (amounts.len(), place(*amount, amounts.clone()));
            let limit = self.limit as f64 / 1000.0;
            if [count_z, amount_z].into_iter().flatten().any(|z| z.abs() > limit) {
                rows.push(Output {
                    hour: *hour,
                    count: *count,
                    count_median: Some(Real(count_median)),
                    count_z: count_z.map(Real),
                    amount: Money::of(Some(*amount)),
                    amount_median: Quotient::of(amounts[(n - 1) / 2] + amounts[n / 2], 2),
                    amount_z: amount_z.map(Real),
                });
            }
        }
        rows
    }
}
