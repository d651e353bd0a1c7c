//! `board`: rows that depend on the time as well as on the records, renewed at full hours.
//!
//! What lasts (the time a parcel is on its way) changes every row at every moment, and renewing all
//! rows at each record would cost their product. So a board looks at the clock once a period:
//! records wait for the end of the period in which they are stamped, and when the clock has come
//! there each key one of them belongs to is read with its state and that time, also if they change
//! nothing. In between the board rests, and it rests too where no record comes at all. Bound: one
//! state per key that is not zero, the rows shown, and the records of the last period.

use super::memory::{Place, Reader, Writer};
use super::passing::Periods;
use super::sealed::{Open, Remember, remember_by_clock};
use super::{Collection, Item, Key, Table, route};
use crate::clock::{Millis, Time};
use crate::monoid::Group;
use differential_dataflow::AsCollection;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::marker::PhantomData;
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
            waiting: BTreeMap::new(),
            states: Table::default(),
            items: PhantomData,
        };
        remember_by_clock(items.inner, by_key, (name, periods.clock.clone()), rows).as_collection()
    }
}

struct Rows<T, K, R: Group, O, A, F> {
    period: Millis,
    add: A,
    read: F,
    /// What came, by the end of its period.
    waiting: BTreeMap<Time, Table<K, Vec<R>>>,
    states: Table<K, Shown<R, O>>,
    items: PhantomData<fn(T)>,
}

/// The state of a key, and what is shown of it.
struct Shown<R: Group, O> {
    state: R::State,
    /// The end of the period at which it was read.
    at: Time,
    rows: Vec<O>,
}

impl<R: Group, O> Default for Shown<R, O> {
    fn default() -> Self {
        Shown { state: R::State::default(), at: Time::default(), rows: Vec::new() }
    }
}

/// What is written down.
#[derive(Serialize, Deserialize)]
enum Entry<K, R> {
    /// A key, the end of the period at which it was read, and its state.
    Shown(K, Time, R),
    /// A key, the end of the period for which something waits, and that.
    Waits(K, Time, R),
}

impl<T, K, R, O, A, F> Remember for Rows<T, K, R, O, A, F>
where
    T: Item,
    K: Key,
    R: Group,
    O: Item,
    A: Fn(&mut R, &T, i64) + 'static,
    F: Fn(&K, &R::State, Time, &mut Vec<O>) + 'static,
{
    type In = ((K, T), Time, isize);
    type Held = Table<K, R>;
    type Out = (O, Time, isize);

    fn hold(&self, ((key, item), time, diff): Self::In, ticks: &mut Open<Self::Held>) {
        (self.add)(ticks.held(time).entry(key).or_default(), &item, diff as i64);
    }

    fn step(&mut self, stamp: Time, now: i64, deltas: Self::Held, mut give: impl FnMut(Self::Out)) {
        // The clock comes to that end only when all that is stamped up to it is there.
        let end = stamp.end_of(self.period);
        let waiting = self.waiting.entry(end).or_default();
        for (key, delta) in deltas {
            waiting.entry(key).or_default().push(delta);
        }
        while let Some(due) = self.waiting.first_entry()
            && due.key().signed() <= now
        {
            let (end, deltas) = due.remove_entry();
            for (key, deltas) in deltas {
                let shown = self.states.entry(key.clone()).or_default();
                deltas.into_iter().for_each(|delta| R::absorb(&mut shown.state, delta));
                // Nearly every row has changed: what has not adds up to nothing.
                shown.rows.drain(..).for_each(|row| give((row, stamp, -1)));
                (self.read)(&key, &shown.state, end, &mut shown.rows);
                shown.at = end;
                shown.rows.iter().for_each(|row| give((row.clone(), stamp, 1)));
                if R::is_nothing(&shown.state) && shown.rows.is_empty() {
                    self.states.remove(&key);
                }
            }
        }
    }

    fn save(&self, writer: &mut Writer) {
        for (key, shown) in &self.states {
            writer.put(&Entry::Shown(key, shown.at, R::contents(&shown.state)));
        }
        for (end, keys) in &self.waiting {
            for (key, deltas) in keys {
                deltas.iter().for_each(|delta| writer.put(&Entry::Waits(key, *end, delta)));
            }
        }
    }

    fn load(&mut self, reader: &mut Reader<'_>, here: Place) {
        for entry in reader.all::<Entry<K, R>>() {
            match entry {
                Entry::Shown(key, at, contents) if here.owns(&key) => {
                    let shown = self.states.entry(key.clone()).or_default();
                    R::absorb(&mut shown.state, contents);
                    shown.at = at;
                    (self.read)(&key, &shown.state, at, &mut shown.rows);
                }
                Entry::Waits(key, end, delta) if here.owns(&key) => {
                    self.waiting.entry(end).or_default().entry(key).or_default().push(delta);
                }
                _ => {}
            }
        }
    }

    fn size(&self) -> (usize, usize) {
        let waiting: usize = self.waiting.values().map(|keys| keys.len()).sum();
        let states = self.states.capacity() * (size_of::<(K, Shown<R, O>)>() + 1);
        (self.states.len() + waiting, states)
    }
}
