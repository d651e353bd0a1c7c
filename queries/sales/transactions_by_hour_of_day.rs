//! Sales by hour of the day (0 to 23, in the shop's `zone`), over all days. What a sale and its amount
//! is: `hourly_transactions`.
//! State: a count and a sum per hour of the day.

use crate::clock::Time;
use crate::event::transactions::AMOUNT;
use crate::operator::{Aggregate, Collection};
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
            /// What they come to, less discounts and what was given back.
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
        inputs.ledger(&[AMOUNT]).aggregate(
            "TransactionsByHourOfDay",
            move |line| {
                let counts = line.stands() || line.loose;
                (counts && line.net().is_some()).then(|| clock.hour_of_day(line.time))
            },
            |(count, sum): &mut (i64, i128), line, diff| {
                *count += if line.loose { 0 } else { diff };
                *sum += line.net().unwrap_or(0) * i128::from(diff);
            },
            |&hour_of_day, &(count, sum)| {
                (count > 0 || sum != 0).then(|| Output {
                    hour_of_day,
                    count,
                    amount_sum: Money::of(Some(sum)),
                })
            },
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut hours: BTreeMap<u8, (i64, i128)> = BTreeMap::new();
        for line in history.ledger(at) {
            let hour = on_the_wall(line.time, &self.zone).hour() as u8;
            let (count, sum) = hours.entry(hour).or_default();
            let back = line.refunded.unwrap_or(0);
            if line.loose {
                *sum -= back;
            } else if let (Some(price), false, false) = (line.amount, line.voided, line.returned) {
                *count += 1;
                *sum += i128::from(price) - i128::from(line.discount) - back;
            }
        }
        hours.retain(|_, (count, sum)| *count > 0 || *sum != 0);
        let row = |(hour_of_day, (count, sum))| Output {
            hour_of_day,
            count,
            amount_sum: Money::of(Some(sum)),
        };
        hours.into_iter().map(row).collect()
    }
}
