//! Sales by hour: how many, how much, and how they are spread.
//!
//! A sale is a record whose status is not `cancelled` or `refunded`; a later record of the same
//! transaction replaces the earlier, so a cancellation takes the amount out of the hour of the
//! sale. Mean, median (the two middle values averaged) and sample variance (n - 1; empty below
//! two) are exact: they are read off integer sums and a tree of counts. State: per hour the sums and a count
//! per distinct amount.

use crate::clock::Time;
use crate::event::transactions::{AMOUNT, STATUS};
use crate::monoid::{Moments, Quantiles, Values};
use crate::operator::Collection;
use crate::query::{History, Inputs, Query};
use crate::value::{Hour, Money, Quotient, Real};
use std::collections::BTreeMap;

/// See the module.
#[derive(Default)]
pub struct HourlyTransactions;

crate::record! {
    /// An hour's sales.
    pub struct Output {
        keys {
            /// The hour of the sales (event time, by its first moment).
            hour: Hour,
        }
        values {
            /// Sales: records that are not cancelled or refunded.
            count: i64,
            /// What they come to; empty if the sum does not fit.
            amount_sum: Option<Money>,
            /// Mean amount of a sale.
            amount_mean: Option<Quotient<1>>,
            /// Median amount; of an even number the mean of the two middle ones.
            amount_median: Option<Quotient<1>>,
            /// Sample variance of the amounts (n - 1); empty below two sales.
            amount_variance: Option<Real<2>>,
            /// Square root of the variance.
            amount_stddev: Option<Real<1>>,
        }
    }
}

impl Query for HourlyTransactions {
    type Output = Output;

    fn name(&self) -> &'static str {
        "hourly_transactions"
    }

    fn about(&self) -> &'static str {
        "sales by hour: count, sum, mean, median, variance and standard deviation"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        inputs
            .transactions(&[AMOUNT, STATUS.optional()])
            .keyed(
                "HourlyTransactions",
                |sale| (sale.is_sale() && sale.amount().is_some()).then(|| sale.hour()),
                |(moments, values): &mut (Moments, Values), sale, diff| {
                    if let Some(Money(amount)) = sale.amount() {
                        moments.add(amount, diff);
                        values.push(amount, diff);
                    }
                },
            )
            .until(|hour| hour.last().0)
            .row(|&hour, (moments, values): &(Moments, Quantiles)| {
                (moments.count() > 0).then(|| Output {
                    hour,
                    count: moments.count(),
                    amount_sum: Money::of(moments.sum()),
                    amount_mean: moments.sum().and_then(|sum| Quotient::of(sum, moments.count())),
                    amount_median: values.median().and_then(|(low, high)| {
                        Quotient::of(i128::from(low) + i128::from(high), 2)
                    }),
                    amount_variance: moments.sample_variance().map(Real),
                    amount_stddev: moments.stddev().map(Real),
                })
            })
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut hours: BTreeMap<Hour, Vec<i64>> = BTreeMap::new();
        for sale in history.transactions(at).iter().filter(|t| t.is_sale()) {
            if let Some(Money(amount)) = sale.amount() {
                hours.entry(sale.hour()).or_default().push(amount);
            }
        }
        let row = |(hour, mut amounts): (Hour, Vec<i64>)| {
            amounts.sort_unstable();
            let n = amounts.len();
            let sum: i128 = amounts.iter().map(|x| i128::from(*x)).sum();
            let mean = sum as f64 / n as f64;
            let squares: f64 = amounts.iter().map(|x| (*x as f64 - mean).powi(2)).sum();
            let variance = (n > 1).then(|| squares / (n - 1) as f64);
            Output {
                hour,
                count: n as i64,
                amount_sum: Money::of(Some(sum)),
                amount_mean: Quotient::of(sum, n as i64),
                amount_median: Quotient::of(
                    i128::from(amounts[(n - 1) / 2]) + i128::from(amounts[n / 2]),
                    2,
                ),
                amount_variance: variance.map(Real),
                amount_stddev: variance.map(|v| Real(v.sqrt())),
            }
        };
        hours.into_iter().map(row).collect()
    }
}
