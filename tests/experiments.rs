//! Replay logs and experiments as a user starts them, at tiny sizes. Whether figures are good is
//! not a test's business; that they are there, verified, and refused where they would mislead, is.

#[path = "support/program.rs"]
mod program;

use program::{directory, fail, succeed};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// Some days of the demo shop, with all its dirt.
fn shop(dir: &Path, events: &str) -> [String; 3] {
    let out = dir.to_str().expect("UTF-8");
    let dirt = ["--duplicates", "0.05", "--late", "0.03", "--cancellations", "0.1"];
    let shape = ["--events", events, "--seed", "7", "--days", "3"];
    succeed(&[&["generate", "--quiet", "--out", out], &shape[..], &dirt[..]].concat());
    ["behavior=user_behavior.csv", "transactions=transaction.csv", "logistics=logistics.csv"]
        .map(|source| source.replace('=', &format!("={out}/")))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn change_log(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| text(path).ends_with(".changes.jsonl"))
        .map(|path| {
            (
                text(path.file_name().expect("a name").as_ref()).to_string(),
                fs::read(&path).expect("a file"),
            )
        })
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn a_replay_log_gives_the_change_log_of_its_source() {
    let dir = directory("replay");
    let sources = shop(&dir, "6000");
    let given: Vec<&str> = sources.iter().flat_map(|s| ["--source", s.as_str()]).collect();
    let log = dir.join("shop.tide");
    succeed(&[&["record", "--quiet", "--out", text(&log)], &given[..]].concat());
    let to = |name: &str| format!("jsonl:{}", dir.join(name).display());
    let (csv, one, two) = (to("csv"), to("one"), to("two"));
    succeed(&[&["run", "--quiet", "--workers", "1", "--sink", &csv], &given[..]].concat());
    for (sink, workers) in [(&one, "1"), (&two, "2")] {
        let args = ["run", "--quiet", "--source", text(&log), "--sink", sink, "--workers", workers];
        succeed(&args);
    }
    let expected = change_log(&dir.join("csv"));
    assert!(change_log(&dir.join("one")) == expected, "one worker");
    assert!(change_log(&dir.join("two")) == expected, "two workers");

    // The tick and the decimals are settled when it is recorded.
    let run = ["run", "--quiet", "--source", text(&log)];
    fail(2, &[&run[..], &["--tick", "1s"]].concat(), &["--tick 60000ms", "record it again"]);
    fail(2, &[&run[..], &["--decimals", "3"]].concat(), &["--decimals 2"]);

    // Damage is found out, with what to do about it.
    let mut bytes = fs::read(&log).expect("the log");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&log, &bytes).expect("the log");
    let checked = program::run(&run);
    let errors = String::from_utf8_lossy(&checked.stderr);
    assert!(matches!(checked.status.code(), Some(1 | 2)), "{errors}");
    assert!(errors.contains("make it again: `tidemill record --quiet --out"), "{errors}");
    fs::write(&log, &bytes[..middle]).expect("the log");
    fail(2, &run, &["cut off", "make it again: `tidemill record"]);
}

#[test]
fn wrong_use_of_record_is_refused() {
    let dir = directory("record");
    let out = dir.join("x.tide");
    fail(2, &["record", "--source", "nothing=x.csv", "--out", text(&out)], &["no stream nothing"]);
    fail(2, &["record", "--source", "ads=none.csv", "--out", text(&out)], &["none.csv"]);
    fail(2, &["record", "--source", "ads=none.csv", "--out", "x.log"], &[".tide"]);
    fail(2, &["run", "--source", text(&out)], &["x.tide"]);
    assert!(!out.exists());
    if !cfg!(feature = "abomonation") {
        let args = ["record", "--source", "ads=x.csv", "--codec", "abomonation", "--out", "x.tide"];
        fail(2, &args, &["--features abomonation"]);
    }
}

/// The rows of an experiment's sheet, by column name.
fn sheet(dir: &Path, name: &str) -> Vec<HashMap<String, String>> {
    let mut reader = csv::Reader::from_path(dir.join(name)).expect("a sheet");
    let header = reader.headers().expect("a header").clone();
    let row = |record: csv::StringRecord| {
        header.iter().zip(&record).map(|(h, r)| (h.to_string(), r.to_string())).collect()
    };
    reader.records().map(|record| row(record.expect("a row"))).collect()
}

/// Each row says where it was measured, and that it was verified; beside the sheet is a picture.
fn measured(dir: &Path, name: &str, rows: usize, columns: &[&str]) -> Vec<HashMap<String, String>> {
    let sheet = sheet(dir, &format!("{name}.csv"));
    assert_eq!(sheet.len(), rows, "{name}");
    let setting = ["date", "commit", "machine", "rustc", "command", "seed", "workers", "processes"];
    for row in &sheet {
        for column in setting.iter().chain(columns) {
            assert!(row.get(*column).is_some_and(|x| !x.is_empty()), "{name}: {column} in {row:?}");
        }
        assert_eq!(row["verified"], "yes");
    }
    let picture = fs::read_to_string(dir.join(format!("{name}.svg"))).expect("a picture");
    roxmltree::Document::parse(&picture).expect("XML");
    assert!(!picture.contains("NaN") && !picture.contains("no values"), "{picture}");
    sheet
}

/// Nothing is left behind but sheets, pictures and the generated shop.
fn tidy(dir: &Path) {
    for entry in fs::read_dir(dir).expect("the directory") {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        let known = [".csv", ".svg", ".tide", ".jsonl"].iter().any(|end| name.ends_with(end));
        let shop = name.starts_with("shop-");
        assert!((known || shop) && !name.starts_with('.'), "{name} is left");
    }
}

#[test]
fn closed_loops_leave_verified_figures() {
    let dir = directory("closed");
    let small = ["--events", "3000", "--days", "2", "--seed", "3", "--out", text(&dir)];
    let queries = ["--query", "hourly_transactions,hourly_behavior"];
    let bench = |what: &str, more: &[&str]| {
        succeed(&[&["bench", what], &small[..], &queries[..], more].concat())
    };
    let figures = ["run", "events", "events_per_s", "seconds", "cpu_seconds", "peak_mb"];
    assert!(bench("capacity", &["--runs", "2"]).contains("1 x 1"));
    bench("capacity", &["--workers", "2", "--runs", "1"]);
    let rows = measured(&dir, "capacity", 3, &figures);
    let of = |column: &str| rows.iter().map(|row| row[column].clone()).collect::<Vec<_>>();
    assert_eq!((of("run"), of("workers")), (texts(["1", "2", "1"]), texts(["1", "1", "2"])));
    assert!(of("seed").iter().all(|seed| seed == "3"));
    assert!(bench("scale", &["--workers", "2", "--runs", "1"]).contains("1 x 2"));
    measured(&dir, "scale", 3, &figures);
    let said = bench("queries", &["--runs", "1"]);
    assert!(said.contains("hourly_behavior") && said.contains("of the CPU time"), "{said}");
    measured(&dir, "queries", 3, &[&figures[..], &["view_rows", "query"]].concat());
    tidy(&dir);
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(String::from).to_vec()
}

#[test]
fn codecs_are_held_against_the_source() {
    let dir = directory("codecs");
    let codecs = ["bench", "codecs", "--out", text(&dir), "--runs", "2"];
    let shop = ["--events", "3000", "--days", "2"];
    assert!(succeed(&[&codecs[..], &shop[..]].concat()).contains("columnar"));
    let each = if cfg!(feature = "abomonation") { 6 } else { 4 };
    measured(&dir, "codecs", each, &["read", "events_per_s", "bytes_per_event"]);
    let source = format!("behavior={}", dir.join("shop-3000-42-2/user_behavior.csv").display());
    succeed(&[&codecs[..], &["--source", &source]].concat());
    measured(&dir, "codecs", 2 * each, &["read", "events_per_s", "bytes_per_event"]);
    tidy(&dir);
    succeed(&["record", "--quiet", "--source", &source, "--out", text(&dir.join("b.tide"))]);
    let log = dir.join("b.tide");
    fail(2, &[&codecs[..], &["--source", text(&log)]].concat(), &["give a CSV file"]);
}

#[test]
fn latencies_are_of_verified_changes() {
    let dir = directory("latency");
    let small = ["--events", "3000", "--days", "2", "--out", text(&dir), "--preload", "1500"];
    let latency = |more: &[&str]| {
        let said = succeed(&[&["bench", "latency"], &small[..], more].concat());
        assert!(said.contains("p99.9"), "{said}");
    };
    let offered = ["--rate", "500", "--batch", "5", "--seconds", "0.2"];
    latency(&offered);
    latency(&[&offered[..], &["--changes", "end", "--workers", "2"]].concat());
    let closed = ["--closed", "--batches", "20", "--batch", "7"];
    succeed(&[&["bench", "latency"], &small[..6], &closed[..]].concat());
    latency(&[&closed[..], &["--changes", "end", "--query", "hourly_behavior"]].concat());
    let figures = ["p50_ms", "p99_ms", "p99_9_ms", "max_ms", "queries", "preloaded", "loop"];
    let rows = measured(&dir, "latency", 4, &figures);
    let of = |column: &str| rows.iter().map(|row| row[column].clone()).collect::<Vec<_>>();
    assert_eq!(of("batches"), texts(["20", "20", "20", "20"]));
    assert_eq!(of("changes"), texts(["spread", "end", "spread", "end"]));
    assert!(of("preloaded").iter().all(|n| n.parse::<u64>().expect("a number") > 0));
    tidy(&dir);
}

#[test]
fn a_sweep_finds_the_highest_rate_that_holds() {
    let dir = directory("sweep");
    let small = ["--events", "3000", "--days", "2", "--out", text(&dir), "--preload", "1500"];
    let rates = ["--rate", "1000", "--most", "4000", "--seconds", "0.1"];
    let query = ["--query", "hourly_behavior"];
    let sweep = [&["bench", "sweep"], &small[..], &rates[..], &query[..]].concat();
    // Whatever the machine does, this holds at all three rates,
    let said = succeed(&[&sweep[..], &["--target", "100000"]].concat());
    assert!(said.contains("the knee is at 4000"), "{said}");
    let rows = measured(&dir, "sweep", 3, &["offered_per_s", "knee_per_s", "p99_ms"]);
    assert!(rows.iter().all(|row| row["held"] == "yes"));
    // and this at none.
    fail(1, &[&sweep[..], &["--target", "0.000001", "--steps", "1"]].concat(), &["lower --rate"]);
    let rows = measured(&dir, "sweep", 5, &["offered_per_s", "p99_ms"]);
    assert!(rows[3..].iter().all(|row| row["held"] == "no" && row["knee_per_s"] == "0.0000"));
    tidy(&dir);
}

#[test]
fn wrong_use_of_bench_is_refused() {
    let dir = directory("refused");
    let out = ["--out", text(&dir)];
    let fail = |args: &[&str], says: &[&str]| fail(2, &[&["bench"], args, &out[..]].concat(), says);
    fail(&["capacity", "--source", "ads=-"], &["standard input"]);
    fail(&["capacity", "--source", "ads=none.csv"], &["none.csv"]);
    fail(&["capacity", "--source", "ads=a.csv", "--events", "5"], &["--events"]);
    fail(&["capacity", "--events", "2000", "--query", "nothing"], &["no such query"]);
    fail(&["capacity", "--workers", "0"], &["--workers"]);
    fail(&["scale", "--events", "2000", "--query", "nothing"], &["no such query"]);
    fail(&["queries", "--events", "2000", "--query", "nothing"], &["no such query"]);
    fail(&["codecs", "--source", "nothing=x.csv"], &["no stream nothing"]);
    fail(&["codecs", "--runs", "0"], &["--runs"]);
    fail(&["sweep", "--target", "0"], &["above 0"]);
    fail(&["sweep", "--events", "2000", "--preload", "900000"], &["--preload 900000"]);
    fail(&["latency", "--events", "2000", "--preload", "900000"], &["--preload 900000"]);
    fail(&["latency", "--rate", "0"], &["above 0"]);
    fail(&["latency", "--closed", "--rate", "5"], &["--closed"]);
    fail(&["latency", "--batches", "5"], &["--closed"]);
    let end = ["latency", "--events", "2000", "--preload", "100", "--changes", "end"];
    fail(&[&end[..], &["--rate", "100000"]].concat(), &["the source ends after"]);
    fs::write(dir.join("capacity.csv"), "other,columns\n1,2\n").expect("a sheet");
    fail(&["capacity", "--events", "2000", "--runs", "1"], &["other columns", "capacity.csv"]);
    for what in ["capacity", "latency", "sweep", "scale", "queries", "codecs"] {
        assert!(succeed(&["bench", what, "--help"]).contains("Examples:"), "{what}");
    }
}

#[test]
fn a_digest_says_what_the_views_are() {
    let dir = directory("digest");
    let [_, transactions, _] = shop(&dir, "3000");
    let (digest, report) = (dir.join("d.csv"), dir.join("r.json"));
    let sink = format!("digest:{}", digest.display());
    let args = ["run", "--quiet", "--source", &transactions, "--sink", &sink];
    succeed(&[&args[..], &["--report", text(&report)]].concat());
    let first = fs::read_to_string(&digest).expect("the digests");
    assert!(first.starts_with("view,rows,crc32c\n") && first.contains("hourly_transactions,"));
    succeed(&[&args[..], &["--workers", "3"]].concat());
    assert_eq!(fs::read_to_string(&digest).expect("the digests"), first);
    succeed(&[&args[..], &["--on-duplicate", "keep"]].concat());
    assert_ne!(fs::read_to_string(&digest).expect("the digests"), first);
    let report = fs::read_to_string(&report).expect("the report");
    for name in ["records", "seconds", "cpu_seconds", "peak_bytes"] {
        assert!(report.contains(name), "{report}");
    }
}

#[test]
fn a_rate_that_cannot_be_offered_ends_and_is_told() {
    let dir = directory("too_fast");
    let out = dir.join("out");
    let rate = ["--rate", "1000000000", "--seconds", "0.01", "--batch", "1"];
    let shop = ["--events", "1000", "--days", "1", "--query", "hourly_transactions"];
    let run = [&["bench", "latency", "--out", text(&out)], &rate[..], &shop[..]].concat();
    fail(1, &run, &["cannot be offered", "--rate", "sweep"]);
    assert!(!out.join("latency.csv").exists(), "no figure is written down");
}

#[test]
fn an_evaluation_of_nothing_and_a_share_that_is_none_are_refused() {
    let dir = directory("nothing");
    let write = |name: &str, body: &str| {
        let path = dir.join(name);
        fs::write(&path, body).expect("a file");
        text(&path).to_string()
    };
    let clicks = write("clicks.txt", "SessionId\tItemId\tTime\n1\t10\t1000\n1\t20\t1010\n");
    let none = write("none.txt", "SessionId\tItemId\tTime\n");
    let eval = ["eval", "recommend", "--train", &clicks, "--valid", &none, "--test", &none];
    fail(2, &eval, &["none.txt", "no clicks to predict"]);
    for share in ["NaN", "85", "-0.1", "inf"] {
        let at_least = format!("--at-least={share}");
        fail(2, &["score", "--truth", "t.csv", "--out", "o", &at_least], &["from 0 to 1"]);
    }
}
