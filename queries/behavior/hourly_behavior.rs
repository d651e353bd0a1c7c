//! Page views and orders by hour, and their conversion.
//!
//! `conversion` = orders / page views of the hour (empty without page views). Page views and
//! orders are the columns of that name, or follow from the GA4 event (`ShopEvent::is_view`,
//! `purchase`). State: two counts per hour.

use crate::clock::Time;
use crate::event::behavior::{EVENT, ORDERS, PAGE_VIEWS};
use crate::operator::Collection;
use crate::query::{History, Inputs, Query};
use crate::value::{Hour, Real};
use std::collections::BTreeMap;

/// See the module.
#[derive(Default)]
pub struct HourlyBehavior;

crate::record! {
    /// An hour's traffic.
    pub struct Output {
        keys {
            /// The hour (event time, by its first moment).
            hour: Hour,
        }
        values {
            /// Page views in it.
            page_views: i64,
            /// Orders in it.
            orders: i64,
            /// orders / page_views; empty without page views.
            conversion: Option<Real>,
        }
    }
}

impl Query for HourlyBehavior {
    type Output = Output;

    fn name(&self) -> &'static str {
        "hourly_behavior"
    }

    fn about(&self) -> &'static str {
        "page views, orders and conversion by hour"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        inputs.behavior(&[PAGE_VIEWS.or(EVENT), ORDERS.or(EVENT)]).aggregate(
            "HourlyBehavior",
            |visit| Some(visit.hour()),
            |(seen, views, orders): &mut (i64, i64, i64), visit, diff| {
                *seen += diff;
                *views += visit.views() * diff;
                *orders += visit.order_count() * diff;
            },
            |&hour, &(seen, page_views, orders)| {
                (seen > 0).then(|| Output {
                    hour,
                    page_views,
                    orders,
                    conversion: Real::ratio(orders, page_views),
                })
            },
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut hours: BTreeMap<Hour, (i64, i64)> = BTreeMap::new();
        for visit in history.behavior(at) {
            let (views, orders) = hours.entry(visit.hour()).or_default();
            *views += visit.views();
            *orders += visit.order_count();
        }
        let row = |(hour, (page_views, orders)): (Hour, (i64, i64))| Output {
            hour,
            page_views,
            orders,
            conversion: (page_views != 0).then(|| Real(orders as f64 / page_views as f64)),
        };
        hours.into_iter().map(row).collect()
    }
}
