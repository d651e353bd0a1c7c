//! `jsonl:DIR`: the change log as `DIR/<query>.changes.jsonl`, one line per change in the order of
//! time and row: `{"time":…,"diff":…,"row":{…}}`. The bytes depend on the input alone.
//!
//! The log is written under a temporary name and renamed when the run ends, also when it is ended
//! by Ctrl-C; what is there then is sealed.

use super::{Schema, Sink, make_directory};
use crate::clock::Time;
use crate::error::Error;
use crate::operator::{Port, Sealed};
use crate::value::{Decimals, Value};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

pub(super) struct Jsonl {
    /// A log for each view that has one.
    logs: Vec<Option<Log>>,
    decimals: Decimals,
    line: String,
}

struct Log {
    path: PathBuf,
    temporary: PathBuf,
    out: BufWriter<File>,
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
        make_directory(dir)?;
        let log = |view: &Schema| {
            let path = dir.join(format!("{}.changes.jsonl", view.name));
            let temporary = dir.join(format!("{}.changes.jsonl.tmp", view.name));
            let file = File::create(&temporary).map_err(Error::file(&temporary))?;
            let names = view.columns.iter().map(|c| format!("\"{}\":", c.name)).collect();
            Ok(Log { path, temporary, out: BufWriter::with_capacity(1 << 18, file), names })
        };
        let logs = views.iter().map(|view| has_one(view).then(|| log(view)).transpose());
        let logs = logs.collect::<Result<_, Error>>()?;
        Ok(Jsonl { logs, decimals, line: String::new() })
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
        log.out.write_all(line.as_bytes()).map_err(Error::file(&log.path))
    }

    fn sealed(&mut self, frontier: Option<Time>) -> Result<(), Error> {
        if frontier.is_some() {
            return Ok(());
        }
        for log in self.logs.iter_mut().flatten() {
            log.out.flush().map_err(Error::file(&log.path))?;
        }
        Ok(())
    }

    fn views(&mut self, _ports: &mut [Box<dyn Port>], done: bool) -> Result<(), Error> {
        if done {
            for log in self.logs.iter_mut().flatten() {
                log.out.flush().map_err(Error::file(&log.path))?;
                std::fs::rename(&log.temporary, &log.path).map_err(Error::file(&log.path))?;
            }
        }
        Ok(())
    }
}
