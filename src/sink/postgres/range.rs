//! What a range of sealed times comes to: for each key that changed the row that it has in the end,
//! or that it has none. So a row that goes and one that comes in its place are one change, and a key
//! that changed a hundred times is written once.
//!
//! Keys and rows are held as COPY wants them. Bound: what the writer says (see [`super::writer`]).

use crate::sink::Schema;
use crate::value::{Decimals, Value};
use std::collections::BTreeMap;

/// A key, or the cells beside it, as a part of a line for COPY.
pub(super) type Cells = Box<[u8]>;

/// See the module.
#[derive(Default)]
pub(super) struct Range {
    /// By number of the view.
    views: Vec<BTreeMap<Cells, Option<Cells>>>,
    bytes: usize,
}

/// What an entry costs beside its bytes, about.
const ENTRY: usize = 64;

impl Range {
    /// Nothing, of so many views.
    pub fn of(views: usize) -> Range {
        Range { views: vec![BTreeMap::new(); views], bytes: 0 }
    }

    /// Takes in a change. A row that goes may come after its successor, which then stays.
    pub fn change(&mut self, view: usize, (key, rest): (Cells, Cells), comes: bool) {
        let size = ENTRY + key.len();
        let Some(rows) = self.views.get_mut(view) else { return };
        let length = |row: &Option<Cells>| row.as_ref().map_or(0, |row| row.len());
        match rows.get_mut(&key) {
            None => {
                let row = comes.then_some(rest);
                self.bytes += size + length(&row);
                rows.insert(key, row);
            }
            Some(Some(successor)) if !comes && *successor != rest => {}
            Some(known) => {
                self.bytes -= length(known);
                *known = comes.then_some(rest);
                self.bytes += length(known);
            }
        }
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.views.iter().all(BTreeMap::is_empty)
    }

    /// The keys of a view and their rows, in the order of the keys.
    pub fn rows(&self, view: usize) -> impl ExactSizeIterator<Item = (&Cells, Option<&Cells>)> {
        static NONE: BTreeMap<Cells, Option<Cells>> = BTreeMap::new();
        let rows = self.views.get(view).unwrap_or(&NONE);
        rows.iter().map(|(key, row)| (key, row.as_ref()))
    }
}

/// Writes the rows of a view.
pub(super) struct Encoder {
    keys: usize,
    decimals: Decimals,
    text: String,
    /// Texts in which there was U+0000, which PostgreSQL cannot store.
    pub replaced: u64,
}

impl Encoder {
    /// That of a view.
    pub fn new(view: &Schema, decimals: Decimals) -> Encoder {
        let keys = view.columns.iter().filter(|column| column.key).count();
        Encoder { keys, decimals, text: String::new(), replaced: 0 }
    }

    /// The key of a row, and the rest of it, each cell ended by a tab.
    pub fn row(&mut self, cells: &[Value]) -> (Cells, Cells) {
        let mut parts = [Vec::new(), Vec::new()];
        let [key, rest] = &mut parts;
        for (i, cell) in cells.iter().enumerate() {
            let is_key = i < self.keys;
            self.cell(cell, is_key, if is_key { &mut *key } else { &mut *rest });
        }
        let [key, rest] = parts;
        (key.into(), rest.into())
    }

    fn cell(&mut self, cell: &Value, is_key: bool, out: &mut Vec<u8>) {
        let text = &mut self.text;
        text.clear();
        let empty = match cell {
            // A primary key has no nulls; the key that is empty is a text.
            Value::Empty => !is_key,
            Value::Real(..) | Value::Quotient(..) => cell.number(self.decimals).is_none(),
            _ => false,
        };
        if empty {
            out.extend_from_slice(b"\\N\t");
            return;
        }
        cell.write(self.decimals, text);
        if text.contains('\0') {
            self.replaced += 1;
            *text = text.replace('\0', "\u{FFFD}");
        }
        for byte in text.bytes() {
            match byte {
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\t' => out.extend_from_slice(b"\\t"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                _ => out.push(byte),
            }
        }
        out.push(b'\t');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::text::Text;

    fn cells(text: &str) -> Cells {
        text.as_bytes().into()
    }

    fn rows(range: &Range) -> Vec<(String, Option<String>)> {
        let text = |cells: &Cells| String::from_utf8_lossy(cells).into_owned();
        range.rows(0).map(|(key, row)| (text(key), row.map(text))).collect()
    }

    #[test]
    fn a_row_that_goes_and_its_successor_are_one_change_in_either_order() {
        for comes_first in [false, true] {
            let mut range = Range::of(1);
            let mut told = [("old", false), ("new", true)];
            if comes_first {
                told.reverse();
            }
            for (row, comes) in told {
                range.change(0, (cells("k"), cells(row)), comes);
            }
            assert_eq!(rows(&range), [("k".into(), Some("new".into()))]);
        }
    }

    /// Against a view to which every change is applied by itself.
    #[test]
    fn it_comes_to_what_all_changes_come_to() {
        let mut random = Random::new(7);
        let (mut view, mut table) = (BTreeMap::new(), BTreeMap::new());
        for _ in 0..200 {
            let mut range = Range::of(1);
            for _ in 0..random.below(20) {
                let (key, row) = (random.below(5), random.below(4));
                let old = match random.one_in_three() {
                    true => view.remove(&key),
                    false => view.insert(key, row),
                };
                let mut told: Vec<_> = old.map(|old| (old, false)).into_iter().collect();
                told.extend(view.get(&key).map(|row| (*row, true)));
                told.sort();
                if told.len() == 2 && told[0].0 == told[1].0 {
                    told.clear(); // nothing has changed, and nothing is told
                }
                for (row, comes) in told {
                    let parts = (cells(&key.to_string()), cells(&row.to_string()));
                    range.change(0, parts, comes);
                }
            }
            for (key, row) in rows(&range) {
                match row {
                    Some(row) => table.insert(key, row),
                    None => table.remove(&key),
                };
            }
            let want = view.iter().map(|(key, row)| (key.to_string(), row.to_string()));
            assert_eq!(table, want.collect());
        }
    }

    impl Random {
        fn one_in_three(&mut self) -> bool {
            self.below(3) == 0
        }
    }

    #[test]
    fn no_text_is_more_than_a_cell() {
        let schema = Schema { name: "x", columns: &[] };
        let mut encoder = Encoder { keys: 1, ..Encoder::new(&schema, Decimals(2)) };
        let text = |text: &str| Value::Text(Text::new(text));
        let row = encoder.row(&[Value::Empty, text("a\tb\\N\n\r\0"), Value::Empty]);
        assert_eq!(&*row.0, b"\t");
        assert_eq!(&*row.1, "a\\tb\\\\N\\n\\r\u{FFFD}\t\\N\t".as_bytes());
        assert_eq!(encoder.replaced, 1);
        let row = encoder.row(&[Value::Money(-5), Value::Real(f64::NAN, 0)]);
        assert_eq!((&*row.0, &*row.1), (&b"-0.05\t"[..], &b"NaN\t"[..]));
    }
}
