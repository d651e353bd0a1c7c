//! Where dataflow and I/O meet, and nowhere else.
//!
//! Every worker of every process builds the same dataflow: a source operator per stream that is
//! read, the chosen queries, and a port per query. [`Graph`] says what is built; where a stream
//! comes from is the one thing that differs: the partitions of a run ([`run`]), a program that
//! tells them itself ([`live`]), or batches in memory ([`crate::lab::replay`]). One loop, `drive`,
//! then turns each worker until everything was seen. Worker 0 of process 0 meanwhile reads the
//! ports as the frontier moves and hands what is sealed to the sinks.

use crate::clock::{Millis, Tick, Time};
use crate::event::Stream;
use crate::operator::memory::{Memory, Notebook};
use crate::operator::{Batches, Dedupe, Port, Tally, dedupe, settle};
use crate::query::{AnyQuery, Inputs, Opened, Reads, Ways};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use timely::communication::Allocator;
use timely::dataflow::Scope;
use timely::dataflow::operators::probe::Handle;
use timely::worker::Worker;

mod cluster;
mod feed;
mod gate;
mod keeper;
pub mod live;
mod output;
mod run;
pub use cluster::{Cluster, Secret, VARIABLE, end_on_panic};
pub use keeper::{Often, State};
pub(crate) use output::Views;
pub use run::{Plan, Progress, Summary, run};

/// What is made of the streams before queries see them.
#[derive(Clone, Debug)]
pub struct Intake {
    /// The fields that are read of each stream.
    pub fields: BTreeMap<Stream, Vec<usize>>,
    /// The streams whose records are made unique by id; the others are as they come.
    pub dedupe: BTreeMap<Stream, Dedupe>,
    /// The streams that have change logs among their sources.
    pub change_logs: BTreeSet<Stream>,
    /// The granularity of stream time.
    pub tick: Tick,
    /// How far behind the clock of its source a record can be; none: any.
    pub lateness: Option<Millis>,
    /// How far from its sale a refund, void or dispute can be; none: any.
    pub reach: Option<Millis>,
}

/// What the workers of a process have in common while they run.
#[derive(Clone, Default)]
pub(crate) struct Common {
    /// What happened to records on their way in.
    pub tally: Arc<Tally>,
    /// What operators remember from an earlier run, and what they write down for a later one.
    pub notebook: Notebook,
}

/// What is built in each worker.
#[derive(Clone)]
pub struct Graph {
    /// The queries.
    pub queries: Vec<Arc<dyn AnyQuery>>,
    /// What they read.
    pub intake: Intake,
}

impl Intake {
    /// The streams as they come, all of their fields.
    pub fn plain(tick: Tick) -> Intake {
        let all = |stream: &Stream| (*stream, (1..stream.schema().fields.len()).collect());
        Intake {
            fields: Stream::ALL.iter().map(all).collect(),
            dedupe: BTreeMap::new(),
            change_logs: BTreeSet::new(),
            tick,
            lateness: None,
            reach: None,
        }
    }

    /// Builds a dataflow in a worker. `from` says where a stream comes from, and `ends` what is
    /// made of the streams; the probe that it gives sees everything at their end.
    pub(crate) fn build<E>(
        &self,
        worker: &mut Worker,
        common: &Common,
        from: impl for<'s> Fn(Scope<'s, Time>, Stream, &Handle<Time>) -> Batches<'s>,
        ends: impl for<'s> FnOnce(&Inputs<'s>) -> E,
    ) -> (E, Handle<Time>) {
        let (probe, memory) = (Handle::new(), Memory::new(common.notebook.clone(), self.lateness));
        let ends = worker.dataflow::<Time, _, _>(|scope| {
            let fields = |stream: Stream| {
                with_id(stream, self.fields.get(&stream).cloned().unwrap_or_default())
            };
            let open = |stream: Stream| {
                let raw = from(scope, stream, &probe);
                let tally = || Arc::clone(&common.tally);
                let all = match self.change_logs.contains(&stream) {
                    true => settle(raw.clone(), stream, &fields(stream), tally()),
                    false => raw.clone(),
                };
                Opened { raw, all }
            };
            let ways = Ways {
                open: Box::new(open),
                unique: Box::new(|stream, all, per| match self.dedupe.get(&stream) {
                    Some(how) => {
                        let tally = Arc::clone(&common.tally);
                        dedupe(all, stream, &fields(stream), (*how, per), tally)
                    }
                    None => all,
                }),
            };
            let ways = (ways, self.reach);
            ends(&Inputs::new(probe.clone(), (self.tick, memory), ways, &common.tally))
        });
        (ends, probe)
    }
}

impl Graph {
    /// Builds it in a worker; `from` says where a stream comes from.
    pub(crate) fn build(
        &self,
        worker: &mut Worker,
        common: &Common,
        from: impl for<'s> Fn(Scope<'s, Time>, Stream, &Handle<Time>) -> Batches<'s>,
    ) -> Views {
        let ((ports, memory), probe) = self.intake.build(worker, common, from, |inputs| {
            let ports = self.queries.iter().map(|query| query.build(inputs));
            (ports.collect::<Vec<Box<dyn Port>>>(), inputs.memory.clone())
        });
        Views::new(ports, probe, memory)
    }
}

/// Turns a worker until everything was seen, or until `each` breaks off, which is told after each turn
/// how far the frontier is. While nothing happens the worker sleeps, for `nap` at most.
pub(crate) fn drive(
    worker: &mut Worker,
    probe: &Handle<Time>,
    nap: Option<Duration>,
    mut each: impl FnMut(Option<Time>) -> ControlFlow<()>,
) {
    loop {
        worker.step_or_park(nap);
        let frontier = probe.with_frontier(|f| f.first().copied());
        if each(frontier).is_break() || frontier.is_none() {
            return;
        }
    }
}

/// The fields a stream's batches carry when its records are made unique: also its id and version.
pub(crate) fn with_id(stream: Stream, mut fields: Vec<usize>) -> Vec<usize> {
    fields.extend([stream.id(), stream.version()]);
    fields.sort_unstable();
    fields.dedup();
    fields
}

/// What a query reads: its dataflow is built once in a worker that never runs.
pub fn reads(query: &dyn AnyQuery) -> Reads {
    use timely::dataflow::operators::vec::ToStream;
    let thread = Allocator::Thread(Default::default());
    let mut worker = Worker::new(timely::WorkerConfig::default(), thread, None);
    let (reads, _) = Intake::plain(Tick::MINUTE).build(
        &mut worker,
        &Arc::default(),
        |scope, _, _| Vec::new().to_stream(scope),
        |inputs| {
            query.build(inputs);
            inputs.reads()
        },
    );
    reads
}
