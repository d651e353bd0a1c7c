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
mod output;
pub mod replay;
mod totals;
pub use cluster::{Cluster, Description, Secret, VARIABLE, end_on_panic};
use feed::{Failure, feed};
use output::Output;
use totals::Totals;

/// How often worker 0 looks at the ports, the progress and the clock when nothing wakes it.
const LOOK: Duration = Duration::from_millis(50);

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

/// Runs the plan to the end of its sources, or until it is stopped. What the sinks have is put in
/// place when the whole run has succeeded, and only then.
pub fn run(plan: Plan) -> Result<Summary, Error> {
    let began = Instant::now();
    let Plan { queries, reads, dedupe: ids, feeds, tick, cluster, sinks, progress } = plan;
    let tally = Arc::new(Tally::default());
    let totals = Arc::new(Totals::default());
    let failure: Failure = Arc::default();
    let outputs = Mutex::new(Some((sinks, progress)));
    let shared =
        (Arc::clone(&feeds), Arc::clone(&tally), Arc::clone(&failure), Arc::clone(&totals));
    let (clustered, workers) = (cluster.count() > 1, cluster.workers);
    let waiting = Arc::clone(&feeds);
    // What worker 0 has got ready, and what it gave before the whole dataflow had ended.
    let ready: Arc<Mutex<Option<Output>>> = Arc::default();
    let early: Arc<Mutex<Option<Result<(), Error>>>> = Arc::default();
    let (ready_end, early_end, mut early_result) = (Arc::clone(&ready), Arc::clone(&early), None);
    let guards = cluster.execute(&|| waiting.stopped(), move |worker| {
        let (feeds, tally, failure, totals) = (&shared.0, &shared.1, &shared.2, &shared.3);
        let ends = Ends { views: Handle::new(), totals: Handle::new() };
        let mut ports = worker.dataflow::<Time, _, _>(|scope| {
            let open = |stream: Stream| {
                let (feeds, failure) = (Arc::clone(feeds), Arc::clone(failure));
                let batches = feed(scope, stream, feeds, ends.views.clone(), failure, clustered);
                opened(batches, stream, &reads, ids.get(&stream), tally)
            };
            if clustered {
                totals::count(scope, Arc::clone(feeds), workers, Arc::clone(totals), &ends.totals);
            }
            let inputs = Inputs::new(ends.views.clone(), tick, Box::new(open));
            queries.iter().map(|query| query.build(&inputs)).collect::<Vec<_>>()
        });
        let outputs = if worker.index() == 0 { lock(&outputs).take() } else { None };
        let Some((sinks, progress)) = outputs else {
            while !ends.reached() {
                worker.step_or_park(None);
            }
            return Ok(());
        };
        let feeds = Arc::clone(feeds);
        let driver = Driver { output: Output::new(sinks), progress, feeds, clustered };
        let stopping = Arc::clone(&driver.feeds);
        let failed = || lock(failure).is_some();
        let result = driver.drive(worker, &ends, &mut ports, failed);
        let result = result.map(|output| drop(lock(&ready_end).replace(output)));
        if clustered && stopping.stopped() {
            // The other processes may go on: this one does not wait for them.
            lock(&early_end).replace(result);
            return Ok(());
        }
        result
    })?;
    while clustered && !guards.guards().iter().all(|worker| worker.is_finished()) {
        let failed = lock(&failure).take().map(|error| Err(error.into()));
        if let Some(result) = failed.or_else(|| lock(&early).take()) {
            early_result = Some(result);
            break;
        }
        std::thread::sleep(LOOK);
    }
    let (mut records, mut bad) = (feeds.records(), feeds.dead_letters.count());
    let worked = match early_result {
        // Workers that wait for other processes end with this one, and its end is what tells the
        // others that the run is over.
        Some(result) => {
            std::mem::forget(guards);
            result
        }
        None => {
            let ended = guards.join().into_iter().map(|result| {
                result.map_err(|e| Error::Cluster(format!("a worker failed: {e}"))).flatten()
            });
            // All are waited for, also where the first has failed.
            let ended: Vec<Result<(), Error>> = ended.collect();
            (records, bad) = match clustered && !feeds.stopped() {
                true => {
                    (totals.records.load(Ordering::Relaxed), totals.bad.load(Ordering::Relaxed))
                }
                false => (feeds.records(), feeds.dead_letters.count()),
            };
            let early = lock(&early).take().unwrap_or(Ok(()));
            ended.into_iter().chain([early]).collect()
        }
    };
    let failed = lock(&failure).take().map_or(Ok(()), |error| Err(error.into()));
    let verdict = worked.and(failed).and_then(|()| feeds.judge(records, bad));
    // Of a run that failed otherwise nothing is kept.
    if matches!(verdict, Ok(()) | Err(Error::TooManyBad { .. })) {
        feeds.dead_letters.finish()?;
    }
    verdict?;
    let mut changes = 0;
    if let Some(mut output) = lock(&ready).take() {
        output.publish()?;
        changes = output.changes;
    }
    Ok(Summary {
        records: feeds.records(),
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

/// How far a dataflow is.
struct Ends {
    views: Handle<Time>,
    /// Of several processes.
    totals: Handle<Time>,
}

impl Ends {
    fn reached(&self) -> bool {
        self.views.done() && self.totals.done()
    }
}

/// Worker 0's part.
struct Driver {
    output: Output,
    progress: Box<dyn FnMut(&Progress) + Send>,
    feeds: Arc<Feeds>,
    clustered: bool,
}

impl Driver {
    /// Works until the end and gives the sinks with everything ready to be published.
    fn drive(
        self,
        worker: &mut Worker,
        ends: &Ends,
        ports: &mut [Box<dyn Port>],
        source_failed: impl Fn() -> bool,
    ) -> Result<Output, Error> {
        let Driver { mut output, mut progress, feeds, clustered } = self;
        output.watch(ports);
        let (mut sealed, mut shown) = (Some(Time::default()), Instant::now());
        // The first error stands, whatever comes of the rest.
        let mut so_far = Ok(());
        loop {
            worker.step_or_park(Some(LOOK));
            // Once the run is being stopped the frontier moves because sources give up, not
            // because everything was seen: nothing more is sealed.
            let stopped = feeds.stopped();
            let frontier = ends.views.with_frontier(|f| f.first().copied());
            if frontier != sealed && so_far.is_ok() && !stopped {
                sealed = frontier;
                so_far = output.hand_over(&ends.views, ports, frontier);
            }
            // Several processes are judged together, when all is read.
            if so_far.is_ok() && !clustered {
                so_far = feeds.judge_so_far();
            }
            if so_far.is_err() {
                // Let the sources end, so that the other workers do too.
                feeds.stop.store(true, Ordering::Relaxed);
            }
            // Other processes may not have been stopped: this one need not wait for them.
            let done = ends.reached() || (stopped && clustered);
            if done || shown.elapsed() >= Duration::from_millis(100) {
                shown = Instant::now();
                progress(&Progress {
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
            if done {
                break;
            }
        }
        so_far?;
        if !source_failed() {
            output.stage(ports, sealed.is_none())?;
        }
        Ok(output)
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
