//! Replay logs and experiments as a user starts them, at tiny sizes. Whether figures are good is
//! not a test's business; that they are there, verified, and refused where they would mislead, is.

#[path = "support/program.rs"]
mod program;

use program::{directory, fail, succeed};
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
