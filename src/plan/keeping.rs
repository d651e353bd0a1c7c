//! A run that keeps its state in a directory, and goes on from what is there.

use super::Job;
use crate::checkpoint::{Opened, Saved, SourceAt, Store};
use crate::clock::{Tick, Time};
use crate::description::Description;
use crate::error::Error;
use crate::operator::memory::Contents;
use crate::query::AnyQuery;
use crate::sink::Going;
use crate::source::stamps::{Known, Stamps, Ticks};
use crate::source::{Arrivals, Input, Partition};
use crate::tell::Tell;
use crate::worker::{Often, State};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a run keeps its state, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Keeping {
    /// The directory.
    pub directory: PathBuf,
    /// How often there is a checkpoint.
    pub often: Often,
}

/// The directory, opened, and what is there.
pub(super) struct Kept {
    directory: PathBuf,
    store: Store,
    often: Often,
    from: Option<(Saved, Contents)>,
    /// The ticks of the journal of stamps, if there is one.
    stamped: Option<Ticks>,
}

impl Kept {
    /// The checkpoint that the run goes on from.
    pub fn saved(&self) -> Option<&Saved> {
        self.from.as_ref().map(|(saved, _)| saved)
    }

    /// The cut of it.
    pub fn cut(&self) -> Option<Time> {
        self.saved().map(|saved| saved.at)
    }

    /// The granularity of stream time so far.
    pub fn ticks(&self) -> Option<Ticks> {
        let saved = self.saved().map(|saved| Ticks { tick: saved.tick, history: saved.tick });
        self.stamped.or(saved)
    }

    /// As sinks must know it.
    pub fn going(&self) -> Going<'_> {
        Going {
            id: self.store.id(),
            epoch: self.store.epoch(),
            from: self.cut(),
            held: self.saved().map_or(&[], |saved| &saved.sinks),
        }
    }

    /// The sources as they go on, with the numbers that they had; new ones come after them. Also
    /// those that were read before, to their end, and are not among these.
    pub fn resumed(
        &self,
        partitions: Vec<Partition>,
    ) -> Result<(Vec<Partition>, Vec<SourceAt>), Error> {
        let Some(saved) = self.saved() else { return Ok((partitions, Vec::new())) };
        let absent = absent(saved, &partitions)?;
        let mut next = saved.sources.iter().map(|source| source.index + 1).max().unwrap_or(0);
        let resume = |partition: Partition| {
            let known = saved.sources.iter().find(|source| is(source, &partition));
            let index = known.map_or(next, |known| known.index);
            next += u32::from(known.is_none());
            let position = known.map(|known| &known.position);
            Ok(partition.numbered(index).resume(position, saved.at)?)
        };
        let resumed = partitions.into_iter().map(resume).collect::<Result<_, Error>>()?;
        Ok((resumed, absent))
    }

    /// The sources with what is known of the arrival of their records, and the clock by which what
    /// comes arrives.
    pub fn arrived(
        &self,
        partitions: Vec<Partition>,
        ticks: Ticks,
    ) -> Result<(Vec<Partition>, Arrivals), Error> {
        if !partitions.iter().any(Partition::goes_on) && self.stamped.is_none() {
            return Ok((partitions, Arrivals::new(ticks.tick, None)));
        }
        let (journal, known) = Stamps::open(&self.directory, ticks)?;
        let arrivals = Arrivals::new(ticks.tick, Some(journal));
        Ok((arrived(partitions, known, self.cut(), &arrivals), arrivals))
    }

    /// How the state is kept; `same` is the same of all its checkpoints.
    pub fn state(self, same: Saved, tell: Tell) -> State {
        let Kept { store, often, from, .. } = self;
        State { store, contents: from.map(|(_, contents)| contents), same, often, tell }
    }

    /// What the files of dead letters hold of each source.
    pub fn letters(&self) -> BTreeMap<(String, String), u64> {
        let known = self.saved().map_or(&[][..], |saved| &saved.sources);
        let letters = |at: &SourceAt| ((at.stream.clone(), at.name.clone()), at.position.bad);
        known.iter().map(letters).collect()
    }
}

/// The sources with what is known of the arrival of their records after a cut.
pub(super) fn arrived(
    partitions: Vec<Partition>,
    mut known: Known,
    cut: Option<Time>,
    arrivals: &Arrivals,
) -> Vec<Partition> {
    let clock = &arrivals.clock;
    cut.into_iter().for_each(|cut| clock.pass(cut));
    let arrived = |partition: Partition| {
        let of = (partition.stream.name().to_owned(), partition.name.clone());
        let mut known = known.remove(&of).unwrap_or_default();
        known.retain(|stamped| cut.is_none_or(|cut| clock.time(stamped.at) > cut));
        if let Some(last) = known.last() {
            clock.pass(clock.time(last.at));
        }
        partition.arrived(known)
    };
    partitions.into_iter().map(arrived).collect()
}

/// The sources that were read before and are not among those of this run. They must have come to
/// their end.
fn absent(saved: &Saved, partitions: &[Partition]) -> Result<Vec<SourceAt>, Error> {
    let gone = |source: &&SourceAt| !partitions.iter().any(|partition| is(source, partition));
    let absent: Vec<SourceAt> = saved.sources.iter().filter(gone).cloned().collect();
    match absent.iter().find(|source| !source.position.ended) {
        None => Ok(absent),
        Some(SourceAt { stream, name, .. }) => Err(Error::Usage(format!(
            "--state: {stream}={name} was not read to its end and is not among the sources now; \
             name it with --source again"
        ))),
    }
}

fn is(source: &SourceAt, partition: &Partition) -> bool {
    source.stream == partition.stream.name() && source.name == partition.name
}

impl Job {
    /// Opens the directory in which the state is kept, if it is.
    pub(super) fn kept(&self, note: &mut dyn FnMut(&str)) -> Result<Option<Kept>, Error> {
        let Some(Keeping { directory, often }) = &self.keeping else { return Ok(None) };
        if self.running.processes > 1 {
            return Err(Error::Usage(
                "--state: a run of several processes cannot keep its state yet; use --workers"
                    .into(),
            ));
        }
        let again = |input: &Input| input.header().file() == "standard input";
        if self.sources.iter().any(|(_, input)| again(input)) {
            return Err(Error::Usage(
                "--state: standard input that is read for several streams cannot be kept; write it to \
                 a file, and name that"
                    .into(),
            ));
        }
        let Opened { store, checkpoint: from, notes } = Store::open(directory)?;
        notes.iter().for_each(|text| note(text));
        if let Some((saved, _)) = &from {
            let at = crate::value::Value::Moment(saved.at.signed());
            let (mut when, number) = (String::new(), store.last().sequence);
            at.write(crate::value::Decimals(0), &mut when);
            let place = directory.display();
            note(&format!(
                "going on from checkpoint {number} in {place}, which is complete up to {when}"
            ));
        }
        let stamped = Stamps::ticks(directory)?;
        Ok(Some(Kept { directory: directory.clone(), store, often: *often, from, stamped }))
    }

    /// What is the same of all checkpoints of this run, after it was seen that it can go on from what
    /// is there.
    pub(super) fn same(
        &self,
        kept: &Kept,
        queries: &[Arc<dyn AnyQuery>],
        tick: Tick,
    ) -> Result<Saved, Error> {
        let mut description = Description::default();
        self.describe_meaning(&mut description, queries, tick);
        let queries: Vec<String> = queries.iter().map(|query| query.name().to_owned()).collect();
        if let Some(saved) = kept.saved() {
            let place = kept.directory.display();
            if let Some(new) = queries.iter().find(|name| !saved.queries.contains(name)) {
                return Err(Error::Usage(format!(
                    "--state {place}: {new} was not among the queries of the run to go on from, and what \
                     came before is not known of it; leave it out with --query, or begin anew with \
                     another --state"
                )));
            }
            let known = saved.description.without(|part| {
                let query = part.strip_prefix("the parameter ").and_then(|p| p.split('.').next());
                query.is_some_and(|query| !queries.iter().any(|name| name == query))
            });
            let (here, there) = ("this run", "the one to go on from");
            if let Some(difference) = description.difference(here, &known, there) {
                return Err(Error::Usage(format!(
                    "--state {place}: {difference}; say the same as before, or begin anew with another \
                     --state"
                )));
            }
        }
        Ok(Saved {
            at: kept.cut().unwrap_or_default(),
            tick,
            description,
            sources: Vec::new(),
            sinks: Vec::new(),
            currencies: Vec::new(),
            queries,
            entries: 0,
        })
    }
}
