//! How long parcels lie in a warehouse: shipped time minus ordered time, in minutes.
//!
//! Over the parcels of a warehouse, as each stands now, for which both times are known; whatever
//! their status. A parcel shipped before it was ordered is counted as `impossible` and left out of
//! the mean and the percentiles (exact, interpolated linearly). State: per warehouse the sums and a
//! count per distinct dwell (milliseconds).

use crate::clock::Time;
use crate::event::logistics::{ORDERED_TIME, SHIPPED_TIME, WAREHOUSE};
use crate::event::{Logistics, Row};
use crate::monoid::{Moments, Quantiles, Values};
use crate::operator::Collection;
use crate::query::{History, Inputs, Query, percentile};
use crate::text::Text;
use crate::value::Real;
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct WarehouseDwell;

crate::record! {
    /// A warehouse.
    pub struct Output {
        keys {
            /// The warehouse.
            warehouse: Text,
        }
        values {
            /// Parcels of which both times are known.
            parcels: i64,
            /// Mean minutes from ordered to shipped.
            dwell_minutes_mean: Option<Real>,
            /// Median of the same.
            dwell_minutes_p50: Option<Real>,
            /// 95th percentile of the same.
            dwell_minutes_p95: Option<Real>,
            /// Parcels shipped before they were ordered, left out of the others.
            impossible: i64,
        }
    }
}

const MINUTE: i128 = 60_000;

/// Milliseconds from the order to the van.
fn dwell(parcel: &Row<'_, Logistics>) -> Option<i64> {
    Some(parcel.shipped_time()? - parcel.ordered_time()?)
}

impl Query for WarehouseDwell {
    type Output = Output;

    fn name(&self) -> &'static str {
        "warehouse_dwell"
    }

    fn about(&self) -> &'static str {
        "minutes from ordered to shipped by warehouse: mean, median, 95th percentile"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        inputs.logistics(&[WAREHOUSE, ORDERED_TIME, SHIPPED_TIME]).aggregate(
            "WarehouseDwell",
            |parcel| dwell(parcel).map(|_| parcel.warehouse().clone()),
            |(sums, values, impossible): &mut (Moments, Values, i64), parcel, diff| match dwell(
                parcel,
            ) {
                Some(millis) if millis >= 0 => {
                    sums.add(millis, diff);
                    values.push(millis, diff);
                }
                _ => *impossible += diff,
            },
            |warehouse, (sums, values, impossible): &(Moments, Quantiles, i64)| {
                let percentile = |percent| {
                    let (millis, of) = values.percentile_linear(percent, 100)?.terms();
                    Real::ratio(millis, of * MINUTE)
                };
                (sums.count() > 0 || *impossible > 0).then(|| Output {
                    warehouse: warehouse.clone(),
                    parcels: sums.count(),
                    dwell_minutes_mean: sums
                        .sum()
                        .and_then(|millis| Real::ratio(millis, i128::from(sums.count()) * MINUTE)),
                    dwell_minutes_p50: percentile(50),
                    dwell_minutes_p95: percentile(95),
                    impossible: *impossible,
                })
            },
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut warehouses: BTreeMap<Text, (Vec<f64>, i64)> = BTreeMap::new();
        for parcel in history.logistics(at) {
            let (Some(from), Some(to)) = (parcel.ordered_time(), parcel.shipped_time()) else {
                continue;
            };
            let (minutes, impossible) = warehouses.entry(parcel.warehouse().clone()).or_default();
            if to < from {
                *impossible += 1
            } else {
                minutes.push((to - from) as f64 / MINUTE as f64)
            }
        }
        let row = |(warehouse, (mut minutes, impossible)): (Text, (Vec<f64>, i64))| {
            minutes.sort_by(f64::total_cmp);
            Output {
                warehouse,
                parcels: minutes.len() as i64,
                dwell_minutes_mean: (!minutes.is_empty())
                    .then(|| Real(minutes.iter().sum::<f64>() / minutes.len() as f64)),
                dwell_minutes_p50: percentile(&minutes, 0.5).map(Real),
                dwell_minutes_p95: percentile(&minutes, 0.95).map(Real),
                impossible,
            }
        };
        warehouses.into_iter().map(row).collect()
    }
}
