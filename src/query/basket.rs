//! Baskets: what was bought together.
//!
//! A basket is an order (by its name or, where it has none, its payment) with the different items of
//! its sales (voided lines and those given back as a whole are out, see [`super::ledger`]). Orders of
//! more items than a limit are left out altogether, and counted in the summary of the run: they are
//! resellers and tests, and their pairs would outnumber all others. State: a count per order and
//! item.

use super::Inputs;
use super::ledger::{Line, OrderId};
use crate::event::transactions::{ITEM_ID, ORDER_ID, TRANSACTION_ID};
use crate::monoid::{Bag, Items};
use crate::operator::{Aggregate, Collection};
use crate::text::Text;
use serde::{Deserialize, Serialize};

/// An order's items.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Basket {
    /// The order.
    pub order: OrderId,
    /// Its different items, in order; at least one.
    pub items: Vec<Text>,
}

impl Basket {
    /// Each two of the items, the smaller first.
    pub fn pairs(&self) -> Vec<(Text, Text)> {
        let mut pairs = Vec::new();
        for (i, a) in self.items.iter().enumerate() {
            pairs.extend(self.items[i + 1..].iter().map(|b| (a.clone(), b.clone())));
        }
        pairs
    }
}

impl<'s> Inputs<'s> {
    /// The baskets of at most `most` items.
    pub fn baskets(&self, most: usize) -> Collection<'s, Basket> {
        // Asked for in any case, so that each query is known to read these columns.
        let sales = self.ledger(&[ORDER_ID.or(TRANSACTION_ID), ITEM_ID]);
        self.shared(Most(most), || {
            let orders = of_sales(sales, most);
            self.too_large(orders.clone().filter(|basket| basket.items.is_empty()));
            orders.filter(|basket| !basket.items.is_empty())
        })
    }

    /// How many baskets of at most `most` items there are, for joins with everything; nothing if
    /// there are none.
    pub fn basket_count(&self, most: usize) -> Collection<'s, ((), i64)> {
        let baskets = self.baskets(most);
        self.shared(Most(most), || {
            baskets.aggregate(
                "BasketCount",
                |_| Some(()),
                |count: &mut i64, _, diff| *count += diff,
                |(), &count| (count > 0).then_some(((), count)),
            )
        })
    }
}

/// By what baskets are told apart.
#[derive(Debug, PartialEq)]
struct Most(usize);

/// The baskets; one that is too large has none of its items.
fn of_sales<'s>(sales: Collection<'s, Line>, most: usize) -> Collection<'s, Basket> {
    sales.aggregate(
        "Baskets",
        |line| line.order().filter(|_| !line.item_id.is_empty() && line.stands()),
        |items: &mut Bag<Text>, line, diff| items.add(line.item_id.clone(), diff),
        move |order, items: &Items<Text>| {
            let there = || items.iter().filter(|(_, n)| **n > 0).map(|(item, _)| item);
            let is_large = there().nth(most).is_some();
            let items: Vec<Text> = there().filter(|_| !is_large).cloned().collect();
            (is_large || !items.is_empty()).then(|| Basket { order: order.clone(), items })
        },
    )
}
