//! `sliding`: for each event of a key, the totals over the last span of event time up to it.
//!
//! A key keeps its events in a log with prefix sums (see [`WindowLog`]). An event that comes or
//! goes at `t` changes the totals as of the events from `t` to less than a span later, and no
//! others; those are read before and after. Totals are a function of the key's events alone.
//! Bound: the events of each key.

use super::keyed::{Keyed, Step, change};
use super::{Collection, Item, Key};
use crate::clock::Millis;
use crate::monoid::{Bag, Event, Totals, WindowLog};

impl<'s, K: Key> Keyed<'s, K, Bag<Event>> {
    /// For each event of each key at `t` the totals over `(t - span, t]`; `row` makes the row.
    /// Events that are equal have one row, and each counts.
    pub fn sliding<O: Item>(
        self,
        span: Millis,
        row: impl Fn(&K, &Event, Totals) -> O + 'static,
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

impl<K: Key, O: Item, F: Fn(&K, &Event, Totals) -> O + 'static> Step<K, Bag<Event>>
    for Sliding<F, O>
{
    type State = WindowLog;
    type Row = O;

    fn fresh(&self) -> WindowLog {
        WindowLog::default()
    }

    fn step(
        &mut self,
        key: &K,
        log: &mut WindowLog,
        deltas: impl Iterator<Item = Bag<Event>>,
        give: impl FnMut(O, isize),
    ) {
        let events: Vec<(Event, i64)> = deltas.flatten().collect();
        let mut times: Vec<i64> = events.iter().map(|(event, _)| event.time).collect();
        times.sort_unstable();
        let Sliding { span, row, old, new } = self;
        let read = |log: &WindowLog, rows: &mut Vec<O>| {
            let mut from = i64::MIN;
            for &time in &times {
                // Up to the last event whose window reaches back to `time`, and none twice.
                let to = time.saturating_add(*span - 1);
                for (event, count) in log.between(time.max(from), to) {
                    if count > 0 {
                        rows.push(row(key, &event, log.window(event.time, *span)));
                    }
                }
                from = to.saturating_add(1);
            }
        };
        read(log, old);
        events.into_iter().for_each(|(event, diff)| log.add(event, diff));
        read(log, new);
        change(old, new, give);
    }

    fn is_nothing(log: &WindowLog) -> bool {
        log.is_empty()
    }
}
