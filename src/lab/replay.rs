//! Queries over stamped batches that are already in memory: no files, no parsing, no clock.
//!
//! The oracle test, the tests of single verbs and the benches use it. Batches are dealt out to the workers in turn, and
//! what a query gives must not depend on how.

use crate::batch::Batch;
use crate::clock::{Tick, Time};
use crate::error::Error;
use crate::event::Stream;
use crate::lock::lock;
use crate::operator::{Batches, Collection, Dedupe, Item, Sealed};
use crate::query::{AnyQuery, Inputs};
use crate::value::Value;
use crate::worker::{Cluster, Common, Graph, Intake, drive};
use differential_dataflow::AsCollection;
use std::cell::Cell;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Scope;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::operators::probe::{Handle, Probe};
use timely::worker::Worker;

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
    let logs = Arc::new(Mutex::new(vec![Vec::new(); queries.len()]));
    let all = Arc::clone(&logs);
    watch(queries, recorded, dedupe_by_id, (tick, workers), move |query, change| {
        let row = change.row.cells();
        lock(&all)[query].push(Change { time: change.time, row, diff: change.diff });
    })?;
    let logs = std::mem::take(&mut *lock(&logs));
    Ok(logs)
}

/// Shows each change of each query (by its place in the list) over the recorded batches, when all
/// are through; gives the time from the first step to the last.
pub fn watch(
    queries: &[Arc<dyn AnyQuery>],
    recorded: &Recorded,
    dedupe_by_id: Option<Dedupe>,
    (tick, workers): (Tick, usize),
    see: impl Fn(usize, Sealed<'_>) + Send + Sync + 'static,
) -> Result<Duration, Error> {
    let intake = taken_in(recorded, dedupe_by_id, tick);
    let (graph, recorded) = (Graph { queries: queries.to_vec(), intake }, recorded.clone());
    let guards = Cluster::threads(workers).execute(move |worker| {
        let mut views = graph
            .build(worker, &Common::default(), |scope, stream, _| deal(scope, stream, &recorded));
        let elapsed = to_the_end(worker, &views.probe);
        if worker.index() == 0 {
            views.seal(&see);
        }
        elapsed
    })?;
    let mut longest = Duration::ZERO;
    for result in guards.join() {
        longest = longest.max(result.map_err(Error::Cluster)?);
    }
    Ok(longest)
}

/// What is made of recorded streams: all of their records, unique by id if that is said.
pub(super) fn taken_in(recorded: &Recorded, by_id: Option<Dedupe>, tick: Tick) -> Intake {
    let logs = recorded.iter().filter(|(_, batch)| batch.change_log);
    let mut intake = Intake { change_logs: logs.map(|(s, _)| *s).collect(), ..Intake::plain(tick) };
    if let Some(how) = by_id {
        intake.dedupe = Stream::ALL.iter().map(|stream| (*stream, how)).collect();
        intake.reach = how.lateness;
    }
    intake
}

/// Updates of a collection.
pub type Updates<D> = Vec<(D, Time, isize)>;

/// What a verb makes of a collection: its updates, added up per time, in order of time and item.
pub fn replay_items<D: Item + Sync, O: Item>(
    items: &Updates<D>,
    workers: usize,
    verb: impl for<'s> Fn(Collection<'s, D>) -> Collection<'s, O> + Send + Sync + 'static,
) -> Result<Updates<O>, Error> {
    let items = items.clone();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&seen);
    let guards = Cluster::threads(workers).execute(move |worker| {
        let probe = Handle::new();
        let seen = Arc::clone(&all);
        worker.dataflow::<Time, _, _>(|scope| {
            let mine = items.iter().skip(scope.index()).step_by(scope.peers()).cloned();
            let mut mine: Vec<_> = mine.map(|update| (update.1, vec![update])).collect();
            mine.sort_by_key(|(time, _)| *time);
            verb(play(scope, mine).as_collection())
                .inner
                .unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
                    Exchange::new(|_: &(O, Time, isize)| 0),
                    "Seen",
                    |_, _| move |input, _| input.for_each(|_, data| lock(&seen).append(data)),
                )
                .probe_with(&probe);
        });
        to_the_end(worker, &probe);
    })?;
    for result in guards.join() {
        result.map_err(Error::Cluster)?;
    }
    let mut seen = std::mem::take(&mut *lock(&seen));
    differential_dataflow::consolidation::consolidate_updates(&mut seen);
    seen.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    Ok(seen)
}

/// What a dataflow cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// From the first step to the last, without building and taking down.
    pub elapsed: Duration,
    /// Updates that came out, of all workers.
    pub changes: u64,
}

/// Runs the recorded batches through a dataflow and looks at nothing but the clock.
pub fn cost<O: Item>(
    recorded: &Recorded,
    tick: Tick,
    workers: usize,
    build: impl for<'s> Fn(&Inputs<'s>) -> Collection<'s, O> + Send + Sync + 'static,
) -> Result<Cost, Error> {
    let recorded = recorded.clone();
    let guards = Cluster::threads(workers).execute(move |worker| {
        let changes = Rc::new(Cell::new(0));
        let count = Rc::clone(&changes);
        let intake = Intake::plain(tick);
        let ((), probe) = intake.build(
            worker,
            &Common::default(),
            |scope, stream, _| deal(scope, stream, &recorded),
            |inputs| {
                build(inputs)
                    .inner
                    .unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
                        Pipeline,
                        "Count",
                        |_, _| {
                            move |input, _| {
                                input.for_each(|_, data| {
                                    count.set(count.get() + data.len() as u64);
                                    data.clear();
                                });
                            }
                        },
                    )
                    .probe_with(&inputs.probe);
            },
        );
        Cost { elapsed: to_the_end(worker, &probe), changes: changes.get() }
    })?;
    let mut total = Cost { elapsed: Duration::ZERO, changes: 0 };
    for result in guards.join() {
        let cost = result.map_err(Error::Cluster)?;
        total.elapsed = total.elapsed.max(cost.elapsed);
        total.changes += cost.changes;
    }
    Ok(total)
}

/// Turns a worker until everything was seen; gives the time from the first step to the last.
pub(super) fn to_the_end(worker: &mut Worker, probe: &Handle<Time>) -> Duration {
    let began = Instant::now();
    drive(worker, probe, None, |_| ControlFlow::Continue(()));
    began.elapsed()
}

/// A worker's share of a stream, in the order of the batches' times.
pub(super) fn deal<'s>(scope: Scope<'s, Time>, stream: Stream, recorded: &Recorded) -> Batches<'s> {
    let mine = recorded.iter().filter(|(s, _)| *s == stream).map(|(_, b)| b);
    let mine = mine.skip(scope.index()).step_by(scope.peers());
    let mine = mine.filter_map(|b| Some((b.runs.first()?.time, vec![Arc::clone(b)])));
    let mut mine: Vec<_> = mine.collect();
    mine.sort_by_key(|(time, _)| *time);
    play(scope, mine)
}

/// Messages as a stream, one per turn; each comes with its least time, in the order of those.
fn play<'s, D: Clone + 'static>(
    scope: Scope<'s, Time>,
    messages: Vec<(Time, Vec<D>)>,
) -> timely::dataflow::Stream<'s, Time, Vec<D>> {
    let mut messages = VecDeque::from(messages);
    source::<_, CapacityContainerBuilder<Vec<D>>, _, _>(scope, "Play", |cap, info| {
        let again = scope.activator_for(info.address);
        let mut cap = Some(cap);
        move |output| {
            let Some(held) = cap.as_mut() else { return };
            let message = messages.pop_front();
            if let Some((_, mut message)) = message {
                output.session(held).give_container(&mut message);
            }
            match messages.front() {
                Some((next, _)) => held.downgrade(next),
                None => cap = None,
            }
            again.activate();
        }
    })
}
