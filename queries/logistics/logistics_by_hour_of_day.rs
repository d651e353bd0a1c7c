//! Deliveries by hour of the day (0 to 23, in the shop's `zone`), over all days.
//!
//! `delivery_minute_mean` is the mean minute within the hour (0 to 59) at which parcels arrive.
//! What a delivery is: `hourly_logistics`. A sum of costs of which none is known is empty. State: four sums per hour of the day.

use crate::clock::Time;
use crate::event::logistics::{COST, STATUS};
use crate::operator::Collection;
use crate::query::{History, Inputs, Query, on_the_wall};
use crate::value::{Money, Real};
use crate::zone::Zone;
use std::collections::BTreeMap;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug)]
    pub struct LogisticsByHourOfDay {
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
            /// Parcels delivered in that hour, over all days.
            deliveries: i64,
            /// What they cost.
            cost_sum: Option<Money>,
            /// Mean minute within the hour, 0 to 59, at which they arrive.
            delivery_minute_mean: Option<Real>,
        }
    }
}

impl Query for LogisticsByHourOfDay {
    type Output = Output;

    fn name(&self) -> &'static str {
        "logistics_by_hour_of_day"
    }

    fn about(&self) -> &'static str {
        "deliveries, cost and mean minute of delivery by hour of the day"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let (clock, minute_clock) = (self.zone.clock(), self.zone.clock());
        inputs.logistics(&[COST.optional(), STATUS.optional()]).aggregate(
            "LogisticsByHourOfDay",
            move |parcel| parcel.is_delivery().then(|| clock.hour_of_day(parcel.time())),
            move |(count, (costs, cost), minutes): &mut (i64, (i64, i128), i128), parcel, diff| {
                *count += diff;
                if let Some(Money(x)) = parcel.cost() {
                    *costs += diff;
                    *cost += i128::from(x) * i128::from(diff);
                }
                *minutes += i128::from(minute_clock.minute(parcel.time())) * i128::from(diff);
            },
            |&hour_of_day, &(deliveries, (costs, cost), minutes)| {
                (deliveries > 0).then(|| Output {
                    hour_of_day,
                    deliveries,
                    cost_sum: Money::of((costs > 0).then_some(cost)),
                    delivery_minute_mean: Real::ratio(minutes, deliveries),
                })
            },
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut hours: BTreeMap<u8, Vec<(Option<i64>, i64)>> = BTreeMap::new();
        for parcel in history.logistics(at).iter().filter(|p| p.is_delivery()) {
            let cost = parcel.cost().map(|cost| cost.0);
            let at = on_the_wall(parcel.time(), &self.zone);
            hours.entry(at.hour() as u8).or_default().push((cost, at.minute().into()));
        }
        let row = |(hour_of_day, parcels): (u8, Vec<(Option<i64>, i64)>)| {
            let costs: Vec<i128> = parcels.iter().filter_map(|p| p.0).map(i128::from).collect();
            let minutes: i64 = parcels.iter().map(|p| p.1).sum();
            Output {
                hour_of_day,
                deliveries: parcels.len() as i64,
                cost_sum: Money::of((!costs.is_empty()).then(|| costs.iter().sum())),
                delivery_minute_mean: Some(Real(minutes as f64 / parcels.len() as f64)),
            }
        };
        hours.into_iter().map(row).collect()
    }
}
