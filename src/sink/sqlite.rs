//! `sqlite:FILE`: one table per query, and the table `tidemill_progress` with the time up to which
//! each is complete: `end` if the sources were read to their ends.
//!
//! While the run goes on its tables are temporary ones of the connection: changes are upserted by
//! key there, nobody else sees them, and they are gone when the program ends, however it does. At
//! the end they replace those of earlier runs in one transaction, so that a reader sees all views
//! of one run. (A run that keeps its state writes as it goes on: see [`super::tables`].)

use super::database::{Database, Shape};
use super::{Schema, Sink};
use crate::clock::Time;
use crate::error::Error;
use crate::operator::{Port, Sealed};
use crate::value::Decimals;
use std::path::Path;

pub(super) struct Sqlite {
    db: Database,
    tables: Vec<Shape>,
    /// Everything before it was handed over; nothing yet, at first.
    sealed: Option<String>,
}

impl Sqlite {
    pub fn open(path: &Path, views: &[Schema], decimals: Decimals) -> Result<Sqlite, Error> {
        let db = Database::open(path, views, decimals)?;
        let tables: Vec<Shape> = views.iter().map(|view| Shape::new(view, "temp")).collect();
        let creates: String = tables.iter().map(Shape::create_anew).collect();
        // What is temporary needs no way back.
        let begin = format!("PRAGMA temp.journal_mode = OFF; {creates} BEGIN");
        db.run(|db| db.execute_batch(&begin))?;
        Ok(Sqlite { db, tables, sealed: None })
    }

    fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.tables.iter().map(|table| table.name)
    }
}

impl Sink for Sqlite {
    fn change(&mut self, view: usize, change: &Sealed<'_>) -> Result<(), Error> {
        self.db.apply(&self.tables[view], change.row, change.diff)
    }

    fn sealed(&mut self, frontier: Option<Time>) -> Result<(), Error> {
        if let Some(time) = frontier {
            self.sealed = Some(self.db.moment(time.millis() as i64));
        }
        Ok(())
    }

    /// The transaction that replaces the tables is left open: all that can be wrong with it has
    /// shown by then.
    fn stage(&mut self, _ports: &mut [Box<dyn Port>], ended: bool) -> Result<(), Error> {
        self.db.run(|db| db.execute_batch("COMMIT"))?;
        self.db.patiently("BEGIN IMMEDIATE")?;
        self.db.refuse_others(self.names())?;
        for table in &self.tables {
            self.db.run(|db| db.execute_batch(&table.replace()))?;
        }
        let sealed = if ended { Some("end") } else { self.sealed.as_deref() };
        self.db.progress(self.names(), sealed)
    }

    fn publish(&mut self) -> Result<(), Error> {
        self.db.patiently("COMMIT")?;
        self.db.made = false;
        Ok(())
    }
}
