//! One pass over the simulation for one feed, cut into blocks of text.
//!
//! A row leaves the queue only once the shop has promised that nothing earlier can come, so
//! the rows of a clean feed are sorted by time and those of a dirty one by arrival.

use super::dirt::{Flaw, Road};
use super::row::Row;
use super::shop::Shop;
use super::sink::Sink;
use super::text::Text;
use super::{Feed, Options, write};

/// A block is full from this many bytes on; a row may reach beyond it.
const BLOCK: usize = 256 * 1024;
const ROOM: usize = BLOCK + 1024;

/// The rows of one feed in order of arrival.
#[derive(Debug)]
pub(super) struct Arrivals {
    shop: Shop,
    sink: Sink,
    road: Road,
    /// Nothing the shop still makes is earlier; none when it makes nothing more.
    horizon: Option<i64>,
}

impl Arrivals {
    pub(super) fn new(options: &Options, feed: Feed) -> Self {
        let shop = Shop::new(options);
        Arrivals {
            sink: Sink::new(feed, shop.end()),
            shop,
            road: Road::new(options, feed),
            horizon: Some(i64::MIN),
        }
    }

    /// How many prices are set from this time on.
    pub(super) fn offers(&self, start: i64) -> u64 {
        self.shop.catalog().offers(start, self.shop.end()).count() as u64
    }

    #[cfg(test)]
    pub(super) fn peak(&self) -> usize {
        self.sink.queue.peak()
    }
}

impl Iterator for Arrivals {
    type Item = (Row, Option<Flaw>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // Nothing can come at the horizon before what is queued there already.
            let until = self.horizon.unwrap_or(i64::MAX);
            if let Some((now, pending)) = self.sink.queue.pop_until(until) {
                let queue = &mut self.sink.queue;
                if let Some(arrived) = self.road.pass(now, pending, queue) {
                    return Some(arrived);
                }
            } else {
                self.horizon?;
                self.horizon = self.shop.step(&mut self.sink);
            }
        }
    }
}

/// The text of one feed: blocks of about 256 KiB of whole rows, the header in the first.
#[derive(Debug)]
pub struct Blocks {
    feed: Feed,
    start: i64,
    arrivals: Arrivals,
    text: Text,
    rows: u64,
    started: bool,
    ended: bool,
}

impl Blocks {
    pub(super) fn new(options: &Options, feed: Feed) -> Self {
        Blocks {
            feed,
            start: options.start_ms,
            arrivals: Arrivals::new(options, feed),
            text: Text::new(),
            rows: 0,
            started: false,
            ended: false,
        }
    }

    /// Rows given out so far, without the header; damaged ones count.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    fn begin(&mut self) {
        self.started = true;
        self.text.take(ROOM);
        self.text.word(write::header(self.feed));
        if self.feed == Feed::Catalog {
            let catalog = self.arrivals.shop.catalog();
            for (time, item) in catalog.offers(self.start, self.arrivals.shop.end()) {
                write::offer(time, item, catalog, &mut self.text);
                self.rows += 1;
            }
            self.ended = true;
        }
    }
}

impl Iterator for Blocks {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if !self.started {
            self.begin();
        }
        while !self.ended && self.text.len() < BLOCK {
            let Some((row, flaw)) = self.arrivals.next() else {
                self.ended = true;
                break;
            };
            let start = self.text.len();
            write::row(&row, self.arrivals.shop.catalog(), &mut self.text);
            if let Some(flaw) = flaw {
                write::spoil(flaw, self.feed, start, &mut self.text);
            }
            self.rows += 1;
        }
        (self.text.len() > 0).then(|| self.text.take(if self.ended { 0 } else { ROOM }))
    }
}
