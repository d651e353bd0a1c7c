//! What a run leaves behind: results of the last run that succeeded, and of no other.

#[path = "support/program.rs"]
mod program;

use program::{directory, fail, succeed};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const GOOD: &str = "transaction_time,transaction_id,amount\n\
                    2026-03-02T10:00:00Z,a,1.00\n2026-03-02T10:01:00Z,b,2.00\n";

/// A place with sources, and the sinks of a run.
struct Place {
    dir: PathBuf,
    out: PathBuf,
}

impl Place {
    fn new(name: &str) -> Place {
        let dir = directory(name);
        Place { out: dir.join("out"), dir }
    }

    fn source(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.dir.join(name);
        fs::write(&path, bytes).expect("a file");
        format!("transactions={}", path.display())
    }

    /// The arguments of a run with every kind of sink.
    fn run(&self, source: &str) -> Vec<String> {
        let out = self.out.display();
        let mut args = ["run", "-q", "--query", "hourly_transactions", "--source", source]
            .map(str::to_string)
            .to_vec();
        for sink in ["csv:O", "jsonl:O", "plot:O", "sqlite:O/db", "digest:O/digest"] {
            args.extend(["--sink".into(), sink.replace('O', &out.to_string())]);
        }
        args
    }

    /// All there is: files by name, the database by its contents.
    fn snapshot(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(&self.out).expect("a directory");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
        let files = paths.filter(|path| !name(path).starts_with("db-"));
        files
            .map(|path| match name(&path).as_str() {
                "db" => ("db".into(), contents(&path).into_bytes()),
                other => (other.to_string(), fs::read(&path).expect("a file")),
            })
            .collect()
    }
}

/// The tables of a database and the rows of two of them.
fn contents(path: &Path) -> String {
    let db = Connection::open(path).expect("a database");
    let mut text = String::new();
    for sql in [
        "SELECT name, sql FROM sqlite_schema ORDER BY name, sql",
        "SELECT hour, count FROM hourly_transactions ORDER BY 1",
        "SELECT query, sealed FROM tidemill_progress",
    ] {
        let Ok(mut statement) = db.prepare(sql) else { continue };
        let row = |row: &rusqlite::Row<'_>| {
            Ok(format!(
                "{:?} {:?}\n",
                row.get::<_, rusqlite::types::Value>(0)?,
                row.get::<_, rusqlite::types::Value>(1)?
            ))
        };
        statement.query_map([], row).expect("rows").for_each(|row| text += &row.expect("a row"));
    }
    text
}

fn texts(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// Half of a compressed file.
fn damaged() -> Vec<u8> {
    let row = |i: u32| format!("2026-03-{:02}T10:00:00Z,t{i},7.{:02}\n", 1 + i % 28, i % 97);
    let text: String = GOOD.to_string() + &(0..20_000).map(row).collect::<String>();
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), Default::default());
    zip.write_all(text.as_bytes()).expect("memory");
    let zip = zip.finish().expect("memory");
    zip[..zip.len() / 2].to_vec()
}

#[test]
fn a_failed_run_leaves_what_the_last_good_run_wrote_in_every_kind_of_sink() {
    let place = Place::new("outputs-failed");
    let good = place.source("good.csv", GOOD);
    succeed(&texts(&place.run(&good)));
    let before = place.snapshot();
    let names: Vec<&str> = before.keys().map(String::as_str).collect();
    let view = ["csv", "changes.jsonl", "svg"].map(|end| format!("hourly_transactions.{end}"));
    assert_eq!(names, ["db", "digest", &view[1], &view[0], &view[2]]);
    assert!(String::from_utf8_lossy(&before["db"]).contains("Text(\"end\")"));

    let cut = place.source("cut.csv.gz", damaged());
    fail(1, &texts(&place.run(&cut)), &["cut.csv.gz"]);
    assert!(place.snapshot() == before, "a damaged source");

    // Its good records would make other views.
    let others = GOOD.replace("T10", "T12");
    let bad = place.source("bad.csv", format!("{others}2026-03-02T12:00:00Z,c,x\n"));
    fail(1, &texts(&place.run(&bad)), &["1 of 3 records are bad", "dead_letters.jsonl"]);
    let mut after = place.snapshot();
    assert!(after.remove("dead_letters.jsonl").is_some(), "the reasons can be read");
    assert!(after == before, "too many bad records");

    // A sink that fails keeps the others from being replaced.
    let db = Connection::open(place.out.join("db")).expect("a database");
    db.execute_batch(
        "CREATE TABLE notes (hour REFERENCES hourly_transactions (hour));
         INSERT INTO notes VALUES ('2026-03-02T10:00:00Z')",
    )
    .expect("a table of somebody");
    drop(db);
    let before = place.snapshot();
    let other = place.source("other.csv", GOOD.replace("T10", "T11"));
    fail(1, &texts(&place.run(&other)), &["db: "]);
    assert!(place.snapshot().iter().all(|(name, bytes)| before.get(name) == Some(bytes)));

    let db = Connection::open(place.out.join("db")).expect("a database");
    db.execute_batch("DROP TABLE notes").expect("a table");
    drop(db);
    succeed(&texts(&place.run(&other)));
    let after = place.snapshot();
    assert!(view.iter().all(|name| after[name] != before[name]), "the next good run replaces all");
}

#[test]
fn a_first_run_that_fails_leaves_nothing() {
    let place = Place::new("outputs-first");
    let cut = place.source("cut.csv.gz", damaged());
    fail(1, &texts(&place.run(&cut)), &["cut.csv.gz"]);
    let left: Vec<_> = fs::read_dir(&place.out).expect("a directory").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn tables_of_somebody_else_are_refused_by_name_and_stay() {
    let place = Place::new("outputs-tables");
    let good = place.source("good.csv", GOOD);
    fs::create_dir_all(&place.out).expect("a directory");
    for (made, says) in [
        ("CREATE TABLE Hourly_Transactions (mine)", "table hourly_transactions"),
        ("CREATE VIEW hourly_transactions AS SELECT 1 AS mine", "view hourly_transactions"),
        ("CREATE TABLE tidemill_progress (mine)", "table tidemill_progress"),
    ] {
        let path = place.out.join("db");
        let _ = fs::remove_file(&path);
        Connection::open(&path).and_then(|db| db.execute_batch(made)).expect("a database");
        let before = contents(&path);
        fail(2, &texts(&place.run(&good)), &[says, "another"]);
        assert_eq!(contents(&path), before);
        assert!(!place.out.join("hourly_transactions.csv").exists(), "before anything is read");
    }
}

#[test]
fn dead_letters_of_an_earlier_run_go_with_a_clean_one_and_other_files_stay() {
    let place = Place::new("outputs-letters");
    let good = place.source("good.csv", GOOD);
    let bad = place.source("bad.csv", format!("{GOOD}2026-03-02T10:00:00Z,c,x\n"));
    let lax = |source: &str| {
        let mut args = place.run(source);
        args.extend(["--max-bad".into(), "100%".into()]);
        args
    };
    let letters = place.out.join("dead_letters.jsonl");
    succeed(&texts(&lax(&bad)));
    assert!(letters.exists());
    // As a cluster of three processes would have left them.
    let third = place.out.join("dead_letters.2.jsonl");
    fs::copy(&letters, &third).expect("a file");
    let cut = place.source("cut.csv.gz", damaged());
    fail(1, &texts(&lax(&cut)), &["cut.csv.gz"]);
    assert!(letters.exists() && third.exists(), "they belong to the views that are there");
    succeed(&texts(&lax(&good)));
    assert!(!letters.exists() && !third.exists());
    for other in ["", "my notes\n", "{\"stream\":1}\n", "[]\n"] {
        fs::write(&letters, other).expect("a file");
        succeed(&texts(&lax(&good)));
        assert_eq!(fs::read_to_string(&letters).expect("not ours"), other);
    }
}

#[test]
fn a_run_without_a_file_sink_leaves_nothing_where_the_user_stands() {
    let place = Place::new("outputs-none");
    let good = place.source("good.csv", GOOD);
    let cut = place.source("cut.csv.gz", damaged());
    let here = place.dir.join("here");
    fs::create_dir_all(&here).expect("a directory");
    for (source, code) in [(&good, 0), (&cut, 1)] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        program.args(["run", "-q", "--source", source]).current_dir(&here);
        let output = program.output().expect("starts");
        assert_eq!(output.status.code(), Some(code));
        assert_eq!(fs::read_dir(&here).expect("a directory").count(), 0);
        // Half a table looks like a whole one.
        assert_eq!(output.stdout.is_empty(), code == 1);
    }
}

/// A run that reads standard input, which stays open until it is dropped.
fn open_run(sinks: &[String]) -> Child {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    program.args(["run", "-q", "--query", "hourly_transactions", "--source", "transactions=-"]);
    program.args(sinks.iter().flat_map(|sink| ["--sink", sink.as_str()]));
    program.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = program.spawn().expect("starts");
    child.stdin.as_mut().expect("a pipe").write_all(GOOD.as_bytes()).expect("it reads");
    child
}

/// Waits for something that must come.
fn until(what: &str, is: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !is() {
        assert!(Instant::now() < deadline, "{what} does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn two_runs_into_one_place_refuse_each_other_by_process() {
    let place = Place::new("outputs-two");
    let good = place.source("good.csv", GOOD);
    fs::create_dir_all(&place.out).expect("a directory");
    let db = place.dir.join("shop.db");
    let sinks = [format!("jsonl:{}", place.out.display()), format!("sqlite:{}", db.display())];
    let mut first = open_run(&sinks);
    // Its temporary log shows that it has begun, and the database is opened after that or before.
    until("the first run", || {
        fs::File::open(&db).is_ok_and(|file| file.try_lock().is_err())
            && fs::File::open(&place.out).is_ok_and(|dir| dir.try_lock().is_err())
    });
    let pid = format!("process {}", first.id());
    for sink in [&format!("csv:{}", place.out.display()), &sinks[1]] {
        let args = ["run", "-q", "--source", &good, "--query", "hourly_transactions"];
        fail(1, &[&args[..], &["--sink", sink]].concat(), &["another run", &pid]);
    }
    // Elsewhere there is room, also in the same run for several sinks.
    let mut elsewhere = place.run(&good);
    elsewhere.iter_mut().for_each(|arg| *arg = arg.replace("two/out", "two/elsewhere"));
    succeed(&texts(&elsewhere));
    drop(first.stdin.take());
    assert!(first.wait().expect("ends").success());
    succeed(&texts(&place.run(&good)));
}

#[test]
fn a_database_that_another_program_writes_to_is_waited_for() {
    let place = Place::new("outputs-busy");
    let good = place.source("good.csv", GOOD);
    succeed(&texts(&place.run(&good)));
    let path = place.out.join("db");
    let other = place.source("other.csv", GOOD.replace("T10", "T11"));
    let args = place.run(&other);
    let db = Connection::open(&path).expect("a database");
    db.execute_batch("BEGIN IMMEDIATE; CREATE TABLE theirs (x)").expect("a transaction");
    let waiting = std::thread::spawn(move || {
        succeed(&texts(&args));
    });
    std::thread::sleep(Duration::from_millis(700));
    db.execute_batch("COMMIT").expect("a transaction");
    waiting.join().expect("it succeeds");
    let now = contents(&path);
    assert!(now.contains("T11:00:00Z") && !now.contains("T10:00:00Z"), "{now}");
    assert!(now.contains("theirs"), "{now}");
    // One that is never given free is told, and by whom.
    db.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
    let pid = format!("process {}", std::process::id());
    fail(1, &texts(&place.run(&good)), &["database is locked", &pid]);
    db.execute_batch("ROLLBACK").expect("a transaction");
    assert_eq!(contents(&path), now);
}

#[test]
fn of_a_run_that_goes_on_what_is_sealed_can_be_read_in_the_database() {
    let place = Place::new("outputs-live");
    let db = place.dir.join("shop.db");
    let mut child = open_run(&[format!("sqlite:{}", db.display())]);
    let mut pipe = child.stdin.take().expect("a pipe");
    let write = |pipe: &mut std::process::ChildStdin, rows: &str| {
        pipe.write_all(rows.as_bytes()).expect("it reads");
    };
    let row =
        |hour: u32, count: i64| format!("Text(\"2026-03-02T{hour}:00:00Z\") Integer({count})");
    write(&mut pipe, "2026-03-02T11:10:00Z,c,3.00\n2026-03-02T12:10:00Z,d,3.00\n");
    until("what is sealed", || contents(&db).contains(&row(10, 2)));
    assert!(!contents(&db).contains("Text(\"end\")"));
    write(&mut pipe, "2026-03-02T10:40:00Z,e,3.00\n2026-03-02T13:10:00Z,f,3.00\n");
    until("the correction", || contents(&db).contains(&row(10, 3)));
    // What was read is there, also when it is killed.
    child.kill().expect("ours");
    child.wait().expect("ours");
    let now = contents(&db);
    assert!(now.contains(&row(10, 3)) && now.contains(&row(11, 1)), "{now}");
}

#[test]
fn a_run_that_is_stopped_publishes_what_is_sealed_and_does_not_say_end() {
    let place = Place::new("outputs-stopped");
    let db = place.dir.join("shop.db");
    let sinks = [format!("csv:{}", place.out.display()), format!("sqlite:{}", db.display())];
    let mut child = open_run(&sinks);
    until("the run", || fs::File::open(&db).is_ok_and(|file| file.try_lock().is_err()));
    // Long enough for most of it to be read; the test holds however far it is.
    std::thread::sleep(Duration::from_millis(500));
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    // Waiting would close the pipe, and the run could come to its end before it hears the signal.
    let pipe = child.stdin.take();
    let code = child.wait().expect("ends").code();
    drop(pipe);
    assert!(code == Some(130) || code.is_none(), "{code:?}");
    if code.is_some() {
        let now = contents(&db);
        assert!(now.contains("hourly_transactions") && !now.contains("Text(\"end\")"), "{now}");
        assert!(place.out.join("hourly_transactions.csv").exists());
    }
}
