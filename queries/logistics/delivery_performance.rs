//! How well parcels are delivered, by hour of delivery, carrier and region.
//!
//! Over the deliveries (parcels whose current status is `Delivered`) of an hour:
//!
//! - `on_time`: share that came no later than `promised_time`, of those with a promise;
//! - `in_full`: share with `items_delivered >= items_ordered`, of those where both are known;
//! - `otif`: share on time and in full, of those where both can be said (the supply chain's OTIF);
//! - `first_attempt`: share without an `AttemptFail` of the same shipment earlier in event time,
//!   of those with a `shipment_id`;
//! - transit (as in `hourly_logistics`) in minutes, exact, interpolated linearly; mean cost in
//!   money over the parcels whose cost is known.
//!
//! A share of nothing is empty. The current record of a shipment has replaced its earlier ones, so
//! failed attempts are looked for among all scans (`Inputs::sent`); one found late
//! corrects the hour. State: per hour, carrier and region the sums and a count per distinct
//! transit time; per delivered parcel its hour and place; per parcel with a failed attempt the
//! times of those.

use crate::clock::Time;
use crate::event::logistics::{
    CARRIER, COST, ITEMS_DELIVERED, ITEMS_ORDERED, ORDERED_TIME, PROMISED_TIME, REGION,
    SHIPMENT_ID, SHIPPED_TIME, STATUS,
};
use crate::event::{Logistics, ParcelStatus, Row};
use crate::monoid::{Bag, Items, Quantiles, Ratio, Values};
use crate::operator::{Aggregate, Collection, Join};
use crate::query::{History, Inputs, Query, percentile};
use crate::text::Text;
use crate::value::{Hour, Quotient, Real};
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct DeliveryPerformance;

crate::record! {
    /// An hour's deliveries by a carrier in a region.
    pub struct Output {
        keys {
            /// The hour of delivery (event time, by its first moment).
            hour: Hour,
            /// The carrier.
            carrier: Text,
            /// Where the parcels went.
            region: Text,
        }
        values {
            /// Parcels delivered in the hour.
            delivered: i64,
            /// Share that kept its promise, from 0 to 1, of those with one.
            on_time: Option<Real>,
            /// Share with all items, of those where both numbers are known.
            in_full: Option<Real>,
            /// Share on time and in full, of those where both can be said.
            otif: Option<Real>,
            /// Share without a failed attempt before, of those with a shipment id.
            first_attempt: Option<Real>,
            /// Median minutes from shipped (or ordered) to delivered; without parcels said to have
            /// arrived before they set out (`hourly_logistics` counts those).
            transit_minutes_p50: Option<Real>,
            /// 95th percentile of the same.
            transit_minutes_p95: Option<Real>,
            /// Mean cost over the parcels whose cost is known.
            cost_per_shipment: Option<Quotient<1>>,
        }
    }
}

type Place = (Hour, Text, Text);
/// Deliveries, those with an id; on time, in full and both; cost and transit times.
type Sums<T> = ((i64, i64), (Ratio, Ratio, Ratio), Ratio, T);
/// A row that lacks the first attempts, and the number of its parcels with an id.
type Part = (Output, i64);

const MINUTE: i64 = 60_000;

/// Parcels that were delivered after an attempt that failed, as their places.
fn attempted_again<'s>(inputs: &Inputs<'s>) -> Collection<'s, Place> {
    let failed = inputs.sent::<Logistics>(&[SHIPMENT_ID.optional(), STATUS.optional()]).aggregate(
        "FailedAttempts",
        |scan| {
            let failed = scan.status() == Some(ParcelStatus::AttemptFail);
            (failed && !scan.shipment_id().is_empty()).then(|| scan.shipment_id().clone())
        },
        |times: &mut Bag<i64>, scan, diff| times.add(scan.time(), diff),
        |id, times| {
            let (first, _) = times.iter().find(|(_, count)| **count > 0)?;
            Some((id.clone(), *first))
        },
    );
    let columns = [SHIPMENT_ID.optional(), STATUS.optional(), CARRIER, REGION];
    let delivered = inputs.logistics(&columns).flat_map("DeliveredParcels", |parcel| {
        (parcel.is_delivery() && !parcel.shipment_id().is_empty()).then(|| {
            let place = (parcel.hour(), parcel.carrier().clone(), parcel.region().clone());
            (parcel.shipment_id().clone(), (parcel.time(), place))
        })
    });
    failed.inner_join("FailedFirst", delivered, |_id, failed, (delivered, place)| {
        (failed < delivered).then(|| place.clone())
    })
}

impl Query for DeliveryPerformance {
    type Output = Output;

    fn name(&self) -> &'static str {
        "delivery_performance"
    }

    fn about(&self) -> &'static str {
        "deliveries by hour, carrier and region: on time, in full, first attempt, transit, cost"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let columns = [
            CARRIER,
            REGION,
            SHIPMENT_ID.optional(),
            STATUS.optional(),
            PROMISED_TIME.optional(),
            ITEMS_ORDERED.optional(),
            ITEMS_DELIVERED.optional(),
            SHIPPED_TIME.optional(),
            ORDERED_TIME.optional(),
            COST.optional(),
        ];
        let parts = inputs
            .logistics(&columns)
            .keyed(
                "Deliveries",
                |parcel| {
                    let place =
                        || (parcel.hour(), parcel.carrier().clone(), parcel.region().clone());
                    parcel.is_delivery().then(place)
                },
                |(counts, (on_time, in_full, otif), cost, times): &mut Sums<Values>,
                 parcel,
                 diff| {
                    let (prompt, full) =
                        (parcel.lateness().map(|late| late == 0), parcel.in_full());
                    counts.0 += diff;
                    counts.1 += diff * i64::from(!parcel.shipment_id().is_empty());
                    on_time.add_trial(prompt, diff);
                    in_full.add_trial(full, diff);
                    otif.add_trial(prompt.zip(full).map(|(a, b)| a && b), diff);
                    if let Some(amount) = parcel.cost() {
                        cost.add(amount.0, diff);
                    }
                    if let Some(millis) = parcel.transit() {
                        times.push(millis, diff);
                    }
                },
            )
            .until(|(hour, ..)| hour.last().0)
            .row(|(hour, carrier, region), (counts, shares, cost, times): &Sums<Quantiles>| {
                let percentile = |percent| {
                    let (millis, of) = times.percentile_linear(percent, 100)?.terms();
                    Real::ratio(millis, of * i128::from(MINUTE))
                };
                (counts.0 > 0).then(|| -> Part {
                    let row = Output {
                        hour: *hour,
                        carrier: carrier.clone(),
                        region: region.clone(),
                        delivered: counts.0,
                        on_time: shares.0.value().map(Real),
                        in_full: shares.1.value().map(Real),
                        otif: shares.2.value().map(Real),
                        first_attempt: None,
                        transit_minutes_p50: percentile(50),
                        transit_minutes_p95: percentile(95),
                        cost_per_shipment: Quotient::of(cost.part, cost.whole),
                    };
                    (row, counts.1)
                })
            });
        let place = |(row, _): &Part| (row.hour, row.carrier.clone(), row.region.clone());
        let parts = parts.map(move |part| (place(&part), Some(part)));
        let again = attempted_again(inputs).map(|place| (place, None));
        parts.concat(again).aggregate(
            "DeliveryPerformance",
            |(place, _)| Some(place.clone()),
            |(rows, again): &mut (Bag<Part>, i64), (_, part), diff| match part {
                Some(part) => rows.add(part.clone(), diff),
                None => *again += diff,
            },
            |_place, (rows, again): &(Items<Part>, i64)| {
                let ((row, known), _) = rows.first_key_value()?;
                let first = Ratio { part: i128::from(known - again), whole: *known };
                Some(Output { first_attempt: first.value().map(Real), ..row.clone() })
            },
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let scans = history.logistics_scans(at);
        let parcels = history.logistics(at);
        let mut places: BTreeMap<Place, Vec<_>> = BTreeMap::new();
        for parcel in parcels.iter().filter(|p| p.is_delivery()) {
            let place = (parcel.hour(), parcel.carrier().clone(), parcel.region().clone());
            places.entry(place).or_default().push(parcel);
        }
        let share = |of: Vec<bool>| {
            let hits = of.iter().filter(|hit| **hit).count();
            (!of.is_empty()).then(|| Real(hits as f64 / of.len() as f64))
        };
        let row = |((hour, carrier, region), parcels): (Place, Vec<&Row<'_, Logistics>>)| {
            let (mut prompt, mut full, mut otif, mut first) = (vec![], vec![], vec![], vec![]);
            let (mut costs, mut minutes) = (vec![], vec![]);
            for parcel in &parcels {
                let kept = parcel.promised_time().map(|promised| parcel.time() <= promised);
                let ordered = parcel.items_ordered();
                let all = parcel.items_delivered().zip(ordered).map(|(got, asked)| got >= asked);
                prompt.extend(kept);
                full.extend(all);
                otif.extend(kept.zip(all).map(|(a, b)| a & b));
                if !parcel.shipment_id().is_empty() {
                    first.push(!scans.iter().any(|scan| {
                        scan.shipment_id() == parcel.shipment_id()
                            && scan.status() == Some(ParcelStatus::AttemptFail)
                            && scan.time() < parcel.time()
                    }));
                }
                costs.extend(parcel.cost().map(|cost| i128::from(cost.0)));
                let sent = parcel.shipped_time().or(parcel.ordered_time());
                let sent = sent.filter(|sent| *sent <= parcel.time());
                minutes.extend(sent.map(|sent| (parcel.time() - sent) as f64 / MINUTE as f64));
            }
            minutes.sort_by(f64::total_cmp);
            Output {
                hour,
                carrier,
                region,
                delivered: parcels.len() as i64,
                on_time: share(prompt),
                in_full: share(full),
                otif: share(otif),
                first_attempt: share(first),
                transit_minutes_p50: percentile(&minutes, 0.5).map(Real),
                transit_minutes_p95: percentile(&minutes, 0.95).map(Real),
                cost_per_shipment: Quotient::of(costs.iter().sum::<i128>(), costs.len() as i64),
            }
        };
        places.into_iter().map(row).collect()
    }
}
