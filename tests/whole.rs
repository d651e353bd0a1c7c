//! The whole program over random histories: what a view holds in the end does not depend on the
//! sinks that watch, the tick, the workers, the processes, or the queries beside it.

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/program.rs"]
mod program;
mod support;

use cluster::{Run, together};
use program::{directory, succeed};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use support::Random;
use tidemill::event::Stream;
use tidemill::queries::catalog;

/// Views by the name of their query. Decisions as of a stamp depend on the tick by their meaning.
fn views(dir: &Path) -> BTreeMap<String, String> {
    let mut views = BTreeMap::new();
    for (_, query) in catalog() {
        let path = dir.join(format!("{}.csv", query.name()));
        if let (Ok(text), true) =
            (fs::read_to_string(path), query.name() != "risk_decisions_at_time")
        {
            views.insert(query.name().to_string(), text);
        }
    }
    views
}

fn same(what: &str, seed: u64, want: &BTreeMap<String, String>, got: &BTreeMap<String, String>) {
    for (name, view) in got {
        assert_eq!(want.get(name), Some(view), "{name} is another with {what} (seed {seed})");
    }
}

#[test]
fn what_watches_and_who_works_does_not_change_the_views() {
    for seed in 0..3 {
        let home = directory(&format!("whole-{seed}"));
        let mut random = Random(seed);
        let mut sources: Vec<String> = Vec::new();
        for (n, &stream) in Stream::ALL.iter().enumerate() {
            for (part, text) in support::texts(stream, 150, seed).into_iter().enumerate() {
                // Of some streams both files, of others the plain one.
                if part == 0 || random.one_in(3) {
                    let path = home.join(format!("{n}-{part}.csv"));
                    fs::write(&path, text).expect("a file");
                    let source = format!("{}={}", stream.name(), path.display());
                    sources.extend(["--source".to_string(), source]);
                }
            }
        }
        let run = |name: &str, more: &[&str]| {
            let out = home.join(name);
            let sink = format!("csv:{}", out.display());
            let mut args = vec!["run", "-q", "--sink", &sink];
            args.extend(sources.iter().map(String::as_str));
            args.extend(more);
            succeed(&args);
            views(&out)
        };
        // The second, the minute and the hour divide what queries have for periods.
        let ticks = ["1s", "1m", "10m", "1h"];
        let tick = |random: &mut Random| random.of(&ticks).to_string();
        let want = run("plain", &["--workers", "1"]);
        // Where a file lacks a column a query may be unable to run.
        assert!(want.len() + 6 > catalog().len(), "few views: {:?}", want.keys());
        let workers = (1 + random.below(3)).to_string();
        let log = format!("jsonl:{}", home.join("log").display());
        let more = ["--sink", &log, "--workers", &workers];
        same("a change log", seed, &want, &run("log", &more));
        let drawn = tick(&mut random);
        let tables = format!("sqlite:{}", home.join("views.db").display());
        let more = ["--sink", &tables, "--tick", &drawn, "--workers", "2"];
        same("tables and a tick", seed, &want, &run("tables", &more));
        let names: Vec<String> = want.keys().filter(|_| random.one_in(4)).cloned().collect();
        let few = names.join(",");
        same("few queries", seed, &want, &run("few", &["--query", &few]));
        let tick = tick(&mut random);
        let out = home.join("two");
        let sink = format!("csv:{}", out.display());
        let start = |run: &Run| {
            let mut args = vec!["--tick", &tick, "--sink", &sink];
            args.extend(sources.iter().map(String::as_str));
            (0..2).map(|process| run.start(process, &args)).collect()
        };
        let ended = together(&home, start, 2);
        assert!(ended.iter().all(|e| e.code == Some(0)), "{}", ended[0].said);
        let two = views(&out);
        assert_eq!(two.len(), want.len());
        same("two processes", seed, &want, &two);
    }
}
