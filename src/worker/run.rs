//! A run: from the sources of this process to the sinks, to the end or until it is stopped.

use super::cluster::control::{self, Control, Counts, End, GRACE, Report};
use super::feed::{Failure, feed};
use super::gate::Gate;
use super::keeper::{Keeper, State};
use super::output::{Output, Views};
use super::{Cluster, Common, Graph, drive};
use crate::clock::Time;
use crate::error::Error;
use crate::lock::lock;
use crate::operator::Tally;
use crate::operator::memory::Notebook;
use crate::sink::{Sink, Standing};
use crate::source::{Feeds, Partition};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use timely::communication::WorkerGuards;
use timely::worker::Worker;

/// How often worker 0 looks at the ports, the progress and the clock when nothing wakes it.
const LOOK: Duration = Duration::from_millis(50);
/// How often it looks at sinks that it waits for.
const NAP: Duration = Duration::from_millis(5);
/// How long sinks are waited for once the run is to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything a run needs.
pub struct Plan {
    /// The queries, and what is made of the streams that they read.
    pub graph: Graph,
    /// The sources of this process.
    pub feeds: Arc<Feeds>,
    /// Threads and processes.
    pub cluster: Cluster,
    /// Where views go; only process 0 has any.
    pub sinks: Vec<Box<dyn Sink + Send>>,
    /// Told how far the run is, now and then, by worker 0.
    pub progress: Box<dyn FnMut(&Progress) + Send>,
    /// Where its state is kept, if it is.
    pub state: Option<State>,
    /// Set to end the run early in good order: with a last checkpoint, if state is kept.
    pub leave: Arc<AtomicBool>,
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
    /// Records that were refused because they were late.
    pub late: u64,
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
    /// Payments that come to more than 64 bits hold, of which that is not known.
    pub beyond: u64,
    /// Orders of more items than baskets may have.
    pub too_large: u64,
    /// Bytes read by all processes.
    pub bytes: u64,
    /// Changes that reached the sinks.
    pub changes: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether it was stopped before the sources ended.
    pub stopped: bool,
}

/// What worker 0 has got ready.
type Ready = Mutex<Option<Result<(Output, Option<Keeper>), Error>>>;

/// Runs the plan to the end of its sources, or until it is stopped. What the sinks have is put in
/// place when the whole run has succeeded, and only then.
pub fn run(plan: Plan) -> Result<Summary, Error> {
    let began = Instant::now();
    let Plan { graph, feeds, cluster, sinks, progress, mut state, leave } = plan;
    let contents = state.as_mut().and_then(|state| state.contents.take());
    let notebook = contents.map_or_else(Notebook::default, Notebook::from);
    let gate = Gate::of(notebook.clone(), state.is_some());
    let keep = |state| Keeper::new(state, gate.clone(), notebook.clone(), Arc::clone(&feeds));
    let keeper = state.map(keep);
    let common = Common { notebook, ..Common::default() };
    let failure: Failure = Arc::default();
    let ready: Arc<Ready> = Arc::default();
    let outputs = Mutex::new(Some((sinks, progress, keeper)));
    let mut joined = cluster.join(&|| feeds.stopped())?;
    let own = (Arc::clone(&feeds), Arc::clone(&common.tally));
    let own = move || report(&own.0, &own.1);
    let control = joined.control(own, Arc::clone(&feeds.stop), feeds.max_bad)?;
    control::tell_of_panics(&control);
    let shared = (Arc::clone(&feeds), Arc::clone(&failure), Arc::clone(&control));
    let got = Arc::clone(&ready);
    let guards = joined.execute(move |worker| {
        let (feeds, failure, control) = (&shared.0, &shared.1, &shared.2);
        let clustered = control.clustered();
        let mut views = graph.build(worker, &common, |scope, stream, probe| {
            let (feeds, failure) = (Arc::clone(feeds), Arc::clone(failure));
            feed(scope, stream, feeds, probe.clone(), (failure, gate.clone()), clustered)
        });
        let outputs = if worker.index() == 0 { lock(&outputs).take() } else { None };
        let Some((sinks, progress, keeper)) = outputs else {
            return drive(worker, &views.probe, None, |_| ControlFlow::Continue(()));
        };
        let (feeds, control) = (Arc::clone(feeds), Arc::clone(control));
        let mut output = Output::new(sinks, &mut views, keeper.is_some());
        let from = keeper.as_ref().and_then(Keeper::from);
        let begun = from.map_or(Ok(()), |cut| output.go_on(&mut views, cut));
        let leave = Arc::clone(&leave);
        let driver = Driver { output, keeper, progress, feeds, control, leave, ending: None };
        let result = driver.drive(worker, &mut views, begun, || lock(failure).is_some());
        lock(&got).replace(result);
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
        late: counts.late,
        dead_letters: all.dead_letters,
        left_out: lock(&feeds.notes).lines(),
        duplicates: counts.duplicates,
        superseded: counts.superseded,
        differing: counts.differing,
        unpaired: u64::try_from(counts.unpaired).unwrap_or(0),
        never_came: u64::try_from(counts.never_came).unwrap_or(0),
        beyond: u64::try_from(counts.beyond).unwrap_or(0),
        too_large: u64::try_from(counts.too_large).unwrap_or(0),
        bytes: counts.bytes,
        changes,
        elapsed: began.elapsed(),
        stopped,
    })
}

/// How far this process is.
fn report(feeds: &Feeds, tally: &Tally) -> Report {
    let (letters, late) = (feeds.dead_letters.count(), feeds.late.load(Ordering::Relaxed));
    let counts = Counts {
        records: feeds.records.load(Ordering::Relaxed),
        bad: letters.saturating_sub(late),
        late,
        duplicates: tally.count(|counts| &counts.duplicates),
        superseded: tally.count(|counts| &counts.superseded),
        differing: tally.count(|counts| &counts.differing),
        unpaired: tally.unpaired(),
        never_came: tally.never_came.load(Ordering::Relaxed),
        beyond: tally.beyond.load(Ordering::Relaxed),
        too_large: tally.too_large.load(Ordering::Relaxed),
        bytes: feeds.bytes.load(Ordering::Relaxed),
    };
    let place = || feeds.dead_letters.path().display().to_string();
    Report { counts, dead_letters: (letters > 0).then(place), currencies: feeds.currencies.names() }
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
            let Some((mut output, keeper)) = output else { return Ok(0) };
            keeper.map_or(Ok(()), Keeper::finish)?;
            output.publish()?;
            Ok(output.changes)
        }
        Err(end) => Err(control.error(end)),
    }
}

/// Worker 0's part.
struct Driver {
    output: Output,
    keeper: Option<Keeper>,
    leave: Arc<AtomicBool>,
    /// Since when it is to end, if it is.
    ending: Option<Instant>,
    progress: Box<dyn FnMut(&Progress) + Send>,
    feeds: Arc<Feeds>,
    control: Arc<Control>,
}

impl Driver {
    /// Works until the end and gives the sinks with everything ready to be published.
    fn drive(
        mut self,
        worker: &mut Worker,
        views: &mut Views,
        begun: Result<(), Error>,
        source_failed: impl Fn() -> bool,
    ) -> Result<(Output, Option<Keeper>), Error> {
        let (clustered, mut shown) = (self.control.clustered(), Instant::now());
        // The first error stands, whatever comes of the rest.
        let mut so_far = begun;
        drive(worker, &views.probe.clone(), Some(LOOK), |frontier| {
            // Once the run is being stopped the frontier moves because sources give up, not
            // because everything was seen: nothing more is sealed.
            let stopped = self.feeds.stopped();
            if so_far.is_ok() && !stopped {
                so_far = self.hand_over(views);
            }
            if so_far.is_err() && !clustered {
                // Let the sources end, so that the other workers do too.
                self.feeds.stop.store(true, Ordering::Relaxed);
            }
            // In a cluster sources that are stopped hold on to their time: nobody waits for them.
            let given_up = clustered && (stopped || so_far.is_err());
            let done = frontier.is_none() || given_up;
            if done || shown.elapsed() >= Duration::from_millis(100) {
                shown = Instant::now();
                let hopeless = || self.control.hopeless().map_or(Ok(()), Err);
                so_far = std::mem::replace(&mut so_far, Ok(())).and_then(|()| hopeless());
                self.tell(views.sealed);
            }
            if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        so_far?;
        if !source_failed() && !self.control.failed() {
            self.output.stage(views)?;
            self.settle()?;
        }
        Ok((self.output, self.keeper))
    }

    /// Waits for sinks that are not done with what they were told. Once the run is to end they are
    /// not waited for much longer.
    fn settle(&mut self) -> Result<(), Error> {
        while self.output.turn()? != Standing::Settled {
            if self.is_to_end() && self.ending.is_some_and(|since| since.elapsed() >= PATIENCE) {
                return self.output.give_up();
            }
            std::thread::sleep(NAP);
        }
        if let (Some(keeper), Some((cut, held))) = (&mut self.keeper, self.output.committed()?) {
            keeper.committed(cut, held);
        }
        Ok(())
    }

    fn is_to_end(&mut self) -> bool {
        let ends = self.feeds.stopped() || self.leave.load(Ordering::Relaxed);
        if ends {
            self.ending.get_or_insert_with(Instant::now);
        }
        ends
    }

    /// Waits while some sink is behind. This worker takes nothing meanwhile, so nothing more is
    /// sealed, and the sources hold back.
    fn hold_back(&mut self, views: &Views) -> Result<(), Error> {
        loop {
            if let (Some(keeper), Some((cut, held))) = (&mut self.keeper, self.output.committed()?)
            {
                keeper.committed(cut, held);
            }
            let behind = self.output.turn()? == Standing::Behind || self.two_cuts(views);
            if !behind || self.is_to_end() {
                return Ok(());
            }
            std::thread::sleep(NAP);
            self.tell(views.sealed);
            self.control.hopeless().map_or(Ok(()), Err)?;
        }
    }

    /// Whether a cut is due while the sinks commit the one before.
    fn two_cuts(&self, views: &Views) -> bool {
        let due = self.keeper.as_ref().and_then(|keeper| keeper.due(&views.probe));
        self.output.is_committing() && due.is_some()
    }

    /// Tells the sinks what is sealed now. Where there is a cut they commit it, before they are told
    /// of anything later.
    fn hand_over(&mut self, views: &mut Views) -> Result<(), Error> {
        self.hold_back(views)?;
        if let Some(keeper) = &mut self.keeper {
            if let (false, Some(cut)) = (self.output.is_committing(), keeper.due(&views.probe)) {
                self.output.commit(views, cut)?;
            }
            if let Some((cut, held)) = self.output.committed()? {
                keeper.committed(cut, held);
            }
            keeper.turn()?;
        }
        let leave = self.leave.load(Ordering::Relaxed);
        if leave && self.keeper.as_mut().is_none_or(|keeper| keeper.may_leave(&views.probe)) {
            self.feeds.stop.store(true, Ordering::Relaxed);
            return Ok(());
        }
        // What is later than a cut is told after it.
        if self.two_cuts(views) { Ok(()) } else { self.output.hand_over(views) }
    }

    /// Tells how far the run is.
    fn tell(&mut self, sealed: Option<Time>) {
        let feeds = &self.feeds;
        (self.progress)(&Progress {
            records: feeds.records.load(Ordering::Relaxed),
            bytes: feeds.bytes.load(Ordering::Relaxed),
            sealed,
            newest: feeds.partitions.iter().filter_map(Partition::newest).max(),
        });
    }
}
