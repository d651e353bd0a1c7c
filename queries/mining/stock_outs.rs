//! When shelves were empty.
//!
//! What is on hand of an item in a warehouse at `t` are the changes with event time up to `t`,
//! added up. A stock-out is a span from the record that leaves nothing on hand (or less) to the
//! one after which there is something again; until then it has no end. Spans shorter than `least`
//! are left out. All follows from the records as they are known: a restock that is told late takes
//! the stock-out back that it prevented, which `inventory_alerts`, the picture of now, cannot do.
//! Before the first record of a shelf nothing is known of it. State: a shelf's records.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::mining::stock_outs::StockOuts;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Inventory, "\
//! time,item_id,warehouse,change
//! 2026-01-05T08:00:00Z,lamp,kassel,2
//! 2026-01-05T10:00:00Z,lamp,kassel,-2
//! 2026-01-05T13:00:00Z,lamp,kassel,5
//! ")])?;
//! let out = StockOuts::default().answer(&history, history.last());
//! assert_eq!(out[0].hours.map(|hours| hours.0), Some(3.0));
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use crate::clock::{Millis, Time};
use crate::event::inventory::{CHANGE, ITEM_ID, WAREHOUSE};
use crate::monoid::Bag;
use crate::operator::Collection;
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::{Moment, Real};
use std::collections::BTreeMap;

mod shelf;

use shelf::Shelf;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Copy, Debug)]
    pub struct StockOuts {
        /// The shortest stock-out that is listed.
        pub least: Millis = Millis::hours(1),
    }
}

crate::record! {
    /// A span in which a shelf was empty.
    pub struct Output {
        keys {
            /// The item.
            item_id: Text,
            /// Where the shelf is.
            warehouse: Text,
            /// When it became empty.
            since: Moment,
        }
        values {
            /// When there was something again; empty while it lasts.
            until: Option<Moment>,
            /// Hours from since to until.
            hours: Option<Real>,
        }
    }
}

impl StockOuts {
    fn row(&self, shelf: &(Text, Text), since: i64, until: Option<i64>) -> Option<Output> {
        let length = until.map(|until| until - since);
        let counts = length.is_none_or(|length| length >= self.least.signed());
        counts.then(|| Output {
            item_id: shelf.0.clone(),
            warehouse: shelf.1.clone(),
            since: Moment(since),
            until: until.map(Moment),
            hours: length.map(|length| Real(length as f64 / 3_600_000.0)),
        })
    }
}

impl Query for StockOuts {
    type Output = Output;

    fn name(&self) -> &'static str {
        "stock_outs"
    }

    fn about(&self) -> &'static str {
        "when items were out of stock in a warehouse, from when to when"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let columns = [ITEM_ID, WAREHOUSE.optional(), CHANGE];
        let changes = inputs.inventory(&columns).keyed(
            "StockOuts",
            |record| {
                let shelf = || (record.item_id().clone(), record.warehouse().clone());
                (!record.item_id().is_empty()).then(shelf)
            },
            |changes: &mut Bag<(i64, i64)>, record, diff| {
                if let Some(change) = record.change() {
                    changes.add((record.time(), change), diff);
                }
            },
        );
        changes.kept::<Shelf>(*self)
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut shelves: BTreeMap<(Text, Text), Vec<(i64, i64)>> = BTreeMap::new();
        for record in history.inventory(at).iter().filter(|r| !r.item_id().is_empty()) {
            if let Some(change) = record.change() {
                let shelf = (record.item_id().clone(), record.warehouse().clone());
                shelves.entry(shelf).or_default().push((record.time(), change));
            }
        }
        let mut rows = Vec::new();
        for (shelf, changes) in &shelves {
            let mut times: Vec<i64> = changes.iter().map(|(time, _)| *time).collect();
            times.sort_unstable();
            times.dedup();
            // Whether the shelf is empty from each time on.
            let empty = |time: i64| {
                let until = changes.iter().filter(|(t, _)| *t <= time);
                until.map(|(_, change)| i128::from(*change)).sum::<i128>() <= 0
            };
            let marks: Vec<(i64, bool)> = times.iter().map(|time| (*time, empty(*time))).collect();
            let spans: Vec<&[(i64, bool)]> = marks.chunk_by(|a, b| a.1 == b.1).collect();
            for (i, span) in spans.iter().enumerate().filter(|(_, span)| span[0].1) {
                let until = spans.get(i + 1).map(|next| next[0].0);
                rows.extend(self.row(shelf, span[0].0, until));
            }
        }
        rows
    }
}
