//! A parcel's way from the order to the door: which carrier, how long, and what goes wrong.
//!
//! Carriers differ by region in speed, price and reliability, and one of them gets worse in
//! the second half of the run. The scans of a parcel rise in time and end in `Delivered` or
//! `Expired`.

use super::people::by_share;
use super::random::Rng;
use super::row::{Progress, Region, Warehouse};

pub(super) const CARRIERS: [&str; 4] = ["Albatross", "Bluebird", "Comet", "Dragonfly"];
pub(super) const REGION_NAMES: [&str; 5] = ["north", "west", "east", "south", "central"];
pub(super) const WAREHOUSE_NAMES: [&str; 3] = ["hamburg", "kassel", "munich"];
/// The carrier that gets worse in the second half.
const FAILING: u8 = 2;

/// Hours on the road by carrier and region.
const HOURS: [[u32; 5]; 4] =
    [[26, 30, 38, 34, 24], [40, 34, 44, 52, 36], [30, 44, 28, 40, 30], [54, 58, 62, 50, 48]];
/// Cents for the first item by carrier and region.
const CENTS: [[u32; 5]; 4] = [
    [589, 609, 689, 649, 569],
    [479, 449, 529, 559, 459],
    [519, 579, 509, 559, 519],
    [379, 389, 419, 369, 349],
];
/// Parcels held up, of a thousand, by carrier and region.
const HELD: [[u32; 5]; 4] =
    [[15, 20, 45, 25, 15], [40, 25, 60, 70, 35], [30, 60, 25, 45, 30], [80, 95, 110, 60, 75]];
/// How often a region uses a carrier, in percent.
const USED: [[u32; 4]; 5] =
    [[34, 24, 27, 15], [26, 36, 20, 18], [24, 22, 34, 20], [26, 20, 24, 30], [30, 28, 24, 18]];
/// The warehouse nearest to each region.
const NEAREST: [u8; 5] = [0, 1, 1, 2, 1];

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;

pub(super) fn nearest(region: Region) -> Warehouse {
    Warehouse(NEAREST[usize::from(region.0) % NEAREST.len()])
}

/// A parcel's way. Times are seconds after the order.
#[derive(Debug, Default)]
pub(super) struct Way {
    pub(super) scans: Vec<(u32, Progress)>,
    pub(super) carrier: u8,
    pub(super) cents: u32,
    pub(super) shipped: u32,
    pub(super) promised: u32,
    /// When it was delivered, if it was.
    pub(super) delivered: Option<u32>,
}

impl Way {
    /// Plans the way of a parcel with `items` pieces to `region`.
    pub(super) fn plan(&mut self, rng: &mut Rng, region: Region, second_half: bool, items: u16) {
        let place = usize::from(region.0) % USED.len();
        self.carrier = by_share(rng, &USED[place]);
        // by_share gives an index of USED[place], which has one entry per carrier.
        let carrier = usize::from(self.carrier);
        let failing = second_half && self.carrier == FAILING;
        self.cents = CENTS[carrier][place] + 45 * (u32::from(items.max(1)) - 1);
        self.scans.clear();
        self.delivered = None;

        let info = 90 + 10 * MINUTE + rng.skewed(0, i64::from(3 * HOUR)) as u32;
        self.scans.push((20 + rng.below(70), Progress::Pending));
        self.scans.push((info, Progress::InfoReceived));
        self.shipped = info + 2 * HOUR + rng.below(18 * HOUR);
        let usual = HOURS[carrier][place] * HOUR;
        // What picking and the road usually take, and a day to spare.
        self.promised = usual * 5 / 4 + 32 * HOUR;

        let slower = if failing { 148 } else { 100 };
        let road = usual / 100 * (75 + rng.below(50)) / 100 * slower;
        let held = rng.permille(HELD[carrier][place] * if failing { 3 } else { 1 });
        let hold = if held { DAY + rng.below(3 * DAY) } else { 0 };
        self.scans.push((self.shipped, Progress::InTransit));
        if rng.permille(if failing { 12 } else { 3 }) {
            let lost = self.shipped + road / 2;
            self.scans.push((lost, Progress::Exception));
            self.scans.push((lost + 8 * DAY + rng.below(2 * DAY), Progress::Expired));
            return;
        }
        self.travel(rng, road, hold);
        self.arrive(rng, self.shipped + road + hold);
    }

    /// Scans at depots, and an exception where the parcel is held up.
    fn travel(&mut self, rng: &mut Rng, road: u32, hold: u32) {
        if rng.permille(700) {
            self.scans.push((self.shipped + road / 4, Progress::InTransit));
        }
        let mut here = self.shipped + road / 2;
        if hold > 0 {
            self.scans.push((here, Progress::Exception));
            here += hold;
            self.scans.push((here, Progress::InTransit));
        }
        if rng.permille(800) {
            self.scans.push((here + road / 5, Progress::InTransit));
        }
    }

    /// The last mile; `due` is more than three hours after the last scan as roads are long.
    fn arrive(&mut self, rng: &mut Rng, due: u32) {
        let out = due - 30 * MINUTE - rng.below(2 * HOUR);
        self.scans.push((out, Progress::OutForDelivery));
        let mut door = due;
        if rng.permille(60) {
            self.scans.push((due, Progress::AttemptFail));
            if rng.permille(500) {
                self.scans.push((due + 3 * HOUR, Progress::AvailableForPickup));
                door = due + 4 * HOUR + rng.below(2 * DAY);
            } else {
                self.scans.push((due + 18 * HOUR, Progress::OutForDelivery));
                door = due + 20 * HOUR + rng.below(4 * HOUR);
            }
        }
        self.scans.push((door, Progress::Delivered));
        self.delivered = Some(door);
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::Stream;
    use super::*;

    #[test]
    fn scans_rise_and_end_once_and_the_failing_carrier_fails() {
        let mut way = Way::default();
        let mut late = [[0_u32; 2]; 4];
        let mut sent = [[0_u32; 2]; 4];
        for number in 0..40_000 {
            let mut rng = Rng::keyed(6, Stream::Session, number);
            let half = (number % 2) as usize;
            way.plan(&mut rng, Region((number % 5) as u8), half == 1, 2);
            assert!(way.scans.is_sorted_by(|a, b| a.0 < b.0), "{:?}", way.scans);
            let last = way.scans[way.scans.len() - 1];
            assert_eq!(last.1 == Progress::Delivered, way.delivered == Some(last.0));
            assert_eq!(last.1 == Progress::Expired, way.delivered.is_none());
            let carrier = usize::from(way.carrier);
            sent[carrier][half] += 1;
            late[carrier][half] += u32::from(way.delivered.is_none_or(|at| at > way.promised));
        }
        for carrier in 0..4 {
            let share = |half: usize| late[carrier][half] * 1000 / sent[carrier][half];
            let (first, second) = (share(0), share(1));
            assert!((15..200).contains(&first), "{carrier}: {first}");
            let worse = carrier == usize::from(FAILING);
            assert_eq!(second > 2 * first, worse, "{carrier}: {first} {second}");
        }
    }
}
