//! The views of a run as worker 0 sees them, and the sinks that are told of their changes.

use crate::clock::Time;
use crate::error::Error;
use crate::operator::memory::Memory;
use crate::operator::{AnyRow, Port, Sealed};
use crate::sink::Sink;
use timely::dataflow::operators::probe::Handle;

/// What a worker has built: a port per query, and what sees how far they are.
pub(crate) struct Views {
    ports: Vec<Box<dyn Port>>,
    /// How far all queries are.
    pub probe: Handle<Time>,
    /// What the operators of the worker remember.
    pub memory: Memory,
    /// Everything before this time was told.
    pub sealed: Option<Time>,
}

impl Views {
    pub(super) fn new(ports: Vec<Box<dyn Port>>, probe: Handle<Time>, memory: Memory) -> Views {
        Views { ports, probe, memory, sealed: Some(Time::default()) }
    }

    /// Shows the changes that are sealed now and were not shown before, each with the number of its
    /// query; whether the frontier has moved.
    pub fn seal(&mut self, mut see: impl FnMut(usize, Sealed<'_>)) -> bool {
        let Views { ports, probe, sealed, .. } = self;
        probe.with_frontier(|frontier| {
            let moved = std::mem::replace(sealed, frontier.first().copied()) != *sealed;
            if moved {
                for (view, port) in ports.iter_mut().enumerate() {
                    port.seal(frontier, &mut |change| see(view, change));
                }
            }
            moved
        })
    }

    /// From now on adds the sealed changes up to views.
    pub fn keep(&mut self) {
        self.ports.iter_mut().for_each(|port| port.keep_view());
    }

    /// Shows the rows of each view, by the number of its query, with how often they are there.
    pub fn rows(&mut self, mut see: impl FnMut(usize, &dyn AnyRow, isize)) {
        for (view, port) in self.ports.iter_mut().enumerate() {
            port.view(&mut |row, count| see(view, row, count));
        }
    }
}

/// The sinks of a run and what reached them.
pub(super) struct Output {
    sinks: Vec<Box<dyn Sink + Send>>,
    /// Changes that reached the sinks.
    pub changes: u64,
}

impl Output {
    /// These sinks; has the ports keep their views, if some sink wants them.
    pub fn new(sinks: Vec<Box<dyn Sink + Send>>, views: &mut Views) -> Output {
        if sinks.iter().any(|s| s.wants_view()) {
            views.keep();
        }
        Output { sinks, changes: 0 }
    }

    /// Tells the sinks what is sealed now, if anything is that was not. Nothing more is told after an
    /// error, so that no sink says that it has what it was not given.
    pub fn hand_over(&mut self, views: &mut Views) -> Result<(), Error> {
        let Output { sinks, changes } = self;
        let mut told = Ok(());
        let moved = views.seal(|view, change| {
            if told.is_ok() {
                *changes += 1;
                told = sinks.iter_mut().try_for_each(|sink| sink.change(view, &change));
            }
        });
        told?;
        if !moved {
            return Ok(());
        }
        sinks.iter_mut().try_for_each(|sink| sink.sealed(views.sealed))
    }

    /// Has the sinks get ready everything they will publish.
    pub fn stage(&mut self, views: &mut Views) -> Result<(), Error> {
        let ended = views.sealed.is_none();
        self.sinks.iter_mut().try_for_each(|sink| sink.stage(&mut views.ports, ended))
    }

    /// Replaces what earlier runs wrote.
    pub fn publish(&mut self) -> Result<(), Error> {
        self.sinks.iter_mut().try_for_each(|sink| sink.publish())
    }
}
