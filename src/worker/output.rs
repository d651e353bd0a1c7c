//! The sinks, as worker 0 and the end of the run see them.

use crate::clock::Time;
use crate::error::Error;
use crate::operator::Port;
use crate::sink::Sink;
use timely::dataflow::operators::probe::Handle;

/// The sinks of a run and what reached them.
pub(super) struct Output {
    sinks: Vec<Box<dyn Sink + Send>>,
    /// Changes that reached the sinks.
    pub changes: u64,
}

impl Output {
    pub fn new(sinks: Vec<Box<dyn Sink + Send>>) -> Output {
        Output { sinks, changes: 0 }
    }

    /// Has the ports keep their views, if some sink wants them.
    pub fn watch(&self, ports: &mut [Box<dyn Port>]) {
        if self.sinks.iter().any(|s| s.wants_view()) {
            ports.iter_mut().for_each(|port| port.keep_view());
        }
    }

    /// Tells the sinks what is sealed now. Nothing more is told after an error, so that no sink
    /// says that it has what it was not given.
    pub fn hand_over(
        &mut self,
        probe: &Handle<Time>,
        ports: &mut [Box<dyn Port>],
        frontier: Option<Time>,
    ) -> Result<(), Error> {
        let Output { sinks, changes } = self;
        let mut told = Ok(());
        probe.with_frontier(|f| {
            for (view, port) in ports.iter_mut().enumerate() {
                port.seal(f, &mut |change| {
                    if told.is_ok() {
                        *changes += 1;
                        told = sinks.iter_mut().try_for_each(|sink| sink.change(view, &change));
                    }
                });
            }
        });
        told?;
        sinks.iter_mut().try_for_each(|sink| sink.sealed(frontier))
    }

    /// Has the sinks get ready everything they will publish.
    pub fn stage(&mut self, ports: &mut [Box<dyn Port>], ended: bool) -> Result<(), Error> {
        self.sinks.iter_mut().try_for_each(|sink| sink.stage(ports, ended))
    }

    /// Replaces what earlier runs wrote.
    pub fn publish(&mut self) -> Result<(), Error> {
        self.sinks.iter_mut().try_for_each(|sink| sink.publish())
    }
}
