//! `cooccur`: which items occur together, in the newest events of each key.
//!
//! Of a key (a session, a basket) its newest events count, up to a cap, by time and then by item.
//! Every two different items among them are a pair. A key keeps its events in order; a change
//! looks at the newest ones before and after, and gives only the pairs of items that came or went:
//! an event more costs as many pairs as there are other items, not all pairs. The pairs of a key
//! are a function of its events alone. Bound: the events of each key, since an older one comes
//! back into view when a newer is taken back.

use super::keyed::{Keyed, Step};
use super::{Collection, Key};
use crate::monoid::Bag;

/// An event of a key: when, and which item.
pub type Seen<T> = (i64, T);

impl<'s, K: Key, T: Key> Keyed<'s, K, Bag<Seen<T>>> {
    /// The pairs `(a, b)` with `a < b` of different items among the newest `cap` events of each
    /// key, once per key. Events are a set: one that was added twice counts once.
    pub fn cooccur(self, cap: usize) -> Collection<'s, (T, T)> {
        self.keep(Pairs { cap, old: Vec::new(), new: Vec::new() })
    }
}

struct Pairs<T> {
    cap: usize,
    old: Vec<T>,
    new: Vec<T>,
}

/// The events of a key in order with their counts, none of them zero.
type Log<T> = Vec<(Seen<T>, i64)>;

impl<K: Key, T: Key> Step<K, Bag<Seen<T>>> for Pairs<T> {
    type State = Log<T>;
    type Row = (T, T);

    fn fresh(&self) -> Log<T> {
        Log::new()
    }

    fn step(
        &mut self,
        _key: &K,
        log: &mut Log<T>,
        deltas: impl Iterator<Item = Bag<Seen<T>>>,
        mut give: impl FnMut((T, T), isize),
    ) {
        newest(log, self.cap, &mut self.old);
        for (event, diff) in deltas.flatten() {
            add(log, event, diff);
        }
        newest(log, self.cap, &mut self.new);
        changed_pairs(&self.old, &self.new, -1, &mut give);
        changed_pairs(&self.new, &self.old, 1, &mut give);
    }

    fn is_nothing(log: &Log<T>) -> bool {
        log.is_empty()
    }
}

/// Nearly every event is the latest so far, so the place is looked for from the end.
fn add<T: Ord>(log: &mut Log<T>, event: Seen<T>, diff: i64) {
    let near = log.len().saturating_sub(4);
    let place = match log.get(near) {
        Some((first, _)) if *first <= event => log[near..]
            .binary_search_by(|(other, _)| other.cmp(&event))
            .map(|i| i + near)
            .map_err(|i| i + near),
        _ => log[..near].binary_search_by(|(other, _)| other.cmp(&event)),
    };
    match place {
        Ok(i) => {
            log[i].1 = log[i].1.wrapping_add(diff);
            if log[i].1 == 0 {
                log.remove(i);
            }
        }
        Err(i) => log.insert(i, (event, diff)),
    }
}

/// The different items of the newest events, in order.
fn newest<T: Ord + Clone>(log: &Log<T>, cap: usize, items: &mut Vec<T>) {
    items.clear();
    let events = log.iter().rev().filter(|(_, count)| *count > 0).take(cap);
    items.extend(events.map(|((_, item), _)| item.clone()));
    items.sort_unstable();
    items.dedup();
}

/// The pairs of `from` that are not pairs of `other`; both ascend.
fn changed_pairs<T: Ord + Clone>(
    from: &[T],
    other: &[T],
    diff: isize,
    give: &mut impl FnMut((T, T), isize),
) {
    for (i, item) in from.iter().enumerate() {
        if other.binary_search(item).is_ok() {
            continue;
        }
        let mut pair = |a: &T, b: &T| give((a.clone(), b.clone()), diff);
        // With every item it shared `from` with; of two that changed, the first gives the pair.
        for before in &from[..i] {
            if other.binary_search(before).is_ok() {
                pair(before, item);
            }
        }
        from[i + 1..].iter().for_each(|after| pair(item, after));
    }
}
