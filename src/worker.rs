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
use crate::operator::{Batches, Dedupe, Port, Tally, dedupe, settle};
use crate::query::{AnyQuery, Inputs, Opened, Reads};
use crate::sink::{Sink, Spec};
use crate::source::{Feeds, lock};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use timely::communication::{Allocator, WorkerGuards};
use timely::dataflow::operators::probe::Handle;
use timely::worker::Worker;

mod cluster;
mod feed;
pub mod live;
mod output;
use cluster::control::{self, Control, Counts, End, GRACE, Report};
pub use cluster::{Cluster, Description, Secret, VARIABLE, end_on_panic};
use feed::{Failure, feed};
use output::Output;

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
    /// The streams that have change logs among their sources.
    pub change_logs: BTreeSet<Stream>,
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

/// What a run did. Where it was stopped, the counts are as far as this process knows them.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Records read by all processes, good and bad.
    pub records: u64,
    /// Bad ones among them.
    pub bad: u64,
    /// Where those are, if there are any.
    pub dead_letters: Option<String>,
    /// What was left out of good records of this process's sources, a line for each field.
    pub left_out: Vec<String>,
    /// Records with an id that was known.
    pub duplicates: u64,
    /// Those among them that changed nothing because a newer one was known.
    pub superseded: u64,
    /// Records that differ from another of the same id, version and time.
    pub differing: u64,
    /// Ids with cancellations, refunds or chargebacks, but no known payment that they could be of.
    pub unpaired: u64,
    /// Retractions in change logs of records that did not come.
    pub never_came: u64,
    /// Bytes read by all processes.
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

/// What worker 0 has got ready.
type Ready = Mutex<Option<Result<Output, Error>>>;

/// Runs the plan to the end of its sources, or until it is stopped. What the sinks have is put in
/// place when the whole run has succeeded, and only then.
pub fn run(plan: Plan) -> Result<Summary, Error> {
    let began = Instant::now();
    let Plan { queries, reads, dedupe: ids, change_logs, feeds, tick, cluster, sinks, progress } =
        plan;
    let tally = Arc::new(Tally::default());
    let failure: Failure = Arc::default();
    let ready: Arc<Ready> = Arc::default();
    let outputs = Mutex::new(Some((sinks, progress)));
    let mut joined = cluster.join(&|| feeds.stopped())?;
    let own = (Arc::clone(&feeds), Arc::clone(&tally));
    let own = move || report(&own.0, &own.1);
    let control = joined.control(own, Arc::clone(&feeds.stop), feeds.max_bad)?;
    control::tell_of_panics(&control);
    let shared = (Arc::clone(&feeds), Arc::clone(&failure), Arc::clone(&control));
    let leave = Arc::clone(&ready);
    let guards = joined.execute(move |worker| {
        let (feeds, failure, control) = (&shared.0, &shared.1, &shared.2);
        let clustered = control.clustered();
        let probe = Handle::new();
        let mut ports = worker.dataflow::<Time, _, _>(|scope| {
            let open = |stream: Stream| {
                let (feeds, failure) = (Arc::clone(feeds), Arc::clone(failure));
                let batches = feed(scope, stream, feeds, probe.clone(), failure, clustered);
                let how = (ids.get(&stream).copied(), change_logs.contains(&stream));
                opened(batches, stream, reads.fields(stream), how, &tally)
            };
            let inputs = Inputs::new(probe.clone(), tick, Box::new(open));
            queries.iter().map(|query| query.build(&inputs)).collect::<Vec<_>>()
        });
        let outputs = if worker.index() == 0 { lock(&outputs).take() } else { None };
        let Some((sinks, progress)) = outputs else {
            while !probe.done() {
                worker.step_or_park(None);
            }
            return;
        };
        let (feeds, control) = (Arc::clone(feeds), Arc::clone(control));
        let driver = Driver { output: Output::new(sinks), progress, feeds, control };
        let result = driver.drive(worker, &probe, &mut ports, || lock(failure).is_some());
        lock(&leave).replace(result);
    });
    let guards = guards.inspect_err(|error| {
        control.fail(&error.to_string());
        control.close();
    })?;
    let mut workers = Some(guards);
    if !control.clustered() {
        join(workers.take())?;
    }
    let verdict = await_verdict(workers.as_ref(), &control, &feeds, &failure, &ready);
    let result = conclude(&verdict, &control, &feeds, &failure, &ready);
    match &result {
        Ok(_) => control.finish(),
        Err(error) => control.fail(&error.to_string()),
    }
    control.close();
    if verdict.is_err() || result.is_err() {
        // Workers that wait for other processes end with this one.
        workers.take().into_iter().for_each(std::mem::forget);
    }
    join(workers)?;
    let changes = result?;
    let (all, stopped) = match verdict {
        // A cluster that was asked to stop after the verdict has done everything nevertheless.
        Ok(all) => (all, feeds.stopped() && !control.clustered()),
        Err(End::Stopped(process)) if process == cluster.process => (control.known(), true),
        Err(end) => return Err(control.error(&end)),
    };
    let counts = all.counts;
    Ok(Summary {
        records: counts.records,
        bad: counts.bad,
        dead_letters: all.dead_letters,
        left_out: lock(&feeds.notes).lines(),
        duplicates: counts.duplicates,
        superseded: counts.superseded,
        differing: counts.differing,
        unpaired: u64::try_from(counts.unpaired).unwrap_or(0),
        never_came: u64::try_from(counts.never_came).unwrap_or(0),
        bytes: counts.bytes,
        changes,
        elapsed: began.elapsed(),
        stopped,
    })
}

/// How far this process is.
fn report(feeds: &Feeds, tally: &Tally) -> Report {
    let bad = feeds.dead_letters.count();
    let counts = Counts {
        records: feeds.records.load(Ordering::Relaxed),
        bad,
        duplicates: tally.duplicates.load(Ordering::Relaxed),
        superseded: tally.superseded.load(Ordering::Relaxed),
        differing: tally.differing.load(Ordering::Relaxed),
        unpaired: tally.unpaired.load(Ordering::Relaxed),
        never_came: tally.never_came.load(Ordering::Relaxed),
        bytes: feeds.bytes.load(Ordering::Relaxed),
    };
    let place = || feeds.dead_letters.path().display().to_string();
    Report { counts, dead_letters: (bad > 0).then(place), currencies: feeds.currencies.names() }
}

/// Waits for the workers to end.
fn join(workers: Option<WorkerGuards<()>>) -> Result<(), Error> {
    let ended = workers.into_iter().flat_map(WorkerGuards::join).collect::<Vec<_>>();
    ended
        .into_iter()
        .collect::<Result<(), _>>()
        .map_err(|e| Error::Cluster(format!("a worker failed: {e}")))
}

/// Waits for the verdict on the whole run. In a cluster the end may be that of another process,
/// whatever the workers here are waiting for.
fn await_verdict(
    workers: Option<&WorkerGuards<()>>,
    control: &Control,
    feeds: &Feeds,
    failure: &Failure,
    ready: &Ready,
) -> Result<Report, End> {
    let finished = || workers.is_none_or(|all| all.guards().iter().all(|w| w.is_finished()));
    let mut over = None::<Instant>;
    loop {
        // In this order: a failure sets the flag as well, after it is noted.
        let stopped = control.clustered() && feeds.stopped();
        let failed = lock(failure).as_ref().map(ToString::to_string);
        let failed = failed.or_else(|| match &*lock(ready) {
            Some(Err(error)) => Some(error.to_string()),
            _ => None,
        });
        match &failed {
            Some(why) => control.fail(why),
            None if stopped => control.stop(),
            None if finished() => control.done(),
            None => {}
        }
        match (control.verdict(), failed) {
            (Some(Ok(all)), _) => return Ok(all),
            (Some(Err(end)), _) => {
                // Worker 0 of process 0 first gets ready what may be written. After a failure
                // nothing may, and it need not be waited for.
                let since = over.get_or_insert_with(Instant::now).elapsed();
                let got = !control.leads() || lock(ready).is_some();
                if got || (control.failed() && since > GRACE) {
                    return Err(end);
                }
            }
            // Process 0 does not answer.
            (None, Some(why)) if over.get_or_insert_with(Instant::now).elapsed() > GRACE => {
                return Err(End::Failed(None, why));
            }
            (None, _) => {}
        }
        control.wait();
    }
}

/// Puts in place what the verdict allows; gives how many changes reached the sinks.
fn conclude(
    verdict: &Result<Report, End>,
    control: &Control,
    feeds: &Feeds,
    failure: &Failure,
    ready: &Ready,
) -> Result<u64, Error> {
    // Of a run that failed nothing is kept, but the reasons where too much was bad.
    if !matches!(verdict, Err(End::Failed(..))) {
        feeds.dead_letters.finish()?;
    }
    if let Some(error) = lock(failure).take() {
        return Err(error);
    }
    let output = lock(ready).take().transpose()?;
    match verdict {
        Ok(_) | Err(End::Stopped(_)) => {
            let Some(mut output) = output else { return Ok(0) };
            output.publish()?;
            Ok(output.changes)
        }
        Err(end) => Err(control.error(end)),
    }
}

/// A stream as queries see it: what came, the records of it that are there, and one per id if they
/// have ids.
pub(crate) fn opened<'s>(
    raw: Batches<'s>,
    stream: Stream,
    fields: Vec<usize>,
    (how, change_logs): (Option<Dedupe>, bool),
    tally: &Arc<Tally>,
) -> Opened<'s> {
    let fields = with_id(stream, fields);
    let all = match change_logs {
        true => settle(raw.clone(), stream, &fields, Arc::clone(tally)),
        false => raw.clone(),
    };
    let unique = match how {
        Some(how) => dedupe(all.clone(), stream, &fields, how, Arc::clone(tally)),
        None => all.clone(),
    };
    Opened { raw, all, unique }
}

/// The fields a stream's batches carry when its records are made unique: also its id and version.
pub(crate) fn with_id(stream: Stream, mut fields: Vec<usize>) -> Vec<usize> {
    fields.extend([stream.id(), stream.version()]);
    fields.sort_unstable();
    fields.dedup();
    fields
}

/// Worker 0's part.
struct Driver {
    output: Output,
    progress: Box<dyn FnMut(&Progress) + Send>,
    feeds: Arc<Feeds>,
    control: Arc<Control>,
}

impl Driver {
    /// Works until the end and gives the sinks with everything ready to be published.
    fn drive(
        self,
        worker: &mut Worker,
        probe: &Handle<Time>,
        ports: &mut [Box<dyn Port>],
        source_failed: impl Fn() -> bool,
    ) -> Result<Output, Error> {
        let Driver { mut output, mut progress, feeds, control } = self;
        output.watch(ports);
        let (mut sealed, mut shown) = (Some(Time::default()), Instant::now());
        // The first error stands, whatever comes of the rest.
        let mut so_far = Ok(());
        loop {
            worker.step_or_park(Some(LOOK));
            // Once the run is being stopped the frontier moves because sources give up, not
            // because everything was seen: nothing more is sealed.
            let stopped = feeds.stopped();
            let frontier = probe.with_frontier(|f| f.first().copied());
            if frontier != sealed && so_far.is_ok() && !stopped {
                sealed = frontier;
                so_far = output.hand_over(probe, ports, frontier);
            }
            if so_far.is_err() && !control.clustered() {
                // Let the sources end, so that the other workers do too.
                feeds.stop.store(true, Ordering::Relaxed);
            }
            // In a cluster sources that are stopped hold on to their time: nobody waits for them.
            let given_up = control.clustered() && (stopped || so_far.is_err());
            let done = probe.done() || given_up;
            if done || shown.elapsed() >= Duration::from_millis(100) {
                shown = Instant::now();
                so_far = so_far.and_then(|()| control.hopeless().map_or(Ok(()), Err));
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
        if !source_failed() && !control.failed() {
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
            Opened { raw: none.clone(), all: none.clone(), unique: none }
        };
        let inputs = Inputs::new(Handle::new(), Tick::MINUTE, Box::new(open));
        query.build(&inputs);
        inputs.reads()
    })
}
