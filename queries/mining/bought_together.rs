//! Items bought together: the pairs most often in one basket, and what that says.
//!
//! Of N baskets (orders of at most `most` = 20 different items, [`crate::query::basket`]) r_a hold
//! a, r_b hold b and k11 hold both:
//!
//! ```text
//! support       = k11 / N
//! confidence_ab = k11 / r_a, confidence_ba = k11 / r_b
//! lift          = k11 N / (r_a r_b)                    1 if independent
//! g2            = 2 sum k ln(k N / (row x column))     over the four cells of the table
//! k12 = r_a - k11, k21 = r_b - k11, k22 = N - r_a - r_b + k11
//! ```
//!
//! `g2` is Dunning's log-likelihood ratio (1993): above 10.8 chance is ruled out at 0.1 %; it
//! measures how sure the relation is, not in which direction (`lift` tells). The `top` pairs
//! (100) by k11 with at least `least` baskets are listed, of equal ones the first by name: the
//! choice is by integers, and it keeps the changes few, since N changes each row. State: a count
//! per order and item, per item, and per pair.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::mining::bought_together::BoughtTogether;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Transactions, "\
//! transaction_time,order_id,item_id
//! 2026-01-05T10:00:00Z,1,lamp
//! 2026-01-05T10:00:00Z,1,bulb
//! 2026-01-05T11:00:00Z,2,rug
//! ")])?;
//! let query = BoughtTogether { least: 1, ..BoughtTogether::default() };
//! let pairs = query.answer(&history, history.last());
//! assert_eq!((pairs[0].baskets, pairs[0].lift.0), (1, 2.0));
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use crate::clock::Time;
use crate::operator::{Aggregate, Collection, First, Join};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::Real;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug)]
    pub struct BoughtTogether {
        /// The most items an order may have to be looked at.
        pub most: usize = 20,
        /// The fewest baskets a pair must be in.
        pub least: u32 = 5,
        /// How many pairs are listed.
        pub top: usize = 100,
    }
}

crate::record! {
    /// A pair of items.
    pub struct Output {
        keys {
            /// An item; the lesser of the two.
            item_a: Text,
            /// The other.
            item_b: Text,
        }
        values {
            /// Baskets with both.
            baskets: i64,
            /// baskets / all baskets, a share from 0 to 1.
            support: Real,
            /// Share of the baskets with a that hold b.
            confidence_ab: Real,
            /// Share of the baskets with b that hold a.
            confidence_ba: Real,
            /// support / (share of a x share of b): above 1 they go together.
            lift: Real,
            /// Dunning's log-likelihood ratio: above 10.8 chance is ruled out at 0.1 %.
            g2: Real,
        }
    }
}

/// The counts of a pair: with both, with a, with b, all.
#[derive(Clone, Copy)]
struct Counts {
    both: i64,
    a: i64,
    b: i64,
    all: i64,
}

impl Counts {
    /// One of the four summands, without the 2: k ln(k N / (row x column)).
    fn part(&self, k: i64, row: i64, column: i64) -> f64 {
        if k <= 0 {
            return 0.0;
        }
        let (over, under) =
            (i128::from(k) * i128::from(self.all), i128::from(row) * i128::from(column));
        k as f64 * (over as f64 / under as f64).ln()
    }

    fn g2(&self) -> f64 {
        let (not_a, not_b) = (self.all - self.a, self.all - self.b);
        let sum = self.part(self.both, self.a, self.b)
            + self.part(self.a - self.both, self.a, not_b)
            + self.part(self.b - self.both, not_a, self.b)
            + self.part(self.all - self.a - self.b + self.both, not_a, not_b);
        // Below zero only by rounding.
        (2.0 * sum).max(0.0)
    }

    fn row(&self, item_a: Text, item_b: Text) -> Output {
        let product = i128::from(self.a) * i128::from(self.b);
        let ratio = |a: i64, b: i64| Real(a as f64 / b as f64);
        Output {
            item_a,
            item_b,
            baskets: self.both,
            support: ratio(self.both, self.all),
            confidence_ab: ratio(self.both, self.a),
            confidence_ba: ratio(self.both, self.b),
            lift: Real((i128::from(self.both) * i128::from(self.all)) as f64 / product as f64),
            g2: Real(self.g2()),
        }
    }
}

impl Query for BoughtTogether {
    type Output = Output;

    fn name(&self) -> &'static str {
        "bought_together"
    }

    fn about(&self) -> &'static str {
        "pairs of items by orders with both: support, confidence, lift and G2"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let least = i64::from(self.least.max(1));
        let baskets = inputs.baskets(self.most);
        let items = baskets.clone().flat_map(|basket| basket.items).aggregate(
            "ItemBaskets",
            |item| Some(item.clone()),
            |count: &mut i64, _, diff| *count += diff,
            |item, &count| (count > 0).then(|| (item.clone(), count)),
        );
        baskets
            .flat_map(|basket| basket.pairs())
            .aggregate(
                "PairBaskets",
                |pair| Some(pair.clone()),
                |count: &mut i64, _, diff| *count += diff,
                move |pair, &count| (count >= least).then(|| (Reverse(count), pair.clone())),
            )
            .first("BoughtTogether", self.top)
            .map(|(Reverse(both), (a, b))| (a, (b, both)))
            .inner_join("WithFirst", items.clone(), |item_a, (item_b, both), a| {
                Some((item_b.clone(), (item_a.clone(), *both, *a)))
            })
            .inner_join("WithSecond", items, |item_b, (item_a, both, a), b| {
                Some(((), (item_a.clone(), item_b.clone(), *both, *a, *b)))
            })
            .inner_join("WithAll", inputs.basket_count(self.most), |(), pair, all| {
                let (item_a, item_b, both, a, b) = pair.clone();
                Some(Counts { both, a, b, all: *all }.row(item_a, item_b))
            })
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let baskets = naive(history, at, self.most);
        let with = |items: &[&Text]| {
            baskets.iter().filter(|basket| items.iter().all(|i| basket.contains(*i))).count()
        };
        let items: BTreeSet<&Text> = baskets.iter().flatten().collect();
        let mut pairs = Vec::new();
        for &a in &items {
            for &b in items.iter().filter(|b| **b > a) {
                let both = with(&[a, b]);
                if both >= self.least.max(1) as usize {
                    pairs.push((Reverse(both), a, b));
                }
            }
        }
        pairs.sort();
        let row = |(Reverse(both), a, b): (Reverse<usize>, &Text, &Text)| {
            let (n, both) = (baskets.len() as f64, both as f64);
            let (of_a, of_b) = (with(&[a]) as f64, with(&[b]) as f64);
            // G2 by entropies: the cells less the margins plus the whole.
            let h = |x: f64| if x > 0.0 { x * x.ln() } else { 0.0 };
            let cells = h(both) + h(of_a - both) + h(of_b - both) + h(n - of_a - of_b + both);
            let margins = h(of_a) + h(n - of_a) + h(of_b) + h(n - of_b);
            Output {
                item_a: a.clone(),
                item_b: b.clone(),
                baskets: both as i64,
                support: Real(both / n),
                confidence_ab: Real(both / of_a),
                confidence_ba: Real(both / of_b),
                lift: Real((both / of_a) / (of_b / n)),
                g2: Real((2.0 * (cells - margins + h(n))).max(0.0)),
            }
        };
        pairs.into_iter().take(self.top).map(row).collect()
    }
}

/// All baskets, as sets.
pub(super) fn naive(history: &History, at: Time, most: usize) -> Vec<BTreeSet<Text>> {
    let mut orders: BTreeMap<(Text, Text), BTreeSet<Text>> = BTreeMap::new();
    for line in history.ledger(at).into_iter().filter(|line| line.stands()) {
        // By its name, or by its payment.
        let order = match line.order_id.is_empty() {
            true => (Text::EMPTY, line.transaction_id),
            false => (line.order_id, Text::EMPTY),
        };
        if order != (Text::EMPTY, Text::EMPTY) && !line.item_id.is_empty() {
            orders.entry(order).or_default().insert(line.item_id);
        }
    }
    orders.into_values().filter(|items| items.len() <= most).collect()
}
