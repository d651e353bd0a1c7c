//! `jsonl:DIR`: the change log as `DIR/<query>.changes.jsonl`, one line per change in the order of
//! time and row: `{"time":…,"diff":…,"row":{…}}`. The bytes depend on the input alone.
//!
//! The log is written beside its place and put there when the run has succeeded, also when it was
//! ended by Ctrl-C; what is there then is sealed. Of a run that keeps its state it is a directory of
//! segments: see [`super::segments`].

use super::pending::Pending;
use super::segments::Segments;
use super::{Going, Schema, Sink};
use crate::error::Error;
use crate::files::Staged;
use crate::operator::{Port, Sealed};
use crate::value::{Decimals, Value};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Opens a log for each view that is to have one.
pub(super) fn open(
    dir: &Path,
    views: &[Schema],
    (decimals, going): (Decimals, Option<Going<'_>>),
    has_one: impl Fn(&Schema) -> bool,
) -> Result<Box<dyn Sink + Send>, Error> {
    let pending = Pending::within(dir)?;
    let chosen = |view: &Schema| has_one(view).then(|| view.clone());
    let views: Vec<Option<Schema>> = views.iter().map(chosen).collect();
    let lines = Lines { decimals, line: String::new() };
    Ok(match going {
        None => Box::new(Jsonl::open(dir, &views, lines, pending)?),
        Some(going) => Box::new(Segments::open(dir, &views, (lines, pending), going)?),
    })
}

/// Makes a line of a change.
pub(super) struct Lines {
    decimals: Decimals,
    line: String,
}

impl Lines {
    /// `"name":` per column, ready to be written.
    pub fn names(view: &Schema) -> Vec<String> {
        view.columns.iter().map(|c| format!("\"{}\":", c.name)).collect()
    }

    /// The line of a change of a view with these names.
    pub fn of(&mut self, names: &[String], change: &Sealed<'_>) -> &[u8] {
        let Lines { decimals, line } = self;
        line.clear();
        line.push_str("{\"time\":");
        Value::Moment(change.time.millis() as i64).write_json(*decimals, line);
        line.push_str(",\"diff\":");
        Value::Integer(change.diff as i64).write_json(*decimals, line);
        line.push_str(",\"row\":{");
        for (i, (cell, name)) in change.row.cells().iter().zip(names).enumerate() {
            if i > 0 {
                line.push(',');
            }
            line.push_str(name);
            cell.write_json(*decimals, line);
        }
        line.push_str("}}\n");
        line.as_bytes()
    }
}

struct Jsonl {
    /// A log for each view that has one.
    logs: Vec<Option<Log>>,
    pending: Pending,
    lines: Lines,
}

struct Log {
    path: PathBuf,
    /// Until it is complete.
    out: Option<Staged>,
    names: Vec<String>,
}

impl Jsonl {
    fn open(
        dir: &Path,
        views: &[Option<Schema>],
        lines: Lines,
        pending: Pending,
    ) -> Result<Jsonl, Error> {
        let log = |view: &Schema| {
            let path = dir.join(format!("{}.changes.jsonl", view.name));
            let out = Some(Staged::create(&path).map_err(Error::file(&path))?);
            Ok(Log { path, out, names: Lines::names(view) })
        };
        let logs = views.iter().map(|view| view.as_ref().map(log).transpose());
        let logs = logs.collect::<Result<_, Error>>()?;
        Ok(Jsonl { logs, pending, lines })
    }
}

impl Sink for Jsonl {
    fn change(&mut self, view: usize, change: &Sealed<'_>) -> Result<(), Error> {
        let Some(log) = &mut self.logs[view] else { return Ok(()) };
        let Some(out) = &mut log.out else { return Ok(()) };
        out.write_all(self.lines.of(&log.names, change)).map_err(Error::file(&log.path))
    }

    fn stage(&mut self, _ports: &mut [Box<dyn Port>], _ended: bool) -> Result<(), Error> {
        for log in self.logs.iter_mut().flatten() {
            if let Some(out) = log.out.take() {
                self.pending.add(&log.path, out.complete().map_err(Error::file(&log.path))?);
            }
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<(), Error> {
        self.pending.publish()
    }
}
