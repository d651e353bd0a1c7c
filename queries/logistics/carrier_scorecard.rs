//! How far each carrier can be trusted, and its rank among them.
//!
//! Over a carrier's deliveries so far: `on_time`, the share that kept its promise; `on_time_least`,
//! the lower end of the share's 95 % Wilson score interval, which few parcels keep low;
//! `late_minutes_p95`, the 95th percentile (linear) of the minutes after the promise, zero where it
//! was kept; `cost_per_parcel` over the parcels whose cost is known. Carriers are ranked by
//! `on_time_least` in whole billionths, then by lower cost (compared exactly, an unknown one last),
//! then by name. Every carrier's rank may follow from one delivery, so the carriers' cards are kept
//! at one place. State: per carrier the sums and a count per distinct lateness (milliseconds), and
//! a card.

use crate::clock::Time;
use crate::event::logistics::{CARRIER, COST, PROMISED_TIME, STATUS};
use crate::monoid::{Bag, Items, Quantiles, Ratio, Values};
use crate::operator::{Aggregate, Collection};
use crate::query::{History, Inputs, Query, percentile};
use crate::text::Text;
use crate::value::{Quotient, Real};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct CarrierScorecard;

crate::record! {
    /// A carrier.
    pub struct Output {
        keys {
            /// The carrier.
            carrier: Text,
        }
        values {
            /// Place among all carriers by on_time_least, from 1.
            rank: i64,
            /// Parcels delivered.
            delivered: i64,
            /// Deliveries on time / those with a promise, a share from 0 to 1.
            on_time: Option<Real>,
            /// Lower end of its 95 % Wilson score interval.
            on_time_least: Option<Real>,
            /// 95th percentile of the minutes after the promise, 0 where it was kept.
            late_minutes_p95: Option<Real>,
            /// Mean cost over the parcels whose cost is known.
            cost_per_parcel: Option<Quotient<1>>,
        }
    }
}

/// Carrier, deliveries, those on time, cost, and the 95th percentile of lateness in minutes.
type Card = (Text, i64, Ratio, Ratio, Option<Real>);

const MINUTE: i64 = 60_000;

/// The cards with their ranks.
fn rank(cards: &Items<Card>, rows: &mut Vec<Output>) {
    let mut order: Vec<&Card> = cards.keys().collect();
    order.sort_by(|a, b| {
        let least = |card: &Card| card.2.wilson_rank();
        let unknown = |card: &Card| card.3.whole <= 0;
        (Reverse(least(a)), unknown(a))
            .cmp(&(Reverse(least(b)), unknown(b)))
            .then_with(|| a.3.compare(b.3))
            .then_with(|| a.0.cmp(&b.0))
    });
    rows.extend((1..).zip(order).map(|(rank, (carrier, delivered, on_time, cost, late))| Output {
        carrier: carrier.clone(),
        rank,
        delivered: *delivered,
        on_time: on_time.value().map(Real),
        on_time_least: on_time.wilson_lower().map(Real),
        late_minutes_p95: *late,
        cost_per_parcel: Quotient::of(cost.part, cost.whole),
    }));
}

impl Query for CarrierScorecard {
    type Output = Output;

    fn name(&self) -> &'static str {
        "carrier_scorecard"
    }

    fn about(&self) -> &'static str {
        "carriers ranked by the lower bound of their on-time share, with lateness and cost"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let columns = [CARRIER, PROMISED_TIME, STATUS.optional(), COST.optional()];
        inputs
            .logistics(&columns)
            .aggregate(
                "CarrierCards",
                |parcel| parcel.is_delivery().then(|| parcel.carrier().clone()),
                |(count, on_time, cost, late): &mut (i64, Ratio, Ratio, Values), parcel, diff| {
                    *count += diff;
                    if let Some(millis) = parcel.lateness() {
                        on_time.add_trial(Some(millis == 0), diff);
                        late.push(millis, diff);
                    }
                    if let Some(amount) = parcel.cost() {
                        cost.add(amount.0, diff);
                    }
                },
                |carrier, (count, on_time, cost, late): &(i64, Ratio, Ratio, Quantiles)| {
                    let late = late.percentile_linear(95, 100).map(|p| p.terms());
                    let late = late.and_then(|(top, of)| Real::ratio(top, of * i128::from(MINUTE)));
                    (*count > 0)
                        .then(|| -> Card { (carrier.clone(), *count, *on_time, *cost, late) })
                },
            )
            .aggregate_rows(
                "CarrierScorecard",
                |_card| Some(()),
                |cards: &mut Bag<Card>, card, diff| cards.add(card.clone(), diff),
                |(), cards, rows| rank(cards, rows),
            )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut carriers: BTreeMap<Text, Vec<_>> = BTreeMap::new();
        for parcel in history.logistics(at).into_iter().filter(|p| p.is_delivery()) {
            carriers.entry(parcel.carrier().clone()).or_default().push(parcel);
        }
        let mut rows: Vec<Output> = Vec::new();
        for (carrier, parcels) in carriers {
            let promised = |p: &crate::event::Row<'_, _>| Some(p.time() - p.promised_time()?);
            let mut late: Vec<f64> = parcels
                .iter()
                .filter_map(promised)
                .map(|x| x.max(0) as f64 / MINUTE as f64)
                .collect();
            late.sort_by(f64::total_cmp);
            let n = late.len() as f64;
            let p = late.iter().filter(|x| **x == 0.0).count() as f64 / n;
            let z = 3.841_458_821f64.sqrt();
            let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
            let least = (p + z * z / (2.0 * n) - spread) / (1.0 + z * z / n);
            let costs: Vec<i64> = parcels.iter().filter_map(|p| Some(p.cost()?.0)).collect();
            let some = !late.is_empty();
            rows.push(Output {
                carrier,
                rank: 0,
                delivered: parcels.len() as i64,
                on_time: some.then_some(Real(p)),
                on_time_least: some.then_some(Real(least)),
                late_minutes_p95: percentile(&late, 0.95).map(Real),
                cost_per_parcel: Quotient::of(
                    costs.iter().map(|x| i128::from(*x)).sum::<i128>(),
                    costs.len() as i64,
                ),
            });
        }
        // Shares that differ do so by far more than a millionth in histories that fit a test.
        let key = |row: &Output| {
            let least = row.on_time_least.map_or(-1, |x| (x.0 * 1e6).round() as i64);
            let cost = row.cost_per_parcel;
            (Reverse(least), cost.is_none(), cost, row.carrier.clone())
        };
        rows.sort_by_key(key);
        for (row, rank) in rows.iter_mut().zip(1..) {
            row.rank = rank;
        }
        rows
    }
}
