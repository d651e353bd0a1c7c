//! Recommendations from end to end: the differences that feed the index against sessions worked
//! out from scratch, the command line on a small file, and the same answer with 1, 2 and 4 workers.

#[path = "support/program.rs"]
mod program;
mod support;

use program::{run, succeed};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidemill::lab::replay::replay;
use tidemill::operator::{Dedupe, OnDuplicate};
use tidemill::query::{AnyQuery, History};
use tidemill::serving::Feed;

/// Wrong use, saying this.
fn refuse(args: &[&str], says: &str) {
    let output = run(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {errors}");
    assert!(errors.contains(says), "{args:?} should say {says:?}: {errors}");
}

fn file(name: &str, text: &str) -> String {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recommend");
    fs::create_dir_all(&directory).expect("a directory");
    let path: PathBuf = directory.join(name);
    fs::write(&path, text).expect("a file");
    path.to_str().expect("UTF-8").to_string()
}

/// The weights after all changes up to each time equal those worked out from the history.
#[test]
fn differences_equal_the_sessions_from_scratch() {
    Feed::queries(true).iter().for_each(equals_its_sessions);
}

fn equals_its_sessions(query: &Arc<dyn AnyQuery>) {
    let dedupe = Dedupe { policy: OnDuplicate::Replace, keep: None, lateness: None };
    for seed in 0..4 {
        let dedupe = (seed % 2 == 0).then_some(dedupe);
        let recorded = support::history(seed, 100, dedupe.is_none());
        let history = History::new(recorded.clone(), dedupe);
        let log = |workers| {
            let queries = [Arc::clone(query)];
            replay(&queries, &recorded, dedupe, support::tick(), workers).expect("runs").remove(0)
        };
        let one = log(1);
        assert!([2, 4].iter().all(|workers| log(*workers) == one), "seed {seed}");
        let (mut held, mut changes) = (BTreeMap::<String, isize>::new(), one.iter().peekable());
        // The answer lists every unit of weight, so only some times are looked at.
        for at in history.times().into_iter().step_by(15) {
            while let Some(change) = changes.next_if(|change| change.time <= at) {
                *held.entry(format!("{:?}", change.row)).or_default() += change.diff;
            }
            held.retain(|_, weight| *weight != 0);
            let mut expected = BTreeMap::<String, isize>::new();
            for row in query.answer_cells(&history, at) {
                *expected.entry(format!("{row:?}")).or_default() += 1;
            }
            assert_eq!(held, expected, "seed {seed} at {at:?}");
        }
        assert!(!held.is_empty(), "seed {seed}: nothing was compared");
    }
}

/// Sessions of items that go together in tens: (session, item, second).
fn clicks(sessions: u64) -> Vec<(u64, u64, u64)> {
    let mut random = support::Random(7);
    let mut clicks = Vec::new();
    for session in 0..sessions {
        let group = random.below(5) * 10;
        for step in 0..2 + random.below(6) {
            clicks.push((session, 1 + group + random.below(10), session * 600 + step * 20));
        }
    }
    clicks
}

/// Both forms of the same clicks: session data, and the stream.
fn both(name: &str, clicks: &[(u64, u64, u64)]) -> (String, String) {
    let mut sessions = String::from("SessionId\tItemId\tTime\n");
    let mut stream = String::from("visit_time,session_id,item_id,event\n");
    for (session, item, second) in clicks {
        let at = 1_767_571_200 + second;
        sessions.push_str(&format!("{session}\t{item}\t{at}\n"));
        let moment = support::moment(*second as i64);
        stream.push_str(&format!("{moment},{session},{item},view_item\n"));
        stream.push_str(&format!("{moment},{session},{item},add_to_cart\n"));
    }
    (file(&format!("{name}.txt"), &sessions), file(&format!("{name}.csv"), &stream))
}

#[test]
fn the_same_rankings_from_a_file_and_from_the_stream_with_any_number_of_workers() {
    let (sessions, stream) = both("same", &clicks(300));
    let source = format!("behavior={stream}");
    let asked = ["12,15", "3", "44,12,41,999"];
    for (items, ranker) in asked.map(|a| ["pairs", "vmis_knn", "blend"].map(|r| (a, r))).concat() {
        let ask = |rest: &[&str]| {
            let mut args = vec!["recommend", "--items", items, "--n", "8", "--format", "json"];
            args.extend(["--ranker", ranker]);
            args.extend(rest);
            succeed(&args)
        };
        let from_file = ask(&["--sessions", &sessions]);
        for workers in ["1", "2", "4"] {
            let quiet = ["--source", &source, "--workers", workers, "--quiet"];
            assert_eq!(ask(&quiet), from_file, "{items} by {ranker} with {workers} workers");
        }
        let found: serde_json::Value = serde_json::from_str(&from_file).expect("JSON");
        assert_eq!(found.as_array().map(Vec::len), Some(8), "{from_file}");
        assert_eq!(found[0]["rank"], 1);
        assert!(found[0]["score"].as_f64().is_some_and(|score| score > 0.0));
    }
    let text = succeed(&["recommend", "--items", "12,15", "--sessions", &sessions]);
    assert!(text.contains("goes with 1") && text.contains("seen in this session"), "{text}");
    let args = ["recommend", "--items", "12,15", "--sessions", &sessions, "--no-reminder"];
    assert!(!succeed(&args).contains("seen in this session"));
    let nothing = succeed(&["recommend", "--items", "999", "--sessions", &sessions]);
    assert!(nothing.starts_with("nothing goes with"), "{nothing}");
}

#[test]
fn eval_reports_each_protocol() {
    let all = clicks(120);
    let (train, rest) = all.split_at(all.len() / 2);
    let (valid, test) = rest.split_at(rest.len() / 2);
    let [train, valid, test] =
        [("train", train), ("valid", valid), ("test", test)].map(|(n, c)| both(n, c).0);
    let files = ["--train", &train, "--valid", &valid, "--test", &test];
    let json = |rest: &[&str]| -> serde_json::Value {
        let args = [&["eval", "recommend", "--format", "json"], &files[..], rest].concat();
        serde_json::from_str(&succeed(&args)).expect("JSON")
    };
    let report = json(&[]);
    let lines = report["results"].as_array().expect("a list");
    assert_eq!(lines.len(), 18);
    for line in lines {
        let (mrr, hr) = (line["mrr_20"].as_f64(), line["hr_20"].as_f64());
        assert!(mrr > Some(0.0) && mrr <= hr && hr <= Some(1.0), "{line}");
    }
    let without = json(&["--no-reminder"]);
    let lines = without["results"].as_array().expect("a list");
    assert!(lines.len() == 9 && lines.iter().all(|line| line["reminder"] == false));
    let text = succeed(&[&["eval", "recommend"], &files[..]].concat());
    assert!(text.contains("MRR@20") && text.contains("streaming_valid"), "{text}");
}

#[test]
fn wrong_use_is_refused_by_name() {
    let (sessions, stream) = both("wrong", &clicks(3));
    let source = format!("behavior={stream}");
    refuse(&["recommend", "--items", "1"], "--sessions");
    refuse(&["recommend", "--sessions", &sessions], "--items");
    refuse(&["recommend", "--items", "1,", "--sessions", &sessions], "an item is empty");
    let both = ["recommend", "--items", "1", "--sessions", &sessions, "--source", &source];
    refuse(&both, "cannot be used with");
    refuse(&["recommend", "--items", "1", "--source", &source, "--ranker", "best"], "--ranker");
    let ads = ["recommend", "--items", "1", "--source", &source.replace("behavior", "ads")];
    refuse(&ads, "the stream behavior");
    refuse(&["recommend", "--items", "1", "--sessions", "nowhere.txt"], "nowhere.txt");
    let few = file("few.csv", "visit_time,item_id\n2026-01-05T00:00:00Z,1\n");
    let few = format!("behavior={few}");
    refuse(&["recommend", "--items", "1", "--source", &few], "behavior.session_id");
    refuse(&["eval", "recommend", "--train", &sessions], "--valid");
    let bad = file("bad.txt", "SessionId\tItemId\tTime\n1\tx\t5\n");
    let output = run(&["recommend", "--items", "1", "--sessions", &bad]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("bad.txt:2"));
    for command in [&["recommend", "--help"][..], &["eval", "recommend", "--help"]] {
        assert!(succeed(command).contains("Examples:"));
    }
}
