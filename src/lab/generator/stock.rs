//! What lies in the warehouses: sales take, restocks and cancellations bring.
//!
//! Sales are decided in the order visits start, rows are sorted by their own time; still the
//! running sum of a shelf's rows never goes below zero. A sale is decided only against goods
//! whose row has a time at or before `now`, and every later decision gets a time at or after
//! `now`. Only a planted outage lets a shelf run empty; all others are restocked in time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::catalog::{ITEMS, Item};
use super::pace::{DAY, HOUR};
use super::random::{Rng, Stream};
use super::row::{Movement, Row, Warehouse};
use super::sink::Sink;
use super::truth::{Finding, Planted};

pub(super) const WAREHOUSES: u32 = 3;
/// What a lot has at least.
const LEAST: u32 = 4;

/// One item in one warehouse: `item * WAREHOUSES + warehouse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shelf(u32);

impl Shelf {
    pub(super) fn new(item: Item, warehouse: Warehouse) -> Self {
        Shelf(u32::from(item.0) * WAREHOUSES + u32::from(warehouse.0))
    }

    fn item(self) -> Item {
        Item((self.0 / WAREHOUSES) as u16)
    }

    fn warehouse(self) -> Warehouse {
        Warehouse((self.0 % WAREHOUSES) as u8)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Supply {
    Steady,
    /// The supplier stops delivering at this time.
    StopsAt(i64),
    /// Sold out; the row of the restock that ends it is already on its way.
    Out,
}

#[derive(Clone, Debug)]
struct Pile {
    level: u32,
    lot: u32,
    ordered: bool,
    supply: Supply,
    last_sale: i64,
}

/// The stock of all shelves.
#[derive(Debug)]
pub(super) struct Stock {
    piles: Vec<Pile>,
    /// Goods on their way: when, where, how many, and whether a restock (or a return).
    coming: BinaryHeap<Reverse<(i64, Shelf, u32, bool)>>,
    rng: Rng,
}

impl Stock {
    /// Fills all shelves for a shop that sells `units` over `days`, and writes the first rows.
    pub(super) fn open(units: u64, days: u32, seed: u64) -> Self {
        let piles = (0..ITEMS * WAREHOUSES).map(|shelf| {
            let (weight, of) = Shelf(shelf).item().weight();
            // Half by the item's own popularity, half evenly, as visitors wander in families.
            let own = u128::from(units) * u128::from(weight) / u128::from(of);
            let sold = (own as u64 + units / u64::from(ITEMS)) / 2 / u64::from(WAREHOUSES);
            // A lot lasts about three days, or a fifth of a short run.
            let days = u64::from(days);
            let lot = (sold * 3 / days.max(15)).clamp(u64::from(LEAST), 1_000_000) as u32;
            Pile {
                level: lot * 3 / 2,
                lot,
                ordered: false,
                supply: Supply::Steady,
                last_sale: i64::MIN,
            }
        });
        Stock {
            piles: piles.collect(),
            coming: BinaryHeap::new(),
            rng: Rng::keyed(seed, Stream::Stock, 0),
        }
    }

    pub(super) fn write_opening(&self, now: i64, sink: &mut Sink) {
        for (shelf, pile) in self.piles.iter().enumerate() {
            movement(Shelf(shelf as u32), pile.level as i32, now, sink);
        }
    }

    /// From `time` on the supplier of this shelf delivers nothing, until it is empty.
    pub(super) fn plant_outage(&mut self, shelf: Shelf, time: i64) {
        if let Some(pile) = self.piles.get_mut(shelf.0 as usize) {
            pile.supply = Supply::StopsAt(time);
            // A small shop sells few of anything, and keeps as few of this.
            if pile.lot == LEAST {
                (pile.lot, pile.level) = (1, 2);
            }
        }
    }

    /// Takes goods for a sale at `sold_at`, decided at `now`; false if they are not there.
    pub(super) fn take(
        &mut self,
        line: (Shelf, u16),
        now: i64,
        sold_at: i64,
        sink: &mut Sink,
    ) -> bool {
        self.receive(now);
        let (shelf, quantity) = (line.0, u32::from(line.1));
        let Some(pile) = self.piles.get_mut(shelf.0 as usize) else {
            return false;
        };
        let stopped = match pile.supply {
            Supply::Steady => false,
            Supply::StopsAt(time) => now >= time,
            Supply::Out => true,
        };
        if stopped && pile.level < quantity {
            return false;
        }
        if !stopped && pile.level <= quantity {
            pile.level += pile.lot + quantity;
            movement(shelf, (pile.lot + quantity) as i32, now, sink);
        }
        pile.level -= quantity;
        pile.last_sale = pile.last_sale.max(sold_at);
        movement(shelf, -(quantity as i32), sold_at, sink);
        if stopped && pile.level == 0 && pile.supply != Supply::Out {
            pile.supply = Supply::Out;
            let wait = self.rng.between(20 * HOUR, 3 * DAY);
            let (from, until) = (pile.last_sale, pile.last_sale + wait);
            let lot = pile.lot * 2;
            self.coming.push(Reverse((until, shelf, lot, true)));
            movement(shelf, lot as i32, until, sink);
            let planted = Planted::StockOut(shelf.item(), shelf.warehouse(), (wait / HOUR) as u32);
            sink.push(from, Row::Finding(Finding { time: from, planted }));
        } else if !stopped && pile.level < pile.lot / 2 && !pile.ordered {
            pile.ordered = true;
            let due = now + self.rng.between(8 * HOUR, 30 * HOUR);
            let lot = pile.lot;
            self.coming.push(Reverse((due, shelf, lot, true)));
            movement(shelf, lot as i32, due, sink);
        }
        true
    }

    /// Goods of a cancelled order go back on the shelf at `time`.
    pub(super) fn give_back(&mut self, line: (Shelf, u16), time: i64, sink: &mut Sink) {
        self.coming.push(Reverse((time, line.0, u32::from(line.1), false)));
        movement(line.0, i32::from(line.1), time, sink);
    }

    fn receive(&mut self, now: i64) {
        while let Some(&Reverse((time, shelf, quantity, restock))) = self.coming.peek()
            && time <= now
        {
            self.coming.pop();
            if let Some(pile) = self.piles.get_mut(shelf.0 as usize) {
                pile.level += quantity;
                if restock {
                    pile.ordered = false;
                    if pile.supply == Supply::Out {
                        pile.supply = Supply::Steady;
                    }
                }
            }
        }
    }
}

fn movement(shelf: Shelf, change: i32, time: i64, sink: &mut Sink) {
    let (item, warehouse) = (shelf.item(), shelf.warehouse());
    sink.push(time, Row::Movement(Movement { time, item, warehouse, change }));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Feed;
    use super::*;

    /// The running sums of all shelves by the rows' own times, as a reader would add them up.
    fn least(sink: &mut Sink) -> i64 {
        let mut sums = BTreeMap::new();
        let mut least = 0;
        while let Some((_, pending)) = sink.queue.pop_until(i64::MAX) {
            if let Row::Movement(row) = pending.row {
                let sum = sums.entry(Shelf::new(row.item, row.warehouse)).or_insert(0);
                *sum += i64::from(row.change);
                least = least.min(*sum);
            }
        }
        least
    }

    #[test]
    fn no_shelf_goes_below_zero_under_any_load() {
        for seed in 0..60 {
            let mut rng = Rng::keyed(seed, Stream::Item, 0);
            let mut sink = Sink::new(Feed::Inventory, i64::MAX);
            let mut stock = Stock::open(1_000, 30, seed);
            stock.write_opening(0, &mut sink);
            let shelf = |rng: &mut Rng| Shelf(rng.below(4));
            stock.plant_outage(Shelf(1), rng.between(0, DAY));
            stock.plant_outage(Shelf(2), rng.between(0, DAY));
            let (mut now, mut refused) = (0, 0);
            for _ in 0..3_000 {
                now += rng.skewed(0, HOUR);
                let sold_at = now + rng.skewed(0, HOUR);
                let line = (shelf(&mut rng), 1 + rng.below(4) as u16);
                if !stock.take(line, now, sold_at, &mut sink) {
                    refused += 1;
                } else if rng.permille(100) {
                    stock.give_back(line, sold_at + rng.between(HOUR, DAY), &mut sink);
                }
            }
            assert!(refused > 0);
            assert_eq!(least(&mut sink), 0, "seed {seed}");
        }
    }
}
