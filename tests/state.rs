//! `--state`: a run that is killed anywhere and started again, with any number of workers, ends
//! with the bytes of a run that was never touched; so does one that was stopped. Sources that have
//! grown are read on. What cannot be gone on with is refused, and says why.

#[path = "support/program.rs"]
mod program;

use program::{directory, fail, shop_sources, succeed};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tidemill::plan::Job;
use tidemill::source::Taken;
use tidemill::source::parse::Scratch;

/// The made-up shop, and where the runs over it write.
struct Shop {
    root: PathBuf,
}

impl Shop {
    fn new(name: &str, events: u32) -> Shop {
        let root = directory(name);
        let out = root.join("shop").display().to_string();
        let events = events.to_string();
        succeed(&["generate", "-q", "--all", "--events", &events, "--seed", "11", "--out", &out]);
        Shop { root }
    }

    fn place(&self, name: &str) -> String {
        self.root.join(name).display().to_string()
    }

    /// The arguments of a run of all queries that writes to `out`.
    fn args(&self, out: &str, workers: usize) -> Vec<String> {
        let mut args: Vec<String> = ["run", "-q", "--tick", "1m"].map(String::from).into();
        args.extend(shop_sources(&self.root.join("shop"), |_| true));
        let out = self.place(out);
        for sink in [format!("jsonl:{out}"), format!("csv:{out}"), format!("sqlite:{out}/v.db")] {
            args.extend(["--sink".into(), sink]);
        }
        args.extend(["--workers".into(), workers.to_string()]);
        args
    }

    /// The same, of one that keeps its state and makes many checkpoints.
    fn kept(&self, workers: usize) -> Vec<String> {
        let mut args = self.args("kept", workers);
        let state = self.place("state");
        for arg in [
            "--state",
            &state,
            "--checkpoint-every",
            "20ms",
            "--checkpoint-share",
            "100%",
            "--in-flight",
            "32K",
        ] {
            args.push(arg.into());
        }
        args
    }

    fn start(&self, args: &[String]) -> Child {
        let mut program = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        program.args(args).stderr(Stdio::piped()).spawn().expect("it starts")
    }

    /// The number of the last checkpoint.
    fn checkpoint(&self) -> u64 {
        let names = fs::read_dir(self.place("state")).into_iter().flatten().flatten();
        let names = names.map(|entry| entry.file_name().into_string().expect("ours"));
        names.filter_map(|n| n.strip_prefix("manifest.")?.parse().ok()).max().unwrap_or(0)
    }

    /// Waits for a checkpoint; false if the run ends before.
    fn reaches(&self, run: &mut Child, checkpoint: u64) -> bool {
        let began = Instant::now();
        while self.checkpoint() < checkpoint {
            if run.try_wait().expect("it is ours").is_some() {
                return false;
            }
            assert!(began.elapsed() < Duration::from_secs(300), "no checkpoint {checkpoint}");
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }

    /// Compares what two runs wrote: change logs, views, tables and dead letters.
    fn compare(&self, of: &str) {
        let (plain, kept) = (self.root.join("plain"), self.root.join("kept"));
        let mut logs = 0;
        for entry in fs::read_dir(&plain).expect("written") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|n| n.to_str()).expect("ours").to_owned();
            let want = fs::read(&path).expect("written");
            let got = if let Some(view) = name.strip_suffix(".changes.jsonl") {
                logs += usize::from(!want.is_empty());
                log(&kept.join(format!("{view}.changes")))
            } else if name.starts_with("dead_letters") {
                // Sources may interleave.
                assert_eq!(lines(&want), lines(&fs::read(kept.join(&name)).expect("written")));
                continue;
            } else if name.starts_with("v.db") {
                continue;
            } else {
                fs::read(kept.join(&name)).expect("written")
            };
            assert!(want == got, "{name} differs: {of}");
        }
        assert!(logs > 25, "only {logs} views changed");
        assert!(dump(&plain.join("v.db")) == dump(&kept.join("v.db")), "the tables differ: {of}");
    }
}

/// The segments of a change log, together.
fn log(dir: &Path) -> Vec<u8> {
    let entries = fs::read_dir(dir).expect("a log").map(|entry| entry.expect("an entry").path());
    let mut segments: Vec<PathBuf> = entries.collect();
    segments.sort();
    assert!(segments.iter().all(|s| s.extension().is_some_and(|e| e == "jsonl")), "{segments:?}");
    segments.iter().flat_map(|segment| fs::read(segment).expect("whole")).collect()
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    lines.sort();
    lines
}

/// All rows of all views of a database.
fn dump(path: &Path) -> Vec<String> {
    let db = rusqlite::Connection::open(path).expect("a database");
    let tables =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'tidemill%'";
    let mut tables = db.prepare(tables).expect("a schema");
    let names = tables.query_map([], |row| row.get::<_, String>(0)).expect("tables");
    let mut rows = Vec::new();
    for name in names.map(|name| name.expect("a name")) {
        let mut select = db.prepare(&format!("SELECT * FROM \"{name}\"")).expect("a table");
        let width = select.column_count();
        let cells = |row: &rusqlite::Row<'_>| {
            (0..width)
                .map(|i| row.get::<_, rusqlite::types::Value>(i))
                .collect::<Result<Vec<_>, _>>()
        };
        let found = select.query_map([], cells).expect("rows");
        rows.extend(found.map(|row| format!("{name} {:?}", row.expect("a row"))));
    }
    rows.sort();
    rows
}

fn refs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

#[test]
fn killed_anywhere_and_started_again_with_other_workers_it_writes_the_same_bytes() {
    let shop = Shop::new("state-kill", 9000);
    succeed(&refs(&shop.args("plain", 2)));
    let mut kills = 0;
    for (step, workers) in [2, 1, 3, 2].into_iter().enumerate() {
        let mut run = shop.start(&shop.kept(workers));
        // At another moment after the checkpoint each time.
        let reached = shop.reaches(&mut run, shop.checkpoint() + 1 + step as u64 % 2);
        std::thread::sleep(Duration::from_millis(37 * step as u64));
        kills += u32::from(reached && run.try_wait().expect("ours").is_none());
        run.kill().expect("ours");
        run.wait().expect("ours");
    }
    assert!(kills >= 2, "it was killed {kills} times only");
    let last = succeed(&refs(&shop.kept(2)));
    shop.compare(&format!("after {kills} kills"));
    assert!(last.is_empty(), "{last}");
    damage_is_told_and_the_checkpoint_before_is_used(&shop);
    // Once more, when there is nothing to do.
    succeed(&refs(&shop.kept(1)));
    shop.compare("run again at the end");
    a_lost_database_is_made_anew(&shop);
    a_lost_segment_is_noticed(&shop);
    other_meanings_are_refused(&shop);
}

fn a_lost_database_is_made_anew(shop: &Shop) {
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(shop.place(&format!("kept/v.db{end}")));
    }
    succeed(&refs(&shop.kept(2)));
    shop.compare("the database was removed");
}

fn a_lost_segment_is_noticed(shop: &Shop) {
    let dir = shop.root.join("kept/velocity.changes");
    let last = fs::read_dir(&dir).expect("a log").map(|e| e.expect("an entry").path()).max();
    let last = last.expect("a segment");
    let aside = shop.root.join("aside");
    fs::rename(&last, &aside).expect("ours");
    fail(2, &refs(&shop.kept(2)), &["velocity.changes", "segments are missing"]);
    fs::rename(&aside, &last).expect("ours");
}

fn other_meanings_are_refused(shop: &Shop) {
    let mut other = shop.kept(2);
    other.extend(["--decimals".into(), "3".into()]);
    fail(2, &refs(&other), &["--decimals is 3 in this run and 2 in the one to go on from"]);
    let mut other = shop.kept(2);
    other.extend(["--set".into(), "sessions.gap=20m".into()]);
    fail(2, &refs(&other), &["sessions.gap", "say the same as before"]);
    let file = shop.root.join("shop/transaction.csv");
    let text = fs::read_to_string(&file).expect("ours");
    fs::write(&file, text.replacen("2026-01-0", "2026-01-1", 1)).expect("ours");
    fail(1, &refs(&shop.kept(2)), &["transaction.csv", "are not those that were read before"]);
    fs::write(&file, &text[..text.len() / 2]).expect("ours");
    fail(1, &refs(&shop.kept(2)), &["transaction.csv", "are not those that were read before"]);
    fs::write(&file, text).expect("ours");
}

/// Then the sinks are further than the checkpoint, as after a crash between the two.
fn damage_is_told_and_the_checkpoint_before_is_used(shop: &Shop) {
    let shown = succeed(&["state", "show", &shop.place("state")]);
    let cut =
        |line: &str| Some(line.split("complete up to ").nth(1)?.split(',').next()?.to_owned());
    let cuts: Vec<_> = shown.lines().take(2).map(cut).collect();
    assert!(cuts[0].is_some() && cuts[1].is_some() && cuts[0] != cuts[1], "{shown}");
    let newest = shop.place(&format!("state/state.{}", shop.checkpoint()));
    let mut bytes = fs::read(&newest).expect("ours");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&newest, bytes).expect("ours");
    let told = Command::new(env!("CARGO_BIN_EXE_tidemill")).args(shop.kept(1)).output();
    let told = told.expect("it runs");
    let text = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.status.success(), "{text}");
    shop.compare("the newest checkpoint was damaged");
}

#[test]
fn stopped_in_good_order_it_has_a_checkpoint_of_where_it_was() {
    let shop = Shop::new("state-stop", 9000);
    succeed(&refs(&shop.args("plain", 1)));
    let mut args = shop.kept(2);
    let every = args.iter().position(|arg| arg == "20ms").expect("there");
    // At a pace, so that it cannot be at its end before it hears the signal.
    let paced = [&args[..], &["--rate".into(), "2000/s".into()]].concat();
    let mut run = shop.start(&paced);
    assert!(shop.reaches(&mut run, 1), "it ends too early");
    args[every] = "1h".into();
    let id = run.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    let ended = run.wait_with_output().expect("ours");
    assert_eq!(ended.status.code(), Some(130), "{}", String::from_utf8_lossy(&ended.stderr));
    let stopped = shop.checkpoint();
    succeed(&refs(&args));
    shop.compare("after a stop");
    assert!(shop.checkpoint() > stopped, "nothing was left to do");
}

/// A source of which the last block was read, and has not had its turn, has not come to its end:
/// what is left of it would be stamped as new.
#[test]
fn a_source_ends_when_its_last_block_was_stamped() {
    let dir = directory("state-ends");
    let file = dir.join("a.csv").display().to_string();
    fs::write(&file, "transaction_time,amount\n2026-01-05 10:00:00,5.00\n").expect("ours");
    let job = Job::over([format!("transactions={file}")]).expect("a source");
    let (feeds, tick) = job.everything().expect("opens");
    let (source, mut scratch) = (&feeds.partitions[0], Scratch::default());
    let Ok(Taken::Parsed(block)) = source.take(&feeds, &mut scratch) else { panic!("no block") };
    assert!(matches!(source.take(&feeds, &mut scratch), Ok(Taken::Ended)));
    let at = tick.round_up(i64::MAX / 2);
    assert!(!source.position(at).ended);
    assert!(source.stamp(&mut Some(block), &feeds).expect("stamped").is_some());
    assert!(source.position(at).ended);
}

#[test]
fn what_has_grown_and_what_is_new_is_read_on() {
    let dir = directory("state-grown");
    let place = |name: &str| dir.join(name).display().to_string();
    let run = |more: &[&str]| {
        let (state, sink) = (place("state"), format!("csv:{}", place("out")));
        let source = format!("transactions={}", place("jan-*.csv"));
        let args = ["run", "-q", "--query", "hourly_transactions", "--source", &source, "--sink"];
        succeed(&[&args[..], &[&sink, "--state", &state], more].concat());
        fs::read_to_string(place("out/hourly_transactions.csv")).expect("a view")
    };
    let header = "transaction_time,transaction_id,amount\n";
    let one = format!("{header}2026-01-05 10:00:00,a,5.00\n2026-01-05 11:00:00,b,7.00\n");
    fs::write(place("jan-1.csv"), &one).expect("ours");
    let first = run(&[]);
    assert!(first.contains("2026-01-05T10:00:00Z,1,5.00") && first.lines().count() == 3, "{first}");
    // An older hour, a known id, and another file, whose record is the oldest of all.
    let more = "2026-01-05 10:30:00,c,1.00\n2026-01-05 11:00:00,b,8.00\n";
    fs::write(place("jan-1.csv"), one + more).expect("ours");
    fs::write(place("jan-2.csv"), format!("{header}2026-01-04 09:00:00,d,2.00\n")).expect("ours");
    let second = run(&["--workers", "2"]);
    for row in [
        "2026-01-04T09:00:00Z,1,2.00",
        "2026-01-05T10:00:00Z,2,6.00",
        "2026-01-05T11:00:00Z,1,8.00",
    ] {
        assert!(second.contains(row), "{row} is not in {second}");
    }
    assert_eq!(run(&[]), second, "nothing has come since");
    // A file that was read to its end may go.
    fs::remove_file(place("jan-2.csv")).expect("ours");
    assert_eq!(run(&[]), second, "its records stay");
}

#[test]
fn standard_input_is_written_down_before_it_counts() {
    let dir = directory("state-stdin");
    let place = |name: &str| dir.join(name).display().to_string();
    let args = [
        "run".to_owned(),
        "-q".into(),
        "--query".into(),
        "hourly_transactions".into(),
        "--state".into(),
        place("state"),
        "--sink".into(),
        format!("csv:{}", place("out")),
    ];
    let start = |source: Option<&str>| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        program.args(&args).args(source.iter().flat_map(|s| ["--source", s]));
        program.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    };
    let header = "transaction_time,transaction_id,amount\n";
    // Killed when it has read, before anything could be visible.
    let mut first = start(Some("transactions=-"));
    let mut pipe = first.stdin.take().expect("a pipe");
    let rows = "2026-01-05 10:00:00,a,5.00\n2026-01-05 11:00:00,b,7.00\n";
    pipe.write_all(format!("{header}{rows}").as_bytes()).expect("it reads");
    let input = dir.join("state/input.1.transactions");
    let began = Instant::now();
    while fs::read(&input).map_or(0, |bytes| bytes.len()) < header.len() + rows.len() {
        assert!(began.elapsed() < Duration::from_secs(60), "it is not written down");
        std::thread::sleep(Duration::from_millis(5));
    }
    first.kill().expect("ours");
    first.wait().expect("ours");
    // Another input; the first is read again from where it was written down.
    let mut second = start(Some("transactions=-"));
    let mut pipe = second.stdin.take().expect("a pipe");
    pipe.write_all(format!("{header}2026-01-05 11:30:00,c,1.00\n").as_bytes()).expect("it reads");
    drop(pipe);
    let ended = second.wait_with_output().expect("ours");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let view = || fs::read_to_string(place("out/hourly_transactions.csv")).expect("a view");
    let all = view();
    for row in ["2026-01-05T10:00:00Z,1,5.00", "2026-01-05T11:00:00Z,2,8.00"] {
        assert!(all.contains(row), "{row} is not in {all}");
    }
    // And without any, stopped by a signal while the pipe is open.
    let mut third = start(Some("transactions=-"));
    let mut pipe = third.stdin.take().expect("a pipe");
    pipe.write_all(format!("{header}2026-01-06 09:00:00,d,2.00\n").as_bytes()).expect("it reads");
    std::thread::sleep(Duration::from_millis(700));
    let id = third.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
    let ended = third.wait_with_output().expect("ours");
    assert_eq!(ended.status.code(), Some(143), "{}", String::from_utf8_lossy(&ended.stderr));
    drop(pipe);
    let ended = start(None).wait_with_output().expect("ours");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(
        view(),
        format!("{all}{}", view().lines().last().map(|l| format!("{l}\n")).expect("rows"))
    );
    assert!(view().contains("2026-01-06T09:00:00Z,1,2.00"), "{}", view());
}

#[test]
fn a_run_that_is_refused_or_only_looks_changes_nothing() {
    let dir = directory("state-refused");
    let place = |name: &str| dir.join(name).display().to_string();
    let header = "transaction_time,transaction_id,amount\n";
    let rows = format!("{header}2026-01-05 10:00:00,a,5.00\nyesterday,b,7.00\n");
    fs::write(place("a.csv"), rows).expect("ours");
    let check = Command::new(env!("CARGO_BIN_EXE_tidemill"))
        .args(["run", "--check", "--source", "transactions=-", "--state", &place("state")])
        .stdin(fs::File::open(place("a.csv")).expect("ours"))
        .output()
        .expect("it runs");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    assert!(!dir.join("state").exists());
    let strange = ["run", "-q", "--source", &format!("transactions={}", place("a.csv")), "--state"];
    fail(2, &[&strange[..], &[&place("")]].concat(), &["a.csv is there", "name another directory"]);
    assert!(!dir.join("lock").exists());
    let (source, sink) =
        (format!("transactions={}", place("a.csv")), format!("csv:{}", place("out")));
    let args = ["run", "-q", "--query", "hourly_transactions", "--max-bad", "60%"];
    let rest = ["--source", &source, "--sink", &sink, "--state", &place("state")];
    let args = [&args[..], &rest].concat();
    succeed(&args);
    let letters = dir.join("out/dead_letters.jsonl");
    let before = fs::read(&letters).expect("one letter");
    // As after a crash: what is beyond the checkpoint is read again by a run that goes on.
    let more = [&before[..], &before].concat();
    fs::write(&letters, &more).expect("ours");
    fail(2, &[&args[..], &["--decimals", "3"]].concat(), &["say the same as before"]);
    assert!(fs::read(&letters).expect("still there") == more);
    succeed(&args);
    assert!(fs::read(&letters).expect("still there") == before);
}

#[test]
fn one_run_at_a_time_keeps_a_state() {
    let shop = Shop::new("state-busy", 2000);
    let mut run = shop.start(&shop.kept(1));
    if shop.reaches(&mut run, 1) && run.try_wait().expect("ours").is_none() {
        let mut other = shop.kept(1);
        let out = other.iter().position(|arg| arg.starts_with("jsonl")).expect("there");
        other.truncate(out - 1);
        other.extend(["--sink".into(), format!("csv:{}", shop.place("other"))]);
        other.extend(["--state".into(), shop.place("state")]);
        fail(1, &refs(&other), &["state", "another run", "writes there"]);
    }
    run.kill().expect("ours");
    run.wait().expect("ours");
    let state = shop.place("state2");
    let header = shop.place("header.csv");
    fs::write(&header, "transaction_time,amount\n").expect("ours");
    let source = format!("transactions={header}");
    let cluster = ["run", "--source", &source, "--state", &state, "--processes", "2"];
    fail(2, &cluster, &["several processes cannot keep its state yet"]);
}
