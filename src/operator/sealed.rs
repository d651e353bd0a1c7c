//! The one loop of all that remembers: hold, seal, step, give.
//!
//! What arrives is held by its tick. When the frontier has passed a tick, and those before it have
//! been taken, it is given to the operator's [`Remember`] whole, which changes its state and says
//! what is to be sent. So states know nothing of what is not sealed yet, and a cut between two
//! ticks has everything of the one and nothing of the other: there the state is written down (see
//! [`super::memory`]). Verbs that depend on the passing of time are given a clock as well.
//! Bound: what is between the frontier and the newest stamp, which the sources limit, and what the
//! state says.

use super::memory::{Place, Reader, Slot, Writer};
use super::passing::{Clock, Mark};
use super::ticks::Ticks;
use crate::clock::Time;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream as Timely;
use timely::dataflow::channels::pact::{Exchange, ParallelizationContract};
use timely::dataflow::operators::generic::Operator;

/// A state at one worker, and how it changes.
pub(super) trait Remember: 'static {
    /// What arrives.
    type In: 'static;
    /// What is held of a tick until it is sealed.
    type Held: Default + 'static;
    /// What is sent.
    type Out: Clone + 'static;

    /// Puts what arrived to what is held of its ticks.
    fn hold(&self, arrived: Self::In, ticks: &mut Open<Self::Held>);
    /// Takes a sealed tick: its stamp, what time it is then by the clock of the operator (if it has
    /// one), and what arrived.
    fn step(&mut self, stamp: Time, now: i64, held: Self::Held, give: impl FnMut(Self::Out));
    /// Called when no further tick is sealed for now: what was kept back to be sent together is
    /// sent.
    fn flush(&mut self, _give: impl FnMut(Self::Out)) {}

    /// Drops what only records of event times up to this one could change: there will be none. The
    /// rows that were sent stand.
    fn forget(&mut self, _until: i64) {}

    /// Writes the state down.
    fn save(&self, writer: &mut Writer);
    /// Takes back what a worker wrote down, as far as it belongs here, and sends nothing.
    fn load(&mut self, reader: &mut Reader<'_>, here: Place);
    /// How many entries there are, and the bytes of their table.
    fn size(&self) -> (usize, usize);
}

/// What is held of the ticks that are not sealed, with the clock at each.
pub(super) type Open<H> = Ticks<(H, Option<i64>)>;

impl<H: Default> Open<H> {
    /// What is held of a tick.
    #[inline]
    pub fn held(&mut self, tick: Time) -> &mut H {
        &mut self.at(tick).0
    }
}

/// Lets the operator remember what is sent to its workers by `pact`.
pub(super) fn remember<'s, M: Remember>(
    stream: Timely<'s, Time, Vec<M::In>>,
    pact: impl ParallelizationContract<Time, Vec<M::In>>,
    name: &str,
    memory: M,
) -> Timely<'s, Time, Vec<M::Out>> {
    let (mut state, scope) = (Sealing::new(memory, name, &stream), stream.scope());
    stream.unary_frontier::<CapacityContainerBuilder<Vec<M::Out>>, _, _, _>(
        pact,
        name,
        move |_, info| {
            state.slot.wakes(scope.worker().sync_activator_for(info.address.to_vec()));
            move |(input, frontier), output| {
                input.for_each(|cap, data| {
                    state.ticks.hold(&cap);
                    data.drain(..).for_each(|one| state.memory.hold(one, &mut state.ticks));
                });
                state.release(|time| frontier.less_equal(time), output);
            }
        },
    )
}

/// The same for what depends on the passing of time: it is given a tick wherever the clock has one,
/// also where nothing arrived. What arrives must come of streams of the clock, so that each stamp
/// of it is one of the clock's.
pub(super) fn remember_by_clock<'s, M: Remember>(
    stream: Timely<'s, Time, Vec<M::In>>,
    pact: impl ParallelizationContract<Time, Vec<M::In>>,
    (name, clock): (&str, Clock<'s>),
    memory: M,
) -> Timely<'s, Time, Vec<M::Out>> {
    let (mut state, scope) = (Sealing::new(memory, name, &stream), stream.scope());
    stream.binary_frontier::<_, CapacityContainerBuilder<Vec<M::Out>>, _, _, _, _>(
        clock.marks,
        pact,
        Exchange::new(|mark: &Mark| mark.0),
        name,
        move |_, info| {
            state.slot.wakes(scope.worker().sync_activator_for(info.address.to_vec()));
            move |(items, theirs), (marks, ours), output| {
                items.for_each(|cap, data| {
                    state.ticks.hold(&cap);
                    data.drain(..).for_each(|one| state.memory.hold(one, &mut state.ticks));
                });
                marks.for_each(|cap, data| {
                    state.ticks.hold(&cap);
                    for (_, time, clock) in data.drain(..) {
                        let newest = &mut state.ticks.at(time).1;
                        *newest = (*newest).max(Some(clock));
                    }
                });
                state.release(|time| theirs.less_equal(time) || ours.less_equal(time), output);
            }
        },
    )
}

struct Sealing<M: Remember> {
    ticks: Open<M::Held>,
    memory: M,
    /// The clock at the last tick.
    now: i64,
    /// Up to which event time what is final was dropped.
    dropped: i64,
    slot: Slot,
}

type Output<'a, T> = timely::dataflow::operators::generic::OutputBuilderSession<
    'a,
    Time,
    CapacityContainerBuilder<Vec<T>>,
>;

impl<M: Remember> Sealing<M> {
    fn new(memory: M, name: &str, stream: &Timely<'_, Time, Vec<M::In>>) -> Self {
        let scope = stream.scope();
        let here = Place { index: scope.index(), peers: scope.peers() };
        let slot = Slot::take(name);
        let mut sealing =
            Sealing { ticks: Ticks::default(), memory, now: i64::MIN, dropped: i64::MIN, slot };
        sealing.load(here);
        sealing
    }

    fn load(&mut self, here: Place) {
        let Sealing { memory, now, slot, .. } = self;
        slot.read(|reader| {
            *now = (*now).max(reader.one().unwrap_or(i64::MIN));
            memory.load(reader, here);
        });
        let (entries, bytes) = memory.size();
        slot.sized(entries, bytes);
    }

    /// Takes the ticks that are sealed, in order. A cut that lies before the next of them, or
    /// before the frontier, is made first.
    fn release(&mut self, is_open: impl Fn(&Time) -> bool, output: &mut Output<'_, M::Out>) {
        let mut last = None;
        while let Some(stamp) = self.ticks.sealed(&is_open) {
            self.cut(|cut| cut < stamp);
            let Some((cap, (held, clock))) = self.ticks.take(stamp) else { break };
            self.now = clock.map_or(self.now, |clock| self.now.max(clock));
            let mut session = output.session(cap);
            self.memory.step(stamp, self.now, held, |row| session.give(row));
            last = Some(stamp);
        }
        if let Some(stamp) = last {
            if let Some(cap) = self.ticks.cap() {
                let mut session = output.session(cap);
                self.memory.flush(|row| session.give(row));
            }
            if let Some((until, step)) = self.slot.is_final(stamp)
                && until >= self.dropped.saturating_add(step)
            {
                self.memory.forget(until);
                self.dropped = until;
            }
            let (entries, bytes) = self.memory.size();
            self.slot.sized(entries, bytes);
        }
        // Also where nothing was sealed: what arrived came with a capability for the time before
        // it, and to keep that would show each tick only when the next one has come.
        self.ticks.let_go();
        self.cut(|cut| !is_open(&cut));
    }

    fn cut(&mut self, is_passed: impl Fn(Time) -> bool) {
        if self.slot.due().is_some_and(is_passed) {
            let (memory, now) = (&self.memory, self.now);
            self.slot.write(|writer| {
                writer.put(&now);
                memory.save(writer);
            });
        }
    }
}
