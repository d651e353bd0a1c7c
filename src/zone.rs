//! The shop's clock: days and hours of the day as the people there have them.
//!
//! An event time is an instant, and an hour of event time stays one. What is told by day or by hour
//! of the day depends on where the shop is, and on the days on which clocks are changed, which have
//! 23 or 25 hours. The rules of all zones are compiled in.

use crate::value::{Cell, Value};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::cell::Cell as Slot;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A time zone by its name, for instance `Europe/Berlin`; UTC where nothing is said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Zone(TimeZone::UTC)
    }
}

impl std::str::FromStr for Zone {
    type Err = String;

    fn from_str(name: &str) -> Result<Zone, String> {
        let zone = TimeZone::get(name.trim());
        zone.map(Zone).map_err(|_| format!("no such zone {name}; try UTC or Europe/Berlin"))
    }
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(name: String) -> Result<Zone, String> {
        name.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> String {
        zone.0.iana_name().unwrap_or("UTC").to_owned()
    }
}

impl Zone {
    /// The zone itself.
    pub fn time_zone(&self) -> &TimeZone {
        &self.0
    }

    /// Its clock, for many readings.
    pub fn clock(&self) -> Local {
        let zone = (self.0 != TimeZone::UTC).then(|| self.0.clone());
        Local { zone, minute: Slot::new((i64::MIN, 0)) }
    }

    /// A day by its number since 1970.
    pub fn day(&self, number: i32) -> Day {
        let noon = i64::from(number) * DAY + 12 * HOUR;
        // The date is that of noon UTC, whatever the zone.
        let start = Timestamp::from_millisecond(noon).ok().and_then(|noon| {
            let date = noon.to_zoned(TimeZone::UTC).date();
            // The first instant of it, where clocks skip midnight.
            date.to_zoned(self.0.clone()).ok()
        });
        match start {
            Some(start) => {
                Day { start: start.timestamp().as_millisecond(), offset: start.offset().seconds() }
            }
            // Outside the calendar: no validated record is there.
            None => Day { start: i64::from(number) * DAY, offset: 0 },
        }
    }
}

/// The clock on the wall.
#[derive(Clone, Debug)]
pub struct Local {
    /// None for UTC.
    zone: Option<TimeZone>,
    /// The last minute that was asked about, and how far the clock is ahead of UTC in it. Clocks
    /// are changed at full minutes, and most events are in the minute of the one before.
    minute: Slot<(i64, i64)>,
}

impl Local {
    /// What it shows at an event time, as milliseconds of a clock that is never changed.
    #[inline]
    pub fn at(&self, time: i64) -> i64 {
        let Some(zone) = &self.zone else { return time };
        let (minute, mut ahead) = self.minute.get();
        if time.div_euclid(MINUTE) != minute {
            let offset = Timestamp::from_millisecond(time).map(|at| zone.to_offset(at).seconds());
            ahead = i64::from(offset.unwrap_or(0)) * 1000;
            self.minute.set((time.div_euclid(MINUTE), ahead));
        }
        time.saturating_add(ahead)
    }

    /// 0 to 23.
    #[inline]
    pub fn hour_of_day(&self, time: i64) -> u8 {
        self.at(time).div_euclid(HOUR).rem_euclid(24) as u8
    }

    /// The number of its day since 1970.
    #[inline]
    pub fn day(&self, time: i64) -> i32 {
        // Event times lie between the years 1900 and 2200: the day fits.
        self.at(time).div_euclid(DAY) as i32
    }

    /// The minute within the hour, 0 to 59.
    #[inline]
    pub fn minute(&self, time: i64) -> i64 {
        self.at(time).div_euclid(MINUTE).rem_euclid(60)
    }
}

/// A day in the shop's zone, by its first instant and how far clocks are ahead of UTC then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day {
    start: i64,
    /// In seconds.
    offset: i32,
}

impl Day {
    /// The day with this first instant (milliseconds since 1970), where clocks are so many seconds
    /// ahead of UTC.
    pub fn starting(start: i64, offset: i32) -> Day {
        Day { start, offset }
    }
}

impl Cell for Day {
    const KIND: &'static str = "time, with the zone's difference to UTC";
    fn value(&self) -> Value {
        Value::Local(self.start, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn day(zone: &Zone, time: i64) -> String {
        let mut out = String::new();
        zone.day(zone.clock().day(time)).value().write(crate::value::Decimals(2), &mut out);
        out
    }

    #[test]
    fn days_and_hours_are_those_on_the_wall() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        let clock = berlin.clock();
        assert_eq!(clock.hour_of_day(at("2024-01-01T23:30:00Z")), 0);
        assert_eq!(day(&berlin, at("2024-01-01T23:30:00Z")), "2024-01-02T00:00:00+01:00");
        assert_eq!(day(&Zone::default(), at("2024-01-01T23:30:00Z")), "2024-01-01T00:00:00Z");
        // India is half an hour off.
        let india: Zone = "Asia/Kolkata".parse().unwrap();
        assert_eq!(india.clock().hour_of_day(at("2024-01-01T18:29:59Z")), 23);
        assert_eq!(india.clock().minute(at("2024-01-01T18:29:59Z")), 59);
        assert_eq!(day(&india, at("2024-01-01T18:30:00Z")), "2024-01-02T00:00:00+05:30");
        assert!("Europe/Atlantis".parse::<Zone>().is_err());
    }

    #[test]
    fn days_of_a_change_of_clocks_have_23_and_25_hours() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        let clock = berlin.clock();
        let hours = |first: &str| -> Vec<u8> {
            let first = at(first);
            let all = (0..48).map(|hour| first + hour * HOUR);
            let same = all.filter(|time| clock.day(*time) == clock.day(first));
            same.map(|time| clock.hour_of_day(time)).collect()
        };
        let spring = hours("2024-03-30T23:00:00Z");
        assert_eq!((spring.len(), &spring[..4]), (23, &[0, 1, 3, 4][..]));
        let autumn = hours("2024-10-26T22:00:00Z");
        assert_eq!((autumn.len(), &autumn[..5]), (25, &[0, 1, 2, 2, 3][..]));
        assert_eq!(day(&berlin, at("2024-10-27T12:00:00Z")), "2024-10-27T00:00:00+02:00");
        // Where midnight itself is skipped, the day begins at one.
        let sao_paulo: Zone = "America/Sao_Paulo".parse().unwrap();
        assert_eq!(day(&sao_paulo, at("2018-11-04T12:00:00Z")), "2018-11-04T01:00:00-02:00");
    }

    /// Against the calendar of the library, one reading at a time.
    #[test]
    fn the_clock_is_that_of_the_calendar() {
        let mut random = Random::new(1);
        for name in ["Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "UTC"] {
            let zone: Zone = name.parse().unwrap();
            let clock = zone.clock();
            for _ in 0..2000 {
                let century = 100 * 365 * DAY as usize;
                let time = at("1950-01-01T00:00:00Z") + random.below(century) as i64;
                let zoned =
                    Timestamp::from_millisecond(time).unwrap().to_zoned(zone.time_zone().clone());
                assert_eq!(i64::from(clock.hour_of_day(time)), i64::from(zoned.hour()), "{zoned}");
                assert_eq!(clock.minute(time), i64::from(zoned.minute()), "{zoned}");
                let start = zoned.start_of_day().unwrap();
                let want =
                    Day::starting(start.timestamp().as_millisecond(), start.offset().seconds());
                assert_eq!(zone.day(clock.day(time)), want, "{zoned}");
            }
        }
    }
}
