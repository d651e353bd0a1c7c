//! Queries over stamped batches that are already in memory: no files, no parsing, no clock.
//!
//! The oracle test and the experiments use it. Batches are dealt out to the workers in turn, and
//! what a query gives must not depend on how.

use super::{Cluster, with_id};
use crate::batch::Batch;
use crate::clock::{Tick, Time};
use crate::error::Error;
use crate::event::Stream;
use crate::operator::{Batches, Dedupe, Port, Tally, dedupe};
use crate::query::{AnyQuery, Inputs, Opened};
use crate::source::lock;
use crate::value::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Scope;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::operators::probe::Handle;

/// Stamped batches of several streams.
pub type Recorded = Vec<(Stream, Arc<Batch>)>;

/// A change as the sinks see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When it became visible.
    pub time: Time,
    /// The row's cells.
    pub row: Vec<Value>,
    /// +1 or -1.
    pub diff: isize,
}

/// The change log of each query over the recorded batches.
pub fn replay(
    queries: &[Arc<dyn AnyQuery>],
    recorded: &Recorded,
    dedupe_by_id: Option<Dedupe>,
    tick: Tick,
    workers: usize,
) -> Result<Vec<Vec<Change>>, Error> {
    let (queries, recorded) = (queries.to_vec(), recorded.clone());
    let result = Arc::new(Mutex::new(vec![Vec::new(); queries.len()]));
    let logs = Arc::clone(&result);
    let guards = Cluster::threads(workers).execute(move |worker| {
        let probe = Handle::new();
        let mut ports: Vec<Box<dyn Port>> = worker.dataflow::<Time, _, _>(|scope| {
            let open = |stream: Stream| {
                let mine = recorded.iter().filter(|(s, _)| *s == stream).map(|(_, b)| b);
                let mine = mine.skip(scope.index()).step_by(scope.peers()).cloned();
                let batches = play(scope, mine.collect());
                let all = batches.clone();
                let unique = match dedupe_by_id {
                    Some(how) => {
                        let fields = with_id(stream, (1..stream.schema().fields.len()).collect());
                        dedupe(batches, stream, &fields, how, Arc::<Tally>::default())
                    }
                    None => batches,
                };
                Opened { all, unique }
            };
            let inputs = Inputs::new(probe.clone(), tick, Box::new(open));
            // Time passes in all streams, whichever the queries read.
            Stream::ALL.iter().for_each(|stream| drop(inputs.open(*stream)));
            queries.iter().map(|query| query.build(&inputs)).collect()
        });
        while !probe.done() {
            worker.step();
        }
        if worker.index() == 0 {
            let mut logs = lock(&logs);
            probe.with_frontier(|f| {
                for (port, log) in ports.iter_mut().zip(logs.iter_mut()) {
                    port.seal(f, &mut |change| {
                        log.push(Change {
                            time: change.time,
                            row: change.row.cells(),
                            diff: change.diff,
                        });
                    });
                }
            });
        }
    })?;
    for result in guards.join() {
        result.map_err(Error::Cluster)?;
    }
    let logs = std::mem::take(&mut *lock(&result));
    Ok(logs)
}

/// A worker's share of the batches as a stream: one batch per turn, in the order of their times.
fn play<'s>(scope: Scope<'s, Time>, batches: Vec<Arc<Batch>>) -> Batches<'s> {
    let first = |batch: &Arc<Batch>| batch.runs.first().map(|run| run.time);
    let mut batches: Vec<_> = batches.into_iter().filter(|b| !b.is_empty()).collect();
    batches.sort_by_key(first);
    let mut batches = VecDeque::from(batches);
    source::<_, CapacityContainerBuilder<Vec<Arc<Batch>>>, _, _>(scope, "Play", |cap, info| {
        let again = scope.activator_for(info.address);
        let mut cap = Some(cap);
        move |output| {
            let Some(held) = cap.as_mut() else { return };
            match (batches.pop_front(), batches.front().and_then(first)) {
                (Some(batch), next) => {
                    output.session(held).give(batch);
                    match next {
                        Some(next) => held.downgrade(&next),
                        None => cap = None,
                    }
                }
                (None, _) => cap = None,
            }
            again.activate();
        }
    })
}
