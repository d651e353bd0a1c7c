//! The program as a user starts it: results, errors and exit codes.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn tidemill() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    // What it leaves behind where it was started is in nobody's way there.
    program.current_dir(env!("CARGO_TARGET_TMPDIR"));
    program
}

fn run(args: &[&str]) -> Output {
    tidemill().args(args).output().expect("the program starts")
}

fn succeed(args: &[&str]) -> String {
    let output = run(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// Fails with a code, saying all of these.
fn fail(code: i32, args: &[&str], says: &[&str]) {
    let output = run(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {errors}");
    for text in says {
        assert!(errors.contains(text), "{args:?} should say {text:?}: {errors}");
    }
}

/// A directory of its own for each test, empty.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a directory");
    path
}

fn write(path: PathBuf, text: impl AsRef<[u8]>) -> String {
    fs::write(&path, text).expect("a file");
    path.to_str().expect("UTF-8").to_string()
}

/// The three streams with all the dirt on.
fn dirty(dir: &Path) -> [String; 3] {
    let out = dir.to_str().expect("UTF-8");
    succeed(&[
        "generate",
        "--quiet",
        "--out",
        out,
        "--events",
        "40000",
        "--seed",
        "7",
        "--days",
        "4",
        "--disorder",
        "0.2",
        "--late",
        "0.03",
        "--duplicates",
        "0.05",
        "--corrections",
        "0.05",
        "--cancellations",
        "0.1",
        "--refunds",
        "0.1",
        "--malformed",
        "0.01",
    ]);
    ["behavior=user_behavior.csv", "transactions=transaction.csv", "logistics=logistics.csv"]
        .map(|source| source.replace('=', &format!("={out}/")))
}

/// The files of a directory whose name ends so, by name.
fn files(dir: &Path, end: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_str().is_some_and(|p| p.ends_with(end)))
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read(&path).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn change_logs_are_the_same_bytes_on_any_number_of_workers_and_processes() {
    let dir = directory("workers");
    let sources = dirty(&dir);
    let arguments = |out: &Path, more: &[&str]| {
        let mut args: Vec<String> = vec!["run".into(), "--quiet".into()];
        for source in &sources {
            args.extend(["--source".into(), source.clone()]);
        }
        for kind in ["csv", "jsonl"] {
            args.extend(["--sink".into(), format!("{kind}:{}", out.display())]);
        }
        args.extend(more.iter().map(ToString::to_string));
        args
    };
    let one = dir.join("one");
    let args = arguments(&one, &["--workers", "1"]);
    succeed(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let (logs, views) = (files(&one, ".changes.jsonl"), files(&one, ".csv"));
    assert!(logs.iter().filter(|(_, log)| log.len() > 200).count() >= 15);
    for workers in ["2", "4"] {
        let out = dir.join(workers);
        let args = arguments(&out, &["--workers", workers]);
        succeed(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(files(&out, ".changes.jsonl") == logs, "{workers} workers: other change logs");
        assert!(files(&out, ".csv") == views, "{workers} workers: other views");
    }

    // Two processes of two workers each, which find each other by a host file.
    let free = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let out = dir.join("processes");
    let start = |process: &str, hosts: &str| {
        let more =
            ["--workers", "2", "--processes", "2", "--process", process, "--hostfile", hosts];
        let mut process = tidemill();
        process.env("TIDEMILL_SECRET", "of this test").args(arguments(&out, &more));
        process.stdout(Stdio::null()).spawn().expect("starts")
    };
    // A port that was free may be taken by another test before it is used: try again then.
    let together = (0..5).any(|_| {
        let ports = [free(), free()].map(|l| l.local_addr().expect("an address").to_string());
        let hosts = write(dir.join("hosts"), ports.join("\n"));
        let mut processes = [start("0", &hosts), start("1", &hosts)];
        let ended = processes.each_mut().map(|process| process.wait().expect("ends"));
        ended.iter().all(|status| status.success())
    });
    assert!(together, "two processes did not end well in five tries");
    assert!(files(&out, ".changes.jsonl") == logs, "2 processes: other change logs");
    assert!(files(&out, ".csv") == views, "2 processes: other views");
}

#[test]
fn the_change_log_adds_up_to_the_view_and_to_the_database() {
    let dir = directory("sinks");
    let sources = dirty(&dir);
    let (out, db) = (dir.join("out"), dir.join("shop.db"));
    let specs = [
        format!("csv:{}", out.display()),
        format!("jsonl:{}", out.display()),
        format!("sqlite:{}", db.display()),
    ];
    let mut args =
        vec!["run", "--quiet", "--query", "hourly_transactions", "--source", &sources[1]];
    specs.iter().for_each(|spec| args.extend(["--sink", spec]));
    succeed(&args);
    let mut view: Vec<(String, i64)> = Vec::new();
    let log = fs::read_to_string(out.join("hourly_transactions.changes.jsonl")).expect("a log");
    for line in log.lines() {
        let change: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let (row, diff) = (change["row"].to_string(), change["diff"].as_i64().expect("a number"));
        match view.iter_mut().find(|(r, _)| *r == row) {
            Some((_, count)) => *count += diff,
            None => view.push((row, diff)),
        }
    }
    view.retain(|(_, count)| *count != 0);
    assert!(view.iter().all(|(_, count)| *count == 1));
    let csv = fs::read_to_string(out.join("hourly_transactions.csv")).expect("a view");
    assert_eq!(csv.lines().count() - 1, view.len());
    let sqlite = rusqlite::Connection::open(&db).expect("a database");
    let rows: Vec<(String, i64, f64)> = sqlite
        .prepare("SELECT hour, count, amount_sum FROM hourly_transactions ORDER BY hour")
        .and_then(|mut s| s.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?.collect())
        .expect("rows");
    let lines: Vec<String> = csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').take(3).collect::<Vec<_>>().join(","))
        .collect();
    let stored: Vec<String> = rows.iter().map(|(h, n, s)| format!("{h},{n},{s:.2}")).collect();
    assert_eq!(stored, lines);
    let sealed: String = sqlite
        .query_row("SELECT sealed FROM tidemill_progress", [], |r| r.get(0))
        .expect("progress");
    assert_eq!(sealed, "end");
}

#[test]
fn the_minimal_shapes_work_as_they_are() {
    let dir = directory("minimal");
    let behavior = write(
        dir.join("user_behavior.csv"),
        "visit_time,page_views,orders\n2026-01-31 13:05:00,10,1\n2026-01-31 13:59:59,30,0\n",
    );
    let transactions = write(
        dir.join("transaction.csv"),
        "\u{feff}amount,transaction_time\r\n\"1.50\",2026-01-31T13:00:00Z\r\n2,2026-01-31 13:01\r\n",
    );
    let logistics =
        write(dir.join("logistics.csv"), "delivery_time,cost\n2026-01-31 14:30:00.250,4.99\n");
    let out = dir.join("out");
    succeed(&[
        "run",
        "--quiet",
        "--source",
        &format!("behavior={behavior}"),
        "--source",
        &format!("transactions={transactions}"),
        "--source",
        &format!("logistics={logistics}"),
        "--sink",
        &format!("csv:{}", out.display()),
    ]);
    let view = |name: &str| fs::read_to_string(out.join(name)).expect("a view");
    assert_eq!(
        view("hourly_behavior.csv"),
        "hour,page_views,orders,conversion\n2026-01-31T13:00:00Z,40,1,0.025\n"
    );
    assert_eq!(
        view("hourly_transactions.csv"),
        "hour,count,amount_sum,amount_mean,amount_median,amount_variance,amount_stddev,gmv,refunded,orders,items,aov,items_per_order\n\
         2026-01-31T13:00:00Z,2,3.50,1.75,1.75,0.125,0.3535533905932738,3.50,0.00,2,2,1.75,1\n"
    );
    assert_eq!(
        view("hourly_logistics.csv"),
        "hour,deliveries,cost_sum,cost_mean,transit_minutes_mean,transit_minutes_p50,transit_minutes_p95,impossible\n\
         2026-01-31T14:00:00Z,1,4.99,4.99,,,,0\n"
    );
    assert_eq!(
        view("hourly_correlation.csv"),
        "pair,n,r\npage_views~amount,1,\npage_views~orders,1,\n"
    );
}

#[test]
fn corrections_cancellations_and_change_logs() {
    let dir = directory("corrections");
    let out = dir.join("out");
    let sink = format!("csv:{}", out.display());
    let hourly = |csv: &str, more: &[&str]| {
        let file = format!("transactions={}", write(dir.join("t.csv"), csv));
        let mut args =
            vec!["run", "--quiet", "--query", "transactions_by_hour_of_day", "--source", &file];
        args.extend(["--sink", &sink]);
        args.extend(more);
        succeed(&args);
        let view = fs::read_to_string(out.join("transactions_by_hour_of_day.csv")).expect("a view");
        view.lines().skip(1).collect::<Vec<_>>().join(" ")
    };
    let csv = "transaction_time,transaction_id,amount,status\n\
               2026-01-01 10:00:00,a,5.00,captured\n\
               2026-01-01 10:01:00,b,7.00,captured\n\
               2026-01-01 11:00:00,b,9.00,captured\n\
               2026-01-01 15:00:00,a,5.00,refunded\n";
    assert_eq!(hourly(csv, &[]), "11,1,9.00");
    assert_eq!(hourly(csv, &["--on-duplicate", "ignore"]), "10,1,7.00");
    assert_eq!(hourly(csv, &["--on-duplicate", "keep"]), "10,1,7.00 11,1,9.00");
    // Also where ids are not made unique a refund finds its sale.
    assert_eq!(hourly(csv, &["--steps", "validate,trim"]), "10,1,7.00 11,1,9.00");
    let log = "transaction_time,amount,_diff\n\
               2026-01-01 10:00:00,5.00,1\n2026-01-01 10:00:00,6.00,1\n2026-01-01 10:00:00,5.00,-1\n";
    assert_eq!(hourly(log, &[]), "10,1,6.00");
    let rates = write(dir.join("rates.csv"), "currency,rate\nUSD,0.5\n");
    let foreign = "transaction_time,amount,currency\n\
                   2026-01-01 10:00:00,5.00,usd\n2026-01-01 10:00:00,1.00,EUR\n";
    assert_eq!(hourly(foreign, &["--rates", &rates]), "10,2,3.50");
    let nameless = "transaction_time,amount,currency\n\
                    2026-01-01 10:00:00,5.00,eur\n2026-01-01 10:00:00,1.00,\n";
    assert_eq!(hourly(nameless, &[]), "10,2,6.00");
    let naive = "transaction_time,paid\n2026-07-01 01:00:00,5.00\n";
    let zone = ["--time-zone", "Europe/Berlin", "--map", "transactions.amount=paid"];
    assert_eq!(hourly(naive, &zone), "23,1,5.00");
}

#[test]
fn bad_records_are_kept_with_their_reason_and_do_not_stop_the_run() {
    let dir = directory("bad");
    let mut csv = b"transaction_time,amount\n".to_vec();
    (0..100).for_each(|i| csv.extend(format!("2026-01-01 10:00:{:02},1.00\n", i % 60).bytes()));
    csv.extend(b"2026-02-30 10:00:00,1.00\nnot a time,1\n2026-01-01 10:00:00,\xff\n");
    let file = format!("transactions={}", write(dir.join("t.csv"), csv));
    let out = dir.join("out");
    let sink = format!("csv:{}", out.display());
    let args = ["run", "--source", &file, "--sink", &sink, "--query", "hourly_transactions"];
    succeed(&args);
    let letters = fs::read_to_string(out.join("dead_letters.jsonl")).expect("dead letters");
    let letters: Vec<serde_json::Value> =
        letters.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(letters.len(), 3);
    assert_eq!(letters[0]["line"], 102);
    assert_eq!(letters[0]["raw"], "2026-02-30 10:00:00,1.00");
    assert!(letters[1]["reason"].as_str().expect("text").contains("transaction_time"));
    assert!(letters[2]["raw_hex"].as_str().expect("hex").ends_with("2cff"));
    // What a later step refuses is found again in its file, too.
    let rates = write(dir.join("rates.csv"), "currency,rate\nUSD,0.5\n");
    let csv = "transaction_time,note,currency,amount\n\
               2026-01-01 10:00:00,\"two\nlines\",USD,1.00\n\nbroken\n\
               2026-01-01 10:00:01,x,XXX,2.00\n2026-01-09 10:00:02,y,USD,3.00\n\
               2026-01-01 10:00:03,z,USD,4.00\n";
    let foreign = format!("transactions={}", write(dir.join("f.csv"), csv));
    let letters = dir.join("letters.jsonl");
    succeed(&[
        "run",
        "--quiet",
        "--source",
        &foreign,
        "--sink",
        &sink,
        "--rates",
        &rates,
        "--max-jump",
        "1h",
        "--max-bad",
        "60%",
        "--dead-letters",
        letters.to_str().expect("UTF-8"),
    ]);
    let letters = fs::read_to_string(letters).expect("dead letters");
    let places: Vec<String> = letters
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .map(|letter| format!("{} {} {}", letter["line"], letter["raw"], letter["offset"]))
        .collect();
    assert_eq!(
        places,
        [
            "5 \"broken\" 80",
            "6 \"2026-01-01 10:00:01,x,XXX,2.00\" 87",
            "7 \"2026-01-09 10:00:02,y,USD,3.00\" 118",
        ]
    );
    let view = fs::read_to_string(out.join("hourly_transactions.csv")).expect("a view");
    assert!(view.contains("T10:00:00Z,2,2.50,"), "{view}");
    let mut strict = args.to_vec();
    strict.extend(["--max-bad", "1%"]);
    fail(1, &strict, &["3 of 103 records are bad", "--max-bad 1%", "dead_letters.jsonl"]);
}

#[test]
fn wrong_use_is_refused_by_name_with_exit_code_2() {
    let dir = directory("wrong");
    let file = write(dir.join("t.csv"), "transaction_time,amount\n2026-01-01,1\n");
    let source = format!("transactions={file}");
    let with = |more: &[&'static str]| {
        let mut args = vec!["run", "--source", source.as_str()];
        args.extend(more);
        args.into_iter().map(str::to_string).collect::<Vec<_>>()
    };
    let refuse = |args: &[String], says: &[&str]| {
        fail(2, &args.iter().map(String::as_str).collect::<Vec<_>>(), says);
    };
    refuse(&with(&["--query", "hourly_transaction"]), &["did you mean hourly_transactions"]);
    refuse(&with(&["--query", "hourly_behavior"]), &["needs the stream behavior"]);
    refuse(&with(&["--map", "transactions.amount=paid"]), &["paid", "t.csv"]);
    refuse(&with(&["--map", "sales.amount=paid"]), &["there is no stream sales"]);
    refuse(&with(&["--sink", "excel:x"]), &["there is no sink"]);
    refuse(&with(&["--tick", "1"]), &["duration"]);
    refuse(&with(&["--time-zone", "Mars/Base"]), &["no such zone"]);
    refuse(&with(&["--max-bad", "200%"]), &["percentage"]);
    refuse(&with(&["--processes", "2", "--process", "2"]), &["must be 0 to 1"]);
    fail(2, &["run"], &["--source"]);
    fail(2, &["run", "--source", "transactions"], &["STREAM=FILE"]);
    fail(2, &["run", "--source", "sales=x.csv"], &["there is no stream sales"]);
    fail(2, &["run", "--source", "transactions=/no/such.csv"], &["/no/such.csv"]);
    fail(2, &["run", "--source", "transactions=/no/such*.csv"], &["no file matches"]);
    fail(2, &["generate", "--out", "/tmp", "--late", "2"], &["late", "between 0 and 1"]);
    let minimal = write(dir.join("l.csv"), "delivery_time\n2026-01-01\n");
    fail(
        2,
        &["run", "--source", &format!("logistics={minimal}"), "--query", "warehouse_dwell"],
        &["logistics.warehouse", "l.csv", "--map"],
    );
    fail(1, &["plot", "/no/such.csv", "--out", "/tmp/x.svg"], &["/no/such.csv"]);
}

#[test]
fn compressed_files_patterns_and_standard_input_give_the_same() {
    let dir = directory("inputs");
    let rows = |from: u32, to: u32| {
        let row = |i: u32| format!("2026-01-01 {:02}:{:02}:00,{i}.50\n", i / 60, i % 60);
        format!("transaction_time,amount\n{}", (from..to).map(row).collect::<String>())
    };
    let all = write(dir.join("all.csv"), rows(0, 600));
    write(dir.join("part1.csv"), rows(0, 300));
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), Default::default());
    zip.write_all(rows(300, 450).as_bytes()).expect("memory");
    write(dir.join("part2.csv.gz"), zip.finish().expect("memory"));
    let zst = zstd::encode_all(rows(450, 600).as_bytes(), 1).expect("memory");
    write(dir.join("part3.csv.zst"), zst);
    let view = |source: &str, input: Option<&str>| {
        let out = dir.join("out");
        let _ = fs::remove_dir_all(&out);
        let sink = format!("csv:{}", out.display());
        let mut child = tidemill()
            .args(["run", "--quiet", "--source", source, "--sink", &sink])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        if let (Some(text), Some(mut pipe)) = (input, child.stdin.take()) {
            pipe.write_all(text.as_bytes()).expect("a pipe");
        }
        assert!(child.wait().expect("ends").success());
        fs::read_to_string(out.join("hourly_transactions.csv")).expect("a view")
    };
    let want = view(&format!("transactions={all}"), None);
    assert_eq!(want.lines().count(), 11);
    assert_eq!(view(&format!("transactions={}/part*", dir.display()), None), want);
    assert_eq!(view("transactions=-", Some(&rows(0, 600))), want);
}

#[test]
fn an_interrupted_run_writes_what_is_sealed_and_no_more() {
    let dir = directory("interrupt");
    let row = |i: u32| format!("2026-01-01 {:02}:{:02}:00,{i}.50\n", i / 60, i % 60);
    let rows = format!("transaction_time,amount\n{}", (0..600).map(row).collect::<String>());
    let full = write(dir.join("full.csv"), &rows);
    let log = |out: &Path| {
        fs::read_to_string(out.join("hourly_transactions.changes.jsonl")).expect("a log")
    };
    let whole = dir.join("whole");
    let sink = format!("jsonl:{}", whole.display());
    succeed(&["run", "--quiet", "--source", &format!("transactions={full}"), "--sink", &sink]);
    let (want, out) = (log(&whole), dir.join("out"));
    let sink = format!("jsonl:{}", out.display());
    for wait in [1, 2, 4, 8, 16] {
        // Standard input stays open, so only the signal can end this run.
        let mut child = tidemill()
            .args(["run", "--quiet", "--source", "transactions=-", "--sink", &sink])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        pipe.write_all(rows.as_bytes()).expect("it reads");
        pipe.flush().expect("it reads");
        std::thread::sleep(std::time::Duration::from_secs(wait));
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
        assert_eq!(child.wait().expect("ends").code(), Some(130), "it did not come to its end");
        drop(pipe);
        let got = log(&out);
        assert!(want.starts_with(&got), "not the beginning of the whole log");
        // The last tick was never sealed, everything before it was.
        if got.lines().count() == want.lines().count() - 2 {
            return;
        }
    }
    panic!("the records were not sealed in time");
}

#[test]
fn help_lists_and_completions() {
    assert!(succeed(&["--help"]).contains("Examples:"));
    for command in ["run", "demo", "queries", "generate", "plot"] {
        assert!(succeed(&[command, "--help"]).contains("Examples:"), "{command}");
    }
    assert!(succeed(&["completions", "bash"]).contains("_tidemill"));
    let list = succeed(&["queries"]);
    assert!(list.contains("hourly_transactions: "), "{list}");
    let json: serde_json::Value =
        serde_json::from_str(&succeed(&["queries", "--format", "json"])).expect("JSON");
    let first = &json[0];
    assert_eq!(first["name"], "hourly_behavior");
    assert_eq!(first["keys"][0], "hour");
    assert_eq!(first["reads"]["behavior"][0]["name"], "page_views");
}

#[test]
fn the_demo_writes_views_logs_and_pictures() {
    let dir = directory("demo");
    let out = dir.join("out");
    let path = out.to_str().expect("UTF-8");
    // What counts how often something comes gets as much smaller limits as there are fewer events.
    let mut demo = vec!["demo", "--once", "--events", "60000", "--out", path];
    for least in ["trending_items.least=2", "bought_together.least=1", "frequent_itemsets.least=1"]
    {
        demo.extend(["--set", least]);
    }
    let shown = succeed(&demo);
    assert!(shown.contains("hourly_transactions ("), "{shown}");
    for (_, query) in tidemill::queries::catalog() {
        let name = query.name();
        let view = fs::read_to_string(out.join(format!("{name}.csv"))).expect("a view");
        assert!(view.lines().count() > 1, "{name} has no row at the end of the demo");
    }
    for (end, least) in [(".csv", 7), (".changes.jsonl", 7), (".svg", 6)] {
        assert!(files(&out, end).len() >= least, "{end}");
    }
    assert!(files(&out, ".tmp").is_empty());
    let svg = out.join("again.svg");
    let view = out.join("hourly_transactions.csv");
    let (svg, view) = (svg.to_str().expect("UTF-8"), view.to_str().expect("UTF-8"));
    succeed(&["plot", view, "--out", svg, "--columns", "count,amount_sum"]);
    assert!(fs::read_to_string(svg).expect("a picture").starts_with("<svg"));
    fail(1, &["plot", view, "--out", svg, "--columns", "profit"], &["profit", "amount_sum"]);
}
