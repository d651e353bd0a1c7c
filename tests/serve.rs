//! Views over HTTP: what is served is what the sinks write, at one time for all views, and what is
//! asked wrongly is told.

#[path = "support/http.rs"]
mod http;
#[path = "support/program.rs"]
mod program;

use http::{Events, Served, ask, encoded, get, json};
use program::{directory, shop_sources, succeed};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::{ChildStdin, Command, Stdio};

/// A run over standard input that serves two views.
fn live(more: &[&str]) -> (Served, ChildStdin) {
    let mut args = vec!["run", "-q", "--serve", "127.0.0.1:0", "--source", "transactions=-"];
    args.extend(["--query", "hourly_transactions,top_items_hourly,transactions_by_hour_of_day"]);
    // So that no first rows are looked at, which few never are enough for.
    args.extend(["--time-format", "iso"]);
    args.extend(more);
    let mut served = Served::start(&args, "transaction_id,transaction_time,item_id,amount\n");
    let input = served.input();
    (served, input)
}

fn write(input: &mut ChildStdin, text: &str) {
    input.write_all(text.as_bytes()).and_then(|()| input.flush()).expect("it reads");
}

/// A sale; each moves the clock on.
fn sale(id: u64, minute: u64, item: &str, amount: &str) -> String {
    let (day, hour, minute) = (5 + minute / 1440, minute / 60 % 24, minute % 60);
    format!("t{id},2026-01-{day:02}T{hour:02}:{minute:02}:00Z,{item},{amount}\n")
}

#[test]
fn a_new_record_is_seen_without_asking_and_all_views_are_of_one_time() {
    let (served, mut input) = live(&[]);
    let ready = |address: &str| get(address, "/readyz").status;
    write(&mut input, &sale(1, 600, "shoe", "10.00"));
    write(&mut input, &sale(2, 605, "bag", "5.00"));
    // The second stands at the frontier and is not sealed.
    let hourly = "/v1/views/hourly_transactions";
    let first = served.wait(hourly, |answer| answer["total"] == 1);
    assert_eq!(ready(&served.address), 200);
    assert_eq!(first["rows"][0]["amount_sum"], 10.0);
    assert_eq!(first["rows"][0]["hour"], "2026-01-05T10:00:00Z");
    assert_eq!(first["frontier"], "2026-01-05T10:05:00Z");
    assert_eq!(first["ended"], false);
    let one = json(&served.address, &format!("{hourly}/2026-01-05T10:00:00Z"));
    assert_eq!(one["row"], first["rows"][0]);

    let mut events = Events::open(&served.address, &format!("{hourly}/subscribe"), None);
    let snapshot = events.next();
    assert_eq!((snapshot.name.as_str(), &snapshot.data["last"]), ("snapshot", &true.into()));
    assert_eq!(snapshot.data["rows"], first["rows"]);
    write(&mut input, &sale(3, 610, "<img src=x onerror=alert(1)>", "2.50"));
    let changes = loop {
        let event = events.next();
        if event.name == "changes" {
            break event;
        }
    };
    let told = &changes.data["changes"];
    assert_eq!((&told[0]["diff"], &told[0]["row"]["amount_sum"]), (&(-1).into(), &10.0.into()));
    assert_eq!((&told[1]["diff"], &told[1]["row"]["amount_sum"]), (&1.into(), &15.0.into()));
    assert!(changes.id.is_some());

    drop(input);
    let mut served = served;
    served.until("the sources have ended");
    let views = "hourly_transactions,top_items_hourly,transactions_by_hour_of_day";
    let all = json(&served.address, &format!("/v1/snapshot?views={views}"));
    assert_eq!(all["ended"], true);
    let rows = |view: &str| all["views"][view]["rows"].as_array().expect("rows").clone();
    let items: Vec<_> = rows("top_items_hourly").iter().map(|r| r["item_id"].clone()).collect();
    assert_eq!(items, ["shoe", "bag", "<img src=x onerror=alert(1)>"]);
    assert_eq!(rows("hourly_transactions")[0]["amount_sum"], 17.5);
    assert_eq!(rows("transactions_by_hour_of_day")[0]["amount_sum"], 17.5);
    assert_eq!(served.interrupt(), Some(0), "serving is ended by a signal and not by a failure");
}

#[test]
fn sums_of_two_views_agree_in_every_snapshot_while_records_come() {
    let (served, mut input) = live(&[]);
    let address = served.address.clone();
    let writer = std::thread::spawn(move || {
        for id in 0..3000 {
            write(&mut input, &sale(id, id, ["a", "b", "c"][id as usize % 3], "1.25"));
            if id % 50 == 0 {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
        input
    });
    let cents = |rows: &Value| -> i64 {
        let rows = rows.as_array().expect("rows").iter();
        rows.map(|row| (row["amount_sum"].as_f64().expect("a sum") * 100.0).round() as i64).sum()
    };
    let (mut asked, mut seen) = (0, 0);
    while !writer.is_finished() || asked < 50 || seen == 0 {
        let path = "/v1/snapshot?views=hourly_transactions,transactions_by_hour_of_day";
        let all = json(&address, path);
        let hours = cents(&all["views"]["hourly_transactions"]["rows"]);
        let clock = cents(&all["views"]["transactions_by_hour_of_day"]["rows"]);
        assert_eq!(hours, clock, "at {}", all["frontier"]);
        (asked, seen) = (asked + 1, seen.max(hours));
    }
    let input = writer.join().expect("it wrote");
    drop(input);
}

#[test]
fn what_is_served_is_what_the_sinks_write() {
    let dir = directory("served");
    let data = dir.join("data");
    let out = dir.join("out");
    let text = |path: &std::path::Path| path.to_str().expect("UTF-8").to_string();
    succeed(&["generate", "--all", "--events", "6000", "--out", &text(&data), "-q"]);
    let mut args = ["run", "-q", "--serve", "127.0.0.1:0"].map(String::from).to_vec();
    args.extend(shop_sources(&data, |_| true));
    args.extend(["--sink".into(), format!("csv:{}", text(&out))]);
    let mut served = Served::start(&args.iter().map(String::as_str).collect::<Vec<_>>(), "");
    served.until("the sources have ended");
    let views = json(&served.address, "/v1/views");
    let views = views["views"].as_array().expect("views");
    let mut rows = 0;
    for view in views {
        let name = view["name"].as_str().expect("a name");
        let file = fs::read_to_string(out.join(format!("{name}.csv"))).expect("its file");
        let csv = get(&served.address, &format!("/v1/views/{name}?format=csv"));
        assert!(csv.body == file, "{name}: {}", csv.body.lines().count());
        assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
        // Page by page as JSON, in the order of the last column.
        let order = view["columns"].as_array().and_then(|c| c.last()).expect("a column");
        let order = order["name"].as_str().expect("a name");
        let (mut found, mut cursor) = (0, String::new());
        loop {
            let path = format!("/v1/views/{name}?limit=997&order=-{order}{cursor}");
            let page = json(&served.address, &path);
            found += page["rows"].as_array().expect("rows").len();
            assert_eq!(page["total"], view["rows"], "{name}");
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(view["rows"], found, "{name}");
        rows += found;
        for column in view["columns"].as_array().expect("columns") {
            assert!(!column["about"].as_str().expect("a text").is_empty(), "{name}: {column}");
            assert!(!column["kind"].as_str().expect("a text").is_empty(), "{name}: {column}");
        }
    }
    assert!(views.len() > 30 && rows > 1000, "{} views of {rows} rows", views.len());
    let metrics = get(&served.address, "/metrics").body;
    let line = "tidemill_view_rows{view=\"sessions\"} ";
    let sessions = metrics.lines().find_map(|l| l.strip_prefix(line)).expect("it is told");
    assert_eq!(json(&served.address, "/v1/views/sessions?limit=1")["total"].to_string(), sessions);
    assert!(metrics.contains("\ntidemill_ended 1\n"), "{metrics}");
    let dedupe = metrics
        .lines()
        .find(|l| l.starts_with("tidemill_operator_entries{operator=\"transactions/Dedupe"));
    assert!(dedupe.is_some_and(|line| !line.ends_with(" 0")), "{metrics}");
    // The generator's damaged records, by what is wrong with them.
    let run = json(&served.address, "/v1/status");
    let reasons = run["run"]["reasons"].as_array().expect("reasons");
    let records: u64 = reasons.iter().filter_map(|reason| reason["records"].as_u64()).sum();
    assert_eq!(run["run"]["dead_letters"], records);
    assert!(reasons.len() > 1 && reasons[0]["first"].as_str().is_some_and(|f| f.contains("line")));
}

#[test]
fn what_is_asked_wrongly_is_told() {
    let (served, _input) = live(&[]);
    let address = &served.address;
    for (path, status, says) in [
        ("/v1/views/hourly_transaction", 404, "did you mean hourly_transactions?"),
        ("/v1/views/hourly_transactions?limt=3", 400, "did you mean limit?"),
        ("/v1/views/hourly_transactions?limit=0", 400, "no whole number from 1 to 10000"),
        ("/v1/views/hourly_transactions?limit=1&limit=2", 400, "twice"),
        ("/v1/views/hourly_transactions?order=-amount_sm", 400, "did you mean amount_sum?"),
        ("/v1/views/hourly_transactions?where=hour%3E5x", 400, "no value of hour"),
        ("/v1/views/hourly_transactions?where=hour", 400, "no comparison"),
        ("/v1/views/hourly_transactions?format=xml", 400, "use json or csv"),
        ("/v1/views/hourly_transactions?cursor=00", 400, "begin again"),
        ("/v1/views/hourly_transactions/x", 400, "no value of hour"),
        ("/v1/views/hourly_transactions/2026-01-01/x", 400, "has 1 parts, not 2"),
        ("/v1/views/hourly_transactions/1999-01-01", 404, "no row of this key"),
        ("/v1/views/%FF", 400, "no UTF-8"),
        ("/v1/snapshot", 400, "a name is missing"),
        ("/v1/snapshot?views=hourly_transactions,nothing", 404, "no view"),
        ("/v1/nothing", 404, "openapi.json"),
    ] {
        let answer = get(address, path);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.problem().contains(says), "{path}: {}", answer.problem());
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
    }
    let posted = ask(address, "POST", "/v1/views", &[("Content-Length", "0")]);
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(ask(address, "HEAD", "/v1/views", &[]).status, 200);
    assert_eq!(get(address, "/v1/views").header("cache-control"), Some("no-store"));
    let policy = get(address, "/v1/views");
    let policy = policy.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let search = format!("/v1/views/hourly_transactions?where={}", encoded("hour ~ \"\u{0}é\""));
    assert_eq!(json(address, &search)["rows"], Value::Array(Vec::new()));
}

#[test]
fn nobody_reads_who_must_not() {
    let (served, _input) = live(&[]);
    let address = &served.address;
    let with = |headers: &[(&str, &str)]| ask(address, "GET", "/v1/views", headers).status;
    assert_eq!(with(&[("Host", "evil.example")]), 421);
    assert_eq!(with(&[("Origin", "http://evil.example")]), 403);
    assert_eq!(with(&[("Origin", &format!("http://{address}"))]), 200);
    drop(served);

    let token = directory("token").join("token");
    fs::write(&token, "s3cret\n").expect("a file");
    let token = token.to_str().expect("UTF-8");
    let (served, _input) = live(&["--token-file", token]);
    let address = &served.address;
    let with = |path: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        ask(address, "GET", path, &[("Authorization", &bearer)]).status
    };
    assert_eq!(with("/v1/views", "s3cret"), 200);
    assert_eq!(with("/v1/views", "s3cre"), 401);
    assert_eq!(get(address, "/v1/views?token=s3cret").status, 401, "the header alone counts");
    assert_eq!(get(address, "/metrics").status, 401);
    assert_eq!(get(address, "/v1/views/hourly_transactions/subscribe").status, 401);
    assert_eq!(get(address, "/healthz").status, 200, "it holds nothing");
    assert!(get(address, "/v1/views").header("www-authenticate").is_some());
    let refused = ["run", "--source", "transactions=-", "--serve", "0.0.0.0:0"];
    program::fail(2, &refused, &["other machines", "--token-file", "--insecure"]);
    program::fail(2, &["run", "--source", "transactions=-", "--insecure"], &["--serve"]);
    let taken = ["run", "--source", "transactions=-", "--serve", address];
    program::fail(2, &taken, &["name another port"]);
}

#[test]
fn the_document_tells_of_what_is_there() {
    let (served, _input) = live(&[]);
    let document = json(&served.address, "/v1/openapi.json");
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() > 8);
    for (path, methods) in paths.iter().filter(|(_, methods)| methods.get("get").is_some()) {
        let view = path.replace("{name}", "top_items_hourly").replace("{key}", "2026-01-01/1");
        if view.ends_with("subscribe") || view.ends_with("ticks") {
            Events::open(&served.address, &view, None);
            continue;
        }
        let status = get(&served.address, &view).status;
        let told = methods["get"]["responses"].as_object().expect("responses");
        assert!(told.contains_key(&status.to_string()), "{path}: {status}");
    }
}

/// The rows of a view by their keys, as a subscriber adds them up.
fn add(rows: &mut BTreeMap<String, Value>, event: &http::Event) {
    let key = |row: &Value| row["hour"].to_string();
    match event.name.as_str() {
        "snapshot" => {
            if event.data["first"] == true {
                rows.clear();
            }
            let all = event.data["rows"].as_array().expect("rows");
            rows.extend(all.iter().map(|row| (key(row), row.clone())));
        }
        "changes" => {
            for change in event.data["changes"].as_array().expect("changes") {
                let (row, key) = (&change["row"], key(&change["row"]));
                match change["diff"].as_i64() {
                    Some(1) => assert!(rows.insert(key, row.clone()).is_none(), "it was there"),
                    _ => assert_eq!(rows.remove(&key).as_ref(), Some(row), "it was not there"),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn a_reader_that_is_cut_off_a_hundred_times_has_the_same_view() {
    let (mut served, mut input) = live(&["--tick", "1m"]);
    let address = served.address.clone();
    let writer = std::thread::spawn(move || {
        for id in 0..4000u64 {
            write(&mut input, &sale(id, id, "a", "1.00"));
            if id % 40 == 0 {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
    });
    let (mut rows, mut last, mut seed, mut ended) = (BTreeMap::new(), None::<String>, 7u64, false);
    let path = "/v1/views/hourly_transactions/subscribe";
    let mut heed = |event: http::Event, last: &mut Option<String>| {
        add(&mut rows, &event);
        // Between the pieces of a snapshot nothing is known yet.
        let ended = event.data["ended"] == true && event.data["last"] != false;
        *last = event.id.or(last.take());
        ended
    };
    for _ in 0..100 {
        let mut events = Events::open(&address, path, last.as_deref());
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        for _ in 0..(seed >> 33) % 6 {
            // At the end nothing more comes.
            ended = ended || heed(events.next(), &mut last);
        }
    }
    writer.join().expect("it wrote");
    served.until("the sources have ended");
    let mut events = Events::open(&address, path, last.as_deref());
    while !ended {
        ended = heed(events.next(), &mut last);
    }
    let end = json(&address, "/v1/views/hourly_transactions");
    let all: Vec<Value> = rows.into_values().collect();
    assert_eq!(Value::Array(all), end["rows"]);
    // Of another run nothing can be gone on with.
    let mut events = Events::open(&address, path, Some("1-1"));
    assert_eq!(events.next().name, "stale");
    let snapshot = events.next();
    assert_eq!((snapshot.name.as_str(), &snapshot.data["rows"]), ("snapshot", &end["rows"]));
}

#[test]
fn a_view_is_followed_in_the_terminal_to_its_end() {
    let (served, mut input) = live(&[]);
    let watch = |more: &[&str]| {
        let mut watch = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        watch.args(["watch", "hourly_transactions", "--at", &served.address]).args(more);
        watch.stdout(Stdio::piped()).spawn().expect("it starts")
    };
    write(&mut input, &sale(1, 600, "a", "1.00"));
    write(&mut input, &sale(2, 601, "a", "2.00"));
    served.wait("/v1/views/hourly_transactions", |answer| answer["total"] == 1);
    let (text, json) = (watch(&[]), watch(&["--format", "json"]));
    served.wait("/v1/status", |answer| answer["run"]["subscribers"] == 2);
    drop(input);
    let read = |child: std::process::Child| {
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("text")
    };
    let (text, json) = (read(text), read(json));
    let cells: Vec<&str> =
        text.lines().map(|l| l.split("  amount_mean").next().unwrap_or(l)).collect();
    assert_eq!(
        cells,
        [
            "+ hour=2026-01-05T10:00:00Z  count=1  amount_sum=1.00",
            "- hour=2026-01-05T10:00:00Z  count=1  amount_sum=1.00",
            "+ hour=2026-01-05T10:00:00Z  count=2  amount_sum=3.00",
        ]
    );
    let last: Value = serde_json::from_str(json.lines().last().expect("a line")).expect("JSON");
    assert_eq!((&last["diff"], &last["row"]["count"]), (&1.into(), &2.into()));
    program::fail(
        2,
        &["watch", "hourly_sales", "--at", &served.address],
        &["no view", "/v1/views"],
    );
    program::fail(
        2,
        &["watch", "velocity", "--at", "127.0.0.1:1"],
        &["with --serve going on there"],
    );
}

#[test]
fn the_page_runs_nothing_but_its_own_files() {
    let (served, _input) = live(&[]);
    let page = get(&served.address, "/?tab=sales");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let files = page.body.split('"').filter(|part| part.starts_with("/page/"));
    let (mut open, mut seen) = (files.map(String::from).collect::<Vec<_>>(), Vec::new());
    while let Some(path) = open.pop() {
        if seen.contains(&path) {
            continue;
        }
        let file = get(&served.address, &path);
        assert_eq!(file.status, 200, "{path}");
        let imports =
            file.body.split("from \"./").skip(1).filter_map(|rest| rest.split('"').next());
        open.extend(imports.map(|name| format!("/page/{name}")));
        for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!file.body.contains(markup), "{path} has {markup}");
        }
        assert!(
            !file.body.contains("http") || path.ends_with("svg") || path.ends_with("dom.js"),
            "{path}"
        );
        seen.push(path);
    }
    assert_eq!(seen.len(), 9, "{seen:?}");
    for inline in ["<script>", "<style", " style=", " onclick="] {
        assert!(!page.body.contains(inline), "the page has {inline}");
    }
}

#[test]
fn the_page_asks_for_columns_that_there_are() {
    let listed = tidemill::queries::catalog();
    let strings = |text: &str| -> Vec<String> {
        text.split('"').skip(1).step_by(2).map(String::from).collect()
    };
    let tabs = include_str!("../src/serve/page/tabs.js");
    let mut seen = 0;
    for line in tabs.lines().filter(|line| line.contains("view: \"")) {
        let name = &strings(line.split("view: ").nth(1).expect("a view"))[0];
        let query = listed.iter().find(|(_, query)| query.name() == name);
        let (_, query) = query.unwrap_or_else(|| panic!("there is no view {name}: {line}"));
        let behind = |before: &str| -> Vec<String> {
            let end = match before.chars().last() {
                Some('(') => ')',
                Some('[') => ']',
                _ => '"',
            };
            let parts = line.split(before).skip(1).filter_map(|part| part.split(end).next());
            // One in quotes has no more of them within.
            parts
                .flat_map(|part| if end == '"' { vec![part.into()] } else { strings(part) })
                .collect()
        };
        let lists = ["sum(", "latest(", "share(", "weighted(", "columns: [", "steps: ["];
        let singles = ["order: \"", "value: \"", "by: \"", "of: \"", "column: \""];
        for text in lists.iter().chain(&singles).flat_map(|before| behind(before)) {
            for column in text.split(',').map(|column| column.trim_start_matches('-')) {
                let there = query.columns().iter().any(|c| c.name == column);
                assert!(there, "{name} has no {column}: {line}");
                seen += 1;
            }
        }
    }
    assert!(seen > 150, "{seen} columns");
}
