//! `top_k`: the heaviest items of each group, by weights folded from records.
//!
//! A group keeps the weight of every item and, in order, the few that are heaviest (see
//! [`TopK`]); it remembers the rows it gave last, so of a tick only those rows leave that changed.
//! Ties go to the lesser item, so rows are a function of the weights alone. Items whose weight is
//! not positive are not listed. Bound: one entry per group and item whose weight is not zero.

use super::keyed::{Keyed, Step};
use super::{Collection, Item, Key};
use crate::monoid::{TopK, Weights};

/// A place in a group's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a, T> {
    /// From 1.
    pub rank: i64,
    /// The item.
    pub item: &'a T,
    /// Its weight.
    pub weight: i128,
}

impl<'s, K: Key, T: Key> Keyed<'s, K, Weights<T>> {
    /// The `k` items of each key with the largest weights (sums of any size), ties to the
    /// lesser item; `row` makes the row of a place.
    pub fn top_k<O: Item>(
        self,
        k: usize,
        row: impl Fn(&K, Place<'_, T>) -> O + 'static,
    ) -> Collection<'s, O> {
        self.keep(Top { k, row })
    }
}

struct Top<F> {
    k: usize,
    row: F,
}

impl<K: Key, T: Key, O: Item, F: Fn(&K, Place<'_, T>) -> O + 'static> Step<K, Weights<T>>
    for Top<F>
{
    type State = TopK<T>;
    type Row = O;

    fn fresh(&self) -> TopK<T> {
        TopK::new(self.k)
    }

    fn step(
        &mut self,
        key: &K,
        state: &mut TopK<T>,
        deltas: impl Iterator<Item = Weights<T>>,
        mut give: impl FnMut(O, isize),
    ) {
        for delta in deltas {
            let (near, far) = delta.into_parts();
            near.into_iter().for_each(|(item, weight)| state.add(&item, weight));
            far.into_iter().for_each(|(item, weight)| state.add_any(&item, weight));
        }
        state.diff_since_last(|item, weight, rank, diff| {
            let place = Place { rank: rank as i64 + 1, item, weight };
            give((self.row)(key, place), diff as isize);
        });
    }

    fn contents(&self, state: &TopK<T>) -> Weights<T> {
        let mut contents = Weights::default();
        state.weights().into_iter().for_each(|(item, w)| contents.add_any(item.clone(), w));
        contents
    }

    fn is_nothing(state: &TopK<T>) -> bool {
        state.is_empty()
    }
}
