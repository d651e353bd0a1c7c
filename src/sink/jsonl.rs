//! `jsonl:DIR`: the change log as `DIR/<query>.changes.jsonl`, one line per change in the order of
//! time and row: `{"time":…,"diff":…,"row":{…}}`. The bytes depend on the input alone.
//!
//! The log is written beside its place and put there when the run has succeeded, also when it was
//! ended by Ctrl-C; what is there then is sealed.

use super::pending::Pending;
use super::{Schema, Sink};
use crate::error::Error;
use crate::files::Staged;
use crate::operator::{Port, Sealed};
use crate::value::{Decimals, Value};
use std::io::Write;
use std::path::{Path, PathBuf};

pub(super) struct Jsonl {
    /// A log for each view that has one.
    logs: Vec<Option<Log>>,
    pending: Pending,
    decimals: Decimals,
    line: String,
}

struct Log {
    path: PathBuf,
    /// Until it is complete.
    out: Option<Staged>,
    /// `"name":` per column, ready to be written.
    names: Vec<String>,
}

impl Jsonl {
    /// Opens a log for each view that is to have one.
    pub fn open(
        dir: &Path,
        views: &[Schema],
        decimals: Decimals,
        has_one: impl Fn(&Schema) -> bool,
    ) -> Result<Jsonl, Error> {
        let pending = Pending::within(dir)?;
        let log = |view: &Schema| {
            let path = dir.join(format!("{}.changes.jsonl", view.name));
            let out = Some(Staged::create(&path).map_err(Error::file(&path))?);
            let names = view.columns.iter().map(|c| format!("\"{}\":", c.name)).collect();
            Ok(Log { path, out, names })
        };
        let logs = views.iter().map(|view| has_one(view).then(|| log(view)).transpose());
        let logs = logs.collect::<Result<_, Error>>()?;
        Ok(Jsonl { logs, pending, decimals, line: String::new() })
    }
}

impl Sink for Jsonl {
    fn change(&mut self, view: usize, change: &Sealed<'_>) -> Result<(), Error> {
        let (Some(log), line) = (&mut self.logs[view], &mut self.line) else { return Ok(()) };
        line.clear();
        line.push_str("{\"time\":");
        Value::Moment(change.time.millis() as i64).write_json(self.decimals, line);
        line.push_str(",\"diff\":");
        Value::Integer(change.diff as i64).write_json(self.decimals, line);
        line.push_str(",\"row\":{");
        for (i, (cell, name)) in change.row.cells().iter().zip(&log.names).enumerate() {
            if i > 0 {
                line.push(',');
            }
            line.push_str(name);
            cell.write_json(self.decimals, line);
        }
        line.push_str("}}\n");
        let Some(out) = &mut log.out else { return Ok(()) };
        out.write_all(line.as_bytes()).map_err(Error::file(&log.path))
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
