//! Offering events to a state and seeing when their changes are visible.
//!
//! In the open loop batches are sent when they are due, whether or not earlier ones have come out;
//! in the closed loop each is due when the one before is visible. The latency of a batch runs from when it was *due*, not from when it could be sent, to when the
//! frontier has passed its tick and its changes are visible at the ports. So if the engine stalls
//! for a second, all that was due in that second is late by what it waited: coordinated omission
//! is accounted for by construction. Everything given is kept, and at the end the same events are
//! run once more by one worker, all at once: the views must be the same, or there is no figure.

use super::latencies::{Latencies, histogram};
use super::pool::{Changes, Pool};
use super::process::verify;
use super::workload::Workload;
use crate::clock::Time;
use crate::error::Error;
use crate::lab::cost::thread_cpu;
use crate::lab::replay::Recorded;
use crate::lock::lock;
use crate::operator::{Port, Sealed};
use crate::sink::{Sink, digest};
use crate::value::Decimals;
use crate::worker::Graph;
use crate::worker::live::{Input, Live, Workers};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How much longer than asked for an offer may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(3);
/// The least time for which it is worth sleeping instead of looking at the clock.
const NAP: Duration = Duration::from_micros(300);

/// When batches are due.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// At a rate, in events per second.
    Open(f64),
    /// When the one before is visible.
    Closed,
}

/// How events are offered.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// When.
    pub pace: Pace,
    /// Events per batch, which is a tick of its own.
    pub batch: usize,
    /// So many batches.
    pub count: usize,
}

impl Offer {
    /// At a rate for some time.
    pub fn at_rate(rate: f64, batch: usize, seconds: f64) -> Offer {
        let count = (seconds * rate / batch as f64).ceil().max(1.0) as usize;
        Offer { pace: Pace::Open(rate), batch, count }
    }

    /// When it is given up: an open loop that is behind by as much as it was to take only makes
    /// the queue longer. A closed loop cannot be behind.
    fn patience(&self) -> Option<Duration> {
        match self.pace {
            Pace::Open(rate) => {
                let seconds = (self.count * self.batch) as f64 / rate;
                Some(PATIENCE + Duration::from_secs_f64(2.0 * seconds))
            }
            Pace::Closed => None,
        }
    }
}

/// Queries with some state, waiting for live events.
pub struct Loop {
    graph: Graph,
    pool: Pool,
    input: Input,
    workers: Workers,
    watch: Arc<Watch>,
    given: Recorded,
    /// Batches that were made and could not be offered in time.
    left: Vec<(Time, Recorded)>,
    /// How long the state took to be made.
    pub preloading: Duration,
}

/// What came out, as worker 0 sees it.
#[derive(Default)]
struct Watch {
    seen: Mutex<Seen>,
    more: Condvar,
}

#[derive(Default)]
struct Seen {
    due: VecDeque<(Time, Instant)>,
    latencies: Vec<Duration>,
    /// Processor time of worker 0 for each batch.
    work: Vec<Duration>,
    changes: u64,
    sealed: Option<Time>,
    ended: bool,
    views: String,
}

struct Watcher {
    watch: Arc<Watch>,
    names: Vec<&'static str>,
    changes: u64,
    cpu: Duration,
}

impl Sink for Watcher {
    fn change(&mut self, _view: usize, _change: &Sealed<'_>) -> Result<(), Error> {
        self.changes += 1;
        Ok(())
    }

    fn sealed(&mut self, frontier: Option<Time>) -> Result<(), Error> {
        let now = Instant::now();
        let mut seen = lock(&self.watch.seen);
        let seen = &mut *seen;
        while let Some((_, due)) =
            seen.due.pop_front_if(|(time, _)| frontier.is_none_or(|f| *time < f))
        {
            seen.latencies.push(now.saturating_duration_since(due));
        }
        // Batches that became visible at once have shared the work. Time may also move on without
        // any: what that took belongs to the next one, if one is due.
        let batches = seen.latencies.len() - seen.work.len();
        if batches > 0 || seen.due.is_empty() {
            let cpu = thread_cpu();
            let work = cpu.saturating_sub(std::mem::replace(&mut self.cpu, cpu));
            seen.work.extend((0..batches).map(|_| work / batches.max(1) as u32));
        }
        seen.changes = self.changes;
        (seen.sealed, seen.ended) = (frontier, frontier.is_none());
        self.watch.more.notify_all();
        Ok(())
    }

    fn stage(&mut self, ports: &mut [Box<dyn Port>], _ended: bool) -> Result<(), Error> {
        let lines = self.names.iter().zip(ports).map(|(name, port)| {
            let digest = digest(&mut **port, Decimals(2));
            format!("{name},{},{:08x}\n", digest.rows, digest.crc)
        });
        lock(&self.watch.seen).views = lines.collect();
        Ok(())
    }

    fn wants_view(&self) -> bool {
        true
    }
}

impl Watch {
    /// Waits until everything up to a time is visible.
    fn wait(&self, time: Time) {
        let mut seen = lock(&self.seen);
        while !seen.ended && seen.sealed.is_none_or(|sealed| sealed <= time) {
            seen = self.more.wait(seen).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Loop {
    /// Reads the events and makes the state.
    pub fn start(
        workload: &Workload,
        preload: Option<u64>,
        live: u64,
        changes: Changes,
        workers: usize,
    ) -> Result<Loop, Error> {
        let sources = workload.sources()?;
        let plan = workload.over(&sources)?.plan(&mut |_| ())?;
        let graph = plan.graph;
        let pool =
            Pool::read(&plan.feeds, graph.intake.tick, preload, live, (changes, workload.seed))?;
        let began = Instant::now();
        let watch = Arc::<Watch>::default();
        let (mut input, workers) = start(&graph, workers, &watch)?;
        give_all(&mut input, &pool.preload);
        input.seal(pool.last);
        watch.wait(pool.last);
        let given = pool.preload.clone();
        let preloading = began.elapsed();
        Ok(Loop { graph, pool, input, workers, watch, given, left: Vec::new(), preloading })
    }

    /// Events in the state.
    pub fn preloaded(&self) -> usize {
        self.pool.preloaded()
    }

    /// The queries that run.
    pub fn queries(&self) -> String {
        self.graph.queries.iter().map(|q| q.name()).collect::<Vec<_>>().join(" ")
    }

    /// Offers events and gives the latencies of their batches, once all are visible; fewer than
    /// asked for where the rate cannot be offered (see [`Latencies::missed`]).
    pub fn offer(&mut self, offer: Offer) -> Result<Latencies, Error> {
        let count = offer.count;
        let patience = offer.patience();
        let over = |since: Instant| patience.is_some_and(|most| since.elapsed() > most);
        // Made beforehand: the loop only sends.
        let making = Instant::now();
        let mut ready = Vec::new();
        while ready.len() < count && !over(making) {
            match self.pool.draw(offer.batch) {
                Some(batch) => ready.push(batch),
                None => break,
            }
        }
        if ready.len() < count && !over(making) {
            return Err(Error::Usage(format!(
                "the source ends after {} of {count} batches; take fewer, a larger source, or --changes spread",
                ready.len()
            )));
        }
        let (mut last, mut events) = (self.pool.last, 0);
        let before = lock(&self.watch.seen).changes;
        let began = Instant::now() + Duration::from_millis(5);
        let mut missed = count - ready.len();
        let mut ready = ready.into_iter();
        for i in 0.. {
            if missed > 0 || (i % 64 == 0 && over(began)) {
                missed = count - i;
                break;
            }
            let Some((time, batches)) = ready.next() else { break };
            let due = match offer.pace {
                Pace::Open(rate) => {
                    let due = began + Duration::from_secs_f64((i * offer.batch) as f64 / rate);
                    wait_until(due);
                    due
                }
                Pace::Closed => {
                    self.watch.wait(last);
                    Instant::now()
                }
            };
            lock(&self.watch.seen).due.push_back((time, due));
            for (stream, batch) in &batches {
                events += batch.len();
                self.input.give(*stream, Arc::clone(batch));
            }
            self.input.seal(time);
            self.given.extend(batches);
            last = time;
        }
        match missed {
            0 => self.watch.wait(last),
            _ => self.left = ready.collect(),
        }
        let seconds = began.elapsed().as_secs_f64();
        let mut seen = lock(&self.watch.seen);
        let seen = &mut *seen;
        Ok(Latencies {
            histogram: histogram(&mut seen.latencies)?,
            work: histogram(&mut seen.work)?,
            events,
            seconds,
            changes: seen.changes - before,
            missed,
        })
    }

    /// After batches were missed: gives those that were made, so that the state is whole again, and
    /// waits until all is visible.
    pub fn settle(&mut self) {
        let left = std::mem::take(&mut self.left);
        let Some(last) = left.last().map(|(time, _)| *time) else { return };
        for (time, batches) in left {
            for (stream, batch) in &batches {
                self.input.give(*stream, Arc::clone(batch));
            }
            self.input.seal(time);
            self.given.extend(batches);
        }
        self.watch.wait(last);
        let mut seen = lock(&self.watch.seen);
        seen.latencies.clear();
        seen.work.clear();
    }

    /// Leaves the workers to what is queued, which nobody waits for: the program is about to end.
    pub fn abandon(self) {
        std::mem::forget(self.workers);
    }

    /// Ends the input and verifies the views.
    pub fn verify(self) -> Result<(), Error> {
        let Loop { graph, input, workers, watch, given, .. } = self;
        drop(input);
        workers.join()?;
        let again = Arc::<Watch>::default();
        let (mut input, workers) = start(&graph, 1, &again)?;
        for (stream, batch) in given {
            input.give(stream, batch);
        }
        drop(input);
        workers.join()?;
        let (views, reference) = (&lock(&watch.seen).views, &lock(&again.seen).views);
        verify("the offered events", views, reference)
    }
}

fn start(graph: &Graph, workers: usize, watch: &Arc<Watch>) -> Result<(Input, Workers), Error> {
    let names = graph.queries.iter().map(|query| query.name()).collect();
    let live = Live { graph: graph.clone(), workers };
    live.start(Box::new(Watcher {
        watch: Arc::clone(watch),
        names,
        changes: 0,
        cpu: Duration::ZERO,
    }))
}

/// Gives batches that are in the order of their first stamps, sealing as they go.
fn give_all(input: &mut Input, batches: &Recorded) {
    for (stream, batch) in batches {
        if let Some(run) = batch.runs.first() {
            input.advance(run.time);
        }
        input.give(*stream, Arc::clone(batch));
    }
}

fn wait_until(due: Instant) {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        match left.checked_sub(NAP) {
            _ if left.is_zero() => return,
            Some(nap) if !nap.is_zero() => std::thread::sleep(nap),
            _ => std::hint::spin_loop(),
        }
    }
}
