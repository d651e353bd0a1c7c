//! `sqlite:FILE`: one table per query, and the table `tidemill_progress` with the time up to which
//! each is complete: `end` if the sources were read to their ends.
//!
//! While the run goes on its tables are temporary ones of the connection: changes are upserted by
//! key there, nobody else sees them, and they are gone when the program ends, however it does. At
//! the end they replace those of earlier runs in one transaction, so that a reader sees all views
//! of one run. A table that is no result of a run is never touched: the run is refused.
//!
//! Money is stored as the number nearest to its decimals, which reads back exactly up to 15
//! digits, and as text beyond; times are RFC 3339 text. All values are bound, none is ever part of
//! a statement.

use super::hold::{Hold, hold, holder};
use super::{Schema, Sink};
use crate::clock::Time;
use crate::error::Error;
use crate::operator::{Port, Sealed};
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

pub(super) struct Sqlite {
    path: PathBuf,
    // Closed before the place is given free.
    db: Connection,
    tables: Vec<Statements>,
    decimals: Decimals,
    /// Everything before it was handed over; nothing yet, at first.
    sealed: Option<String>,
    /// Whether the file was not there before and has nothing in it yet.
    made: bool,
    _hold: Hold,
}

struct Statements {
    name: &'static str,
    upsert: String,
    delete: String,
    replace: String,
}

impl Statements {
    /// Names come from the catalog, never from data.
    fn new(view: &Schema) -> (String, Statements) {
        let columns: Vec<String> = view.columns.iter().map(|c| format!("\"{}\"", c.name)).collect();
        let keys = view.columns.iter().filter(|c| c.key).count();
        let (all, key) = (columns.join(", "), columns[..keys].join(", "));
        let places = (1..=columns.len()).map(|i| format!("?{i}")).collect::<Vec<_>>().join(", ");
        let same = columns.iter().enumerate().map(|(i, c)| format!("{c} IS ?{}", i + 1));
        let same = same.collect::<Vec<_>>().join(" AND ");
        let name = view.name;
        let create = format!("CREATE TEMP TABLE \"{name}\" ({all}, PRIMARY KEY ({key}))");
        let statements = Statements {
            name,
            upsert: format!("INSERT OR REPLACE INTO temp.\"{name}\" ({all}) VALUES ({places})"),
            delete: format!("DELETE FROM temp.\"{name}\" WHERE {same}"),
            replace: format!(
                "DROP TABLE IF EXISTS main.\"{name}\";
                 CREATE TABLE main.\"{name}\" ({all}, PRIMARY KEY ({key}));
                 INSERT INTO main.\"{name}\" SELECT {all} FROM temp.\"{name}\" ORDER BY {key};"
            ),
        };
        (create, statements)
    }
}

impl Sqlite {
    pub fn open(path: &Path, views: &[Schema], decimals: Decimals) -> Result<Sqlite, Error> {
        if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            super::make_directory(dir)?;
        }
        let made = !path.exists();
        OpenOptions::new().append(true).create(true).open(path).map_err(Error::file(path))?;
        let hold = hold(path)?;
        let wrap = |source| Error::Sqlite { path: path.display().to_string(), source };
        let db = Connection::open(path).map_err(wrap)?;
        db.busy_timeout(AGAIN).map_err(wrap)?;
        let (creates, tables): (Vec<String>, _) = views.iter().map(Statements::new).unzip();
        let sink =
            Sqlite { path: path.to_owned(), db, tables, decimals, sealed: None, made, _hold: hold };
        sink.patiently("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")?;
        sink.refuse_others()?;
        // What is temporary needs no way back.
        let begin = format!("PRAGMA temp.journal_mode = OFF; {}; BEGIN", creates.join("; "));
        sink.db.execute_batch(&begin).map_err(wrap)?;
        Ok(sink)
    }

    fn wrong(&self, source: rusqlite::Error) -> Error {
        Error::Sqlite { path: self.path.display().to_string(), source }
    }

    /// Does what needs the database for itself, and waits a while if another program has it.
    fn patiently(&self, statements: &str) -> Result<(), Error> {
        let began = Instant::now();
        loop {
            match self.db.execute_batch(statements) {
                Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                    if began.elapsed() >= PATIENCE {
                        return Err(self.locked());
                    }
                    std::thread::sleep(AGAIN);
                }
                done => return done.map_err(|e| self.wrong(e)),
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
    fn refuse_others(&self) -> Result<(), Error> {
        let kind = |name: &str| {
            let sql = "SELECT type FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE";
            let kind = self.db.query_row(sql, [name], |row| row.get::<_, String>(0));
            kind.optional().map_err(|e| self.wrong(e))
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
            ours = names.map_err(|e| self.wrong(e))?;
        }
        for table in &self.tables {
            match kind(table.name)? {
                Some(found) if found != "table" || !ours.iter().any(|name| name == table.name) => {
                    return refuse(table.name, &found);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Sink for Sqlite {
    fn change(&mut self, view: usize, change: &Sealed<'_>) -> Result<(), Error> {
        let table = &self.tables[view];
        let cells: Vec<Sql> = change.row.cells().iter().map(|c| sql(c, self.decimals)).collect();
        let values: Vec<&dyn ToSql> = cells.iter().map(|c| c as &dyn ToSql).collect();
        // A row that goes may come after its successor: it is deleted by all its values, so
        // that the successor stays.
        let statement = if change.diff > 0 { &table.upsert } else { &table.delete };
        let done = self.db.prepare_cached(statement).and_then(|mut s| s.execute(values.as_slice()));
        done.map(drop).map_err(|e| self.wrong(e))
    }

    fn sealed(&mut self, frontier: Option<Time>) -> Result<(), Error> {
        if let Some(time) = frontier {
            let mut text = String::new();
            Value::Moment(time.millis() as i64).write(self.decimals, &mut text);
            self.sealed = Some(text);
        }
        Ok(())
    }

    /// The transaction that replaces the tables is left open: all that can be wrong with it has
    /// shown by then.
    fn stage(&mut self, _ports: &mut [Box<dyn Port>], ended: bool) -> Result<(), Error> {
        self.db.execute_batch("COMMIT").map_err(|e| self.wrong(e))?;
        self.patiently("BEGIN IMMEDIATE")?;
        self.refuse_others()?;
        let sealed = if ended { Some("end") } else { self.sealed.as_deref() };
        let replace = || {
            self.db.execute_batch(
                "CREATE TABLE IF NOT EXISTS main.tidemill_progress
                 (query TEXT PRIMARY KEY, sealed TEXT)",
            )?;
            for table in &self.tables {
                self.db.execute_batch(&table.replace)?;
                let progress = "INSERT OR REPLACE INTO main.tidemill_progress VALUES (?1, ?2)";
                self.db.execute(progress, (table.name, sealed))?;
            }
            Ok(())
        };
        replace().map_err(|e| self.wrong(e))
    }

    fn publish(&mut self) -> Result<(), Error> {
        self.patiently("COMMIT")?;
        self.made = false;
        Ok(())
    }
}

impl Drop for Sqlite {
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
