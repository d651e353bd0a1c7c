//! Processes of a cluster as a user starts them, on this machine: that they find each other, refuse
//! whoever does not belong to them, and end together.

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/program.rs"]
mod program;

use cluster::{Ended, PATIENCE, Run, end, together};
use program::{directory, fail, succeed};
use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Sales, one a minute, and what is to follow them.
fn sales(dir: &Path, name: &str, count: u32, then: &str) -> String {
    let row =
        |i: u32| format!("2026-01-{:02} {:02}:{:02}:00,1.00\n", i / 1440 + 1, i / 60 % 24, i % 60);
    let text: String = (0..count).map(row).collect();
    let path = dir.join(name);
    fs::write(&path, format!("transaction_time,amount\n{text}{then}")).expect("a file");
    format!("transactions={}", path.display())
}

const QUERY: [&str; 2] = ["--query", "hourly_transactions"];

fn one_line(said: &str) -> bool {
    said.trim_end().lines().count() == 1 && said.starts_with("tidemill: ")
}

#[test]
fn processes_started_otherwise_refuse_each_other_by_name() {
    let dir = directory("cluster-otherwise");
    let a = sales(&dir, "a.csv", 100, "");
    let b = sales(&dir, "b.csv", 200, "");
    let c = sales(&dir, "c.csv", 200, "2026-01-09 00:00:00,5.00\n");
    let rates = dir.join("rates.csv");
    fs::write(&rates, "currency,rate\nUSD,0.5\n").expect("a file");
    let rates = rates.to_str().expect("UTF-8");
    // Some options are for records with an id.
    let with_ids = dir.join("ids.csv");
    let rows = "transaction_time,transaction_id,amount\n2026-01-01 00:00:00,t1,1.00\n";
    fs::write(&with_ids, rows).expect("a file");
    let with_ids = format!("transactions={}", with_ids.display());
    let given: &[&str] = &["--source", &a, "--source", &b, "--source", &with_ids];
    let different: &[(&[&str], &str)] = &[
        (&["--decimals", "3"], "--decimals is"),
        (&["--time-zone", "Europe/Berlin"], "--time-zone is"),
        (&["--steps", "validate,trim"], "--steps is"),
        (&["--on-duplicate", "keep"], "--on-duplicate is"),
        (&["--dedupe-hours", "1"], "--dedupe-hours is"),
        (&["--max-jump", "1h"], "--max-jump is"),
        (&["--max-bad", "50%"], "--max-bad is"),
        (&["--rates", rates], "--rates is"),
        (&["--tick", "1h"], "--tick is"),
        (&["--query", "stream_health"], "--query is"),
        (&["--source", &c], "the number of sources is"),
    ];
    for (more, says) in different {
        let ended = together(
            &dir,
            |run| {
                let plain = [given, &QUERY].concat();
                vec![run.start(0, &plain), run.start(1, &[&plain[..], more].concat())]
            },
            2,
        );
        for (process, ended) in ended.iter().enumerate() {
            assert_eq!(ended.code, Some(1), "{more:?}, process {process}: {}", ended.said);
            assert!(ended.said.contains(says), "{more:?}, process {process}: {}", ended.said);
            assert!(one_line(&ended.said), "{}", ended.said);
        }
    }
    let given: &[&str] = &["--source", &a, "--source", &b];
    // Other files: in another order, of another size, of other contents.
    let d = c.replace("c.csv", "d.csv");
    for other in [[&b, &a], [&a, &c], [&a, &d]] {
        let text = fs::read_to_string(dir.join("b.csv")).expect("a file");
        fs::write(dir.join("d.csv"), text.replace("1.00", "2.00")).expect("a file");
        let ended = together(
            &dir,
            |run| {
                let theirs = ["--source", other[0], "--source", other[1]];
                vec![
                    run.start(0, &[given, &QUERY].concat()),
                    run.start(1, &[&theirs[..], &QUERY].concat()),
                ]
            },
            2,
        );
        for ended in &ended {
            assert_eq!(ended.code, Some(1), "{other:?}: {}", ended.said);
            assert!(ended.said.contains("source "), "{other:?}: {}", ended.said);
        }
    }
}

#[test]
fn parameters_and_contents_that_differ_are_named() {
    let dir = directory("cluster-parameters");
    let a = sales(&dir, "a.csv", 100, "");
    let mine = dir.join("mine");
    let query = ["--query", "hourly_transactions,stream_health", "--source"];
    let ended = together(
        &dir,
        |run| {
            let plain = [&query[..], &[&a]].concat();
            let set = ["--set", "stream_health.late_after=9m"];
            vec![run.start(0, &plain), run.start(1, &[&plain[..], &set].concat())]
        },
        2,
    );
    for ended in ended {
        assert_eq!(ended.code, Some(1), "{}", ended.said);
        assert!(ended.said.contains("stream_health.late_after is"), "{}", ended.said);
    }
    // The same name and size, in another place.
    fs::create_dir_all(&mine).expect("a directory");
    let text = fs::read_to_string(dir.join("a.csv")).expect("a file");
    fs::write(mine.join("a.csv"), text.replace("1.00", "2.00")).expect("a file");
    let relative = ["--source", "transactions=a.csv"];
    let ended = together(
        &dir,
        |run| {
            let args = [&relative[..], &QUERY].concat();
            let elsewhere = run.command(1, &args).current_dir(&mine).spawn().expect("starts");
            vec![run.start(0, &args), elsewhere]
        },
        2,
    );
    for ended in ended {
        assert_eq!(ended.code, Some(1), "{}", ended.said);
        assert!(ended.said.contains("has other contents"), "{}", ended.said);
    }
}

#[test]
fn forty_strangers_keep_nobody_from_meeting() {
    let dir = directory("cluster-strangers");
    let a = sales(&dir, "a.csv", 100, "");
    let b = sales(&dir, "b.csv", 100, "");
    let out = dir.join("out");
    let sink = format!("csv:{}", out.display());
    let args = [&["--source", &a, "--source", &b, "--sink", &sink][..], &QUERY].concat();
    let ended = together(
        &dir,
        |run| {
            let first = run.start(0, &args);
            let mut open: Vec<TcpStream> = Vec::new();
            let deadline = Instant::now() + Duration::from_secs(30);
            while open.len() < 60 && Instant::now() < deadline {
                let Ok(mut stream) = TcpStream::connect(("127.0.0.1", run.ports[0])) else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                // Forty that say nothing, ten of another trade, ten that stop in the middle.
                match open.len() {
                    0..40 => {}
                    40..50 => drop(stream.write_all(&[0xff; 9000])),
                    _ => drop(stream.write_all(b"tidemil2 and then nothing")),
                }
                open.push(stream);
            }
            let second = run.start(1, &args);
            let ended = end(vec![first, second]);
            // They are told nothing and heard no more.
            drop(open);
            for ended in &ended {
                assert!(
                    ended.code == Some(0) || ended.said.contains("cannot listen"),
                    "{}",
                    ended.said
                );
            }
            vec![]
        },
        2,
    );
    assert!(ended.is_empty());
    let view = fs::read_to_string(out.join("hourly_transactions.csv")).expect("a view");
    assert!(view.contains("T00:00:00Z,120,120.00"), "{view}");
    let alone = dir.join("alone");
    let sink = format!("csv:{}", alone.display());
    succeed(
        &[&["run", "-q", "--source", &a, "--source", &b, "--sink", &sink][..], &QUERY].concat(),
    );
    let want = fs::read_to_string(alone.join("hourly_transactions.csv")).expect("a view");
    assert_eq!(view, want, "as of one process");
}

#[test]
fn another_secret_is_told_on_both_sides() {
    let dir = directory("cluster-secret");
    let a = sales(&dir, "a.csv", 10, "");
    let args = [&["--source", &a, "--join-timeout", "4s"][..], &QUERY].concat();
    let ended = together(
        &dir,
        |run| {
            let other =
                run.command(1, &args).env("TIDEMILL_SECRET", "another").spawn().expect("starts");
            vec![run.start(0, &args), other]
        },
        2,
    );
    for ended in ended {
        assert_eq!(ended.code, Some(1), "{}", ended.said);
        assert!(ended.said.contains("TIDEMILL_SECRET"), "{}", ended.said);
        assert!(one_line(&ended.said), "{}", ended.said);
    }
}

#[test]
fn two_terminals_need_no_secret_and_other_machines_do() {
    let dir = directory("cluster-own-secret");
    let a = sales(&dir, "a.csv", 10, "");
    let args = [&["--source", &a][..], &QUERY].concat();
    let ended = together(
        &dir,
        |run| {
            let start = |process| {
                let mut command = run.command(process, &args);
                command.env_remove("TIDEMILL_SECRET").env("XDG_STATE_HOME", &run.dir);
                command.spawn().expect("starts")
            };
            vec![start(0), start(1)]
        },
        2,
    );
    for ended in ended {
        assert_eq!(ended.code, Some(0), "{}", ended.said);
    }
    assert!(dir.join("tidemill/cluster-secret").exists());
    let hosts = dir.join("far");
    fs::write(&hosts, "127.0.0.1:2101\n192.0.2.7:2101\n").expect("a file");
    let hosts = hosts.to_str().expect("UTF-8");
    let far = ["run", "--source", &a, "--processes", "2", "--hostfile", hosts];
    fail(2, &far, &["--secret-file", "TIDEMILL_SECRET"]);
    let missing = [&far[..], &["--secret-file", "/no/such"]].concat();
    fail(2, &missing, &["--secret-file /no/such"]);
}

#[test]
fn wrong_use_of_processes_is_refused_by_name() {
    let dir = directory("cluster-wrong");
    let a = sales(&dir, "a.csv", 10, "");
    let with = |more: &[&str], code: i32, says: &[&str]| {
        fail(code, &[&["run", "--source", &a][..], more].concat(), says);
    };
    with(&["--process", "1"], 2, &["--process 1", "--processes 1"]);
    with(&["--processes", "2", "--process", "2"], 2, &["must be 0 to 1"]);
    with(&["--hostfile", "/no/such"], 2, &["--hostfile", "--processes"]);
    with(&["--processes", "2", "--hostfile", "/no/such"], 2, &["--hostfile /no/such"]);
    let hosts = dir.join("hosts");
    fs::write(&hosts, "127.0.0.1:2101\nlocalhost\n").expect("a file");
    let hosts = hosts.to_str().expect("UTF-8");
    with(&["--processes", "2", "--hostfile", hosts], 2, &["hosts, line 2", "host:port"]);
    // A port that is in use.
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = held.local_addr().expect("an address").port();
    let other = if port == 65535 { 65534 } else { port + 1 };
    fs::write(hosts, format!("127.0.0.1:{port}\n127.0.0.1:{other}\n")).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["run", "--source", &a, "--processes", "2", "--hostfile", hosts]);
    let output = command.env("TIDEMILL_SECRET", "x").output().expect("starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("process 0 cannot listen on") && said.contains("--hostfile"), "{said}");
}

#[test]
fn a_damaged_file_of_one_process_ends_all_and_nothing_is_complete() {
    let dir = directory("cluster-damaged");
    let a = sales(&dir, "a.csv", 3000, "");
    let _ = sales(&dir, "b.csv", 3000, "");
    let text = fs::read(dir.join("b.csv")).expect("a file");
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), Default::default());
    zip.write_all(&text).expect("memory");
    let zip = zip.finish().expect("memory");
    fs::write(dir.join("b.csv.gz"), &zip[..zip.len() - 20]).expect("a file");
    let b = format!("transactions={}/b.csv.gz", dir.display());
    for (place, sources) in [("of-1", [&a, &b]), ("of-0", [&b, &a])] {
        let out = dir.join(place);
        let (csv, db) = (format!("csv:{}", out.display()), format!("sqlite:{}/db", out.display()));
        let args = [
            &["--source", sources[0], "--source", sources[1], "--sink", &csv, "--sink", &db][..],
            &QUERY,
        ]
        .concat();
        let ended = together(&dir, |run| vec![run.start(0, &args), run.start(1, &args)], 2);
        for ended in &ended {
            assert_eq!(ended.code, Some(1), "{place}: {}", ended.said);
            assert!(one_line(&ended.said), "{place}: {}", ended.said);
            assert!(ended.said.contains("b.csv.gz"), "all say why: {place}: {}", ended.said);
        }
        let failed = usize::from(place == "of-1");
        let other = &ended[1 - failed].said;
        assert!(other.contains(&format!("process {failed} (127.0.0.1:")), "{place}: {other}");
        assert_nothing_is_complete(&out, place);
        assert!(!out.join("hourly_transactions.csv").exists(), "{place}");
    }
}

/// Arguments of a run over these sources, with a view as a file and a database under `out`.
fn arguments(sources: &[&str], out: &Path, more: &[&str]) -> Vec<String> {
    let sources = sources.iter().flat_map(|source| ["--source".into(), source.to_string()]);
    let sinks = [format!("csv:{}", out.display()), format!("sqlite:{}/db", out.display())];
    let sinks = sinks.into_iter().flat_map(|sink| ["--sink".into(), sink]);
    sources.chain(sinks).chain([&QUERY[..], more].concat().into_iter().map(String::from)).collect()
}

fn refs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// How far the database says that it is, if it says anything.
fn sealed(out: &Path) -> Option<String> {
    let database = rusqlite::Connection::open(out.join("db")).ok()?;
    database.query_row("SELECT sealed FROM tidemill_progress", [], |row| row.get(0)).ok()
}

fn assert_nothing_is_complete(out: &Path, what: &str) {
    assert_ne!(sealed(out).as_deref(), Some("end"), "{what}");
}

/// Waits until process 0 has results, so that all are in the middle of their work.
fn until_it_runs(out: &Path, children: &mut [Child]) -> bool {
    let deadline = Instant::now() + PATIENCE;
    // They are written beside their place.
    let begun = || fs::read_dir(out).is_ok_and(|mut all| all.any(|file| size(file) > 0));
    while !begun() {
        if children.iter_mut().any(|child| child.try_wait().expect("a child").is_some()) {
            return false;
        }
        assert!(Instant::now() < deadline, "nothing is sealed");
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

fn size(file: std::io::Result<fs::DirEntry>) -> u64 {
    file.and_then(|file| file.metadata()).map_or(0, |about| about.len())
}

fn signal(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(status.expect("kill").success());
}

/// Two processes with much to read, one of which gets a signal in the middle.
fn interrupted(name: &str, who: usize, what: &str) -> Vec<Ended> {
    let dir = directory(name);
    // Each reads it for seconds, and never to its end.
    let a = long(&dir, "a.csv");
    let out = dir.join("out");
    let sink = format!("jsonl:{}", out.display());
    let args = [&["--source", &a, "--source", &a, "--sink", &sink][..], &QUERY].concat();
    let start = |run: &Run| {
        let _ = fs::remove_dir_all(&out);
        let mut children = vec![run.start(0, &args), run.start(1, &args)];
        if until_it_runs(&out, &mut children) {
            signal(&children[who], what);
        }
        children
    };
    let ended = together(&dir, start, 2);
    // After a stop what was sealed is there, after a failure nothing.
    let log = fs::read_to_string(out.join("hourly_transactions.changes.jsonl"));
    assert_eq!(log.is_ok(), what == "-INT", "{name}");
    assert!(!log.unwrap_or_default().contains("T23:00:00Z"), "{name}");
    // It is large.
    let _ = fs::remove_dir_all(&dir);
    ended
}

/// Sales of a day, a thousand a minute.
fn long(dir: &Path, name: &str) -> String {
    let path = dir.join(name);
    let mut out = std::io::BufWriter::new(fs::File::create(&path).expect("a file"));
    writeln!(out, "transaction_time,amount").expect("a file");
    for i in 0..1440 {
        let row = format!("2026-01-01 {:02}:{:02}:00,1.00\n", i / 60, i % 60);
        out.write_all(row.repeat(1000).as_bytes()).expect("a file");
    }
    out.flush().expect("a file");
    format!("transactions={}", path.display())
}

#[test]
fn a_killed_process_is_named_by_the_other() {
    for (who, other) in [(1, 0), (0, 1)] {
        let ended = interrupted(&format!("cluster-killed-{who}"), who, "-KILL");
        assert_eq!(ended[who].code, None, "it was killed: {}", ended[who].said);
        let said = &ended[other].said;
        assert_eq!(ended[other].code, Some(1), "{said}");
        assert!(said.starts_with(&format!("tidemill: process {who} (127.0.0.1:")), "{said}");
        assert!(said.trim_end().ends_with(" is gone; the run is over") && one_line(said), "{said}");
    }
}

#[test]
fn a_stop_of_one_process_stops_all() {
    for (who, other) in [(1, 0), (0, 1)] {
        let ended = interrupted(&format!("cluster-stopped-{who}"), who, "-INT");
        assert_eq!(ended[who].code, Some(130), "{}", ended[who].said);
        let said = &ended[other].said;
        assert_eq!(ended[other].code, Some(1), "{said}");
        assert!(said.contains(&format!("process {who} (127.0.0.1:")), "{said}");
        assert!(said.contains("was stopped") && one_line(said), "{said}");
    }
}

#[test]
fn bad_records_are_judged_over_all_before_anything_is_published() {
    let dir = directory("cluster-judged");
    let bad = |n: usize| "2026-01-09 00:00:00,many\n".repeat(n);
    let many = sales(&dir, "many.csv", 90, "");
    let one = sales(&dir, "one.csv", 9, &bad(1));
    let ten = sales(&dir, "ten.csv", 0, &bad(10));
    for (place, sources, good) in [
        ("one-of-1", [&many, &one], true),
        ("one-of-0", [&one, &many], true),
        ("ten-of-1", [&many, &ten], false),
        ("ten-of-0", [&ten, &many], false),
    ] {
        let out = dir.join(place);
        fs::create_dir_all(&out).expect("a directory");
        let view = out.join("hourly_transactions.csv");
        fs::write(&view, "of an earlier run\n").expect("a file");
        let report = out.join("cost").display().to_string();
        let args = arguments(&sources.map(String::as_str), &out, &["--max-bad", "5%", "--report"]);
        let ended = together(
            &dir,
            |run| {
                [0, 1]
                    .map(|i| run.start(i, &refs(&[&args[..], &[format!("{report}.{i}")]].concat())))
                    .into()
            },
            2,
        );
        let view = fs::read_to_string(&view).expect("a view");
        for (process, ended) in ended.iter().enumerate() {
            let what = format!("{place}, process {process}: {}", ended.said);
            if good {
                assert_eq!(ended.code, Some(0), "{what}");
                let cost = fs::read_to_string(format!("{report}.{process}")).expect("a report");
                assert!(cost.contains("\"records\":100,"), "of all: {what}: {cost}");
                continue;
            }
            assert_eq!(ended.code, Some(1), "{what}");
            assert!(ended.said.contains("10 of 100 records are bad"), "{what}");
            assert!(ended.said.contains("dead_letters"), "{what}");
            assert!(one_line(&ended.said), "{what}");
        }
        if good {
            assert!(view.contains("T00:00:00Z,"), "{place}: {view}");
            assert_eq!(sealed(&out).as_deref(), Some("end"), "{place}");
        } else {
            assert_eq!(view, "of an earlier run\n", "{place}");
            assert_nothing_is_complete(&out, place);
        }
    }
}

#[test]
fn a_closed_standard_error_changes_no_exit_code() {
    let dir = directory("cluster-mute");
    let a = sales(&dir, "a.csv", 100, "");
    let bad = sales(&dir, "bad.csv", 0, &"2026-01-09 00:00:00,many\n".repeat(10));
    for (sources, code) in [([&a, &a], 0), ([&a, &bad], 1), ([&bad, &a], 1)] {
        let out = dir.join(format!("out-{code}"));
        let args = arguments(&sources.map(String::as_str), &out, &[]);
        // A port that another test took cannot be told from another failure here: the best of a
        // few tries counts.
        let tried = |_| {
            let run = Run::new(&dir, 2);
            let mute = |process| {
                let command = run.command(process, &refs(&args));
                let mut shell = Command::new("sh");
                shell.args(["-c", "exec \"$@\" 2>&-", "sh"]).arg(command.get_program());
                shell.args(command.get_args()).env("TIDEMILL_SECRET", "a secret of this test");
                shell.current_dir(&dir).stdin(Stdio::null()).stdout(Stdio::null());
                shell.stderr(Stdio::piped()).spawn().expect("starts")
            };
            end(vec![mute(0), mute(1)]).iter().all(|ended| ended.code == Some(code))
        };
        assert!((0..3).any(tried), "exit code {code} of both");
    }
}

#[test]
fn too_many_bad_records_are_judged_over_all_processes() {
    let dir = directory("cluster-bad");
    let a = sales(&dir, "a.csv", 100, "");
    let b = sales(&dir, "b.csv", 50, &"2026-01-01 01:00:00,x\n".repeat(50));
    let out = dir.join("out");
    let sink = format!("csv:{}", out.display());
    // Half of what one process reads is bad, and a quarter of all.
    for (limit, code) in [("30%", 0), ("20%", 1)] {
        let _ = fs::remove_dir_all(&out);
        for sources in [[&a, &b], [&b, &a]] {
            let given = ["--source", sources[0], "--source", sources[1], "--sink", &sink];
            let args = [&given[..], &["--max-bad", limit], &QUERY].concat();
            let ended = together(&dir, |run| vec![run.start(0, &args), run.start(1, &args)], 2);
            for ended in &ended {
                assert_eq!(ended.code, Some(code), "{limit}: {}", ended.said);
                let says = ended.said.contains("50 of 200 records are bad");
                assert_eq!(says, code == 1, "{limit}: {}", ended.said);
            }
            assert_eq!(out.join("hourly_transactions.csv").exists(), code == 0, "{limit}");
        }
    }
}
