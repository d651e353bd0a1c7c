//! Which values the first records of a source have, and by which paths.

use std::collections::BTreeMap;

use serde_json::Value;

use super::path::{Path, Step};

/// How many records are looked at.
const RECORDS: usize = 1000;
/// The most paths that are listed.
const LISTED: usize = 1000;
/// The deepest value that is listed.
const DEPTH: usize = 8;
/// The fields by which the elements of a list are told apart, and that which then holds the value.
const PAIR: [&str; 2] = ["key", "value"];

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    root: Seen,
    /// Whether there are no further records.
    pub whole: bool,
}

/// What was seen at one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Whether a value is here that is no object and no list, or in a pair an object of one value.
    value: bool,
    fields: BTreeMap<String, Seen>,
    elements: Option<Box<Seen>>,
    /// The values of the field `key` in a list of pairs.
    keys: BTreeMap<String, Seen>,
}

impl Names {
    /// Of some whole lines, which are all there are or not.
    pub fn of(lines: &[u8], whole: bool) -> Names {
        let mut root = Seen::default();
        let mut room = LISTED * 4;
        let records =
            lines.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        let mut count = 0;
        for record in records {
            count += 1;
            if count > RECORDS {
                return Names { root, whole: false };
            }
            // What is no record is told when it is read.
            if let Ok(value @ Value::Object(_)) = serde_json::from_slice(record) {
                root.see(&value, DEPTH, &mut room);
            }
        }
        Names { root, whole }
    }

    /// Whether there is a value at a path, in some record that was looked at.
    pub fn has(&self, path: &Path) -> bool {
        let mut at = &self.root;
        for step in &path.0 {
            let next = match step {
                Step::Field(name) => at.fields.get(name),
                Step::Place => return at.elements.is_some(),
                Step::Each | Step::First | Step::Last => at.elements.as_deref(),
                Step::Where(field, value) if field == PAIR[0] => at.keys.get(value),
                Step::Where(field, _) => {
                    let elements = at.elements.as_deref();
                    elements.filter(|seen| seen.fields.contains_key(field))
                }
            };
            let Some(next) = next else { return false };
            at = next;
        }
        at.value
    }

    /// The paths of all values, as far as there is room for them.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.root.list(&mut Vec::new(), false, &mut paths);
        paths
    }
}

impl Seen {
    fn see(&mut self, value: &Value, depth: usize, room: &mut usize) {
        match value {
            _ if depth == 0 => {}
            Value::Null => {}
            Value::Object(map) => {
                for (name, value) in map {
                    let new = !self.fields.contains_key(name);
                    if new && *room > 0 {
                        *room -= 1;
                        self.fields.insert(name.clone(), Seen::default());
                    }
                    if let Some(seen) = self.fields.get_mut(name) {
                        seen.see(value, depth - 1, room);
                        seen.value |= name == PAIR[1] && holds_one(value);
                    }
                }
            }
            Value::Array(elements) => {
                for element in elements {
                    let seen = self.elements.get_or_insert_default();
                    seen.see(element, depth - 1, room);
                    let key = element.get(PAIR[0]).and_then(Value::as_str);
                    if let (Some(key), Some(_)) = (key, element.get(PAIR[1])) {
                        let new = !self.keys.contains_key(key);
                        if new && *room > 0 {
                            *room -= 1;
                            self.keys.insert(key.to_owned(), Seen::default());
                        }
                        if let Some(seen) = self.keys.get_mut(key) {
                            seen.see(element, depth - 1, room);
                        }
                    }
                }
            }
            _ => self.value = true,
        }
    }

    fn list(&self, at: &mut Vec<Step>, opened: bool, paths: &mut Vec<String>) {
        if paths.len() >= LISTED {
            return;
        }
        if self.value {
            paths.push(Path(at.clone()).to_string());
            return;
        }
        for (name, seen) in &self.fields {
            at.push(Step::Field(name.clone()));
            seen.list(at, opened, paths);
            at.pop();
        }
        for (key, seen) in &self.keys {
            at.push(Step::Where(PAIR[0].into(), key.clone()));
            at.push(Step::Field(PAIR[1].into()));
            if let Some(value) = seen.fields.get(PAIR[1]) {
                value.list(at, opened, paths);
            }
            at.truncate(at.len() - 2);
        }
        if let (Some(seen), false, true) = (&self.elements, opened, self.keys.is_empty()) {
            at.push(Step::Each);
            seen.list(at, true, paths);
            at.pop();
        }
    }
}

/// Whether an object holds one value, for which it stands.
fn holds_one(value: &Value) -> bool {
    let Value::Object(map) = value else { return false };
    let mut values = map.values().filter(|value| !value.is_null());
    matches!(values.next(), Some(first) if !first.is_object() && !first.is_array())
        && values.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_values_of_the_first_records_have_a_path() {
        let lines = "{\"a\":1,\"b\":{\"c\":\"x\",\"d\":null},\"items\":[{\"id\":1},{\"price\":2}]}\nx\n\
                     {\"p\":[{\"key\":\"s\",\"value\":{\"int_value\":\"7\",\"string_value\":null}}],\"q.r\":[1]}\n";
        let names = Names::of(lines.as_bytes(), true);
        let expected =
            ["a", "b.c", "items[*].id", "items[*].price", "p[key=s].value", "\"q.r\"[*]"];
        assert_eq!(names.paths(), expected);
        let has = |path: &str| names.has(&Path::parse(path).unwrap());
        assert!(expected.iter().all(|path| has(path)));
        assert!(has("items[#]") && has("items[-1].id") && has("p[key=s].value.int_value"));
        assert!(!has("b.d") && !has("p[key=t].value") && !has("items.id") && !has("x"));
    }
}
