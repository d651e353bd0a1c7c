//! Deliveries by hour of delivery: how many, what they cost, and how long they took.
//!
//! A delivery is a parcel whose latest status is `Delivered` (every record, where the source has
//! no status). Transit is delivery time minus shipped time, or minus ordered time where that is
//! unknown, in minutes; its percentiles interpolate linearly between the nearest ranks, as numpy
//! and pandas do. A parcel without a cost counts as a delivery only; without both times it has no
//! transit, and neither has one that is said to have arrived before it set out: `impossible` counts
//! those. A sum of costs of which none is known is empty. State: per hour the sums and a count per distinct transit time (milliseconds).

use crate::clock::Time;
use crate::event::logistics::{COST, ORDERED_TIME, SHIPPED_TIME, STATUS};
use crate::monoid::{Moments, Quantiles, Values};
use crate::operator::Collection;
use crate::query::{History, Inputs, Query};
use crate::value::{Hour, Money, Quotient, Real};
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct HourlyLogistics;

crate::record! {
    /// An hour's deliveries.
    pub struct Output {
        keys {
            /// The hour of delivery (event time, by its first moment).
            hour: Hour,
        }
        values {
            /// Parcels delivered in the hour.
            deliveries: i64,
            /// What they cost.
            cost_sum: Option<Money>,
            /// Mean cost over the parcels whose cost is known.
            cost_mean: Option<Quotient<1>>,
            /// Mean minutes from shipped (or ordered) to delivered.
            transit_minutes_mean: Option<Real>,
            /// Median of the same.
            transit_minutes_p50: Option<Real>,
            /// 95th percentile of the same.
            transit_minutes_p95: Option<Real>,
            /// Parcels that arrived before they set out, left out of the three.
            impossible: i64,
        }
    }
}

/// Deliveries and impossible ones, costs, transit times.
type Sums<V> = ((i64, i64), Moments, (Moments, V));

const MINUTE: i128 = 60_000;

/// Minutes at a percentile.
fn percentile(times: &Quantiles, percent: u64) -> Option<Real> {
    let (millis, of) = times.percentile_linear(percent, 100)?.terms();
    Real::ratio(millis, of * MINUTE)
}

impl Query for HourlyLogistics {
    type Output = Output;

    fn name(&self) -> &'static str {
        "hourly_logistics"
    }

    fn about(&self) -> &'static str {
        "deliveries by hour: count, cost and transit times"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let columns =
            [COST.optional(), STATUS.optional(), SHIPPED_TIME.optional(), ORDERED_TIME.optional()];
        inputs
            .logistics(&columns)
            .keyed(
                "HourlyLogistics",
                |parcel| parcel.is_delivery().then(|| parcel.hour()),
                |((count, impossible), cost, times): &mut Sums<Values>, parcel, diff| {
                    *count += diff;
                    *impossible += diff * i64::from(parcel.is_impossible());
                    if let Some(Money(x)) = parcel.cost() {
                        cost.add(x, diff);
                    }
                    if let Some(millis) = parcel.transit() {
                        times.0.add(millis, diff);
                        times.1.push(millis, diff);
                    }
                },
            )
            .until(|hour| hour.last().0)
            .row(|&hour, ((count, impossible), cost, times): &Sums<Quantiles>| {
                (*count > 0).then(|| Output {
                    hour,
                    deliveries: *count,
                    cost_sum: Money::of(cost.sum().filter(|_| cost.count() > 0)),
                    cost_mean: cost.sum().and_then(|sum| Quotient::of(sum, cost.count())),
                    transit_minutes_mean: times.0.sum().and_then(|millis| {
                        Real::ratio(millis, i128::from(times.0.count()) * MINUTE)
                    }),
                    transit_minutes_p50: percentile(&times.1, 50),
                    transit_minutes_p95: percentile(&times.1, 95),
                    impossible: *impossible,
                })
            })
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        type Parcels = ([i64; 2], Vec<i64>, Vec<i64>);
        let mut hours: BTreeMap<Hour, Parcels> = BTreeMap::new();
        for parcel in history.logistics(at).iter().filter(|p| p.is_delivery()) {
            let ([count, impossible], costs, times) = hours.entry(parcel.hour()).or_default();
            *count += 1;
            costs.extend(parcel.cost().map(|m| m.0));
            match parcel.shipped_time().or(parcel.ordered_time()) {
                Some(sent) if sent > parcel.time() => *impossible += 1,
                Some(sent) => times.push(parcel.time() - sent),
                None => {}
            }
        }
        let sum = |xs: &[i64]| xs.iter().map(|x| i128::from(*x)).sum::<i128>();
        let percentile = |xs: &[i64], p: f64| {
            let rank = (xs.len() - 1) as f64 * p / 100.0;
            let (low, high) = (xs[rank.floor() as usize] as f64, xs[rank.ceil() as usize] as f64);
            low + (high - low) * rank.fract()
        };
        let row = |(hour, ([count, impossible], costs, mut times)): (Hour, Parcels)| {
            times.sort_unstable();
            let timed = !times.is_empty();
            Output {
                hour,
                deliveries: count,
                cost_sum: Money::of((!costs.is_empty()).then(|| sum(&costs))),
                cost_mean: Quotient::of(sum(&costs), costs.len() as i64),
                transit_minutes_mean: Real::ratio(sum(&times), times.len() as i128 * MINUTE),
                transit_minutes_p50: timed.then(|| Real(percentile(&times, 50.0) / MINUTE as f64)),
                transit_minutes_p95: timed.then(|| Real(percentile(&times, 95.0) / MINUTE as f64)),
                impossible,
            }
        };
        hours.into_iter().map(row).collect()
    }
}
