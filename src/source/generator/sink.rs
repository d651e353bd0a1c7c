//! Where the simulation puts its rows: counts what is asked for, keeps what the feed wants.
//!
//! Counting every row, wanted or not, is what keeps the passes for different feeds in step:
//! the shop's clock runs on these counts.

use super::Feed;
use super::dirt::Pending;
use super::queue::Queue;
use super::row::Row;

/// The rows of one feed on their way to arrive.
#[derive(Debug)]
pub(super) struct Sink {
    feed: Feed,
    pub(super) queue: Queue<Pending>,
    counted: u64,
}

impl Sink {
    pub(super) fn new(feed: Feed) -> Self {
        Sink { feed, queue: Queue::new(), counted: 0 }
    }

    pub(super) fn push(&mut self, time: i64, row: Row) {
        let feed = feed_of(&row);
        self.counted += u64::from(feed.is_counted());
        if feed == self.feed {
            self.queue.push(time, Pending::fresh(row));
        }
    }

    /// Rows so far of the feeds that [`super::Options::events`] counts.
    pub(super) fn counted(&self) -> u64 {
        self.counted
    }

    pub(super) fn wants(&self, feed: Feed) -> bool {
        self.feed == feed
    }
}

fn feed_of(row: &Row) -> Feed {
    match row {
        Row::Visit(_) => Feed::Behavior,
        Row::Charge(_) => Feed::Transactions,
        Row::Scan(_) => Feed::Logistics,
        Row::Touch(_) => Feed::Ads,
        Row::Attempt(_) => Feed::Logins,
        Row::Movement(_) => Feed::Inventory,
        Row::Finding(_) => Feed::Truth,
    }
}
