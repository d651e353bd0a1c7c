//! The operator that brings a stream's records into the dataflow.
//!
//! It takes blocks from this process's partitions of the stream, always from the one whose clock
//! is furthest behind, and never runs far ahead of the slowest partition of any stream (watermark
//! alignment), nor of the other processes when too much is in flight. Its capability is the least
//! clock of its partitions, which is what the dataflow's frontier is made of. Bound: `BLOCKS` parsed blocks
//! per partition wait for their turn, and `Feeds::in_flight` bytes for others to catch up.

use super::gate::Gate;
use crate::batch::Batch;
use crate::clock::Time;
use crate::error::Error;
use crate::event::Stream;
use crate::operator::Batches;
use crate::source::pace::Pace;
use crate::source::parse::Scratch;
use crate::source::{ENDED, Feeds, LIVE, Partition, SourceError, Taken, Waiting};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Scope;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::operators::probe::Handle;

/// Blocks parsed in one go, before the operators downstream get their turn.
const BLOCKS: usize = 4;
/// How far a partition may be ahead of the slowest, in milliseconds of event time, so that workers
/// need not all read the same one.
const AHEAD: i64 = 3_600_000;
/// How soon to look again when there is nothing to do now.
const SOON: Duration = Duration::from_micros(200);
/// The same for a source that waits for what comes from outside, or has ended and waits for the others.
const LATER: Duration = Duration::from_millis(5);

/// Where a failed source leaves its error for the run to report.
pub(crate) type Failure = Arc<Mutex<Option<Error>>>;

/// The records of a stream that this process reads, as seen by this worker.
pub(crate) fn feed<'s>(
    scope: Scope<'s, Time>,
    stream: Stream,
    feeds: Arc<Feeds>,
    probe: Handle<Time>,
    (failure, gate): (Failure, Gate),
    clustered: bool,
) -> Batches<'s> {
    gate.open();
    source::<_, CapacityContainerBuilder<Vec<Arc<Batch>>>, _, _>(
        scope,
        stream.name(),
        move |cap, info| {
            let again = scope.activator_for(info.address);
            let mut mine = Mine::new(stream, feeds, probe, gate);
            let (mut cap, mut given_up, mut ended) = (Some(cap), false, false);
            move |output| {
                if given_up {
                    return;
                }
                let Some(held) = cap.as_mut() else { return };
                let outcome = mine.turn(held, |cap, batch| {
                    output.session(cap).give(Arc::new(batch));
                });
                match outcome {
                    Ok(Turn::More) => again.activate(),
                    Ok(Turn::Waits) => again.activate_after(LATER),
                    Ok(Turn::Idle) => {
                        let paced = mine.feeds.pace.as_ref().map(Pace::pause);
                        again.activate_after(paced.unwrap_or(SOON));
                    }
                    // The other processes must not take this for the end of the source: the claim
                    // is kept, and goes with the process.
                    Ok(Turn::Ended) if clustered && mine.feeds.stopped() => given_up = true,
                    Ok(Turn::Ended) => {
                        if !std::mem::replace(&mut ended, true) {
                            // Nothing more is stamped with any time.
                            mine.end(|| held.downgrade(&Time::END));
                        }
                        match mine.gate.stays() && !mine.feeds.stopped() {
                            true => again.activate_after(LATER),
                            false => cap = None,
                        }
                    }
                    Err(error) => {
                        crate::lock::lock(&failure).get_or_insert(error);
                        mine.feeds.stop.store(true, std::sync::atomic::Ordering::Relaxed);
                        given_up = clustered; // as above
                        if !clustered {
                            cap = None;
                        }
                    }
                }
            }
        },
    )
}

enum Turn {
    /// There may be more to do.
    More,
    /// Nothing is there now.
    Idle,
    /// The same, where all that comes comes from outside.
    Waits,
    Ended,
}

/// One worker's part in reading a stream.
struct Mine {
    stream: Stream,
    feeds: Arc<Feeds>,
    /// Positions in `feeds.partitions`, with the blocks this worker parsed that wait for their turn.
    partitions: Vec<(usize, VecDeque<Box<Waiting>>)>,
    parser: Scratch,
    probe: Handle<Time>,
    gate: Gate,
    sent: VecDeque<(Time, usize)>,
    in_flight: usize,
}

impl Mine {
    fn new(stream: Stream, feeds: Arc<Feeds>, probe: Handle<Time>, gate: Gate) -> Mine {
        let all = feeds.partitions.iter().enumerate();
        let partitions =
            all.filter(|(_, p)| p.stream == stream).map(|(i, _)| (i, VecDeque::new())).collect();
        Mine {
            stream,
            feeds,
            partitions,
            parser: Scratch::default(),
            probe,
            gate,
            sent: VecDeque::new(),
            in_flight: 0,
        }
    }

    fn turn(
        &mut self,
        cap: &mut Capability<Time>,
        mut send: impl FnMut(&Capability<Time>, Batch),
    ) -> Result<Turn, Error> {
        if self.feeds.stopped() {
            return Ok(Turn::Ended);
        }
        let (mut busy, mut idle) = (false, BTreeSet::new());
        for _ in 0..BLOCKS {
            self.stamp(cap, &mut send)?;
            let Some(i) = self.next_partition(cap, &idle) else { break };
            let (place, waiting) = &mut self.partitions[i];
            match self.feeds.partitions[*place].take(&self.feeds, &mut self.parser)? {
                Taken::Parsed(block) => {
                    waiting.push_back(block);
                    busy = true;
                }
                // Another one may have something.
                Taken::Later | Taken::Ended => drop(idle.insert(i)),
            }
        }
        self.stamp(cap, &mut send)?;
        let partitions = self.partitions.iter().map(|(p, _)| &self.feeds.partitions[*p]);
        match partitions.clone().filter_map(|p| p.frontier(&self.feeds)).min() {
            None => {
                self.feeds.refuse_nameless(self.stream)?;
                Ok(Turn::Ended)
            }
            Some(least) => {
                if *cap.time() < least {
                    // Before anything of it can be seen.
                    self.feeds.settle(least)?;
                    self.gate.pass(least, || cap.downgrade(&least));
                }
                let live = partitions.clone().all(|p| matches!(p.clock(), LIVE | ENDED));
                Ok(match busy {
                    true => Turn::More,
                    false if live => Turn::Waits,
                    false => Turn::Idle,
                })
            }
        }
    }

    /// Gives up the claim to this stream, of which everything was seen.
    fn end(&self, go: impl FnOnce()) {
        // What a run that was stopped has not read is still to come.
        let last = self.feeds.partitions.iter().map(|p| p.stamped(&self.feeds)).max();
        self.gate.end(last.filter(|_| !self.feeds.stopped()), go);
    }

    /// Stamps and sends whatever of this worker's blocks is next in its partition.
    fn stamp(
        &mut self,
        cap: &Capability<Time>,
        send: &mut impl FnMut(&Capability<Time>, Batch),
    ) -> Result<(), SourceError> {
        for (place, waiting) in &mut self.partitions {
            let partition = &self.feeds.partitions[*place];
            let mut tell = |beat: Batch| {
                if let Some(run) = beat.runs.first() {
                    send(&cap.delayed(&run.time), beat);
                }
            };
            while let Some(beat) = partition.beat(&self.feeds)? {
                tell(beat);
            }
            while let Some(block) = waiting.pop_front() {
                let mut block = Some(block);
                let stamped = partition.stamp(&mut block, &self.feeds)?;
                // What is not due, or not at its turn, stays the next.
                block.into_iter().for_each(|rest| waiting.push_front(rest));
                match stamped {
                    Some(batch) => {
                        if let (Some(first), Some(last)) = (batch.runs.first(), batch.runs.last()) {
                            let bytes = batch.bytes();
                            self.sent.push_back((last.time, bytes));
                            self.in_flight += bytes;
                            // What is made of it is no earlier than it is: were it sent as early
                            // as this source might speak, whoever keeps it would hold the
                            // frontier back, and the source would wait for itself.
                            send(&cap.delayed(&first.time), batch);
                        }
                    }
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// The partition to read from now, if any may be; not one that is idle.
    fn next_partition(&mut self, cap: &Capability<Time>, idle: &BTreeSet<usize>) -> Option<usize> {
        let frontier = self.probe.with_frontier(|f| f.first().copied()).unwrap_or(Time::END);
        while let Some((time, bytes)) = self.sent.front().copied().filter(|(t, _)| *t < frontier) {
            debug_assert!(time < frontier);
            self.in_flight -= bytes;
            self.sent.pop_front();
        }
        // The source that holds everybody back must never wait for anybody.
        if self.in_flight > self.feeds.in_flight && frontier < *cap.time() {
            return None;
        }
        let least = self.feeds.least_clock();
        let clock = |place: usize| Partition::clock(&self.feeds.partitions[place]);
        self.partitions
            .iter()
            .enumerate()
            .filter(|(i, (place, waiting))| {
                let near = clock(*place) <= least.saturating_add(AHEAD);
                waiting.len() < BLOCKS && near && !idle.contains(i)
            })
            .map(|(i, _)| i)
            .min_by_key(|i| clock(self.partitions[*i].0))
            .filter(|i| clock(self.partitions[*i].0) != ENDED)
    }
}
