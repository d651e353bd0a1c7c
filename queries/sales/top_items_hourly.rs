//! The items that sell best in each hour, by revenue.
//!
//! Revenue of an item in an hour is the sum of the amounts of its sales in that hour (event time,
//! UTC; see `hourly_transactions` for what a sale and its amount is), less what was given back for
//! the item in that hour of which no sale is known. The ten items with the largest revenue are
//! listed, from rank 1; of equal ones the lesser item comes first, numbers before other texts.
//! Items without revenue, and sales without an item, are not listed;
//! revenue that does not fit into 64 bits has its rank and is empty. State: the revenue of each
//! item of each hour.

use crate::clock::Time;
use crate::event::transactions::{AMOUNT, ITEM_ID};
use crate::monoid::Weights;
use crate::operator::{Aggregate, Collection, Place};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::{Hour, Money};
use std::cmp::Reverse;
use std::collections::BTreeMap;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug)]
    pub struct TopItemsHourly {
        /// How many items are listed.
        pub k: usize = 10,
    }
}

crate::record! {
    /// A place in an hour's list.
    pub struct Output {
        keys {
            /// The hour of the sales (event time, by its first moment).
            hour: Hour,
            /// Place in the hour's list, from 1.
            rank: i64,
        }
        values {
            /// The item.
            item_id: Text,
            /// Sum of the amounts of its sales in the hour, less discounts and what was given back.
            /// Empty where it does not fit into 64 bits.
            revenue: Option<Money>,
        }
    }
}

impl Query for TopItemsHourly {
    type Output = Output;

    fn name(&self) -> &'static str {
        "top_items_hourly"
    }

    fn about(&self) -> &'static str {
        "the items with the largest revenue of each hour"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        inputs
            .ledger(&[ITEM_ID, AMOUNT])
            .keyed(
                "TopItemsHourly",
                |line| {
                    let counts = line.stands() || line.loose;
                    (counts && !line.item_id.is_empty()).then(|| line.hour())
                },
                |revenue: &mut Weights<Text>, line, diff| {
                    if let Some(net) = line.net().and_then(|net| i64::try_from(net).ok()) {
                        revenue.add_times(line.item_id.clone(), net, diff);
                    }
                },
            )
            .until(|hour| hour.last().0)
            .top_k(self.k, |&hour, Place { rank, item, weight }| Output {
                hour,
                rank,
                item_id: item.clone(),
                revenue: Money::of(Some(weight)),
            })
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut hours: BTreeMap<Hour, BTreeMap<Text, i128>> = BTreeMap::new();
        for line in history.ledger(at).into_iter().filter(|line| !line.item_id.is_empty()) {
            let back = line.refunded.unwrap_or(0);
            let revenue = match line.amount {
                _ if line.loose => -back,
                Some(price) if !line.voided && !line.returned => {
                    i128::from(price) - i128::from(line.discount) - back
                }
                _ => continue,
            };
            *hours.entry(line.hour()).or_default().entry(line.item_id).or_default() += revenue;
        }
        let mut rows = Vec::new();
        for (hour, items) in hours {
            let mut items: Vec<(Text, i128)> = items.into_iter().filter(|(_, r)| *r > 0).collect();
            items.sort_by_key(|(_, revenue)| Reverse(*revenue));
            rows.extend((1..).zip(items).take(self.k).map(|(rank, (item_id, revenue))| Output {
                hour,
                rank,
                item_id,
                revenue: Money::of(Some(revenue)),
            }));
        }
        rows
    }
}
