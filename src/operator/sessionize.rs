//! `sessionize`: the events of a key in sessions, closed by a gap of inactivity.
//!
//! Two events of a key belong to one session if no step between neighbours from one to the other
//! is longer than the gap. A late event can join two sessions and a retraction can part one; both
//! touch only sessions with an event within the gap of a changed one. So a change reads the
//! sessions around it before and after, and the rest of the key's log not at all. Sessions are a
//! function of the key's events alone. Bound: the events of each key.
//!
//! Why it is enough: a session that is new has an end, or an event, that it did not have. Either
//! way an event came or went within the gap of one of its own.

use super::keyed::{Keyed, Step, change};
use super::{Collection, Item, Key};
use crate::clock::Millis;
use crate::monoid::{Bag, Group, Items};
use std::ops::Bound;

/// An event of a key: when, and what.
pub type At<T> = (i64, T);

/// The events of a session in order with their counts, all positive; never empty.
pub struct Session<'a, T> {
    /// The events.
    pub events: &'a [(&'a At<T>, i64)],
}

impl<T> Session<'_, T> {
    /// When the first event was.
    pub fn start(&self) -> i64 {
        self.events.first().map_or(0, |((time, _), _)| *time)
    }
    /// When the last event was.
    pub fn end(&self) -> i64 {
        self.events.last().map_or(0, |((time, _), _)| *time)
    }
    /// How many events there are.
    pub fn count(&self) -> i64 {
        self.events.iter().fold(0, |sum, (_, count)| sum.wrapping_add(*count))
    }
}

impl<'s, K: Key, T: Item> Keyed<'s, K, Bag<At<T>>> {
    /// The sessions of each key: a step longer than `gap` begins another; `row` makes a session's
    /// row.
    pub fn sessionize<O: Item>(
        self,
        gap: Millis,
        row: impl Fn(&K, Session<'_, T>) -> O + 'static,
    ) -> Collection<'s, O> {
        let gap = i64::try_from(gap.0).unwrap_or(i64::MAX);
        self.keep(Sessions { gap, row, old: Vec::new(), new: Vec::new() })
    }
}

struct Sessions<F, O> {
    gap: i64,
    row: F,
    old: Vec<O>,
    new: Vec<O>,
}

impl<K: Key, T: Item, O: Item, F: Fn(&K, Session<'_, T>) -> O + 'static> Step<K, Bag<At<T>>>
    for Sessions<F, O>
{
    type State = Items<At<T>>;
    type Row = O;

    fn fresh(&self) -> Items<At<T>> {
        Items::new()
    }

    fn step(
        &mut self,
        key: &K,
        log: &mut Items<At<T>>,
        deltas: impl Iterator<Item = Bag<At<T>>>,
        give: impl FnMut(O, isize),
    ) {
        let deltas: Vec<_> = deltas.collect();
        let mut changed: Vec<At<T>> =
            deltas.iter().flat_map(|bag| bag.items().map(|(event, _)| event.clone())).collect();
        changed.sort_unstable_by_key(|(time, _)| *time);
        changed.dedup_by_key(|(time, _)| *time);
        around(log, &changed, self.gap, |session| self.old.push((self.row)(key, session)));
        deltas.into_iter().for_each(|bag| Bag::absorb(log, bag));
        around(log, &changed, self.gap, |session| self.new.push((self.row)(key, session)));
        change(&mut self.old, &mut self.new, give);
    }

    fn is_nothing(log: &Items<At<T>>) -> bool {
        log.is_empty()
    }
}

/// The sessions with an event within the gap of one of these times, each once; `near` ascends by
/// time, and of its entries only the times matter.
fn around<T: Ord>(
    log: &Items<At<T>>,
    near: &[At<T>],
    gap: i64,
    mut see: impl FnMut(Session<'_, T>),
) {
    let mut events: Vec<(&At<T>, i64)> = Vec::new();
    // The last event that was seen. Sessions are seen whole and in order, so nothing before it
    // remains to be seen, and nothing after it is within the gap of it.
    let mut seen: Option<&At<T>> = None;
    for pivot in near {
        if seen.is_some_and(|seen| pivot.0 <= seen.0) {
            continue;
        }
        events.clear();
        let from = seen.map_or(Bound::Unbounded, Bound::Excluded);
        let mut at = pivot.0;
        for (event, count) in log.range((from, Bound::Excluded(pivot))).rev() {
            if *count > 0 {
                if at.saturating_sub(event.0) > gap {
                    break;
                }
                at = event.0;
                events.push((event, *count));
            }
        }
        events.reverse();
        at = pivot.0;
        for (event, count) in log.range(pivot..) {
            if *count > 0 {
                if event.0.saturating_sub(at) > gap {
                    break;
                }
                at = event.0;
                events.push((event, *count));
            }
        }
        // What lies before and what lies after can be two sessions, if nothing is there itself.
        for session in events.chunk_by(|(a, _), (b, _)| b.0.saturating_sub(a.0) <= gap) {
            see(Session { events: session });
        }
        seen = events.last().map(|(event, _)| *event).or(seen);
    }
}
