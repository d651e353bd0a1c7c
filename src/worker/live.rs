//! A live input: batches and ticks told by the program itself instead of read from a source.
//!
//! Each worker has a source operator per stream that is read, fed from a channel. [`Input`] is the
//! other end: `give` hands a stamped batch to one of the workers, `seal` says that nothing stamped
//! at or before a time will follow, which lets the frontier pass and the views change. What is
//! given between two calls of `seal` becomes visible at once. The operators sleep until they are
//! told something, and catch up on all they were told in one turn, so an input that is behind
//! costs less per batch, not more. Bound: whoever gives faster than the workers take keeps
//! the difference in the channel.

use super::output::Output;
use super::{Cluster, Common, Graph, drive};
use crate::batch::Batch;
use crate::clock::{Millis, Tick, Time};
use crate::error::Error;
use crate::event::Stream;
use crate::lock::lock;
use crate::operator::Batches;
use crate::sink::Sink;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use timely::communication::WorkerGuards;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Scope;
use timely::dataflow::operators::generic::operator::source;
use timely::scheduling::SyncActivator;

/// What is needed to run queries over a live input.
pub struct Live {
    /// The queries, and what is made of the streams that they read.
    pub graph: Graph,
    /// Worker threads.
    pub workers: usize,
}

/// What an input's operator is told.
enum Told {
    Batch(Arc<Batch>),
    From(Time),
}

/// The way to one operator.
struct Lane {
    worker: usize,
    stream: Stream,
    tell: Option<Sender<Told>>,
    wake: SyncActivator,
}

/// The giving end. Dropping it ends the streams.
pub struct Input {
    lanes: Vec<Lane>,
    workers: usize,
    turn: usize,
    tick: Tick,
}

/// The running workers.
pub struct Workers(WorkerGuards<Result<(), Error>>);

impl Workers {
    /// Waits until the input has ended and everything is visible.
    pub fn join(self) -> Result<(), Error> {
        for result in self.0.join() {
            result.map_err(|e| Error::Cluster(format!("a worker failed: {e}")))??;
        }
        Ok(())
    }
}

impl Live {
    /// Starts the workers. Worker 0 tells the sink what becomes visible, and at the end the views.
    pub fn start(self, sink: Box<dyn Sink + Send>) -> Result<(Input, Workers), Error> {
        let (announce, lanes) = channel::<Lane>();
        let announce = Mutex::new(announce);
        let (workers, graph) = (self.workers, self.graph);
        let (tick, streams) = (graph.intake.tick, graph.intake.fields.len());
        let sink = Mutex::new(Some(sink));
        let common = Common::default();
        let guards = Cluster::threads(workers).execute(move |worker| {
            let announce = lock(&announce).clone();
            let mut views =
                graph.build(worker, &common, |scope, stream, _| listen(scope, stream, &announce));
            drop(announce);
            let probe = views.probe.clone();
            let sink = if worker.index() == 0 { lock(&sink).take() } else { None };
            let Some(sink) = sink else {
                drive(worker, &probe, None, |_| ControlFlow::Continue(()));
                return Ok(());
            };
            let (mut output, mut told) = (Output::new(vec![sink], &mut views, false), Ok(()));
            drive(worker, &probe, None, |_| {
                told = output.hand_over(&mut views);
                if told.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            told?;
            output.stage(&mut views)?;
            output.publish()
        })?;
        let lanes: Vec<Lane> = lanes.iter().take(workers * streams).collect();
        Ok((Input { lanes, workers, turn: 0, tick }, Workers(guards)))
    }
}

/// A worker's operator for a stream.
fn listen<'s>(scope: Scope<'s, Time>, stream: Stream, announce: &Sender<Lane>) -> Batches<'s> {
    let (tell, told): (_, Receiver<Told>) = channel();
    source::<_, CapacityContainerBuilder<Vec<Arc<Batch>>>, _, _>(
        scope,
        stream.name(),
        move |cap, info| {
            let wake = scope.worker().sync_activator_for(info.address.to_vec());
            let lane = Lane { worker: scope.index(), stream, tell: Some(tell), wake };
            // Nobody listens only if starting has failed, and then nothing is told either.
            let _ = announce.send(lane);
            let mut cap = Some(cap);
            move |output| {
                let Some(held) = cap.as_mut() else { return };
                loop {
                    match told.try_recv() {
                        Ok(Told::Batch(batch)) => output.session(held).give(batch),
                        Ok(Told::From(time)) if *held.time() < time => held.downgrade(&time),
                        Ok(Told::From(_)) => {}
                        Err(TryRecvError::Empty) => return,
                        Err(TryRecvError::Disconnected) => break,
                    }
                }
                cap = None;
            }
        },
    )
}

impl Input {
    /// Hands a stamped batch over, to the workers in turn. It must be stamped later than
    /// everything sealed. A stream that no query reads is left out.
    pub fn give(&mut self, stream: Stream, batch: Arc<Batch>) {
        self.turn = (self.turn + 1) % self.workers;
        let turn = self.turn;
        if let Some(lane) = self.lanes.iter().find(|l| l.stream == stream && l.worker == turn) {
            lane.tell(Told::Batch(batch));
        }
    }

    /// Says that everything stamped up to and including `time` has been given.
    pub fn seal(&mut self, time: Time) {
        self.advance(time.after(Millis(1), self.tick));
    }

    /// Says that nothing stamped before `time` will follow.
    pub fn advance(&mut self, time: Time) {
        for lane in &self.lanes {
            lane.tell(Told::From(time));
            lane.wake();
        }
    }
}

impl Lane {
    fn tell(&self, what: Told) {
        if let Some(tell) = &self.tell {
            // The other end is gone only after a panic, which ends the program.
            let _ = tell.send(what);
        }
    }

    fn wake(&self) {
        let _ = self.wake.activate(); // as above
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        for lane in &mut self.lanes {
            lane.tell = None;
            lane.wake();
        }
    }
}
