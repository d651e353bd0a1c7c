//! `postgres:`: the tables against the views of other sinks, on a real server that is stopped and
//! started, with runs that are killed, and with readers who look all the time.

#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/program.rs"]
mod program;

use postgres::{Db, PASSWORD, Server};
use program::{directory, fail, run, shop_sources, succeed};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tidemill::spreadsheet;

/// A place with the made-up shop, and a database.
struct Place {
    root: PathBuf,
    server: Server,
}

impl Place {
    fn new(name: &str, events: u32) -> Place {
        let root = directory(name);
        let (out, events) = (root.join("shop").display().to_string(), events.to_string());
        succeed(&["generate", "-q", "--all", "--events", &events, "--seed", "5", "--out", &out]);
        Place { server: Server::start(&root), root }
    }

    fn path(&self, name: &str) -> String {
        self.root.join(name).display().to_string()
    }

    /// A run of all queries, with these arguments beside.
    fn args(&self, more: &[&str]) -> Vec<String> {
        let mut args: Vec<String> = ["run", "--tick", "1m"].map(String::from).into();
        args.extend(shop_sources(&self.root.join("shop"), |_| true));
        args.extend(more.iter().map(|arg| arg.to_string()));
        args
    }

    /// The views as a run without a database writes them.
    fn plain(&self) -> BTreeMap<String, Vec<Vec<String>>> {
        let out = format!("csv:{}", self.path("plain"));
        succeed(&texts(&self.args(&["-q", "--sink", &out])));
        views(&self.root.join("plain"))
    }
}

fn texts(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn start(args: &[String]) -> Child {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    program.args(args).current_dir(env!("CARGO_TARGET_TMPDIR"));
    program.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

fn signal(child: &Child, which: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([which, &id]).status().expect("kill").success());
}

/// The rows of the views that the csv sink has written, with the names of the columns first.
fn views(dir: &Path) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("written") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|end| end != "csv") {
            continue;
        }
        let name = path.file_stem().and_then(|name| name.to_str()).expect("ours").to_owned();
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).from_path(&path).expect("csv");
        let cells = |row: csv::Result<csv::StringRecord>| {
            row.expect("a row").iter().map(|cell| spreadsheet::plain(cell).to_owned()).collect()
        };
        let mut rows: Vec<Vec<String>> = reader.records().map(cells).collect();
        rows[1..].sort();
        all.insert(name, rows);
    }
    all
}

/// The same of a table, each cell written as that sink writes it.
fn table(db: &Db, name: &str) -> Vec<Vec<String>> {
    let columns = db.rows(&format!(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a \
         WHERE a.attrelid = '\"{name}\"'::regclass AND a.attnum > 0 AND NOT a.attisdropped \
         ORDER BY a.attnum"
    ));
    let names = columns.iter().map(|column| column[0].clone()).collect();
    let quoted: Vec<String> = columns.iter().map(|column| format!("\"{}\"", column[0])).collect();
    let rows = db.rows(&format!("SELECT {} FROM \"{name}\"", quoted.join(", ")));
    let cell = |(cell, column): (String, &Vec<String>)| match (cell.as_str(), column[1].as_str()) {
        ("", _) => cell,
        (text, "timestamp with time zone") => {
            let text = text.replace(' ', "T").replace("+00", "Z");
            text.parse::<jiff::Timestamp>().expect("a time").to_string()
        }
        (text, "double precision") => text.parse::<f64>().expect("a number").to_string(),
        ("t", "boolean") => "true".into(),
        ("f", "boolean") => "false".into(),
        (_, "bigint" | "numeric" | "text") => cell,
        other => panic!("{name} has {other:?}"),
    };
    let rows = rows.into_iter().map(|row| row.into_iter().zip(&columns).map(cell).collect());
    let mut rows: Vec<Vec<String>> = rows.collect();
    rows.sort();
    [vec![names], rows].concat()
}

/// Every table is the view, byte for byte.
fn compare(db: &Db, want: &BTreeMap<String, Vec<Vec<String>>>, of: &str) {
    let full = want.values().filter(|rows| rows.len() > 1).count();
    assert!(want.len() > 30 && full > 25, "{} views, {full} have rows", want.len());
    for (name, rows) in want {
        let got = table(db, name);
        assert_eq!(got[0], rows[0], "the columns of {name}: {of}");
        let other = got.iter().find(|row| !rows.contains(row));
        let lost = rows.iter().find(|row| !got.contains(row));
        assert!(&got == rows, "{name}: {of}: {other:?} is there, {lost:?} is not");
    }
}

#[test]
fn the_tables_are_the_views_and_nobody_reads_the_password() {
    let place = Place::new("pg-views", 6000);
    let want = place.plain();
    let (sink, db) = (place.server.sink(), place.server.db());
    let args = place.args(&["--sink", &sink]);
    let first = run(&texts(&args));
    assert!(first.status.success(), "{}", said(&first));
    assert!(!said(&first).contains(PASSWORD));
    compare(&db, &want, "a first run");
    let progress = db.rows("SELECT DISTINCT ended, sealed IS NULL FROM tidemill_progress");
    assert_eq!(progress, [["t", "f"]]);
    // A second run leaves rows that are the same alone: they have the transaction that wrote them.
    let written = "SELECT DISTINCT xmin::text FROM hourly_transactions";
    let before = db.rows(written);
    succeed(&texts(&place.args(&["-q", "--sink", &sink])));
    compare(&db, &want, "a second run");
    assert_eq!(db.rows(written), before);
    a_run_that_fails_changes_nothing(&place, &db, &want);
    some_views_only(&place, &db);
    what_was_added_and_what_is_other(&place, &db, &want);
    tables_of_others(&place, &db);
    what_cannot_be_reached(&place);
}

fn a_run_that_fails_changes_nothing(
    place: &Place,
    db: &Db,
    want: &BTreeMap<String, Vec<Vec<String>>>,
) {
    let bad = place.path("bad.csv");
    fs::write(&bad, "transaction_time,amount\n2026-01-05 10:00:00,1.00\nyesterday,1.00\n")
        .expect("ours");
    let sink = place.server.sink();
    let source = format!("transactions={bad}");
    fail(1, &["run", "-q", "--source", &source, "--sink", &sink], &["records are bad"]);
    compare(db, want, "after a run that failed");
}

fn some_views_only(place: &Place, db: &Db) {
    db.rows("CREATE SCHEMA few");
    let url = place.path("few");
    fs::write(&url, format!("{}?options=-csearch_path%3Dfew", place.server.url())).expect("ours");
    let sink = format!("postgres:file:{url}=hourly_*,velocity");
    succeed(&texts(&place.args(&["-q", "--sink", &sink])));
    let names = "SELECT relname FROM pg_class WHERE relnamespace = 'few'::regnamespace \
                 AND relkind = 'r' ORDER BY 1";
    let names: Vec<String> = db.rows(names).concat();
    assert!(names.contains(&"hourly_transactions".into()) && names.contains(&"velocity".into()));
    assert!(
        names.iter().all(|n| n.starts_with("hourly_") || n == "velocity" || n.contains("mill"))
    );
    let (here, there) = ("SELECT count(*) FROM few.velocity", "SELECT count(*) FROM velocity");
    assert_eq!(db.rows(here), db.rows(there));
}

/// Columns of a newer version are added; a table of another shape is made anew.
fn what_was_added_and_what_is_other(
    place: &Place,
    db: &Db,
    want: &BTreeMap<String, Vec<Vec<String>>>,
) {
    db.rows(
        "ALTER TABLE hourly_logistics DROP COLUMN cost_mean; \
         ALTER TABLE hourly_transactions ADD COLUMN mine text; \
         ALTER TABLE velocity ALTER COLUMN \"by\" TYPE varchar(90)",
    );
    let sink = place.server.sink();
    succeed(&texts(&place.args(&["-q", "--sink", &sink])));
    let columns = "SELECT count(*) FROM pg_attribute WHERE attname = 'mine'";
    assert_eq!(db.rows(columns), [["1"]], "what somebody has added stays");
    db.rows("ALTER TABLE hourly_transactions DROP COLUMN mine");
    let mut want = want.clone();
    // The column that was added stands last.
    let rows = want.get_mut("hourly_logistics").expect("a view");
    let at = rows[0].iter().position(|name| name == "cost_mean").expect("a column");
    for row in rows.iter_mut() {
        let cell = row.remove(at);
        row.push(cell);
    }
    rows[1..].sort();
    compare(db, &want, "after a change of columns");
    db.rows("DROP TABLE hourly_logistics");
}

fn tables_of_others(place: &Place, db: &Db) {
    let sink = place.server.sink();
    let source = format!("transactions={}", place.path("shop/transaction.csv"));
    let args = ["run", "-q", "--source", &source, "--query", "velocity", "--sink", &sink];
    db.rows("CREATE SCHEMA theirs; CREATE TABLE theirs.velocity (mine int)");
    db.rows("INSERT INTO theirs.velocity VALUES (7); ALTER ROLE postgres SET search_path = theirs");
    for how in ["", "DROP TABLE theirs.velocity; CREATE VIEW theirs.velocity AS SELECT 7 AS mine"] {
        db.rows(how);
        fail(2, &args, &["velocity that tidemill did not make", "another"]);
        assert_eq!(db.rows("SELECT mine FROM theirs.velocity"), [["7"]]);
        assert_eq!(db.rows("SELECT to_regclass('theirs.tidemill_progress') IS NULL"), [["t"]]);
    }
    db.rows("DROP VIEW theirs.velocity; CREATE TABLE theirs.tidemill_progress (mine int)");
    fail(2, &args, &["tidemill_progress that tidemill did not make"]);
    db.rows("ALTER ROLE postgres RESET search_path");
}

fn what_cannot_be_reached(place: &Place) {
    let source = format!("transactions={}", place.path("shop/transaction.csv"));
    let attempt = |code: i32, url: &str, says: &[&str]| {
        let path = place.path("elsewhere");
        fs::write(&path, url).expect("ours");
        let sink = format!("postgres:file:{path}");
        let args = ["run", "-q", "--source", &source, "--sink", &sink];
        fail(code, &args, &[says, &[&sink]].concat());
        assert!(!said(&run(&args)).contains("hush"));
    };
    let good = place.server.url();
    attempt(1, &good.replace(PASSWORD, "hush-wrong"), &["password authentication failed"]);
    attempt(
        1,
        &format!("{}nowhere", good.trim_end_matches("postgres")),
        &["\"nowhere\" does not exist"],
    );
    attempt(1, "postgresql://u:hush@127.0.0.1:1/x", &["Connection refused"]);
    attempt(2, "mysql://u:hush@127.0.0.1/x", &["postgresql://USER:PASSWORD@HOST"]);
    attempt(2, &format!("{good}?sslmode=require"), &["without TLS"]);
    let source = ["run", "-q", "--source", &source];
    for (sink, says) in [
        (good.as_str(), "a password on the command line"),
        ("env:TIDEMILL_NEVER_SET", "no such variable"),
        ("file:/never/there", "No such file"),
    ] {
        let sink = format!("postgres:{sink}");
        fail(2, &[&source[..], &["--sink", &sink]].concat(), &[says]);
        assert!(!said(&run(&[&source[..], &["--sink", &sink]].concat())).contains(PASSWORD));
    }
}

/// Somebody who reads all the time, over all that happens to the server.
struct Reader {
    stop: Arc<AtomicBool>,
    looks: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Reader {
    /// What must be the same at any moment: how far all tables are, and what two views say of the
    /// sales.
    fn start(connect: impl Fn() -> Option<Db> + Send + 'static) -> Reader {
        let (stop, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (over, seen) = (Arc::clone(&stop), Arc::clone(&looks));
        let look = "SELECT count(DISTINCT coalesce(cut, 0)), coalesce(max(cut), 0), \
                    (SELECT coalesce(sum(count), 0) FROM hourly_transactions), \
                    (SELECT coalesce(sum(count), 0) FROM transactions_by_hour_of_day) \
                    FROM tidemill_progress";
        let thread = std::thread::spawn(move || {
            let (mut db, mut last) = (None, 0);
            while !over.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(2));
                let Some(there) = &db else {
                    db = connect();
                    continue;
                };
                match there.try_rows(look) {
                    Ok(rows) => {
                        let row = &rows[0];
                        assert_eq!(row[0], "1", "tables at several times");
                        assert_eq!(row[2], row[3], "two views do not agree");
                        let cut: i64 = row[1].parse().expect("a number");
                        assert!(cut >= last, "the tables went back in time");
                        seen.fetch_add(u64::from(cut > last), Ordering::SeqCst);
                        last = cut;
                    }
                    // Before the tables are there, or while the server is not.
                    Err(_) => db = None,
                }
            }
        });
        Reader { stop, looks, thread }
    }

    /// Ends it; gives at how many times it saw the tables.
    fn end(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("everything it saw was right");
        self.looks.load(Ordering::SeqCst)
    }
}

#[test]
fn killed_and_with_the_server_gone_nothing_is_lost_or_there_twice() {
    let mut place = Place::new("pg-kill", 12_000);
    let want = place.plain();
    let (sink, state) = (place.server.sink(), place.path("state"));
    let args = |workers: &str, every: &str| {
        let kept = ["--state", &state, "--checkpoint-every", every, "--in-flight", "32K"];
        let rest = ["--sink", &sink, "--workers", workers];
        place.args(&[&kept[..], &rest].concat())
    };
    let all = [args("2", "20ms"), args("1", "20ms"), args("3", "20ms"), args("2", "1h")];
    let url = place.server.url();
    let reader = Reader::start(move || Db::open(&url).ok());
    let cut = |place: &Place| {
        let cut = "SELECT coalesce(max(cut), 0) FROM tidemill_progress";
        place.server.db().try_rows(cut).map_or(0, |rows| rows[0][0].parse().expect("a number"))
    };
    let mut gone = 0;
    for (step, args) in all.iter().take(3).enumerate() {
        let before: i64 = cut(&place);
        let mut child = start(args);
        let began = Instant::now();
        while cut(&place) <= before && child.try_wait().expect("ours").is_none() {
            assert!(began.elapsed() < Duration::from_secs(300), "nothing is committed");
            std::thread::sleep(Duration::from_millis(5));
        }
        if step < 2 {
            place.server.down();
            std::thread::sleep(Duration::from_millis(300));
            gone += u32::from(child.try_wait().expect("ours").is_none());
            place.server.up();
        }
        std::thread::sleep(Duration::from_millis(60 * step as u64));
        child.kill().expect("ours");
        child.wait().expect("ours");
    }
    assert!(gone > 0, "no run lived while the server was gone");
    let last = run(&texts(&all[3]));
    assert!(last.status.success(), "{}", said(&last));
    let looks = reader.end();
    assert!(looks > 3, "the reader saw {looks} states");
    let db = place.server.db();
    compare(&db, &want, "after kills");
    // A lost table is made anew, and so are all after a run with another state.
    db.rows("DROP TABLE velocity");
    succeed(&texts(&all[0]));
    compare(&db, &want, "after a table was dropped");
    db.rows("UPDATE tidemill_progress SET cut = cut - 3600000; DELETE FROM hourly_transactions");
    succeed(&texts(&all[0]));
    compare(&db, &want, "after the tables were put back to another time");
    let moved = "UPDATE tidemill_progress SET run = 'of somebody else'; TRUNCATE velocity";
    db.rows(moved);
    succeed(&texts(&all[0]));
    compare(&db, &want, "after another run had the tables");
}

#[test]
fn what_another_run_has_taken_over_is_not_written_any_more() {
    let place = Place::new("pg-fence", 12_000);
    let (sink, db) = (place.server.sink(), place.server.db());
    for (taken, says) in [
        ("UPDATE tidemill_progress SET epoch = epoch + 7", "another run of the same state (epoch"),
        ("UPDATE tidemill_progress SET run = 'another'", "another run writes there now"),
    ] {
        db.rows("DROP TABLE IF EXISTS tidemill_progress");
        let tables = db.rows(
            "SELECT format('DROP TABLE %I', relname) FROM pg_class \
             WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'",
        );
        tables.concat().iter().for_each(|drop| drop_table(&db, drop));
        let state = place.path("state");
        let _ = fs::remove_dir_all(&state);
        let kept = ["--state", &state, "--checkpoint-every", "20ms", "--rate", "4000/s"];
        let args = place.args(&[&kept[..], &["--sink", &sink]].concat());
        let mut child = start(&args);
        until("a commit", || {
            let sealed = db.try_rows("SELECT 1 FROM tidemill_progress WHERE cut > 0");
            sealed.is_ok_and(|rows| !rows.is_empty())
        });
        db.rows(taken);
        let look = "SELECT max(cut), max(commits), (SELECT count(*) FROM velocity) FROM \
                    tidemill_progress";
        let then = db.rows(look);
        // Another run has the lock only when this one's connection is gone.
        until("its end", || child.try_wait().expect("ours").is_some());
        let ended = child.wait_with_output().expect("ours");
        assert_eq!(ended.status.code(), Some(1), "{}", said(&ended));
        assert!(said(&ended).contains(says), "{}", said(&ended));
        assert_eq!(db.rows(look), then, "it has written nevertheless");
    }
}

fn drop_table(db: &Db, statement: &str) {
    db.rows(statement);
}

/// Waits for something that must come.
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !is() {
        assert!(Instant::now() < deadline, "{what} does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn of_a_run_that_goes_on_what_is_sealed_can_be_read() {
    let root = directory("pg-live");
    let mut server = Server::start(&root);
    let (sink, db) = (server.sink(), server.db());
    let args = ["run", "--query", "hourly_transactions", "--source", "transactions=-", "--sink"];
    let args: Vec<String> = args.iter().map(ToString::to_string).chain([sink]).collect();
    let mut child = start(&args);
    let mut pipe = child.stdin.take().expect("a pipe");
    let mut write = |rows: &str| pipe.write_all(rows.as_bytes()).expect("it reads");
    let hours = |db: &Db| {
        let sql = "SELECT hour, count, amount_sum FROM hourly_transactions ORDER BY 1";
        let rows = db.try_rows(sql).unwrap_or_default();
        rows.iter().map(|row| format!("{} {}", &row[1], &row[2])).collect::<Vec<_>>().join(", ")
    };
    write("transaction_time,transaction_id,amount\n2026-01-05 10:00:00,a,5.00\n");
    write("2026-01-05 11:10:00,b,7.00\n2026-01-05 11:30:00,c,1.00\n");
    until("what is sealed", || hours(&db).starts_with("1 5.00, 1 7.00"));
    let ended = db.rows("SELECT ended FROM tidemill_progress");
    assert_eq!(ended, [["f"]]);
    // A second run is told who is there.
    let file = root.join("other.csv");
    fs::write(&file, "transaction_time,amount\n2026-01-05 10:00:00,5.00\n").expect("ours");
    let mut second = args.clone();
    second[4] = format!("transactions={}", file.display());
    let other = run(&texts(&second));
    assert_eq!(other.status.code(), Some(1), "{}", said(&other));
    assert!(said(&other).contains("another run writes the table hourly_transactions there"));
    // Late, for an hour that was there; and what comes while the server is away.
    write("2026-01-05 10:30:00,d,2.50\n2026-01-05 12:00:00,e,3.00\n2026-01-05 12:30:00,f,1.00\n");
    until("the correction", || hours(&db).starts_with("2 7.50, 2 8.00, 1 3.00"));
    server.down();
    write("2026-01-05 13:00:00,g,4.00\n2026-01-05 14:00:00,h,4.00\n2026-01-05 15:00:00,i,4.00\n");
    std::thread::sleep(Duration::from_millis(1500));
    server.up();
    let db = server.db();
    until("what came meanwhile", || hours(&db).ends_with("1 4.00, 1 4.00"));
    signal(&child, "-INT");
    let ended = child.wait_with_output().expect("ours");
    assert_eq!(ended.status.code(), Some(130), "{}", said(&ended));
    assert!(said(&ended).contains("trying again"), "{}", said(&ended));
    assert!(hours(&db).starts_with("2 7.50, 2 8.00, 2 4.00, 1 4.00"), "{}", hours(&db));
    drop(pipe);
}

#[test]
fn a_run_ends_on_a_signal_though_the_server_is_away() {
    let mut place = Place::new("pg-away", 3000);
    let (sink, state) = (place.server.sink(), place.path("state"));
    for kept in [true, false] {
        let mut more = vec!["--sink", &sink, "--rate", "300/s"];
        if kept {
            more.extend(["--state", &state, "--checkpoint-every", "20ms"]);
        }
        let mut child = start(&place.args(&more));
        until("a commit", || {
            let sealed =
                place.server.db().try_rows("SELECT 1 FROM tidemill_progress WHERE cut > 0");
            sealed.is_ok_and(|rows| !rows.is_empty())
        });
        place.server.down();
        std::thread::sleep(Duration::from_millis(500));
        assert!(child.try_wait().expect("ours").is_none(), "it ended when the server was away");
        signal(&child, "-TERM");
        let ended = child.wait_with_output().expect("ours");
        let (code, said) = (ended.status.code(), said(&ended));
        // With its state nothing is lost; without it is told.
        match kept {
            true => assert!(code == Some(143) && said.contains("will write the rest"), "{said}"),
            false => assert!(code == Some(1) && said.contains("could not be written"), "{said}"),
        }
        place.server.up();
        place.server.db().rows("DROP TABLE tidemill_progress");
        let tables = "SELECT format('DROP TABLE %I', relname) FROM pg_class \
                      WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
        let db = place.server.db();
        db.rows(tables).concat().iter().for_each(|drop| drop_table(&db, drop));
    }
}
