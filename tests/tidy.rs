//! The invariants of `src/lib.rs` that a test can keep.

#[path = "support/rooms.rs"]
mod rooms;

use rooms::{Source, sources};
use std::collections::BTreeSet;
use std::path::Path;

/// The rooms from the ground up, floor by floor: a room imports only from those before it.
const FLOORS: [&[&str]; 8] = [
    &[
        "error",
        "text",
        "value",
        "schema",
        "time",
        "batch",
        "lock",
        "clock",
        "event",
        "zone",
        "hash",
        "random",
        "near",
        "shown",
        "spreadsheet",
        "secret",
        "files",
        "description",
        "tell",
    ],
    &["monoid"],
    &["recommend", "operator", "query"],
    &["queries"],
    &["clean", "source", "config", "plot", "sink"],
    &["checkpoint", "serving", "worker", "serve", "plan"],
    &["lab"],
    &["cli"],
];

/// Imports that are against the order, each with the reason why it stands: (file, room, reason).
const EXCEPTIONS: [(&str, &str, &str); 0] = [];

fn forbid(dirs: &[&str], words: &[&str]) {
    for dir in dirs {
        for Source { path, code, .. } in sources(dir).iter().filter(|source| !source.test) {
            for word in words {
                assert!(!code.contains(word), "{path} must not use {word}");
            }
        }
    }
}

/// The names in back quotes in a cell of a table.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn a_room_imports_only_from_those_below_it() {
    let order = FLOORS.concat();
    let place = |room: &str| order.iter().position(|other| *other == room);
    let all = [sources("src"), sources("queries")].concat();
    let macros = rooms::macros(&all);
    let mut excused = BTreeSet::new();
    let mut wrong = Vec::new();
    for source in all.iter().filter(|source| !source.test) {
        // What has no room joins them: `main.rs` and `lib.rs`.
        let Some(room) = source.module.first() else { continue };
        let own = place(room).unwrap_or_else(|| panic!("{room} is on no floor"));
        for used in source.uses() {
            let used = macros.get(&used).unwrap_or(&used);
            let Some(there) = place(used) else {
                wrong.push(format!("{} uses {used}, which is no room", source.path));
                continue;
            };
            let exception =
                EXCEPTIONS.iter().position(|e| (e.0, e.1) == (source.path.as_str(), used));
            excused.extend(exception);
            if there > own && exception.is_none() {
                wrong.push(format!("{} is in {room} and uses {used}, above it", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(excused.len(), EXCEPTIONS.len(), "an exception that nobody needs");
}

#[test]
fn the_table_of_rooms_is_that_of_the_floors_and_of_the_modules() {
    let map = include_str!("../src/lib.rs");
    let rows = map.lines().filter_map(|line| line.strip_prefix("//! | "));
    let cells = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
    let mut told = Vec::new();
    for cells in cells {
        if let (Ok(floor), Some(names)) = (cells[0].parse::<usize>(), cells.get(1)) {
            told.extend(quoted(names).map(|room| (floor, room)));
        }
    }
    let floors = FLOORS.iter().enumerate();
    let known: Vec<_> = floors.flat_map(|(i, rooms)| rooms.iter().map(move |r| (i, *r))).collect();
    assert_eq!(told, known, "the table in src/lib.rs and the floors here");
    let modules = map.lines().filter_map(|line| line.strip_suffix(';')?.split_once("mod "));
    let mut modules: Vec<&str> = modules.map(|(_, name)| name).collect();
    let mut rooms = FLOORS.concat();
    modules.sort_unstable();
    rooms.sort_unstable();
    assert_eq!(modules, rooms, "the modules of src/lib.rs and the floors here");
}

#[test]
fn imports_are_seen_however_they_are_written() {
    let text = "\
//! Not crate::shown.\n\
use crate::{batch::Batch, clock as c, sink::{Sink, x::y}};\n\
use super::super::value::Value;\n\
use super::near;\n\
pub use crate::lab\n    ::replay;\n\
fn f() -> crate::text::Text { tidemill::hash::of(\"// no comment\") } // crate::cli\n\
crate::configurable!();\n\
#[cfg(test)]\nmod tests {\n    use crate::cli::Cli;\n    fn f() {}\n}\n\
fn g() { super::super::zone::Zone; }\n";
    let source = Source::new("src/worker/feed.rs", text);
    assert_eq!(source.module, ["worker", "feed"]);
    let uses: Vec<String> = source.uses().into_iter().collect();
    let mut want =
        ["batch", "clock", "sink", "value", "lab", "text", "hash", "configurable!", "zone"];
    want.sort_unstable();
    assert_eq!(uses, want);
}

#[test]
fn queries_operators_and_monoids_touch_nothing_outside() {
    let outside = [
        "std::fs",
        "std::net",
        "std::thread",
        "std::time",
        "std::env",
        "std::process",
        "std::io",
        "Instant",
        "SystemTime",
        "getrandom",
        "rand::",
        "crate::random",
        "println!",
    ];
    forbid(&["queries", "src/operator", "src/monoid"], &outside);
    forbid(&["src/monoid"], &["timely", "differential_dataflow"]);
    forbid(&["queries"], &["timely", "differential_dataflow", "f32"]);
}

#[test]
fn only_the_clock_mints_a_time_and_only_main_ends_the_process() {
    for Source { path, code, .. } in sources("src").iter().chain(&sources("queries")) {
        let clock = ["src/clock.rs", "src/time.rs"].contains(&path.as_str());
        assert!(clock || !code.contains("minted"), "{path} makes a time");
        let ends = ["process::exit", "process::abort"].iter().any(|word| code.contains(word));
        assert!(!ends || path == "src/main.rs", "{path} ends the process");
    }
}

#[test]
fn every_query_file_is_in_the_catalog() {
    let catalog = include_str!("../queries/mod.rs");
    // Deeper down are the parts of a query.
    let is_query = |path: &str| path.split('/').count() == 3;
    for Source { path, .. } in sources("queries").iter().filter(|source| is_query(&source.path)) {
        let name = Path::new(path).file_stem().and_then(|n| n.to_str()).expect("a name");
        assert!(catalog.contains(&format!("{name}::")), "{name} is not listed");
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
        for Source { path, text, .. } in sources(dir) {
            assert!(text.starts_with("//!"), "{path} does not say what it is");
        }
    }
}

#[test]
fn no_unsafe_code() {
    for dir in ["src", "queries"] {
        for Source { path, code, .. } in sources(dir) {
            // The one exception: the replay log's second codec, which is off by default.
            let exempt = path.ends_with("replay_log/abomonation.rs");
            assert!(exempt || !code.contains("unsafe {"), "{path}");
        }
    }
}
