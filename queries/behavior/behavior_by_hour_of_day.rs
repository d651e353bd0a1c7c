//! Page views and orders by hour of the day (0 to 23, in the shop's `zone`), over all days.
//!
//! Definitions as in `hourly_behavior`; a number that does not fit into 64 bits is empty. State: two counts per hour of the day.

use crate::clock::Time;
use crate::event::behavior::{EVENT, ORDERS, PAGE_VIEWS};
use crate::operator::Collection;
use crate::query::{History, Inputs, Query, on_the_wall};
use crate::value::whole;
use crate::zone::Zone;
use std::collections::BTreeMap;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug)]
    pub struct BehaviorByHourOfDay {
        /// The shop's time zone, for instance Europe/Berlin.
        pub zone: Zone = Zone::default(),
    }
}

crate::record! {
    /// An hour of the day.
    pub struct Output {
        keys {
            /// Hour of the day, 0 to 23, in the shop's zone.
            hour_of_day: u8,
        }
        values {
            /// Page views in that hour, over all days.
            /// Empty where it does not fit into 64 bits.
            page_views: Option<i64>,
            /// Orders in that hour, over all days.
            /// Empty where it does not fit into 64 bits.
            orders: Option<i64>,
        }
    }
}

fn row(hour_of_day: u8, views: i128, orders: i128) -> Output {
    Output { hour_of_day, page_views: whole(views), orders: whole(orders) }
}

impl Query for BehaviorByHourOfDay {
    type Output = Output;

    fn name(&self) -> &'static str {
        "behavior_by_hour_of_day"
    }

    fn about(&self) -> &'static str {
        "page views and orders by hour of the day"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let clock = self.zone.clock();
        inputs.behavior(&[PAGE_VIEWS.or(EVENT), ORDERS.or(EVENT)]).aggregate(
            "BehaviorByHourOfDay",
            move |visit| Some(clock.hour_of_day(visit.time())),
            |(seen, views, orders): &mut (i64, i128, i128), visit, diff| {
                *seen += diff;
                *views += i128::from(visit.views()) * i128::from(diff);
                *orders += i128::from(visit.order_count()) * i128::from(diff);
            },
            |&hour_of_day, &(seen, page_views, orders)| {
                (seen > 0).then(|| row(hour_of_day, page_views, orders))
            },
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut hours: BTreeMap<u8, (i128, i128)> = BTreeMap::new();
        for visit in history.behavior(at) {
            let (views, orders) =
                hours.entry(on_the_wall(visit.time(), &self.zone).hour() as u8).or_default();
            *views += i128::from(visit.views());
            *orders += i128::from(visit.order_count());
        }
        hours.into_iter().map(|(hour, (views, orders))| row(hour, views, orders)).collect()
    }
}
