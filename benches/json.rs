//! Reading NDJSON into columns, against reading each line as a `serde_json::Value`.
//!
//! Two files are made: flat records such as a shop's own log has, and nested ones as GA4 exports
//! them, of which each has two items. Both ways read the same bytes from the same file on one
//! thread and take turns; what counts is the median of the rounds. The baseline looks up the same
//! values and checks nothing of them. The target is a million events per second and core.
//!
//! `cargo bench --bench json -- [EVENTS [ROUNDS]]` (500,000, 5).

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;
use tidemill::event::Stream;
use tidemill::source::parse::Scratch;
use tidemill::source::plan::Plan;
use tidemill::source::{BLOCK_SIZE, ParseOptions, read::Reader};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A file, and where the fields are in it.
struct Shape {
    name: &'static str,
    record: fn(usize) -> String,
    /// Each field and its path.
    fields: &'static [(&'static str, &'static str)],
    /// How many rows a record has.
    rows: u64,
    /// What the baseline looks up.
    look: fn(&Value) -> usize,
}

const SHAPES: [Shape; 2] = [
    Shape {
        name: "flat",
        record: |i| {
            format!(
                "{{\"time\":\"2026-01-{:02}T{:02}:{:02}:{:02}Z\",\"id\":\"t{i}\",\"user\":{},\"item\":\"i{}\",\
                 \"amount\":{}.{:02},\"currency\":\"EUR\",\"status\":\"captured\",\"note\":\"nothing of interest\"}}\n",
                1 + i / 40_000 % 28,
                i / 3600 % 24,
                i / 60 % 60,
                i % 60,
                i * 7919 % 50_000,
                i * 31 % 10_000,
                i % 400,
                i % 100
            )
        },
        fields: &[
            ("transaction_time", "time"),
            ("transaction_id", "id"),
            ("user_id", "user"),
            ("item_id", "item"),
            ("amount", "amount"),
            ("currency", "currency"),
            ("status", "status"),
        ],
        rows: 1,
        look: |value| {
            let names = ["time", "id", "user", "item", "amount", "currency", "status"];
            names.iter().filter(|name| value.get(**name).is_some()).count()
        },
    },
    Shape {
        name: "ga4",
        record: |i| {
            let mut text = format!(
                "{{\"event_date\":\"20260101\",\"event_timestamp\":\"{}\",\"event_name\":\"purchase\",\"event_params\":[",
                1_767_225_600_000_000 + i as u64 * 1_000_003
            );
            for key in ["page_location", "page_title", "currency", "ga_session_id"] {
                let _ = write!(
                    text,
                    "{{\"key\":\"{key}\",\"value\":{{\"string_value\":\"v{}\",\"int_value\":null,\"float_value\":null}}}},",
                    i % 999
                );
            }
            text.pop();
            let _ = writeln!(
                text,
                "],\"user_pseudo_id\":\"{}.{i}\",\"device\":{{\"category\":\"mobile\",\"language\":\"de\"}},\
                 \"ecommerce\":{{\"transaction_id\":\"T{i}\",\"purchase_revenue\":35.0}},\"items\":[\
                 {{\"item_id\":\"a{}\",\"item_name\":\"A\",\"price\":10.5,\"quantity\":\"2\",\"item_revenue\":21.0}},\
                 {{\"item_id\":\"b\",\"item_name\":\"B\",\"price\":14.0,\"quantity\":\"1\",\"item_revenue\":14.0}}]}}",
                i % 77,
                i % 1000
            );
            text
        },
        fields: &[
            ("transaction_time", "event_timestamp"),
            ("transaction_id", "ecommerce.transaction_id"),
            ("user_id", "user_pseudo_id"),
            ("device", "device.category"),
            ("currency", "event_params[key=currency].value"),
            ("item_id", "items[*].item_id"),
            ("amount", "items[*].item_revenue"),
        ],
        rows: 2,
        look: |value| {
            let params = value["event_params"].as_array().map_or(&[][..], Vec::as_slice);
            let currency = params.iter().find(|param| param["key"] == "currency");
            let items = value["items"].as_array().map_or(&[][..], Vec::as_slice);
            let items = items.iter().filter(|item| item.get("item_id").is_some());
            usize::from(currency.is_some())
                + usize::from(value["device"]["category"].is_string())
                + items.count()
        },
    },
];

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let events = numbers.first().copied().unwrap_or(500_000).max(1);
    let rounds = numbers.get(1).copied().unwrap_or(5).max(1);
    println!(
        "| records | bytes each | columns, M events/s | Value, M events/s | ratio |\n|---|---|---|---|---|"
    );
    for shape in &SHAPES {
        let path =
            std::env::temp_dir().join(format!("tidemill-bench-{}.ndjson", std::process::id()));
        let text: String = (0..events).map(shape.record).collect();
        std::fs::write(&path, &text).expect("room for the file");
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(timed(|| columns(shape, &path, events as u64)));
            theirs.push(timed(|| values(shape, &path)));
        }
        std::fs::remove_file(&path).expect("it can be removed");
        let rate = |seconds: &mut Vec<f64>| {
            seconds.sort_by(f64::total_cmp);
            events as f64 / seconds[seconds.len() / 2] / 1e6
        };
        let (ours, theirs) = (rate(&mut ours), rate(&mut theirs));
        println!(
            "| {} | {} | {ours:.2} | {theirs:.2} | {:.2} |",
            shape.name,
            text.len() / events,
            ours / theirs
        );
    }
}

fn timed(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

/// Reads the file as a source is read.
fn columns(shape: &Shape, path: &Path, events: u64) {
    let name = path.to_str().expect("a plain path");
    let mut reader = Reader::open(name, BLOCK_SIZE, &Default::default()).expect("the file");
    let schema = Stream::Transactions.schema();
    let map: Vec<(String, String)> = shape
        .fields
        .iter()
        .map(|(field, path)| (format!("transactions.{field}"), (*path).to_owned()))
        .collect();
    let all: Vec<usize> = (0..schema.fields.len()).collect();
    let plan = Plan::new(schema, reader.header(), &all, &[], &ParseOptions::default(), &map);
    let (plan, mut scratch, mut rows) = (plan.expect("a plan"), Scratch::default(), 0);
    while let Some(block) = reader.wait_block().expect("the file") {
        let parsed = plan.parse(&block, 0, &mut scratch);
        assert!(parsed.bad.is_empty(), "{:?}", parsed.bad.first());
        rows += parsed.batch.len() as u64;
        black_box(&parsed);
        reader.give_back(block.bytes);
    }
    assert_eq!(rows, events * shape.rows);
}

/// Reads each line as a value.
fn values(shape: &Shape, path: &Path) {
    let bytes = std::fs::read(path).expect("the file");
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let value: Value = serde_json::from_slice(line).expect("JSON");
        assert!((shape.look)(black_box(&value)) > 3);
    }
}
