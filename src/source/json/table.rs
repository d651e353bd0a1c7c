//! The records of a block as rows and columns.

use std::ops::Range;

use super::super::error::Fault;
use super::super::rows::Rows;
use super::super::sheet::Sheet;
use super::super::split::MAX_RECORD;
use super::tree::{Found, Slot, Tree};
use super::walk::only_value;

/// Rows made of the records of a block. Reused from block to block.
#[derive(Default)]
pub struct Table {
    sheet: Sheet,
    /// Records that cannot be read, and why.
    pub broken: Vec<(Range<usize>, String)>,
    /// How many line ends there are.
    lines: u64,
    record: Record,
}

/// The values of one record.
#[derive(Default)]
struct Record {
    /// Their content.
    text: Vec<u8>,
    /// Where in it the values of the record are; empty ranges for those it lacks.
    once: Vec<Range<usize>>,
    /// The same for the elements of its list, one after the other.
    each: Vec<Range<usize>>,
    /// How many values an element has, and how many elements there are.
    width: usize,
    elements: usize,
}

impl Table {
    /// Reads whole lines.
    pub fn fill(&mut self, tree: &Tree, block: &[u8]) {
        self.sheet.begin(tree.columns.len());
        self.broken.clear();
        self.lines = 0;
        let mut start = 0;
        while start < block.len() {
            let line = memchr::memchr(b'\n', &block[start..]);
            let end = line.map_or(block.len(), |at| start + at);
            self.lines += u64::from(line.is_some());
            self.line(tree, block, start..end);
            start = end + 1;
        }
    }

    fn line(&mut self, tree: &Tree, block: &[u8], line: Range<usize>) {
        let bytes = &block[line.clone()];
        let Some(from) = bytes.iter().position(|byte| !byte.is_ascii_whitespace()) else { return };
        let bytes = bytes[from..].trim_ascii_end();
        let span = line.start + from..line.start + from + bytes.len();
        self.record.clear(tree.counts);
        let read = match std::str::from_utf8(bytes) {
            Err(_) => Err(Fault::Encoding.to_string()),
            Ok(text) => tree.walk(text, &mut self.record).map_err(|error| wrong(&error)),
        };
        let read = read.and_then(|()| match self.record.opened_size() > MAX_RECORD {
            true => Err("with its list opened the record is longer than 8 MiB".to_owned()),
            false => Ok(()),
        });
        match read {
            Ok(()) => self.rows_of_record(tree, &span),
            Err(why) => self.broken.push((span, why)),
        }
    }

    fn rows_of_record(&mut self, tree: &Tree, span: &Range<usize>) {
        for element in 0..self.record.elements.max(1) {
            for column in &tree.columns {
                match column {
                    Some(slot) => {
                        let range = self.record.range(*slot, element);
                        self.sheet.text(&self.record.text[range]);
                    }
                    None if self.record.elements == 0 => self.sheet.text(b""),
                    None => self.sheet.text(element.to_string().as_bytes()),
                }
            }
            self.sheet.end(span.clone());
        }
    }

    /// The rows, which were made of a block, what is none of them, and how many lines there were.
    pub fn apart<'a>(
        &'a mut self,
        block: &'a [u8],
    ) -> (Rows<'a>, &'a [(Range<usize>, String)], u64) {
        (self.sheet.rows(block), &self.broken, self.lines)
    }
}

/// What is wrong with a record, and where in it.
fn wrong(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    match error.column() {
        0 => format!("not JSON: {what}"),
        column => format!("not JSON: {what} (byte {column} of the record)"),
    }
}

impl Record {
    fn clear(&mut self, (once, each): (usize, usize)) {
        self.text.clear();
        self.once.clear();
        self.once.resize(once, 0..0);
        self.each.clear();
        (self.width, self.elements) = (each, 0);
    }

    fn range(&self, slot: Slot, element: usize) -> Range<usize> {
        let range = match slot {
            Slot::Record(at) => self.once.get(at),
            Slot::Element(at) => self.each.get(element * self.width + at),
        };
        range.cloned().unwrap_or_default()
    }

    /// How many bytes it has in all of its rows.
    fn opened_size(&self) -> usize {
        let length = |ranges: &[Range<usize>]| ranges.iter().map(Range::len).sum::<usize>();
        let rows = self.elements.max(1);
        rows.saturating_mul(length(&self.once) + self.once.len() + 8) + length(&self.each)
    }

    fn slot(&mut self, slot: Slot) -> Option<&mut Range<usize>> {
        match slot {
            Slot::Record(at) => self.once.get_mut(at),
            Slot::Element(at) => {
                let element = self.elements.checked_sub(1)?;
                self.each.get_mut(element * self.width + at)
            }
        }
    }
}

impl<'de> Found<'de> for Record {
    fn value(&mut self, slot: Slot, raw: &'de str) {
        let start = self.text.len();
        content(raw, &mut self.text);
        let end = self.text.len();
        if let Some(range) = self.slot(slot) {
            *range = start..end;
        }
    }

    fn forget(&mut self, slot: Slot) {
        if let Some(range) = self.slot(slot) {
            *range = 0..0;
        }
    }

    fn open(&mut self) {
        self.each.clear();
        self.elements = 0;
    }

    fn element(&mut self) {
        self.elements += 1;
        self.each.resize(self.elements * self.width, 0..0);
    }
}

/// A text without its quotes.
fn inside(raw: &str) -> &str {
    raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw)
}

/// Appends what a value says: a text without its quotes, nothing for null. An object that holds one
/// value stands for it, as those of GA4's parameters do (`{"string_value": "x"}`).
fn content(raw: &str, into: &mut Vec<u8>) {
    let bytes = raw.as_bytes();
    match bytes {
        [b'n', ..] => {}
        [b'"', inside @ .., b'"'] if memchr::memchr(b'\\', inside).is_none() => {
            into.extend_from_slice(inside);
        }
        [b'"', ..] => {
            // Half of a character in two parts is none: then it stays as it is written.
            let text = serde_json::from_str::<String>(raw).unwrap_or_else(|_| inside(raw).into());
            into.extend_from_slice(text.as_bytes());
        }
        [b'{', ..] => match only_value(raw) {
            Some(None) => {}
            Some(Some(only)) => content(only, into),
            None => into.extend_from_slice(bytes),
        },
        _ => into.extend_from_slice(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Path;
    use super::*;

    /// The rows of some lines, each value in its place.
    fn rows(paths: &[&str], block: &str) -> Vec<Vec<String>> {
        let paths: Vec<Path> = paths.iter().map(|path| Path::parse(path).unwrap()).collect();
        let tree = Tree::new(&paths).unwrap();
        let mut table = Table::default();
        table.fill(&tree, block.as_bytes());
        assert!(table.broken.is_empty(), "{:?}", table.broken);
        let (rows, ..) = table.apart(block.as_bytes());
        let cell = |row, column: usize| {
            let bytes = &rows.bytes[rows.span(row, column..column + 1)];
            let mut room = Vec::new();
            String::from_utf8(super::super::super::scan::unquote(bytes, &mut room).to_vec())
                .unwrap()
        };
        (0..rows.len()).map(|row| (0..paths.len()).map(|c| cell(row, c)).collect()).collect()
    }

    fn broken(block: &str) -> Vec<(Range<usize>, String)> {
        let tree = Tree::new(&[Path::parse("a[*].b").unwrap(), Path::parse("c").unwrap()]).unwrap();
        let mut table = Table::default();
        table.fill(&tree, block.as_bytes());
        table.broken
    }

    #[test]
    fn values_are_taken_as_they_are_written() {
        let block = "{\"a\": 12345678901234567890123, \"b\":{\"c\":\"x,\\n\\\"y\\\"\"},\"d\":null,\"e\":1.10}\n\
                     \n  {\"e\":true,\"b\":5,\"a\":\"\\\"q\",\"d\":[1,2]}  \n{}";
        assert_eq!(
            rows(&["a", "b.c", "d", "e"], block),
            [
                ["12345678901234567890123", "x,\n\"y\"", "", "1.10"],
                ["\"q", "", "[1,2]", "true"],
                ["", "", "", ""]
            ]
        );
        // The last of two values of one name holds.
        assert_eq!(rows(&["a"], "{\"a\":1,\"b\":2,\"a\":3}"), [["3"]]);
        assert_eq!(rows(&["a"], "{\"\\u0061\":1}"), [["1"]]);
        assert_eq!(rows(&["a"], "{\"a\":\"x\\ud800\"}"), [["x\\ud800"]]);
    }

    #[test]
    fn a_list_is_opened_to_rows() {
        let block = "{\"id\":1,\"l\":[{\"x\":\"a\",\"y\":2},{\"y\":3}]}\n{\"id\":2,\"l\":[]}\n\
                     {\"l\":[{\"x\":\"c\"}],\"id\":3}\n{\"id\":4}\n{\"id\":5,\"l\":7}";
        let expected: [[&str; 4]; 6] = [
            ["1", "a", "2", "0"],
            ["1", "", "3", "1"],
            ["2", "", "", ""],
            ["3", "c", "", "0"],
            ["4", "", "", ""],
            ["5", "", "", ""],
        ];
        assert_eq!(rows(&["id", "l[*].x", "l[*].y", "l[#]"], block), expected);
        assert_eq!(rows(&["l[*]"], "{\"l\":[1,\"b\"]}"), [["1"], ["b"]]);
        let ends = ["l[0].x", "l[-1].x", "l[-1].y"];
        assert_eq!(rows(&ends, "{\"l\":[{\"x\":1,\"y\":2},{\"x\":3}]}"), [["1", "3", ""]]);
    }

    #[test]
    fn pairs_are_looked_up_by_name_wherever_the_name_stands() {
        let block = "{\"p\":[{\"key\":\"s\",\"value\":{\"int_value\":\"7\",\"string_value\":null}},\
                     {\"value\":{\"string_value\":\"x\"},\"key\":\"t\"},{\"key\":\"u\"},3]}\n\
                     {\"p\":[{\"key\":\"t\",\"value\":1},{\"key\":\"t\"}]}";
        let paths = ["p[key=s].value", "p[key=t].value", "p[key=s].value.int_value"];
        assert_eq!(rows(&paths, block), [["7", "x", "7"], ["", "", ""]]);
        let with_others = ["p[key=t].value", "p[#]", "p[0].key"];
        assert_eq!(rows(&with_others, "{\"p\":[{\"key\":\"t\",\"value\":1}]}"), [["1", "0", "t"]]);
    }

    #[test]
    fn what_is_no_record_is_told_with_its_place() {
        let found = broken("{\"c\":1}\n{\"c\":}\n 5\n{\"c\":1} x\n{\"a\n\n[1]");
        let told: Vec<_> = found.iter().map(|(span, why)| (span.start, why.as_str())).collect();
        assert_eq!(
            told,
            [
                (8, "not JSON: expected value (byte 6 of the record)"),
                (16, "not JSON: not an object"),
                (18, "not JSON: trailing characters (byte 9 of the record)"),
                (28, "not JSON: EOF while parsing a string (byte 3 of the record)"),
                (33, "not JSON: not an object"),
            ]
        );
    }

    #[test]
    fn what_comes_from_outside_has_limits() {
        // Deep down where nothing is asked for nothing is kept, and elsewhere there is an end.
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert!(broken(&deep).is_empty());
        let long = format!("{{\"a\":[{}0]}}", "0,".repeat(super::super::tree::LIST));
        assert!(broken(&long)[0].1.contains("more than 10000 elements"));
        let wide = format!("{{\"c\":\"{}\",\"a\":[{}0]}}", "y".repeat(100_000), "0,".repeat(100));
        assert!(broken(&wide)[0].1.contains("longer than 8 MiB"));
    }
}
