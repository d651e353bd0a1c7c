//! `sqlite:FILE`: one table per query, upserted by key, and the table `tidemill_progress` with the
//! time up to which each is complete, written in the same transaction: a reader sees all views at
//! one frontier. The tables of the chosen queries are made anew when a run begins.
//!
//! Money is stored as the number nearest to its decimals, which reads back exactly up to 15
//! digits, and as text beyond; times are RFC 3339 text. All values are bound, none is ever part of
//! a statement.

use super::{Schema, Sink};
use crate::clock::Time;
use crate::error::Error;
use crate::operator::Sealed;
use crate::value::{Decimals, Value};
use rusqlite::{Connection, ToSql, types::Value as Sql};
use std::path::{Path, PathBuf};

pub(super) struct Sqlite {
    path: PathBuf,
    db: Connection,
    tables: Vec<Statements>,
    decimals: Decimals,
    open: bool,
}

struct Statements {
    name: &'static str,
    upsert: String,
    delete: String,
}

impl Sqlite {
    pub fn open(path: &Path, views: &[Schema], decimals: Decimals) -> Result<Sqlite, Error> {
        if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            super::make_directory(dir)?;
        }
        let wrap = |source| Error::Sqlite { path: path.display().to_string(), source };
        let db = Connection::open(path).map_err(wrap)?;
        let mut tables = Vec::new();
        let begin = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; BEGIN;
            CREATE TABLE IF NOT EXISTS tidemill_progress (query TEXT PRIMARY KEY, sealed TEXT);";
        db.execute_batch(begin).map_err(wrap)?;
        for view in views {
            // Names come from the catalog, never from data.
            let columns: Vec<String> =
                view.columns.iter().map(|c| format!("\"{}\"", c.name)).collect();
            let keys = view.columns.iter().filter(|c| c.key).count();
            let (all, key) = (columns.join(", "), columns[..keys].join(", "));
            let places =
                (1..=columns.len()).map(|i| format!("?{i}")).collect::<Vec<_>>().join(", ");
            let same = columns.iter().enumerate().map(|(i, c)| format!("{c} IS ?{}", i + 1));
            let same = same.collect::<Vec<_>>().join(" AND ");
            let table = view.name;
            let create = format!(
                "DROP TABLE IF EXISTS \"{table}\";
                 CREATE TABLE \"{table}\" ({all}, PRIMARY KEY ({key}));
                 INSERT OR REPLACE INTO tidemill_progress VALUES ('{table}', NULL);"
            );
            db.execute_batch(&create).map_err(wrap)?;
            tables.push(Statements {
                name: table,
                upsert: format!("INSERT OR REPLACE INTO \"{table}\" ({all}) VALUES ({places})"),
                delete: format!("DELETE FROM \"{table}\" WHERE {same}"),
            });
        }
        db.execute_batch("COMMIT").map_err(wrap)?;
        Ok(Sqlite { path: path.to_owned(), db, tables, decimals, open: false })
    }

    fn attempt(
        &mut self,
        work: impl FnOnce(&mut Connection, &[Statements], Decimals) -> rusqlite::Result<()>,
    ) -> Result<(), Error> {
        work(&mut self.db, &self.tables, self.decimals)
            .map_err(|source| Error::Sqlite { path: self.path.display().to_string(), source })
    }

    fn begin(&mut self) -> Result<(), Error> {
        if !self.open {
            self.attempt(|db, _, _| db.execute_batch("BEGIN"))?;
            self.open = true;
        }
        Ok(())
    }
}

impl Sink for Sqlite {
    fn change(&mut self, view: usize, change: &Sealed<'_>) -> Result<(), Error> {
        self.begin()?;
        self.attempt(|db, tables, decimals| {
            let table = &tables[view];
            let cells: Vec<Sql> = change.row.cells().iter().map(|c| sql(c, decimals)).collect();
            let values: Vec<&dyn ToSql> = cells.iter().map(|c| c as &dyn ToSql).collect();
            // A row that goes may come after its successor: it is deleted by all its values, so
            // that the successor stays.
            let statement = if change.diff > 0 { &table.upsert } else { &table.delete };
            db.prepare_cached(statement)?.execute(values.as_slice())?;
            Ok(())
        })
    }

    fn sealed(&mut self, frontier: Option<Time>) -> Result<(), Error> {
        self.begin()?;
        self.open = false;
        self.attempt(|db, tables, decimals| {
            let sealed = frontier.map(|time| {
                let mut text = String::new();
                Value::Moment(time.millis() as i64).write(decimals, &mut text);
                text
            });
            for table in tables {
                db.prepare_cached("UPDATE tidemill_progress SET sealed = ?1 WHERE query = ?2")?
                    .execute((sealed.as_deref().unwrap_or("end"), table.name))?;
            }
            db.execute_batch("COMMIT")
        })
    }
}

fn sql(cell: &Value, decimals: Decimals) -> Sql {
    match cell {
        Value::Empty => Sql::Null,
        Value::Integer(x) => Sql::Integer(*x),
        Value::Flag(x) => Sql::Integer(i64::from(*x)),
        Value::Real(..) => cell.number(decimals).map_or(Sql::Null, Sql::Real),
        Value::Money(x) if x.unsigned_abs() < 10u64.pow(15) => {
            cell.number(decimals).map_or(Sql::Null, Sql::Real)
        }
        Value::Money(_) | Value::Moment(_) | Value::Text(_) => {
            let mut text = String::new();
            cell.write(decimals, &mut text);
            Sql::Text(text)
        }
    }
}
