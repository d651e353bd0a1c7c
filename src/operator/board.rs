//! `board`: rows that depend on the time as well as on the records, renewed at full hours.
//!
//! What lasts (the time a parcel is on its way) changes every row at every moment, and renewing all
//! rows at each record would cost their product. So a board looks at the clock once a period:
//! records wait for the end of the period in which they are stamped, and when the clock has come
//! there each key one of them belongs to is read with its state and that time, also if they change
//! nothing. In between the board rests, and it rests too where no record comes at all. Bound: one
//! state per key that is not zero, the rows shown, and the records of the last period.

use super::passing::{Periods, Waiting, wait};
use super::{Collection, Item, Key, Table, route};
use crate::clock::{Millis, Time};
use crate::monoid::Group;
use std::collections::BTreeMap;
use timely::dataflow::channels::pact::Exchange;

/// Reading rows per key at full hours.
pub trait Board<'s, T>: Sized {
    /// As `aggregate_rows`, but the rows of a key change at the end of a period only, of which
    /// `read` is told; a key is read there if some item of it came since the last.
    fn board<K, R, O>(
        self,
        name: &str,
        periods: &Periods<'s>,
        key: impl Fn(&T) -> Option<K> + 'static,
        add: impl Fn(&mut R, &T, i64) + 'static,
        read: impl Fn(&K, &R::State, Time, &mut Vec<O>) + 'static,
    ) -> Collection<'s, O>
    where
        K: Key,
        R: Group,
        O: Item;
}

impl<'s, T: Item> Board<'s, T> for Collection<'s, T> {
    fn board<K, R, O>(
        self,
        name: &str,
        periods: &Periods<'s>,
        key: impl Fn(&T) -> Option<K> + 'static,
        add: impl Fn(&mut R, &T, i64) + 'static,
        read: impl Fn(&K, &R::State, Time, &mut Vec<O>) + 'static,
    ) -> Collection<'s, O>
    where
        K: Key,
        R: Group,
        O: Item,
    {
        let by_key = Exchange::new(|((key, _), _, _): &((K, T), Time, isize)| route(key));
        let items = self.flat_map(move |item| key(&item).map(|key| (key, item)));
        let rows = Rows {
            period: periods.period,
            add,
            read,
            waiting: BTreeMap::<Time, Table<K, R>>::new(),
            states: Table::default(),
        };
        wait(items, by_key, (name, periods.clock.clone()), rows)
    }
}

struct Rows<K, R: Group, O, A, F> {
    period: Millis,
    add: A,
    read: F,
    /// What came, by the end of its period.
    waiting: BTreeMap<Time, Table<K, R>>,
    states: Table<K, (R::State, Vec<O>)>,
}

impl<T, K, R, O, A, F> Waiting<(K, T)> for Rows<K, R, O, A, F>
where
    T: Item,
    K: Key,
    R: Group,
    O: Item,
    A: Fn(&mut R, &T, i64) + 'static,
    F: Fn(&K, &R::State, Time, &mut Vec<O>) + 'static,
{
    type Given = O;

    fn take(&mut self, (key, item): (K, T), stamp: Time, diff: isize) {
        // The clock comes to that end only when all that is stamped up to it is there.
        let deltas = self.waiting.entry(stamp.end_of(self.period)).or_default();
        (self.add)(deltas.entry(key).or_default(), &item, diff as i64);
    }

    fn look(&mut self, stamp: Time, now: i64, out: &mut Vec<(O, Time, isize)>) {
        while let Some(due) = self.waiting.first_entry()
            && due.key().signed() <= now
        {
            let (end, deltas) = due.remove_entry();
            for (key, delta) in deltas {
                let (state, shown) = self.states.entry(key.clone()).or_default();
                R::absorb(state, delta);
                // Nearly every row has changed: what has not adds up to nothing.
                out.extend(shown.drain(..).map(|row| (row, stamp, -1)));
                (self.read)(&key, state, end, shown);
                out.extend(shown.iter().map(|row| (row.clone(), stamp, 1)));
                if R::is_nothing(state) && shown.is_empty() {
                    self.states.remove(&key);
                }
            }
        }
    }
}
