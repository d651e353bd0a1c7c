//! The health of the shop's payments by day (in the shop's `zone`), as the card schemes and platforms look at it.
//!
//! All of it comes from the [`ledger`](crate::query::ledger), whose lines count on the day of their
//! sale, with what became of them since:
//!
//! - `payments`: those of which a line was sold and not voided; the lines of one payment (`line_id`)
//!   are one. Refunded and charged-back ones are among them.
//! - `gmv`, gross merchandise value: the sum of their prices, nothing taken off.
//! - `orders`: distinct `order_id` among them; each payment without one is an order of its own, of
//!   all of its lines.
//! - `aov`, average order value: `gmv / orders`.
//! - `refund_rate`: payments of which something was given back / `payments`.
//! - `chargeback_ratio`: payments of which a dispute took something / `payments`; the schemes'
//!   monitoring programmes begin to ask questions at about 0.01 (Visa, Mastercard: disputes of a
//!   month by its sales). A dispute that was won is none.
//! - `net`: `gmv` less `discount`, what was refunded and what was charged back.
//! - `cancelled`: payments of which a line was cancelled or voided; that line counts nowhere else.
//! - `tax` and `shipping`: what was charged beside the prices, where a source tells them apart.
//!
//! Money given back of which no sale is known is among the refunded of the day on which it was.
//!
//! The columns that end in `_booked` tell the same money on the day of its booking: a refund on the
//! day on which it was given and not on that of its sale. `chargebacks_booked` is less what disputes
//! that were won brought back on that day; `net_booked` is the day's `gmv` less `discount` and both.
//! Over all days both nets are the same.
//!
//! A payment without an amount counts with none. State: a few sums and the order ids of each day.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::risk::merchant_health::MerchantHealth;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Transactions, "\
//! transaction_time,transaction_id,order_id,amount,status
//! 2026-01-05T10:00:00Z,t1,o1,10.00,captured
//! 2026-01-05T11:00:00Z,t2,o1,30.00,captured
//! 2026-01-05T12:00:00Z,t3,o2,20.00,captured
//! 2026-02-20T12:00:00Z,t3,o2,20.00,chargeback
//! ")])?;
//! let days = MerchantHealth::default().answer(&history, history.last());
//! assert_eq!((days[0].payments, days[0].orders), (3, 2));
//! assert_eq!(days[0].aov.map(|cents| cents.number()), Some(3000.0));
//! assert_eq!(days[0].net.map(|cents| cents.0), Some(4000));
//! // The dispute came 46 days later, and is no payment of that day.
//! assert_eq!((days[1].payments, days[1].net_booked.map(|cents| cents.0)), (0, Some(-2000)));
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use crate::clock::Time;
use crate::event::Movement;
use crate::event::transactions::AMOUNT;
use crate::monoid::Distinct;
use crate::operator::{Aggregate, Collection};
use crate::query::ledger::{Booking, Line, OrderId};
use crate::query::{History, Inputs, Query, local_day};
use crate::text::Text;
use crate::value::{Money, Quotient, Real};
use crate::zone::{Day, Zone};
use std::collections::{BTreeMap, BTreeSet};

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug)]
    pub struct MerchantHealth {
        /// The shop's time zone, for instance Europe/Berlin.
        pub zone: Zone = Zone::default(),
    }
}

crate::record! {
    /// A day's payments.
    pub struct Output {
        keys {
            /// The day in the shop's zone, by its first moment.
            day: Day,
        }
        values {
            /// Payments that were taken on that day, and not cancelled or voided since.
            payments: i64,
            /// Different orders among them; a payment without one is its own.
            orders: i64,
            /// Gross merchandise value: the sum of their prices, nothing taken off.
            gmv: Option<Money>,
            /// Average order value: gmv / orders.
            aov: Option<Quotient<1>>,
            /// Payments of that day of which something was given back, whenever that was.
            refunded: i64,
            /// How much that was.
            refunded_amount: Option<Money>,
            /// refunded / payments, a share from 0 to 1.
            refund_rate: Option<Real>,
            /// Payments of that day that were charged back, whenever that was.
            charged_back: i64,
            /// How much that was.
            charged_back_amount: Option<Money>,
            /// charged_back / payments, a share from 0 to 1.
            chargeback_ratio: Option<Real>,
            /// gmv less discount, what was refunded and what was charged back.
            net: Option<Money>,
            /// Payments of that day of which a line was cancelled or voided.
            cancelled: i64,
            /// What was off the prices.
            discount: Option<Money>,
            /// Tax beside the prices.
            tax: Option<Money>,
            /// Shipping beside the prices.
            shipping: Option<Money>,
            /// What was given back on that day, of payments of any.
            refunds_booked: Option<Money>,
            /// What disputes took on that day, less what others brought back.
            chargebacks_booked: Option<Money>,
            /// The day's gmv less discount, refunds_booked and chargebacks_booked.
            net_booked: Option<Money>,
        }
    }
}

/// Payments of several lines, and how many others there are.
type Payments = (Distinct<Text>, i64);
/// Payments, and what they come to.
type Sum = (Payments, i128);
/// All that were sold, the refunded, the charged back; the voided.
type Sums = (Sum, Sum, Sum, Payments);
/// Discount, tax and shipping.
type Beside = (i128, i128, i128);
/// Refunds, and disputes less reversals; how many of all.
type Booked = (i128, i128, i64);
/// Distinct orders, and lines that are in none.
type Orders = (Distinct<OrderId>, i64);
type State = (Sums, Beside, Booked, Orders);

fn pay(payments: &mut Payments, line: &Line, diff: i64) {
    match line.line_id.is_empty() || line.transaction_id.is_empty() {
        true => payments.1 += diff,
        false => payments.0.add(&line.transaction_id, diff),
    }
}

fn count(sum: &mut Sum, line: &Line, amount: i128, diff: i64) {
    pay(&mut sum.0, line, diff);
    sum.1 += amount * i128::from(diff);
}

fn how_many((several, others): &Payments) -> i64 {
    several.distinct() as i64 + others
}

fn add((sums, beside, _, orders): &mut State, line: &Line, diff: i64) {
    if line.voided {
        pay(&mut sums.3, line, diff);
        return;
    }
    line.refunded.into_iter().for_each(|amount| count(&mut sums.1, line, amount, diff));
    line.charged_back.into_iter().for_each(|amount| count(&mut sums.2, line, amount, diff));
    if line.loose {
        return;
    }
    count(&mut sums.0, line, line.amount.map_or(0, i128::from), diff);
    let times = |amount: i64| i128::from(amount) * i128::from(diff);
    beside.0 += times(line.discount);
    beside.1 += times(line.tax);
    beside.2 += times(line.shipping);
    match line.order() {
        None => orders.1 += diff,
        Some(order) => orders.0.add(&order, diff),
    }
}

fn book((_, _, booked, _): &mut State, booking: &Booking, diff: i64) {
    let amount = booking.amount * i128::from(diff);
    match booking.movement {
        Movement::Refund => booked.0 += amount,
        Movement::Reversal => booked.1 -= amount,
        _ => booked.1 += amount,
    }
    booked.2 += diff;
}

fn read(day: Day, (sums, beside, booked, orders): &State) -> Option<Output> {
    let (sold, given_back, taken, voided) = sums;
    let [payments, refunds, disputes] = [sold, given_back, taken].map(|sum| how_many(&sum.0));
    let (gmv, refunded, disputed, cancelled) = (sold.1, given_back.1, taken.1, how_many(voided));
    let orders = orders.0.distinct() as i64 + orders.1;
    let some = payments > 0 || refunds > 0 || disputes > 0 || cancelled > 0 || booked.2 > 0;
    let sold = gmv - beside.0;
    some.then(|| Output {
        day,
        payments,
        orders,
        gmv: Money::of(Some(gmv)),
        aov: Quotient::of(gmv, orders),
        refunded: refunds,
        refunded_amount: Money::of(Some(refunded)),
        refund_rate: Real::ratio(refunds, payments),
        charged_back: disputes,
        charged_back_amount: Money::of(Some(disputed)),
        chargeback_ratio: Real::ratio(disputes, payments),
        net: Money::of(Some(sold - refunded - disputed)),
        cancelled,
        discount: Money::of(Some(beside.0)),
        tax: Money::of(Some(beside.1)),
        shipping: Money::of(Some(beside.2)),
        refunds_booked: Money::of(Some(booked.0)),
        chargebacks_booked: Money::of(Some(booked.1)),
        net_booked: Money::of(Some(sold - booked.0 - booked.1)),
    })
}

impl Query for MerchantHealth {
    type Output = Output;

    fn name(&self) -> &'static str {
        "merchant_health"
    }

    fn about(&self) -> &'static str {
        "by day: GMV, average order value, refund rate, chargeback ratio and net"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let (zone, clock, days) = (self.zone.clone(), self.zone.clock(), self.zone.clock());
        let booked = inputs.bookings(&[AMOUNT]).keyed(
            "Booked",
            move |booking| Some(days.day(booking.time)),
            book,
        );
        inputs
            .ledger(&[AMOUNT])
            .keyed("MerchantHealth", move |line| Some(clock.day(line.time)), add)
            .concat(booked)
            .row(move |day, state| read(zone.day(*day), state))
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut days: BTreeMap<Day, (Vec<Line>, Vec<Booking>)> = BTreeMap::new();
        for line in history.ledger(at) {
            days.entry(local_day(line.time, &self.zone)).or_default().0.push(line);
        }
        for booking in history.bookings(at) {
            days.entry(local_day(booking.time, &self.zone)).or_default().1.push(booking);
        }
        let row = |(day, (all, booked)): (Day, (Vec<Line>, Vec<Booking>))| {
            let (voided, lines): (Vec<Line>, Vec<Line>) =
                all.into_iter().partition(|line| line.voided);
            let sold: Vec<&Line> = lines.iter().filter(|line| !line.loose).collect();
            let gmv: i128 = sold.iter().filter_map(|line| line.amount).map(i128::from).sum();
            let of = |part: fn(&Line) -> i64| sold.iter().map(|line| i128::from(part(line))).sum();
            let [discount, tax, shipping]: [i128; 3] =
                [of(|line| line.discount), of(|line| line.tax), of(|line| line.shipping)];
            let refunds: Vec<i128> = lines.iter().filter_map(|line| line.refunded).collect();
            let disputes: Vec<i128> = lines.iter().filter_map(|line| line.charged_back).collect();
            let (refunded, disputed): (i128, i128) = (refunds.iter().sum(), disputes.iter().sum());
            let (named, others): (Vec<&Line>, Vec<&Line>) =
                sold.iter().partition(|line| !line.order_id.is_empty());
            let (payments, alone): (Vec<&Line>, Vec<&Line>) =
                others.into_iter().partition(|line| !line.transaction_id.is_empty());
            let different = |ids: BTreeSet<&Text>| ids.len();
            let orders = different(named.iter().map(|line| &line.order_id).collect())
                + different(payments.iter().map(|line| &line.transaction_id).collect())
                + alone.len();
            let booked = |wanted: Movement| -> i128 {
                let of = booked.iter().filter(|booking| booking.movement == wanted);
                of.map(|booking| booking.amount).sum()
            };
            let given = booked(Movement::Refund);
            let taken = booked(Movement::Dispute) - booked(Movement::Reversal);
            // A payment counts once, however many lines of it there are.
            let paid = |lines: &[&Line]| {
                let several =
                    |line: &&&Line| !line.line_id.is_empty() && !line.transaction_id.is_empty();
                let ids: BTreeSet<&Text> =
                    lines.iter().filter(several).map(|line| &line.transaction_id).collect();
                ids.len() + lines.iter().filter(|line| !several(line)).count()
            };
            let of = |has: fn(&Line) -> bool| -> usize {
                paid(&lines.iter().filter(|line| has(line)).collect::<Vec<_>>())
            };
            let (count, cancelled) = (paid(&sold), paid(&voided.iter().collect::<Vec<_>>()));
            let (refunded_count, disputed_count) =
                (of(|line| line.refunded.is_some()), of(|line| line.charged_back.is_some()));
            let share = |part: usize| (count > 0).then(|| Real(part as f64 / count as f64));
            Output {
                day,
                payments: count as i64,
                orders: orders as i64,
                gmv: Money::of(Some(gmv)),
                aov: Quotient::of(gmv, orders as i64),
                refunded: refunded_count as i64,
                refunded_amount: Money::of(Some(refunded)),
                refund_rate: share(refunded_count),
                charged_back: disputed_count as i64,
                charged_back_amount: Money::of(Some(disputed)),
                chargeback_ratio: share(disputed_count),
                net: Money::of(Some(gmv - discount - refunded - disputed)),
                cancelled: cancelled as i64,
                discount: Money::of(Some(discount)),
                tax: Money::of(Some(tax)),
                shipping: Money::of(Some(shipping)),
                refunds_booked: Money::of(Some(given)),
                chargebacks_booked: Money::of(Some(taken)),
                net_booked: Money::of(Some(gmv - discount - given - taken)),
            }
        };
        days.into_iter().map(row).collect()
    }
}
