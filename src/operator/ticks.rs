//! Work waiting for its tick: what every remembering verb does before it touches its state.
//!
//! Updates arrive in any order and from any worker; [`Ticks`] keeps them by their time and hands
//! them out tick by tick once the frontier has passed, so an operator sees each tick whole, and
//! in order, whatever the number of workers. One capability is held, at the least time pending:
//! that keeps the promise that no earlier output follows, and costs the same however many ticks
//! are open. Bound: what is between the frontier and the newest stamp, which the sources limit.

use crate::clock::Time;
use std::collections::BTreeMap;
use timely::dataflow::operators::{Capability, InputCapability};

pub(crate) struct Ticks<I> {
    held: Option<Capability<Time>>,
    open: BTreeMap<Time, I>,
}

impl<I> Default for Ticks<I> {
    fn default() -> Self {
        Ticks { held: None, open: BTreeMap::new() }
    }
}

impl<I: Default> Ticks<I> {
    /// Makes sure that output can be sent for everything in a message.
    #[inline]
    pub fn hold(&mut self, message: &InputCapability<Time>) {
        let earlier = match (&self.held, message.least()) {
            (Some(held), Some(least)) => least < held.time(),
            (None, _) => true,
            (_, None) => false,
        };
        if earlier {
            self.held = message.retain_least(0).or(self.held.take());
        }
    }

    /// The work of a time; `hold` the message it came in first.
    #[inline]
    pub fn at(&mut self, time: Time) -> &mut I {
        self.open.entry(time).or_default()
    }

    /// The first time that work waits for, if it is not open any more.
    pub fn sealed(&self, is_open: impl Fn(&Time) -> bool) -> Option<Time> {
        self.open.keys().next().copied().filter(|time| !is_open(time))
    }

    /// Takes the work of a time, with the capability to send what comes of it.
    pub fn take(&mut self, time: Time) -> Option<(&Capability<Time>, I)> {
        let item = self.open.remove(&time)?;
        Some((self.held.as_ref()?, item))
    }

    /// The capability to send what comes of all that was taken since the last [`Ticks::let_go`].
    pub fn cap(&self) -> Option<&Capability<Time>> {
        self.held.as_ref()
    }

    /// Says that nothing more will be sent for what was taken.
    pub fn let_go(&mut self) {
        match (self.open.keys().next(), &mut self.held) {
            (Some(time), Some(held)) if held.time() < time => held.downgrade(time),
            (None, held) => *held = None,
            _ => {}
        }
    }
}
