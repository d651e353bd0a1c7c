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
use timely::progress::frontier::MutableAntichain;

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

    /// Calls `work` for each time the frontier has passed, in order.
    pub fn release(
        &mut self,
        frontier: &MutableAntichain<Time>,
        work: impl FnMut(&Capability<Time>, Time, I),
    ) {
        self.release_but(|time| frontier.less_equal(time), work);
    }

    /// Calls `work` for each time that is not open any more, in order.
    pub fn release_but(
        &mut self,
        is_open: impl Fn(&Time) -> bool,
        mut work: impl FnMut(&Capability<Time>, Time, I),
    ) {
        let Some(held) = self.held.as_mut() else { return };
        while let Some(entry) = self.open.first_entry() {
            if is_open(entry.key()) {
                break;
            }
            let (time, item) = entry.remove_entry();
            work(held, time, item);
        }
        match self.open.first_key_value() {
            Some((time, _)) if held.time() < time => held.downgrade(time),
            Some(_) => {}
            None => self.held = None,
        }
    }
}
