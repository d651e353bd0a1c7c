//! `once`: the first row of each key, for good.
//!
//! When a tick is sealed, the rows that are there at its end for a key not seen before are let
//! through (of several the least), and nothing of that key ever again: neither corrections nor
//! retractions. What is the first depends on stamps alone, so the result is the same for any
//! division of the work. Bound: the keys.

use super::keyed::{Keyed, Step};
use super::{Collection, Item, Key};
use crate::monoid::Bag;
use differential_dataflow::consolidation::consolidate;

/// Rows that are never rewritten.
pub trait Once<'s, T> {
    /// The first row of each key.
    fn once<K: Key>(self, name: &str, key: impl Fn(&T) -> K + 'static) -> Collection<'s, T>;
}

impl<'s, T: Item> Once<'s, T> for Collection<'s, T> {
    fn once<K: Key>(self, name: &str, key: impl Fn(&T) -> K + 'static) -> Collection<'s, T> {
        let rows = self.map(move |row| (key(&row), row));
        let add = |delta: &mut Delta<T>, row, diff| delta.0.add(row, diff);
        Keyed::of(rows, name, add).keep(Firsts)
    }
}

/// Changes of a key's rows, and how often the key was seen before.
type Delta<T> = (Bag<T>, i64);

struct Firsts;

impl<K: Key, T: Item> Step<K, Delta<T>> for Firsts {
    /// Whether the key was seen.
    type State = bool;
    type Row = T;

    fn fresh(&self) -> bool {
        false
    }

    fn step(
        &mut self,
        _key: &K,
        seen: &mut bool,
        deltas: impl Iterator<Item = Delta<T>>,
        mut give: impl FnMut(T, isize),
    ) {
        if *seen {
            return deltas.for_each(drop);
        }
        let mut rows: Vec<(T, isize)> = Vec::new();
        for (bag, before) in deltas {
            *seen |= before > 0;
            rows.extend(bag.into_iter().map(|(row, diff)| (row, diff as isize)));
        }
        // In order, and changes that cancel within the tick are gone.
        consolidate(&mut rows);
        let first = rows.into_iter().find(|(_, diff)| *diff > 0);
        if let (false, Some((row, _))) = (*seen, first) {
            *seen = true;
            give(row, 1);
        }
    }

    fn contents(&self, seen: &bool) -> Delta<T> {
        (Bag::default(), i64::from(*seen))
    }

    fn is_nothing(seen: &bool) -> bool {
        !seen
    }
}
