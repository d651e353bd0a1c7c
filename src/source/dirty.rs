//! Random dirty files, on which the CSV input path and its twin must agree for every block size.

use jiff::tz::TimeZone;

use super::absent::Absent;
use super::plan::ParseOptions;
use super::split::MAX_RECORD;
use super::time::{Form, Unit};
use super::twin::{Random, real, twin};

const DIRT: &[&str] = &[
    "",
    " ",
    "-",
    "+",
    ".",
    "x",
    "0",
    "007",
    "1,5",
    "\"",
    "\"\"",
    "a\"b",
    "\"a\nb\"",
    "\"a\"\"b\"",
    "\"a\"b\"",
    "\"a,b\"c",
    "\r",
    "é",
    "99999999999999999999",
    "-9223372036854775808",
    "9223372036854775807",
    "\"12\"",
    " 12 ",
    "\" 7\"",
    "1e3",
    "0x1",
    "1.5",
    "\t5",
    "\u{3000}5",
    "\"\r\n\"",
    "12345678",
    "123456789",
    "a string of more than forty characters, at last",
    "NA",
    "null",
    "\\N",
    "missing",
    "\"1,234.50\"",
    "\"5,00\"",
    "$5.00",
    "(5.00)",
    ".5",
    "3.0000000000001",
    "3.0",
];
const TIMES: &[&str] = &[
    "2026-02-30 10:00:00",
    "2024-02-29 23:59:59",
    "2023-02-29 00:00:00",
    "2026-01-01",
    "2026-01-01T10:00:00Z",
    "2026-01-01T10:00:00.5+02:00",
    "2026-01-01 10:00:00.123456",
    "1767225600",
    "1767225600123",
    "2026-01-01 24:00:00",
    "2026-01-01 23:59:60",
    "1899-12-31 23:59:59",
    "1900-01-01 00:00:00",
    "2199-12-31 23:59:59",
    "2200-01-01 00:00:00",
    "2026-03-29 02:30:00",
    "2026-10-25 02:30:00",
    "2026-03-29 01:59:59",
    "2026-10-25 03:00:00",
    "0000-00-00 00:00:00",
    "2026-01-01 10:00",
    "2026-1-01 10:00:00",
    "2026-01-01x10:00:00",
    "2026-01-01 10:0a:00",
    "2026-01-01 1a:00:00",
    "2026-01-01 10:00:00.",
    "2026-01-01t10:00:00z",
    "2026-01-01T10:00:00+0200",
    "2026-01-01T10:00:00-23:59",
    "2026-01-01 10:00:00Z",
    "2026-01-01 10:00:00+24:00",
    "99999999999",
    "100000000000",
    "-1",
    "2026-01-01 10-00-00",
    "2026-04-05 01:45:00",
    "2026-10-04 02:15:00",
    "20260101",
    "2026-01-01Z",
    "1969-12-31 23:59:59.999",
    "2026-01-01 10:61:00",
    "2026/01/01 10:00",
    "31-Jan-26",
    "31/01/2026 8:26",
    "01/02/2026 8:26",
    "1767225600.5",
    "202601011000",
];

/// One value for the column, mostly a good one.
fn cell(random: &mut Random, column: &str, dirt: usize) -> String {
    if random.below(100) < dirt {
        let words = if column == "time" && random.below(2) == 0 { TIMES } else { DIRT };
        return random.pick(words).to_owned();
    }
    let n = random.below(1_000_000_000);
    match column {
        "time" | "shipped" if random.below(4) == 0 => random.pick(TIMES).to_owned(),
        "time" | "shipped" => {
            format!(
                "2026-0{}-1{} 1{}:{:02}:{:02}",
                1 + n % 2,
                n % 3,
                n % 7 % 2,
                n % 60,
                n / 60 % 60
            )
        }
        "amount" => match n % 8 {
            0 => format!("-{}.{:02}", n / 7 % 10_000, n % 100),
            1 => format!("{}", n / 10),
            2 => format!("{}.{}", n % 1000, n % 10_000),
            3 => format!("{}.{:02}", n, n % 100),
            4 => format!("+{}.{}00", n % 10, n % 10),
            _ => format!("{}.{:02}", n % 1000, n % 100),
        },
        "count" => format!("{}", n as i64 % 10i64.pow(1 + (n % 9) as u32) - 50),
        "status" => random
            .pick(&["paid", "open", "sent back", "PAID", " Open", "none", "Opened"])
            .to_owned(),
        "channel" => random.pick(&["Web", "shop", "fax", ""]).to_owned(),
        "_diff" => random.pick(&["1", "1", "1", "-1", "2", "0", "5000000000"]).to_owned(),
        _ => match n % 6 {
            0 => format!("{n:014}"),
            1 => format!("Item {n} of a long name"),
            2 => random.pick(&["Straße", "ÄÖ", "abc", "ABC", "İ"]).to_owned(),
            _ => n.to_string(),
        },
    }
}

/// A random dirty file.
fn dirty(random: &mut Random) -> Vec<u8> {
    let mut names = vec![
        "time", "amount", "count", "status", "label", "shipped", "channel", "code", "_diff",
        "extra",
    ];
    while names.len() > 1 && random.below(4) > 0 {
        let drop = 1 + random.below(names.len() - 1);
        names.remove(drop);
    }
    let turn = random.below(names.len());
    names.rotate_left(turn);
    let dirt = [0, 1, 10, 40][random.below(4)];
    let line_end = ["\n", "\r\n"][random.below(2)];
    let mut file = Vec::new();
    if random.below(3) == 0 {
        file.extend_from_slice(b"\xEF\xBB\xBF");
    }
    let shown = names.iter().map(|name| match random.below(4) {
        0 => format!("\"{name}\""),
        1 => format!(" {} ", name.to_uppercase()),
        _ => (*name).to_owned(),
    });
    let shown: Vec<String> = shown.collect();
    file.extend_from_slice(shown.join(",").as_bytes());
    file.extend_from_slice(line_end.as_bytes());
    for _ in 0..random.below(120) {
        let mut row: Vec<String> = names.iter().map(|name| cell(random, name, dirt)).collect();
        if random.below(400) < dirt {
            row.truncate(1 + random.below(row.len()));
        }
        if random.below(400) < dirt {
            row.push(["more", "", " ", "\"\""][random.below(4)].to_owned());
        }
        file.extend_from_slice(row.join(",").as_bytes());
        if random.below(800) < dirt {
            file.extend_from_slice(b"\xFF");
        }
        let ends = if random.below(400) < dirt {
            ["\n\n", "\r\n\r\n", "\n"][random.below(3)]
        } else {
            line_end
        };
        file.extend_from_slice(ends.as_bytes());
    }
    if random.below(2) == 0 {
        file.truncate(file.len() - 1);
    }
    file
}

#[test]
fn agrees_on_random_dirty_files() {
    let mut random = Random(1);
    let zones = ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/New_York"]
        .map(|z| TimeZone::get(z).unwrap());
    let (mut rows, mut bad) = (0, 0);
    for round in 0..300 {
        let file = dirty(&mut random);
        let options = ParseOptions {
            decimals: [2, 2, 0, 3, 8][random.below(5)],
            trim_fold: random.below(3) > 0,
            zone: zones[random.below(4)].clone(),
            max_time: (random.below(3) == 0).then_some(1_800_000_000_000),
            decimal_comma: random.below(4) == 0,
            absent: Absent::with(&["missing".into()]),
            ..ParseOptions::default()
        };
        let wanted: Vec<usize> = (1..8).filter(|_| random.below(3) > 0).collect();
        let expected = twin(&file, MAX_RECORD, &wanted, &options);
        rows += expected.rows.len();
        bad += expected.bad.len();
        for size in [1, 2 + random.below(300), 4096, 1 << 18] {
            let got = real(&file, size, MAX_RECORD, &wanted, &options).unwrap();
            for (got, expected) in got.bad.iter().zip(&expected.bad) {
                assert_eq!(
                    got,
                    expected,
                    "round {round}, size {size}, {}",
                    String::from_utf8_lossy(&got.3)
                );
            }
            for (got, expected) in got.rows.iter().zip(&expected.rows) {
                assert_eq!(got, expected, "round {round}, size {size}");
            }
            assert!(got == expected, "round {round}, size {size}: {} {}", got.lines, got.records);
        }
    }
    assert!(rows > 5_000 && bad > 5_000, "{rows} rows and {bad} bad are too few to tell");
}

/// Random files over the few bytes that mean something, however the blocks fall and however short a record has to be.
#[test]
fn agrees_on_random_quotes_and_line_ends() {
    let mut random = Random(8);
    // Any number is a time.
    let time_forms = vec![(None, Form::Epoch(Unit::Seconds))];
    let options = ParseOptions { time_forms, ..ParseOptions::default() };
    let (mut rows, mut bad) = (0, 0);
    for round in 0..6000 {
        let letters = [&b"\",\n\r a;5"[..], b"\"\",,\n5", b"\",\n\n\r555"][round % 3];
        let header = ["label,time\n", "\n\"la\nbel\",\"time\"\r\n", "time\n"][round / 3 % 3];
        let mut file = header.as_bytes().to_vec();
        let length = random.below(if round % 10 == 0 { 300 } else { 40 });
        file.extend((0..length).map(|_| letters[random.below(letters.len())]));
        let limit = [MAX_RECORD, 64, 7, 3][round / 9 % 4];
        let expected = twin(&file, limit, &[4], &options);
        (rows, bad) = (rows + expected.rows.len(), bad + expected.bad.len());
        for size in [1, 2, 1 + random.below(40), 1 << 10] {
            let got = real(&file, size, limit, &[4], &options).unwrap();
            let shown = String::from_utf8_lossy(&file);
            assert_eq!(got, expected, "round {round}, size {size}, limit {limit}: {shown:?}");
        }
    }
    assert!(rows > 2_000 && bad > 20_000, "{rows} rows and {bad} bad are too few to tell");
}
