//! Velocity: how often and for how much a card, user, address or device paid just before.
//!
//! For each payment, as of its own time `t`, the number and sum of the payments with the same key
//! in `(t - w, t]` of event time, the payment itself included, for `w` of one minute, one hour and
//! 24 hours: true sliding windows, not hopping ones. One row per payment and kind of key it has;
//! payments without an id count for others but have no row of their own. A payment is a record
//! that tells of one, whether it went through (`authorized`, `captured`, `partially_refunded` or of
//! unknown status) or not (`pending`, `failed`): what undoes one (`cancelled`, `voided`, `refunded`,
//! `chargeback`) is no payment at the time it carries. The lines of a payment are one
//! ([`crate::query::payment`]). An amount that is not known adds nothing to sums, and a sum that does
//! not fit into 64 bits is empty. Late records and retractions correct every row within 24 hours after them, and no other is read
//! again. State: per key its payments (56 bytes each), with sums of parts of them where there are many.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::risk::velocity::Velocity;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Transactions, "\
//! transaction_time,transaction_id,amount,card_id
//! 2026-01-05T10:00:00Z,t1,10.00,c1
//! 2026-01-05T10:00:50Z,t2,5.00,c1
//! 2026-01-05T10:01:00Z,t3,1.00,c1
//! ")])?;
//! let rows = Velocity.answer(&history, history.last());
//! // t1 is a minute before t3, so no longer within the last minute of it.
//! let last = rows.iter().find(|row| row.transaction_id.to_string() == "t3");
//! assert_eq!(last.map(|row| (row.count_1m, row.count_1h)), Some((2, 3)));
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use crate::clock::{Millis, Time};
use crate::event::transactions::{AMOUNT, CARD_ID, DEVICE, IP, TRANSACTION_ID, USER_ID};
use crate::event::{Row, Transactions};
use crate::monoid::{Dated, DatedLog, Entries};
use crate::operator::{Aggregate, Collection};
use crate::query::payment::{self, Payment};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::{Moment, Money};
use std::collections::{BTreeSet, HashMap};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// See the module.
#[derive(Default)]
pub struct Velocity;

crate::record! {
    /// What was paid with a key up to a payment.
    pub struct Output {
        keys {
            /// The payment.
            transaction_id: Text,
            /// Its event time.
            time: Moment,
            /// The kind of key: card, user, ip or device.
            by: Text,
            /// The key itself.
            key: Text,
        }
        values {
            /// Payments with the key in the minute up to this one, itself included.
            count_1m: i64,
            /// What they come to.
            sum_1m: Option<Money>,
            /// The same over an hour.
            count_1h: i64,
            /// What they come to.
            sum_1h: Option<Money>,
            /// The same over 24 hours.
            count_24h: i64,
            /// What they come to.
            sum_24h: Option<Money>,
        }
    }
}

/// The kinds of keys.
const KINDS: [&str; 4] = ["card", "user", "ip", "device"];

/// The id of a payment, and its keys in the order of their kinds; empty where it has none.
type Says = (Text, [Text; 4]);

fn says(record: &Row<'_, Transactions>) -> Says {
    let keys = [record.card_id(), record.user_id(), record.ip(), record.device()];
    (record.transaction_id().clone(), keys.map(Text::clone))
}

fn row((by, key): &(Text, Text), log: &DatedLog<Text>, payment: &Dated<Text>) -> Option<Output> {
    let now = payment.time;
    // Of records that agree in id and time but not in amount only the first makes the row.
    let same = log.matching(now, |id| id.cmp(&payment.item)).next();
    let is_first = same.is_some_and(|(first, _)| first == payment);
    let [minute, hour, day] = [MINUTE, HOUR, DAY].map(|width| log.totals(now, width));
    (is_first && !payment.item.is_empty()).then(|| Output {
        transaction_id: payment.item.clone(),
        time: Moment(now),
        by: by.clone(),
        key: key.clone(),
        count_1m: minute.count,
        sum_1m: Money::of(Some(minute.sum)),
        count_1h: hour.count,
        sum_1h: Money::of(Some(hour.sum)),
        count_24h: day.count,
        sum_24h: Money::of(Some(day.sum)),
    })
}

impl Query for Velocity {
    type Output = Output;

    fn name(&self) -> &'static str {
        "velocity"
    }

    fn about(&self) -> &'static str {
        "payments and sums per card, user, ip and device over 1 min, 1 h and 24 h, as of each payment"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let optional = [CARD_ID, USER_ID, IP, DEVICE].map(|col| col.optional());
        let columns = [&[TRANSACTION_ID, AMOUNT], &optional[..], &payment::COLUMNS].concat();
        let payments = payment::payments(inputs.transactions(&columns), says);
        inputs.beyond(payments.clone().filter(|payment| payment.beyond));
        payments
            .flat_map(|Payment { time, amount, says: (id, keys), .. }| {
                let value = amount.unwrap_or(0);
                KINDS.into_iter().zip(keys).filter(|(_, key)| !key.is_empty()).map(
                    move |(by, key)| {
                        ((Text::new(by), key), Dated { time, item: id.clone(), value })
                    },
                )
            })
            .keyed(
                "Velocity",
                |(key, _)| Some(key.clone()),
                |payments: &mut Entries<Text>, (_, payment), diff| {
                    payments.add(payment.clone(), diff);
                },
            )
            .as_of(Millis::hours(24), row)
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let payments = payment::naive(&history.transactions(at), says);
        let mut same: HashMap<(&str, &Text), Vec<(i64, i128)>> = HashMap::new();
        for payment in &payments {
            let amount = payment.amount.map_or(0, i128::from);
            for key in KINDS.into_iter().zip(&payment.says.1).filter(|(_, key)| !key.is_empty()) {
                same.entry(key).or_default().push((payment.time, amount));
            }
        }
        let mut rows = BTreeSet::new();
        for Payment { time, says: (id, keys), .. } in &payments {
            for (by, key) in KINDS.into_iter().zip(keys) {
                let now = *time;
                if id.is_empty() || key.is_empty() {
                    continue;
                }
                let [minute, hour, day] = [MINUTE, HOUR, DAY].map(|width| {
                    let inside =
                        same[&(by, key)].iter().filter(|(t, _)| *t <= now && *t > now - width);
                    inside.fold((0, 0), |(n, sum), (_, amount)| (n + 1, sum + amount))
                });
                rows.insert(Output {
                    transaction_id: id.clone(),
                    time: Moment(now),
                    by: Text::new(by),
                    key: key.clone(),
                    count_1m: minute.0,
                    sum_1m: Money::of(Some(minute.1)),
                    count_1h: hour.0,
                    sum_1h: Money::of(Some(hour.1)),
                    count_24h: day.0,
                    sum_24h: Money::of(Some(day.1)),
                });
            }
        }
        rows.into_iter().collect()
    }
}
