//! `sqlite:FILE` of a run that keeps its state, or that goes on without: a table per query, brought
//! up to date in one transaction at each commit, together with how far it is. So a reader sees all
//! views at one time, whenever it looks, and a run that goes on from an earlier cut leaves out what
//! is there.
//!
//! The table `tidemill_state` has one row: whose the tables are (the id of the state and the epoch
//! of the run that wrote last) and the cut they are at, in milliseconds since 1970. Tables that are
//! not at a cut that this run can go on from are made anew from the views, at the first commit and
//! in the same transaction. Another run that has taken over is noticed before anything is written.
//!
//! Where no state is kept there are no cuts: what is sealed is committed at most every second, in
//! tables that are made anew in the first transaction.

use super::database::{Database, Shape};
use super::{Going, Held, Schema, Sink, Standing};
use crate::clock::Time;
use crate::error::Error;
use crate::operator::{Port, Sealed};
use crate::value::Decimals;
use rusqlite::OptionalExtension;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often what is sealed is committed where there are no cuts.
const EVERY: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Tables {
    db: Database,
    tables: Vec<Shape>,
    sink: String,
    id: String,
    epoch: i64,
    /// The cut the tables are at; none: they are to be made anew.
    at: Option<i64>,
    /// Whether a transaction is open.
    open: bool,
    /// Without cuts: up to when everything was told, and the last commit.
    live: Option<(i64, Instant)>,
}

const STATE: &str =
    "CREATE TABLE IF NOT EXISTS tidemill_state (id TEXT, epoch INTEGER, cut INTEGER)";

impl Tables {
    pub fn open(
        path: &Path,
        views: &[Schema],
        decimals: Decimals,
        going: Going<'_>,
    ) -> Result<Tables, Error> {
        let db = Database::open(path, views, decimals)?;
        let tables = views.iter().map(|view| Shape::new(view, "main")).collect();
        let (id, epoch) = (going.id.to_owned(), going.epoch as i64);
        let from = going.from.map(|from| from.millis() as i64);
        let mut sink = Tables {
            db,
            tables,
            sink: format!("sqlite:{}", path.display()),
            id,
            epoch,
            at: None,
            open: false,
            live: None,
        };
        let known = sink.known()?;
        sink.refuse_taken(known.as_ref())?;
        // Tables that are ahead of this run will be told of the changes again, those behind never.
        let usable =
            known.filter(|known| known.id == sink.id && from.is_some_and(|f| f <= known.cut));
        sink.at = usable.filter(|_| sink.has_all().unwrap_or(false)).map(|known| known.cut);
        Ok(sink)
    }

    /// Those of a run that goes on and keeps no state.
    pub fn live(path: &Path, views: &[Schema], decimals: Decimals) -> Result<Tables, Error> {
        let id = super::own_id()?;
        let going = Going { id: &id, epoch: 0, from: None, held: &[] };
        let mut sink = Tables::open(path, views, decimals, going)?;
        sink.live = Some((0, Instant::now()));
        Ok(sink)
    }

    /// What the database says of itself.
    fn known(&self) -> Result<Option<Known>, Error> {
        let there = "SELECT count(*) FROM main.sqlite_schema WHERE name = 'tidemill_state'";
        let there: i64 = self.db.run(|db| db.query_row(there, [], |row| row.get(0)))?;
        if there == 0 {
            return Ok(None);
        }
        let select = "SELECT id, epoch, cut FROM main.tidemill_state";
        self.db.run(|db| {
            let known = |row: &rusqlite::Row<'_>| {
                Ok(Known { id: row.get(0)?, epoch: row.get(1)?, cut: row.get(2)? })
            };
            db.query_row(select, [], known).optional()
        })
    }

    /// Whether each view has its table.
    fn has_all(&self) -> Result<bool, Error> {
        let count = "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = ?1";
        let mut all = true;
        for table in &self.tables {
            let found: i64 =
                self.db.run(|db| db.query_row(count, [table.name], |row| row.get(0)))?;
            all &= found == 1;
        }
        Ok(all)
    }

    fn refuse_taken(&self, known: Option<&Known>) -> Result<(), Error> {
        match known {
            Some(known) if known.id == self.id && known.epoch > self.epoch => {
                Err(Error::Cluster(format!(
                    "{}: another run of the same state (epoch {}) writes there now; this one (epoch {}) \
                     ends without writing more",
                    self.sink, known.epoch, self.epoch
                )))
            }
            _ => Ok(()),
        }
    }

    /// Opens the transaction that the next commit will end.
    fn begin(&mut self) -> Result<(), Error> {
        if !self.open {
            self.db.patiently("BEGIN IMMEDIATE")?;
            self.open = true;
            let known = self.known()?;
            self.refuse_taken(known.as_ref())?;
            if self.live.is_some() && self.at.is_none() {
                for table in &self.tables {
                    self.db.run(|db| db.execute_batch(&table.create_anew()))?;
                }
                self.at = Some(i64::MIN);
            }
        }
        Ok(())
    }

    /// Ends the transaction: the tables are at a cut.
    fn end(&mut self, cut: i64) -> Result<(), Error> {
        self.db.run(|db| {
            db.execute_batch(STATE)?;
            db.execute("DELETE FROM tidemill_state", [])?;
            let state = (&self.id, self.epoch, cut);
            db.execute("INSERT INTO tidemill_state VALUES (?1, ?2, ?3)", state)
        })?;
        let (names, sealed) = (self.tables.iter().map(|table| table.name), self.db.moment(cut));
        self.db.progress(names, Some(&sealed))?;
        self.db.patiently("COMMIT")?;
        (self.open, self.at, self.db.made) = (false, Some(cut), false);
        Ok(())
    }

    /// Makes the tables anew from the views.
    fn fill(&mut self, ports: &mut [Box<dyn Port>]) -> Result<(), Error> {
        for (table, port) in self.tables.iter().zip(ports) {
            self.db.run(|db| db.execute_batch(&table.create_anew()))?;
            let mut done = Ok(());
            port.view(&mut |row, count| {
                if done.is_ok() {
                    done = self.db.apply(table, row, count);
                }
            });
            done?;
        }
        Ok(())
    }
}

struct Known {
    id: String,
    epoch: i64,
    cut: i64,
}

impl Sink for Tables {
    fn wants_view(&self) -> bool {
        true
    }

    fn change(&mut self, view: usize, change: &Sealed<'_>) -> Result<(), Error> {
        // Those made anew will have it, those ahead have it.
        let known = self.at.is_none_or(|at| change.time.millis() as i64 <= at);
        if known && self.live.is_none() {
            return Ok(());
        }
        self.begin()?;
        self.db.apply(&self.tables[view], change.row, change.diff)
    }

    fn commit(&mut self, ports: &mut [Box<dyn Port>], cut: Time) -> Result<Option<Held>, Error> {
        let cut = cut.millis() as i64;
        self.begin()?;
        if self.at.is_none() {
            self.fill(ports)?;
        }
        let cut = self.at.map_or(cut, |at| at.max(cut));
        self.end(cut)?;
        Ok(Some(Held { sink: self.sink.clone(), what: cut.to_string() }))
    }

    fn sealed(&mut self, frontier: Option<Time>) -> Result<(), Error> {
        if let (Some((told, _)), Some(frontier)) = (&mut self.live, frontier) {
            *told = frontier.millis() as i64;
        }
        Ok(())
    }

    fn turn(&mut self) -> Result<Standing, Error> {
        if let Some((told, last)) = self.live
            && self.open
            && last.elapsed() >= EVERY
        {
            self.end(told)?;
            self.live = Some((told, Instant::now()));
        }
        Ok(Standing::Settled)
    }

    fn stage(&mut self, _ports: &mut [Box<dyn Port>], ended: bool) -> Result<(), Error> {
        if let Some((told, _)) = self.live {
            // The last that is sealed stays to be committed.
            self.begin()?;
            let (names, sealed) = (self.tables.iter().map(|t| t.name), self.db.moment(told));
            self.db.progress(names, Some(&sealed))?;
        }
        if ended && self.at.is_some() {
            self.begin()?;
            let names = self.tables.iter().map(|table| table.name);
            self.db.progress(names, Some("end"))?;
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.open) {
            self.db.patiently("COMMIT")?;
        }
        Ok(())
    }
}
