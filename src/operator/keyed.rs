//! Records by key, and what is kept per key: the second stage of every verb that remembers by key.
//!
//! What is kept of a key is what its deltas add up to, so it is written down as one delta
//! ([`Step::contents`]) and taken back by a step that sends nothing.
//!
//! A key's state lives in an open hash table. When a tick is sealed its deltas are chained by key
//! in a first walk through them, so that a key is changed once per tick whatever it received, and
//! in a second walk each changed key takes its step: it absorbs its deltas and gives the rows that
//! went and the rows that came. Deltas are elements of commutative groups, so the order of a chain
//! (which depends on who sent what first) cannot matter. Bound: one state per key that is not
//! nothing.

use super::memory::{Place, Reader, Writer};
use super::sealed::{Open, Remember, remember};
use super::{Collection, Item, Key, route};
use crate::clock::Time;
use crate::hash::TableState;
use crate::monoid::Group;
use differential_dataflow::AsCollection;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::BuildHasher;
use std::marker::PhantomData;
use std::rc::Rc;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream as Timely;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::generic::Operator;

pub(super) type Deltas<'s, K, R> = Timely<'s, Time, Vec<(K, Time, R)>>;
pub(super) type DeltaBuilder<K, R> = CapacityContainerBuilder<Vec<(K, Time, R)>>;

/// Records folded by key, about to be kept in the way a verb says.
pub struct Keyed<'s, K, R> {
    pub(super) deltas: Deltas<'s, K, R>,
    pub(super) name: String,
    /// The last event time whose records can have a key; none where any can.
    pub(super) last: Option<LastOf<K>>,
    /// Whether a key's rows are final when its latest item is.
    pub(super) dated: bool,
}

/// The last event time whose records can have a key.
type LastOf<K> = Rc<dyn Fn(&K) -> i64>;

/// What happens to a key in a tick.
pub(super) trait Step<K, R>: 'static {
    /// What is kept per key.
    type State: 'static;
    /// What comes out.
    type Row: Item;
    /// The state of a key never seen.
    fn fresh(&self) -> Self::State;
    /// Absorbs the tick's deltas, at least one, and gives the change of the key's rows.
    fn step(
        &mut self,
        key: &K,
        state: &mut Self::State,
        deltas: impl Iterator<Item = R>,
        give: impl FnMut(Self::Row, isize),
    );
    /// Gives what was kept back until all keys of the tick had changed.
    fn end_of_tick(&mut self, _give: impl FnMut(Self::Row, isize)) {}
    /// The delta that makes this state of a fresh one.
    fn contents(&self, state: &Self::State) -> R;
    /// Takes back what was written down; what would be sent for it was sent before.
    fn take_back(&mut self, key: &K, state: &mut Self::State, contents: R) {
        self.step(key, state, std::iter::once(contents), |_, _| {});
    }
    /// Drops what only deltas of event times up to `until` could change.
    fn forget(&mut self, _key: &K, _state: &mut Self::State, _until: i64) {}
    /// Whether a state is that of a key never seen, so that it can be forgotten.
    fn is_nothing(state: &Self::State) -> bool;
}

/// The end of a chain.
const END: u32 = u32::MAX;

struct Slot<K, S> {
    key: K,
    state: S,
    /// The latest of the tick's deltas of this key; `END` between ticks.
    head: u32,
}

/// The states of all keys of this worker.
struct States<K, S> {
    slots: HashTable<Slot<K, S>>,
    hasher: TableState,
    /// The keys that changed in the tick: where their first delta and their slot are.
    touched: Vec<(u32, usize)>,
    /// For each delta the one before it of the same key.
    chain: Vec<u32>,
}

impl<K: Key, S> States<K, S> {
    fn new() -> Self {
        States {
            slots: HashTable::new(),
            hasher: TableState::default(),
            touched: Vec::new(),
            chain: Vec::new(),
        }
    }

    /// Chains the deltas of each key; `fresh` makes the state of a new one.
    fn link<R>(&mut self, deltas: &[(K, R)], fresh: impl Fn() -> S) {
        self.chain.clear();
        // A tick of 2^32 deltas does not fit into memory.
        for (i, (key, _)) in (0u32..).zip(deltas) {
            if self.slots.len() == self.slots.capacity() {
                self.grow(deltas);
            }
            let hasher = &self.hasher;
            let hash = hasher.hash_one(key);
            let entry = self.slots.entry(hash, |s| s.key == *key, |s| hasher.hash_one(&s.key));
            let entry = match entry {
                Entry::Occupied(entry) => entry,
                Entry::Vacant(entry) => {
                    entry.insert(Slot { key: key.clone(), state: fresh(), head: END })
                }
            };
            let place = entry.bucket_index();
            let slot = entry.into_mut();
            if slot.head == END {
                self.touched.push((i, place));
            }
            self.chain.push(slot.head);
            slot.head = i;
        }
    }

    /// Makes room, which moves the slots.
    #[cold]
    fn grow<R>(&mut self, deltas: &[(K, R)]) {
        let hasher = &self.hasher;
        self.slots.reserve(1, |s| hasher.hash_one(&s.key));
        for (first, place) in &mut self.touched {
            let key = &deltas[*first as usize].0;
            let found = self.slots.find_bucket_index(hasher.hash_one(key), |s| s.key == *key);
            // The slot was filled before its place was noted.
            *place = found.unwrap_or(*place);
        }
    }

    /// Calls `step` for each key that changed, with its state and its deltas; forgets the key if
    /// that says so.
    fn each<R: Default>(
        &mut self,
        deltas: &mut [(K, R)],
        mut step: impl FnMut(&K, &mut S, &mut dyn Iterator<Item = R>) -> bool,
    ) {
        for (_, place) in self.touched.drain(..) {
            // Nothing was moved since the place was noted.
            let Some(slot) = self.slots.get_bucket_mut(place) else { continue };
            let mut next = std::mem::replace(&mut slot.head, END);
            let mut own = std::iter::from_fn(|| {
                let delta = deltas.get_mut(next as usize)?;
                next = self.chain[next as usize];
                Some(std::mem::take(&mut delta.1))
            });
            if step(&slot.key, &mut slot.state, &mut own)
                && let Ok(entry) = self.slots.get_bucket_entry(place)
            {
                entry.remove();
            }
        }
        self.shrink();
    }

    /// Gives back the rooms for a burst of keys that went again.
    fn shrink(&mut self) {
        if self.slots.capacity() > 8 * self.slots.len() + 1024 {
            let hasher = &self.hasher;
            self.slots.shrink_to(2 * self.slots.len(), |s| hasher.hash_one(&s.key));
        }
    }
}

/// The states of all keys of a worker, and how they change.
struct Stepping<K, R, P: Step<K, R>> {
    states: States<K, P::State>,
    how: P,
    last: Option<LastOf<K>>,
    deltas: PhantomData<fn(R)>,
}

impl<K: Key, R: Group, P: Step<K, R>> Stepping<K, R, P> {
    /// Takes each key that has deltas through its step.
    fn each(
        &mut self,
        deltas: &mut [(K, R)],
        mut step: impl FnMut(&mut P, &K, &mut P::State, &mut dyn Iterator<Item = R>),
    ) {
        let how = &mut self.how;
        self.states.link(deltas, || how.fresh());
        self.states.each(deltas, |key, state, own| {
            step(how, key, state, own);
            P::is_nothing(state)
        });
    }
}

impl<K: Key, R: Group, P: Step<K, R>> Remember for Stepping<K, R, P> {
    type In = (K, Time, R);
    type Held = Vec<(K, R)>;
    type Out = (P::Row, Time, isize);

    #[inline]
    fn hold(&self, (key, time, delta): Self::In, ticks: &mut Open<Self::Held>) {
        ticks.held(time).push((key, delta));
    }

    fn step(
        &mut self,
        stamp: Time,
        _now: i64,
        mut deltas: Self::Held,
        mut give: impl FnMut(Self::Out),
    ) {
        self.each(&mut deltas, |how, key, state, own| {
            how.step(key, state, own, |row, diff| give((row, stamp, diff)));
        });
        self.how.end_of_tick(|row, diff| give((row, stamp, diff)));
    }

    fn forget(&mut self, until: i64) {
        let Stepping { states, how, last, .. } = self;
        states.slots.retain(|slot| {
            if last.as_ref().is_some_and(|last| last(&slot.key) <= until) {
                return false;
            }
            how.forget(&slot.key, &mut slot.state, until);
            !P::is_nothing(&slot.state)
        });
        states.shrink();
    }

    fn save(&self, writer: &mut Writer) {
        for slot in &self.states.slots {
            writer.put(&(&slot.key, self.how.contents(&slot.state)));
        }
    }

    fn load(&mut self, reader: &mut Reader<'_>, here: Place) {
        let mine = reader.all::<(K, R)>().filter(|(key, _)| here.owns(key));
        let mut contents: Vec<(K, R)> = mine.collect();
        self.each(&mut contents, |how, key, state, own| {
            own.for_each(|contents| how.take_back(key, state, contents));
        });
        self.how.end_of_tick(|_, _| {});
    }

    fn size(&self) -> (usize, usize) {
        let slots = &self.states.slots;
        (slots.len(), slots.capacity() * (size_of::<Slot<K, P::State>>() + 1))
    }
}

impl<'s, K: Key, R: Group> Keyed<'s, K, R> {
    /// The changes of a collection of keys with values, each as a delta: `put` makes it.
    pub(super) fn of<V: Item>(
        collection: Collection<'s, (K, V)>,
        name: &str,
        put: impl Fn(&mut R, V, i64) + 'static,
    ) -> Keyed<'s, K, R> {
        let deltas =
            collection.inner.unary::<DeltaBuilder<K, R>, _, _, _>(Pipeline, name, move |_, _| {
                move |input, output| {
                    input.for_each(|cap, data| {
                        let mut session = output.session(&cap);
                        for ((key, value), time, diff) in data.drain(..) {
                            let mut delta = R::default();
                            put(&mut delta, value, diff as i64);
                            session.give((key, time, delta));
                        }
                    });
                }
            });
        Keyed { deltas, name: name.to_owned(), last: None, dated: false }
    }

    /// Both together, under the name of this one.
    pub fn concat(self, other: Keyed<'s, K, R>) -> Keyed<'s, K, R> {
        Keyed { deltas: self.deltas.concat(other.deltas), ..self }
    }

    /// Says what the last event time is whose records can have a key, such as the end of its hour:
    /// with a bounded lateness the key is dropped when that is final. Only for what is keyed by the
    /// event time of the records themselves.
    pub fn until(self, last: impl Fn(&K) -> i64 + 'static) -> Keyed<'s, K, R> {
        Keyed { last: Some(Rc::new(last)), ..self }
    }

    /// Says that all items of a key come together, such as what is known of one payment: with a
    /// bounded lateness they are dropped when the latest of them is final.
    pub fn dated(self) -> Keyed<'s, K, R> {
        Keyed { dated: true, ..self }
    }

    /// Brings the deltas of a key together and lets it step through the ticks.
    pub(super) fn keep<P: Step<K, R>>(self, how: P) -> Collection<'s, P::Row> {
        let by_key = Exchange::new(|(key, _, _): &(K, Time, R)| route(key));
        let Keyed { deltas, name, last, .. } = self;
        let memory = Stepping { states: States::new(), how, last, deltas: PhantomData };
        remember(deltas, by_key, &name, memory).as_collection()
    }

    /// As `rows`, with at most one row per key.
    pub fn row<O: Item>(
        self,
        read: impl Fn(&K, &R::State) -> Option<O> + 'static,
    ) -> Collection<'s, O> {
        self.rows(move |key, state, rows| rows.extend(read(key, state)))
    }

    /// Rows read off the state of each key that has one: `read` makes them.
    pub fn rows<O: Item>(
        self,
        read: impl Fn(&K, &R::State, &mut Vec<O>) + 'static,
    ) -> Collection<'s, O> {
        let dated = self.dated;
        self.keep(Read { read, dated, old: Vec::new(), new: Vec::new() })
    }
}

/// The step of rows that are read off the state: the old ones out, the new ones in.
struct Read<F, O> {
    read: F,
    dated: bool,
    old: Vec<O>,
    new: Vec<O>,
}

impl<K: Key, R: Group, O: Item, F: Fn(&K, &R::State, &mut Vec<O>) + 'static> Step<K, R>
    for Read<F, O>
{
    type State = R::State;
    type Row = O;

    fn fresh(&self) -> R::State {
        R::State::default()
    }

    fn step(
        &mut self,
        key: &K,
        state: &mut R::State,
        deltas: impl Iterator<Item = R>,
        give: impl FnMut(O, isize),
    ) {
        // A key of which nothing is left has no rows, whatever `read` would make of that.
        if !R::is_nothing(state) {
            (self.read)(key, state, &mut self.old);
        }
        deltas.for_each(|delta| R::absorb(state, delta));
        if !R::is_nothing(state) {
            (self.read)(key, state, &mut self.new);
        }
        change(&mut self.old, &mut self.new, give);
    }

    fn contents(&self, state: &R::State) -> R {
        R::contents(state)
    }

    fn take_back(&mut self, _key: &K, state: &mut R::State, contents: R) {
        R::absorb(state, contents);
    }

    fn forget(&mut self, _key: &K, state: &mut R::State, until: i64) {
        if self.dated && R::latest(state).is_some_and(|latest| latest <= until) {
            *state = R::State::default();
        }
    }

    fn is_nothing(state: &R::State) -> bool {
        R::is_nothing(state)
    }
}

/// Gives the rows that went and the rows that came, and leaves both lists empty.
pub(super) fn change<O: Ord>(old: &mut Vec<O>, new: &mut Vec<O>, mut give: impl FnMut(O, isize)) {
    if old != new {
        old.sort_unstable();
        new.sort_unstable();
        let (mut gone, mut come) = (old.drain(..).peekable(), new.drain(..).peekable());
        loop {
            match (gone.peek(), come.peek()) {
                (Some(a), Some(b)) if a == b => {
                    gone.next();
                    come.next();
                }
                (Some(a), Some(b)) if a < b => gone.next().into_iter().for_each(|a| give(a, -1)),
                (_, Some(_)) => come.next().into_iter().for_each(|b| give(b, 1)),
                (Some(_), None) => gone.next().into_iter().for_each(|a| give(a, -1)),
                (None, None) => break,
            }
        }
    }
    old.clear();
    new.clear();
}
