//! Sales by hour: how many, how much, and how they are spread.
//!
//! A sale is a line of the [`ledger`](crate::query::ledger) that stands: it was neither voided nor
//! given back as a whole. All is told of the hour of the sale, however late it was undone, and its
//! amount is what is left of it: less its discount, and less what was given back. Money given back
//! of which no sale is known is off the hour in which that was. Disputes leave sales as they are;
//! `merchant_health` tells of them.
//!
//! Orders are counted apart from their lines: an order is that of the `order_id`, or the payment of
//! lines without one, and counts in each hour in which it has a sale.
//!
//! Mean, median (the two middle values averaged) and sample variance (n - 1; empty below
//! two) are exact: they are read off integer sums and a tree of counts. State: per hour the sums, a count per distinct
//! amount, and its orders.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::sales::hourly_transactions::HourlyTransactions;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Transactions, "\
//! transaction_time,transaction_id,refers_to,amount,status
//! 2026-01-05T10:00:00Z,t1,,100.00,captured
//! 2026-02-15T10:00:00Z,r1,t1,30.00,refunded
//! ")])?;
//! let hours = HourlyTransactions.answer(&history, history.last());
//! let money = [hours[0].gmv, hours[0].refunded, hours[0].amount_sum];
//! assert_eq!(money.map(|money| money.map(|cents| cents.0)), [Some(10000), Some(3000), Some(7000)]);
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use crate::clock::Time;
use crate::event::transactions::AMOUNT;
use crate::monoid::{Distinct, Members, Moments, Quantiles, Values};
use crate::operator::{Aggregate, Collection};
use crate::query::ledger::{Line, OrderId};
use crate::query::{History, Inputs, Query};
use crate::value::{Hour, Money, Quotient, Real};
use std::collections::{BTreeMap, BTreeSet};

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
            /// Sales: lines that were neither voided nor given back as a whole.
            count: i64,
            /// What they come to, less discounts and what was given back; empty if the sum does not fit.
            amount_sum: Option<Money>,
            /// Mean amount of a sale.
            amount_mean: Option<Quotient<1>>,
            /// Median amount; of an even number the mean of the two middle ones.
            amount_median: Option<Quotient<1>>,
            /// Sample variance of the amounts (n - 1); empty below two sales.
            amount_variance: Option<Real<2>>,
            /// Square root of the variance.
            amount_stddev: Option<Real<1>>,
            /// Gross merchandise value: the prices of the sales, nothing taken off.
            gmv: Option<Money>,
            /// What was given back of them, and in the hour of which no sale is known.
            refunded: Option<Money>,
            /// Different orders that the sales are lines of.
            orders: i64,
            /// Pieces that were sold; one for a sale that does not tell how many.
            items: Option<i64>,
            /// Average order value: what the sales come to / orders.
            aov: Option<Quotient<1>>,
            /// items / orders.
            items_per_order: Option<Real>,
        }
    }
}

/// Prices of the sales, what was given back of them, and what of others.
type Money3 = (i128, i128, i128);
/// Sales that are no part of an order, and pieces.
type Counts = (i64, i128);
/// The amounts of the sales, to be added up and to be put in order; money; counts; orders.
type Sales = (Moments, Values, Money3, (Counts, Members<OrderId>));
type Known = (Moments, Quantiles, Money3, (Counts, Distinct<OrderId>));

/// What is left of a sale, if it stands and its price is known.
fn amount(line: &Line) -> Option<i64> {
    line.net().filter(|_| line.stands()).and_then(|net| i64::try_from(net).ok())
}

fn add((moments, values, money, (counts, orders)): &mut Sales, line: &Line, diff: i64) {
    let (gmv, refunded, others) = money;
    let back = line.refunded.unwrap_or(0) * i128::from(diff);
    match amount(line) {
        Some(amount) => {
            moments.add(amount, diff);
            values.push(amount, diff);
            *gmv += line.amount.map_or(0, i128::from) * i128::from(diff);
            *refunded += back;
            counts.1 += i128::from(line.pieces()) * i128::from(diff);
            match line.order() {
                Some(order) => orders.add(order, diff),
                None => counts.0 += diff,
            }
        }
        None => *others += back,
    }
}

fn read(hour: Hour, (moments, values, money, (counts, orders)): &Known) -> Option<Output> {
    let (gmv, refunded, others) = money;
    let count = moments.count();
    let (orders, items) = (orders.distinct() as i64 + counts.0, i64::try_from(counts.1).ok());
    (count > 0 || *others != 0).then(|| Output {
        hour,
        count,
        amount_sum: Money::of(moments.sum().and_then(|sum| sum.checked_sub(*others))),
        amount_mean: moments.sum().and_then(|sum| Quotient::of(sum, count)),
        amount_median: values
            .median()
            .and_then(|(low, high)| Quotient::of(i128::from(low) + i128::from(high), 2)),
        amount_variance: moments.sample_variance().map(Real),
        amount_stddev: moments.stddev().map(Real),
        gmv: Money::of(Some(*gmv)),
        refunded: Money::of(refunded.checked_add(*others)),
        orders,
        items,
        aov: moments.sum().and_then(|sum| Quotient::of(sum, orders)),
        items_per_order: (orders > 0).then(|| Real(counts.1 as f64 / orders as f64)),
    })
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
            .ledger(&[AMOUNT])
            .keyed(
                "HourlyTransactions",
                |line| (line.loose || amount(line).is_some()).then(|| line.hour()),
                add,
            )
            .until(|hour| hour.last().0)
            .row(|hour, state| read(*hour, state))
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        type Told = (Vec<i64>, [i128; 3], (BTreeSet<String>, i64));
        let mut hours: BTreeMap<Hour, Told> = BTreeMap::new();
        for (n, line) in history.ledger(at).into_iter().enumerate() {
            let (amounts, [gmv, refunded, others], (orders, items)) =
                hours.entry(line.hour()).or_default();
            let back = line.refunded.unwrap_or(0);
            if line.loose {
                *others += back;
            } else if let (Some(price), false, false) = (line.amount, line.voided, line.returned) {
                let left = i128::from(price) - i128::from(line.discount) - back;
                amounts.push(i64::try_from(left).expect("small amounts"));
                *gmv += i128::from(price);
                *refunded += back;
                *items += line.quantity.unwrap_or(1);
                orders.insert(match (line.order_id.is_empty(), line.transaction_id.is_empty()) {
                    (false, _) => format!("order {}", line.order_id),
                    (true, false) => format!("payment {}", line.transaction_id),
                    (true, true) => format!("line {n}"),
                });
            }
        }
        hours.retain(|_, (amounts, [.., others], _)| !amounts.is_empty() || *others != 0);
        let row = |(hour, (mut amounts, money, (orders, items))): (Hour, Told)| {
            let ([gmv, refunded, others], orders) = (money, orders.len() as i64);
            amounts.sort_unstable();
            let n = amounts.len();
            let sum: i128 = amounts.iter().map(|x| i128::from(*x)).sum();
            let mean = sum as f64 / n as f64;
            let squares: f64 = amounts.iter().map(|x| (*x as f64 - mean).powi(2)).sum();
            let variance = (n > 1).then(|| squares / (n - 1) as f64);
            let middle = |amounts: &[i64]| {
                Quotient::of(i128::from(amounts[(n - 1) / 2]) + i128::from(amounts[n / 2]), 2)
            };
            Output {
                hour,
                count: n as i64,
                amount_sum: Money::of(Some(sum - others)),
                amount_mean: Quotient::of(sum, n as i64),
                amount_median: if n > 0 { middle(&amounts) } else { None },
                amount_variance: variance.map(Real),
                amount_stddev: variance.map(|v| Real(v.sqrt())),
                gmv: Money::of(Some(gmv)),
                refunded: Money::of(Some(refunded + others)),
                orders,
                items: Some(items),
                aov: Quotient::of(sum, orders),
                items_per_order: Real::ratio(items, orders),
            }
        };
        hours.into_iter().map(row).collect()
    }
}
