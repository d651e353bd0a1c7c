//! A history that is replayed as if it were live: the same views and the same change logs, and a
//! source that has nothing to say holds nobody back.

#[path = "support/http.rs"]
mod http;
#[path = "support/program.rs"]
mod program;

use http::{Served, json};
use program::{directory, fail, shop_sources, succeed};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The files a run writes.
fn files(dir: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry"));
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, fs::read_to_string(entry.path()).expect("text"))
    };
    entries.map(read).collect()
}

#[test]
fn the_views_and_their_changes_are_those_of_a_run_without_a_pace() {
    let dir = directory("pace");
    let text = |path: &Path| path.to_str().expect("UTF-8").to_string();
    let data = dir.join("data");
    succeed(&["generate", "--all", "--events", "4000", "--out", &text(&data), "-q"]);
    let run = |name: &str, more: &[&str]| {
        let out = dir.join(name);
        let mut args = vec!["run".to_string(), "-q".into(), "--tick".into(), "1m".into()];
        args.extend(shop_sources(&data, |stream| !["ads", "inventory"].contains(&stream)));
        for sink in ["csv", "jsonl"] {
            args.extend(["--sink".into(), format!("{sink}:{}", text(&out))]);
        }
        args.extend(more.iter().map(ToString::to_string));
        succeed(&args.iter().map(String::as_str).collect::<Vec<_>>());
        files(&out)
    };
    let plain = run("plain", &["--workers", "2"]);
    assert!(plain.len() > 50 && plain["sessions.csv"].lines().count() > 100);
    // Two weeks in half a second, and as many records in about as long.
    for (name, more) in [
        ("speed", ["--speed", "2000000x", "--workers", "2"]),
        ("rate", ["--rate", "15000/s", "--workers", "2"]),
        ("one", ["--speed", "5000000x", "--workers", "1"]),
    ] {
        let paced = run(name, &more);
        assert_eq!(paced.keys().collect::<Vec<_>>(), plain.keys().collect::<Vec<_>>());
        for (file, text) in &plain {
            assert!(paced[file] == *text, "{name}: {file}");
        }
    }
}

#[test]
fn a_source_with_nothing_to_say_holds_nobody_back() {
    let dir = directory("quiet");
    let sales: String = (0..600)
        .map(|m| format!("2026-01-05T{:02}:{:02}:00Z,1.00\n", 10 + m / 60, m % 60))
        .collect();
    let (sold, sent) = (dir.join("sales.csv"), dir.join("parcels.csv"));
    fs::write(&sold, format!("transaction_time,amount\n{sales}")).expect("a file");
    let parcels = "2026-01-05T10:00:00Z,3.00\n2026-01-05T20:00:00Z,3.00\n";
    fs::write(&sent, format!("delivery_time,cost\n{parcels}")).expect("a file");
    let source = |stream: &str, path: &Path| format!("{stream}={}", path.display());
    let (sold, sent) = (source("transactions", &sold), source("logistics", &sent));
    // An hour in two thirds of a second.
    let mut served = Served::start(
        &[
            "run",
            "-q",
            "--serve",
            "127.0.0.1:0",
            "--source",
            &sold,
            "--source",
            &sent,
            "--speed",
            "5000x",
        ],
        "",
    );
    let hours = "/v1/views/hourly_transactions";
    let first = served.wait(hours, |answer| answer["total"].as_u64() >= Some(2));
    assert_eq!(first["ended"], false, "the parcel of eight in the evening was not waited for");
    assert_eq!(first["rows"][0]["count"], 60);
    served.until("the sources have ended");
    let all = json(&served.address, hours);
    assert_eq!((&all["total"], &all["rows"][9]["count"]), (&10.into(), &60.into()));
}

#[test]
fn a_pace_that_is_none_is_refused() {
    let source = ["run", "--source", "transactions=x.csv"];
    let refused = |more: &[&str], says| fail(2, &[&source, more].concat(), &[says]);
    refused(&["--speed", "0x"], "for instance 60x");
    refused(&["--rate", "many"], "for instance 1000/s");
    refused(&["--rate", "5/s", "--speed", "5x"], "cannot be used with");
}

#[test]
fn the_demo_is_live_until_it_is_ended() {
    let dir = directory("live_demo");
    let out = dir.to_str().expect("UTF-8");
    let served = Served::start(
        &[
            "demo",
            "--events",
            "3000",
            "--days",
            "3",
            "--serve",
            "127.0.0.1:0",
            "--speed",
            "3600x",
            "--out",
            out,
        ],
        "",
    );
    // The history of three days, and what came after.
    let hours = "/v1/views/hourly_behavior?order=-hour&limit=1";
    let first = served.wait(hours, |answer| answer["total"].as_u64() >= Some(72));
    served.wait(hours, |answer| answer["total"].as_u64() > first["total"].as_u64());
    assert_eq!(served.interrupt(), Some(0));
}
