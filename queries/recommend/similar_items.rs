//! The items that go with an item: the top 20 by pairs within sessions.
//!
//! For the views of items (`view_item`) of a session ([`crate::query::view`]) in order of (time, event id, item), the
//! newest 50 of them, F_ij = the sum of 2520/d over the pairs of a view of i and a view of j, d
//! places later, d <= 10, whole numbers for all d; i and j differ. A view with the same time, id
//! and item as another counts once. The weight of j for i is 5 F_ij + 3 F_ji: what follows says
//! more than what came before. Rank 1 is the best; ties by item. Nothing fades here: the index
//! that requests read does that (`tidemill recommend`). The pairs and their decay with the
//! distance are those of issue 5; the direction's weights b = 0.6 = 3/5 as well.
//!
//! State: the views of all sessions, and a weight per item and neighbour.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::recommend::similar_items::SimilarItems;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Behavior, "\
//! visit_time,session_id,event,item_id
//! 2026-01-05T10:00:00Z,s1,view_item,lamp
//! 2026-01-05T10:01:00Z,s1,view_item,rug
//! ")])?;
//! let rows = SimilarItems.answer(&history, history.last());
//! assert_eq!(rows[0].similar_item_id.to_string(), "rug");
//! assert_eq!((rows[0].weight, rows[1].weight), (5 * 2520, 3 * 2520)); // lamp, then rug
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use crate::clock::Time;
use crate::monoid::Weights;
use crate::operator::{Aggregate, Collection, Link, Place, SessionPairs};
use crate::query::view::{View, naive};
use crate::query::{History, Inputs, Query};
use crate::recommend::pairs::Buckets;
use crate::text::Text;
use std::collections::BTreeMap;

/// See the module.
#[derive(Default)]
pub struct SimilarItems;

crate::record! {
    /// An item and one that goes with it.
    pub struct Output {
        keys {
            /// The item.
            item_id: Text,
            /// Place in its list, from 1.
            rank: i64,
        }
        values {
            /// An item that goes with it.
            similar_item_id: Text,
            /// Its weight, a plain number: 5 x what follows + 3 x what comes before.
            weight: i64,
        }
    }
}

const FORWARD: i64 = 5;
const BACKWARD: i64 = 3;
const LISTED: usize = 20;

/// What the lists are shared by.
#[derive(Debug, PartialEq)]
struct Lists;

/// The lists, for other queries too.
pub(super) fn similar_items<'s>(inputs: &Inputs<'s>) -> Collection<'s, Output> {
    // Asked for in any case, so that each query is known to read these columns.
    let views = inputs.views();
    inputs.shared(Lists, || lists(views))
}

fn lists<'s>(views: Collection<'s, (Text, View)>) -> Collection<'s, Output> {
    views
        .session_pairs(Buckets::ONE)
        .flat_map(|link| {
            let pair = match link {
                Link::Pair(before, after, _) => Some((before, after)),
                Link::Item(_) => None,
            };
            pair.into_iter().flat_map(|(before, after)| {
                [(before.clone(), after.clone(), FORWARD), (after, before, BACKWARD)]
            })
        })
        .keyed(
            "SimilarItems",
            |(item, _, _)| Some(item.clone()),
            |weights: &mut Weights<Text>, (_, other, factor), diff| {
                weights.add(other.clone(), factor * diff);
            },
        )
        .top_k(LISTED, |item_id, Place { rank, item, weight }| Output {
            item_id: item_id.clone(),
            rank,
            similar_item_id: item.clone(),
            // Sessions times at most 12,600: it fits.
            weight: weight as i64,
        })
}

impl Query for SimilarItems {
    type Output = Output;

    fn name(&self) -> &'static str {
        "similar_items"
    }

    fn about(&self) -> &'static str {
        "the 20 items that go best with each item, by what is viewed within a session"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        similar_items(inputs)
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut weights: BTreeMap<&Text, BTreeMap<&Text, i64>> = BTreeMap::new();
        let sessions = naive(history, at);
        for session in sessions.values() {
            let newest: Vec<&Text> = session.iter().rev().take(50).map(|event| &event.2).collect();
            for (p, after) in newest.iter().enumerate() {
                for (q, before) in newest.iter().enumerate().skip(p + 1) {
                    let d = (q - p) as i64;
                    if d <= 10 && before != after {
                        let w = 2520 / d;
                        *weights.entry(before).or_default().entry(after).or_default() += 5 * w;
                        *weights.entry(after).or_default().entry(before).or_default() += 3 * w;
                    }
                }
            }
        }
        let mut rows = Vec::new();
        for (item, others) in weights {
            let mut others: Vec<_> = others.into_iter().collect();
            others.sort_by_key(|(other, weight)| (-weight, *other));
            for (rank, (other, weight)) in (1..=20).zip(others) {
                rows.push(Output {
                    item_id: item.clone(),
                    rank,
                    similar_item_id: other.clone(),
                    weight,
                });
            }
        }
        rows
    }
}
