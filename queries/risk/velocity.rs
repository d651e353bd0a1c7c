//! Velocity: how often and for how much a card, user, address or device paid just before.
//!
//! For each payment, as of its own time `t`, the number and sum of the payments with the same key
//! in `(t - w, t]` of event time, the payment itself included, for `w` of one minute, one hour and
//! 24 hours: true sliding windows, not hopping ones. One row per payment and kind of key it has;
//! payments without an id count for others but have no row of their own. A payment is a record
//! that tells of one, whether it went through (`authorized`, `captured`, `partially_refunded` or of
//! unknown status) or not (`pending`, `failed`): what undoes one (`cancelled`, `voided`, `refunded`,
//! `chargeback`) is no payment at the time it carries. The lines of a payment (`line_id`) that have one
//! time are one, of what they come to together. An absent amount adds nothing to sums. Late
//! records and retractions correct every row within 24 hours after them, and no other is read
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
use crate::event::transactions::{
    AMOUNT, CARD_ID, DEVICE, IP, LINE_ID, STATUS, TRANSACTION_ID, USER_ID,
};
use crate::event::{Row, Transactions};
use crate::monoid::{Dated, DatedLog, Entries};
use crate::operator::{Aggregate, Collection};
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

/// Whether a record is one of the lines of a payment.
fn is_line(record: &Row<'_, Transactions>) -> bool {
    !record.line_id().is_empty() && !record.transaction_id().is_empty()
}

/// The keys a payment counts under.
fn keys<'a>(payment: &Row<'a, Transactions>) -> impl Iterator<Item = (&'static str, &'a Text)> {
    let keys = [
        ("card", payment.card_id()),
        ("user", payment.user_id()),
        ("ip", payment.ip()),
        ("device", payment.device()),
    ];
    let counts = payment.is_attempt();
    keys.into_iter().filter(move |(_, key)| counts && !key.is_empty())
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
        let optional = [LINE_ID, STATUS, CARD_ID, USER_ID, IP, DEVICE].map(|col| col.optional());
        let columns = [&[TRANSACTION_ID, AMOUNT], &optional[..]].concat();
        let told = inputs.transactions(&columns).flat_map("Keys", |payment| {
            let dated = Dated {
                time: payment.time(),
                item: payment.transaction_id().clone(),
                value: payment.amount().unwrap_or_default().0,
            };
            let is_line = is_line(payment);
            keys(payment)
                .map(|(by, key)| ((Text::new(by), key.clone()), is_line, dated.clone()))
                .collect::<Vec<_>>()
        });
        // Lines are put together, each payment under each of its keys.
        let lines = told
            .clone()
            .keyed(
                "Lines",
                |(key, is_line, line)| is_line.then(|| (key.clone(), line.item.clone(), line.time)),
                |(lines, sum): &mut (i64, i128), (.., line), diff| {
                    *lines += diff;
                    *sum += i128::from(line.value) * i128::from(diff);
                },
            )
            .until(|(.., time)| *time)
            .row(|(key, id, time), (lines, sum)| {
                // What does not fit is as much as there can be.
                let value = i64::try_from(*sum).unwrap_or(i64::MAX);
                let payment = Dated { time: *time, item: id.clone(), value };
                (*lines > 0).then(|| (key.clone(), payment))
            });
        told.flat_map(|(key, is_line, payment)| (!is_line).then_some((key, payment)))
            .concat(lines)
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
        let payments = history.transactions(at);
        let mut same: HashMap<(&str, &Text), Vec<(i64, i128)>> = HashMap::new();
        let mut lines: HashMap<(&str, &Text, &Text, i64), i128> = HashMap::new();
        for payment in &payments {
            let amount = payment.amount().map_or(0, |amount| i128::from(amount.0));
            for (by, key) in keys(payment) {
                if is_line(payment) {
                    let id = payment.transaction_id();
                    *lines.entry((by, key, id, payment.time())).or_default() += amount;
                } else {
                    same.entry((by, key)).or_default().push((payment.time(), amount));
                }
            }
        }
        for ((by, key, _, time), amount) in lines {
            same.entry((by, key)).or_default().push((time, amount));
        }
        let mut rows = BTreeSet::new();
        for payment in payments.iter().filter(|payment| !payment.transaction_id().is_empty()) {
            for (by, key) in keys(payment) {
                let now = payment.time();
                let [minute, hour, day] = [MINUTE, HOUR, DAY].map(|width| {
                    let inside =
                        same[&(by, key)].iter().filter(|(t, _)| *t <= now && *t > now - width);
                    inside.fold((0, 0), |(n, sum), (_, amount)| (n + 1, sum + amount))
                });
                rows.insert(Output {
                    transaction_id: payment.transaction_id().clone(),
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
