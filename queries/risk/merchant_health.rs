//! The health of the shop's payments by day (in the shop's `zone`), as the card schemes and platforms look at it.
//!
//! Each payment counts once, on the day its latest record carries (a refund or chargeback that
//! replaces a sale therefore counts on the day it was refunded or disputed, as the schemes count
//! it), with its amount:
//!
//! - `payments`: records that are not cancelled or voided, pending or failed: the charges that were
//!   asked for and stood, at least for a while. Refunded and charged-back ones are among them.
//! - `gmv`, gross merchandise value: the sum of their amounts, nothing taken off.
//! - `orders`: distinct `order_id` among them; each payment without one is an order of its own.
//! - `aov`, average order value: `gmv / orders`.
//! - `refund_rate`: refunded payments / `payments`.
//! - `chargeback_ratio`: charged-back payments / `payments`; the schemes' monitoring programmes
//!   begin to ask questions at about 0.01 (Visa, Mastercard: disputes of a month by its sales).
//! - `net`: `gmv` less what was refunded or charged back.
//! - `cancelled`: cancelled and voided payments, which count nowhere else.
//!
//! A record of a negative amount is money given back, and no payment: its amount without the sign
//! is among the refunded, or among the charged back if that is its status. So an export that lists
//! refunds under ids of their own tells the same net.
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
//! 2026-01-05T12:00:00Z,t3,o2,20.00,chargeback
//! ")])?;
//! let days = MerchantHealth::default().answer(&history, history.last());
//! assert_eq!((days[0].payments, days[0].orders), (3, 2));
//! assert_eq!(days[0].aov.map(|cents| cents.number()), Some(3000.0));
//! assert_eq!(days[0].net.map(|cents| cents.0), Some(4000));
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use crate::clock::Time;
use crate::event::transactions::{AMOUNT, ORDER_ID, STATUS};
use crate::event::{PaymentStatus, Row, Transactions};
use crate::monoid::Distinct;
use crate::operator::Collection;
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
            /// Payments that were taken and not cancelled or voided.
            payments: i64,
            /// Different orders among them; a payment without one is its own.
            orders: i64,
            /// Gross merchandise value: the sum of their amounts, nothing taken off.
            gmv: Option<Money>,
            /// Average order value: gmv / orders.
            aov: Option<Quotient<1>>,
            /// Refunded payments.
            refunded: i64,
            /// Sum of their amounts.
            refunded_amount: Option<Money>,
            /// refunded / payments, a share from 0 to 1.
            refund_rate: Option<Real>,
            /// Payments that were charged back.
            charged_back: i64,
            /// Sum of their amounts.
            charged_back_amount: Option<Money>,
            /// charged_back / payments, a share from 0 to 1.
            chargeback_ratio: Option<Real>,
            /// gmv less what was refunded or charged back.
            net: Option<Money>,
            /// Cancelled and voided payments, which count nowhere else.
            cancelled: i64,
        }
    }
}

/// Number and amount of all that stood, of the refunded, of the charged back; number cancelled.
type Sums = ((i64, i128), (i64, i128), (i64, i128), i64);
/// Distinct order ids, and payments without one.
type Orders = (Distinct<Text>, i64);

fn add((sums, orders): &mut (Sums, Orders), payment: &Row<'_, Transactions>, diff: i64) {
    let status = payment.status();
    match status {
        Some(PaymentStatus::Cancelled | PaymentStatus::Voided) => return sums.3 += diff,
        // Nothing was taken, and nothing given back.
        Some(PaymentStatus::Failed | PaymentStatus::Pending) => return,
        _ => {}
    }
    let amount = i128::from(payment.amount().unwrap_or_default().0) * i128::from(diff);
    let given_back = payment.amount().is_some_and(|amount| amount.0 < 0);
    let amount = if given_back { -amount } else { amount };
    let count = |sum: &mut (i64, i128)| *sum = (sum.0 + diff, sum.1 + amount);
    if given_back {
        match status {
            Some(PaymentStatus::Chargeback) => count(&mut sums.2),
            _ => count(&mut sums.1),
        }
        return;
    }
    count(&mut sums.0);
    match status {
        Some(PaymentStatus::Refunded) => count(&mut sums.1),
        Some(PaymentStatus::Chargeback) => count(&mut sums.2),
        _ => {}
    }
    if payment.order_id().is_empty() {
        orders.1 += diff;
    } else {
        orders.0.add(payment.order_id(), diff);
    }
}

fn read(day: Day, (sums, orders): &(Sums, Orders)) -> Option<Output> {
    let ((payments, gmv), (refunds, refunded), (disputes, disputed), cancelled) = *sums;
    let orders = orders.0.distinct() as i64 + orders.1;
    let some = payments > 0 || refunds > 0 || disputes > 0 || cancelled > 0;
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
        net: Money::of(Some(gmv - refunded - disputed)),
        cancelled,
    })
}

impl Query for MerchantHealth {
    type Output = Output;

    fn name(&self) -> &'static str {
        "merchant_health"
    }

    fn about(&self) -> &'static str {
        "by day: GMV, average order value, refund rate and chargeback ratio"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let (zone, clock) = (self.zone.clone(), self.zone.clock());
        inputs.transactions(&[AMOUNT, STATUS.optional(), ORDER_ID.optional()]).aggregate(
            "MerchantHealth",
            move |payment| Some(clock.day(payment.time())),
            add,
            move |day, state| read(zone.day(*day), state),
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut days: BTreeMap<Day, Vec<Row<'_, Transactions>>> = BTreeMap::new();
        let nothing = [PaymentStatus::Pending, PaymentStatus::Failed];
        let told = |payment: &Row<'_, Transactions>| {
            payment.status().is_none_or(|status| !nothing.contains(&status))
        };
        for payment in history.transactions(at).into_iter().filter(told) {
            days.entry(local_day(payment.time(), &self.zone)).or_default().push(payment);
        }
        let row = |(day, all): (Day, Vec<Row<'_, Transactions>>)| {
            let of = |wanted: &[PaymentStatus]| -> Vec<&Row<'_, Transactions>> {
                let is =
                    |p: &&Row<'_, Transactions>| p.status().is_some_and(|s| wanted.contains(&s));
                all.iter().filter(is).collect()
            };
            let money = |of: &[&Row<'_, Transactions>]| -> i128 {
                of.iter().filter_map(|p| p.amount()).map(|amount| i128::from(amount.0).abs()).sum()
            };
            let taken_back = [PaymentStatus::Cancelled, PaymentStatus::Voided];
            let cancelled = of(&taken_back).len();
            // Money that went back to a customer in a record of its own.
            let stands = |p: &&Row<'_, Transactions>| {
                p.status().is_none_or(|status| !taken_back.contains(&status))
            };
            let is_payment = |p: &&Row<'_, Transactions>| {
                stands(p) && p.amount().is_none_or(|amount| amount.0 >= 0)
            };
            let stood: Vec<&Row<'_, Transactions>> = all.iter().filter(is_payment).collect();
            let back =
                all.iter().filter(|p| stands(p) && p.amount().is_some_and(|amount| amount.0 < 0));
            let disputed = of(&[PaymentStatus::Chargeback]);
            let undisputed = back.filter(|p| p.status() != Some(PaymentStatus::Chargeback));
            let mut refunded = of(&[PaymentStatus::Refunded]);
            refunded.retain(is_payment);
            refunded.extend(undisputed);
            let ids: BTreeSet<&Text> =
                stood.iter().map(|p| p.order_id()).filter(|id| !id.is_empty()).collect();
            let orders = ids.len() + stood.iter().filter(|p| p.order_id().is_empty()).count();
            let share =
                |part: usize| (!stood.is_empty()).then(|| Real(part as f64 / stood.len() as f64));
            Output {
                day,
                payments: stood.len() as i64,
                orders: orders as i64,
                gmv: Money::of(Some(money(&stood))),
                aov: Quotient::of(money(&stood), orders as i64),
                refunded: refunded.len() as i64,
                refunded_amount: Money::of(Some(money(&refunded))),
                refund_rate: share(refunded.len()),
                charged_back: disputed.len() as i64,
                charged_back_amount: Money::of(Some(money(&disputed))),
                chargeback_ratio: share(disputed.len()),
                net: Money::of(Some(money(&stood) - money(&refunded) - money(&disputed))),
                cancelled: cancelled as i64,
            }
        };
        days.into_iter().map(row).collect()
    }
}
