//! Payments: what somebody tried to pay in one go.
//!
//! A record tells of a payment where it is one of the payment itself, whether that went through or
//! not; what undoes one carries the time of the undoing, at which nobody tried to pay. The lines of
//! a payment (`line_id`) that have one time are one payment: what they come to together, by whom and
//! how as the first of them says, in the order of their ids. If they come to more than 64 bits hold,
//! what it comes to is not known. State: the lines of such payments; one of a single record costs
//! nothing here.

use crate::event::transactions::{LINE_ID, STATUS, TRANSACTION_ID};
use crate::event::{Col, Row, Transactions};
use crate::monoid::Bag;
use crate::operator::{Aggregate, Collection, Item, Key, Rows};
use crate::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A payment, with what a query wants to know of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Payment<P> {
    /// Its event time.
    pub time: i64,
    /// What it comes to, if known.
    pub amount: Option<i64>,
    /// Whether that is more than 64 bits hold, and so not known.
    pub beyond: bool,
    /// What its record, or that of its first line, says.
    pub says: P,
}

/// The columns by which lines are told to be of one payment.
pub const COLUMNS: [Col; 3] = [TRANSACTION_ID.optional(), LINE_ID.optional(), STATUS.optional()];

/// Whether a record is one of the lines of a payment.
fn is_line(record: &Row<'_, Transactions>) -> bool {
    !record.line_id().is_empty() && !record.transaction_id().is_empty()
}

/// The payments among these records; `read` is what a record says. The columns are to be asked for
/// beside those that it reads.
pub fn payments<'s, P: Key>(
    records: Rows<'s, Transactions>,
    read: impl Fn(&Row<'_, Transactions>) -> P + Clone + 'static,
) -> Collection<'s, Payment<P>>
where
    Payment<P>: Item,
{
    let says = read.clone();
    let single = records.clone().flat_map("Payments", move |record| {
        let amount = record.amount().map(|amount| amount.0);
        let one = record.is_attempt() && !is_line(record);
        one.then(|| Payment { time: record.time(), amount, beyond: false, says: says(record) })
    });
    let lines = records.flat_map("PaymentLines", move |record| {
        (record.is_attempt() && is_line(record)).then(|| {
            let amount = record.amount().map(|amount| amount.0);
            let id = (record.transaction_id().clone(), record.time());
            (id, (record.line_id().clone(), read(record), amount))
        })
    });
    single.concat(
        lines
            .keyed(
                "LinesOfPayments",
                |(id, _)| Some(id.clone()),
                |lines: &mut Bag<(Text, P, Option<i64>)>, (_, line), diff| {
                    lines.add(line.clone(), diff)
                },
            )
            .until(|(_, time)| *time)
            .row(|(_, time), lines| {
                let there = || lines.iter().filter(|(_, n)| **n > 0);
                let ((_, says, _), _) = there().next()?;
                let known = there().filter_map(|((.., amount), n)| Some((amount.as_ref()?, n)));
                let all = known
                    .clone()
                    .map(|(amount, n)| i128::from(*amount) * i128::from(*n))
                    .sum::<i128>();
                let sum = i64::try_from(all).ok().filter(|sum| *sum != i64::MIN);
                let amount = sum.filter(|_| known.clone().next().is_some());
                Some(Payment { time: *time, amount, beyond: sum.is_none(), says: says.clone() })
            }),
    )
}

/// Of each payment its lines: the id of the line, what it says, and what it comes to.
type Lines<P> = BTreeMap<(Text, i64), Vec<(Text, P, Option<i64>)>>;

/// The payments among some records, for answers.
pub fn naive<P: Ord>(
    records: &[Row<'_, Transactions>],
    read: impl Fn(&Row<'_, Transactions>) -> P,
) -> Vec<Payment<P>> {
    let mut payments = Vec::new();
    let mut lines: Lines<P> = BTreeMap::new();
    for record in records.iter().filter(|record| record.is_attempt()) {
        let (time, amount) = (record.time(), record.amount().map(|amount| amount.0));
        if record.line_id().is_empty() || record.transaction_id().is_empty() {
            payments.push(Payment { time, amount, beyond: false, says: read(record) });
        } else {
            let of = lines.entry((record.transaction_id().clone(), time)).or_default();
            of.push((record.line_id().clone(), read(record), amount));
        }
    }
    for ((_, time), mut of) in lines {
        of.sort();
        let amounts: Vec<i128> = of.iter().filter_map(|(.., a)| a.map(i128::from)).collect();
        let sum: i128 = amounts.iter().sum();
        let beyond = sum <= i128::from(i64::MIN) || sum > i128::from(i64::MAX);
        let amount = (!beyond && !amounts.is_empty()).then_some(sum as i64);
        let (_, says, _) = of.swap_remove(0);
        payments.push(Payment { time, amount, beyond, says });
    }
    payments
}
