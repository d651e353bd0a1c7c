//! `first`: the items that come first in their order, such as the largest counts.
//!
//! Each of a fixed number of shards keeps its items in order and sends on its first ones, among
//! which the first of all are found. A change costs a search in one shard and a look at the first
//! `k` there and at the end; most changes stay behind the first of their shard and go no further.
//! Which item is in which shard does not matter for the result. Bound: the collection itself.

use super::{Aggregate, Collection, Key, route};
use crate::monoid::{Bag, Items};

const SHARDS: u64 = 64;

/// Picking by order.
pub trait First<'s, T> {
    /// The first `k` items, each as often as it is there.
    fn first(self, name: &str, k: usize) -> Collection<'s, T>;
    /// The same with their rank from 1.
    fn ranked(self, name: &str, k: usize) -> Collection<'s, (i64, T)>;
}

impl<'s, T: Key> First<'s, T> for Collection<'s, T> {
    fn first(self, name: &str, k: usize) -> Collection<'s, T> {
        self.aggregate_rows(
            name,
            |item| Some(route(item) % SHARDS),
            gather,
            move |_, items, rows| rows.extend(take(items, k).cloned()),
        )
        .aggregate_rows(
            name,
            |_| Some(()),
            gather,
            move |(), items, rows| rows.extend(take(items, k).cloned()),
        )
    }

    fn ranked(self, name: &str, k: usize) -> Collection<'s, (i64, T)> {
        self.first(name, k).aggregate_rows(
            name,
            |_| Some(()),
            gather,
            move |(), items, rows| rows.extend((1..).zip(take(items, k).cloned())),
        )
    }
}

fn gather<T: Clone>(bag: &mut Bag<T>, item: &T, diff: i64) {
    bag.add(item.clone(), diff);
}

fn take<T>(items: &Items<T>, k: usize) -> impl Iterator<Item = &T> {
    let often = |n: i64| usize::try_from(n).unwrap_or(0);
    items.iter().flat_map(move |(item, n)| std::iter::repeat_n(item, often(*n))).take(k)
}
