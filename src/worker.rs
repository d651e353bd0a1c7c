//! Where dataflow and I/O meet, and nowhere else.
//!
//! Every worker of every process builds the same dataflow: a feed per stream that is read, the
//! chosen queries, and a port per query. Worker 0 of process 0 then reads the ports as the
//! frontier moves and hands what is sealed to the sinks.
//!
//! The tick is how finely results are visible in time. It is a minute where some sink sees the
//! times of changes, or some query depends on the passing of time; it is a day where all only look
//! at the current view: the views are the same, and the times between need not be computed.
//! `--tick` overrides both.

use crate::clock::{Tick, Time};
use crate::error::Error;
use crate::event::Stream;
use crate::operator::{Batches, Dedupe, Port, Tally, dedupe};
use crate::query::{AnyQuery, Inputs, Opened, Reads};
use crate::sink::{Sink, Spec};
use crate::source::{Feeds, lock};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use timely::communication::Allocator;
use timely::dataflow::operators::probe::Handle;
use timely::worker::Worker;

mod cluster;
mod feed;
pub mod live;
pub mod replay;
pub use cluster::{Cluster, Description, Secret, VARIABLE, end_on_panic};
use feed::{Failure, feed};

/// How often worker 0 looks at the ports, the progress and the clock when nothing wakes it.
const LOOK: Duration = Duration::from_millis(50);
/// How often the current views are written while a run goes on.
const REFRESH: Duration = Duration::from_secs(10);

/// Everything a run needs.
pub struct Plan {
    /// The chosen queries.
    pub queries: Vec<Arc<dyn AnyQuery>>,
    /// What they read.
    pub reads: Reads,
    /// The streams whose records are made unique by id; the others are as they come.
    pub dedupe: BTreeMap<Stream, Dedupe>,
    /// The sources of this process.
    pub feeds: Arc<Feeds>,
    /// The granularity of stream time.
    pub tick: Tick,
    /// Threads and processes.
    pub cluster: Cluster,
    /// Where views go; only process 0 has any.
    pub sinks: Vec<Box<dyn Sink + Send>>,
    /// Told how far the run is, now and then, by worker 0.
    pub progress: Box<dyn FnMut(&Progress) + Send>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Records read by this process.
    pub records: u64,
    /// Bytes read by this process.
    pub bytes: u64,
    /// Everything before this time is sealed.
    pub sealed: Option<Time>,
    /// The furthest clock of this process's sources, in milliseconds of event time.
    pub newest: Option<i64>,
}

/// What a run did.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Records read by this process, good and bad.
    pub records: u64,
    /// Bad ones among them.
    pub bad: u64,
    /// Records with an id that was known.
    pub duplicates: u64,
    /// Those among them that changed nothing because a newer one was known.
    pub superseded: u64,
    /// Ids with cancellations or refunds, but nothing known that they could take back.
    pub unpaired: u64,
    /// Bytes read by this process.
    pub bytes: u64,
    /// Changes that reached the sinks.
    pub changes: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether it was stopped before the sources ended.
    pub stopped: bool,
}

/// The tick where none is given.
pub fn default_tick(sinks: &[Spec], reads: &Reads) -> Tick {
    if reads.timed() || sinks.iter().any(Spec::wants_times) { Tick::MINUTE } else { Tick::DAY }
}

/// Runs the plan to the end of its sources, or until it is stopped.
pub fn run(plan: Plan) -> Result<Summary, Error> {
    let began = Instant::now();
    let Plan { queries, reads, dedupe: ids, feeds, tick, cluster, sinks, progress } = plan;
    let tally = Arc::new(Tally::default());
    let failure: Failure = Arc::default();
    let outputs = Mutex::new(Some((sinks, progress)));
    let shared = (Arc::clone(&feeds), Arc::clone(&tally), Arc::clone(&failure));
    let clustered = cluster.count() > 1;
    let waiting = Arc::clone(&feeds);
    // What worker 0 gave before the whole dataflow had ended.
    let early: Arc<Mutex<Option<Result<u64, Error>>>> = Arc::default();
    let (early_end, mut early_result) = (Arc::clone(&early), None);
    let guards = cluster.execute(&|| waiting.stopped(), move |worker| {
        let (feeds, tally, failure) = (&shared.0, &shared.1, &shared.2);
        let probe = Handle::new();
        let mut ports = worker.dataflow::<Time, _, _>(|scope| {
            let open = |stream: Stream| {
                let (feeds, failure) = (Arc::clone(feeds), Arc::clone(failure));
                let batches = feed(scope, stream, feeds, probe.clone(), failure, clustered);
                opened(batches, stream, &reads, ids.get(&stream), tally)
            };
            let inputs = Inputs::new(probe.clone(), tick, Box::new(open));
            queries.iter().map(|query| query.build(&inputs)).collect::<Vec<_>>()
        });
        let outputs = if worker.index() == 0 { lock(&outputs).take() } else { None };
        match outputs {
            Some((sinks, progress)) => {
                let output = Output { sinks, progress, changes: 0, failed: None };
                let result = output.drive(worker, &probe, &mut ports, feeds, clustered);
                if clustered && feeds.stopped() {
                    // The other processes may go on: this one does not wait for them.
                    lock(&early_end).replace(result);
                    return Ok(0);
                }
                result
            }
            None => {
                while !probe.done() {
                    worker.step_or_park(None);
                }
                Ok(0)
            }
        }
    })?;
    let mut changes = 0;
    while clustered && !guards.guards().iter().all(|worker| worker.is_finished()) {
        let failed = lock(&failure).take().map(|error| Err(error.into()));
        if let Some(result) = failed.or_else(|| lock(&early).take()) {
            early_result = Some(result);
            break;
        }
        std::thread::sleep(LOOK);
    }
    match early_result {
        // Workers that wait for other processes end with this one, and its end is what tells the
        // others that the run is over.
        Some(result) => {
            std::mem::forget(guards);
            let kept = feeds.dead_letters.finish();
            changes += result?;
            kept?;
        }
        None => {
            for result in guards.join() {
                changes +=
                    result.map_err(|e| Error::Cluster(format!("a worker failed: {e}")))??;
            }
        }
    }
    if let Some(error) = lock(&failure).take() {
        return Err(error.into());
    }
    feeds.dead_letters.finish()?;
    Ok(Summary {
        records: feeds.records.load(Ordering::Relaxed),
        bad: feeds.dead_letters.count(),
        duplicates: tally.duplicates.load(Ordering::Relaxed),
        superseded: tally.superseded.load(Ordering::Relaxed),
        unpaired: u64::try_from(tally.unpaired.load(Ordering::Relaxed)).unwrap_or(0),
        bytes: feeds.bytes.load(Ordering::Relaxed),
        changes,
        elapsed: began.elapsed(),
        stopped: feeds.stopped(),
    })
}

/// A stream as queries see it: all its records, and one per id if they have ids.
fn opened<'s>(
    batches: Batches<'s>,
    stream: Stream,
    reads: &Reads,
    how: Option<&Dedupe>,
    tally: &Arc<Tally>,
) -> Opened<'s> {
    let all = batches.clone();
    let unique = match how {
        Some(how) => {
            let fields = with_id(stream, reads.fields(stream));
            dedupe(batches, stream, &fields, *how, Arc::clone(tally))
        }
        None => batches,
    };
    Opened { all, unique }
}

/// The fields a stream's batches carry when its records are made unique: also its id and version.
pub(crate) fn with_id(stream: Stream, mut fields: Vec<usize>) -> Vec<usize> {
    fields.extend([stream.id(), stream.version()]);
    fields.sort_unstable();
    fields.dedup();
    fields
}

/// Worker 0's side of the sinks.
struct Output {
    sinks: Vec<Box<dyn Sink + Send>>,
    progress: Box<dyn FnMut(&Progress) + Send>,
    changes: u64,
    failed: Option<Error>,
}

impl Output {
    /// One sink, and nobody who is told of progress.
    fn to(sink: Box<dyn Sink + Send>) -> Output {
        Output { sinks: vec![sink], progress: Box::new(|_| {}), changes: 0, failed: None }
    }

    /// Has the ports keep their views, if some sink wants them.
    fn watch(&self, ports: &mut [Box<dyn Port>]) {
        if self.sinks.iter().any(|s| s.wants_view()) {
            ports.iter_mut().for_each(|port| port.keep_view());
        }
    }

    /// Shows the sinks the current views.
    fn show(&mut self, ports: &mut [Box<dyn Port>], done: bool) {
        for sink in &mut self.sinks {
            if let Err(error) = sink.views(ports, done) {
                self.failed.get_or_insert(error);
            }
        }
    }

    fn drive(
        mut self,
        worker: &mut Worker,
        probe: &Handle<Time>,
        ports: &mut [Box<dyn Port>],
        feeds: &Feeds,
        clustered: bool,
    ) -> Result<u64, Error> {
        self.watch(ports);
        let (mut sealed, mut shown, mut written) =
            (Some(Time::default()), Instant::now(), Instant::now());
        loop {
            worker.step_or_park(Some(LOOK));
            // Once the run is being stopped the frontier moves because sources give up, not
            // because everything was seen: nothing more is sealed.
            let stopped = feeds.stopped();
            let frontier = probe.with_frontier(|f| f.first().copied());
            if frontier != sealed && self.failed.is_none() && !stopped {
                sealed = frontier;
                self.hand_over(probe, ports, frontier);
            }
            if self.failed.is_some() || feeds.too_many_bad() {
                // Let the sources end, so that the other workers do too.
                feeds.stop.store(true, Ordering::Relaxed);
            }
            // Other processes may not have been stopped: this one need not wait for them.
            let done = probe.done() || (stopped && clustered);
            if done || shown.elapsed() >= Duration::from_millis(100) {
                shown = Instant::now();
                (self.progress)(&Progress {
                    records: feeds.records.load(Ordering::Relaxed),
                    bytes: feeds.bytes.load(Ordering::Relaxed),
                    sealed,
                    newest: feeds
                        .partitions
                        .iter()
                        .map(|p| p.clock())
                        .filter(|c| *c != i64::MAX && *c != i64::MIN)
                        .max(),
                });
            }
            if self.failed.is_none() && (done || written.elapsed() >= REFRESH) {
                written = Instant::now();
                self.show(ports, done);
            }
            if done {
                break;
            }
        }
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.changes),
        }
    }

    fn hand_over(
        &mut self,
        probe: &Handle<Time>,
        ports: &mut [Box<dyn Port>],
        frontier: Option<Time>,
    ) {
        let Output { sinks, changes, failed, .. } = self;
        probe.with_frontier(|f| {
            for (view, port) in ports.iter_mut().enumerate() {
                port.seal(f, &mut |change| {
                    *changes += 1;
                    for sink in sinks.iter_mut() {
                        if let Err(error) = sink.change(view, &change) {
                            failed.get_or_insert(error);
                        }
                    }
                });
            }
        });
        for sink in sinks {
            if let Err(error) = sink.sealed(frontier) {
                failed.get_or_insert(error);
            }
        }
    }
}

/// What a query reads: its dataflow is built once in a worker that never runs.
pub fn reads(query: &dyn AnyQuery) -> Reads {
    let thread = Allocator::Thread(Default::default());
    let mut worker = Worker::new(timely::WorkerConfig::default(), thread, None);
    worker.dataflow::<Time, _, _>(|scope| {
        let open = move |_: Stream| {
            use timely::dataflow::operators::vec::ToStream;
            let none: Batches<'_> = Vec::new().to_stream(scope);
            Opened { all: none.clone(), unique: none }
        };
        let inputs = Inputs::new(Handle::new(), Tick::MINUTE, Box::new(open));
        query.build(&inputs);
        inputs.reads()
    })
}
