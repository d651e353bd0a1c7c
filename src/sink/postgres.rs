//! `postgres:env:NAME`: a table per view in a PostgreSQL database, with real types, and the table
//! `tidemill_progress`, which says how far each is.
//!
//! A run that keeps its state brings the tables up to date at each cut; one that goes on without
//! (standard input, a pace) at most every second, as ticks are sealed. All views are changed in one
//! transaction, so a reader sees all at one time whenever it looks. Any other run puts its views in
//! place at its end. Rows that stay the same are not written.
//!
//! Money is `numeric`, times are `timestamptz`, a text that is empty is null, or `''` in a key. A
//! text with U+0000, which PostgreSQL cannot store, has U+FFFD in its place, and is counted.
//!
//! Everything is written by a thread of its own. What waits for it is bounded: beyond that the sink
//! says that it is behind, and the run holds back its sources.

use super::{Going, Held, Opening, Schema, Sink, Standing};
use crate::clock::Time;
use crate::error::Error;
use crate::operator::{AnyRow, Port, Sealed};
use crate::tell::Tell;
use link::{Link, Owner};
use range::{Encoder, Range};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use trouble::Trouble;
use writer::{Job, Writer, named};

mod link;
mod range;
mod shape;
mod target;
mod trouble;
mod writer;

pub(super) use target::HOW;
pub use target::Target;

/// How often what is sealed is committed where there are no cuts.
const EVERY: Duration = Duration::from_secs(1);
/// How many bytes may wait to be written, and be collected meanwhile.
const MOST: usize = 64 << 20;
/// How long the end of a run waits for its last transaction to be committed.
const PATIENCE: Duration = Duration::from_secs(60);

/// When the tables are written.
enum When {
    /// At the end; the word to commit.
    AtEnd(Option<oneshot::Sender<()>>),
    /// As ticks are sealed: since when there is something.
    Sealed(Instant),
    /// At cuts.
    Cuts,
}

/// See the module.
pub(super) struct Postgres {
    name: String,
    encoders: Vec<Encoder>,
    tell: Tell,
    when: When,
    writer: Writer,
    /// What was told and not given to the writer.
    range: Range,
    /// The next range makes the tables anew.
    anew: bool,
    /// Changes up to here are in the tables; only of a run that keeps its state.
    from: Option<i64>,
    /// No commit is before this: the tables were further when the run began.
    least: Option<i64>,
    /// Everything up to here was told, and what the tables will have when the writer is done.
    sealed: i64,
    committed: Option<i64>,
}

impl Postgres {
    pub fn open(
        target: &Target,
        views: &[Schema],
        opening: &Opening<'_>,
    ) -> Result<Postgres, Error> {
        let name = target.to_string();
        let owner = match opening.going {
            Some(Going { id, epoch, .. }) => {
                Owner { id: id.into(), epoch: epoch as i64, claims: true }
            }
            None => Owner { id: super::own_id()?, epoch: 0, claims: opening.live },
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Error::Cluster(format!("{name}: {e}")))?;
        let opened = runtime.block_on(Link::open(target.clone(), owner, views));
        let (link, known) = opened.map_err(|trouble| match trouble {
            Trouble::Lost(what) => Error::of(format!("{name}: {what}"), false),
            Trouble::Fatal(error) => named(&name, error),
        })?;
        let from = opening.going.and_then(|going| going.from).map(Time::signed);
        let usable = from.filter(|from| known == Some(*from));
        let when = match (opening.going, opening.live) {
            (Some(_), _) => When::Cuts,
            (None, true) => When::Sealed(Instant::now()),
            (None, false) => When::AtEnd(None),
        };
        let encoders = views.iter().map(|view| Encoder::new(view, opening.decimals)).collect();
        Ok(Postgres {
            writer: Writer::start(runtime, link, (name.clone(), opening.tell.clone()))?,
            name,
            encoders,
            tell: opening.tell.clone(),
            when,
            range: Range::of(views.len()),
            anew: usable.is_none(),
            from: usable.or(from),
            least: known.filter(|_| usable.is_none() && opening.going.is_some()),
            sealed: from.unwrap_or(0),
            committed: None,
        })
    }

    fn row(&mut self, view: usize, row: &dyn AnyRow, comes: bool) {
        if let Some(encoder) = self.encoders.get_mut(view) {
            self.range.change(view, encoder.row(&row.cells()), comes);
        }
    }

    /// Gives the writer what was told, which makes the tables complete up to a time.
    fn give(&mut self, cut: i64, ended: bool) {
        let job = self.job(cut, ended);
        self.writer.give(job);
    }

    fn job(&mut self, cut: i64, ended: bool) -> Job {
        let views = self.encoders.len();
        let range = std::mem::replace(&mut self.range, Range::of(views));
        self.committed = Some(cut);
        Job::new(range, std::mem::take(&mut self.anew), (cut, ended))
    }

    /// Gives it if there is something, and it is time.
    fn give_when_due(&mut self) {
        let full = self.range.bytes() > MOST;
        let due = match &self.when {
            When::AtEnd(_) => false,
            When::Sealed(since) => since.elapsed() >= EVERY || full,
            When::Cuts => full && self.least.is_none_or(|least| self.sealed >= least),
        };
        let more = self.committed != Some(self.sealed) && !self.range.is_empty();
        if due && more && self.writer.is_done() {
            self.when_given();
            self.give(self.sealed, false);
        }
    }

    fn when_given(&mut self) {
        if let When::Sealed(since) = &mut self.when {
            *since = Instant::now();
        }
    }
}

impl Sink for Postgres {
    fn wants_view(&self) -> bool {
        true
    }

    /// Tables that are not at the cut are made anew: from what the views are now, and what changes.
    fn go_on(&mut self, ports: &mut [Box<dyn Port>], _cut: Time) -> Result<(), Error> {
        if self.anew {
            for (view, port) in ports.iter_mut().enumerate() {
                port.view(&mut |row, _| self.row(view, row, true));
            }
        }
        Ok(())
    }

    fn change(&mut self, view: usize, change: &Sealed<'_>) -> Result<(), Error> {
        let known = self.from.is_some_and(|from| change.time.signed() <= from);
        if !known && !matches!(self.when, When::AtEnd(_)) {
            self.row(view, change.row, change.diff > 0);
        }
        self.sealed = self.sealed.max(change.time.signed());
        Ok(())
    }

    fn sealed(&mut self, frontier: Option<Time>) -> Result<(), Error> {
        if let Some(frontier) = frontier {
            self.sealed = self.sealed.max(frontier.signed() - 1);
        }
        self.give_when_due();
        Ok(())
    }

    fn turn(&mut self) -> Result<Standing, Error> {
        self.writer.failure()?;
        if matches!(self.when, When::Sealed(_)) {
            self.give_when_due();
        }
        Ok(match (self.writer.is_idle(), self.writer.bytes() + self.range.bytes() > 2 * MOST) {
            (true, _) => Standing::Settled,
            (false, false) => Standing::Busy,
            (false, true) => Standing::Behind,
        })
    }

    fn commit(&mut self, _ports: &mut [Box<dyn Port>], cut: Time) -> Result<Option<Held>, Error> {
        self.sealed = self.sealed.max(cut.signed());
        if self.least.is_none_or(|least| self.sealed >= least) {
            self.give(self.sealed, false);
        }
        Ok(Some(Held { sink: self.name.clone(), what: self.sealed.to_string() }))
    }

    fn stage(&mut self, ports: &mut [Box<dyn Port>], ended: bool) -> Result<(), Error> {
        match &self.when {
            When::AtEnd(_) => {
                for (view, port) in ports.iter_mut().enumerate() {
                    port.view(&mut |row, _| self.row(view, row, true));
                }
                let (say, go) = oneshot::channel();
                self.when = When::AtEnd(Some(say));
                let mut job = self.job(self.sealed, ended);
                job.go = Some(go);
                self.writer.give(job);
            }
            When::Sealed(_) => self.give(self.sealed, ended),
            When::Cuts if ended => {
                // What came after the last cut, if anything did, is not in what the run goes on from.
                let last = self.committed.filter(|_| self.range.is_empty());
                self.give(last.unwrap_or(self.sealed), true);
            }
            When::Cuts => {}
        }
        Ok(())
    }

    fn give_up(&mut self) -> Result<(), Error> {
        if matches!(self.when, When::Cuts) {
            self.tell.say(&format!("{}: a run that goes on will write the rest", self.name));
            return Ok(());
        }
        let what = "what is sealed could not be written before the run was ended";
        Err(Error::of(format!("{}: {what}", self.name), false))
    }

    fn publish(&mut self) -> Result<(), Error> {
        if let When::AtEnd(say) = &mut self.when
            && let Some(say) = say.take()
        {
            // If the writer is gone it has failed, which comes next.
            let _ = say.send(());
            let began = Instant::now();
            while !self.writer.is_done() {
                self.writer.failure()?;
                if began.elapsed() >= PATIENCE {
                    let what = "the last transaction could not be committed; run again";
                    return Err(Error::of(format!("{}: {what}", self.name), false));
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        self.writer.failure()?;
        let replaced: u64 = self.encoders.iter().map(|encoder| encoder.replaced).sum();
        if replaced > 0 {
            let name = &self.name;
            self.tell.say(&format!(
                "{name}: {replaced} texts had the character U+0000, which PostgreSQL cannot store; \
                 there is U+FFFD in its place"
            ));
        }
        Ok(())
    }
}
