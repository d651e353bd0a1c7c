//! Frequent item sets of three: items that are often in one basket, all three of them.
//!
//! By Apriori (Agrawal and Srikant 1994): a set of three can only be in `least` baskets if each
//! two of it are, so only triples of frequent pairs are counted. A basket whose pair becomes
//! frequent is looked at again, and one whose pair no longer is, too. `support` is the number of
//! baskets with all three divided by the number of all baskets; the `top` (100) sets by that
//! number are listed, of equal ones the first by name. Baskets: orders of at most `most` = 20
//! different items ([`crate::query::basket`]). State: an entry per order and pair of its items (of
//! orders with three or more), a count per pair and per triple of frequent pairs.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::mining::frequent_itemsets::FrequentItemsets;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Transactions, "\
//! transaction_time,order_id,item_id
//! 2026-01-05T10:00:00Z,1,lamp
//! 2026-01-05T10:00:00Z,1,bulb
//! 2026-01-05T10:00:00Z,1,cord
//! ")])?;
//! let query = FrequentItemsets { least: 1, ..FrequentItemsets::default() };
//! let sets = query.answer(&history, history.last());
//! assert_eq!((sets.len(), sets[0].baskets), (1, 1));
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use super::bought_together::naive;
use crate::clock::Time;
use crate::monoid::{Bag, Items};
use crate::operator::{Aggregate, Collection, First, Join};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::Real;
use std::cmp::Reverse;
use std::collections::BTreeMap;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug)]
    pub struct FrequentItemsets {
        /// The most items an order may have to be looked at.
        pub most: usize = 20,
        /// The fewest baskets a set must be in.
        pub least: u32 = 5,
        /// How many sets are listed.
        pub top: usize = 100,
    }
}

crate::record! {
    /// A set of three items.
    pub struct Output {
        keys {
            /// The least of the three items.
            item_a: Text,
            /// The next.
            item_b: Text,
            /// The last.
            item_c: Text,
        }
        values {
            /// Baskets with all three.
            baskets: i64,
            /// baskets / all baskets, a share from 0 to 1.
            support: Real,
        }
    }
}

type Pair = (Text, Text);
type Triple = (Text, Text, Text);

/// The triples all of whose pairs are there.
fn triples(pairs: &Items<Pair>, triples: &mut Vec<Triple>) {
    let there = |pair: &Pair| pairs.get(pair).is_some_and(|n| *n > 0);
    for (pair, _) in pairs.iter().filter(|(_, n)| **n > 0) {
        let (a, b) = pair;
        // What follows in order: the pairs of the same first item with a larger second one.
        let after = pairs.range(pair..).skip(1).take_while(|((first, _), _)| first == a);
        for ((_, c), _) in after.filter(|(_, n)| **n > 0) {
            if there(&(b.clone(), c.clone())) {
                triples.push((a.clone(), b.clone(), c.clone()));
            }
        }
    }
}

impl Query for FrequentItemsets {
    type Output = Output;

    fn name(&self) -> &'static str {
        "frequent_itemsets"
    }

    fn about(&self) -> &'static str {
        "sets of three items that are often in one order"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let least = i64::from(self.least.max(1));
        let baskets = inputs.baskets(self.most);
        let frequent = baskets.clone().flat_map(|basket| basket.pairs()).aggregate(
            "FrequentPairs",
            |pair| Some(pair.clone()),
            |count: &mut i64, _, diff| *count += diff,
            move |pair, &count| (count >= least).then(|| pair.clone()),
        );
        baskets
            .filter(|basket| basket.items.len() >= 3)
            .flat_map(|basket| {
                let order = basket.order.clone();
                basket.pairs().into_iter().map(move |pair| (pair, order.clone()))
            })
            .semi_join("OfFrequentPairs", frequent)
            .aggregate_rows(
                "Triples",
                |(_, order)| Some(order.clone()),
                |pairs: &mut Bag<Pair>, (pair, _), diff| pairs.add(pair.clone(), diff),
                |_, pairs, rows| triples(pairs, rows),
            )
            .aggregate(
                "TripleBaskets",
                |triple| Some(triple.clone()),
                |count: &mut i64, _, diff| *count += diff,
                move |triple, &count| (count >= least).then(|| (Reverse(count), triple.clone())),
            )
            .first("FrequentItemsets", self.top)
            .map(|set| ((), set))
            .inner_join("WithAll", inputs.basket_count(self.most), |(), set, all| {
                let (Reverse(baskets), (item_a, item_b, item_c)) = set.clone();
                let support = Real(baskets as f64 / *all as f64);
                Some(Output { item_a, item_b, item_c, baskets, support })
            })
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let baskets = naive(history, at, self.most);
        let mut sets: BTreeMap<Triple, i64> = BTreeMap::new();
        for basket in &baskets {
            for a in basket {
                for b in basket.iter().filter(|b| *b > a) {
                    for c in basket.iter().filter(|c| *c > b) {
                        *sets.entry((a.clone(), b.clone(), c.clone())).or_default() += 1;
                    }
                }
            }
        }
        let mut sets: Vec<_> =
            sets.into_iter().filter(|(_, n)| *n >= i64::from(self.least.max(1))).collect();
        sets.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
        let row = |((item_a, item_b, item_c), count): (Triple, i64)| Output {
            item_a,
            item_b,
            item_c,
            baskets: count,
            support: Real(count as f64 / baskets.len() as f64),
        };
        sets.into_iter().take(self.top).map(row).collect()
    }
}
