//! `stretches`: those into which a key's items fall by a gap of inactivity (session windows).
//!
//! The items of each key are kept in the order of their times, with what parts of them add up to.
//! When a tick is sealed, the stretches that its changes touch are read before and after: those are
//! the ones that reach within a gap of a changed item, and afterwards also the parts of what was
//! there before. All others are left alone, and of these only sums are read: a visitor of years
//! costs no more than one of a day, nor does a session that never ends. What a key's rows are
//! follows from its items only: a late item joins, a retraction parts. Bound: the items.

use super::keyed::{Keyed, Step, change};
use super::{Collection, Item, Key};
use crate::monoid::{Bag, Stretch, Summary, Timeline};
use std::marker::PhantomData;

/// Cutting a key's items at gaps.
pub trait Stretches<'s, K, T> {
    /// One row for each stretch of `(key, (event time, item))`; neighbours at most `gap`
    /// milliseconds apart belong together. `S` is what the items of a stretch add up to.
    fn stretches<S: Summary<(i64, T)> + 'static, O: Item>(
        self,
        name: &str,
        gap: impl Fn(&K) -> i64 + 'static,
        read: impl Fn(&K, Stretch<S>) -> O + 'static,
    ) -> Collection<'s, O>;
}

impl<'s, K: Key, T: Item> Stretches<'s, K, T> for Collection<'s, (K, (i64, T))> {
    fn stretches<S: Summary<(i64, T)> + 'static, O: Item>(
        self,
        name: &str,
        gap: impl Fn(&K) -> i64 + 'static,
        read: impl Fn(&K, Stretch<S>) -> O + 'static,
    ) -> Collection<'s, O> {
        let (old, new, sum) = (Vec::new(), Vec::new(), PhantomData);
        let add = |bag: &mut Bag<(i64, T)>, item, diff| bag.add(item, diff);
        Keyed::of(self, name, add).keep(Cutting { gap, read, old, new, sum })
    }
}

struct Cutting<G, F, S, O> {
    gap: G,
    read: F,
    old: Vec<O>,
    new: Vec<O>,
    sum: PhantomData<S>,
}

impl<K, T, S, O, G, F> Step<K, Bag<(i64, T)>> for Cutting<G, F, S, O>
where
    K: Key,
    T: Item,
    S: Summary<(i64, T)> + 'static,
    O: Item,
    G: Fn(&K) -> i64 + 'static,
    F: Fn(&K, Stretch<S>) -> O + 'static,
{
    type State = Timeline<T, S>;
    type Row = O;

    fn fresh(&self) -> Timeline<T, S> {
        Timeline::default()
    }

    fn step(
        &mut self,
        key: &K,
        items: &mut Timeline<T, S>,
        deltas: impl Iterator<Item = Bag<(i64, T)>>,
        give: impl FnMut(O, isize),
    ) {
        let Cutting { gap, read, old, new, .. } = self;
        let gap = gap(key);
        let mut changes: Vec<((i64, T), i64)> = deltas.flatten().collect();
        changes.sort_unstable();
        let around = |t: i64| (t.saturating_sub(gap), t.saturating_add(gap));
        let mut spans: Vec<_> = changes.iter().map(|((t, _), _)| around(*t)).collect();
        for stretch in items.stretches(&spans, gap) {
            spans.push((stretch.first, stretch.last));
            old.push(read(key, stretch));
        }
        spans.sort_unstable();
        for ((t, item), diff) in changes {
            items.add(t, item, diff);
        }
        new.extend(items.stretches(&spans, gap).into_iter().map(|stretch| read(key, stretch)));
        change(old, new, give);
    }

    fn contents(&self, items: &Timeline<T, S>) -> Bag<(i64, T)> {
        items.items().map(|(item, count)| (item.clone(), count)).collect()
    }

    fn take_back(&mut self, _: &K, items: &mut Timeline<T, S>, contents: Bag<(i64, T)>) {
        contents.into_iter().for_each(|((t, item), count)| items.add(t, item, count));
    }

    fn forget(&mut self, key: &K, items: &mut Timeline<T, S>, until: i64) {
        // What comes after `until` is further than a gap from these, and from the next stretch.
        let until = until.saturating_sub((self.gap)(key));
        let over = items.stretches(&[(i64::MIN, until)], (self.gap)(key)).into_iter();
        if let Some(last) = over.map(|stretch| stretch.last).filter(|last| *last <= until).max() {
            items.forget(last);
        }
    }

    fn is_nothing(items: &Timeline<T, S>) -> bool {
        items.is_empty()
    }
}
