//! `once`: the first row of each key, for good.
//!
//! When a tick is sealed, the rows that are there at its end for a key not seen before are let
//! through (of several the least), and nothing of that key ever again: neither corrections nor
//! retractions. What is the first depends on stamps alone, so the result is the same for any
//! division of the work. Bound: the keys, and with a bounded lateness those that are not final.

use super::keyed::{Keyed, Step};
use super::{Collection, Item, Key};
use crate::monoid::{Bag, Most};
use differential_dataflow::consolidation::consolidate;

/// Rows that are never rewritten.
pub trait Once<'s, T> {
    /// The first row of each key; `time` is the event time of a row, at and before which no other row
    /// of its key comes once that is final.
    fn once<K: Key>(
        self,
        name: &str,
        key: impl Fn(&T) -> K + 'static,
        time: impl Fn(&T) -> i64 + 'static,
    ) -> Collection<'s, T>;
}

impl<'s, T: Item> Once<'s, T> for Collection<'s, T> {
    fn once<K: Key>(
        self,
        name: &str,
        key: impl Fn(&T) -> K + 'static,
        time: impl Fn(&T) -> i64 + 'static,
    ) -> Collection<'s, T> {
        let rows = self.map(move |row| (key(&row), row));
        let add = |delta: &mut Delta<T>, row, diff| delta.0.add(row, diff);
        Keyed::of(rows, name, add).keep(Firsts { time })
    }
}

/// Changes of a key's rows, and the event time of the row that was let through before.
type Delta<T> = (Bag<T>, Most);

struct Firsts<F> {
    time: F,
}

impl<K: Key, T: Item, F: Fn(&T) -> i64 + 'static> Step<K, Delta<T>> for Firsts<F> {
    /// The event time of the row that was let through.
    type State = Option<i64>;
    type Row = T;

    fn fresh(&self) -> Option<i64> {
        None
    }

    fn step(
        &mut self,
        _key: &K,
        seen: &mut Option<i64>,
        deltas: impl Iterator<Item = Delta<T>>,
        mut give: impl FnMut(T, isize),
    ) {
        let mut rows: Vec<(T, isize)> = Vec::new();
        for (bag, before) in deltas {
            *seen = seen.or(before.0);
            rows.extend(bag.into_iter().map(|(row, diff)| (row, diff as isize)));
        }
        if seen.is_some() {
            return;
        }
        // In order, and changes that cancel within the tick are gone.
        consolidate(&mut rows);
        if let Some((row, _)) = rows.into_iter().find(|(_, diff)| *diff > 0) {
            *seen = Some((self.time)(&row));
            give(row, 1);
        }
    }

    fn contents(&self, seen: &Option<i64>) -> Delta<T> {
        (Bag::default(), Most(*seen))
    }

    fn forget(&mut self, _key: &K, seen: &mut Option<i64>, until: i64) {
        *seen = seen.filter(|time| *time > until);
    }

    fn is_nothing(seen: &Option<i64>) -> bool {
        seen.is_none()
    }
}
