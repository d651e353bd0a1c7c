//! Makes checkpoints while a run goes on.
//!
//! Now and then a cut is announced at the [`Gate`]. Operators write down what they remember when
//! they pass it, and go on at once. When worker 0 sees that everything up to the cut is sealed, the
//! sinks commit what they were told up to there; when the last operator has written, what was
//! written, where the sources were and what the sinks hold goes to the disk on a thread of its own.
//! In this order, so that a checkpoint never knows more than the sinks: what they hold beyond it
//! they are told once more by a run that goes on from it, and leave out.

use super::gate::Gate;
use crate::checkpoint::{Saved, SourceAt, Store};
use crate::clock::Time;
use crate::error::Error;
use crate::operator::memory::{Contents, Notebook};
use crate::sink::Held;
use crate::source::{Feeds, Partition};
use crate::tell::Tell;
use std::io::ErrorKind;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use timely::dataflow::operators::probe::Handle;

/// How soon a disk that was full is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// How often operators that have not written yet are woken.
const WAKE: Duration = Duration::from_millis(5);
/// How long a run that was asked to stop waits for a last checkpoint.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same where nothing moves: its sources have nothing to say.
const IDLE: Duration = Duration::from_secs(1);

/// The directory in which a run keeps its state, and how.
pub struct State {
    /// The directory.
    pub store: Store,
    /// What the run goes on from.
    pub contents: Option<Contents>,
    /// What is the same of all of its checkpoints. The sources are those that were read before and
    /// are not among those of this run.
    pub same: Saved,
    /// How often there is a checkpoint.
    pub often: Often,
    /// Told what a person should know.
    pub tell: Tell,
}

/// How often there is a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Often {
    /// So often, unless it would take more than this share of the time to write them.
    pub every: Duration,
    /// See there: 0.05 is a twentieth.
    pub share: f64,
}

/// What is written down by operators and then written to the disk takes as long twice.
const TWICE: f64 = 2.0;

impl Often {
    /// As often as can be.
    pub const ALWAYS: Often = Often { every: Duration::ZERO, share: 1.0 };

    /// How long after a checkpoint the next is begun, of which the writing took so long.
    fn pause(&self, writing: Duration) -> Duration {
        let least = Duration::try_from_secs_f64(writing.as_secs_f64() * TWICE / self.share);
        self.every.max(if self.share < 1.0 {
            least.unwrap_or(Duration::MAX)
        } else {
            Duration::ZERO
        })
    }
}

/// Makes the checkpoints of a run; see the module.
pub(super) struct Keeper {
    gate: Gate,
    notebook: Notebook,
    feeds: Arc<Feeds>,
    same: Saved,
    often: Often,
    /// How long it took to write the last one.
    writing: Duration,
    tell: Tell,
    began: Instant,
    woken: Instant,
    /// The cut up to which the sinks have committed, and what they hold.
    committed: Option<(Time, Vec<Held>)>,
    /// The cut that was written last, or is being written.
    written: Option<Time>,
    store: Writing,
    /// Once it was asked to stop.
    leaving: Option<Leaving>,
}

/// What a run waits for that was asked to stop.
struct Leaving {
    since: Instant,
    cut: Option<Time>,
    /// How many records were read and how far all was sealed, when that last changed.
    seen: (u64, Option<Time>),
    moved: Instant,
}

/// The store, here or with the thread that writes.
enum Writing {
    Idle(Box<Store>),
    Busy(JoinHandle<(Box<Store>, Result<Duration, Error>)>),
    /// A thread has failed, which was told.
    Lost,
}

impl Keeper {
    /// One for a run that has not begun.
    pub fn new(state: State, gate: Gate, notebook: Notebook, feeds: Arc<Feeds>) -> Keeper {
        let State { store, same, often, tell, .. } = state;
        let written = store.last().saved().map(|saved| saved.at);
        Keeper {
            gate,
            notebook,
            feeds,
            same,
            often,
            writing: Duration::ZERO,
            tell,
            began: Instant::now(),
            woken: Instant::now(),
            committed: None,
            written,
            store: Writing::Idle(Box::new(store)),
            leaving: None,
        }
    }

    /// The cut that the run goes on from.
    pub fn from(&self) -> Option<Time> {
        self.written
    }

    /// The cut up to which the sinks are to commit now: all before it is sealed.
    pub fn due(&self, probe: &Handle<Time>) -> Option<Time> {
        let cut = self.gate.last()?;
        let known = self.committed.as_ref().is_some_and(|(at, _)| *at >= cut);
        (!known && !self.feeds.stopped() && !probe.less_equal(&cut)).then_some(cut)
    }

    /// The sinks have committed up to a cut.
    pub fn committed(&mut self, cut: Time, held: Vec<Held>) {
        self.committed = Some((cut, held));
    }

    /// Does what is to be done now, and never waits.
    pub fn turn(&mut self) -> Result<(), Error> {
        // What could not be taken back is told before anything comes of it.
        self.notebook.sound()?;
        self.collect(false)?;
        if self.committed.as_ref().map(|(cut, _)| *cut) > self.written
            && self.woken.elapsed() >= WAKE
        {
            self.woken = Instant::now();
            self.notebook.wake();
        }
        if let Some((contents, saved)) = self.ready()? {
            self.write(saved, contents);
        }
        let pending = self.gate.last() > self.written;
        if !pending
            && self.began.elapsed() >= self.often.pause(self.writing)
            && self.leaving.is_none()
        {
            self.gate.cut();
            self.began = Instant::now();
        }
        Ok(())
    }

    /// Whether a run that was asked to stop can do so: there is a checkpoint of where it is, or it
    /// has been waited for long enough, or nothing comes that could bring it about.
    pub fn may_leave(&mut self, probe: &Handle<Time>) -> bool {
        let now = (self.feeds.records(), probe.with_frontier(|frontier| frontier.first().copied()));
        let (gate, written) = (&self.gate, self.written);
        let leaving = self.leaving.get_or_insert_with(|| {
            let pending = gate.last().filter(|last| Some(*last) > written);
            let since = Instant::now();
            Leaving { since, cut: pending.or_else(|| gate.cut()), seen: now, moved: since }
        });
        if leaving.seen != now {
            (leaving.seen, leaving.moved) = (now, Instant::now());
        }
        let busy = matches!(self.store, Writing::Busy(_));
        let done = written >= leaving.cut && !busy;
        let idle = leaving.moved.elapsed() >= IDLE && !busy;
        done || idle || leaving.since.elapsed() >= PATIENCE
    }

    /// Waits for what is being written; after a run that has come to its end there is a last
    /// checkpoint.
    pub fn finish(mut self) -> Result<(), Error> {
        self.collect(true)?;
        if let Some((contents, saved)) = self.ready()? {
            self.write(saved, contents);
        }
        self.collect(true)
    }

    /// What is to be written, when everything is there: never after somebody stopped the run, since
    /// sources that give up look as if everything had been seen.
    fn ready(&mut self) -> Result<Option<(Contents, Saved)>, Error> {
        let Some((cut, held)) = &self.committed else { return Ok(None) };
        let (cut, idle) = (*cut, matches!(self.store, Writing::Idle(_)));
        let complete = idle && self.written < Some(cut) && self.notebook.is_complete(cut);
        if !complete || self.feeds.stopped() {
            return Ok(None);
        }
        let contents = self.notebook.take(cut)?;
        let source = |partition: &Partition| SourceAt {
            stream: partition.stream.name().to_owned(),
            name: partition.name.clone(),
            index: partition.index(),
            position: partition.position(cut),
        };
        let mut saved = self.same.clone();
        saved.at = cut;
        saved.sources.extend(self.feeds.partitions.iter().map(source));
        saved.sinks.clone_from(held);
        saved.currencies = self.feeds.currencies.names().into_iter().collect();
        saved.entries = contents.sizes().map(|(_, size)| size.entries).sum();
        // As many of them are there as the positions tell.
        self.feeds.dead_letters.sync()?;
        self.written = Some(cut);
        Ok(Some((contents, saved)))
    }

    /// Has it written.
    fn write(&mut self, saved: Saved, contents: Contents) {
        let Writing::Idle(mut store) = std::mem::replace(&mut self.store, Writing::Lost) else {
            return;
        };
        let (tell, feeds) = (self.tell.clone(), Arc::clone(&self.feeds));
        let write = move || {
            let mut full = false;
            loop {
                let began = Instant::now();
                let done = store.commit(saved.clone(), &contents);
                let waits = matches!(&done, Err(Error::File { source, .. })
                    if source.kind() == ErrorKind::StorageFull);
                if !waits || feeds.stopped() {
                    return (store, done.map(|()| began.elapsed()));
                }
                if let (false, Err(error)) = (std::mem::replace(&mut full, true), &done) {
                    tell.say(&format!(
                        "no checkpoint can be written until there is space: {error}"
                    ));
                }
                thread::sleep(AGAIN);
            }
        };
        match thread::Builder::new().name("checkpoint".into()).spawn(write) {
            Ok(thread) => self.store = Writing::Busy(thread),
            Err(error) => self.tell.say(&format!("no thread for checkpoints: {error}")),
        }
    }

    /// Takes the store back from the thread that writes, if that is done or is to be waited for.
    fn collect(&mut self, wait: bool) -> Result<(), Error> {
        let thread = match std::mem::replace(&mut self.store, Writing::Lost) {
            Writing::Busy(thread) if wait || thread.is_finished() => thread,
            Writing::Lost => return Err(lost()),
            store => {
                self.store = store;
                return Ok(());
            }
        };
        let (store, result) = thread.join().map_err(|_| lost())?;
        self.store = Writing::Idle(store);
        self.writing = result?;
        Ok(())
    }
}

fn lost() -> Error {
    Error::Cluster("the thread that writes checkpoints has failed".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_to_write_is_written_less_often() {
        let often = Often { every: Duration::from_secs(10), share: 0.05 };
        let seconds = |writing| often.pause(Duration::from_millis(writing)).as_secs_f64();
        assert_eq!([seconds(0), seconds(250), seconds(500)], [10.0, 10.0, 20.0]);
        let always = Often { share: 1.0, ..often };
        assert_eq!(always.pause(Duration::from_secs(60)), Duration::from_secs(10));
    }
}
