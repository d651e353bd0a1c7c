//! Times of every form, against what jiff writes and reads.

use super::*;

/// Reads a time both ways, twice the fast one so that it finds the hour kept.
fn read(zone: &str, text: &str) -> Result<i64, Fault> {
    let zone = TimeZone::get(zone).unwrap();
    let mut clock = Clock::new(&zone, None, &Form::Any);
    let slow = clock.parse(text);
    for _ in 0..2 {
        if let Some(fast) = clock.usual(text.as_bytes()) {
            assert_eq!(slow, Ok(fast), "{text}");
        }
    }
    slow
}

fn utc(text: &str) -> Result<i64, Fault> {
    read("UTC", text)
}

#[test]
fn the_fast_way_takes_the_usual() {
    let zone = TimeZone::UTC;
    let mut clock = Clock::new(&zone, Some(1_767_225_661_000), &Form::Any);
    assert_eq!(clock.usual(b"2026-01-01 00:01:01"), Some(1_767_225_661_000));
    assert_eq!(clock.usual(b"2026-01-01T00:00:59Z"), Some(1_767_225_659_000));
    assert_eq!(clock.usual(b"2026-01-01 00:01:02"), None);
    assert_eq!(clock.usual(b"2026-01-01 00:00:59.0129"), Some(1_767_225_659_012));
    assert_eq!(clock.usual(b"2026-01-01T00:00:59.5Z"), Some(1_767_225_659_500));
    for odd in
        [&b"2026-01-01 00:00:59."[..], b"2026-01-01 00:00:59.Z", b"2026-01-01 00:00:59.1+01:00"]
    {
        assert_eq!(clock.usual(odd), None);
    }
    assert_eq!(clock.parse("2026-01-01 00:01:02"), Err(Fault::Future));
}

#[test]
fn forms() {
    let time = Ok(1_767_225_600_000);
    for text in [
        "2026-01-01",
        "2026-01-01 00:00:00",
        "2026-01-01T00:00:00Z",
        "2026-01-01t00:00:00z",
        "1767225600",
        "1767225600000",
        "1767225600000000",
        "1767225600000000000",
        "1767225600.0",
        "2026-01-01 02:00:00+02:00",
        "2025-12-31T23:30:00.0-00:30",
        "2026-01-01 00:00:00.000999",
        "2026-01-01 00:00",
        "2026-01-01T00:00Z",
        "2026-01-01T01:00:00+0100",
        "2026-01-01T01:00+01",
        "2026-01-01 01:00:00 +01:00",
        "2026-01-01 00:00:00 UTC",
        "2026-01-01 00:00:00,000",
        "2026-1-1 0:00",
        "2026/01/01 00:00:00",
        "2026.01.01",
        "20260101",
        "202601010000",
        "20260101000000",
        "20260101T000000Z",
        "20260101 00:00",
        "01-Jan-26",
        "1-JAN-2026 00:00:00",
        "1 January 2026",
        "1. Jan 2026, 00:00",
        "Jan 1, 2026",
        "January 1, 2026 12:00 AM",
        "Thu, 01 Jan 2026 00:00:00 GMT",
        "01/Jan/2026:00:00:00 +0000",
        "2026-Jan-01",
        "01/01/2026 0:00",
    ] {
        assert_eq!(utc(text), time, "{text}");
    }
    assert_eq!(utc("2026-01-01 00:00:00.5"), Ok(1_767_225_600_500));
    assert_eq!(utc("2026-01-01 00:00:00,25"), Ok(1_767_225_600_250));
    assert_eq!(utc("1767225600.5"), Ok(1_767_225_600_500));
    assert_eq!(utc("01-Sept-06"), Ok(1_157_068_800_000));
    assert_eq!(utc("02-Jun-69"), Ok(-18_403_200_000));
    assert_eq!(utc("31.12.2010 8:26"), utc("12/31/2010 8:26 AM"));
    assert_eq!(utc("2026-01-01 10:00:00 PM"), utc("2026-01-01 22:00:00"));
    assert_eq!(utc("2026-01-01 12:30 PM"), utc("2026-01-01 12:30"));
}

#[test]
fn numbers_of_no_time_after_1990_are_refused_unless_they_were_asked_for() {
    for text in ["15", "-1", "0", "631151999", "99999999999", "100000000000", "1990", "170410320"] {
        assert_eq!(utc(text), Err(Fault::Number), "{text}");
    }
    assert_eq!(utc("631152000"), Ok(631_152_000_000));
    let read = |form, text| Clock::new(&TimeZone::UTC, None, &form).parse(text);
    assert_eq!(read(Form::Epoch(Unit::Seconds), "15"), Ok(15_000));
    assert_eq!(read(Form::Epoch(Unit::Seconds), "-1.5"), Ok(-1_500));
    assert_eq!(read(Form::Epoch(Unit::Milliseconds), "-1"), Ok(-1));
    assert_eq!(read(Form::Epoch(Unit::Nanoseconds), "-1"), Ok(-1));
    assert_eq!(read(Form::Epoch(Unit::Microseconds), "1704103200000000"), Ok(1_704_103_200_000));
    assert_eq!(read(Form::Epoch(Unit::Seconds), "99999999999"), Err(Fault::Date));
}

#[test]
fn a_form_once_found_takes_no_other() {
    let read = |form: &Form, text| Clock::new(&TimeZone::UTC, None, form).parse(text);
    let seconds = Form::Recent(Unit::Seconds);
    assert_eq!(read(&seconds, "1704103200"), Ok(1_704_103_200_000));
    assert_eq!(read(&seconds, "15"), Err(Fault::Number));
    assert_eq!(read(&seconds, "1704103200000"), Err(Fault::Date));
    assert_eq!(read(&seconds, "2024-01-01"), Err(Fault::Time));
    let day_first = Form::Written(Some(Order::DayFirst));
    assert_eq!(read(&day_first, "01/02/2024"), read(&day_first, "2024-02-01"));
    assert_eq!(read(&day_first, "01/13/2024"), Err(Fault::Date));
    assert_eq!(read(&day_first, "1704103200"), Err(Fault::Time));
    assert_eq!(read(&Form::Written(None), "01/02/2024"), Err(Fault::Order));
    let pattern = Form::Pattern("%d/%m-%Y".into());
    assert_eq!(read(&pattern, "01/02-2024"), read(&day_first, "2024-02-01"));
    assert_eq!(read(&pattern, "2024-02-01"), Err(Fault::Time));
}

/// Times written in many forms, each of which has to give the time back.
#[test]
fn what_is_written_is_read() {
    let mut random = crate::source::twin::Random(6);
    let zone = TimeZone::get("Asia/Kathmandu").unwrap();
    let patterns = [
        ("%Y-%m-%d %H:%M:%S", 1),
        ("%Y-%m-%dT%H:%M:%S%z", 1),
        ("%Y-%m-%dT%H:%M:%S%:z", 1),
        ("%Y/%-m/%-d %-H:%M", 60),
        ("%Y%m%d%H%M%S", 1),
        ("%Y%m%dT%H%M%S%z", 1),
        ("%d-%b-%Y %H:%M:%S", 1),
        ("%A, %-d %B %Y %I:%M %p", 60),
        ("%b %-d, %Y, %-I:%M:%S %p", 1),
        ("%-d.%-m.%Y %-H:%M", 60),
        ("%d/%m/%y %H:%M:%S", 1),
        ("%s", 1),
    ];
    for _ in 0..20_000 {
        let (pattern, precision) = patterns[random.below(patterns.len())];
        let second = 700_000_000 + random.below(1_300_000_000) as i64;
        let second = second - second.rem_euclid(60) % precision;
        let time = Timestamp::from_second(second).unwrap().to_zoned(zone.clone());
        let text = time.strftime(pattern).to_string();
        let form = if pattern == "%s" { Form::Any } else { Form::Written(Some(Order::DayFirst)) };
        let read = Clock::new(&zone, None, &form).parse(&text);
        assert_eq!(read, Ok(second * 1000), "{text}");
    }
}

#[test]
fn impossible_dates() {
    for text in [
        "2026-02-29 00:00:00",
        "2026-13-01 00:00:00",
        "2026-00-10 00:00:00",
        "2026-04-31",
        "2026-01-01 24:00:00",
        "2026-01-01 00:60:00",
        "2026-01-01 00:00:60",
        "1899-12-31 23:59:59",
        "2200-01-01 00:00:00",
        "31-Feb-24",
        "2026-01-01 13:00 AM",
    ] {
        assert_eq!(utc(text), Err(Fault::Date), "{text}");
    }
    assert!(utc("2024-02-29 00:00:00").is_ok());
    assert!(utc("2199-12-31 23:59:59").is_ok());
}

#[test]
fn no_times() {
    for text in [
        "x",
        "2026-01-01 ",
        "2026-1",
        "2026-01-01 10:00:00 ",
        "2026-01-01 10.00.00",
        "2026-01-01_10:00:00",
        "2026-01-01 10:00:00.",
        "2026-01-01 10:00.5",
        "2026-01-01 10:00:00+2",
        "2026-01-01 10:00:00+24:00",
        "2026-01-01 10:00:00 CET",
        "2026-01-01 10:00:0:",
        "2026-01/01",
        "20261301",
        "1-Foo-26",
        "01/02/2024/03",
        "--5",
        "1e9",
    ] {
        let read = utc(text);
        assert!(matches!(read, Err(Fault::Time | Fault::Number)), "{text}: {read:?}");
    }
    assert_eq!(utc("01.02.2026"), Err(Fault::Order));
}

#[test]
fn gaps_and_overlaps() {
    let berlin = |text| read("Europe/Berlin", text).map(|time| time - 1_774_745_999_000);
    assert_eq!(berlin("2026-03-29 01:59:59"), Ok(0));
    assert_eq!(berlin("2026-03-29 02:30:00"), Ok(1_801_000)); // not there, so as 03:30
    assert_eq!(berlin("2026-03-29 03:30:00"), Ok(1_801_000));
    let (first, later) = (read("Europe/Berlin", "2026-10-25 02:30:00"), utc("2026-10-25 00:30:00"));
    assert_eq!(first, later);
}

#[test]
fn an_hour_with_a_change_there_and_back_is_not_even() {
    // Ten minutes forward at 00:10 and back at 00:40, so 00:25 is fifteen minutes in.
    let zone = TimeZone::posix("AAA0BBB-0:10,J100/0:10,J100/0:40").unwrap();
    let mut clock = Clock::new(&zone, None, &Form::Any);
    let minutes = |time: i64| (time - 1_775_779_200_000) / 60_000;
    assert_eq!(clock.parse("2026-04-10 00:25:00").map(minutes), Ok(15));
    assert_eq!(clock.usual(b"2026-04-10 00:25:00"), None);
    assert_eq!(clock.usual(b"2026-04-10 05:25:00").map(minutes), Some(325));
}

#[test]
fn every_minute_around_a_change_is_as_jiff_has_it() {
    for (name, day) in [
        ("Australia/Lord_Howe", "2026-04-05"),
        ("Australia/Lord_Howe", "2026-10-04"),
        ("Europe/Berlin", "2026-03-29"),
        ("Europe/Berlin", "2026-10-25"),
        ("Asia/Kathmandu", "1985-12-31"),
        ("Asia/Kathmandu", "1986-01-01"),
        ("America/St_Johns", "2006-10-29"),
        ("Pacific/Apia", "2011-12-30"),
    ] {
        let zone = TimeZone::get(name).unwrap();
        let mut clock = Clock::new(&zone, None, &Form::Any);
        for second in (0..86_400).step_by(30) {
            let text =
                format!("{day} {:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
            let time = text.parse::<DateTime>().unwrap().to_zoned(zone.clone()).unwrap();
            let expected = time.timestamp().as_millisecond();
            assert_eq!(clock.usual(text.as_bytes()).unwrap_or(expected), expected, "{name} {text}");
            assert_eq!(clock.parse(&text), Ok(expected), "{name} {text}");
        }
    }
}
