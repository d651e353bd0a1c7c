//! A job as everything that it reads, in memory, for who goes over it more than once.

use super::Job;
use crate::batch::Batch;
use crate::clock::Tick;
use crate::error::Error;
use crate::event::Stream;
use crate::operator::Dedupe;
use crate::query::{AnyQuery, Reads};
use crate::source::stamps::{Known, Stamps};
use crate::value::Decimals;
use std::sync::Arc;

/// See the module.
pub struct Remembered {
    /// The queries.
    pub queries: Vec<Arc<dyn AnyQuery>>,
    /// The records that they read, cleaned and stamped.
    pub records: Vec<(Stream, Arc<Batch>)>,
    /// How many there are.
    pub count: u64,
    /// How they are made unique, if they are.
    pub dedupe: Option<Dedupe>,
    /// The granularity of stream time.
    pub tick: Tick,
    /// Decimals of money.
    pub decimals: Decimals,
}

impl Job {
    /// Reads everything; `note` is told of queries that are left out, and why.
    pub fn remember(mut self, note: &mut dyn FnMut(&str)) -> Result<Remembered, Error> {
        let options = self.cleaning.parse_options()?;
        let available = self.available(&options)?;
        let chosen = self.choose(&available, note)?;
        let mut all = Reads::default();
        chosen.iter().for_each(|(_, reads)| all.merge(reads));
        let dedupe = self.dedupe(&available).into_values().next();
        let place = self.keeping.take().map(|keeping| keeping.directory);
        let stamped = place.as_deref().map_or(Ok(None), Stamps::ticks)?;
        let ticks = self.ticks(&all, stamped)?;
        let tick = ticks.tick;
        super::refuse_coarse(tick, &chosen)?;
        let decimals = Decimals(self.cleaning.decimals);
        let queries = chosen.into_iter().map(|(query, _)| query).collect();
        let known = place.as_deref().map_or(Ok(Known::default()), Stamps::known)?;
        let feeds = self.open_everything(&options, &available, (ticks, known))?;
        let (mut records, mut count) = (Vec::new(), 0);
        feeds.read_all(|partition, batch| {
            count += batch.len() as u64;
            records.push((partition.stream, Arc::new(batch)));
            Ok::<(), Error>(())
        })?;
        feeds.judge()?;
        Ok(Remembered { queries, records, count, dedupe, tick, decimals })
    }
}
