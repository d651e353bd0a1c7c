//! The same by the most obvious means: each record is read as a value, and each path followed in it.

use serde_json::{Map, Value, json};

use super::path::{Path, Step};
use super::table::Table;
use super::tree::Tree;
use crate::random::Random;
use crate::source::scan::unquote;

/// What a value says as text.
fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(map)) => {
            let values: Vec<&Value> = map.values().filter(|value| !value.is_null()).collect();
            match values[..] {
                [] => String::new(),
                [only] if !only.is_object() && !only.is_array() => text(Some(only)),
                _ => value.map(Value::to_string).unwrap_or_default(),
            }
        }
        Some(value) => value.to_string(),
    }
}

/// Follows a path; `element` is that of the list that is opened.
fn follow<'v>(mut value: &'v Value, steps: &[Step], element: usize) -> Option<&'v Value> {
    for (i, step) in steps.iter().enumerate() {
        value = match step {
            Step::Field(name) => value.as_object()?.get(name)?,
            Step::Each | Step::Place => value.as_array()?.get(element)?,
            Step::First => value.as_array()?.first()?,
            Step::Last => value.as_array()?.last()?,
            Step::Where(field, key) => {
                let is = |value: &&Value| value.get(field).is_some_and(|v| text(Some(v)) == *key);
                // The last that is such holds.
                let found = value.as_array()?.iter().rfind(is)?;
                return follow(found, &steps[i + 1..], element);
            }
        };
    }
    Some(value)
}

/// The rows of a record.
fn rows(record: &Value, paths: &[Path]) -> Vec<Vec<String>> {
    let opened = paths.iter().find_map(Path::opened);
    let list = opened.and_then(|steps| follow(record, steps, 0)).and_then(Value::as_array);
    let count = list.map_or(0, Vec::len);
    let cell = |path: &Path, element: usize| match path.0.last() {
        Some(Step::Place) if count == 0 => String::new(),
        Some(Step::Place) => element.to_string(),
        _ => text(follow(record, &path.0, element)),
    };
    let row = |element| paths.iter().map(|path| cell(path, element)).collect();
    (0..count.max(1)).map(row).collect()
}

fn value(random: &mut Random, depth: usize) -> Value {
    let kinds = if depth == 0 { 5 } else { 8 };
    match random.below(kinds) {
        0 => Value::Null,
        1 => json!(random.below(100)),
        2 => json!(["x", "\"q", "a,b", "s\\\n", "", "é"][random.below(6)]),
        3 => json!(random.below(2) == 0),
        4 => json!(random.below(1000) as f64 / 8.0),
        5 => Value::Array((0..random.below(4)).map(|_| value(random, depth - 1)).collect()),
        6 => {
            let pair = |random: &mut Random| {
                let key = ["k", "l"][random.below(2)];
                match random.below(3) {
                    0 => json!({"key": key}),
                    _ => json!({"value": value(random, depth - 1), "key": key}),
                }
            };
            Value::Array((0..random.below(3)).map(|_| pair(random)).collect())
        }
        _ => record(random, depth - 1),
    }
}

fn record(random: &mut Random, depth: usize) -> Value {
    let mut map = Map::new();
    for name in ["a", "b", "c", "key"] {
        if random.below(3) > 0 {
            map.insert(name.into(), value(random, depth));
        }
    }
    Value::Object(map)
}

#[test]
fn records_come_to_what_following_each_path_gives() {
    let all = [
        "a",
        "b",
        "a.b",
        "a.b.c",
        "c.a",
        "b.key",
        "a[0]",
        "a[-1].b",
        "c[0].a",
        "c[-1]",
        "a[key=k].value",
        "b[key=l].value",
        "b[key=k].value.a",
        "c[key=k].a",
        "a[*]",
        "a[*].b",
        "a[#]",
        "a[*].key",
        "a[*].a.c",
    ];
    let all: Vec<Path> = all.iter().map(|path| Path::parse(path).unwrap()).collect();
    let mut random = Random::new(5);
    let mut opened = 0;
    for _ in 0..3000 {
        let mut paths: Vec<Path> =
            (0..1 + random.below(6)).map(|_| all[random.below(all.len())].clone()).collect();
        paths.dedup();
        let records: Vec<Value> = (0..random.below(4)).map(|_| record(&mut random, 3)).collect();
        let lines: Vec<String> = records.iter().map(Value::to_string).collect();
        let block = lines.join("\n");
        let mut table = Table::default();
        table.fill(&Tree::new(&paths).unwrap(), block.as_bytes());
        assert!(table.broken.is_empty(), "{block}: {:?}", table.broken);
        let (found, ..) = table.apart(block.as_bytes());
        let cell = |row, column: usize| {
            let mut room = Vec::new();
            let bytes =
                unquote(&found.bytes[found.span(row, column..column + 1)], &mut room).to_vec();
            String::from_utf8(bytes).unwrap()
        };
        let found: Vec<Vec<String>> =
            (0..found.len()).map(|row| (0..paths.len()).map(|c| cell(row, c)).collect()).collect();
        let expected: Vec<Vec<String>> =
            records.iter().flat_map(|record| rows(record, &paths)).collect();
        opened += usize::from(expected.len() > records.len());
        let shown: Vec<String> = paths.iter().map(Path::to_string).collect();
        assert_eq!(found, expected, "{shown:?}\n{block}");
    }
    assert!(opened > 100, "lists were opened");
}
