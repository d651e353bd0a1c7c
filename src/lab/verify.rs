//! Verifying a job: what the dataflow says of its records is held against the answers that each
//! query gives from the records alone, at several times, and against files that a run has written.
//!
//! The digest of a view is a checksum of its rows as the csv sink writes them, in the order of their
//! bytes: it is the same on every machine and for any number of workers. Bound: the records, the
//! change logs of all queries and the answers are in memory together.

use super::replay::{Change, replay};
use crate::clock::Time;
use crate::error::Error;
use crate::plan::remembered::Remembered;
use crate::query::{AnyQuery, History};
use crate::sink::csv_line;
use crate::value::{Decimals, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// The most that is shown of a row.
const SHOWN: usize = 160;

/// What was found of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The query.
    pub query: &'static str,
    /// The rows of the view in the end.
    pub rows: u64,
    /// The beginning of the SHA-256 of them.
    pub digest: String,
    /// At how many times it was compared.
    pub times: usize,
    /// The files that hold it, and were compared as well.
    pub files: Vec<String>,
    /// Where it differs first, if it does.
    pub differs: Option<String>,
}

/// Holds the views against the answers at so many times, the last of them the end; and against the
/// files in a directory, if one is given.
pub fn verify(
    job: &Remembered,
    (times, workers): (usize, usize),
    against: Option<&Path>,
) -> Result<Vec<Finding>, Error> {
    let logs = replay(&job.queries, &job.records, job.dedupe, job.tick, workers)?;
    let history = History::new(job.records.clone(), job.dedupe);
    let times = chosen(&history.times(), times);
    let find = |(query, log): (&std::sync::Arc<dyn AnyQuery>, Vec<Change>)| {
        finding(&**query, &log, (&history, &times, job.decimals), against)
    };
    job.queries.iter().zip(logs).map(find).collect()
}

/// So many of the times, evenly, the last one among them.
fn chosen(all: &[Time], count: usize) -> Vec<Time> {
    let count = count.clamp(1, all.len().max(1));
    (1..=count).filter_map(|i| all.get((i * all.len() / count).checked_sub(1)?)).copied().collect()
}

fn finding(
    query: &dyn AnyQuery,
    log: &[Change],
    (history, times, decimals): (&History, &[Time], Decimals),
    against: Option<&Path>,
) -> Result<Finding, Error> {
    let (mut view, mut next, mut differs) = (View::default(), log.iter().peekable(), None);
    for time in times {
        while let Some(change) = next.next_if(|change| change.time <= *time) {
            view.apply(change, decimals);
        }
        if differs.is_none() {
            let answer = query.answer_cells(history, *time);
            differs = view.difference(&answer, decimals).map(|what| {
                let mut at = String::new();
                Value::Moment(time.signed()).write(decimals, &mut at);
                format!("at {at} the dataflow and the answer differ: {what}")
            });
        }
    }
    next.for_each(|change| view.apply(change, decimals));
    let lines = view.lines();
    let mut files = Vec::new();
    if let Some(dir) = against {
        let path = dir.join(format!("{}.csv", query.name()));
        if path.exists() {
            let text = std::fs::read_to_string(&path).map_err(Error::file(&path))?;
            let mut there: Vec<&str> = text.split_inclusive('\n').skip(1).collect();
            let mut ours: Vec<&str> = lines.iter().flat_map(|l| l.split_inclusive('\n')).collect();
            there.sort_unstable();
            ours.sort_unstable();
            let what = || first_difference(&ours, &there);
            differs = differs.or_else(|| Some(format!("{} {}", path.display(), what()?)));
            files.push(path.display().to_string());
        }
    }
    let mut sum = Sha256::new();
    lines.iter().for_each(|line| sum.update(line));
    let digest = sum.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let (query, rows) = (query.name(), lines.len() as u64);
    Ok(Finding { query, rows, digest, times: times.len(), files, differs })
}

/// Rows by their text, and how often each is there.
#[derive(Default)]
struct View(BTreeMap<String, (Vec<Value>, isize)>);

impl View {
    fn apply(&mut self, change: &Change, decimals: Decimals) {
        let text = text(&change.row, decimals);
        let (_, count) = self.0.entry(text.clone()).or_insert_with(|| (change.row.clone(), 0));
        *count += change.diff;
        if *count == 0 {
            self.0.remove(&text);
        }
    }

    fn lines(&self) -> Vec<&str> {
        let times = |count: isize| usize::try_from(count).unwrap_or(1);
        self.0
            .iter()
            .flat_map(|(text, (_, n))| std::iter::repeat_n(text.as_str(), times(*n)))
            .collect()
    }

    /// Where the rows of the answer are others, if they are.
    fn difference(&self, answer: &[Vec<Value>], decimals: Decimals) -> Option<String> {
        let mut theirs: BTreeMap<String, (&[Value], isize)> = BTreeMap::new();
        for row in answer {
            theirs.entry(text(row, decimals)).or_insert((row, 0)).1 += 1;
        }
        let mut ours = self
            .0
            .iter()
            .filter(|(text, (_, n))| theirs.get(*text).is_none_or(|(_, there)| there != n));
        let mut others = theirs
            .iter()
            .filter(|(text, (_, n))| self.0.get(*text).is_none_or(|(_, here)| here != n));
        loop {
            // The last digits of a float depend on the order in which it was added up: rows that
            // differ in nothing else stand in the same order.
            match (ours.next(), others.next()) {
                (None, None) => return None,
                (Some((_, (a, n))), Some((_, (b, m)))) if n == m && close_rows(a, b) => {}
                (Some((row, _)), _) => return Some(format!("the dataflow has {}", shown(row))),
                (None, Some((row, _))) => return Some(format!("the answer has {}", shown(row))),
            }
        }
    }
}

fn text(row: &[Value], decimals: Decimals) -> String {
    let mut line = String::new();
    csv_line(row.iter(), decimals, &mut line);
    line
}

/// Equal but for the last digits of a float: the answer may add up in another order.
pub fn close(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Real(a, p), Value::Real(b, q)) => {
            p == q && (a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3))
        }
        _ => a == b,
    }
}

/// Whether two rows are, cell by cell.
fn close_rows(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| close(a, b))
}

fn first_difference(ours: &[&str], there: &[&str]) -> Option<String> {
    let pairs = ours.iter().zip(there).find(|(a, b)| a != b);
    let line = |line: &str| shown(line.trim_end());
    match pairs {
        Some((ours, there)) if ours < there => Some(format!("lacks {}", line(ours))),
        Some((_, there)) => Some(format!("has {}", line(there))),
        None if ours.len() > there.len() => Some(format!("lacks {}", line(ours[there.len()]))),
        None if ours.len() < there.len() => Some(format!("has {}", line(there[ours.len()]))),
        None => None,
    }
}

fn shown(line: &str) -> String {
    crate::shown::shown(line.trim_end(), SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Tick;

    #[test]
    fn the_times_are_even_and_end_with_the_last() {
        let all: Vec<Time> = (1..=10).map(|i| Tick::MINUTE.round_up(i * 60_000)).collect();
        assert_eq!(chosen(&all, 1), [all[9]]);
        assert_eq!(chosen(&all, 2), [all[4], all[9]]);
        assert_eq!(chosen(&all, 99), all);
        assert_eq!(chosen(&[], 3), []);
    }

    #[test]
    fn a_row_more_or_less_or_another_is_told() {
        let ours = ["a\n", "b\n", "d\n"];
        let tell = |there: &[&str]| first_difference(&ours, there).unwrap_or_default();
        assert_eq!(tell(&ours), "");
        assert_eq!(tell(&["a\n", "d\n"]), "lacks b");
        assert_eq!(tell(&["a\n", "b\n", "c\n", "d\n"]), "has c");
        assert_eq!(tell(&["a\n", "b\n"]), "lacks d");
        assert_eq!(tell(&["a\n", "b\n", "d\n", "e\n"]), "has e");
    }
}
