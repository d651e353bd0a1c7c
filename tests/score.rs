//! What the generator planted is found by the views, and `tidemill score` says how well.

#[path = "support/program.rs"]
mod program;

use program::{directory, fail, succeed};

/// What the records tell for good; late parcels are seen while they are open, on what is known then.
const KINDS: [&str; 6] =
    ["duplicate", "card_testing", "brute_force", "credential_stuffing", "bot", "stock_out"];

/// Generates the shop, runs the queries and gives where the truth and the views are.
fn shop(name: &str, seed: &str) -> (String, String, String) {
    let dir = directory(name);
    let data = dir.to_str().expect("UTF-8").to_string();
    succeed(&["generate", "-q", "--all", "--events", "200000", "--seed", seed, "--out", &data]);
    let views = format!("{data}/views");
    let sink = format!("csv:{views}");
    let mut run = vec!["run", "-q", "--sink", &sink, "--query"];
    run.push("security_alerts,risk_decisions,risk_decisions_at_time,stock_outs");
    let sources = [
        "transactions=transaction.csv",
        "logins=logins.csv",
        "behavior=user_behavior.csv",
        "inventory=inventory.csv",
    ]
    .map(|source| source.replace('=', &format!("={data}/")));
    sources.iter().for_each(|source| run.extend(["--source", source]));
    succeed(&run);
    let truth = format!("{data}/truth.csv");
    (data, truth, views)
}

/// The score: all kinds were planted and found.
fn found(truth: &str, views: &str, least: &str, kinds: &[&str]) {
    let text = succeed(&["score", "--truth", truth, "--out", views, "--at-least", least]);
    for kind in kinds {
        let line = text.lines().find(|line| line.starts_with(kind)).expect("a line per kind");
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert!(cells.len() == 6 && cells[1] != "0", "nothing was planted: {line}");
    }
}

#[test]
fn what_was_planted_is_found() {
    let (data, truth, views) = shop("score", "3");
    found(&truth, &views, "0.9", &KINDS);
    let score = ["score", "--truth", &truth, "--out", &views];
    assert!(succeed(&score).contains("late_parcel          there is no sla_watch.changes.jsonl"));
    let sink = format!("jsonl:{views}");
    let source = format!("logistics={data}/logistics.csv");
    let run = ["run", "-q", "--source", &source, "--query", "sla_watch", "--tick", "1h"];
    succeed(&[&run[..], &["--sink", &sink]].concat());
    found(&truth, &views, "0.85", &["late_parcel"]);
    // Some parcels come late that nobody could tell, so nobody finds them all.
    fail(1, &[&score[..], &["--at-least", "1"]].concat(), &["late_parcel is below --at-least 1"]);
    let nothing = format!("{views}/no");
    fail(2, &["score", "--truth", &truth, "--out", &nothing], &["--sink csv"]);
}

#[test]
fn what_was_planted_by_another_seed_is_found() {
    let (_, truth, views) = shop("score_other", "11");
    found(&truth, &views, "0.9", &KINDS);
}
