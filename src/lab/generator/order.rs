//! What follows from a purchase: charges, goods taken from stock, parcels, and what is undone
//! later. All rows of an order are made at once, with times that reach into the days to come.

use super::catalog::Catalog;
use super::pace::{DAY, HOUR, MINUTE, SECOND};
use super::parcel::{Way, nearest};
use super::people::Person;
use super::random::{Chance, Rng};
use super::row::*;
use super::session::Line;
use super::sink::Sink;
use super::stock::{Shelf, Stock, WAREHOUSES};
use super::terms;
use super::truth::{Finding, Planted};

/// The shares that decide what happens to orders.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fates {
    pub(super) cancelled: Chance,
    pub(super) refunded: Chance,
    /// Charged twice.
    pub(super) doubled: Chance,
    /// When carriers begin to behave as in the second half.
    pub(super) middle: i64,
    /// When the run ends: parcels that are still on the road are late if their promise is over.
    pub(super) end: i64,
}

/// A purchase about to become an order. Times are at or after `now`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checkout<'a> {
    pub(super) now: i64,
    pub(super) time: i64,
    pub(super) person: &'a Person,
    pub(super) client: Client,
    pub(super) basket: &'a [Line],
    pub(super) catalog: &'a Catalog,
}

/// How an order ended: the moment it was cancelled or its last parcel's.
#[derive(Clone, Copy, Debug)]
enum End {
    Cancelled(i64),
    Arrived(i64),
}

/// Takes orders: the running numbers and the stock behind them.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) stock: Stock,
    fates: Fates,
    orders: u64,
    charges: u64,
    shipments: u64,
    way: Way,
    /// Per line of the order at hand: where it is sent from.
    sources: Vec<Warehouse>,
}

impl Orders {
    pub(super) fn new(stock: Stock, fates: Fates) -> Self {
        let (orders, charges, shipments) = (0, 0, 0);
        Orders {
            stock,
            fates,
            orders,
            charges,
            shipments,
            way: Way::default(),
            sources: Vec::new(),
        }
    }

    pub(super) fn next_order(&mut self) -> OrderId {
        self.orders += 1;
        OrderId(self.orders)
    }

    /// The order that is placed next.
    pub(super) fn coming(&self) -> OrderId {
        OrderId(self.orders + 1)
    }

    pub(super) fn next_charge(&mut self) -> ChargeId {
        self.charges += 1;
        ChargeId(self.charges)
    }

    pub(super) fn place(&mut self, checkout: Checkout<'_>, rng: &mut Rng, sink: &mut Sink) {
        let order = self.next_order();
        let cancelled = rng.hits(self.fates.cancelled);
        // After the slowest capture, before goods are packed.
        let cancelled_at = checkout.time + rng.skewed(45 * MINUTE, 9 * HOUR);
        self.sources.clear();
        for line in checkout.basket {
            let source = self.source(&checkout, line, rng, sink);
            self.sources.push(source);
            if cancelled {
                let goods = (Shelf::new(line.item, source), line.quantity);
                self.stock.give_back(goods, cancelled_at, sink);
            }
        }
        let end = if cancelled {
            End::Cancelled(cancelled_at)
        } else {
            End::Arrived(self.ship(&checkout, order, rng, sink))
        };
        self.charge(&checkout, order, end, rng, sink);
    }

    /// A parcel in which a customer sends goods back, which is there before the money is given back.
    fn send_back(&mut self, charge: &Charge, from: (Region, i64), at: i64, sink: &mut Sink) {
        let (region, ordered) = from;
        self.shipments += 1;
        let after = |time: i64| u32::try_from((time - ordered) / SECOND).unwrap_or(0);
        let (sent, there) = (after(at - 20 * HOUR), after(at - HOUR));
        let mut scan = Scan {
            ordered,
            after: sent,
            shipped_after: Some(sent),
            // There is no hurry.
            promised: ordered + 90 * DAY,
            id: ShipmentId(self.shipments),
            order: charge.order,
            carrier: self.way.carrier,
            region,
            warehouse: nearest(region),
            progress: Progress::InTransit,
            cents: 399,
            items: charge.quantity,
            delivered: 0,
            returns: true,
        };
        sink.push(scan.time(), Row::Scan(scan));
        (scan.after, scan.progress, scan.delivered) = (there, Progress::Delivered, scan.items);
        sink.push(scan.time(), Row::Scan(scan));
    }

    /// The warehouse a line is sent from: the nearest, at times another, or whoever has it.
    fn source(
        &mut self,
        checkout: &Checkout<'_>,
        line: &Line,
        rng: &mut Rng,
        sink: &mut Sink,
    ) -> Warehouse {
        let mut warehouse = nearest(checkout.person.region);
        if rng.permille(200) {
            warehouse = Warehouse(rng.below(WAREHOUSES) as u8);
        }
        for _ in 0..WAREHOUSES {
            let goods = (Shelf::new(line.item, warehouse), line.quantity);
            if self.stock.take(goods, checkout.now, checkout.time, sink) {
                break;
            }
            warehouse = Warehouse((warehouse.0 + 1) % WAREHOUSES as u8);
        }
        warehouse
    }

    /// One parcel per warehouse; the moment the last one has come to its end.
    fn ship(
        &mut self,
        checkout: &Checkout<'_>,
        order: OrderId,
        rng: &mut Rng,
        sink: &mut Sink,
    ) -> i64 {
        let mut last = checkout.time;
        for warehouse in (0..WAREHOUSES as u8).map(Warehouse) {
            let lines = checkout.basket.iter().zip(&self.sources);
            let items: u16 =
                lines.filter(|(_, from)| **from == warehouse).map(|(line, _)| line.quantity).sum();
            if items > 0 {
                last = last.max(self.send(checkout, (order, warehouse, items), rng, sink));
            }
        }
        last
    }

    fn send(
        &mut self,
        checkout: &Checkout<'_>,
        (order, warehouse, items): (OrderId, Warehouse, u16),
        rng: &mut Rng,
        sink: &mut Sink,
    ) -> i64 {
        self.shipments += 1;
        let region = checkout.person.region;
        let way = &mut self.way;
        way.plan(rng, region, checkout.time >= self.fates.middle, items);
        // Now and then a piece is missing on arrival.
        let missing = u16::from(items > 1 && rng.permille(25));
        // Promised on the hour.
        let promised = checkout.time + i64::from(way.promised) * SECOND;
        let promised = promised - promised.rem_euclid(HOUR) + HOUR;
        let mut scan = Scan {
            ordered: checkout.time,
            after: 0,
            shipped_after: None,
            promised,
            id: ShipmentId(self.shipments),
            order,
            carrier: way.carrier,
            region,
            warehouse,
            progress: Progress::Pending,
            cents: way.cents,
            items,
            delivered: 0,
            returns: false,
        };
        for &(after, progress) in &way.scans {
            (scan.after, scan.progress) = (after, progress);
            scan.shipped_after = (after >= way.shipped).then_some(way.shipped);
            if progress == Progress::Delivered {
                scan.delivered = items - missing;
            }
            sink.push(scan.time(), Row::Scan(scan));
        }
        // The last scan is the delivery, if there was one; what comes after the end is still open.
        let open = scan.time() >= self.fates.end;
        let time = scan.time().min(self.fates.end - 1);
        let over = time - promised;
        let late = match way.delivered {
            None if !open => Some(None),
            _ if over <= 0 => None,
            _ => Some(Some((over / HOUR) as u32)),
        };
        if let Some(hours) = late {
            let planted = Planted::LateParcel(scan.id, hours);
            sink.push(time, Row::Finding(Finding { time, planted }));
        }
        scan.time()
    }

    /// One charge per line, and what undoes it.
    fn charge(
        &mut self,
        checkout: &Checkout<'_>,
        order: OrderId,
        end: End,
        rng: &mut Rng,
        sink: &mut Sink,
    ) {
        let card = checkout.person.card(rng);
        let asked = checkout.time + rng.between(200, 3 * SECOND);
        let delivered = matches!(end, End::Arrived(_));
        let doubled = rng.hits(self.fates.doubled) && delivered;
        // A doubled charge repeats one that was captured at once, so that the two are close.
        let in_two_steps = rng.permille(620) && !doubled;
        let taken = if in_two_steps { asked + rng.between(2 * MINUTE, 40 * MINUTE) } else { asked };
        let Checkout { person, basket, catalog, .. } = *checkout;
        let prices = terms::prices((order, checkout.time), basket, person, catalog);
        for (number, (line, price)) in basket.iter().zip(prices).enumerate() {
            let doubled = doubled && number == 0;
            let undone = match end {
                End::Cancelled(at) => Some((at, Status::Cancelled)),
                End::Arrived(at) if rng.hits(self.fates.refunded) => {
                    Some((at + rng.skewed(DAY, 11 * DAY), Status::Refunded))
                }
                End::Arrived(_) => None,
            };
            let charge = Charge {
                time: asked,
                id: self.next_charge(),
                order,
                client: checkout.client,
                item: line.item,
                quantity: line.quantity,
                cents: price.cents,
                discount: price.discount,
                tax: price.tax,
                shipping: price.shipping,
                refers_to: None,
                currency: checkout.person.currency,
                status: Status::Authorized,
                card,
                amendable: false,
            };
            if in_two_steps {
                push(charge, asked, Status::Authorized, sink);
            }
            let amendable = undone.is_none() && !doubled;
            push(Charge { amendable, ..charge }, taken, Status::Captured, sink);
            match undone {
                Some((at, Status::Refunded)) => self.refund(charge, (checkout, at), rng, sink),
                Some((at, status)) => push(charge, at, status, sink),
                None => {}
            }
            if doubled {
                self.double(charge, taken, rng, sink);
            }
        }
    }

    /// Gives a charge back: two in five in part, under an id of its own that refers to the charge; the
    /// others as a whole, most of them because the goods came back.
    fn refund(
        &mut self,
        charge: Charge,
        (checkout, at): (&Checkout<'_>, i64),
        rng: &mut Rng,
        sink: &mut Sink,
    ) {
        if rng.permille(400) {
            let paid = charge.cents - charge.discount;
            let part = Charge {
                id: self.next_charge(),
                refers_to: Some(charge.id),
                cents: (paid * (20 + rng.below(60)) / 100).max(1),
                discount: 0,
                tax: 0,
                shipping: 0,
                ..charge
            };
            return push(part, at, Status::Refunded, sink);
        }
        if rng.permille(800) {
            let from = (checkout.person.region, checkout.time);
            self.send_back(&charge, from, at, sink);
        }
        push(charge, at, Status::Refunded, sink);
    }

    /// The same charge once more under another id; half of them are taken back later.
    fn double(&mut self, first: Charge, taken: i64, rng: &mut Rng, sink: &mut Sink) {
        let second = Charge { id: self.next_charge(), ..first };
        let time = taken + rng.skewed(4 * SECOND, 9 * MINUTE);
        push(second, time, Status::Captured, sink);
        if rng.permille(500) {
            push(second, time + rng.skewed(2 * DAY, 120 * DAY), Status::Chargeback, sink);
        }
        let planted = Planted::Duplicate(second.id, first.id);
        sink.push(time, Row::Finding(Finding { time, planted }));
    }
}

pub(super) fn push(charge: Charge, time: i64, status: Status, sink: &mut Sink) {
    sink.push(time, Row::Charge(Charge { time, status, ..charge }));
}

/// Cents in another currency at rates that stay fixed.
pub(super) fn convert(cents: u32, currency: Currency) -> u32 {
    match currency {
        Currency::Eur => cents,
        Currency::Usd => cents / 100 * 108 + cents % 100 * 108 / 100,
        Currency::Gbp => cents / 100 * 86 + cents % 100 * 86 / 100,
    }
}
