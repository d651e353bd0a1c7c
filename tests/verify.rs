//! `tidemill verify` and `tidemill state`: what a run wrote is what its queries mean, and what it
//! keeps is sound; and what is not is told.

#[path = "support/program.rs"]
mod program;

use program::{directory, fail, run, succeed};
use std::fs;

fn refs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

#[test]
fn views_are_what_their_queries_mean_and_a_changed_one_is_told() {
    let dir = directory("verify");
    let place = |name: &str| dir.join(name).display().to_string();
    succeed(&["generate", "-q", "--events", "3000", "--seed", "5", "--out", &place("shop")]);
    let source = format!("transactions={}", place("shop/transaction.csv"));
    let (sink, state) = (format!("csv:{}", place("out")), place("state"));
    let names = "hourly_transactions,top_items_hourly,velocity";
    let common = ["-q", "--source", &source, "--query", names];
    succeed(&[&["run", "--sink", &sink, "--state", &state], &common[..]].concat());
    let common = common.map(String::from);
    let verify = |more: &[&str]| -> Vec<String> {
        let more = more.iter().map(|text| (*text).to_owned());
        std::iter::once("verify".into()).chain(common.iter().cloned()).chain(more).collect()
    };
    let out = place("out");
    let one = succeed(&refs(&verify(&["--workers", "1", "--against", &out])));
    assert_eq!(one.lines().count(), 3, "{one}");
    assert!(one.lines().all(|line| line.contains("the same at 5 times, as written")), "{one}");
    // The digest is that of the view, whoever works it out.
    let digests = |text: &str| {
        let third = |line: &str| line.split_whitespace().nth(3).map(String::from);
        text.lines().map(third).collect::<Vec<_>>()
    };
    let three = succeed(&refs(&verify(&["--workers", "3", "--tick", "1h", "--times", "2"])));
    assert_eq!(digests(&one), digests(&three));
    assert!(digests(&one).iter().flatten().all(|digest| digest.len() == 16), "{one}");
    // A figure that somebody changed.
    let view = dir.join("out/hourly_transactions.csv");
    let text = fs::read_to_string(&view).expect("written");
    fs::write(&view, text.replacen(",1,", ",2,", 1)).expect("ours");
    let says = ["1 of 3 views differ"];
    fail(1, &refs(&verify(&["--against", &out])), &says);
    let told = String::from_utf8(run(&refs(&verify(&["--against", &out]))).stdout).expect("text");
    let line = told.lines().next().expect("a line");
    assert!(line.contains("DIFFERS") && line.contains("hourly_transactions.csv"), "{told}");
    fail(2, &refs(&verify(&["--against", &place("nowhere")])), &["no such directory"]);
}

#[test]
fn a_state_is_shown_and_damage_is_told() {
    let dir = directory("verify-state");
    let place = |name: &str| dir.join(name).display().to_string();
    succeed(&["generate", "-q", "--events", "3000", "--seed", "5", "--out", &place("shop")]);
    let source = format!("transactions={}", place("shop/transaction.csv"));
    let (state, sink) = (place("state"), format!("sqlite:{}", place("v.db")));
    let args =
        ["run", "-q", "--source", &source, "--query", "velocity,sessions", "--state", &state];
    fail(2, &args, &["sessions"]);
    let args = ["run", "-q", "--source", &source, "--query", "velocity", "--sink", &sink];
    succeed(&[&args[..], &["--state", &state]].concat());
    let text = succeed(&["state", "show", &state]);
    for part in [
        "checkpoint 1: complete up to 2026-01-1",
        "1 queries",
        "sound",
        "to its end",
        "sqlite:",
        "velocity/Velocity",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(succeed(&["state", "verify", &state]).contains("sound"));
    let file = dir.join("state/state.1");
    let mut bytes = fs::read(&file).expect("written");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).expect("ours");
    fail(1, &["state", "verify", &state], &["1 of 2 damaged"]);
    let told = String::from_utf8(run(&["state", "verify", &state]).stdout).expect("text");
    assert!(
        told.contains("checkpoint 1: DAMAGED: state.1: its length or checksum is wrong"),
        "{told}"
    );
    // There is no checkpoint before that one, and it does not begin anew.
    let refused = [&args[..], &["--state", &state]].concat();
    fail(1, &refused, &["no checkpoint is sound", "state.1"]);
    fail(2, &["state", "show", &place("nowhere")], &["no such directory"]);
    fail(2, &["state", "show", &place("shop")], &["no run has kept its state there"]);
}
