//! When things happen: the shop's rhythm over the day, the week and the run.
//!
//! Time is cut into slots of five minutes, each with a weight from smooth tables. A share of
//! the work done so far then maps to a moment by looking up the running sum: as many rows
//! fall into each slot as its weight asks, whatever the number of rows is.

use super::random::{Rng, Stream};

pub(super) const SECOND: i64 = 1_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

const SLOT: i64 = 5 * MINUTE;
const SLOTS_A_DAY: i64 = DAY / SLOT;
const SLOTS_AN_HOUR: i64 = HOUR / SLOT;

/// Visits by hour of the day: asleep at four, lunch, and the evening peak.
const HOURS: [u64; 24] =
    [22, 13, 8, 6, 6, 9, 18, 34, 50, 62, 70, 74, 80, 76, 70, 68, 70, 76, 88, 102, 112, 104, 76, 44];
/// Visits by weekday, Monday first.
const WEEKDAYS: [u64; 7] = [102, 96, 95, 98, 92, 104, 118];
/// How ready to buy visitors are by hour, in percent.
const MOOD: [u32; 24] = [
    80, 70, 60, 60, 60, 70, 80, 90, 95, 100, 100, 100, 105, 100, 95, 95, 95, 100, 105, 115, 120,
    115, 105, 90,
];

/// Maps shares of the run to moments.
#[derive(Debug)]
pub(super) struct Pace {
    start: i64,
    /// The summed weight up to and with each slot.
    sums: Vec<u64>,
}

impl Pace {
    pub(super) fn new(start: i64, days: u32, seed: u64) -> Self {
        let mut sums = Vec::with_capacity(days as usize * SLOTS_A_DAY as usize);
        let mut sum = 0;
        for day in 0..i64::from(days) {
            let noise = 92 + u64::from(Rng::keyed(seed, Stream::Day, day as u64).below(17));
            for slot in 0..SLOTS_A_DAY {
                sum += weight(start + day * DAY + slot * SLOT) * noise;
                sums.push(sum);
            }
        }
        Pace { start, sums }
    }

    /// The moment at which `done` of `whole` has happened; the end of the run from there on.
    pub(super) fn at(&self, done: u64, whole: u64) -> i64 {
        let total = self.sums.last().copied().unwrap_or(0);
        let target = u128::from(done) * u128::from(total) / u128::from(whole.max(1));
        let target = u64::try_from(target).unwrap_or(u64::MAX);
        let slot = self.sums.partition_point(|&sum| sum <= target);
        let Some(&above) = self.sums.get(slot) else {
            return self.end();
        };
        let below = if slot == 0 { 0 } else { self.sums[slot - 1] };
        let within = (target - below) as i64 * SLOT / (above - below) as i64;
        self.start + slot as i64 * SLOT + within
    }

    pub(super) fn end(&self) -> i64 {
        self.start + self.sums.len() as i64 * SLOT
    }

    pub(super) fn middle(&self) -> i64 {
        self.start + self.sums.len() as i64 * SLOT / 2
    }

    pub(super) fn start(&self) -> i64 {
        self.start
    }
}

fn hour_of(time: i64) -> usize {
    time.rem_euclid(DAY).div_euclid(HOUR) as usize
}

/// The weight of the slot at `time`: between two hours the tables are joined by a line.
fn weight(time: i64) -> u64 {
    let hour = hour_of(time);
    let part = (time.rem_euclid(HOUR) / SLOT) as u64;
    // 1970-01-01 was a Thursday, the fourth day of a week that starts on Monday.
    let weekday = (time.div_euclid(DAY) + 3).rem_euclid(7) as usize;
    let whole = SLOTS_AN_HOUR as u64;
    (HOURS[hour] * (whole - part) + HOURS[(hour + 1) % 24] * part) * WEEKDAYS[weekday]
}

/// How ready to buy visitors are at `time`, in percent.
pub(super) fn mood(time: i64) -> u32 {
    MOOD[hour_of(time)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_get_rows_by_weight_and_time_never_turns_back() {
        let start = 1_767_225_600_000;
        let pace = Pace::new(start, 3, 9);
        let whole = 200_000;
        let mut counts = vec![0_u64; pace.sums.len()];
        let (mut last, mut halves) = (start, 0_i64);
        for done in 0..whole {
            let time = pace.at(done, whole);
            assert!(time >= last);
            last = time;
            counts[((time - start) / SLOT) as usize] += 1;
            halves += i64::from((time - start) % SLOT >= SLOT / 2) * 2 - 1;
        }
        let total = pace.sums[pace.sums.len() - 1];
        let mut before = 0;
        for (count, sum) in counts.iter().zip(&pace.sums) {
            let wanted = (sum - before) * whole / total;
            assert!(count.abs_diff(wanted) <= 1, "{count} rows where {wanted} were due");
            before = *sum;
        }
        // Within a slot rows are spread evenly: no slot is off by more than one row.
        assert!(halves.unsigned_abs() <= counts.len() as u64, "{halves}");
        assert_eq!(pace.at(whole, whole), start + 3 * DAY);
        assert_eq!(pace.at(u64::MAX, 1), pace.end());
    }

    #[test]
    fn thursday_is_the_day_of_the_epoch() {
        // 2026-01-01 is a Thursday as well: both get that weekday's weight.
        assert_eq!(weight(0), HOURS[0] * 12 * WEEKDAYS[3]);
        assert_eq!(weight(1_767_225_600_000), weight(0));
    }
}
