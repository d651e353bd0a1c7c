//! The ledger: what each line of an order came to, and what became of it. All views that tell money
//! stand on it.
//!
//! A record of `transactions` is one of a payment, or it *adjusts* one ([`Movement`]): a void takes
//! it back as if it had never been, a refund gives money back, a dispute takes it, and a dispute
//! that was won brings it again. Of the records of one id, line and movement the newest holds; so a
//! refund of the same id does not replace its sale, and a refund that is sent twice is one.
//!
//! **What a line comes to.** `amount` is the price of the line (of all its pieces), `discount` what
//! is off that, and `tax` and `shipping` what is charged beside it, where a source tells them apart.
//! Its value is `amount - discount`. The lines of one `order_id` are an order, and where a payment
//! has none its own lines are.
//!
//! **What an adjustment refers to**, the first of these that there is:
//!
//! 1. with `refers_to`: the payment of that id; the order of that id;
//! 2. without: the payment of its own id (the line of it, if it has that `line_id`); its own order.
//!
//! Of several lines those with its `item_id` are meant, if any are. Where a bound is set
//! for lateness, a payment further from the adjustment than that is not meant: it is final. The id
//! of a payment that is in several orders means its lines in the least of these.
//!
//! **How much it is.** The amount without its sign, so that a refund may be written as 30.00 or as
//! -30.00. It is taken off the lines that it refers to one after the other, each up to its value:
//! the newest that is no newer than itself, then the older ones, then those that are newer, from
//! the oldest; of lines of one time the least. What is more than all of them are worth is off the
//! first, but an adjustment of the payment's own id takes no more than is left. Without an amount
//! or with one of zero, and for a void whatever its amount, it is each line as a whole; of lines with
//! one id and line, which there only are where ids are not made unique, the first.
//!
//! Voids come first, then refunds, disputes and reversals, each in the order of their times. What
//! refers to a voided line is void as well.
//!
//! **Without a sale.** An adjustment that refers to nothing known is told in the summary of the run.
//! A refund or dispute of an amount above zero then stands for its sale, too, as in exports that list
//! each payment once, with the status it has now; so does a reversal, and a void stands for a sale
//! that was voided. Money given back under a negative amount is off the day on which it was.
//!
//! **Two days.** What became of a line is told with the line, on the day of its sale
//! ([`Inputs::ledger`]), and with itself, on the day on which it was booked ([`Inputs::bookings`]).
//!
//! | record | by day of sale | by day of booking |
//! |---|---|---|
//! | 5 Jan, `t1`, order `o1`, 100.00, captured | 5 Jan: gmv 100.00 | 5 Jan: 100.00 |
//! | 5 Jan, `t2`, order `o1`, 20.00, discount 5.00, captured | 5 Jan: gmv 20.00, discount 5.00 | 5 Jan: 15.00 |
//! | 15 Feb, `r1`, refers to `o1`, 30.00, refunded | 5 Jan: refunded 30.00, of `t1`, the least of its time | 15 Feb: -30.00 |
//! | 20 Feb, `t1`, 100.00, chargeback | 5 Jan: charged back 70.00, which is left of `t1` | 20 Feb: -70.00 |
//! | 1 Mar, `t1`, chargeback_reversed | 5 Jan: charged back nothing | 1 Mar: 70.00 |
//! | in all | 5 Jan: 120.00 - 5.00 - 30.00 = 85.00 net | 115.00 - 30.00 - 70.00 + 70.00 = 85.00 |
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::query::History;
//!
//! let history = History::from_csv(&[(Stream::Transactions, "\
//! transaction_time,transaction_id,order_id,refers_to,amount,discount,status
//! 2026-01-05T10:00:00Z,t1,o1,,100.00,,captured
//! 2026-01-05T10:00:00Z,t2,o1,,20.00,5.00,captured
//! 2026-02-15T10:00:00Z,r1,,o1,30.00,,refunded
//! 2026-02-20T10:00:00Z,t1,,,100.00,,chargeback
//! ")])?;
//! let lines = history.ledger(history.last());
//! let told = lines.iter().map(|line| (line.refunded, line.charged_back));
//! assert!(told.eq([(Some(3000), Some(7000)), (None, None)]));
//! # Ok::<(), tidemill::error::Error>(())
//! ```
//!
//! **Currencies.** All amounts of a run are whole numbers of one unit, ten to the minus `--decimals`.
//! Those of several currencies are converted by `--rates`, each exactly and rounded once, half to
//! even, or the run ends before anything is added. An amount that has more decimals than ISO 4217
//! gives its currency is a bad record, and a tax, shipping or discount that has is left out; what one
//! piece costs may have any. (Without the cleaning step `validate` nothing of this is looked at.)
//!
//! | record | rate | `--decimals 3`, in EUR |
//! |---|---|---|
//! | 100.00 EUR | | 100.000 |
//! | 10000 JPY | 0.006 | 60.000 |
//! | 1.234 KWD | 3.05 | 3.764, of 3.7637 |
//! | 100.50 JPY | 0.006 | bad: JPY has no decimals |
//!
//! State: each payment and what refers to it, by its order and by its id; with a bounded lateness, as
//! long as something that is not final may refer to it.

use super::Inputs;
use crate::clock::Millis;
use crate::event::transactions::*;
use crate::event::{Col, Movement, Row, Transactions};
use crate::monoid::{Dated, DatedLog, Entries};
use crate::operator::memory::Memory;
use crate::operator::{Aggregate, Collection, Rows};
use crate::text::Text;
use crate::value::Hour;
use serde::{Deserialize, Serialize};

mod naive;
mod settle;

/// Whether it is the id of an order, and not that of a payment without one; and the id.
pub type OrderId = (bool, Text);

/// A line that was sold, or money given back of which no sale is known, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Line {
    /// Event time of its payment.
    pub time: i64,
    /// Its payment.
    pub transaction_id: Text,
    /// Which of the payment's lines it is.
    pub line_id: Text,
    /// Its order.
    pub order_id: Text,
    /// Who bought.
    pub user_id: Text,
    /// What was bought.
    pub item_id: Text,
    /// How many pieces, if known.
    pub quantity: Option<i64>,
    /// The price of all pieces, if known.
    pub amount: Option<i64>,
    /// What is off that.
    pub discount: i64,
    /// The tax beside it.
    pub tax: i64,
    /// The shipping beside it.
    pub shipping: i64,
    /// Whether it was voided or cancelled.
    pub voided: bool,
    /// Whether it was given back as a whole.
    pub returned: bool,
    /// How much was given back, if any was.
    pub refunded: Option<i128>,
    /// How much disputes took, if any did.
    pub charged_back: Option<i128>,
    /// Whether it is no sale, but money that was given back for one that is not known.
    pub loose: bool,
}

impl Line {
    /// That of a payment, if money was taken.
    fn of(row: &Row<'_, Transactions>) -> Option<Line> {
        let taken = row.movement() == Movement::Payment && row.is_sale();
        let money = |money: Option<crate::value::Money>| money.map_or(0, |money| money.0);
        taken.then(|| Line {
            time: row.time(),
            transaction_id: row.transaction_id().clone(),
            line_id: row.line_id().clone(),
            order_id: row.order_id().clone(),
            user_id: row.user_id().clone(),
            item_id: row.item_id().clone(),
            quantity: row.quantity(),
            amount: row.amount().map(|amount| amount.0),
            discount: money(row.discount()),
            tax: money(row.tax()),
            shipping: money(row.shipping()),
            ..Line::default()
        })
    }

    /// The hour of the sale.
    pub fn hour(&self) -> Hour {
        Hour::of(self.time)
    }

    /// Its order: by that name or, where it has none, its payment, whose lines then are one.
    pub fn order(&self) -> Option<OrderId> {
        let named = !self.order_id.is_empty();
        let name = place(&self.order_id, &self.transaction_id);
        (!name.is_empty()).then(|| (named, name.clone()))
    }

    /// How many pieces it is; one where that is not known.
    pub fn pieces(&self) -> i64 {
        self.quantity.unwrap_or(1)
    }

    /// Whether it was sold and not voided.
    pub fn is_sold(&self) -> bool {
        !self.loose && !self.voided
    }

    /// Whether it was sold, and neither voided nor given back as a whole. A dispute takes money, and
    /// leaves the sale a sale.
    pub fn stands(&self) -> bool {
        self.is_sold() && !self.returned
    }

    /// What was asked for it, after the discount.
    pub fn value(&self) -> Option<i128> {
        self.amount.map(|amount| i128::from(amount) - i128::from(self.discount))
    }

    /// What is left of that when what was given back is off; of money given back without a sale
    /// that is less than nothing.
    pub fn net(&self) -> Option<i128> {
        match self.loose {
            true => Some(-self.refunded.unwrap_or(0)),
            false => self.value().map(|value| value - self.refunded.unwrap_or(0)),
        }
    }
}

/// An adjustment, on the day on which it was booked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Booking {
    /// Its event time.
    pub time: i64,
    /// What it is: a refund, dispute or reversal.
    pub movement: Movement,
    /// How much it took off its lines, or, as a reversal, brought back.
    pub amount: i128,
}

/// A record that adjusts a payment, as far as it says what and how much.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Adjustment {
    movement: Movement,
    transaction_id: Text,
    line_id: Text,
    order_id: Text,
    refers_to: Text,
    user_id: Text,
    item_id: Text,
    amount: Option<i64>,
}

impl Adjustment {
    fn of(row: &Row<'_, Transactions>) -> Option<Dated<Adjustment>> {
        let movement = row.movement();
        (movement != Movement::Payment).then(|| {
            let item = Adjustment {
                movement,
                transaction_id: row.transaction_id().clone(),
                line_id: row.line_id().clone(),
                order_id: row.order_id().clone(),
                refers_to: row.refers_to().clone(),
                user_id: row.user_id().clone(),
                item_id: row.item_id().clone(),
                amount: row.amount().map(|amount| amount.0),
            };
            Dated { time: row.time(), item, value: 0 }
        })
    }

    /// The id of the payment that it means, if that is one.
    fn payment(&self) -> &Text {
        if self.refers_to.is_empty() { &self.transaction_id } else { &self.refers_to }
    }

    /// The order that it means, if there is no such payment.
    fn order(&self) -> &Text {
        if self.refers_to.is_empty() { &self.order_id } else { &self.refers_to }
    }
}

/// What is known of an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Fact {
    Line(Line),
    Adjustment(Adjustment),
}

/// What is known of the id of a payment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Named {
    /// Lines of it are with this order.
    Place(Text),
    /// An adjustment means it.
    Asks(Adjustment),
}

/// What comes of the adjustments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Entry {
    /// So many lines more, or fewer.
    Lines(Line, i64),
    /// So many of them.
    Booked(Booking, i64),
    /// So many adjustments without a sale.
    Unmatched(i64),
}

/// What the ledger is shared by.
#[derive(Debug, PartialEq)]
struct Ledger;

impl<'s> Inputs<'s> {
    /// Each line that was sold, with what became of it, and money given back of which no sale is
    /// known. The query needs the given columns; what else the ledger reads may be absent.
    pub fn ledger(&self, needs: &[Col]) -> Collection<'s, Line> {
        let rows = self.posted(needs);
        let entries = self.entries(&rows);
        self.shared(Ledger, || {
            let sold = rows.flat_map("Sold", Line::of);
            let changed = entries.flat_map(|entry| match entry {
                Entry::Lines(line, times) => Some((line, times)),
                _ => None,
            });
            sold.concat(changed.explode(|(line, times)| Some((line, times as isize))))
        })
    }

    /// What was given back, disputed and won back, each when it was booked.
    pub fn bookings(&self, needs: &[Col]) -> Collection<'s, Booking> {
        let entries = self.entries(&self.posted(needs));
        self.shared(Ledger, || {
            let booked = entries.flat_map(|entry| match entry {
                Entry::Booked(booking, times) => Some((booking, times)),
                _ => None,
            });
            booked.explode(|(booking, times)| Some((booking, times as isize)))
        })
    }

    fn posted(&self, needs: &[Col]) -> Rows<'s, Transactions> {
        Memory::adjusted();
        let all = [
            STATUS,
            TRANSACTION_ID,
            LINE_ID,
            ORDER_ID,
            REFERS_TO,
            USER_ID,
            ITEM_ID,
            QUANTITY,
            AMOUNT,
            DISCOUNT,
            TAX,
            SHIPPING,
        ];
        self.movements(&[needs, &all.map(Col::optional)].concat())
    }

    /// What comes of the adjustments, built once.
    fn entries(&self, rows: &Rows<'s, Transactions>) -> Collection<'s, Entry> {
        self.shared(Ledger, || {
            Memory::adjusted();
            let entries = adjusted(rows.clone(), self.reach);
            self.unmatched(entries.clone().flat_map(|entry| match entry {
                Entry::Unmatched(times) => Some(times),
                _ => None,
            }));
            entries
        })
    }
}

/// What comes of the adjustments among these records.
fn adjusted<'s>(rows: Rows<'s, Transactions>, reach: Option<Millis>) -> Collection<'s, Entry> {
    let located = rows.clone().flat_map("Named", named).keyed(
        "Payments",
        |(id, _)| Some(id.clone()),
        |known: &mut Entries<Named>, (_, named), diff| known.add(named.clone(), diff),
    );
    let located = located.dated().rows(move |id, log, rows| locate(id, (log, reach), rows));
    let facts = rows.clone().flat_map("Facts", fact).map(|(order, fact)| (order, fact, 1));
    let facts = facts.concat(located).keyed(
        "Orders",
        |(order, ..)| Some(order.clone()),
        |known: &mut Entries<Fact>, (_, fact, times), diff| known.add(fact.clone(), times * diff),
    );
    let settled = facts.dated().rows(move |_, log, entries| settle::settle((log, reach), entries));
    // What has neither an id nor an order refers to nothing.
    settled.concat(rows.flat_map("Nameless", |row| {
        let adjustment = Adjustment::of(row)
            .filter(|a| a.item.payment().is_empty() && a.item.order().is_empty());
        let mut entries = Vec::new();
        adjustment.iter().for_each(|a| settle::without_sale(a, 1, &mut entries));
        entries
    }))
}

/// Where a line is: with its order, or by itself.
fn place<'a>(order_id: &'a Text, transaction_id: &'a Text) -> &'a Text {
    if order_id.is_empty() { transaction_id } else { order_id }
}

/// What a record says of the id of a payment.
fn named(row: &Row<'_, Transactions>) -> Option<(Text, Dated<Named>)> {
    let (id, named) = match Adjustment::of(row) {
        Some(Dated { item, .. }) => (item.payment().clone(), Named::Asks(item)),
        None => {
            let taken = Some(row).filter(|row| row.is_sale())?;
            let place = place(taken.order_id(), taken.transaction_id());
            (taken.transaction_id().clone(), Named::Place(place.clone()))
        }
    };
    let named = Dated { time: row.time(), item: named, value: 0 };
    (!id.is_empty()).then_some((id, named))
}

/// What a record says of an order, if it need not be asked where its payment is.
fn fact(row: &Row<'_, Transactions>) -> Option<(Text, Dated<Fact>)> {
    let (place, item) = match Adjustment::of(row) {
        Some(Dated { item, .. }) => {
            let known = item.payment().is_empty().then(|| item.order().clone());
            (known?, Fact::Adjustment(item))
        }
        None => {
            let line = Line::of(row)?;
            (place(&line.order_id, &line.transaction_id).clone(), Fact::Line(line))
        }
    };
    (!place.is_empty()).then(|| (place, Dated { time: row.time(), item, value: 0 }))
}

/// Whether two times are in reach of each other.
fn in_reach(reach: Option<Millis>, a: i64, b: i64) -> bool {
    reach.is_none_or(|reach| a.abs_diff(b) <= reach.0)
}

/// With which order an adjustment is to be settled, which means the payment of an id.
fn locate(
    id: &Text,
    (log, reach): (&DatedLog<Named>, Option<Millis>),
    rows: &mut Vec<(Text, Dated<Fact>, i64)>,
) {
    for (asks, times) in log.iter() {
        let Named::Asks(adjustment) = &asks.item else { continue };
        let places = log.iter().filter_map(|(known, _)| match &known.item {
            Named::Place(place) if in_reach(reach, known.time, asks.time) => Some(place),
            _ => None,
        });
        let order = Some(adjustment.order()).filter(|order| !order.is_empty());
        let place = places.min().or(order).unwrap_or(id).clone();
        let item = Fact::Adjustment(adjustment.clone());
        rows.push((place, Dated { time: asks.time, item, value: 0 }, times));
    }
}
