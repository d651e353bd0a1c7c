//! Signals and closed outputs: a run ends in good order, with a code that says why, whatever has
//! become of the terminal it was started from.

#[path = "support/program.rs"]
mod program;

use program::directory;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

const ROWS: &str = "transaction_time,amount\n2026-03-02T10:00:00Z,3.00\n\
    2026-03-02T11:00:00Z,4.00\n2026-03-02T12:00:00Z,5.00\n";

/// A run that reads standard input. While the pipe is held only a signal can end it; in the child it
/// would be closed by waiting, and the run might come to its end before the signal is heard.
fn start(out: &Path, stderr: Stdio) -> (Child, ChildStdin) {
    let [csv, jsonl] = ["csv", "jsonl"].map(|kind| format!("{kind}:{}", out.display()));
    let mut run = Command::new(env!("CARGO_BIN_EXE_tidemill"))
        .args(["run", "-q", "--source", "transactions=-", "--query", "hourly_transactions"])
        .args(["--sink", &csv, "--sink", &jsonl])
        .stdin(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .expect("it starts");
    let mut pipe = run.stdin.take().expect("a pipe");
    pipe.write_all(ROWS.as_bytes()).and_then(|()| pipe.flush()).expect("it reads");
    (run, pipe)
}

/// Sends a signal once the program listens: before that the default would end it by the signal.
fn signal(run: &Child, name: &str) {
    let id = run.id().to_string();
    let status = format!("/proc/{id}/status");
    let number = match name {
        "HUP" => 1,
        "INT" => 2,
        _ => 15,
    };
    let listens = || {
        let status = fs::read_to_string(&status).expect("it is there");
        let mask = |of: &str| {
            let line = status.lines().find_map(|l| l.strip_prefix(of)).expect("a mask");
            u64::from_str_radix(line.trim(), 16).expect("a mask") >> (number - 1) & 1 == 1
        };
        mask("SigCgt:") || mask("SigIgn:")
    };
    let began = Instant::now();
    while !listens() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never listens");
        std::thread::sleep(Duration::from_millis(20));
    }
    // The handler is there before the run is: give it time to begin.
    std::thread::sleep(Duration::from_millis(500));
    assert!(
        Command::new("kill").args([&format!("-{name}"), &id]).status().expect("kill").success()
    );
}

fn left(out: &Path) -> Vec<String> {
    let names = fs::read_dir(out).into_iter().flatten();
    let names =
        names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().to_string());
    names.filter(|name| name.contains("tmp") || name.starts_with('.')).collect()
}

#[test]
fn a_stopped_run_says_by_its_code_which_signal_it_was_and_leaves_no_rubbish() {
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let out = directory(&format!("signal_{name}"));
        let (mut run, _pipe) = start(&out, Stdio::null());
        signal(&run, name);
        assert_eq!(run.wait().expect("it ends").code(), Some(code), "{name}");
        assert_eq!(left(&out), [""; 0], "{name}");
        let log = out.join("hourly_transactions.changes.jsonl");
        let log = fs::read_to_string(log).unwrap_or_default();
        assert!(log.is_empty() || log.ends_with('\n'), "no half line: {log}");
    }
}

#[test]
fn a_standard_error_that_nobody_reads_or_that_is_gone_does_not_matter() {
    // Full: nothing is read from the pipe. Gone: its other end is closed.
    for gone in [false, true] {
        let out = directory(&format!("stderr_{gone}"));
        let (mut run, _pipe) = start(&out, Stdio::piped());
        if gone {
            drop(run.stderr.take());
        }
        signal(&run, "INT");
        assert_eq!(run.wait().expect("it ends").code(), Some(130), "gone: {gone}");
    }
}

#[test]
fn nohup_is_respected() {
    let out = directory("nohup");
    let sink = format!("csv:{}", out.display());
    let mut run = Command::new("nohup")
        .arg(env!("CARGO_BIN_EXE_tidemill"))
        .args(["run", "-q", "--source", "transactions=-", "--query", "hourly_transactions"])
        .args(["--sink", &sink])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut pipe = run.stdin.take().expect("a pipe");
    pipe.write_all(ROWS.as_bytes()).and_then(|()| pipe.flush()).expect("it reads");
    signal(&run, "HUP");
    drop(pipe);
    assert!(run.wait().expect("it ends").success(), "the hang-up was ignored");
    let view = fs::read_to_string(out.join("hourly_transactions.csv")).expect("the view");
    assert_eq!(view.lines().count(), 4);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    for command in [&["queries"][..], &["completions", "bash"], &["--help"]] {
        let mut run = Command::new(env!("CARGO_BIN_EXE_tidemill"))
            .args(command)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(run.stdout.take());
        let mut said = String::new();
        run.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
        assert!(run.wait().expect("it ends").success(), "{command:?}: {said}");
        assert_eq!(said, "", "{command:?}");
    }
}
