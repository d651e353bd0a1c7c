//! Input that is legal and unkind: what a single busy, careless or malicious visitor can send.

use std::sync::Arc;
use tidemill::batch::{Batch, Column};
use tidemill::clock::{Clock, Tick};
use tidemill::event::{
    AdEvent, Kind, LoginOutcome, NULL, ParcelStatus, PaymentStatus, ShopEvent, Stream,
};
use tidemill::lab::replay::Recorded;
use tidemill::text::Text;

/// When the records are, in what order they come, and what their ids are.
pub struct Shape {
    pub name: &'static str,
    /// Milliseconds from one record to the next.
    pace: i64,
    order: Order,
    ids: Ids,
}

enum Order {
    OnTime,
    NewestFirst,
    /// One record in fifty comes after those that follow it, anywhere from the beginning on.
    Late,
}

/// Whose records they are. Records of a stream with an id of its own (payments, parcels, events of
/// visitors) have one each, unless all are the same.
#[derive(Clone, Copy, PartialEq)]
enum Ids {
    /// All ids are the same.
    One,
    /// One user in one session, with one card; items, orders, campaigns and so on are all different.
    OneOfMany,
    /// No user, session, card or device is known.
    None,
    /// All are different.
    Different,
    /// All are the same, also those of the records themselves: each corrects the one before.
    Same,
}

const SECOND: i64 = 1000;
const HOUR: i64 = 3_600_000;

pub const SHAPES: &[Shape] = &[
    Shape { name: "one-key", pace: 10 * SECOND, order: Order::OnTime, ids: Ids::One },
    Shape { name: "one-user", pace: 10 * SECOND, order: Order::OnTime, ids: Ids::OneOfMany },
    Shape { name: "guests", pace: 10 * SECOND, order: Order::OnTime, ids: Ids::None },
    Shape { name: "strangers", pace: 10 * SECOND, order: Order::OnTime, ids: Ids::Different },
    Shape { name: "one-record", pace: 10 * SECOND, order: Order::OnTime, ids: Ids::Same },
    Shape { name: "one-instant", pace: 0, order: Order::OnTime, ids: Ids::One },
    Shape { name: "newest-first", pace: 10 * SECOND, order: Order::NewestFirst, ids: Ids::One },
    // So far apart that the widest windows, of 90 days, are full from some hundred records on.
    Shape { name: "late", pace: 6 * HOUR, order: Order::Late, ids: Ids::One },
];

const START: i64 = 1_767_571_200_000;
const BATCH: usize = 4096;

/// So many records of each of the streams.
pub fn records(streams: &[Stream], shape: &Shape, count: usize, tick: Tick) -> Recorded {
    let mut all = Recorded::new();
    for (partition, stream) in (0..).zip(streams) {
        let mut clock = Clock::new(tick, None);
        for start in (0..count).step_by(BATCH) {
            let fields = stream.schema().fields;
            let mut batch = Batch::new(partition, start as u64, fields.len());
            batch.columns = fields.iter().map(|field| Column::of(field.kind)).collect();
            batch.columns[0] = Column::Absent;
            for i in start..(start + BATCH).min(count) {
                let place = shape.place(i, count);
                batch.times.push(START + place as i64 * shape.pace);
                for (field, column) in fields.iter().zip(&mut batch.columns) {
                    match column {
                        Column::Absent => {}
                        Column::Text(texts) => texts.push(shape.text(field.name, i)),
                        Column::Number(numbers) => {
                            let time = START + place as i64 * shape.pace;
                            numbers.push(number(*stream, field.name, field.kind, i, time));
                        }
                    }
                }
            }
            clock.stamp(&mut batch);
            all.push((*stream, Arc::new(batch)));
        }
    }
    all
}

impl Shape {
    /// Where in the order of event times the `i`th of the records that come is.
    fn place(&self, i: usize, count: usize) -> usize {
        match self.order {
            Order::OnTime => i,
            Order::NewestFirst => count - 1 - i,
            Order::Late if i % 50 == 49 => dice(i) as usize % i,
            Order::Late => i,
        }
    }

    fn text(&self, field: &str, i: usize) -> Text {
        let own = matches!(field, "event_id" | "transaction_id" | "shipment_id");
        let whose = matches!(field, "user_id" | "session_id" | "card_id" | "ip" | "device");
        // What there are few of in any shop.
        let few = matches!(field, "currency" | "country" | "carrier" | "region" | "warehouse");
        match self.ids {
            Ids::Same => Text::new(field),
            _ if own => Text::from(i as u64),
            _ if few => Text::new(["de", "fr", "jp"][if self.ids == Ids::One { 0 } else { i % 3 }]),
            Ids::One => Text::new(field),
            Ids::None if whose => Text::EMPTY,
            Ids::OneOfMany if whose => Text::new(field),
            // An order has some lines.
            _ if field == "order_id" => Text::from(i as u64 / 4),
            _ => Text::from(i as u64),
        }
    }
}

/// A number that is not in step with anything else.
fn dice(i: usize) -> u64 {
    (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40
}

fn number(stream: Stream, field: &str, kind: Kind, i: usize, time: i64) -> i64 {
    let dice = dice(i);
    let of = |names: &[i64]| names[dice as usize % names.len()];
    match (stream, field) {
        (Stream::Behavior, "event") => of(&[
            ShopEvent::ViewItem as i64,
            ShopEvent::ViewItem as i64,
            ShopEvent::AddToCart as i64,
            ShopEvent::BeginCheckout as i64,
            ShopEvent::Purchase as i64,
        ]),
        (Stream::Behavior, "page_views" | "orders") => NULL,
        (Stream::Transactions, "status") => PaymentStatus::Captured as i64,
        (Stream::Logistics, "status") => {
            let failed = ParcelStatus::AttemptFail as i64;
            of(&[ParcelStatus::InTransit as i64, failed, ParcelStatus::Delivered as i64])
        }
        (Stream::Logistics, "ordered_time") => time - 50 * HOUR - dice as i64 % HOUR,
        (Stream::Logistics, "shipped_time") => time - 40 * HOUR - dice as i64 % HOUR,
        (Stream::Logistics, "promised_time") => time + dice as i64 % HOUR,
        (Stream::Ads, "event") => of(&[AdEvent::Impression as i64, AdEvent::Click as i64]),
        (Stream::Logins, "outcome") => LoginOutcome::Failure as i64,
        (Stream::Inventory, "change") => dice as i64 % 9 - 4,
        (_, "version") => NULL,
        _ => match kind {
            Kind::Money => dice as i64 % 1000,
            Kind::Integer => 1 + dice as i64 % 3,
            _ => NULL,
        },
    }
}
