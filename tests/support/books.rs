//! The ledger itself as a view, line by line and booking by booking: what the queries stand on.

use std::collections::BTreeMap;
use tidemill::clock::Time;
use tidemill::operator::{Aggregate, Collection};
use tidemill::query::ledger::Booking;
use tidemill::query::{History, Inputs, Query};
use tidemill::text::Text;

pub struct Books;

tidemill::record! {
    /// So many equal lines, or what was booked at one time.
    pub struct Output {
        keys {
            /// All that is known of it.
            entry: Text,
        }
        values {
            /// How often it is there, or how much it is.
            times: i64,
        }
    }
}

impl Query for Books {
    type Output = Output;

    fn name(&self) -> &'static str {
        "books"
    }

    fn about(&self) -> &'static str {
        "the ledger"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let lines = inputs.ledger(&[]).map(|line| (Text::new(&format!("{line:?}")), 1));
        let bookings =
            inputs.bookings(&[]).map(|booking| (booked(&booking), booking.amount as i64));
        lines.concat(bookings).aggregate(
            "Books",
            |(entry, _)| Some(entry.clone()),
            |times: &mut i64, (_, n), diff| *times += n * diff,
            |entry, times| (*times != 0).then(|| Output { entry: entry.clone(), times: *times }),
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut times: BTreeMap<Text, i64> = BTreeMap::new();
        for line in history.ledger(at) {
            *times.entry(Text::new(&format!("{line:?}"))).or_default() += 1;
        }
        for booking in history.bookings(at) {
            *times.entry(booked(&booking)).or_default() += booking.amount as i64;
        }
        let row = |(entry, times): (Text, i64)| Output { entry, times };
        times.into_iter().map(row).collect()
    }
}

fn booked(booking: &Booking) -> Text {
    Text::new(&format!("{:?} booked at {}", booking.movement, booking.time))
}
