//! `--follow`: what comes while a run goes on is stamped by its arrival, which is written down. Killed
//! anywhere and started again with any number of workers, the run tells what a replay of the journal
//! tells, and every view is its answer.

#[path = "support/program.rs"]
mod program;

use program::{directory, shop_sources, succeed};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tidemill::random::Random;

/// A shop whose files grow.
struct Shop {
    root: PathBuf,
    /// What is still to come of each file.
    rest: BTreeMap<PathBuf, Vec<u8>>,
    random: Random,
}

impl Shop {
    fn new(name: &str, seed: u64) -> Shop {
        let root = directory(name);
        let out = root.join("shop");
        let args = ["generate", "-q", "--all", "--events", "3000", "--seed", "5", "--out"];
        succeed(&[&args[..], &[&out.display().to_string()]].concat());
        let mut rest = BTreeMap::new();
        for entry in fs::read_dir(&out).expect("made") {
            let path = entry.expect("an entry").path();
            let bytes = fs::read(&path).expect("made");
            // The end of a line, or within one.
            let there = bytes.len() * 2 / 5;
            fs::write(&path, &bytes[..there]).expect("ours");
            rest.insert(path, bytes[there..].to_vec());
        }
        println!("seed {seed}");
        Shop { root, rest, random: Random::new(seed) }
    }

    fn place(&self, name: &str) -> String {
        self.root.join(name).display().to_string()
    }

    /// The arguments of a run that keeps its state.
    fn args(&self, (state, out): (&str, &str), workers: u64) -> Vec<String> {
        let mut args: Vec<String> = ["run", "-q", "--tick", "200ms"].map(String::from).into();
        args.extend(shop_sources(&self.root.join("shop"), |_| true));
        let (state, sink) = (self.place(state), format!("jsonl:{}", self.place(out)));
        let workers = workers.to_string();
        let more = ["--state", &state, "--sink", &sink, "--workers", &workers];
        args.extend(more.map(String::from));
        args.extend(
            ["--checkpoint-every", "300ms", "--checkpoint-share", "100%"].map(String::from),
        );
        args
    }

    fn follow(&self, workers: u64) -> Child {
        let mut program = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        let args = self.args(("state", "live"), workers);
        program.args(args).arg("--follow").stderr(Stdio::inherit()).spawn().expect("it starts")
    }

    /// Appends something to some file; false if all is there.
    fn grow(&mut self) -> bool {
        let open: Vec<PathBuf> =
            self.rest.iter().filter(|(_, rest)| !rest.is_empty()).map(|(p, _)| p.clone()).collect();
        let Some(last) = open.len().checked_sub(1) else { return false };
        let path = &open[self.random.below(last + 1)];
        let rest = self.rest.get_mut(path).expect("listed");
        let some = (1 + self.random.below(6000)).min(rest.len());
        let mut file = OpenOptions::new().append(true).open(path).expect("ours");
        file.write_all(&rest[..some]).expect("written");
        rest.drain(..some);
        true
    }

    /// Waits until a checkpoint is younger than now.
    fn checkpoint(&self, run: &mut Child) {
        let newest = || {
            let names = fs::read_dir(self.place("state")).into_iter().flatten().flatten();
            let names = names.filter_map(|entry| entry.file_name().into_string().ok());
            names.filter_map(|n| n.strip_prefix("manifest.")?.parse::<u64>().ok()).max()
        };
        // The one after the next was begun later.
        let (before, began) = (newest().unwrap_or(0), Instant::now());
        while newest().unwrap_or(0) < before + 2 {
            assert!(began.elapsed() < Duration::from_secs(120), "no checkpoint");
            assert!(run.try_wait().expect("ours").is_none(), "it ended");
            sleep(Duration::from_millis(20));
        }
    }
}

/// The change logs in a directory, by view, and up to when they are complete.
fn logs(dir: &Path) -> (BTreeMap<String, String>, u64) {
    let (mut logs, mut until) = (BTreeMap::new(), 0);
    for entry in fs::read_dir(dir).expect("written").flatten() {
        if !entry.path().is_dir() {
            continue;
        }
        let segments = fs::read_dir(entry.path()).expect("segments").flatten();
        let mut segments: Vec<PathBuf> = segments.map(|entry| entry.path()).collect();
        segments.sort();
        let name = entry.file_name().into_string().expect("ours");
        let text = segments.iter().map(|path| fs::read_to_string(path).expect("written"));
        logs.insert(name, text.collect());
        let end = segments.last().and_then(|path| path.file_stem()?.to_str()?.rsplit_once('-'));
        until = until.max(end.map_or(0, |(_, end)| end.parse().expect("a time")));
    }
    (logs, until)
}

/// The changes up to a time.
fn up_to(log: &str, until: u64) -> Vec<&str> {
    let time = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let time: jiff::Timestamp = line["time"].as_str().expect("text").parse().expect("a time");
        time.as_millisecond() as u64
    };
    log.lines().filter(|line| time(line) <= until).collect()
}

#[test]
fn what_arrives_is_told_as_a_replay_of_the_journal_tells_it() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let mut shop = Shop::new("live", seed);
    let mut run = shop.follow(2);
    let (mut kills, mut steps) = (0, 0);
    while shop.grow() {
        steps += 1;
        let pause = shop.random.below(120) as u64;
        sleep(Duration::from_millis(pause));
        if steps % 40 == 25 && kills < 3 {
            run.kill().expect("ours");
            run.wait().expect("ours");
            kills += 1;
            // What comes meanwhile is found when it starts again.
            for _ in 0..3 {
                shop.grow();
            }
            run = shop.follow(1 + kills % 3);
        }
    }
    assert!(kills > 1, "killed {kills} times only");
    shop.checkpoint(&mut run);
    let id = run.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    run.wait().expect("ours");

    // The journal alone, read by another number of workers.
    fs::create_dir_all(shop.place("again")).expect("ours");
    fs::copy(shop.root.join("state/stamps.log"), shop.root.join("again/stamps.log")).expect("kept");
    let args = shop.args(("again", "replayed"), 3);
    succeed(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let ((live, until), (replayed, _)) =
        (logs(&shop.root.join("live")), logs(&shop.root.join("replayed")));
    let mut changes = 0;
    for (view, log) in &live {
        let (told, again) = (up_to(log, u64::MAX), up_to(&replayed[view], until));
        changes += told.len();
        let differs = told.iter().zip(&again).find(|(a, b)| a != b);
        assert!(told == again, "{view}: {} and {}: {differs:?}", told.len(), again.len());
    }
    assert!(changes > 5000, "only {changes} changes");

    let mut verify: Vec<String> = ["verify", "-q", "--tick", "200ms"].map(String::from).into();
    verify.extend(shop_sources(&shop.root.join("shop"), |_| true));
    verify.extend(["--state".into(), shop.place("state")]);
    let told = succeed(&verify.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(told.lines().count() >= 38 && !told.contains("DIFFERS"), "{told}");
}

#[test]
fn a_file_that_is_cut_short_or_replaced_is_told() {
    let dir = directory("live-replaced");
    let file = dir.join("a.csv");
    for replaced in [false, true] {
        fs::write(&file, "transaction_time,amount\n2026-01-05 10:00:00,5.00\n").expect("ours");
        let source = format!("transactions={}", file.display());
        let mut program = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        program.current_dir(&dir).args(["run", "-q", "--follow", "--source", &source]);
        let run = program.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        sleep(Duration::from_millis(500));
        match replaced {
            false => fs::write(&file, "transaction_time,amount\n").expect("ours"),
            true => {
                fs::rename(&file, dir.join("b.csv")).expect("ours");
                fs::write(&file, "transaction_time,amount\n").expect("ours");
            }
        }
        let ended = run.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&ended.stderr);
        let what = if replaced { "moved away or replaced" } else { "cut short" };
        assert!(ended.status.code() == Some(1) && told.contains(what), "{told}");
    }
}
