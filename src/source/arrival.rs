//! How the records of a source that goes on are stamped: with the tick of the arrival clock in which
//! they were read, which is written down before it becomes visible.
//!
//! A source has one instant in each tick: all that comes of it in the tick has that, and where
//! nothing comes it tells that time goes on. What an earlier run has written down holds: the source is
//! read again up to there, and its records are stamped as they were.

use super::stamps::{Stamped, Stamps};
use super::{Feeds, SourceError};
use crate::clock::{Arrival, Tick, Time};
use crate::error::Error;
use crate::lock::lock;
use std::collections::VecDeque;
use std::sync::Mutex;

/// What all sources of a process that go on have in common.
#[derive(Debug)]
pub struct Arrivals {
    /// The clock.
    pub clock: Arrival,
    journal: Mutex<Option<Stamps>>,
}

impl Arrivals {
    /// With this tick, written down in a journal if there is one.
    pub fn new(tick: Tick, journal: Option<Stamps>) -> Arrivals {
        Arrivals { clock: Arrival::new(tick), journal: Mutex::new(journal) }
    }
}

impl Feeds {
    /// Writes down how everything was stamped before a time: it is on the disk then. None of it has
    /// been visible before.
    pub fn settle(&self, before: Time) -> Result<(), Error> {
        // Held until all is written, so that nobody believes it is.
        let mut journal = lock(&self.arrivals.journal);
        let mut lines = String::new();
        for partition in self.partitions.iter().filter(|partition| partition.arrives()) {
            let new = lock(&partition.chain).live.settled(before, &self.arrivals.clock);
            if let Some(journal) = journal.as_mut().filter(|_| !new.is_empty()) {
                lines += &journal.lines(partition.stream, &partition.name, &new);
            }
        }
        match journal.as_mut().filter(|_| !lines.is_empty()) {
            Some(journal) => journal.write(&lines),
            None => Ok(()),
        }
    }
}

/// What is known of the arrival of a source's records.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// Whether records are stamped by arrival from here on.
    pub on: bool,
    /// What an earlier run has written down and is still to come.
    known: VecDeque<Stamped>,
    /// Whether it has just begun, and nobody knows.
    begun: bool,
    /// What came in this tick.
    open: Option<Stamped>,
    /// What came in earlier ones, and is not written down yet.
    closed: Vec<Stamped>,
}

impl Live {
    /// As an earlier run left it: `known` is what is still to come.
    pub fn resumed(on: bool, known: Vec<Stamped>) -> Live {
        Live { on, known: known.into(), ..Live::default() }
    }

    /// Whether what comes next, at a place of the source, is stamped by arrival.
    pub fn is_on(&mut self, place: u64) -> bool {
        self.on |= self.known.front().is_some_and(|next| next.from <= place);
        self.on
    }

    /// From a place on records are stamped by arrival.
    pub fn begin(&mut self, place: u64, clock: &Arrival) {
        self.on = true;
        // Told by the first beat.
        self.begun = true;
        self.turn(place, clock);
    }

    /// Whether an earlier run has written down more.
    pub fn is_known(&self) -> bool {
        !self.known.is_empty()
    }

    /// When the records between two places have arrived: now, if it was not written down. None if
    /// it is to be told first that time went on.
    pub fn enter(&mut self, from: u64, to: u64, clock: &Arrival) -> Result<Option<i64>, Misfit> {
        if let Some(next) = self.known.front().copied() {
            return match next.from == next.to {
                true if next.from == from => Ok(None),
                _ if from < next.from || to > next.to => Err(Misfit),
                _ => {
                    if to == next.to {
                        self.known.pop_front();
                    }
                    Ok(Some(next.at))
                }
            };
        }
        let open = self.turn(from, clock);
        open.to = to;
        Ok(Some(open.at))
    }

    /// The instant at which an earlier run told, at a place, that time went on.
    pub fn known_beat(&mut self, place: u64) -> Option<i64> {
        self.known.pop_front_if(|next| next.from == next.to && next.from == place).map(|k| k.at)
    }

    /// Whether all is told of a source that ends at a place.
    pub fn ends(&self, place: u64) -> Result<bool, Misfit> {
        match self.known.front() {
            None => Ok(true),
            Some(next) if next.from == place && next.to == place => Ok(false),
            // What is shorter than it was is not what it was.
            Some(_) => Err(Misfit),
        }
    }

    /// The instant to be told at a place because time goes on, if there is one.
    pub fn beat(&mut self, place: u64, clock: &Arrival) -> Option<i64> {
        if !self.on || self.is_known() {
            return None;
        }
        let before = self.open.map(|open| open.at);
        let now = self.turn(place, clock).at;
        (std::mem::take(&mut self.begun) || before != Some(now)).then_some(now)
    }

    /// What came in this tick, which may just have begun.
    fn turn(&mut self, place: u64, clock: &Arrival) -> &mut Stamped {
        let now = clock.now();
        if let Some(over) = self.open.take_if(|open| clock.time(open.at) < clock.time(now)) {
            self.closed.push(over);
        }
        self.open.get_or_insert(Stamped { from: place, to: place, at: now })
    }

    /// No record will be stamped earlier.
    pub fn frontier(&self, clock: &Arrival) -> Time {
        clock.time(self.known.front().map_or_else(|| clock.now(), |next| next.at))
    }

    /// Takes what came before a time, and is to be written down.
    fn settled(&mut self, before: Time, clock: &Arrival) -> Vec<Stamped> {
        let over = self.open.take_if(|open| clock.time(open.at) < before);
        self.closed.extend(over);
        std::mem::take(&mut self.closed)
    }

    /// The places where what is known begins and ends, in order: no piece may lie across one.
    pub fn bounds(&self) -> VecDeque<u64> {
        let mut bounds: VecDeque<u64> = self.known.iter().flat_map(|k| [k.from, k.to]).collect();
        bounds.make_contiguous().sort_unstable();
        bounds
    }
}

/// What was written down is not of this source.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misfit;

impl Misfit {
    /// As the failure of a source.
    pub fn of(self, file: &str, place: u64) -> SourceError {
        SourceError::Changed { file: file.to_owned(), bytes: place }
    }
}
