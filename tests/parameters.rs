//! Parameters of queries, from a file and from flags; rules as data; the shown examples.

#[path = "support/program.rs"]
mod program;

use program::{directory, fail, succeed};
use std::fs;
use std::path::PathBuf;
use tidemill::queries::catalog;

fn write(path: PathBuf, text: impl AsRef<[u8]>) -> String {
    fs::write(&path, text).expect("a file");
    path.to_str().expect("UTF-8").to_string()
}

#[test]
fn parameters_come_from_a_file_and_from_flags() {
    let dir = directory("parameters");
    let logins = "time,user_id,ip,device,outcome\n\
        2026-01-05 10:00:00,u1,10.0.0.1,d1,failure\n\
        2026-01-05 10:01:00,u1,10.0.0.1,d1,failure\n\
        2026-01-05 10:02:00,u1,10.0.0.1,d1,failure\n";
    let logins = format!("logins={}", write(dir.join("logins.csv"), logins));
    let out = dir.join("out");
    let sink = format!("csv:{}", out.display());
    let alerts = |more: &[&str]| {
        let run = ["run", "-q", "--source", &logins, "--query", "security_alerts", "--sink", &sink];
        succeed(&[&run, more].concat());
        fs::read_to_string(out.join("security_alerts.csv")).expect("the view").lines().count() - 1
    };
    let config = write(dir.join("t.toml"), "[query.security_alerts]\nfailures = 3\n");
    assert_eq!(alerts(&[]), 0);
    assert_eq!(alerts(&["--config", &config]), 2, "the user and the address");
    assert_eq!(alerts(&["--config", &config, "--set", "security_alerts.failures=4"]), 0);
    assert_eq!(
        alerts(&["--config", &config, "--set", "security_alerts.failure_window=90s"]),
        0,
        "no three within the window"
    );
    let refuse = |text: &str, says: &[&str]| {
        let config = write(dir.join("bad.toml"), text);
        fail(2, &["run", "--source", &logins, "--config", &config], says);
    };
    refuse("[query.security_alerts]\n\nfailurs = 3\n", &["bad.toml, line 3", "failurs"]);
    refuse("[query.velocity]\nlimit = 3\n", &["line 2", "velocity.limit", "no parameters"]);
    refuse("[query.velocities]\nlimit = 3\n", &["line 2", "no query velocities"]);
    refuse("[queries.x]\nlimit = 3\n", &["line 1", "queries"]);
    let rule = "[[query.risk_decisions.rules]]\nid = 'x'\nkeys = ['user_id']\naggregate = \
        'distinct'\ncomparison = '>'\nlimit = 1\nwindow = '1h'\noutcome = 'review'\n";
    refuse(rule, &["risk_decisions", "x", "needs a field"]);
    refuse(&rule.replace("'1h'", "'1 hour'"), &["line 7", "duration"]);
}

/// Payments of a user, each on a card of its own: no built-in rule minds.
const PAYMENTS: &str = "transaction_time,transaction_id,user_id,amount,card_id,status\n\
    2026-01-05 10:00:00,t1,u1,10.00,c1,captured\n\
    2026-01-05 10:01:00,t2,u1,11.00,c2,captured\n\
    2026-01-05 10:02:00,t3,u1,12.00,c3,captured\n\
    2026-01-05 12:02:00,t4,u1,13.00,c4,captured\n";

#[test]
fn rules_are_added_as_data() {
    let dir = directory("rules");
    let payments = format!("transactions={}", write(dir.join("payments.csv"), PAYMENTS));
    let rule = "[[query.risk_decisions.rules]]\nid = \"many_cards\"\nstream = \"transactions\"\n\
        keys = [\"user_id\"]\nfield = \"card_id\"\naggregate = \"distinct\"\ncomparison = \">=\"\n\
        limit = 3\nwindow = \"1h\"\noutcome = \"decline\"\n";
    let config = write(dir.join("t.toml"), rule);
    let out = dir.join("out");
    let sink = format!("csv:{}", out.display());
    // For each payment its decision and reasons, and the version of the rules.
    let decisions = |more: &[&str]| {
        let queries = "risk_decisions,risk_decisions_at_time";
        let run = ["run", "-q", "--source", &payments, "--query", queries, "--sink", &sink];
        succeed(&[&run, more].concat());
        let now = fs::read_to_string(out.join("risk_decisions.csv")).expect("the view");
        let then = fs::read_to_string(out.join("risk_decisions_at_time.csv")).expect("the view");
        // Nothing came late here, so what was decided then is what is decided now.
        assert_eq!(now, then);
        let mut rows = csv::Reader::from_reader(now.as_bytes());
        let rows: Vec<_> = rows.records().map(|row| row.expect("a row")).collect();
        // The columns: transaction_id, time, user_id, amount, decision, reasons, features, version.
        let told = rows.iter().map(|row| format!("{} {}", &row[4], &row[5]));
        (told.collect::<Vec<String>>(), rows[0][7].to_string())
    };
    let (built_in, version) = decisions(&[]);
    assert_eq!(built_in, ["approve ", "approve ", "approve ", "approve "]);
    let (with_rule, other) = decisions(&["--config", &config]);
    assert_eq!(with_rule, ["approve ", "approve ", "decline many_cards", "approve "]);
    assert_ne!(version, other, "the version tells the rules");
    let limit = "risk_decisions.velocity_sum=1250";
    let (summed, _) = decisions(&["--set", limit]);
    assert_eq!(summed, ["approve ", "approve ", "approve ", "review velocity_sum"]);
}

#[test]
fn a_query_shows_its_parameters() {
    let text = succeed(&["queries", "frequency_cap"]);
    assert!(text.contains("frequency_cap.cap = 5"), "{text}");
    assert!(succeed(&["queries", "risk_decisions"]).contains("duplicate_window = \"10m\""));
    assert!(!succeed(&["queries", "velocity"]).contains("parameters"));
    fail(2, &["queries", "velocitty"], &["velocitty", "tidemill queries"]);
}

#[test]
fn each_column_and_parameter_says_what_it_means() {
    for (_, query) in catalog() {
        let text = succeed(&["queries", query.name()]);
        for column in query.columns() {
            let name = format!("{}.{}", query.name(), column.name);
            assert!(column.about.len() > 3, "{name} has no meaning");
            let line = text.lines().find(|l| l.starts_with(&format!("  {} ", column.name)));
            let line = line.unwrap_or_else(|| panic!("{name} is not shown: {text}"));
            assert!(line.ends_with(column.about) && line.contains(column.kind), "{line}");
        }
        for parameter in query.parameters() {
            let name = format!("{}.{}", query.name(), parameter.name);
            assert!(parameter.about.len() > 3, "{name} has no meaning");
            assert!(text.contains(parameter.about), "{name}: {text}");
        }
    }
}

#[test]
fn a_wrong_name_is_answered_with_a_near_one() {
    let dir = directory("near");
    let sales = write(dir.join("sales.csv"), "transaction_time,amount\n2026-01-05,1.00\n");
    let source = format!("transactions={sales}");
    let run = |query: &str, says: &[&str]| {
        fail(2, &["run", "-q", "--source", &source, "--query", query], says);
    };
    run("Hourly_Transactions", &["did you mean hourly_transactions?"]);
    run("hourly_transactions,", &["a name is missing", "comma"]);
    run("hourly_transaktions", &["did you mean hourly_transactions?"]);
    run("zzz", &["there is no such query (`tidemill queries`"]);
    let source = format!("Transaction={sales}");
    fail(2, &["run", "--source", &source], &["did you mean transactions?"]);
    fail(2, &["queries", "velocities"], &["did you mean velocity?"]);
}

#[test]
fn all_queries_that_can_run_do_and_the_others_are_named_once_each() {
    let dir = directory("all");
    let sales = "transaction_time,amount\n2026-01-05 10:00:00,1.00\n";
    let source = format!("transactions={}", write(dir.join("sales.csv"), sales));
    let (named, default) = (dir.join("named"), dir.join("default"));
    for (out, query) in [(&named, Some(["--query", "all"])), (&default, None)] {
        let sink = format!("csv:{}", out.display());
        let run = ["run", "-q", "--source", &source, "--sink", &sink];
        succeed(&[&run[..], query.as_ref().map_or(&[][..], |q| &q[..])].concat());
    }
    let names = |dir: &PathBuf| {
        let files = fs::read_dir(dir).expect("a directory").map(|f| f.expect("a file").file_name());
        let mut files: Vec<_> = files.collect();
        files.sort();
        files
    };
    assert_eq!(names(&named), names(&default));
    assert!(names(&named).len() > 1);
    let output = program::run(&["run", "--source", &source, "--sink", "table"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let skipped: Vec<&str> = said.lines().filter(|l| l.starts_with("skipped ")).collect();
    assert_eq!(skipped.len() + names(&named).len(), catalog().len(), "{said}");
}

#[test]
fn every_shown_example_runs() {
    let dir = directory("examples");
    let here = |command: &str| -> Vec<String> {
        let data = format!("{}/data", dir.display());
        let words = command.split(' ').skip(1).map(|word| word.replace("data", &data));
        words.collect()
    };
    for (_, query) in catalog() {
        let text = succeed(&["queries", query.name()]);
        let shown: Vec<&str> =
            text.lines().map(str::trim).filter(|line| line.starts_with("tidemill ")).collect();
        let [generate, run] = shown[..] else { panic!("two commands: {text}") };
        if !dir.join("data").exists() {
            let words = here(&generate.replace("100000", "20000"));
            succeed(&words.iter().map(String::as_str).chain(["-q"]).collect::<Vec<_>>());
        }
        let words = here(run);
        let shown = succeed(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(shown.contains(query.name()), "{run}: {shown}");
    }
}

#[test]
fn a_sink_named_twice_is_refused_however_it_is_spelled() {
    let dir = directory("twice");
    let sales = write(dir.join("sales.csv"), "transaction_time,amount\n2026-01-05,1.00\n");
    let source = format!("transactions={sales}");
    let out = dir.join("out");
    fs::create_dir_all(&out).expect("a directory");
    let (plain, dotted) =
        (out.display().to_string(), dir.join("./out/../out").display().to_string());
    let run = |a: &str, b: &str| {
        program::run(&["run", "-q", "--source", &source, "--sink", a, "--sink", b])
    };
    for kind in ["csv", "jsonl", "plot"] {
        let output = run(&format!("{kind}:{plain}"), &format!("{kind}:{dotted}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("named twice"), "{said}");
    }
    let same = [format!("sqlite:{plain}/x"), format!("digest:{dotted}/x")];
    assert_eq!(run(&same[0], &same[1]).status.code(), Some(2), "two kinds into one file");
    assert!(run(&format!("csv:{plain}"), &format!("jsonl:{plain}")).status.success());
}

#[test]
fn an_option_that_can_have_no_effect_is_refused_by_name() {
    let dir = directory("idle");
    let sales = write(dir.join("sales.csv"), "transaction_time,amount\n2026-01-05,1.00\n");
    let rates = write(dir.join("rates.csv"), "currency,rate\nUSD,0.5\n");
    let with_ids = "transaction_time,transaction_id,amount\n2026-01-05,t1,1.00\n";
    let with_ids = write(dir.join("ids.csv"), with_ids);
    let log = dir.join("sales.tide").display().to_string();
    let source = format!("transactions={sales}");
    succeed(&["record", "-q", "--source", &source, "--out", &log]);
    let refused = |source: &str, options: &[&str], why: &str| {
        let run = ["run", "-q", "--query", "hourly_transactions", "--source", source];
        fail(2, &[&run[..], options].concat(), &[options[0], "would do nothing", why]);
    };
    // Which record of an id holds is settled when a recording is run, and not when it is made.
    let record = ["record", "-q", "--source", &format!("transactions={with_ids}"), "--out", &log];
    for option in [["--dedupe-hours", "5"], ["--on-duplicate", "keep"], ["--enrich", &rates]] {
        fail(2, &[&record[..], &option].concat(), &[option[0], "would do nothing"]);
    }
    // Replay logs were cleaned when they were recorded.
    let map = ["--map", "transactions.amount=amount"];
    let for_logs: [&[&str]; 7] = [
        &["--rates", &rates],
        &["--time-zone", "Europe/Berlin"],
        &map,
        &["--max-jump", "1h"],
        &["--max-future", "1d"],
        &["--enrich", &rates],
        &["--steps", "dedupe"],
    ];
    for options in for_logs {
        refused(&log, options, "replay logs");
    }
    // But leaving out `dedupe` has its effect there, too.
    let run = ["run", "-q", "--query", "hourly_transactions", "--source", &log];
    succeed(&[&run[..], &["--steps", "validate"]].concat());
    // What another option, a column or a stream leaves without effect.
    refused(&source, &["--base-currency", "USD"], "--rates");
    refused(&source, &["--dedupe-hours", "5"], "unique by id");
    refused(&source, &["--on-duplicate", "ignore"], "unique by id");
    let ids = format!("transactions={with_ids}");
    refused(&ids, &["--dedupe-hours", "5", "--steps", "trim"], "unique by id");
    refused(&source, &["--rates", &rates, "--steps", "trim"], "`currency`");
    refused(&source, &["--time-zone", "Asia/Tokyo", "--steps", "trim"], "`zone`");
    refused(&source, &["--enrich", &rates], "behavior");
    refused(&source, &["--map", "logistics.cost=price"], "no source of that stream");
    refused(&source, &["--set", "frequency_cap.cap=3"], "not among those that run");
    let run = ["run", "-q", "--query", "hourly_transactions", "--source", &ids];
    succeed(&[&run[..], &["--dedupe-hours", "5", "--time-zone", "Asia/Tokyo"]].concat());
}

#[test]
fn a_directory_as_a_source_is_told_so() {
    let dir = directory("a_directory");
    let source = format!("transactions={}", dir.display());
    fail(2, &["run", "--source", &source], &["is a directory", "/*.csv"]);
}

#[test]
fn a_sink_takes_the_views_that_it_names() {
    let dir = directory("some_views");
    let sales = write(
        dir.join("sales.csv"),
        "transaction_time,transaction_id,item_id,amount\n2026-01-05 10:00:00,t1,lamp,1.00\n",
    );
    let source = format!("transactions={sales}");
    let (all, some) = (dir.join("all"), dir.join("some"));
    let everything = format!("csv:{}", all.display());
    let chosen = format!("csv:{}=hourly_*,velocity", some.display());
    let log = format!("jsonl:{}=top_items_hourly", some.display());
    succeed(&[
        "run",
        "-q",
        "--source",
        &source,
        "--sink",
        &everything,
        "--sink",
        &chosen,
        "--sink",
        &log,
    ]);
    let names = |dir: &PathBuf| {
        let files = fs::read_dir(dir).expect("a directory").map(|f| f.expect("a file").file_name());
        let mut files: Vec<_> = files.map(|name| name.into_string().expect("UTF-8")).collect();
        files.sort();
        files
    };
    let wanted = ["hourly_transactions.csv", "top_items_hourly.changes.jsonl", "velocity.csv"];
    assert_eq!(names(&some), wanted);
    assert!(names(&all).len() > 5);
    for name in ["hourly_transactions.csv", "velocity.csv"] {
        let read = |dir: &PathBuf| fs::read_to_string(dir.join(name)).expect("a view");
        assert_eq!(read(&some), read(&all), "{name}");
    }
    let log = fs::read_to_string(some.join("top_items_hourly.changes.jsonl")).expect("a log");
    assert!(log.contains("lamp"), "{log}");
    let none = format!("csv:{}=hourly_logistics", dir.join("none").display());
    fail(
        2,
        &["run", "-q", "--source", &source, "--sink", &none],
        &["hourly_logistics", "velocity"],
    );
    let comma = format!("csv:{}=velocity,", dir.join("none").display());
    fail(2, &["run", "-q", "--source", &source, "--sink", &comma], &["a name is missing"]);
}
