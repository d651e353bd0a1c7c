//! The program as a user starts it, for tests of the command line.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs it to its end, in a place where what it leaves behind is in nobody's way.
pub fn run(args: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    program
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .args(args)
        .output()
        .expect("the program starts")
}

/// Runs it; it must succeed. Gives what it printed.
pub fn succeed(args: &[&str]) -> String {
    let output = run(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// Runs it; it must fail with a code, saying all of these.
pub fn fail(code: i32, args: &[&str], says: &[&str]) {
    let output = run(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {errors}");
    for text in says {
        assert!(errors.contains(text), "{args:?} should say {text:?}: {errors}");
    }
}

/// The streams of the made-up shop, `--source` and its file for each that is `wanted`.
pub fn shop_sources(shop: &Path, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let all = [
        ("behavior", "user_behavior"),
        ("transactions", "transaction"),
        ("logistics", "logistics"),
        ("ads", "ads"),
        ("logins", "logins"),
        ("inventory", "inventory"),
    ];
    let source = |(stream, file)| {
        let file = shop.join(format!("{file}.csv"));
        ["--source".into(), format!("{stream}={}", file.display())]
    };
    all.into_iter().filter(|(stream, _)| wanted(stream)).flat_map(source).collect()
}

/// A directory of its own for each test, empty.
pub fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a directory");
    path
}
