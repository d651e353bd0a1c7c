//! What the processes of a run tell each other beside the dataflow, so that they end as one: how
//! much each has read, who has failed or was asked to stop, and the verdict on the whole run.
//!
//! Each process has a connection to process 0, which alone decides. The others tell it their
//! counts again and again, that their part is done, or what ends the run; it tells them what the
//! end is. Nothing is complete before all are done and the counts of all together are found good.
//! A process that hangs up before the end, or says nothing for `silence`, is gone, and that ends
//! the run as well. A run of one process is judged by the same code, with nobody to talk to.
//!
//! A thread of its own does the talking, so that a process that is busy writing is not taken for
//! one that is gone. Bound: that of a [`Link`].

use super::Cluster;
use crate::error::Error;
use crate::lock::lock;
use crate::source::judge;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

mod link;
mod panics;
mod told;
use link::Link;
pub(super) use panics::last_words;
pub(crate) use panics::tell_of_panics;
use told::Message;
pub(crate) use told::{Counts, End, Report};

/// How often a process says that it is there.
const PULSE: Duration = Duration::from_millis(500);
/// How often a thread looks at what has come.
const LOOK: Duration = Duration::from_millis(20);
/// How long a process may say nothing.
pub(super) const SILENCE: Duration = Duration::from_secs(20);
/// How long a process that is about to end waits for the others to hear of it.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// A few bad records at the beginning prove nothing; the last word is had at the end.
const PROOF: u64 = 100_000;
/// The most characters of a failure that are told to the others.
const TOLD: usize = 2000;

/// What the control of a run is made of.
pub(super) struct Setup {
    pub process: usize,
    /// Of each process; empty if there is only one.
    pub addresses: Vec<String>,
    /// Set when the run has ended otherwise than well.
    pub stop: Arc<AtomicBool>,
    /// The largest share of bad records that is put up with.
    pub max_bad: f64,
    /// How long another may say nothing.
    pub silence: Duration,
}

impl Setup {
    pub(super) fn of(cluster: &Cluster, stop: Arc<AtomicBool>, max_bad: f64) -> Setup {
        let (process, addresses) = (cluster.process, cluster.addresses.clone());
        Setup { process, addresses, stop, max_bad, silence: SILENCE }
    }
}

type Own = Box<dyn Fn() -> Report + Send + Sync>;

/// A process's view of how the run goes.
pub(crate) struct Control {
    setup: Setup,
    /// How far this process is now.
    own: Own,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What the others said last; of process 0 nothing.
    reports: Vec<Report>,
    /// Who has done its part.
    done: Vec<bool>,
    /// Process 0 has found the run good, and is writing: what the others say comes too late.
    agreed: bool,
    /// What this process tells process 0 to end the run.
    wish: Option<End>,
    end: Option<End>,
    /// This process has nothing more to do than to tell the others.
    closing: bool,
    /// The thread has ended, or there is none.
    closed: bool,
}

impl Control {
    /// Begins to talk to the others, over one connection to each (process 0) or one to process 0.
    pub(super) fn start(
        setup: Setup,
        connections: Vec<Option<TcpStream>>,
        own: Own,
    ) -> Result<Arc<Control>, Error> {
        let count = setup.addresses.len().max(1);
        let state = State {
            reports: vec![Report::default(); count],
            done: vec![false; count],
            closed: true,
            ..State::default()
        };
        let state = Mutex::new(state);
        let control = Arc::new(Control { setup, own, state, changed: Condvar::new() });
        let mut links = Vec::new();
        for (process, stream) in connections.into_iter().enumerate() {
            let Some(stream) = stream else { continue };
            let failed = |e| Error::Cluster(format!("the connection to process {process}: {e}"));
            links.push(Link::new(process, stream).map_err(failed)?);
        }
        if !links.is_empty() {
            lock(&control.state).closed = false;
            let talking = Arc::clone(&control);
            std::thread::Builder::new()
                .name("control".into())
                .spawn(move || talking.talk(links))
                .map_err(|e| Error::Cluster(format!("cannot start a thread: {e}")))?;
        }
        Ok(control)
    }

    /// Whether this is process 0.
    pub(crate) fn leads(&self) -> bool {
        self.setup.process == 0
    }

    /// Whether there are others.
    pub(crate) fn clustered(&self) -> bool {
        self.setup.addresses.len() > 1
    }

    fn name(&self, process: usize) -> String {
        let address = self.setup.addresses.get(process).map_or("", String::as_str);
        format!("process {process} ({address})")
    }

    /// Whether the run has failed, here or elsewhere.
    pub(crate) fn failed(&self) -> bool {
        matches!(lock(&self.state).end, Some(End::Failed(..) | End::Refused(_)))
    }

    /// This process has failed; the first failure that is told counts.
    pub(crate) fn fail(&self, why: &str) {
        let why = why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TOLD).collect();
        self.wish(End::Failed(Some(self.setup.process), why));
    }

    /// This process was asked to stop.
    pub(crate) fn stop(&self) {
        self.wish(End::Stopped(self.setup.process));
    }

    fn wish(&self, end: End) {
        let mut state = lock(&self.state);
        if self.leads() {
            let late = state.agreed && matches!(end, End::Stopped(_));
            if !late {
                self.settle(&mut state, end);
            }
        } else {
            state.wish.get_or_insert(end);
        }
        self.changed.notify_all();
    }

    /// Ends the run; the first end holds.
    fn settle(&self, state: &mut State, end: End) {
        if state.end.is_some() {
            return;
        }
        if !matches!(end, End::Good(_)) {
            self.setup.stop.store(true, Ordering::Relaxed);
        }
        state.end = Some(end);
        self.changed.notify_all();
    }

    /// This process's part is done: its counts will not change any more.
    pub(crate) fn done(&self) {
        lock(&self.state).done[self.setup.process] = true;
        self.changed.notify_all();
    }

    /// The verdict on the whole run, once there is one. Process 0 has it when all are done, before
    /// anything is published; the others when process 0 has published it, or has failed to.
    pub(crate) fn verdict(&self) -> Option<Result<Report, End>> {
        let mut state = lock(&self.state);
        match &state.end {
            Some(End::Good(all)) => return Some(Ok(Report::clone(all))),
            Some(end) => return Some(Err(end.clone())),
            None if !self.leads() || state.done.contains(&false) => return None,
            None => {}
        }
        let all = self.all(&state);
        if self.judge(&all).is_err() {
            let end = End::Refused(Box::new(all));
            self.settle(&mut state, end.clone());
            return Some(Err(end));
        }
        state.agreed = true;
        Some(Ok(all))
    }

    /// The error of a run in which there is no sense in going on: so many records of all processes
    /// are bad already, or they are of more than one currency.
    pub(crate) fn hopeless(&self) -> Option<Error> {
        let mut state = lock(&self.state);
        let all = self.all(&state);
        let proved = all.counts.records > PROOF || all.currencies.len() > 1;
        let error = if proved { self.judge(&all).err() } else { None }?;
        self.settle(&mut state, End::Refused(Box::new(all)));
        Some(error)
    }

    /// Process 0: what was found good is written, and so the run has ended well.
    pub(crate) fn finish(&self) {
        let mut state = lock(&self.state);
        if state.agreed {
            let all = self.all(&state);
            self.settle(&mut state, End::Good(Box::new(all)));
        }
    }

    /// How far all are, as far as that is known here.
    pub(crate) fn known(&self) -> Report {
        self.all(&lock(&self.state))
    }

    /// What an end other than a good one is to this process.
    pub(crate) fn error(&self, end: &End) -> Error {
        Error::Cluster(match end {
            End::Good(_) => "the run has ended".into(),
            End::Refused(all) => match self.judge(all) {
                Err(error) => return error,
                Ok(()) => "the records were refused".into(),
            },
            End::Stopped(process) => {
                format!("{} was stopped, and with it the run, before its end", self.name(*process))
            }
            End::Failed(Some(process), why) if self.clustered() => {
                format!("{} failed: {why}; the run is over", self.name(*process))
            }
            End::Failed(_, why) => why.clone(),
        })
    }

    /// Everything that is known now.
    fn all(&self, state: &State) -> Report {
        let mut all = Report::default();
        let mut places: Vec<String> = Vec::new();
        let own = (self.own)();
        for (process, report) in state.reports.iter().enumerate() {
            let mine = process == self.setup.process;
            let report = if mine { &own } else { report };
            all.counts.add(report.counts);
            all.currencies.extend(report.currencies.iter().cloned());
            places.extend(report.dead_letters.as_ref().map(|place| match mine {
                true => place.clone(),
                false => format!("{place} of {}", self.name(process)),
            }));
        }
        all.dead_letters = (!places.is_empty()).then(|| places.join(" and "));
        all
    }

    fn judge(&self, all: &Report) -> Result<(), Error> {
        let place = all.dead_letters.clone().unwrap_or_default();
        let counts = (all.counts.records, all.counts.bad);
        judge(&all.currencies, counts, self.setup.max_bad, place)
    }

    /// Waits a moment, or until something has changed.
    pub(crate) fn wait(&self) {
        let state = lock(&self.state);
        drop(self.changed.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits, not for long, until the others know what this process has to say.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.closing = true;
        self.changed.notify_all();
        let until = Instant::now() + GRACE;
        while !state.closed && Instant::now() < until {
            let waited = self.changed.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Talks to the others until there is nothing more to say.
    fn talk(&self, mut links: Vec<Link>) {
        let (mut pulse, mut turn, mut told) = (None::<Instant>, Instant::now(), Told::default());
        let mut closing = None;
        loop {
            // If this process did not run for a while, the others are not to blame for it.
            let paused = turn.elapsed().saturating_sub(PULSE);
            turn = Instant::now();
            for link in &mut links {
                link.heard += paused;
                for message in link.read() {
                    self.take(link.process, message);
                }
            }
            let now = pulse.is_none_or(|last| last.elapsed() >= PULSE).then(|| (self.own)());
            pulse = if now.is_some() { Some(Instant::now()) } else { pulse };
            let mut state = lock(&self.state);
            for link in &mut links {
                if let Some(how) = link.lost(self.setup.silence) {
                    self.lost(&mut state, link.process, &how);
                }
                if let Some(report) = &now {
                    link.say(&Message::Pulse(report.clone()));
                }
            }
            self.tell(&state, &mut told, &mut links);
            if state.closing {
                let since = *closing.get_or_insert_with(Instant::now);
                let heard = links.iter().all(|link| link.is_gone() || !self.leads());
                let sent = links.iter_mut().all(|link| link.is_gone() || link.flush());
                if (heard && sent) || since.elapsed() >= GRACE {
                    state.closed = true;
                    self.changed.notify_all();
                    return;
                }
            }
            for link in &mut links {
                link.flush();
            }
            drop(self.changed.wait_timeout(state, LOOK));
        }
    }

    /// Says what has not been said yet.
    fn tell(&self, state: &State, told: &mut Told, links: &mut [Link]) {
        let mut say = |message: Message| links.iter_mut().for_each(|link| link.say(&message));
        if self.leads() {
            if let (Some(end), false) = (&state.end, told.end) {
                say(Message::End(end.clone()));
                told.end = true;
            }
            return;
        }
        if state.done[self.setup.process] && !told.done {
            say(Message::Done((self.own)()));
            told.done = true;
        }
        if let (Some(wish), false) = (&state.wish, told.end) {
            say(Message::End(wish.clone()));
            told.end = true;
        }
    }

    fn take(&self, from: usize, message: Message) {
        let mut state = lock(&self.state);
        match message {
            Message::Pulse(report) => state.reports[from] = report,
            Message::Done(report) => {
                state.reports[from] = report;
                state.done[from] = true;
            }
            // What comes after the verdict comes too late.
            Message::End(_) if self.leads() && state.agreed => {}
            Message::End(end) => self.settle(&mut state, end),
        }
        self.changed.notify_all();
    }

    fn lost(&self, state: &mut State, process: usize, how: &str) {
        if self.leads() && state.agreed {
            return;
        }
        let what = format!("{} {how}; the run is over", self.name(process));
        self.settle(state, End::Failed(None, what));
    }
}

/// What has been said.
#[derive(Default)]
struct Told {
    done: bool,
    end: bool,
}

#[cfg(test)]
mod tests;
