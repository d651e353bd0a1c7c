//! A SQLite file as sinks write it: one run at a time, patient with other programs, and never
//! touching a table that is no result of a run.
//!
//! Money is stored as the number nearest to its decimals, which reads back exactly up to 15
//! digits, and as text beyond; times are RFC 3339 text. All values are bound, none is ever part of
//! a statement; names come from the catalog, never from data.

use super::Schema;
use crate::error::Error;
use crate::files::{Hold, hold, holder};
use crate::operator::AnyRow;
use crate::value::{Decimals, Value};
use rusqlite::{Connection, ErrorCode, OptionalExtension, ToSql, types::Value as Sql};
use std::fs::OpenOptions;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long another program may keep the database.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is tried meanwhile.
const AGAIN: Duration = Duration::from_millis(100);

/// The statements for the table of a view.
pub(super) struct Shape {
    pub name: &'static str,
    /// Its columns, and those of its key.
    all: String,
    key: String,
    /// Where it is: `main` or `temp`.
    place: &'static str,
    upsert: String,
    delete: String,
}

impl Shape {
    pub fn new(view: &Schema, place: &'static str) -> Shape {
        let columns: Vec<String> = view.columns.iter().map(|c| format!("\"{}\"", c.name)).collect();
        let keys = view.columns.iter().filter(|c| c.key).count();
        let (all, key) = (columns.join(", "), columns[..keys].join(", "));
        let places = (1..=columns.len()).map(|i| format!("?{i}")).collect::<Vec<_>>().join(", ");
        let same = columns.iter().enumerate().map(|(i, c)| format!("{c} IS ?{}", i + 1));
        let same = same.collect::<Vec<_>>().join(" AND ");
        let name = view.name;
        Shape {
            name,
            upsert: format!("INSERT OR REPLACE INTO {place}.\"{name}\" ({all}) VALUES ({places})"),
            delete: format!("DELETE FROM {place}.\"{name}\" WHERE {same}"),
            all,
            key,
            place,
        }
    }

    /// Makes the table, empty, in place of what is there.
    pub fn create_anew(&self) -> String {
        self.create_in(self.place)
    }

    fn create_in(&self, place: &str) -> String {
        let Shape { name, all, key, .. } = self;
        format!(
            "DROP TABLE IF EXISTS {place}.\"{name}\";
             CREATE TABLE {place}.\"{name}\" ({all}, PRIMARY KEY ({key}));"
        )
    }

    /// Puts the rows of the temporary table in place of what is there.
    pub fn replace(&self) -> String {
        let Shape { name, all, key, .. } = self;
        let there = self.create_in("main");
        format!(
            "{there} INSERT INTO main.\"{name}\" SELECT {all} FROM temp.\"{name}\" ORDER BY {key};"
        )
    }
}

/// See the module.
pub(super) struct Database {
    path: PathBuf,
    // Closed before the place is given free.
    db: Connection,
    decimals: Decimals,
    /// Whether the file was not there before and has nothing in it yet.
    pub made: bool,
    _hold: Hold,
}

impl Database {
    /// Opens the file, and refuses to write the tables of these views where others have theirs.
    pub fn open(path: &Path, views: &[Schema], decimals: Decimals) -> Result<Database, Error> {
        if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            super::make_directory(dir)?;
        }
        let made = !path.exists();
        OpenOptions::new().append(true).create(true).open(path).map_err(Error::file(path))?;
        let hold = hold(path)?;
        let wrap = |source| Error::Sqlite { path: path.display().to_string(), source };
        let db = Connection::open(path).map_err(wrap)?;
        db.busy_timeout(AGAIN).map_err(wrap)?;
        let database = Database { path: path.to_owned(), db, decimals, made, _hold: hold };
        database.patiently("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")?;
        database.refuse_others(views.iter().map(|view| view.name))?;
        Ok(database)
    }

    /// Does something with the database.
    pub fn run<T>(&self, act: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        act(&self.db)
            .map_err(|source| Error::Sqlite { path: self.path.display().to_string(), source })
    }

    /// Changes the table of a view by a row that appears or goes. A row that goes may come after its
    /// successor: it is deleted by all its values, so that the successor stays.
    pub fn apply(&self, table: &Shape, row: &dyn AnyRow, diff: isize) -> Result<(), Error> {
        let cells: Vec<Sql> = row.cells().iter().map(|c| sql(c, self.decimals)).collect();
        let values: Vec<&dyn ToSql> = cells.iter().map(|c| c as &dyn ToSql).collect();
        let statement = if diff > 0 { &table.upsert } else { &table.delete };
        self.run(|db| db.prepare_cached(statement)?.execute(values.as_slice()).map(drop))
    }

    /// Notes up to when the tables are complete: a time, or `end`.
    pub fn progress(
        &self,
        tables: impl Iterator<Item = &'static str>,
        sealed: Option<&str>,
    ) -> Result<(), Error> {
        self.run(|db| {
            db.execute_batch(
                "CREATE TABLE IF NOT EXISTS main.tidemill_progress
                 (query TEXT PRIMARY KEY, sealed TEXT)",
            )?;
            let insert = "INSERT OR REPLACE INTO main.tidemill_progress VALUES (?1, ?2)";
            for table in tables {
                db.execute(insert, (table, sealed))?;
            }
            Ok(())
        })
    }

    /// A time as it is noted.
    pub fn moment(&self, millis: i64) -> String {
        let mut text = String::new();
        Value::Moment(millis).write(self.decimals, &mut text);
        text
    }

    /// Does what needs the database for itself, and waits a while if another program has it.
    pub fn patiently(&self, statements: &str) -> Result<(), Error> {
        let began = Instant::now();
        loop {
            match self.db.execute_batch(statements) {
                Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                    if began.elapsed() >= PATIENCE {
                        return Err(self.locked());
                    }
                    std::thread::sleep(AGAIN);
                }
                done => return self.run(|_| done),
            }
        }
    }

    /// What to say of a database that another program keeps.
    fn locked(&self) -> Error {
        let mut shared = self.path.clone().into_os_string();
        shared.push("-shm");
        let files = [self.path.clone(), PathBuf::from(shared)];
        let inodes = files.iter().filter_map(|file| Some(std::fs::metadata(file).ok()?.ino()));
        let process = inodes.filter_map(|inode| holder("POSIX", inode)).next();
        Error::Locked { path: self.path.display().to_string(), process }
    }

    /// Refuses to replace what is no result of an earlier run.
    pub fn refuse_others<'a>(&self, tables: impl Iterator<Item = &'a str>) -> Result<(), Error> {
        let kind = |name: &str| {
            let sql = "SELECT type FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE";
            self.run(|db| db.query_row(sql, [name], |row| row.get::<_, String>(0)).optional())
        };
        let refuse = |name: &str, kind: &str| {
            Err(Error::Usage(format!(
                "{}: it has a {kind} {name} that tidemill did not make; name another database, or \
                 give that {kind} another name",
                self.path.display()
            )))
        };
        let mut ours: Vec<String> = Vec::new();
        if let Some(found) = kind("tidemill_progress")? {
            let select = "SELECT query FROM main.tidemill_progress WHERE sealed IS sealed";
            let Ok(mut select) = self.db.prepare(select) else {
                return refuse("tidemill_progress", &found);
            };
            let names = select.query_map([], |row| row.get(0)).and_then(Iterator::collect);
            ours = self.run(|_| names)?;
        }
        for table in tables {
            match kind(table)? {
                Some(found) if found != "table" || !ours.iter().any(|name| name == table) => {
                    return refuse(table, &found);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !self.made {
            return;
        }
        // A run that came to nothing leaves no empty database. Nothing more can be done about what
        // cannot be undone or removed.
        let _ = self.db.execute_batch("ROLLBACK");
        let tables = "SELECT count(*) FROM main.sqlite_schema";
        if self.db.query_row(tables, [], |row| row.get(0)) == Ok(0) {
            for end in ["", "-wal", "-shm"] {
                let mut path = self.path.clone().into_os_string();
                path.push(end);
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

fn sql(cell: &Value, decimals: Decimals) -> Sql {
    match cell {
        Value::Empty => Sql::Null,
        Value::Integer(x) => Sql::Integer(*x),
        Value::Flag(x) => Sql::Integer(i64::from(*x)),
        Value::Real(..) | Value::Quotient(..) => cell.number(decimals).map_or(Sql::Null, Sql::Real),
        Value::Money(x) if x.unsigned_abs() < 10u64.pow(15) => {
            cell.number(decimals).map_or(Sql::Null, Sql::Real)
        }
        Value::Money(_) | Value::Moment(_) | Value::Local(..) | Value::Text(_) => {
            let mut text = String::new();
            cell.write(decimals, &mut text);
            Sql::Text(text)
        }
    }
}
