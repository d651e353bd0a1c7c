//! `keyed` and `aggregate`: fold records to one value per key, keep it, and read rows off it.
//!
//! Two stages. The first is stateless: it folds the records of one message (see `fold`) into
//! deltas by key before anything is exchanged. The second keeps one state per key (see `keyed`)
//! and sends, for each key that changed in a tick, its old rows out and its new rows in. A delta
//! is an element of a commutative group, so the division of records among messages and workers
//! cannot matter: the row after a tick is a function of all the records up to it.

use super::fold::Fold;
use super::keyed::{DeltaBuilder, Deltas, Keyed};
use super::{Collection, Item, Key, Rows};
use crate::event::{Row, Shape};
use crate::monoid::Group;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;

/// Folding to rows per key.
pub trait Aggregate<'s, T>: Sized {
    /// `add` puts each item that has a key into the key's group; the verbs of [`Keyed`] say what
    /// is made of it.
    fn keyed<K: Key, R: Group>(
        self,
        name: &str,
        key: impl Fn(&T) -> Option<K> + 'static,
        add: impl Fn(&mut R, &T, i64) + 'static,
    ) -> Keyed<'s, K, R>;

    /// `keyed`, and `read` makes the rows of a key from its state.
    fn aggregate_rows<K: Key, R: Group, O: Item>(
        self,
        name: &str,
        key: impl Fn(&T) -> Option<K> + 'static,
        add: impl Fn(&mut R, &T, i64) + 'static,
        read: impl Fn(&K, &R::State, &mut Vec<O>) + 'static,
    ) -> Collection<'s, O> {
        self.keyed(name, key, add).rows(read)
    }

    /// As `aggregate_rows`, with at most one row per key.
    fn aggregate<K: Key, R: Group, O: Item>(
        self,
        name: &str,
        key: impl Fn(&T) -> Option<K> + 'static,
        add: impl Fn(&mut R, &T, i64) + 'static,
        read: impl Fn(&K, &R::State) -> Option<O> + 'static,
    ) -> Collection<'s, O> {
        self.aggregate_rows(name, key, add, move |key, state, rows| rows.extend(read(key, state)))
    }
}

impl<'s, S: Shape> Rows<'s, S> {
    /// `add` puts each record that has a key into the key's group; the verbs of [`Keyed`] say
    /// what is made of it.
    pub fn keyed<K: Key, R: Group>(
        self,
        name: &str,
        key: impl Fn(&Row<'_, S>) -> Option<K> + 'static,
        add: impl Fn(&mut R, &Row<'_, S>, i64) + 'static,
    ) -> Keyed<'s, K, R> {
        let add = move |group: &mut R, row: &Row<'_, S>, _| add(group, row, row.diff());
        self.clocked(name, move |row, _| key(row), add)
    }

    /// As `keyed`, with the clock of the record's partition in milliseconds when it came, not yet
    /// rounded up to a tick. What arrived has arrived: a record that takes another back
    /// ([`Row::diff`]) is an arrival of its own.
    pub fn clocked<K: Key, R: Group>(
        self,
        name: &str,
        key: impl Fn(&Row<'_, S>, i64) -> Option<K> + 'static,
        add: impl Fn(&mut R, &Row<'_, S>, i64) + 'static,
    ) -> Keyed<'s, K, R> {
        let deltas: Deltas<'s, K, R> =
            self.batches.unary::<DeltaBuilder<K, R>, _, _, _>(Pipeline, name, |_, _| {
                let mut fold = Fold::default();
                move |input, output| {
                    input.for_each(|cap, data| {
                        let mut session = output.session(&cap);
                        for batch in data.drain(..) {
                            let mut clock = batch.clock;
                            for (time, rows) in batch.runs() {
                                for i in rows {
                                    let row = Row::new(&batch, i);
                                    clock = batch.clock_at(i, clock);
                                    let Some(key) = key(&row, clock) else { continue };
                                    add(fold.group(key), &row, clock);
                                }
                                fold.drain(|key, delta| session.give((key, time, delta)));
                            }
                        }
                    });
                }
            });
        Keyed { deltas, name: name.to_owned(), last: None, dated: false }
    }

    /// `keyed`, and `read` makes the rows of a key from its state.
    pub fn aggregate_rows<K: Key, R: Group, O: Item>(
        self,
        name: &str,
        key: impl Fn(&Row<'_, S>) -> Option<K> + 'static,
        add: impl Fn(&mut R, &Row<'_, S>, i64) + 'static,
        read: impl Fn(&K, &R::State, &mut Vec<O>) + 'static,
    ) -> Collection<'s, O> {
        self.keyed(name, key, add).rows(read)
    }

    /// As `aggregate_rows`, with at most one row per key.
    pub fn aggregate<K: Key, R: Group, O: Item>(
        self,
        name: &str,
        key: impl Fn(&Row<'_, S>) -> Option<K> + 'static,
        add: impl Fn(&mut R, &Row<'_, S>, i64) + 'static,
        read: impl Fn(&K, &R::State) -> Option<O> + 'static,
    ) -> Collection<'s, O> {
        self.aggregate_rows(name, key, add, move |key, state, rows| rows.extend(read(key, state)))
    }
}

impl<'s, T: Item> Aggregate<'s, T> for Collection<'s, T> {
    fn keyed<K: Key, R: Group>(
        self,
        name: &str,
        key: impl Fn(&T) -> Option<K> + 'static,
        add: impl Fn(&mut R, &T, i64) + 'static,
    ) -> Keyed<'s, K, R> {
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
        Keyed { deltas, name: name.to_owned(), last: None, dated: false }
    }
}
