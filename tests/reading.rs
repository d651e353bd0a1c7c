//! Files as they are in the world: stray quotes, long fields, odd line ends, hostile text. What
//! cannot be read is told and costs no more than itself.

#[path = "support/program.rs"]
mod program;

use program::{directory, fail, run, succeed};
use std::fs;
use std::path::Path;

const HEADER: &str = "transaction_time,transaction_id,amount,note\n";

/// Runs `hourly_transactions` over a file: how many records count, and the dead letters.
fn count(at: &Path, file: &[u8]) -> (u64, Vec<serde_json::Value>) {
    let (path, out) = (at.join("in.csv"), at.join("out"));
    let _ = fs::remove_dir_all(&out);
    fs::write(&path, file).expect("a file");
    let source = format!("transactions={}", path.display());
    let sink = format!("csv:{}", out.display());
    let query = "hourly_transactions";
    succeed(&[
        "run",
        "-q",
        "--source",
        &source,
        "--query",
        query,
        "--sink",
        &sink,
        "--max-bad",
        "100",
    ]);
    let view = fs::read_to_string(out.join("hourly_transactions.csv")).unwrap_or_default();
    let counts =
        view.lines().skip(1).filter_map(|line| line.split(',').nth(1)?.parse::<u64>().ok());
    let letters = fs::read_to_string(out.join("dead_letters.jsonl")).unwrap_or_default();
    let letters = letters.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    (counts.sum(), letters.collect())
}

/// Rows of one hour with these notes.
fn rows(notes: &[&str]) -> String {
    let row = |(i, note): (usize, &&str)| format!("2026-03-02T10:00:00Z,t{i},1.00,{note}\n");
    notes.iter().enumerate().map(row).collect()
}

#[test]
fn a_stray_quote_costs_its_own_line() {
    let at = directory("reading-quotes");
    for (notes, good, bad) in [
        (&["a", "\"5 inch", "b", "c", "\"6 inch", "d"][..], 4, &[3u64, 6][..]),
        (&["a", "\"open", "b", "c"], 3, &[3]),
        (&["a", "\"closed\" and more", "b"], 2, &[3]),
        (&["a", "5\" screen", "b"], 3, &[]),
        (&["a", "\"two\nlines\"", "b", "\"x\"y"], 3, &[6]),
    ] {
        let (count, letters) = count(&at, (HEADER.to_owned() + &rows(notes)).as_bytes());
        let lines: Vec<u64> = letters.iter().filter_map(|letter| letter["line"].as_u64()).collect();
        assert_eq!((count, lines.as_slice()), (good, bad), "{notes:?}");
        assert!(letters.iter().all(|letter| letter["reason"].to_string().contains("quote")));
    }
}

#[test]
fn lines_are_counted_from_the_start_of_the_file() {
    let at = directory("reading-lines");
    for (before, line) in [
        (HEADER.to_owned(), 2),
        (format!("\n \r\n{HEADER}\n\n"), 6),
        (HEADER.replace("note", "\"no\nte\""), 3),
    ] {
        let (_, letters) = count(&at, format!("{before}never,t,1.00,\n").as_bytes());
        assert_eq!(letters[0]["line"], line, "{before:?}");
    }
}

#[test]
fn a_long_field_is_read_and_a_longer_one_told() {
    let at = directory("reading-long");
    let (two, ten) = ("x".repeat(2 << 20), "x".repeat(10 << 20));
    let (count, letters) = count(&at, (HEADER.to_owned() + &rows(&[&two, &ten, "a"])).as_bytes());
    assert_eq!((count, letters.len()), (2, 1));
    assert!(letters[0]["reason"].to_string().contains("longer than 8 MiB"));
}

#[test]
fn a_long_item_is_shown_cut() {
    let at = directory("reading-long-item");
    let long = "é".repeat(70_000);
    let file = format!(
        "visit_time,session_id,user_id,item_id,event\n\
         2026-03-02T10:00:00Z,s,u,lamp,view_item\n2026-03-02T10:00:01Z,s,u,\u{1b}{long},view_item\n"
    );
    fs::write(at.join("b.csv"), file).expect("a file");
    let source = format!("behavior={}", at.join("b.csv").display());
    let shown = succeed(&["recommend", "-q", "--items", "lamp", "--source", &source]);
    assert!(shown.contains('…') && !shown.contains('\u{1b}') && shown.len() < 2000, "{shown}");
    let shown = succeed(&["run", "-q", "--source", &source]);
    assert!(shown.contains('…') && !shown.contains('\u{1b}'));
}

#[test]
fn messages_are_short_and_steer_no_terminal() {
    let at = directory("reading-messages");
    let columns: Vec<String> = (0..100_000).map(|i| format!("\u{1b}[31mcolumn{i}")).collect();
    fs::write(at.join("wide.csv"), columns.join(",") + "\n").expect("a file");
    let source = format!("transactions={}", at.join("wide.csv").display());
    let output = run(&["run", "--source", &source, "--query", "hourly_transactions"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.len() < 2000 && !told.contains('\u{1b}'), "{told}");
}

#[test]
fn what_is_no_csv_is_refused_by_name() {
    let at = directory("reading-refused");
    let refuse = |file: &Path, says: &str| {
        fail(2, &["run", "--source", &format!("transactions={}", file.display())], &[says]);
    };
    let file = at.join("cr.csv");
    fs::write(&file, HEADER.replace('\n', "\r") + &rows(&["a"]).replace('\n', "\r"))
        .expect("a file");
    refuse(&file, "lines end in CR");
    fs::write(&file, HEADER.replace("note", "\"note") + &rows(&["a"])).expect("a file");
    refuse(&file, "a quote in the header is not closed");
    refuse(&at, "is a directory");
    refuse(&at, "/*.csv");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), Default::default());
    std::io::Write::write_all(&mut zip, bytes).expect("memory");
    zip.finish().expect("memory")
}

#[test]
fn thousands_of_files_are_read_with_few_open() {
    let dir = directory("many_files");
    let one = |i: u32| format!("transaction_time,amount\n2026-03-02T{:02}:00:00Z,1.00\n", i % 24);
    for i in 0..1500 {
        let text = one(i).into_bytes();
        let (kind, bytes) = match i % 3 {
            0 => ("", text),
            1 => (".gz", gzip(&text)),
            _ => (".zst", zstd::encode_all(text.as_slice(), 1).expect("memory")),
        };
        fs::write(dir.join(format!("f{i}.csv{kind}")), bytes).expect("a file");
    }
    let source = format!("transactions={}/*.csv*", dir.display());
    let out = dir.join("out");
    let sink = format!("csv:{}", out.display());
    let limited = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tidemill")])
        .args(["run", "-q", "-w", "2", "--source", &source, "--query", "hourly_transactions"])
        .args(["--sink", &sink])
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&limited.stderr);
    assert!(limited.status.success(), "{said}");
    let view = fs::read_to_string(out.join("hourly_transactions.csv")).expect("the view");
    let counts = view.lines().skip(1).map(|l| l.split(',').nth(1).expect("a count"));
    let sum: u32 = counts.map(|n| n.parse::<u32>().expect("a number")).sum();
    assert_eq!((sum, view.lines().count()), (1500, 25));
}
