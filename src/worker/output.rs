//! The views of a run as worker 0 sees them, and the sinks that are told of their changes.

use crate::clock::Time;
use crate::error::Error;
use crate::operator::memory::Memory;
use crate::operator::{AnyRow, Port, Sealed};
use crate::sink::{Held, Sink, Standing};
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
    pub fn seal(&mut self, see: impl FnMut(usize, Sealed<'_>)) -> bool {
        let frontier = self.probe.with_frontier(|frontier| frontier.first().copied());
        if frontier == Some(Time::END) {
            // Everything was seen, and only the word that it was is missing.
            return false;
        }
        let moved = std::mem::replace(&mut self.sealed, frontier) != self.sealed;
        if moved {
            self.seal_while(|time| frontier.is_some_and(|frontier| frontier <= time), see);
        }
        moved
    }

    /// The same for those up to a cut, which the frontier has passed.
    pub fn seal_up_to(&mut self, cut: Time, see: impl FnMut(usize, Sealed<'_>)) {
        self.seal_while(|time| time > cut, see);
    }

    fn seal_while(
        &mut self,
        is_open: impl Fn(Time) -> bool,
        mut see: impl FnMut(usize, Sealed<'_>),
    ) {
        for (view, port) in self.ports.iter_mut().enumerate() {
            port.seal(&is_open, &mut |change| see(view, change));
        }
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
    /// The cut that they commit now, and what they will hold then.
    committing: Option<(Time, Vec<Held>)>,
}

impl Output {
    /// These sinks; has the ports keep their views, if some sink wants them or a later run `may`.
    pub fn new(sinks: Vec<Box<dyn Sink + Send>>, views: &mut Views, may: bool) -> Output {
        if may || sinks.iter().any(|s| s.wants_view()) {
            views.keep();
        }
        Output { sinks, changes: 0, committing: None }
    }

    /// Tells them that the run goes on from a cut.
    pub fn go_on(&mut self, views: &mut Views, cut: Time) -> Result<(), Error> {
        self.sinks.iter_mut().try_for_each(|sink| sink.go_on(&mut views.ports, cut))
    }

    /// Tells the sinks what is sealed now, if anything is that was not. Nothing more is told after an
    /// error, so that no sink says that it has what it was not given.
    pub fn hand_over(&mut self, views: &mut Views) -> Result<(), Error> {
        let mut told = Ok(());
        let moved = views.seal(|view, change| self.tell(&mut told, view, &change));
        told?;
        if !moved {
            return Ok(());
        }
        for sink in &mut self.sinks {
            sink.remembered(&views.memory);
            sink.sealed(views.sealed)?;
        }
        Ok(())
    }

    /// Has each do what is due; how far the one is that is furthest behind.
    pub fn turn(&mut self) -> Result<Standing, Error> {
        let mut all = Standing::Settled;
        for sink in &mut self.sinks {
            all = all.max(sink.turn()?);
        }
        Ok(all)
    }

    /// Ends the waiting for those that are not settled.
    pub fn give_up(&mut self) -> Result<(), Error> {
        self.committing = None;
        self.sinks.iter_mut().try_for_each(|sink| sink.give_up())
    }

    /// Whether they are committing a cut.
    pub fn is_committing(&self) -> bool {
        self.committing.is_some()
    }

    /// The cut that they have committed since this was asked last, and what they hold.
    pub fn committed(&mut self) -> Result<Option<(Time, Vec<Held>)>, Error> {
        let done = self.is_committing() && self.turn()? == Standing::Settled;
        Ok(self.committing.take_if(|_| done))
    }

    /// Tells them what is sealed up to a cut, and has them commit it.
    pub fn commit(&mut self, views: &mut Views, cut: Time) -> Result<(), Error> {
        let mut told = Ok(());
        views.seal_up_to(cut, |view, change| self.tell(&mut told, view, &change));
        told?;
        let mut held = Vec::new();
        for sink in &mut self.sinks {
            held.extend(sink.commit(&mut views.ports, cut)?);
        }
        self.committing = Some((cut, held));
        Ok(())
    }

    fn tell(&mut self, told: &mut Result<(), Error>, view: usize, change: &Sealed<'_>) {
        if told.is_ok() {
            self.changes += 1;
            *told = self.sinks.iter_mut().try_for_each(|sink| sink.change(view, change));
        }
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
