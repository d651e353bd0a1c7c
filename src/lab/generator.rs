//! The built-in data generator: one simulated shop, told as nine CSV feeds.
//!
//! Every feed is a pass over the same simulation that keeps only its own rows, so orders,
//! users, items and shipments agree between feeds without anything being stored. Nothing but
//! the options decides the bytes: integers, keyed random sequences and fixed tables.
//!
//! Memory holds what is in flight (parcels on the road, refunds to come, delayed rows), which
//! depends on the rows per day and not on the length of the run.

mod advert;
mod blocks;
mod catalog;
mod dirt;
mod incident;
mod order;
mod pace;
mod parcel;
mod people;
mod queue;
mod random;
mod reader;
mod row;
mod session;
mod shop;
mod sink;
mod stock;
mod terms;
#[cfg(test)]
mod tests;
mod text;
mod truth;
mod write;

use crate::event::Stream;
pub use blocks::Blocks;
pub use reader::open;

/// A stream the generator makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feed {
    /// What visitors do: pages, carts, purchases.
    Behavior,
    /// Charges and what undoes them.
    Transactions,
    /// Scans of parcels.
    Logistics,
    /// Impressions, clicks and conversions.
    Ads,
    /// Logins and failures.
    Logins,
    /// Changes of stock.
    Inventory,
    /// The items, once.
    Catalog,
    /// What was planted, to score detectors by.
    Truth,
    /// Who logs in, and what the shop knows of them.
    Customers,
}

impl Feed {
    /// All feeds.
    pub const ALL: [Feed; 9] = [
        Feed::Behavior,
        Feed::Transactions,
        Feed::Logistics,
        Feed::Ads,
        Feed::Logins,
        Feed::Inventory,
        Feed::Catalog,
        Feed::Truth,
        Feed::Customers,
    ];

    /// The feed of a stream.
    pub fn of(stream: Stream) -> Option<Feed> {
        Feed::ALL.into_iter().find(|feed| feed.name() == stream.name())
    }

    /// The name of the stream.
    pub fn name(self) -> &'static str {
        match self {
            Feed::Behavior => "behavior",
            Feed::Transactions => "transactions",
            Feed::Logistics => "logistics",
            Feed::Ads => "ads",
            Feed::Logins => "logins",
            Feed::Inventory => "inventory",
            Feed::Catalog => "catalog",
            Feed::Truth => "truth",
            Feed::Customers => "customers",
        }
    }

    /// The name its file has.
    pub fn file_name(self) -> &'static str {
        match self {
            Feed::Behavior => "user_behavior.csv",
            Feed::Transactions => "transaction.csv",
            Feed::Logistics => "logistics.csv",
            Feed::Ads => "ads.csv",
            Feed::Logins => "logins.csv",
            Feed::Inventory => "inventory.csv",
            Feed::Catalog => "catalog.csv",
            Feed::Truth => "truth.csv",
            Feed::Customers => "customers.csv",
        }
    }

    /// Whether [`Options::events`] counts its rows; also, whether its rows have ids.
    fn is_counted(self) -> bool {
        matches!(self, Feed::Behavior | Feed::Transactions | Feed::Logistics)
    }

    fn has_ids(self) -> bool {
        self.is_counted()
    }
}

/// What to generate.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Rows of behavior, transactions and logistics together, about; dirt comes on top.
    pub events: u64,
    /// The same seed and options give the same bytes.
    pub seed: u64,
    /// Days that are told, from the first visit to the end of all streams.
    pub days: u32,
    /// The first moment, in milliseconds since 1970.
    pub start_ms: i64,
    /// The share of users that pay in dollars or pounds.
    pub foreign: f64,
    /// What goes wrong with rows.
    pub dirt: Dirt,
    /// Fraud and other things to be found.
    pub plants: Plants,
}

/// What goes wrong with rows, as shares in 0..=1.
#[derive(Clone, Debug, PartialEq)]
pub struct Dirt {
    /// Rows that arrive seconds to minutes after their time.
    pub disorder: f64,
    /// Rows that arrive hours to two days after their time.
    pub late: f64,
    /// Rows with an id that are delivered again, unchanged.
    pub duplicates: f64,
    /// Orders that are cancelled; all their sales are.
    pub cancellations: f64,
    /// Sales of delivered orders that are refunded.
    pub refunds: f64,
    /// Adds to cart, standing sales and deliveries that come again with another amount.
    pub corrections: f64,
    /// Rows that are sent an additional time, damaged.
    pub malformed: f64,
}

/// Fraud and other things planted to be found, all listed in [`Feed::Truth`].
#[derive(Clone, Debug, PartialEq)]
pub struct Plants {
    /// The share of orders with a line charged twice.
    pub duplicates: f64,
    /// Incidents per million events; at least one if above 0 and there is room.
    pub card_testing: f64,
    /// Incidents per million events.
    pub brute_force: f64,
    /// Incidents per million events.
    pub credential_stuffing: f64,
    /// Sessions per million events.
    pub bots: f64,
    /// Shelves whose supplier fails; each runs empty if it sells enough in the time left.
    pub stock_outs: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            events: 1_000_000,
            seed: 42,
            days: 14,
            start_ms: 1_767_225_600_000,
            foreign: 0.0,
            dirt: Dirt::default(),
            plants: Plants::default(),
        }
    }
}

impl Default for Dirt {
    fn default() -> Self {
        Dirt {
            disorder: 0.05,
            late: 0.003,
            duplicates: 0.01,
            cancellations: 0.03,
            refunds: 0.05,
            corrections: 0.003,
            malformed: 0.0005,
        }
    }
}

impl Dirt {
    /// Clean data: nothing delayed, repeated, undone or damaged.
    pub fn none() -> Self {
        Dirt {
            disorder: 0.0,
            late: 0.0,
            duplicates: 0.0,
            cancellations: 0.0,
            refunds: 0.0,
            corrections: 0.0,
            malformed: 0.0,
        }
    }
}

impl Default for Plants {
    fn default() -> Self {
        Plants {
            duplicates: 0.004,
            card_testing: 20.0,
            brute_force: 20.0,
            credential_stuffing: 6.0,
            bots: 20.0,
            stock_outs: 8,
        }
    }
}

impl Plants {
    /// An honest world.
    pub fn none() -> Self {
        Plants {
            duplicates: 0.0,
            card_testing: 0.0,
            brute_force: 0.0,
            credential_stuffing: 0.0,
            bots: 0.0,
            stock_outs: 0,
        }
    }
}

/// Options that cannot be generated from.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OptionsError {
    /// A share is outside of 0..=1.
    #[error("generator: {name} is {value}, but a share of rows must lie between 0 and 1")]
    Share {
        /// The option.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// A rate is negative, not a number or absurd.
    #[error(
        "generator: {name} is {value}, but incidents per million events must lie between 0 and 10000"
    )]
    Rate {
        /// The option.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// A number is out of range.
    #[error("generator: {name} is {value}; give a value from {low} to {high}")]
    Range {
        /// The option.
        name: &'static str,
        /// Its value.
        value: i128,
        /// The least value allowed.
        low: i128,
        /// The greatest value allowed.
        high: i128,
    },
}

impl Options {
    /// Says what is wrong with the options, if anything is.
    pub fn check(&self) -> Result<(), OptionsError> {
        let (dirt, plants) = (&self.dirt, &self.plants);
        let shares = [
            ("foreign", self.foreign),
            ("disorder", dirt.disorder),
            ("late", dirt.late),
            ("duplicates", dirt.duplicates),
            ("cancellations", dirt.cancellations),
            ("refunds", dirt.refunds),
            ("corrections", dirt.corrections),
            ("malformed", dirt.malformed),
            ("planted duplicates", plants.duplicates),
        ];
        if let Some(&(name, value)) = shares.iter().find(|(_, v)| !(0.0..=1.0).contains(v)) {
            return Err(OptionsError::Share { name, value });
        }
        let rates = [
            ("card_testing", plants.card_testing),
            ("brute_force", plants.brute_force),
            ("credential_stuffing", plants.credential_stuffing),
            ("bots", plants.bots),
        ];
        if let Some(&(name, value)) = rates.iter().find(|(_, v)| !(0.0..=10_000.0).contains(v)) {
            return Err(OptionsError::Rate { name, value });
        }
        // Ten years of days, and times that keep four digits for the year.
        let ranges = [
            ("events", i128::from(self.events), 1, 100_000_000_000),
            ("days", i128::from(self.days), 1, 3_660),
            ("start_ms", i128::from(self.start_ms), 0, 253_000_000_000_000),
            ("stock_outs", i128::from(plants.stock_outs), 0, 100),
        ];
        for (name, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                return Err(OptionsError::Range { name, value, low, high });
            }
        }
        Ok(())
    }
}

/// The CSV text of one feed: the header, then rows, in blocks of about 256 KiB of whole rows.
pub fn blocks(options: &Options, feed: Feed) -> Result<Blocks, OptionsError> {
    options.check()?;
    Ok(Blocks::new(options, feed))
}

/// The number of rows each feed has; takes one pass per feed, without making text.
pub fn summary(options: &Options) -> Result<Vec<(Feed, u64)>, OptionsError> {
    options.check()?;
    let rows = |feed| {
        let arrivals = blocks::Arrivals::new(options, feed);
        match feed {
            Feed::Catalog => arrivals.offers(options.start_ms),
            _ => arrivals.count() as u64,
        }
    };
    Ok(Feed::ALL.into_iter().map(|feed| (feed, rows(feed))).collect())
}
