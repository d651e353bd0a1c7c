//! The verbs of which queries are made.
//!
//! A query reads [`Rows`] (batches of columns) from its inputs and turns them into a
//! [`Collection`] of its output.
//!
//! There is one way to remember. `sealed` is the one loop: what arrives is held by its tick, and a
//! tick that is sealed is given to a state whole. Most states lie by key (`keyed`): a verb such as
//! `aggregate`, `as_of`, `top_k`, `stretches` or `inner_join` is then a step that takes a key's
//! deltas and says which of its rows went and which came. Others look at all records in the order of
//! arrival (`arrivals`: `dedupe`, `settle`) or wait for the clock (`passing`, `board`). Each says what
//! it remembers as deltas, so that it can be written down and taken back ([`memory`]). Verbs that
//! remember nothing are those of collections themselves.
//!
//! Timely's own names stop at this room.

use crate::batch::Batch;
use crate::clock::Time;
use crate::event::{Row, Shape};
use foldhash::fast::FixedState;
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;
use std::sync::Arc;
use timely::dataflow::Stream as Timely;

mod aggregate;
mod arrivals;
mod as_of;
mod board;
mod collect;
mod dedupe;
mod first;
mod fold;
mod identity;
mod join;
mod kept;
mod keyed;
pub mod memory;
mod once;
mod passing;
mod record;
mod sealed;
mod session_pairs;
mod settle;
mod shared;
mod stretches;
mod ticks;
mod tiles;
mod top_k;
mod written_rows;

pub use aggregate::Aggregate;
pub use as_of::Follower;
pub use board::Board;
pub(crate) use collect::collect;
pub use collect::{Port, Row as AnyRow, Sealed};
pub(crate) use dedupe::{Age, Per, Tally, dedupe};
pub use dedupe::{Dedupe, OnDuplicate};
pub use first::First;
pub use join::Join;
pub use kept::Kept;
pub use keyed::Keyed;
pub use once::Once;
pub use passing::{Clock, Passing, Periods};
pub use record::{Column, Record, column};
pub use session_pairs::{Link, SessionPairs};
pub(crate) use settle::settle;
pub(crate) use shared::Shared;
pub use stretches::Stretches;
pub use tiles::{Tiled, Tiles};
pub use top_k::Place;

/// A changing multiset: updates `(data, time, diff)`.
pub type Collection<'s, D> = differential_dataflow::VecCollection<'s, Time, D, isize>;

/// What can travel between operators, workers and processes.
pub trait Item: differential_dataflow::ExchangeData + Ord {}
impl<T: differential_dataflow::ExchangeData + Ord> Item for T {}

/// What can be a key.
pub trait Key: Item + Hash {}
impl<T: Item + Hash> Key for T {}

pub(crate) type Batches<'s> = Timely<'s, Time, Vec<Arc<Batch>>>;
pub(crate) use crate::hash::Table;

/// The worker a key belongs to: the same in every process of a cluster. Not a persistent format.
#[inline]
pub(crate) fn route<K: Hash>(key: &K) -> u64 {
    FixedState::with_seed(0x7469_6465).hash_one(key)
}

/// The cleaned records of a stream, in shared batches of columns.
pub struct Rows<'s, S> {
    pub(crate) batches: Batches<'s>,
    shape: PhantomData<S>,
}

impl<S> Clone for Rows<'_, S> {
    fn clone(&self) -> Self {
        Rows { batches: self.batches.clone(), shape: PhantomData }
    }
}

impl<'s, S: Shape> Rows<'s, S> {
    pub(crate) fn new(batches: Batches<'s>) -> Self {
        Rows { batches, shape: PhantomData }
    }

    /// Each record as any number of items; a record with a negative diff takes them back.
    pub fn flat_map<D: Item, I: IntoIterator<Item = D>>(
        self,
        name: &str,
        logic: impl Fn(&Row<'_, S>) -> I + 'static,
    ) -> Collection<'s, D> {
        use differential_dataflow::AsCollection;
        use timely::container::CapacityContainerBuilder;
        use timely::dataflow::channels::pact::Pipeline;
        use timely::dataflow::operators::generic::Operator;
        self.batches
            .unary::<CapacityContainerBuilder<Vec<(D, Time, isize)>>, _, _, _>(
                Pipeline,
                name,
                |_, _| {
                    move |input, output| {
                        input.for_each(|cap, data| {
                            let mut session = output.session(&cap);
                            for batch in data.drain(..) {
                                for (time, rows) in batch.runs() {
                                    for i in rows {
                                        let row = Row::new(&batch, i);
                                        let diff = row.diff() as isize;
                                        for item in logic(&row) {
                                            session.give((item, time, diff));
                                        }
                                    }
                                }
                            }
                        });
                    }
                },
            )
            .as_collection()
    }
}
