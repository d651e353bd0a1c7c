//! `inner_join`, `semi_join` and `anti_join`: two collections brought together by key.
//!
//! Each key keeps the values of both sides. What changes on one side meets what is on the other, so
//! a change costs as many rows as it leads to: those that come of the product of two sums, by
//! `(L + l) (R + r) - L R = l R + (L + l) r`. Keys lie where every other verb has them, so that an
//! aggregate by the same key sends its rows no further than to its own worker.
//! Bound: both collections.

use super::keyed::{Keyed, Step};
use super::{Collection, Item, Key};
use crate::monoid::{Bag, Group, Summed};

/// Bringing together by key.
pub trait Join<'s, K, V> {
    /// What `row` makes of each two values of a key.
    fn inner_join<W: Item, O: Item>(
        self,
        name: &str,
        other: Collection<'s, (K, W)>,
        row: impl Fn(&K, &V, &W) -> Option<O> + 'static,
    ) -> Collection<'s, O>;
    /// Those whose key is among the others.
    fn semi_join(self, name: &str, keys: Collection<'s, K>) -> Collection<'s, (K, V)>;
    /// Those whose key is not among the others.
    fn anti_join(self, name: &str, keys: Collection<'s, K>) -> Collection<'s, (K, V)>;
}

impl<'s, K: Key, V: Item> Join<'s, K, V> for Collection<'s, (K, V)> {
    fn inner_join<W: Item, O: Item>(
        self,
        name: &str,
        other: Collection<'s, (K, W)>,
        row: impl Fn(&K, &V, &W) -> Option<O> + 'static,
    ) -> Collection<'s, O> {
        let left = Keyed::of(self, name, |delta: &mut Both<V, W>, v, diff| delta.0.add(v, diff));
        let right = Keyed::of(other, name, |delta: &mut Both<V, W>, w, diff| delta.1.add(w, diff));
        left.concat(right).keep(Inner(row))
    }

    fn semi_join(self, name: &str, keys: Collection<'s, K>) -> Collection<'s, (K, V)> {
        among(self, name, keys, true)
    }

    fn anti_join(self, name: &str, keys: Collection<'s, K>) -> Collection<'s, (K, V)> {
        among(self, name, keys, false)
    }
}

/// Changes of both sides.
type Both<V, W> = (Bag<V>, Bag<W>);

/// The values of a side, in order.
type Values<V> = <Summed<V, ()> as Group>::State;

struct Inner<F>(F);

impl<K, V, W, O, F> Step<K, Both<V, W>> for Inner<F>
where
    K: Key,
    V: Item,
    W: Item,
    O: Item,
    F: Fn(&K, &V, &W) -> Option<O> + 'static,
{
    type State = (Values<V>, Values<W>);
    type Row = O;

    fn fresh(&self) -> Self::State {
        Default::default()
    }

    fn step(
        &mut self,
        key: &K,
        (left, right): &mut Self::State,
        deltas: impl Iterator<Item = Both<V, W>>,
        mut give: impl FnMut(O, isize),
    ) {
        let mut pair = |v: &V, w: &W, diff: i64| {
            (self.0)(key, v, w).into_iter().for_each(|row| give(row, diff as isize));
        };
        for (of_left, of_right) in deltas {
            for (v, diff) in of_left {
                right.iter().for_each(|(w, count)| pair(&v, w, diff * count));
                left.add(v, diff);
            }
            for (w, diff) in of_right {
                left.iter().for_each(|(v, count)| pair(v, &w, diff * count));
                right.add(w, diff);
            }
        }
    }

    fn contents(&self, (left, right): &Self::State) -> Both<V, W> {
        (bag(left), bag(right))
    }

    fn take_back(&mut self, _: &K, (left, right): &mut Self::State, contents: Both<V, W>) {
        Summed::absorb(left, contents.0.into());
        Summed::absorb(right, contents.1.into());
    }

    fn is_nothing((left, right): &Self::State) -> bool {
        left.is_empty() && right.is_empty()
    }
}

fn bag<V: Item>(values: &Values<V>) -> Bag<V> {
    values.iter().map(|(value, count)| (value.clone(), *count)).collect()
}

fn among<'s, K: Key, V: Item>(
    values: Collection<'s, (K, V)>,
    name: &str,
    keys: Collection<'s, K>,
    are: bool,
) -> Collection<'s, (K, V)> {
    let values = Keyed::of(values, name, |delta: &mut Among<V>, v, diff| delta.0.add(v, diff));
    let keys = keys.map(|key| (key, ()));
    let keys = Keyed::of(keys, name, |delta: &mut Among<V>, (), diff| delta.1 += diff);
    values.concat(keys).keep(Semi { are })
}

/// Changes of the values of a key, and of how often the key is among the others.
type Among<V> = (Bag<V>, i64);

/// Shows the values of the keys that are among the others, or of those that are not.
struct Semi {
    are: bool,
}

impl<K: Key, V: Item> Step<K, Among<V>> for Semi {
    type State = (Values<V>, i64);
    type Row = (K, V);

    fn fresh(&self) -> Self::State {
        Default::default()
    }

    fn step(
        &mut self,
        key: &K,
        (values, times): &mut Self::State,
        deltas: impl Iterator<Item = Among<V>>,
        mut give: impl FnMut((K, V), isize),
    ) {
        let was = (*times > 0) == self.are;
        let mut changes = Vec::new();
        for (of_values, of_times) in deltas {
            changes.extend(of_values);
            *times += of_times;
        }
        let is = (*times > 0) == self.are;
        let mut row = |v: V, diff: i64| give((key.clone(), v), diff as isize);
        match (was, is) {
            (true, false) => values.iter().for_each(|(v, count)| row(v.clone(), -count)),
            (false, true) => values.iter().for_each(|(v, count)| row(v.clone(), *count)),
            _ => {}
        }
        for (v, diff) in changes {
            if is {
                row(v.clone(), diff);
            }
            values.add(v, diff);
        }
    }

    fn contents(&self, (values, times): &Self::State) -> Among<V> {
        (bag(values), *times)
    }

    fn is_nothing((values, times): &Self::State) -> bool {
        values.is_empty() && *times == 0
    }
}
