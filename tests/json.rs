//! Exports in JSON: whatever form they have, they come to the same as the CSV of the same records.

#[path = "support/program.rs"]
mod program;

use program::{directory, fail, run, succeed};
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs queries over what `shop.toml` describes or options name; gives a view and what was said.
fn view(at: &Path, query: &str, options: &[&str]) -> (Vec<String>, String) {
    let sink = format!("csv:{}", at.join("out").display());
    let args = [&["run", "--sink", &sink, "--query", query][..], options].concat();
    let output = run(&args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {said}");
    let view = fs::read_to_string(at.join(format!("out/{query}.csv"))).expect("the view");
    (view.lines().skip(1).map(String::from).collect(), said)
}

/// The same sales as CSV and as records of JSON.
fn sales(count: usize) -> (String, Vec<String>) {
    let mut csv = "transaction_time,amount,status,user_id,transaction_id\n".to_owned();
    let mut json = Vec::new();
    for i in 0..count {
        let (second, cents) = (i % 86_400, (i * 7919) % 100_000);
        let time = format!(
            "2024-01-0{}T{:02}:{:02}:{:02}Z",
            1 + i / 86_400,
            second / 3600,
            second / 60 % 60,
            second % 60
        );
        let status = ["captured", "Refunded", "authorized"][i % 3];
        let amount = format!("{}.{:02}", cents / 100, cents % 100);
        writeln!(csv, "{time},{amount},{status},\"u, \"\"{}\"\"\",t{i}", i % 50).expect("text");
        json.push(format!(
            "{{\"user_id\":\"u, \\\"{}\\\"\",\"x\":[{{}},[1]],\"status\":\"{status}\",\"amount\":{amount},\
             \"transaction_time\":\"{time}\",\"transaction_id\":\"t{i}\",\"note\":null}}",
            i % 50
        ));
    }
    (csv, json)
}

#[test]
fn each_form_of_json_comes_to_the_same_as_a_csv() {
    let at = directory("json-forms");
    let (csv, records) = sales(40_000);
    fs::write(at.join("sales.csv"), csv).expect("a file");
    let lines = records.join("\n") + "\n";
    let pretty = |record: &String| {
        let value: serde_json::Value = serde_json::from_str(record).expect("JSON");
        serde_json::to_string_pretty(&value).expect("text")
    };
    let pretty = records.iter().map(pretty).collect::<Vec<_>>();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(lines.as_bytes()).expect("bytes");
    let files: [(&str, Vec<u8>); 8] = [
        ("lines.jsonl", lines.clone().into_bytes()),
        ("unnamed.txt", lines.clone().into_bytes()),
        ("mark.ndjson", format!("\u{FEFF}{lines}").into_bytes()),
        ("array.json", format!("[{}]", records.join(",")).into_bytes()),
        ("pretty.json", format!("[\n{}\n]\n", pretty.join(",\n")).into_bytes()),
        ("several.json", pretty.join("\n").into_bytes()),
        ("lines.ndjson.gz", gzip.finish().expect("bytes")),
        ("lines.jsonl.zst", zstd::encode_all(lines.as_bytes(), 1).expect("bytes")),
    ];
    let source = |name: &str| format!("transactions={}", at.join(name).display());
    let query = "hourly_transactions";
    let load =
        |name: &str, workers| view(&at, query, &["--source", &source(name), "-w", workers]).0;
    let expected = load("sales.csv", "1");
    assert_eq!(expected.len(), 12);
    for (name, bytes) in files {
        fs::write(at.join(name), bytes).expect("a file");
        for workers in ["1", "3"] {
            assert!(load(name, workers) == expected, "{name}");
        }
    }
    // Who pays how much is the same as well.
    let users = |name: &str| view(&at, "rfm_segments", &["--source", &source(name)]).0;
    assert_eq!(users("sales.csv"), users("lines.jsonl"));
    let mut program = Command::new(env!("CARGO_BIN_EXE_tidemill"))
        .args(["run", "-q", "--source", "transactions=-", "--query", query, "--sink"])
        .arg(format!("csv:{}", at.join("stdin").display()))
        .stdin(Stdio::piped())
        .spawn()
        .expect("the program");
    program.stdin.take().expect("its input").write_all(lines.as_bytes()).expect("to write");
    assert!(program.wait().expect("its end").success());
    let view = fs::read_to_string(at.join("stdin/hourly_transactions.csv")).expect("the view");
    assert!(view.lines().skip(1).eq(expected));
}

#[test]
fn fields_are_found_by_paths_and_lists_opened() {
    let at = directory("json-paths");
    // Two lines of one purchase, 35.00; a purchase without items; one that comes as text.
    let text = r#"{"event_timestamp":"1704103200000000","event_params":[{"key":"currency","value":{"string_value":"EUR","int_value":null}}],"user":{"id":7},"ecommerce":{"transaction_id":"T1"},"items":[{"item_id":"a","price":10.0,"quantity":"3"},{"item_id":"b","price":5,"quantity":1}]}
{"event_timestamp":1704103260000000,"ecommerce":{"transaction_id":"T2"},"items":[]}
{"event_timestamp":"1704103300000000","user":{"id":"8"},"ecommerce":{"transaction_id":"T3"},"items":[{"item_id":"a","price":"1.50","quantity":2}]}
"#;
    fs::write(at.join("in.ndjson"), text).expect("a file");
    let toml = format!(
        "[[source]]\nstream = \"transactions\"\nfiles = \"{}\"\n[source.fields]\ntransaction_time = \"event_timestamp\"\n\
         user_id = \"user.id\"\ncurrency = \"event_params[key=currency].value\"\norder_id = \"ecommerce.transaction_id\"\n\
         transaction_id = {{ join = [\"ecommerce.transaction_id\", \"items[#]\"], with = \"/\" }}\n\
         item_id = \"items[*].item_id\"\namount = {{ product = [\"items[*].price\", \"items[*].quantity\"] }}\n",
        at.join("in.ndjson").display()
    );
    fs::write(at.join("shop.toml"), &toml).expect("a file");
    let config = at.join("shop.toml").display().to_string();
    let (rows, said) = view(&at, "hourly_transactions", &["--config", &config]);
    assert!(rows[0].starts_with("2024-01-01T10:00:00Z,3,38.00,"), "{rows:?} {said}");
    let (rows, _) = view(&at, "top_items_hourly", &["--config", &config]);
    assert!(rows.iter().any(|row| row.contains(",a,33.00")), "{rows:?}");
    // Of the rows of one record each is refused by itself.
    let far = text.replace("1704103260000000", "1804103260000000");
    fs::write(at.join("in.ndjson"), far.replace("\"price\":5,", "\"price\":\"?\","))
        .expect("a file");
    let options = ["--config", &config, "--max-jump", "1d", "--max-bad", "60%"];
    let (rows, _) = view(&at, "hourly_transactions", &options);
    assert!(rows[0].starts_with("2024-01-01T10:00:00Z,2,33.00,"), "{rows:?}");
    let letters = fs::read_to_string(at.join("out/dead_letters.jsonl")).expect("letters");
    let told: Vec<_> = letters
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .map(|letter| (letter["line"].as_u64(), letter["offset"].as_u64()))
        .collect();
    let second = text.find('\n').map(|at| at as u64 + 3);
    assert_eq!(told, [(Some(1), Some(0)), (Some(2), second)], "{letters}");
    for (from, to, says) in [
        (
            "\"user.id\"",
            "\"user.ids\"",
            "no column user.ids for transactions.user_id; the columns are: ",
        ),
        ("\"user.id\"", "\"event_params[*].key\"", "open two lists"),
        ("items[*].item_id", "items[*", "no column items[*"),
    ] {
        fs::write(at.join("shop.toml"), toml.replacen(from, to, 1)).expect("a file");
        fail(2, &["run", "--config", &config, "--query", "hourly_transactions"], &[says]);
    }
}

#[test]
fn lines_that_are_no_records_are_dead_letters_with_their_place() {
    let at = directory("json-bad");
    let (_, records) = sales(3000);
    let broken = ["{\"amount\": 1", "[1]", "nonsense", "{\"amount\":1}}", "{\"amount\":\u{1}}"];
    let mut lines = Vec::new();
    for (i, record) in records.iter().enumerate() {
        lines.push(record.as_str());
        if i % 1000 == 500 {
            lines.extend(broken);
        }
    }
    let text = lines.join("\n");
    fs::write(at.join("in.jsonl"), &text).expect("a file");
    let source = format!("transactions={}", at.join("in.jsonl").display());
    let (_, said) = view(&at, "hourly_transactions", &["--source", &source]);
    assert!(said.contains("15 bad"), "{said}");
    let letters = fs::read_to_string(at.join("out/dead_letters.jsonl")).expect("letters");
    assert_eq!(letters.lines().count(), 15);
    for letter in letters.lines() {
        let letter: serde_json::Value = serde_json::from_str(letter).expect("JSON");
        let (offset, line) = (letter["offset"].as_u64(), letter["line"].as_u64());
        let raw = letter["raw"].as_str().expect("text");
        assert!(text[offset.expect("a number") as usize..].starts_with(raw), "{letter}");
        assert_eq!(lines[line.expect("a number") as usize - 1], raw);
        assert!(
            letter["reason"].as_str().is_some_and(|why| why.starts_with("not JSON: ")),
            "{letter}"
        );
    }
    // A file that is called so and is none has no record.
    fs::write(at.join("in.json"), "transaction_time,amount\n2024-01-01,1\n").expect("a file");
    let source = format!("transactions={}", at.join("in.json").display());
    fail(2, &["run", "--source", &source], &["no column transaction_time", "in.json"]);
}

#[test]
fn a_recording_of_json_is_one_of_its_records() {
    let at = directory("json-record");
    let (csv, records) = sales(500);
    fs::write(at.join("a.csv"), csv).expect("a file");
    fs::write(at.join("a.jsonl"), records.join("\n")).expect("a file");
    let record = |name: &str| {
        let (source, out) =
            (format!("transactions={}", at.join(name).display()), at.join(format!("{name}.tide")));
        succeed(&["record", "-q", "--source", &source, "--out", &out.display().to_string()]);
        view(&at, "merchant_health", &["--source", &out.display().to_string()]).0
    };
    assert_eq!(record("a.csv"), record("a.jsonl"));
}
