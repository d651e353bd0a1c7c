//! What requests read: the rows of each view at one sealed time, as trees that share what did not
//! change with the states before them. A request holds the state it began with, so nothing it reads
//! moves, and whoever makes the next one waits for nobody.

use super::cell::Cell;
use crate::clock::Time;
use crate::query::Column;
use crate::value::Decimals;
use rpds::RedBlackTreeSetSync;
use std::cmp::Ordering;
use std::sync::Arc;

/// A served view.
#[derive(Clone, Debug)]
pub struct View {
    /// Its name.
    pub name: &'static str,
    /// The area of the catalog it belongs to; empty for a query that is not of the catalog.
    pub area: &'static str,
    /// What it says.
    pub about: &'static str,
    /// Its columns, those of the key first.
    pub columns: &'static [Column],
}

impl View {
    /// How many of its columns are the key.
    pub fn keys(&self) -> usize {
        self.columns.iter().filter(|column| column.key).count()
    }

    /// The place of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// A row. Two rows of a view are the same to the index if their keys are.
#[derive(Clone, Debug)]
pub struct Row {
    cells: Arc<[Cell]>,
    keys: usize,
}

impl Row {
    /// A row of which so many cells are the key.
    pub fn new(cells: impl Into<Arc<[Cell]>>, keys: usize) -> Row {
        let cells = cells.into();
        Row { keys: keys.min(cells.len()), cells }
    }

    /// All cells.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The key.
    pub fn key(&self) -> &[Cell] {
        &self.cells[..self.keys] // bounded when it was made
    }

    /// The order of whole rows: by key, then by what else they say.
    pub fn order(&self, other: &Row) -> Ordering {
        by_cell(&self.cells, &other.cells)
    }
}

/// Keys hold no amounts that were computed, so the decimals of money have no part in their order.
fn by_cell(a: &[Cell], b: &[Cell]) -> Ordering {
    let cells = a.iter().zip(b).map(|(a, b)| a.order(b, Decimals(0)));
    let first = cells.into_iter().find(|order| order.is_ne());
    first.unwrap_or(a.len().cmp(&b.len()))
}

impl Ord for Row {
    fn cmp(&self, other: &Row) -> Ordering {
        by_cell(self.key(), other.key())
    }
}
impl PartialOrd for Row {
    fn partial_cmp(&self, other: &Row) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Row {
    fn eq(&self, other: &Row) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Row {}

/// The rows of a view, in order of their keys.
pub type Rows = RedBlackTreeSetSync<Row>;

/// A change of a view: a row that appears (+1) or goes (-1).
pub type Change = (Row, i64);

/// Which state it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head {
    /// Counts the states of this run.
    pub version: u64,
    /// Every record stamped before this time is in it; none before anything was sealed.
    pub frontier: Option<Time>,
    /// Whether the sources have ended, and everything is in it.
    pub ended: bool,
}

/// All views at one sealed time.
#[derive(Clone, Default)]
pub struct State {
    /// Which state it is.
    pub head: Head,
    /// The rows of each view, in the order of the views.
    pub views: Vec<Rows>,
}

/// Adds changes up: one for each row that is there now and was not, or the other way round. What
/// goes comes before what appears, so that a row which replaces another of its key stays.
pub fn consolidate(changes: &mut Vec<Change>) {
    changes.sort_by(|a, b| a.0.order(&b.0));
    changes.dedup_by(|later, kept| {
        let same = later.0.order(&kept.0).is_eq();
        if same {
            kept.1 += later.1;
        }
        same
    });
    changes.retain(|(_, diff)| *diff != 0);
    changes.sort_by_key(|(_, diff)| *diff > 0);
}

/// Applies consolidated changes.
pub fn apply(rows: &mut Rows, changes: &[Change]) {
    for (row, diff) in changes {
        if *diff > 0 {
            rows.insert_mut(row.clone());
        } else {
            rows.remove_mut(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: i64, value: i64) -> Row {
        Row::new(vec![Cell::Integer(key), Cell::Integer(value)], 1)
    }

    fn shown(rows: &Rows) -> Vec<(Cell, Cell)> {
        rows.iter().map(|row| (row.cells()[0].clone(), row.cells()[1].clone())).collect()
    }

    #[test]
    fn a_replaced_row_stays_in_whatever_order_its_changes_come() {
        let mut rows = Rows::new_sync();
        let mut first = vec![(row(1, 10), 1), (row(2, 20), 1)];
        consolidate(&mut first);
        apply(&mut rows, &first);
        let before = rows.clone();
        // 10 becomes 11 and then 9; 20 goes and comes back.
        let mut changes = vec![
            (row(1, 11), 1),
            (row(1, 10), -1),
            (row(2, 20), -1),
            (row(2, 20), 1),
            (row(1, 11), -1),
            (row(1, 9), 1),
        ];
        consolidate(&mut changes);
        assert_eq!(changes.iter().map(|(_, diff)| *diff).collect::<Vec<_>>(), [-1, 1]);
        apply(&mut rows, &changes);
        let [one, two] = [1, 2].map(Cell::Integer);
        assert_eq!(
            shown(&rows),
            [(one.clone(), Cell::Integer(9)), (two.clone(), Cell::Integer(20))]
        );
        // Whoever has the state before sees it as it was.
        assert_eq!(shown(&before), [(one, Cell::Integer(10)), (two, Cell::Integer(20))]);
    }

    #[test]
    fn the_index_is_what_the_changes_add_up_to() {
        let mut seed = 11u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % below
        };
        let mut rows = Rows::new_sync();
        let mut twin = std::collections::BTreeMap::<i64, i64>::new();
        for _ in 0..500 {
            let mut changes = Vec::new();
            for _ in 0..next(8) {
                let (key, value) = (next(20) as i64, next(5) as i64);
                if let Some(old) = twin.remove(&key) {
                    changes.push((row(key, old), -1));
                }
                if next(3) > 0 {
                    changes.push((row(key, value), 1));
                    twin.insert(key, value);
                }
            }
            // The order within a time is not told.
            for i in (1..changes.len()).rev() {
                changes.swap(i, next(i as u64 + 1) as usize);
            }
            consolidate(&mut changes);
            apply(&mut rows, &changes);
            let want: Vec<_> =
                twin.iter().map(|(k, v)| (Cell::Integer(*k), Cell::Integer(*v))).collect();
            assert_eq!(shown(&rows), want);
        }
    }
}
