//! `aggregate`: fold records to one value per key, keep it, and read rows off it.
//!
//! Two stages. The first is stateless: it folds the records of one message, run of equal stamps by
//! run, into one delta per key before anything is exchanged. The second keeps one state per key in
//! a hash table; when a tick is sealed it absorbs the tick's deltas and sends, for each key that
//! changed, its old row out and its new row in. A delta is an element of a commutative group, so
//! the division of records among messages and workers cannot matter: the row after a tick is a
//! function of all the records up to it. Bound: one state per key that is not zero.

use super::ticks::Ticks;
use super::{Collection, Key, Rows, Table, route};
use crate::clock::Time;
use crate::event::{Row, Shape};
use crate::monoid::Group;
use differential_dataflow::AsCollection;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream as Timely;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::Operator;

type Deltas<'s, K, R> = Timely<'s, Time, Vec<(K, Time, R)>>;
type DeltaBuilder<K, R> = CapacityContainerBuilder<Vec<(K, Time, R)>>;

/// Folding to rows per key.
pub trait Aggregate<'s, T>: Sized {
    /// `add` puts each item that has a key into the key's group; `read` makes the rows of a key
    /// from its state.
    fn aggregate_rows<K, R, O>(
        self,
        name: &str,
        key: impl Fn(&T) -> Option<K> + 'static,
        add: impl Fn(&mut R, &T, i64) + 'static,
        read: impl Fn(&K, &R::State, &mut Vec<O>) + 'static,
    ) -> Collection<'s, O>
    where
        K: Key,
        R: Group,
        O: super::Item;

    /// As `aggregate_rows`, with at most one row per key.
    fn aggregate<K, R, O>(
        self,
        name: &str,
        key: impl Fn(&T) -> Option<K> + 'static,
        add: impl Fn(&mut R, &T, i64) + 'static,
        read: impl Fn(&K, &R::State) -> Option<O> + 'static,
    ) -> Collection<'s, O>
    where
        K: Key,
        R: Group,
        O: super::Item,
    {
        self.aggregate_rows(name, key, add, move |key, state, rows| rows.extend(read(key, state)))
    }
}

impl<'s, S: Shape> Rows<'s, S> {
    /// Folds records to rows per key: `add` puts each record that has a key into the key's
    /// group, `read` makes the rows of a key from its state.
    pub fn aggregate_rows<K, R, O>(
        self,
        name: &str,
        key: impl Fn(&Row<'_, S>) -> Option<K> + 'static,
        add: impl Fn(&mut R, &Row<'_, S>, i64) + 'static,
        read: impl Fn(&K, &R::State, &mut Vec<O>) + 'static,
    ) -> Collection<'s, O>
    where
        K: Key,
        R: Group,
        O: super::Item,
    {
        let deltas: Deltas<'s, K, R> =
            self.batches.unary::<DeltaBuilder<K, R>, _, _, _>(Pipeline, name, |_, _| {
                let mut fold = Fold::default();
                move |input, output| {
                    input.for_each(|cap, data| {
                        let mut session = output.session(&cap);
                        for batch in data.drain(..) {
                            for (time, rows) in batch.runs() {
                                for i in rows {
                                    let row = Row::new(&batch, i);
                                    let Some(key) = key(&row) else { continue };
                                    add(fold.group(key), &row, row.diff());
                                }
                                fold.drain(|key, delta| session.give((key, time, delta)));
                            }
                        }
                    });
                }
            });
        keep(deltas, name, read)
    }

    /// As `aggregate_rows`, with at most one row per key.
    pub fn aggregate<K, R, O>(
        self,
        name: &str,
        key: impl Fn(&Row<'_, S>) -> Option<K> + 'static,
        add: impl Fn(&mut R, &Row<'_, S>, i64) + 'static,
        read: impl Fn(&K, &R::State) -> Option<O> + 'static,
    ) -> Collection<'s, O>
    where
        K: Key,
        R: Group,
        O: super::Item,
    {
        self.aggregate_rows(name, key, add, move |key, state, rows| rows.extend(read(key, state)))
    }
}

impl<'s, T: super::Item> Aggregate<'s, T> for Collection<'s, T> {
    fn aggregate_rows<K, R, O>(
        self,
        name: &str,
        key: impl Fn(&T) -> Option<K> + 'static,
        add: impl Fn(&mut R, &T, i64) + 'static,
        read: impl Fn(&K, &R::State, &mut Vec<O>) + 'static,
    ) -> Collection<'s, O>
    where
        K: Key,
        R: Group,
        O: super::Item,
    {
        let deltas: Deltas<'s, K, R> =
            self.inner.unary::<DeltaBuilder<K, R>, _, _, _>(Pipeline, name, |_, _| {
                let mut fold = Fold::default();
                move |input, output| {
                    input.for_each(|cap, data| {
                        let mut session = output.session(&cap);
                        // Messages are mostly in runs of one time; a time that comes back is
                        // folded a second time, which the group allows.
                        for run in data.chunk_by(|a, b| a.1 == b.1) {
                            for (item, _, diff) in run {
                                if let Some(key) = key(item) {
                                    add(fold.group(key), item, *diff as i64);
                                }
                            }
                            let time = run[0].1; // a chunk is never empty
                            fold.drain(|key, delta| session.give((key, time, delta)));
                        }
                        data.clear();
                    });
                }
            });
        keep(deltas, name, read)
    }
}

/// Deltas of one run, by key. Most streams visit few keys in a run (an hour, mostly the same),
/// so the last key is tried first and a hash table only joins in when there are many.
struct Fold<K, R> {
    groups: Vec<(K, R)>,
    last: usize,
    index: Table<K, usize>,
}

/// Up to here a search through the groups is cheaper than hashing.
const FEW: usize = 8;

impl<K, R> Default for Fold<K, R> {
    fn default() -> Self {
        Fold { groups: Vec::new(), last: 0, index: Table::default() }
    }
}

impl<K: Key, R: Group> Fold<K, R> {
    #[inline]
    fn group(&mut self, key: K) -> &mut R {
        let hit = self.groups.get(self.last).is_some_and(|(k, _)| *k == key);
        if !hit {
            self.last = self.find(key);
        }
        &mut self.groups[self.last].1
    }

    fn find(&mut self, key: K) -> usize {
        let n = self.groups.len();
        if n < FEW {
            if let Some(i) = self.groups.iter().position(|(k, _)| *k == key) {
                return i;
            }
        } else {
            if n == FEW && self.index.is_empty() {
                self.index.extend(self.groups.iter().enumerate().map(|(i, (k, _))| (k.clone(), i)));
            }
            if let Some(&i) = self.index.get(&key) {
                return i;
            }
            self.index.insert(key.clone(), n);
        }
        self.groups.push((key, R::default()));
        n
    }

    fn drain(&mut self, mut give: impl FnMut(K, R)) {
        for (key, delta) in self.groups.drain(..) {
            if !delta.is_zero() {
                give(key, delta);
            }
        }
        self.last = 0;
        self.index.clear();
    }
}

/// The second stage: one state per key.
fn keep<'s, K, R, O>(
    deltas: Deltas<'s, K, R>,
    name: &str,
    read: impl Fn(&K, &R::State, &mut Vec<O>) + 'static,
) -> Collection<'s, O>
where
    K: Key,
    R: Group,
    O: super::Item,
{
    let by_key = Exchange::new(|(key, _, _): &(K, Time, R)| route(key));
    deltas
        .unary_frontier::<CapacityContainerBuilder<Vec<(O, Time, isize)>>, _, _, _>(
            by_key,
            name,
            |_, _| {
                let mut ticks: Ticks<Vec<(K, R)>> = Ticks::default();
                let mut states: Table<K, R::State> = Table::default();
                let (mut old, mut new) = (Vec::new(), Vec::new());
                move |(input, frontier), output| {
                    input.for_each(|cap, data| {
                        ticks.hold(&cap);
                        for (key, time, delta) in data.drain(..) {
                            ticks.at(time).push((key, delta));
                        }
                    });
                    ticks.release(frontier, |cap, time, mut deltas| {
                        let mut session = output.session(cap);
                        // Equal keys side by side, so that a key changes once per tick.
                        if deltas.len() > 1 {
                            deltas.sort_unstable_by(|a, b| a.0.cmp(&b.0));
                        }
                        let mut deltas = deltas.into_iter().peekable();
                        while let Some((key, delta)) = deltas.next() {
                            let state = states.entry(key.clone()).or_default();
                            read(&key, state, &mut old);
                            R::absorb(state, delta);
                            while let Some((_, more)) = deltas.next_if(|(k, _)| *k == key) {
                                R::absorb(state, more);
                            }
                            read(&key, state, &mut new);
                            if R::is_nothing(state) {
                                states.remove(&key);
                            }
                            change(&mut old, &mut new, |row, diff| session.give((row, time, diff)));
                        }
                    });
                }
            },
        )
        .as_collection()
}

/// Gives the rows that went and the rows that came, and leaves both lists empty.
pub(super) fn change<O: Ord>(old: &mut Vec<O>, new: &mut Vec<O>, mut give: impl FnMut(O, isize)) {
    if old != new {
        old.sort_unstable();
        new.sort_unstable();
        let (mut gone, mut come) = (old.drain(..).peekable(), new.drain(..).peekable());
        loop {
            match (gone.peek(), come.peek()) {
                (Some(a), Some(b)) if a == b => {
                    gone.next();
                    come.next();
                }
                (Some(a), Some(b)) if a < b => gone.next().into_iter().for_each(|a| give(a, -1)),
                (_, Some(_)) => come.next().into_iter().for_each(|b| give(b, 1)),
                (Some(_), None) => gone.next().into_iter().for_each(|a| give(a, -1)),
                (None, None) => break,
            }
        }
    }
    old.clear();
    new.clear();
}
