//! Random damage to everything that is read from outside: no parser may panic, hang or give one
//! thing in one block and another in two.
//!
//! `cargo test --test fuzz` takes a fixed number of inputs from a fixed seed. A long search:
//! `TIDEMILL_FUZZ=1000000 TIDEMILL_FUZZ_SEED=$RANDOM cargo test --release --test fuzz -- --nocapture`;
//! what fails names the seed and the number of the input, which make it again.

mod support;

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;
use std::time::Instant;
use support::Random;
use tidemill::batch::{Batch, Column};
use tidemill::clean::currency::Rates;
use tidemill::clock::Millis;
use tidemill::config::Settings;
use tidemill::event::Stream;
use tidemill::lab::eval::clicks;
use tidemill::source::plan::{ParseOptions, Plan};
use tidemill::source::read::Reader;
use tidemill::source::replay_log;

/// How many inputs each parser gets, and from which seed.
fn budget(least: u64) -> (u64, u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse().ok());
    (number("TIDEMILL_FUZZ").unwrap_or(least), number("TIDEMILL_FUZZ_SEED").unwrap_or(1))
}

/// Pieces that mean something to some parser.
const PIECES: &[&str] = &[
    "\"",
    "\"\"",
    ",",
    ";",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "\u{feff}",
    "\0",
    "\u{1b}[31m",
    "\u{202e}",
    "-",
    "+",
    ".",
    "e9",
    "NaN",
    "inf",
    "9223372036854775807",
    "-9223372036854775808",
    "99999999999999999999",
    "2026-01-05T10:00:00Z",
    "2026-02-30",
    "1e400",
    "0x10",
    "true",
    "[[",
    "]]",
    "=",
    "'",
    "\\u0000",
    "é",
    "_diff",
];

/// A seed with some of its bytes changed, taken out, doubled or put elsewhere.
fn damaged(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len() as u64) as usize].clone();
    for _ in 0..1 + random.below(6) {
        let at = random.below(bytes.len() as u64 + 1) as usize;
        let end = (at + random.below(12) as usize).min(bytes.len());
        match random.below(7) {
            0 if at < bytes.len() => bytes[at] = random.bits() as u8,
            1 => drop(bytes.drain(at..end)),
            // Some at once: what goes wrong often takes two that meet.
            2 | 5 => {
                let pieces: String = (0..=random.below(5)).map(|_| random.of(PIECES)).collect();
                bytes.splice(at..at, pieces.into_bytes());
            }
            3 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            4 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes
}

/// Gives a parser its inputs; says which one it was if it fails, and how many there were.
fn search(name: &str, least: u64, seeds: &[Vec<u8>], mut parse: impl FnMut(&[u8])) {
    let (inputs, seed) = budget(least);
    let began = Instant::now();
    for input in 0..inputs {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9).wrapping_add(input));
        let bytes = damaged(&mut random, seeds);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| parse(&bytes)));
        if let Err(panic) = caught {
            eprintln!(
                "{name}: input {input} of TIDEMILL_FUZZ_SEED={seed}: {:?}",
                String::from_utf8_lossy(&bytes)
            );
            std::panic::resume_unwind(panic);
        }
    }
    println!("{name}: {inputs} inputs, {:.0}/s", inputs as f64 / began.elapsed().as_secs_f64());
}

/// A file that each input is written to, for parsers that read files.
fn file(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    fs::create_dir_all(&dir).expect("a directory");
    dir.join(name)
}

/// The times and fields of the good records, and the lines and reasons of the bad ones.
type Found = (Vec<(i64, String)>, Vec<(u64, String)>);

/// The fields of a record as text.
fn fields(batch: &Batch, row: usize) -> String {
    let field = |column: &Column| match column {
        Column::Number(numbers) => format!("{};", numbers[row]),
        Column::Text(texts) => format!("{:?};", texts[row].to_string()),
        Column::Absent => ";".to_string(),
    };
    let fields: String = batch.columns.iter().map(field).collect();
    format!("{fields}{}", batch.diff(row))
}

/// What is read of a text as a stream in blocks of some size.
fn read(stream: Stream, bytes: &[u8], block: usize) -> Option<Found> {
    let text = Box::new(Cursor::new(bytes.to_vec()));
    let mut reader = Reader::from_read("fuzz", text, block).ok()?;
    let all: Vec<usize> = (1..stream.schema().fields.len()).collect();
    let options = ParseOptions::default();
    let plan = Plan::new(stream.schema(), reader.header(), &all, &[], &options, &[]).ok()?;
    let (mut scratch, mut times, mut bad) = (Default::default(), Vec::new(), Vec::new());
    let mut line = reader.header_lines();
    while let Some(block) = reader.wait_block().expect("memory can be read") {
        let parsed = plan.parse(&block, 0, &mut scratch);
        let found = (parsed.batch.times.len() + parsed.bad.len()) as u64;
        assert_eq!(found, parsed.records, "each record is good or bad");
        let rows = parsed.batch.times.iter().enumerate();
        times.extend(rows.map(|(row, time)| (*time, fields(&parsed.batch, row))));
        bad.extend(parsed.bad.into_iter().map(|bad| (line + bad.line, bad.reason)));
        line += parsed.lines;
    }
    Some((times, bad))
}

#[test]
fn csv_is_the_same_in_blocks_of_any_size() {
    for stream in [Stream::Transactions, Stream::Behavior, Stream::Logistics] {
        let history = support::texts(stream, 12, 11);
        let seeds: Vec<Vec<u8>> = history.into_iter().map(String::into_bytes).collect();
        search(stream.name(), 700, &seeds, |bytes| {
            let whole = read(stream, bytes, 1 << 16);
            assert_eq!(read(stream, bytes, 64), whole);
            assert_eq!(read(stream, bytes, 257), whole);
        });
    }
}

#[test]
fn json_is_the_same_in_blocks_of_any_size() {
    let record = |i: usize| {
        format!(
            "{{\"transaction_time\":\"2026-01-0{}T10:00:00Z\",\"amount\":{i}.5,\"user_id\":\"u\\n\\\"{i}\",\
             \"status\":\"captured\",\"x\":[{{\"a\":[1,null]}},{{}}],\"quantity\":\"{i}\"}}",
            1 + i % 9
        )
    };
    let records: Vec<String> = (0..40).map(record).collect();
    let pretty = records.join(",").replace(",\"", ",\n \"").replace('{', "{\n");
    let seeds = [records.join("\n"), format!("[{}]", records.join(",\n")), pretty];
    search("json", 700, &seeds.map(String::into_bytes), |bytes| {
        let whole = read(Stream::Transactions, bytes, 1 << 16);
        assert_eq!(read(Stream::Transactions, bytes, 64), whole);
        assert_eq!(read(Stream::Transactions, bytes, 257), whole);
    });
}

#[test]
fn times_and_money_are_read_or_told() {
    let cell = |time: &str, amount: &str| {
        format!("transaction_time,amount\n{time},{amount}\n").into_bytes()
    };
    let seeds: Vec<Vec<u8>> = [
        ("2026-01-05T10:00:00Z", "12.50"),
        ("2026-01-05 10:00:00.123+02:00", "-0.01"),
        ("1767607200", "1e3"),
        ("1767607200123", "0"),
        ("2026-01-05", "92233720368547758.07"),
    ]
    .map(|(time, amount)| cell(time, amount))
    .to_vec();
    search("times and money", 4000, &seeds, |bytes| {
        assert_eq!(read(Stream::Transactions, bytes, 64), read(Stream::Transactions, bytes, 4096));
    });
}

#[test]
fn settings_and_durations_are_read_or_refused() {
    let seeds = [
        "[query.risk_decisions]\nvelocity_limit = 5\nduplicate_window = \"10m\"\n[[query.risk_decisions.rules]]\nid = \"x\"\nstream = \"logins\"\nkeys = [\"user_id\"]\naggregate = \"count\"\ncomparison = \">=\"\nlimit = 2\nwindow = \"1h\"\noutcome = \"review\"\n",
        "[query.trending_items]\nk = 3\nrecent = '40m'\n",
    ]
    .map(|text| text.as_bytes().to_vec());
    search("settings", 3000, &seeds, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let mut settings = Settings::default();
        if settings.parse("t.toml", text).is_ok() {
            let _ = tidemill::queries::configured(&settings);
        }
        text.lines().for_each(|line| drop(settings.set(line)));
    });
    let spans = ["500ms", "30s", "5m", "2h", "7d"].map(|text| text.as_bytes().to_vec());
    search("durations", 5000, &spans, |bytes| {
        let read = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<Millis>().ok());
        if let Some(span) = read {
            assert_eq!(span.to_string().parse(), Ok(span), "what is shown can be read");
        }
    });
}

#[test]
fn rates_and_recorded_sessions_are_read_or_refused() {
    let (rates, sessions) = (file("rates.csv"), file("sessions.txt"));
    let seeds = ["currency,rate\nUSD,0.92\nJPY,0.0061\n", "rate;currency\n1,5;USD\n"]
        .map(|text| text.as_bytes().to_vec());
    search("rates", 800, &seeds, |bytes| {
        fs::write(&rates, bytes).expect("a file");
        let _ = Rates::read(&rates, "EUR");
    });
    let seeds =
        ["SessionId\tItemId\tTime\n1\t10\t1000\n1\t20\t1010.5\n", "time,item,session\n1,2,3\n"]
            .map(|text| text.as_bytes().to_vec());
    search("sessions", 800, &seeds, |bytes| {
        fs::write(&sessions, bytes).expect("a file");
        let _ = clicks::read(&sessions);
    });
}

#[test]
fn a_damaged_replay_log_is_refused_or_reads_as_it_was() {
    let (csv, log) = (file("sales.csv"), file("sales.tide"));
    let rows: String = (0..200).map(|i| format!("2026-01-05T10:00:00Z,t{i},{i}.00\n")).collect();
    fs::write(&csv, format!("transaction_time,transaction_id,amount\n{rows}")).expect("a file");
    let source = format!("transactions={}", csv.display());
    let out = log.to_str().expect("UTF-8");
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_tidemill"))
        .args(["record", "-q", "--source", &source, "--out", out])
        .status();
    assert!(made.expect("it starts").success());
    let whole = fs::read(&log).expect("the log");
    let damaged = file("damaged.tide");
    let path = damaged.to_str().expect("UTF-8");
    // How many records are handed out before the end or an error, and whether it was the end.
    let records = |bytes: &[u8]| {
        fs::write(&damaged, bytes).expect("a file");
        let Ok(partitions) = replay_log::open(path) else { return (0, false) };
        let (mut read, mut clean) = (0, true);
        for (stream, mut partition) in partitions {
            let want = vec![true; stream.schema().fields.len()];
            loop {
                let frame = match partition.next_frame() {
                    Ok(Some(frame)) => frame.decode(0, &want),
                    Ok(None) => break,
                    Err(error) => Err(error),
                };
                match frame {
                    Ok(batch) => read += batch.len(),
                    Err(_) => {
                        clean = false;
                        break;
                    }
                }
            }
        }
        (read, clean)
    };
    let sound = records(&whole);
    assert_eq!(sound, (200, true));
    search("replay log", 800, &[whole], |bytes| {
        let (read, clean) = records(bytes);
        assert!(!clean || read == 200, "a part is never taken for the whole: {read}");
    });
}
