//! Pearson's correlation between hourly totals, over the hours where both exist.
//!
//! Pairs: `page_views~orders` (both from behavior), `page_views~amount` (behavior and sales) and
//! `orders~deliveries` (behavior and logistics), as far as the streams are there. `r` is empty below two hours and where one of
//! the two is constant, or where a total does not fit into 64 bits. The hourly totals are joined as differences, and the sums of squares and
//! products are integers, so `r` is exact under corrections. State: the totals of each hour.

use crate::clock::Time;
use crate::event::behavior::{EVENT, ORDERS, PAGE_VIEWS};
use crate::event::{Stream, logistics, transactions};
use crate::monoid::CrossMoments;
use crate::operator::{Aggregate, Collection, Join};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::{Hour, Real, whole};
use std::collections::BTreeMap;

/// See the module.
#[derive(Default)]
pub struct HourlyCorrelation;

crate::record! {
    /// A pair of hourly totals.
    pub struct Output {
        keys {
            /// Which two hourly totals.
            pair: Text,
        }
        values {
            /// Hours in which both exist.
            n: i64,
            /// Pearson's correlation, -1 to 1; empty below two hours or where one is constant.
            r: Option<Real>,
        }
    }
}

const VIEWS_ORDERS: &str = "page_views~orders";
const VIEWS_AMOUNT: &str = "page_views~amount";
const ORDERS_DELIVERIES: &str = "orders~deliveries";

impl Query for HourlyCorrelation {
    type Output = Output;

    fn name(&self) -> &'static str {
        "hourly_correlation"
    }

    fn about(&self) -> &'static str {
        "correlation between hourly page views, orders, sales and deliveries"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        // A pair of which a stream is not there is no row.
        inputs.any_of(&[Stream::Transactions, Stream::Logistics]);
        let traffic = inputs.behavior(&[PAGE_VIEWS.or(EVENT), ORDERS.or(EVENT)]).aggregate(
            "HourlyTraffic",
            |visit| Some(visit.hour()),
            |(seen, views, orders): &mut (i64, i128, i128), visit, diff| {
                *seen += diff;
                *views += i128::from(visit.views()) * i128::from(diff);
                *orders += i128::from(visit.order_count()) * i128::from(diff);
            },
            |&hour, &(seen, views, orders)| (seen > 0).then_some((hour, (views, orders))),
        );
        let sales = inputs.ledger(&[transactions::AMOUNT]).aggregate(
            "HourlySales",
            |line| (line.stands() && line.net().is_some()).then(|| line.hour()),
            |(seen, sum): &mut (i64, i128), line, diff| {
                *seen += diff;
                *sum += line.net().unwrap_or(0) * i128::from(diff);
            },
            |&hour, &(seen, sum)| (seen > 0).then_some((hour, sum)),
        );
        let deliveries = inputs.logistics(&[logistics::STATUS.optional()]).aggregate(
            "HourlyDeliveries",
            |parcel| parcel.is_delivery().then(|| parcel.hour()),
            |seen: &mut i64, _, diff| *seen += diff,
            |&hour, &seen| (seen > 0).then_some((hour, i128::from(seen))),
        );
        let pair = |name: &'static str| move |x: i128, y: i128| (Text::new(name), x, y);
        let (views_orders, views_amount, orders_deliveries) =
            (pair(VIEWS_ORDERS), pair(VIEWS_AMOUNT), pair(ORDERS_DELIVERIES));
        let first = traffic.clone().map(move |(_, (views, orders))| views_orders(views, orders));
        let second = traffic.clone().inner_join("WithSales", sales, move |_, views, amount| {
            Some(views_amount(views.0, *amount))
        });
        let third = traffic.inner_join("WithDeliveries", deliveries, move |_, traffic, parcels| {
            Some(orders_deliveries(traffic.1, *parcels))
        });
        first.concat(second).concat(third).aggregate(
            "HourlyCorrelation",
            |(pair, _, _)| Some(pair.clone()),
            |(sums, beyond): &mut (CrossMoments, i64), &(_, x, y), diff| match (whole(x), whole(y))
            {
                (Some(x), Some(y)) => sums.add(x, y, diff),
                _ => *beyond += diff,
            },
            |pair, (sums, beyond)| {
                let n = sums.count() + beyond;
                (n > 0).then(|| Output {
                    pair: pair.clone(),
                    n,
                    r: sums.correlation().filter(|_| *beyond == 0).map(Real),
                })
            },
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut traffic: BTreeMap<Hour, (i128, i128)> = BTreeMap::new();
        for visit in history.behavior(at) {
            let (views, orders) = traffic.entry(visit.hour()).or_default();
            *views += i128::from(visit.views());
            *orders += i128::from(visit.order_count());
        }
        let mut sales: BTreeMap<Hour, i128> = BTreeMap::new();
        for line in history.ledger(at) {
            if let (Some(price), true) = (line.amount, line.stands()) {
                let taken_off = i128::from(line.discount) + line.refunded.unwrap_or(0);
                *sales.entry(line.hour()).or_default() += i128::from(price) - taken_off;
            }
        }
        let mut deliveries: BTreeMap<Hour, i128> = BTreeMap::new();
        for parcel in history.logistics(at).iter().filter(|p| p.is_delivery()) {
            *deliveries.entry(parcel.hour()).or_default() += 1;
        }
        let points = |name: &str| -> Vec<(f64, f64)> {
            let both = |other: &BTreeMap<Hour, i128>, x: fn((i128, i128)) -> i128| {
                let with = traffic.iter().filter_map(|(h, t)| Some((x(*t), *other.get(h)?)));
                with.map(|(x, y)| (x as f64, y as f64)).collect()
            };
            match name {
                VIEWS_ORDERS => traffic.values().map(|t| (t.0 as f64, t.1 as f64)).collect(),
                VIEWS_AMOUNT => both(&sales, |t| t.0),
                _ => both(&deliveries, |t| t.1),
            }
        };
        let mut rows = Vec::new();
        for name in [VIEWS_ORDERS, VIEWS_AMOUNT, ORDERS_DELIVERIES] {
            let points = points(name);
            if points.is_empty() {
                continue;
            }
            let n = points.len() as f64;
            let mean = |f: fn(&(f64, f64)) -> f64| points.iter().map(f).sum::<f64>() / n;
            let (mx, my) = (mean(|p| p.0), mean(|p| p.1));
            let sum = |f: &dyn Fn(f64, f64) -> f64| {
                points.iter().map(|(x, y)| f(x - mx, y - my)).sum::<f64>()
            };
            let (xx, yy, xy) = (sum(&|x, _| x * x), sum(&|_, y| y * y), sum(&|x, y| x * y));
            let varies = points.iter().any(|p| p.0 != points[0].0)
                && points.iter().any(|p| p.1 != points[0].1);
            rows.push(Output {
                pair: Text::new(name),
                n: points.len() as i64,
                r: varies.then(|| Real(xy / (xx * yy).sqrt())),
            });
        }
        rows
    }
}
