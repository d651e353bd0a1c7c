//! Goods that run out before more can come.
//!
//! Of each item and warehouse `on_hand` is the sum of all changes, `sold` what went out (the
//! negative changes) with event time in (t - window, t], 7 days up to the newest event time `t` of
//! all changes. The run rate
//! is sold / window, and
//!
//! ```text
//! cover = on_hand / run rate    (days; empty if nothing went out)
//! ```
//!
//! is for how long the stock lasts. There is an alert if cover < lead + buffer (3 days for a
//! restock to come and 1 to be safe), and in any case while nothing is on hand: what is sold out
//! sells nothing, so its run rate tells nothing. In the first days after its first record an
//! item's run rate is too low. Cover is compared as a fraction of integers; a
//! number that does not fit into 64 bits is empty. The view changes as
//! time passes. State: the outgoing changes of the window, three sums per item and warehouse.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::mining::inventory_alerts::InventoryAlerts;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Inventory, "\
//! time,item_id,warehouse,change
//! 2026-01-05T10:00:00Z,lamp,north,21
//! 2026-01-06T10:00:00Z,lamp,north,-14
//! ")])?;
//! let alerts = InventoryAlerts::default().answer(&history, history.last());
//! assert_eq!(alerts[0].cover_days.map(|days| days.0), Some(3.5)); // 7 left, 2 a day
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use crate::clock::{Millis, Time};
use crate::event::Stream;
use crate::event::inventory::{CHANGE, ITEM_ID, WAREHOUSE};
use crate::monoid::compare_products;
use crate::operator::{Aggregate, Collection, Passing};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::{Real, whole};
use std::collections::BTreeMap;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Copy)]
    pub struct InventoryAlerts {
        /// Over which time the run rate is taken.
        pub window: Millis = Millis::hours(7 * 24),
        /// How long a restock takes.
        pub lead: Millis = Millis::hours(3 * 24),
        /// How much longer than that the stock should last.
        pub buffer: Millis = Millis::hours(24),
    }
}

crate::record! {
    /// An item that runs out in a warehouse.
    pub struct Output {
        keys {
            /// The item.
            item_id: Text,
            /// Where it lies.
            warehouse: Text,
        }
        values {
            /// Pieces on hand.
            /// Empty where it does not fit into 64 bits.
            on_hand: Option<i64>,
            /// Pieces that went out within the window.
            /// Empty where it does not fit into 64 bits.
            sold: Option<i64>,
            /// Days the stock lasts at that rate; empty where nothing was sold.
            cover_days: Option<Real>,
            /// Whether nothing is on hand.
            out_of_stock: bool,
        }
    }
}

const DAY: f64 = 86_400_000.0;

type Shelf = (Text, Text);

impl InventoryAlerts {
    /// For how long the stock should last.
    fn need(&self) -> i128 {
        i128::from(self.lead.0) + i128::from(self.buffer.0)
    }

    fn row(&self, shelf: &Shelf, on_hand: i128, sold: i128) -> Output {
        let days = || on_hand as f64 * (self.window.0 as f64 / DAY) / sold as f64;
        Output {
            item_id: shelf.0.clone(),
            warehouse: shelf.1.clone(),
            on_hand: whole(on_hand),
            sold: whole(sold),
            cover_days: (sold > 0).then(|| Real(days())),
            out_of_stock: on_hand <= 0,
        }
    }
}

impl Query for InventoryAlerts {
    type Output = Output;

    fn name(&self) -> &'static str {
        "inventory_alerts"
    }

    fn about(&self) -> &'static str {
        "items whose stock lasts shorter than a restock takes"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let query = *self;
        let window = self.window.signed();
        let changes = inputs.inventory(&[ITEM_ID, WAREHOUSE.optional(), CHANGE]).flat_map(
            "Stock",
            |record| {
                let shelf = (record.item_id().clone(), record.warehouse().clone());
                let named = !record.item_id().is_empty();
                record.change().filter(|_| named).map(|change| (shelf, record.time(), change))
            },
        );
        let clock = inputs.clock(Stream::Inventory);
        let out = changes.clone().filter(|(_, _, change)| *change < 0);
        let over = out.due(move |(_, time, _)| time.saturating_add(window), &clock);
        // Changes of (on hand, sold), and whether there is a record.
        let now = changes
            .map(|(shelf, _, change)| (shelf, (change.into(), -i128::from(change.min(0)), true)));
        let over = over.negate().map(|(shelf, _, change)| (shelf, (0, -i128::from(change), false)));
        now.concat(over).aggregate(
            "InventoryAlerts",
            |(shelf, _)| Some(shelf.clone()),
            |(records, on_hand, sold): &mut (i64, i128, i128), (_, change), diff| {
                let &(stock, out, record): &(i128, i128, bool) = change;
                *records += i64::from(record) * diff;
                *on_hand += stock * i128::from(diff);
                *sold += out * i128::from(diff);
            },
            move |shelf, &(records, on_hand, sold)| {
                let (window, need) = (query.window.0.into(), query.need());
                let short = || compare_products(on_hand, window, need, sold).is_lt();
                let alert = records > 0 && (on_hand <= 0 || short());
                alert.then(|| query.row(shelf, on_hand, sold))
            },
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let now = history.now(&[Stream::Inventory], at);
        let since = now.saturating_sub(self.window.signed());
        let mut shelves: BTreeMap<Shelf, (i128, i128)> = BTreeMap::new();
        for record in history.inventory(at).iter().filter(|r| !r.item_id().is_empty()) {
            let Some(change) = record.change() else { continue };
            let shelf = (record.item_id().clone(), record.warehouse().clone());
            let (on_hand, sold) = shelves.entry(shelf).or_default();
            *on_hand += i128::from(change);
            *sold += if change < 0 && record.time() > since { -i128::from(change) } else { 0 };
        }
        shelves.retain(|_, (on_hand, sold)| {
            // What is left at the end of lead and buffer, times the window.
            let must = *sold * i128::from(self.lead.0 + self.buffer.0);
            *on_hand <= 0 || must - *on_hand * i128::from(self.window.0) > 0
        });
        shelves.iter().map(|(shelf, (on_hand, sold))| self.row(shelf, *on_hand, *sold)).collect()
    }
}
