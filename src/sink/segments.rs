//! The change log of a run that keeps its state: `DIR/<query>.changes/FROM-TO.jsonl`, a segment for
//! each commit in which the view changed, with the changes stamped after FROM and up to TO, both in
//! milliseconds since 1970. Together, in the order of their names, they are the log. `DIR/.segments-of`
//! tells whose they are.
//!
//! A segment takes its name in one step when it is whole and durable, so a reader sees it all or
//! not at all. Its name says up to where the log is complete: a run that goes on from an earlier
//! cut is told of some changes once more, and leaves out what is there. So nothing is lost and
//! nothing is there twice, wherever a run was killed.

use super::jsonl::Lines;
use super::pending::Pending;
use super::{Going, Held, Schema, Sink};
use crate::clock::Time;
use crate::error::Error;
use crate::files::Staged;
use crate::operator::{Port, Sealed};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Milliseconds in a name have as many digits as the last instant there is.
const DIGITS: usize = 15;

/// The file that tells whose the segments in a place are.
const OWNER: &str = ".segments-of";

/// See the module.
pub(super) struct Segments {
    /// What it is called by `--sink`.
    sink: String,
    /// A log for each view that has one.
    logs: Vec<Option<Log>>,
    lines: Lines,
    /// The cut of the last commit.
    from: u64,
    _place: Pending,
}

struct Log {
    name: &'static str,
    dir: PathBuf,
    /// The last time of the segments that are there.
    held: Option<u64>,
    /// The segment that is being written, from its first change on.
    out: Option<Staged>,
    names: Vec<String>,
}

impl Segments {
    /// Finds what is there of each view.
    pub fn open(
        dir: &Path,
        views: &[Option<Schema>],
        (lines, place): (Lines, Pending),
        going: Going<'_>,
    ) -> Result<Segments, Error> {
        let sink = format!("jsonl:{}", dir.display());
        let known = going.held.iter().find(|held| held.sink == sink).map(|held| &*held.what);
        // What was written down by another version is as good as nothing.
        let known: Option<BTreeMap<String, u64>> =
            known.map(|what| serde_json::from_str(what).unwrap_or_default());
        // A run that was killed before its first checkpoint knows nothing of what it wrote.
        let owner = dir.join(OWNER);
        let ours = fs::read_to_string(&owner).is_ok_and(|id| id == going.id);
        let log = |view: &Schema| {
            let dir = dir.join(format!("{}.changes", view.name));
            fs::create_dir_all(&dir).map_err(Error::file(&dir))?;
            let held = last_segment(&dir).map_err(Error::file(&dir))?;
            let want = known.as_ref().and_then(|known| known.get(view.name).copied());
            if want > held {
                return Err(Error::Usage(format!(
                    "{}: segments are missing that this run's state knows of; put them back, or \
                     begin anew with another --state and another place",
                    dir.display()
                )));
            }
            if known.is_none() && held.is_some() && !ours {
                return Err(Error::Usage(format!(
                    "{}: segments of another run are there, and would be mixed with those of this \
                     one; move them away, or name another place",
                    dir.display()
                )));
            }
            Ok(Log { name: view.name, dir, held, out: None, names: Lines::names(view) })
        };
        let logs = views.iter().map(|view| view.as_ref().map(log).transpose());
        let logs = logs.collect::<Result<_, Error>>()?;
        if !ours {
            let mut file = Staged::create(&owner).map_err(Error::file(&owner))?;
            let put = file.write_all(going.id.as_bytes()).and_then(|()| {
                let whole = file.complete()?;
                whole.sync()?;
                whole.publish_as(&owner)?;
                File::open(dir)?.sync_all()
            });
            put.map_err(Error::file(&owner))?;
        }
        let from = going.from.map_or(0, Time::millis);
        Ok(Segments { sink, logs, lines, from, _place: place })
    }
}

impl Log {
    /// Puts the segment in place that ends at a cut, if there is anything in it.
    fn commit(&mut self, from: u64, cut: u64) -> Result<(), Error> {
        let Some(out) = self.out.take() else { return Ok(()) };
        let put = || {
            let complete = out.complete()?;
            complete.sync()?;
            complete.publish_as(&self.dir.join(segment(from, cut)))?;
            File::open(&self.dir)?.sync_all()
        };
        put().map_err(Error::file(&self.dir))?;
        self.held = Some(cut);
        Ok(())
    }
}

impl Sink for Segments {
    fn change(&mut self, view: usize, change: &Sealed<'_>) -> Result<(), Error> {
        let Some(log) = &mut self.logs[view] else { return Ok(()) };
        if log.held.is_some_and(|held| change.time.millis() <= held) {
            return Ok(());
        }
        let wrong = || Error::file(&log.dir);
        let out = match &mut log.out {
            Some(out) => out,
            none => none.insert(Staged::create(&log.dir.join("segment")).map_err(wrong())?),
        };
        out.write_all(self.lines.of(&log.names, change)).map_err(wrong())
    }

    fn commit(&mut self, _ports: &mut [Box<dyn Port>], cut: Time) -> Result<Option<Held>, Error> {
        let cut = cut.millis();
        let mut known = BTreeMap::new();
        for log in self.logs.iter_mut().flatten() {
            let from = log.held.unwrap_or(0).max(self.from);
            log.commit(from, cut)?;
            known.extend(log.held.map(|held| (log.name, held)));
        }
        self.from = cut;
        // A map of names and numbers can be written.
        let what = serde_json::to_string(&known).unwrap_or_default();
        Ok(Some(Held { sink: self.sink.clone(), what }))
    }
}

fn segment(from: u64, to: u64) -> String {
    format!("{from:0DIGITS$}-{to:0DIGITS$}.jsonl")
}

/// The last time of the segments in a directory. What a run that was killed left unfinished goes.
fn last_segment(dir: &Path) -> std::io::Result<Option<u64>> {
    let mut last = None;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with('.') && name.ends_with(".tmp") {
            fs::remove_file(entry.path())?;
        }
        last = last.max(end_of(name));
    }
    Ok(last)
}

/// The last time of a segment by its name.
fn end_of(name: &str) -> Option<u64> {
    let (from, to) = name.strip_suffix(".jsonl")?.split_once('-')?;
    let number = |text: &str| (text.len() == DIGITS).then(|| text.parse::<u64>().ok()).flatten();
    number(from)?;
    number(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_segment_says_what_is_in_it() {
        let name = segment(1_767_607_200_000, 1_767_610_800_000);
        assert_eq!(name, "001767607200000-001767610800000.jsonl");
        assert_eq!(end_of(&name), Some(1_767_610_800_000));
        for other in ["a-b.jsonl", "1-2.jsonl", "001767607200000.jsonl", ".x.tmp"] {
            assert_eq!(end_of(other), None, "{other}");
        }
    }
}
