//! The verbs of which queries are made.
//!
//! A query reads [`Rows`] (batches of columns) from its inputs and turns them into a
//! [`Collection`] of its output. The verbs that remember are `aggregate`, `due`, `dedupe` and
//! `session_pairs` (and those made of one of them with a richer value: `once`, and `top_k`,
//! `cooccur`, `sessionize`, `sliding`, `as_of` and `kept` of [`Keyed`]); every other is recomputed from what they send.
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
mod cooccur;
mod dedupe;
mod first;
mod fold;
mod kept;
mod keyed;
mod normalise;
mod once;
mod passing;
mod session_pairs;
mod sessionize;
mod settle;
mod shared;
mod sliding;
mod stretches;
mod ticks;
mod tiles;
mod top_k;

pub use aggregate::Aggregate;
pub use as_of::Follower;
pub use board::Board;
pub(crate) use collect::collect;
pub use collect::{Port, Row as AnyRow, Sealed};
pub(crate) use dedupe::{Age, Tally, dedupe, withdraws};
pub use dedupe::{Dedupe, OnDuplicate};
pub use first::First;
pub use kept::Kept;
pub use keyed::Keyed;
pub use normalise::{MinMax, Scale, ZScore, normalise};
pub use once::Once;
pub use passing::{Clock, Passing, Periods};
pub use session_pairs::{Link, SessionPairs};
pub use sessionize::Session;
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

/// A number that stands for a value: the same on every worker. Not a persistent format.
pub fn fingerprint<T: Hash>(value: &T) -> u64 {
    route(value)
}

/// The cleaned records of a stream, in shared batches of columns.
#[derive(Clone)]
pub struct Rows<'s, S> {
    pub(crate) batches: Batches<'s>,
    shape: PhantomData<S>,
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
