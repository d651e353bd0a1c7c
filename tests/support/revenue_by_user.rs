//! Revenue by user: the sum of what was paid. State: a sum per user.

use std::collections::BTreeMap;
use tidemill::clock::Time;
use tidemill::event::transactions::{AMOUNT, STATUS, USER_ID};
use tidemill::operator::Collection;
use tidemill::query::{History, Inputs, Query};
use tidemill::text::Text;
use tidemill::value::Money;

/// See the module.
#[derive(Default)]
pub struct RevenueByUser;

tidemill::record! {
    /// A user's revenue.
    pub struct Output {
        keys { user_id: Text }
        values { revenue: Money }
    }
}

impl Query for RevenueByUser {
    type Output = Output;

    fn name(&self) -> &'static str {
        "revenue_by_user"
    }

    fn about(&self) -> &'static str {
        "what each user paid"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        inputs.transactions(&[USER_ID, AMOUNT, STATUS.optional()]).aggregate(
            "RevenueByUser",
            |sale| sale.is_sale().then(|| sale.user_id().clone()),
            |sum: &mut i64, sale, diff| *sum += sale.amount().map_or(0, |m| m.0) * diff,
            |user, &sum| Some(Output { user_id: user.clone(), revenue: Money(sum) }),
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut users: BTreeMap<Text, i64> = BTreeMap::new();
        for sale in history.transactions(at).iter().filter(|t| t.is_sale()) {
            *users.entry(sale.user_id().clone()).or_default() += sale.amount().map_or(0, |m| m.0);
        }
        let rows = users.into_iter().filter(|(_, sum)| *sum != 0);
        rows.map(|(user_id, sum)| Output { user_id, revenue: Money(sum) }).collect()
    }
}
