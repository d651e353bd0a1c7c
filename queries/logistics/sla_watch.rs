//! The parcels that are on their way, and how likely each is to come late.
//!
//! A parcel is open while its current status is neither `Delivered` nor `Expired`; it is watched if
//! its shipment id, its promise and the time it was sent (shipped, or ordered where that is unknown)
//! are known, until no scan of it came for `patience_days`. Elapsed is the time since it was sent.
//!
//! P(late | elapsed) = S(promised) / S(elapsed), where S(x) is the share of deliveries that took
//! longer than x, all in whole minutes (a delivery's rounded up, the parcel's down). It is taken
//! from the deliveries of the parcel's lane (carrier and region), of its region and of its carrier.
//! With n deliveries of the level that took longer than the parcel has, the level's own figure
//! weighs n / (n + `shrinkage`) and what the next wider level says the rest; a level with n = 0 is
//! passed over, and the widest that says something weighs all. Where none does the probability is
//! empty. A parcel past its promise is late: 1.
//!
//! The board is renewed at every full hour that some record led up to (also one that takes a scan
//! back), once a record has a time at or after it, with what was known by then and with elapsed as
//! of then (see `Board`): in between nothing changes, so its cost is the open parcels per hour, and
//! the view at a time is that of the last full hour. The levels meet at one place. State: the open
//! parcels, the rows shown, and per lane, region and carrier a count per distinct minute of transit.

use crate::clock::{Millis, Time};
use crate::event::logistics::{
    CARRIER, ORDERED_TIME, PROMISED_TIME, REGION, SHIPMENT_ID, SHIPPED_TIME, STATUS,
};
use crate::event::{Logistics, ParcelStatus, Row, Stream};
use crate::monoid::{Bag, Items};
use crate::operator::{Board, Collection};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::Real;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

mod leads;

use leads::{Lead, Leads, Survival};

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug)]
    pub struct SlaWatch {
        /// Days without a scan after which a parcel is given up.
        pub patience_days: u16 = 30,
        /// Deliveries for which a level's own figure weighs half.
        pub shrinkage: u32 = 30,
    }
}

crate::record! {
    /// A parcel that is still expected.
    pub struct Output {
        keys {
            /// The parcel.
            shipment_id: Text,
        }
        values {
            /// Who carries it.
            carrier: Text,
            /// Where it goes.
            region: Text,
            /// Its current status.
            status: Option<ParcelStatus>,
            /// Minutes since it was sent, as of the last full hour.
            elapsed_minutes: i64,
            /// Minutes from when it was sent to its promise.
            promised_minutes: i64,
            /// Whether its promise is over.
            late: bool,
            /// Chance from 0 to 1 that it comes after its promise.
            late_probability: Option<Real>,
        }
    }
}

/// How often the board is renewed.
const HOUR: Millis = Millis::hours(1);
const MINUTE: i64 = 60_000;
const DAY: i64 = 1440 * MINUTE;

/// An open parcel, in the order of scans.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Open {
    scanned: i64,
    id: Text,
    status: Option<ParcelStatus>,
    carrier: Text,
    region: Text,
    sent: i64,
    promised: i64,
}

/// What a record is to the board.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Entry {
    /// Some record: time has passed.
    Scan,
    Open(Open),
    Lead(Lead),
}

impl Entry {
    fn of(parcel: &Row<'_, Logistics>) -> Option<Entry> {
        let (carrier, region) = (parcel.carrier().clone(), parcel.region().clone());
        if parcel.is_delivery() {
            let minutes = parcel.transit()?.div_euclid(MINUTE)
                + i64::from(parcel.transit()?.rem_euclid(MINUTE) > 0);
            return Some(Entry::Lead((carrier, region, minutes)));
        }
        if !parcel.is_open() || parcel.shipment_id().is_empty() {
            return None;
        }
        Some(Entry::Open(Open {
            id: parcel.shipment_id().clone(),
            scanned: parcel.time(),
            status: parcel.status(),
            carrier,
            region,
            sent: parcel.sent()?,
            promised: parcel.promised_time()?,
        }))
    }
}

impl SlaWatch {
    /// The chances of the levels, widest first, each `(took longer than promised, than elapsed)`.
    fn chance(&self, levels: [(i64, i64); 3]) -> Option<Real> {
        let mut chance = None;
        for (late, still) in levels.into_iter().filter(|(_, still)| *still > 0) {
            let own = late as f64 / still as f64;
            let weight = still as f64 / (still + i64::from(self.shrinkage)) as f64;
            chance = Some(chance.map_or(own, |wider| weight * own + (1.0 - weight) * wider));
        }
        chance.map(Real)
    }

    fn read(&self, open: &Items<Open>, leads: &Survival, now: i64, rows: &mut Vec<Output>) {
        let patience = i64::from(self.patience_days) * DAY;
        let mut known = BTreeSet::new();
        // From the last scan back: of a parcel the first that is met is its latest.
        for parcel in open.keys().rev().take_while(|parcel| now - parcel.scanned <= patience) {
            if !known.insert(&parcel.id) {
                continue;
            }
            let elapsed = (now - parcel.sent).max(0).div_euclid(MINUTE);
            let promised = (parcel.promised - parcel.sent).div_euclid(MINUTE);
            let late = now > parcel.promised;
            let lane = (parcel.carrier.clone(), parcel.region.clone());
            let [missed, still] =
                [promised.max(elapsed), elapsed].map(|minutes| leads.longer(&lane, minutes));
            let chance = || self.chance([0, 1, 2].map(|level| (missed[level], still[level])));
            rows.push(Output {
                shipment_id: parcel.id.clone(),
                carrier: parcel.carrier.clone(),
                region: parcel.region.clone(),
                status: parcel.status,
                elapsed_minutes: elapsed,
                promised_minutes: promised,
                late,
                late_probability: if late { Some(Real(1.0)) } else { chance() },
            });
        }
    }
}

impl Query for SlaWatch {
    type Output = Output;

    fn name(&self) -> &'static str {
        "sla_watch"
    }

    fn about(&self) -> &'static str {
        "open parcels at each full hour: elapsed, and the probability of missing the promise"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let hours = inputs.periods(inputs.clock(Stream::Logistics), HOUR);
        let this = self.clone();
        let shipped = SHIPPED_TIME.or(ORDERED_TIME);
        let columns = [SHIPMENT_ID, STATUS, CARRIER, REGION, PROMISED_TIME, shipped];
        let scans = inputs.arrived::<Logistics>().flat_map("Scans", |_| Some(Entry::Scan));
        inputs.logistics(&columns).flat_map("Parcels", Entry::of).concat(scans).board(
            "SlaWatch",
            &hours,
            |_entry| Some(()),
            |(open, leads): &mut (Bag<Open>, Leads), entry, diff| match entry {
                Entry::Scan => {}
                Entry::Open(parcel) => open.add(parcel.clone(), diff),
                Entry::Lead(lead) => leads.add(lead.clone(), diff),
            },
            // Milliseconds of stream time fit: they come from event times.
            move |(), (open, leads), now, rows| this.read(open, leads, now.millis() as i64, rows),
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let clock = history.now(&[Stream::Logistics], at);
        let hours = history.stamps(Stream::Logistics).into_iter().map(|stamp| stamp.end_of(HOUR));
        let Some(hour) = hours.filter(|hour| hour.signed() <= clock).max() else {
            return Vec::new();
        };
        let now = hour.millis() as i64;
        let parcels = history.logistics(hour);
        let took: Vec<(&Row<'_, Logistics>, f64)> = parcels
            .iter()
            .filter(|p| p.is_delivery())
            .filter_map(|p| Some((p, (p.time() - p.sent()?) as f64 / MINUTE as f64)))
            .filter(|(_, minutes)| *minutes >= 0.0)
            .map(|(p, minutes)| (p, minutes.ceil()))
            .collect();
        let mut open: BTreeMap<Text, Output> = BTreeMap::new();
        let mut scans: Vec<_> = parcels.iter().filter(|p| p.is_open()).collect();
        scans.sort_by_key(|p| {
            (p.time(), p.status(), p.carrier(), p.region(), p.sent(), p.promised_time())
        });
        for parcel in scans {
            let id = parcel.shipment_id();
            let (Some(sent), Some(promise)) = (parcel.sent(), parcel.promised_time()) else {
                continue;
            };
            if id.is_empty() {
                continue;
            }
            open.remove(id);
            if now - parcel.time() > i64::from(self.patience_days) * 86_400_000 {
                continue;
            }
            let elapsed = ((now - sent) as f64 / MINUTE as f64).floor().max(0.0);
            let promised = ((promise - sent) as f64 / MINUTE as f64).floor();
            let same = |other: &Row<'_, Logistics>, level: usize| {
                (level == 1 || other.carrier() == parcel.carrier())
                    && (level == 0 || other.region() == parcel.region())
            };
            // From the widest level (the carrier) to the lane.
            let mut chance: Option<f64> = None;
            for level in 0..3 {
                let longer = |x: f64| {
                    took.iter().filter(|(p, minutes)| same(p, level) && *minutes > x).count() as f64
                };
                let (n, over) = (longer(elapsed), longer(promised.max(elapsed)));
                if n > 0.0 {
                    let weight =
                        if chance.is_some() { n / (n + f64::from(self.shrinkage)) } else { 1.0 };
                    chance = Some(weight * over / n + (1.0 - weight) * chance.unwrap_or(0.0));
                }
            }
            let late = now > promise;
            let row = Output {
                shipment_id: id.clone(),
                carrier: parcel.carrier().clone(),
                region: parcel.region().clone(),
                status: parcel.status(),
                elapsed_minutes: elapsed as i64,
                promised_minutes: promised as i64,
                late,
                late_probability: if late { Some(Real(1.0)) } else { chance.map(Real) },
            };
            open.insert(id.clone(), row);
        }
        open.into_values().collect()
    }
}
