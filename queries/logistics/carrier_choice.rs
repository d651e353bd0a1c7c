//! The carrier to send a region's parcels with: the cheapest of those that keep their promises.
//!
//! A candidate is a carrier with at least `least_parcels` deliveries with a promise, and one with
//! a cost, in the region. Among the candidates whose share on time reaches `floor_percent` the one
//! with the least mean cost is chosen; where none does (`meets_floor` is false) the one with the
//! largest share on time. Ties go to the larger share on time or the lower cost, then to the name.
//! All comparisons multiply integers crosswise, so the choice flips exactly when the evidence does,
//! also when it is corrected. A region without a candidate has no row. State: four sums per region
//! and carrier.

use crate::clock::Time;
use crate::event::logistics::{CARRIER, COST, PROMISED_TIME, REGION, STATUS};
use crate::monoid::{Bag, Items, Ratio};
use crate::operator::{Aggregate, Collection};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::{Quotient, Real};
use std::cmp::Ordering;
use std::collections::BTreeMap;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug)]
    pub struct CarrierChoice {
        /// The least share on time that is good enough, in percent.
        pub floor_percent: u8 = 90,
        /// The deliveries it takes to judge a carrier.
        pub least_parcels: u32 = 10,
    }
}

crate::record! {
    /// A region and its best carrier.
    pub struct Output {
        keys {
            /// Where parcels go.
            region: Text,
        }
        values {
            /// The carrier to choose.
            carrier: Text,
            /// Whether its share on time reaches floor_percent; if not it is only the best there is.
            meets_floor: bool,
            /// Its deliveries on time / those with a promise, a share from 0 to 1.
            on_time: Option<Real>,
            /// Its mean cost of a parcel.
            cost_per_parcel: Option<Quotient<1>>,
            /// Carriers with enough deliveries to be judged.
            candidates: i64,
        }
    }
}

/// A carrier in a region: on time, and cost.
type Evidence = (Text, Ratio, Ratio);

impl CarrierChoice {
    fn floor(&self) -> Ratio {
        Ratio { part: i128::from(self.floor_percent), whole: 100 }
    }

    /// `Less` if the first is the better choice.
    fn compare(&self, a: &Evidence, b: &Evidence) -> Ordering {
        let good = |e: &Evidence| e.1.compare(self.floor()).is_ge();
        let cheaper = a.2.compare(b.2);
        let prompter = b.1.compare(a.1);
        let by_need = if good(a) { cheaper.then(prompter) } else { prompter.then(cheaper) };
        good(b).cmp(&good(a)).then(by_need).then_with(|| a.0.cmp(&b.0))
    }

    fn choose(&self, region: &Text, carriers: &Items<Evidence>) -> Option<Output> {
        let (carrier, on_time, cost) = carriers.keys().min_by(|a, b| self.compare(a, b))?;
        Some(Output {
            region: region.clone(),
            carrier: carrier.clone(),
            meets_floor: on_time.compare(self.floor()).is_ge(),
            on_time: on_time.value().map(Real),
            cost_per_parcel: Quotient::of(cost.part, cost.whole),
            candidates: carriers.len() as i64,
        })
    }
}

impl Query for CarrierChoice {
    type Output = Output;

    fn name(&self) -> &'static str {
        "carrier_choice"
    }

    fn about(&self) -> &'static str {
        "the cheapest carrier of each region among those that are on time often enough"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let (this, least) = (self.clone(), i64::from(self.least_parcels).max(1));
        inputs
            .logistics(&[REGION, CARRIER, PROMISED_TIME, COST, STATUS.optional()])
            .aggregate(
                "CarrierEvidence",
                |parcel| {
                    parcel
                        .is_delivery()
                        .then(|| (parcel.region().clone(), parcel.carrier().clone()))
                },
                |(on_time, cost): &mut (Ratio, Ratio), parcel, diff| {
                    on_time.add_trial(parcel.lateness().map(|late| late == 0), diff);
                    if let Some(amount) = parcel.cost() {
                        cost.add(amount.0, diff);
                    }
                },
                move |(region, carrier), &(on_time, cost)| {
                    (on_time.whole >= least && cost.whole > 0)
                        .then(|| (region.clone(), (carrier.clone(), on_time, cost)))
                },
            )
            .aggregate(
                "CarrierChoice",
                |(region, _)| Some(region.clone()),
                |carriers: &mut Bag<Evidence>, (_, evidence), diff| {
                    carriers.add(evidence.clone(), diff);
                },
                move |region, carriers| this.choose(region, carriers),
            )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut regions: BTreeMap<Text, BTreeMap<Text, Vec<_>>> = BTreeMap::new();
        for parcel in history.logistics(at).into_iter().filter(|p| p.is_delivery()) {
            let carriers = regions.entry(parcel.region().clone()).or_default();
            carriers.entry(parcel.carrier().clone()).or_default().push(parcel);
        }
        let mut rows = Vec::new();
        for (region, carriers) in regions {
            let mut good: Vec<Output> = Vec::new();
            let mut poor: Vec<Output> = Vec::new();
            for (carrier, parcels) in carriers {
                let promised: Vec<bool> = parcels
                    .iter()
                    .filter_map(|p| p.promised_time().map(|t| p.time() <= t))
                    .collect();
                let costs: Vec<i64> = parcels.iter().filter_map(|p| Some(p.cost()?.0)).collect();
                if promised.len() < (self.least_parcels as usize).max(1) || costs.is_empty() {
                    continue;
                }
                let hits = promised.iter().filter(|kept| **kept).count();
                let meets_floor =
                    hits as i64 * 100 >= i64::from(self.floor_percent) * promised.len() as i64;
                let row = Output {
                    region: region.clone(),
                    carrier,
                    meets_floor,
                    on_time: Some(Real(hits as f64 / promised.len() as f64)),
                    cost_per_parcel: Quotient::of(
                        costs.iter().map(|x| i128::from(*x)).sum::<i128>(),
                        costs.len() as i64,
                    ),
                    candidates: 0,
                };
                if meets_floor { good.push(row) } else { poor.push(row) }
            }
            let candidates = (good.len() + poor.len()) as i64;
            // The carriers are in order of their names, and both sorts keep that among equals.
            good.sort_by(|a, b| {
                (a.cost_per_parcel, b.on_time).cmp(&(b.cost_per_parcel, a.on_time))
            });
            poor.sort_by(|a, b| {
                (b.on_time, a.cost_per_parcel).cmp(&(a.on_time, b.cost_per_parcel))
            });
            rows.extend(good.into_iter().chain(poor).take(1).map(|r| Output { candidates, ..r }));
        }
        rows
    }
}
