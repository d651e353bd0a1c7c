//! The changes of a view at one time as what became of each key: a row that goes and the one that
//! takes its place are one change.

use super::Schema;
use crate::clock::Time;
use crate::operator::Sealed;
use crate::value::Decimals;
use std::collections::BTreeMap;

/// See the module.
pub(super) struct Pairs {
    views: Vec<View>,
    decimals: Decimals,
    /// The view and the time whose changes are collected.
    now: Option<(usize, Time)>,
    rows: BTreeMap<String, Rows>,
}

struct View {
    name: &'static str,
    /// `"name":` per column, and how many are the key.
    columns: Vec<String>,
    keys: usize,
}

#[derive(Default)]
struct Rows {
    before: Option<String>,
    after: Option<String>,
}

/// What became of a key; rows and key are JSON.
pub(super) struct Pair {
    /// The view.
    pub view: &'static str,
    pub time: Time,
    pub key: String,
    /// The row that goes, and the one that comes.
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Pairs {
    /// Of these views.
    pub fn new(views: &[Schema], decimals: Decimals) -> Pairs {
        let view = |view: &Schema| View {
            name: view.name,
            columns: super::jsonl::Lines::names(view),
            keys: view.columns.iter().filter(|column| column.key).count(),
        };
        let views = views.iter().map(view).collect();
        Pairs { views, decimals, now: None, rows: BTreeMap::new() }
    }

    /// Takes a change in; shows those of the view and time before, if it is of another.
    pub fn change(&mut self, view: usize, change: &Sealed<'_>, see: impl FnMut(Pair)) {
        if self.now != Some((view, change.time)) {
            self.flush(see);
            self.now = Some((view, change.time));
        }
        let Some(View { columns, keys, .. }) = self.views.get(view) else { return };
        let cells = change.row.cells();
        let write = |count: usize| {
            let mut text = String::from("{");
            for (i, (cell, name)) in cells.iter().zip(columns).take(count).enumerate() {
                if i > 0 {
                    text.push(',');
                }
                text.push_str(name);
                cell.write_json(self.decimals, &mut text);
            }
            text.push('}');
            text
        };
        let rows = self.rows.entry(write(*keys)).or_default();
        let side = if change.diff > 0 { &mut rows.after } else { &mut rows.before };
        *side = Some(write(cells.len()));
    }

    /// Shows what is collected, in the order of the keys.
    pub fn flush(&mut self, mut see: impl FnMut(Pair)) {
        let Some((number, time)) = self.now.take() else { return };
        let Some(View { name, .. }) = self.views.get(number) else { return };
        for (key, Rows { before, after }) in std::mem::take(&mut self.rows) {
            see(Pair { view: name, time, key, before, after });
        }
    }
}
