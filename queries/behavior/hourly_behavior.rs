//! Page views and orders by hour, and their conversion.
//!
//! `conversion` = orders / page views of the hour (empty without page views). Page views and
//! orders are the columns of that name, or follow from the GA4 event (`ShopEvent::is_view`,
//! `purchase`); a number that does not fit into 64 bits is empty. State: two counts per hour.

use crate::clock::Time;
use crate::event::behavior::{EVENT, ORDERS, PAGE_VIEWS};
use crate::operator::Collection;
use crate::query::{History, Inputs, Query};
use crate::value::{Hour, Real, whole};
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
            /// Empty where it does not fit into 64 bits.
            page_views: Option<i64>,
            /// Orders in it.
            /// Empty where it does not fit into 64 bits.
            orders: Option<i64>,
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
        inputs
            .behavior(&[PAGE_VIEWS.or(EVENT), ORDERS.or(EVENT)])
            .keyed(
                "HourlyBehavior",
                |visit| Some(visit.hour()),
                |(seen, views, orders): &mut (i64, i128, i128), visit, diff| {
                    *seen += diff;
                    *views += i128::from(visit.views()) * i128::from(diff);
                    *orders += i128::from(visit.order_count()) * i128::from(diff);
                },
            )
            .until(|hour| hour.last().0)
            .row(|&hour, &(seen, page_views, orders)| {
                (seen > 0).then(|| Output {
                    hour,
                    page_views: whole(page_views),
                    orders: whole(orders),
                    conversion: Real::ratio(orders, page_views),
                })
            })
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut hours: BTreeMap<Hour, (i128, i128)> = BTreeMap::new();
        for visit in history.behavior(at) {
            let (views, orders) = hours.entry(visit.hour()).or_default();
            *views += i128::from(visit.views());
            *orders += i128::from(visit.order_count());
        }
        let row = |(hour, (page_views, orders)): (Hour, (i128, i128))| Output {
            hour,
            page_views: whole(page_views),
            orders: whole(orders),
            conversion: (page_views != 0).then(|| Real(orders as f64 / page_views as f64)),
        };
        hours.into_iter().map(row).collect()
    }
}
