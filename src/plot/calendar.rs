//! Ticks for an axis of time: whole hours, days, weeks from Monday, months or years in UTC.
//!
//! The ladder runs from fine to coarse and the first step whose labels keep their distance wins, so
//! labels never overlap by the width estimate in `svg`. Calendar arithmetic is jiff's.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::model::{SLOT, Second};
use super::svg;

const DAY: i64 = 24 * SLOT;
/// 1970-01-05, the first Monday.
const MONDAY: i64 = 4 * DAY;
/// Clear space between neighbouring labels, in pixels.
const SPACE: f64 = 18.0;

#[derive(Clone, Copy)]
enum Step {
    Hours(i64),
    Days(i64),
    Months(i64),
}

const LADDER: [Step; 24] = [
    Step::Hours(1),
    Step::Hours(2),
    Step::Hours(3),
    Step::Hours(6),
    Step::Hours(12),
    Step::Days(1),
    Step::Days(2),
    Step::Days(7),
    Step::Days(14),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Months(12),
    Step::Months(24),
    Step::Months(60),
    Step::Months(120),
    Step::Months(240),
    Step::Months(600),
    Step::Months(1200),
    Step::Months(2400),
    Step::Months(6000),
    Step::Months(12_000),
    Step::Months(60_000),
];

/// A labelled place on the axis; `context` is the larger unit, where it begins or changes.
#[derive(Debug, PartialEq)]
pub(super) struct Tick {
    pub at: Second,
    pub label: String,
    pub context: Option<String>,
}

/// Reads a time such as `2026-01-31T13:00:00Z`.
pub(super) fn parse(text: &str) -> Option<Second> {
    let time: Timestamp = text.trim().parse().ok()?;
    Some(Second(time.as_second()))
}

/// Says which hours a chart covers.
pub(super) fn span(first: Second, last: Second) -> String {
    let show = |at| civil(at).strftime("%-d %b %Y %H:%M").to_string();
    if first == last {
        format!("{} UTC", show(first))
    } else {
        format!("{} to {} UTC", show(first), show(last))
    }
}

/// Ticks within `first..=last` for an axis `pixels` wide and labels of `size`.
pub(super) fn ticks(first: Second, last: Second, pixels: f64, size: f64) -> Vec<Tick> {
    let per_second = pixels / (last.0 - first.0).max(1) as f64;
    for step in LADDER {
        let length = match step {
            Step::Hours(n) => n * SLOT,
            Step::Days(n) => n * DAY,
            Step::Months(n) => n * 28 * DAY,
        };
        // Labels are wider than this, so finer steps cannot fit: it keeps the lists short. Beyond a
        // few days, hours only repeat themselves.
        let too_fine = (length as f64 * per_second) < size;
        if too_fine || (length < DAY && last.0 - first.0 > 4 * DAY) {
            continue;
        }
        let ticks = labelled(step, first, last);
        let width = |tick: &Tick| svg::text_width(&tick.label, size);
        let fits = ticks.windows(2).all(|pair| match pair {
            [a, b] => (b.at.0 - a.at.0) as f64 * per_second >= (width(a) + width(b)) / 2.0 + SPACE,
            _ => true,
        });
        if fits {
            return ticks;
        }
    }
    Vec::new()
}

fn labelled(step: Step, first: Second, last: Second) -> Vec<Tick> {
    let (label, context) = match step {
        Step::Hours(_) => ("%H:%M", "%-d %b %Y"),
        Step::Days(_) => ("%-d %b", "%Y"),
        Step::Months(n) if n < 12 => ("%b", "%Y"),
        Step::Months(_) => ("%Y", ""),
    };
    let mut before = String::new();
    let ticks = places(step, first, last).into_iter().map(|at| {
        let time = civil(at);
        let larger = time.strftime(context).to_string();
        let changed = larger != before;
        before.clone_from(&larger);
        Tick { at, label: time.strftime(label).to_string(), context: changed.then_some(larger) }
    });
    ticks.collect()
}

fn places(step: Step, first: Second, last: Second) -> Vec<Second> {
    let even = |length: i64, offset: i64| {
        let count_before = (first.0 - offset - 1).div_euclid(length) + 1;
        (count_before..)
            .map(|index| Second(index * length + offset))
            .take_while(|&at| at <= last)
            .collect()
    };
    match step {
        Step::Hours(n) => even(n * SLOT, 0),
        Step::Days(n) if n % 7 == 0 => even(n * DAY, MONDAY),
        Step::Days(n) => even(n * DAY, 0),
        Step::Months(n) => {
            let month = |at| {
                let date = civil(at);
                i64::from(date.year()) * 12 + i64::from(date.month()) - 1
            };
            (month(first).div_euclid(n)..=month(last).div_euclid(n))
                .filter_map(|index| start_of_month(index * n))
                .filter(|&at| first <= at && at <= last)
                .collect()
        }
    }
}

/// The first second of a month counted from year zero, if the calendar reaches that far.
fn start_of_month(months: i64) -> Option<Second> {
    let year = i16::try_from(months.div_euclid(12)).ok()?;
    let month = i8::try_from(months.rem_euclid(12) + 1).ok()?;
    let date = Date::new(year, month, 1).ok()?;
    let time = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some(Second(time.as_second()))
}

fn civil(at: Second) -> DateTime {
    // Padding around the data can leave the calendar at either end, hence the clamp.
    let (low, high) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let time = Timestamp::from_second(at.0.clamp(low, high)).unwrap_or_default();
    TimeZone::UTC.to_datetime(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Second {
        parse(text).expect("a time written in the test")
    }

    #[test]
    fn a_week_gets_days_and_a_day_gets_hours() {
        let (first, last) = (at("2026-01-30T05:00:00Z"), at("2026-02-06T04:00:00Z"));
        let week = ticks(first, last, 860.0, 12.0);
        let labels: Vec<&str> = week.iter().map(|t| t.label.as_str()).collect();
        assert_eq!(labels[..3], ["31 Jan", "1 Feb", "2 Feb"]);
        assert_eq!(week[0].context.as_deref(), Some("2026"));
        assert_eq!(week[1].context, None);

        let day = ticks(first, at("2026-01-31T05:00:00Z"), 860.0, 12.0);
        assert!(day.iter().all(|t| t.label.ends_with(":00")));
        let named: Vec<_> = day.iter().filter_map(|t| t.context.as_deref()).collect();
        assert_eq!(named, ["30 Jan 2026", "31 Jan 2026"]);
    }

    #[test]
    fn every_span_and_width_has_ticks_in_range_and_apart() {
        let start = at("2025-12-31T23:00:00Z");
        for hours in (6..200).chain((200..200_000).step_by(997)) {
            for pixels in [240.0, 860.0, 3900.0] {
                let last = Second(start.0 + hours * SLOT);
                let ticks = ticks(start, last, pixels, 12.0);
                assert!(!ticks.is_empty(), "{hours} h on {pixels} px");
                let scale = pixels / (hours * SLOT) as f64;
                for pair in ticks.windows(2) {
                    let distance = (pair[1].at.0 - pair[0].at.0) as f64 * scale;
                    assert!(distance >= svg::text_width(&pair[0].label, 12.0));
                }
                assert!(ticks.iter().all(|t| start <= t.at && t.at <= last));
            }
        }
    }

    #[test]
    fn the_ends_of_the_calendar_are_drawn_too() {
        let (first, last) = (at("-009999-01-02T01:59:59Z"), at("9999-12-30T22:00:00Z"));
        assert!(!ticks(first, last, 860.0, 12.0).is_empty());
        let beyond = Second(last.0 + 40 * DAY);
        assert!(!ticks(last, beyond, 860.0, 12.0).is_empty());
    }

    #[test]
    fn only_full_times_are_times() {
        assert_eq!(at("1970-01-01T01:00:00Z"), Second(SLOT));
        assert_eq!(at("1970-01-01T03:00:00+02:00"), Second(SLOT));
        for other in ["", "13", "2026-01-31", "views vs orders"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
