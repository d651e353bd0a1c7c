//! Where the simulation puts its rows: counts what is asked for, keeps what the feed wants.
//!
//! Counting every row, wanted or not, is what keeps the passes for different feeds in step:
//! the shop's clock runs on these counts.
//!
//! All feeds end at the same moment, as if that were now: what an order leads to after it is not
//! known yet. A parcel that is delivered later is on the road, a refund of later is not there.

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
    /// The first moment that is not told any more.
    end: i64,
}

impl Sink {
    pub(super) fn new(feed: Feed, end: i64) -> Self {
        Sink { feed, queue: Queue::new(), counted: 0, end }
    }

    pub(super) fn push(&mut self, time: i64, row: Row) {
        let feed = feed_of(&row);
        let told = time < self.end;
        // A visit that the end cuts off counts in full: each visit brings the run on, so that it
        // ends. Other visits make up for what orders lead to after the end.
        self.counted += u64::from(feed.is_counted() && (told || feed == Feed::Behavior));
        if told && feed == self.feed {
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
        Row::Profile(_) => Feed::Customers,
        Row::Finding(_) => Feed::Truth,
    }
}
