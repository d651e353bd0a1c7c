//! `sliding`: for each event of a key, the totals over the last span of event time up to it.
//!
//! A key keeps its events in a log that knows its totals (see [`DatedLog`]). An event that comes or
//! goes at `t` changes the totals as of the events from `t` to less than a span later, and no
//! others; those are read before and after. Totals are a function of the key's events alone.
//! Bound: the events of each key.

use super::keyed::{Keyed, Step, change};
use super::{Collection, Item, Key};
use crate::clock::Millis;
use crate::monoid::{Bag, Dated, DatedLog, Totals};

impl<'s, K: Key, T: Item> Keyed<'s, K, Bag<Dated<T>>> {
    /// For each event of each key at `t` the totals over `(t - span, t]`; `row` makes the row.
    /// Events that are equal have one row, and each counts.
    pub fn sliding<O: Item>(
        self,
        span: Millis,
        row: impl Fn(&K, &Dated<T>, Totals) -> O + 'static,
    ) -> Collection<'s, O> {
        let span = i64::try_from(span.0).unwrap_or(i64::MAX);
        self.keep(Sliding { span, row, old: Vec::new(), new: Vec::new() })
    }
}

struct Sliding<F, O> {
    span: i64,
    row: F,
    old: Vec<O>,
    new: Vec<O>,
}

impl<K: Key, T: Item, O: Item, F: Fn(&K, &Dated<T>, Totals) -> O + 'static> Step<K, Bag<Dated<T>>>
    for Sliding<F, O>
{
    type State = DatedLog<T>;
    type Row = O;

    fn fresh(&self) -> DatedLog<T> {
        DatedLog::default()
    }

    fn step(
        &mut self,
        key: &K,
        log: &mut DatedLog<T>,
        deltas: impl Iterator<Item = Bag<Dated<T>>>,
        give: impl FnMut(O, isize),
    ) {
        let events: Vec<(Dated<T>, i64)> = deltas.flatten().collect();
        let mut times: Vec<i64> = events.iter().map(|(event, _)| event.time).collect();
        times.sort_unstable();
        let Sliding { span, row, old, new } = self;
        let read = |log: &DatedLog<T>, rows: &mut Vec<O>| {
            let mut done = i64::MIN;
            for &time in &times {
                // Up to the last event whose window reaches back to `time`, and none twice.
                let (after, until) = (done.max(time - 1), time.saturating_add(*span - 1));
                for (event, _) in log.between(after, until) {
                    rows.push(row(key, event, log.totals(event.time, *span)));
                }
                done = done.max(until);
            }
        };
        read(log, old);
        for (event, diff) in events {
            log.add(event, diff);
        }
        read(log, new);
        change(old, new, give);
    }

    fn is_nothing(log: &DatedLog<T>) -> bool {
        log.is_empty()
    }
}
