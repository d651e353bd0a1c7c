//! Customers by recency, frequency and monetary value.
//!
//! Of each user's sales (lines of the [`ledger`](crate::query::ledger) that were neither voided nor
//! given back as a whole) with a known amount: `last_sale` is the event
//! time of the latest, `orders` the number of different orders (the lines of a payment without
//! one are one of its own), `amount` the sum of what
//! is left of them, less what was given back besides (empty if it does not fit into 64 bits). Users are cut into quintiles by each of the three: the cuts are the
//! values at places floor(j n / 5) of the n users in ascending order, and a score is one more than
//! the number of cuts not above the value (5 is best; equal values have equal scores). Segments
//! are by recency R and the mean FM of the other two scores, half rounded up:
//!
//! ```text
//! R \ FM       1              2               3               4          5
//! 5       new_customer   potential_loyal potential_loyal champion   champion
//! 4       promising      potential_loyal potential_loyal champion   champion
//! 3       about_to_sleep about_to_sleep  needs_attention loyal      loyal
//! 2       hibernating    hibernating     at_risk         at_risk    cannot_lose
//! 1       lost           lost            at_risk         at_risk    cannot_lose
//! ```
//!
//! So 555 is a champion and 111 is lost. State: per user the times of the sales and a count per
//! order, and the users in order of each value.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::mining::rfm_segments::RfmSegments;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Transactions, "\
//! transaction_time,user_id,order_id,amount
//! 2026-01-05T10:00:00Z,ann,1,9.50
//! 2026-01-06T10:00:00Z,bob,2,20.00
//! 2026-01-06T11:00:00Z,bob,3,10.00
//! ")])?;
//! let users = RfmSegments.answer(&history, history.last());
//! assert_eq!((users[1].orders, users[1].amount.map(|cents| cents.0)), (2, Some(3000)));
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use crate::clock::Time;
use crate::event::transactions::{AMOUNT, USER_ID};
use crate::monoid::{Bag, Distinct, Items, Members};
use crate::operator::{Aggregate, Collection, Tiles};
use crate::query::ledger::{Line, OrderId};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::{Moment, Money};
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
#[derive(Default)]
pub struct RfmSegments;

crate::record! {
    /// A customer.
    pub struct Output {
        keys {
            /// The customer.
            user_id: Text,
        }
        values {
            /// Event time of the latest sale.
            last_sale: Moment,
            /// Different orders; a sale without one is its own.
            orders: i64,
            /// Sum of the sales' amounts, less discounts and what was given back.
            /// Empty where it does not fit into 64 bits.
            amount: Option<Money>,
            /// Quintile of last_sale, 1 to 5; 5 is best.
            recency: u8,
            /// Quintile of orders, 1 to 5.
            frequency: u8,
            /// Quintile of amount, 1 to 5.
            monetary: u8,
            /// Name of the segment (see the query's documentation).
            segment: Text,
        }
    }
}

const PARTS: u8 = 5;

/// The times of a user's sales, their orders, how many have none, and their sum.
type Sales = (Bag<i64>, Members<OrderId>, i64, i128);
type Known = (Items<i64>, Distinct<OrderId>, i64, i128);

/// The name of a segment; scores are 1 to 5.
fn segment(recency: u8, frequency: u8, monetary: u8) -> &'static str {
    match (recency, (frequency + monetary).div_ceil(2)) {
        (4.., 4..) => "champion",
        (4.., 2..) => "potential_loyal",
        (5.., _) => "new_customer",
        (4, _) => "promising",
        (3, 4..) => "loyal",
        (3, 3) => "needs_attention",
        (3, _) => "about_to_sleep",
        (_, 5..) => "cannot_lose",
        (_, 3..) => "at_risk",
        (2, _) => "hibernating",
        _ => "lost",
    }
}

/// A user's values as they are, in the order of the scores.
fn row(user_id: Text, [last, orders, amount]: [i128; 3], scores: [u8; 3]) -> Output {
    let [recency, frequency, monetary] = scores;
    Output {
        user_id,
        // A time and a count are 64 bits wide; only sums grow beyond.
        last_sale: Moment(last as i64),
        orders: orders as i64,
        amount: Money::of(Some(amount)),
        recency,
        frequency,
        monetary,
        segment: Text::new(segment(recency, frequency, monetary)),
    }
}

/// Whether it is a sale to someone known, or money given back to them.
fn counts(line: &Line) -> bool {
    !line.user_id.is_empty() && (line.stands() || line.loose) && line.net().is_some()
}

impl Query for RfmSegments {
    type Output = Output;

    fn name(&self) -> &'static str {
        "rfm_segments"
    }

    fn about(&self) -> &'static str {
        "customers by quintiles of recency, frequency and monetary value"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        inputs
            .ledger(&[USER_ID, AMOUNT])
            .aggregate(
                "Customers",
                |line| counts(line).then(|| line.user_id.clone()),
                |(times, orders, alone, amount): &mut Sales, line, diff| {
                    *amount += line.net().unwrap_or(0) * i128::from(diff);
                    if line.loose {
                        return;
                    }
                    times.add(line.time, diff);
                    match line.order() {
                        None => *alone += diff,
                        Some(order) => orders.add(order, diff),
                    }
                },
                |user, (times, orders, alone, amount): &Known| {
                    let (last, _) = times.last_key_value()?;
                    let orders = orders.distinct() as i64 + alone;
                    Some((user.clone(), [(*last).into(), orders.into(), *amount]))
                },
            )
            .tiles("RfmSegments", PARTS)
            .map(|(user, values, scores)| {
                // As many scores as values.
                let score = |i: usize| scores.get(i).copied().unwrap_or(1);
                row(user, values, [score(0), score(1), score(2)])
            })
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut users: BTreeMap<Text, (Vec<Line>, i128)> = BTreeMap::new();
        for line in history.ledger(at).into_iter().filter(|line| !line.user_id.is_empty()) {
            let (sales, given_back) = users.entry(line.user_id.clone()).or_default();
            if line.loose {
                *given_back += line.refunded.unwrap_or(0);
            } else if line.amount.is_some() && !line.voided && !line.returned {
                sales.push(line);
            }
        }
        users.retain(|_, (sales, _)| !sales.is_empty());
        let values = |(sales, given_back): &(Vec<Line>, i128)| -> [i128; 3] {
            let name = |sale: &Line| match (sale.order_id.is_empty(), &sale.transaction_id) {
                (false, _) => Some(format!("order {}", sale.order_id)),
                (true, payment) => (!payment.is_empty()).then(|| format!("payment {payment}")),
            };
            let named: BTreeSet<String> = sales.iter().filter_map(name).collect();
            let alone = sales.iter().filter(|sale| name(sale).is_none()).count();
            let named = named.len();
            let left = |line: &Line| {
                let price = line.amount.map_or(0, i128::from);
                price - i128::from(line.discount) - line.refunded.unwrap_or(0)
            };
            [
                sales.iter().map(|s| s.time).max().unwrap_or_default().into(),
                (named + alone) as i128,
                sales.iter().map(left).sum::<i128>() - given_back,
            ]
        };
        let users: Vec<_> = users.into_iter().map(|(user, s)| (user, values(&s))).collect();
        // Cut j is not above a value just if more than floor(j n / 5) values are not above it.
        let score = |i: usize, value: i128| -> u8 {
            let below = users.iter().filter(|(_, x)| x[i] <= value).count();
            (0..PARTS).map(|j| u8::from(below > usize::from(j) * users.len() / 5)).sum()
        };
        let row = |(user, values): &(Text, [i128; 3])| {
            let scores = [0, 1, 2].map(|i| score(i, values[i]));
            row(user.clone(), *values, scores)
        };
        users.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::segment;

    #[test]
    fn segments_are_those_of_the_table() {
        let table = [
            (5, ["new_customer", "potential_loyal", "potential_loyal", "champion", "champion"]),
            (4, ["promising", "potential_loyal", "potential_loyal", "champion", "champion"]),
            (3, ["about_to_sleep", "about_to_sleep", "needs_attention", "loyal", "loyal"]),
            (2, ["hibernating", "hibernating", "at_risk", "at_risk", "cannot_lose"]),
            (1, ["lost", "lost", "at_risk", "at_risk", "cannot_lose"]),
        ];
        for (recency, names) in table {
            for (score, name) in (1..).zip(names) {
                assert_eq!(segment(recency, score, score), name);
            }
        }
        assert_eq!(segment(5, 3, 4), "champion");
    }
}
