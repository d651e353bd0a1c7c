//! Reading alone: what it costs, and whether two ways to read the same give the same.

use super::workload::Workload;
use crate::batch::Batch;
use crate::error::Error;
use crate::event::Stream;
use crate::lab::cost::{Cost, Meter};

/// Stamped batches in the order in which they were read.
pub type Batches = Vec<(Stream, Batch)>;

/// Something to read.
pub struct Read<'a> {
    /// What it is called.
    pub name: &'static str,
    /// The sources, as `--source` names them.
    pub sources: &'a [String],
    /// So many events must be in it.
    pub events: u64,
    /// Its size, if known.
    pub bytes: Option<u64>,
}

impl Read<'_> {
    /// What reading it costs; nothing is done with the events.
    pub fn cost(&self, workload: &Workload) -> Result<Cost, Error> {
        let (feeds, _) = workload.over(self.sources)?.everything()?;
        let (meter, mut events) = (Meter::start(), 0);
        feeds.read_all(|_, batch| {
            events += batch.len() as u64;
            Ok::<(), Error>(())
        })?;
        let cost = meter.cost(events, 0);
        if events != self.events {
            return Err(Error::Experiment(format!(
                "{}: {events} events instead of {}, so there is no figure; does somebody write to it?",
                self.name, self.events
            )));
        }
        Ok(cost)
    }
}

/// Everything the sources have, on one thread.
pub fn read(workload: &Workload, sources: &[String]) -> Result<Batches, Error> {
    let (feeds, _) = workload.over(sources)?.everything()?;
    let mut all = Batches::new();
    feeds.read_all(|partition, batch| {
        all.push((partition.stream, batch));
        Ok::<(), Error>(())
    })?;
    Ok(all)
}

/// Equal but for batches that are empty, which are not recorded.
pub fn same(a: &Batches, b: &Batches) -> bool {
    fn filled(batches: &Batches) -> impl Iterator<Item = &(Stream, Batch)> {
        batches.iter().filter(|(_, batch)| !batch.is_empty())
    }
    filled(a).eq(filled(b))
}
