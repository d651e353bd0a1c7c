//! A history that is cut: what is remembered there is written down, and another dataflow goes on.

use super::replay::{Change, Recorded, deal, taken_in, to_the_end};
use crate::batch::Batch;
use crate::clock::{Millis, Tick, Time};
use crate::error::Error;
use crate::event::Stream;
use crate::lock::lock;
use crate::operator::Dedupe;
use crate::operator::memory::{Contents, Notebook, Size};
use crate::query::AnyQuery;
use crate::value::Value;
use crate::worker::{Cluster, Common, Graph, Intake, Views};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// How a part of a history is run.
pub struct Part {
    /// The queries.
    pub queries: Vec<Arc<dyn AnyQuery>>,
    /// How records are made unique, if they are.
    pub dedupe: Option<Dedupe>,
    /// The granularity of time.
    pub tick: Tick,
    /// How far behind the clock of its source a record can be, if that is bounded.
    pub lateness: Option<Millis>,
    /// How far from its sale a refund, void or dispute can be, if that is bounded.
    pub reach: Option<Millis>,
    /// Worker threads.
    pub workers: usize,
}

/// A row of a view, and how often it is there.
pub type Shown = (Vec<Value>, isize);

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The change log of each query.
    pub logs: Vec<Vec<Change>>,
    /// The view of each query in the end: its rows, and how often each is there.
    pub views: Vec<Vec<Shown>>,
    /// What was remembered at the cut.
    pub contents: Contents,
    /// How much each operator remembers in the end, all workers together.
    pub sizes: BTreeMap<String, Size>,
}

impl Part {
    /// Runs records from what was remembered, if anything, and writes down what is remembered at
    /// the cut, if there is one.
    pub fn run(
        &self,
        recorded: &Recorded,
        from: Option<Contents>,
        cut: Option<Time>,
    ) -> Result<Outcome, Error> {
        let notebook = from.map_or_else(Notebook::default, Notebook::from);
        cut.into_iter().for_each(|at| notebook.cut(at));
        let common = Common { notebook: notebook.clone(), ..Common::default() };
        let intake = Intake {
            lateness: self.lateness,
            reach: self.reach,
            ..taken_in(recorded, self.dedupe, self.tick)
        };
        let (graph, recorded) = (Graph { queries: self.queries.clone(), intake }, recorded.clone());
        let outcome = Arc::new(Mutex::new(Outcome::default()));
        let seen = Arc::clone(&outcome);
        let guards = Cluster::threads(self.workers).execute(move |worker| {
            let mut views =
                graph.build(worker, &common, |scope, stream, _| deal(scope, stream, &recorded));
            if worker.index() == 0 {
                views.keep();
            }
            to_the_end(worker, &views.probe);
            let mut seen = lock(&seen);
            if worker.index() == 0 {
                (seen.logs, seen.views) = read(&mut views, graph.queries.len());
            }
            for (name, size) in views.memory.sizes() {
                let all = seen.sizes.entry(name).or_default();
                all.entries += size.entries;
                all.bytes += size.bytes;
            }
        })?;
        for result in guards.join() {
            result.map_err(Error::Cluster)?;
        }
        let mut outcome = std::mem::take(&mut *lock(&outcome));
        outcome.contents = notebook.take(cut.unwrap_or_default())?;
        Ok(outcome)
    }
}

/// The change log and the view of each query.
fn read(views: &mut Views, queries: usize) -> (Vec<Vec<Change>>, Vec<Vec<Shown>>) {
    let (mut logs, mut rows) = (vec![Vec::new(); queries], vec![Vec::new(); queries]);
    views.seal(|view, change| {
        let row = change.row.cells();
        logs[view].push(Change { time: change.time, row, diff: change.diff });
    });
    views.rows(|view, row, count| rows[view].push((row.cells(), count)));
    (logs, rows)
}

/// The records that are stamped after a time, in batches of which some may be empty.
pub fn after(recorded: &Recorded, cut: Time) -> Recorded {
    let rest = |(stream, batch): &(Stream, Arc<Batch>)| {
        let mut rest = Batch::clone(batch);
        rest.pass(cut);
        (*stream, Arc::new(rest))
    };
    recorded.iter().map(rest).collect()
}
