//! Sales by hour of the day (0 to 23, in the shop's `zone`), over all days. What a sale is: `hourly_transactions`.
//! State: a count and a sum per hour of the day.

use crate::clock::Time;
use crate::event::transactions::{AMOUNT, STATUS};
use crate::operator::Collection;
use crate::query::{History, Inputs, Query, on_the_wall};
use crate::value::Money;
use crate::zone::Zone;
use std::collections::BTreeMap;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug)]
    pub struct TransactionsByHourOfDay {
        /// The shop's time zone, for instance Europe/Berlin.
        pub zone: Zone = Zone::default(),
    }
}

crate::record! {
    /// An hour of the day.
    pub struct Output {
        keys {
            /// Hour of the day, 0 to 23, in the shop's zone.
            hour_of_day: u8,
        }
        values {
            /// Sales in that hour, over all days.
            count: i64,
            /// What they come to.
            amount_sum: Option<Money>,
        }
    }
}

impl Query for TransactionsByHourOfDay {
    type Output = Output;

    fn name(&self) -> &'static str {
        "transactions_by_hour_of_day"
    }

    fn about(&self) -> &'static str {
        "number and sum of sales by hour of the day"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let clock = self.zone.clock();
        inputs.transactions(&[AMOUNT, STATUS.optional()]).aggregate(
            "TransactionsByHourOfDay",
            move |sale| {
                let counts = sale.is_sale() && sale.amount().is_some();
                counts.then(|| clock.hour_of_day(sale.time()))
            },
            |(count, sum): &mut (i64, i128), sale, diff| {
                *count += diff;
                *sum += sale.amount().map_or(0, |m| i128::from(m.0) * i128::from(diff));
            },
            |&hour_of_day, &(count, sum)| {
                (count > 0).then(|| Output { hour_of_day, count, amount_sum: Money::of(Some(sum)) })
            },
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut hours: BTreeMap<u8, Vec<i64>> = BTreeMap::new();
        for sale in history.transactions(at).iter().filter(|t| t.is_sale()) {
            if let Some(Money(amount)) = sale.amount() {
                hours
                    .entry(on_the_wall(sale.time(), &self.zone).hour() as u8)
                    .or_default()
                    .push(amount);
            }
        }
        let row = |(hour_of_day, amounts): (u8, Vec<i64>)| Output {
            hour_of_day,
            count: amounts.len() as i64,
            amount_sum: Money::of(Some(amounts.iter().map(|x| i128::from(*x)).sum())),
        };
        hours.into_iter().map(row).collect()
    }
}
