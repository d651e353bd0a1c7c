//! The invariants of `src/lib.rs` that a test can keep.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// The code of a file: without comments and without its tests.
fn code(text: &str) -> String {
    let before = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    before
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn forbid(dir: &str, words: &[&str]) {
    for (path, text) in sources(dir) {
        for word in words {
            assert!(!code(&text).contains(word), "{} must not use {word}", path.display());
        }
    }
}

#[test]
fn queries_operators_and_monoids_touch_nothing_outside() {
    let outside =
        ["std::fs", "std::net", "std::thread", "std::time", "Instant", "SystemTime", "std::io"];
    for dir in ["queries", "src/operator", "src/monoid"] {
        forbid(dir, &outside);
    }
    forbid("src/monoid", &["timely", "differential_dataflow"]);
    forbid("queries", &["timely", "differential_dataflow", "f32"]);
}

#[test]
fn every_query_file_is_in_the_catalog() {
    let catalog = include_str!("../queries/mod.rs");
    for (path, _) in sources("queries") {
        let name = path.file_stem().and_then(|n| n.to_str()).expect("a name");
        assert!(name == "mod" || catalog.contains(&format!("{name}::")), "{name} is not listed");
    }
    let mut names: Vec<&str> = tidemill::queries::catalog().iter().map(|(_, q)| q.name()).collect();
    let listed = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), listed, "two queries share a name");
}

#[test]
fn each_file_opens_with_what_it_is() {
    for dir in ["src", "queries", "tests", "benches"] {
        for (path, text) in sources(dir) {
            assert!(text.starts_with("//!"), "{} does not say what it is", path.display());
        }
    }
}

#[test]
fn no_unsafe_code() {
    for dir in ["src", "queries"] {
        for (path, text) in sources(dir) {
            // The one exception: the replay log's second codec, which is off by default.
            let exempt = path.ends_with("replay_log/abomonation.rs");
            assert!(exempt || !code(&text).contains("unsafe {"), "{}", path.display());
        }
    }
}
