//! What each active user may want next: the top 10 items by what goes with the last they viewed.
//!
//! A user is active who viewed an item (`view_item` of a user, or of a visitor without a name, in a
//! session as [`crate::query::view`] has them) in the last 24 hours, (t - 24 h, t] where `t` is the newest event time of visits and payments. Of the session of the newest of these views (by time,
//! event id, session, item) the last 3 different items i_0 (newest) to i_2 count with 1000, 300
//! and 90, and score(j) = the sum over the i_p that list j at rank r <= 10 of their
//! `similar_items`, as those stood at the last full hour up to `t` (`refresh`), of that
//! weight times 2520 / r: whole numbers for all r. Items the user bought
//! (a sale that stands) are left out. Rank 1 is the best; ties by item.
//!
//! The weights are powers of rho = 0.3 in thousandths (issue 5). That ranks count and not their
//! weights is reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009): lists of popular
//! and of rare items weigh the same, and a list moves only when its order does, not with every
//! view. That and taking the lists once an hour is what makes the view affordable; the index
//! behind `tidemill recommend` is as fresh as the last event.
//!
//! A list goes to the users as a whole, so that one of which the order changes is one change to each of
//! them, and not one for each of its places. State: the views of the last 24 hours, `similar_items`,
//! per active user a reference to at most three lists, and the items each user ever bought.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::recommend::user_recommendations::UserRecommendations;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[
//!     (Stream::Behavior, "\
//! visit_time,user_id,session_id,event,item_id
//! 2026-01-05T10:00:00Z,ann,s1,view_item,lamp
//! 2026-01-05T10:01:00Z,ann,s1,view_item,rug
//! 2026-01-05T11:00:00Z,bob,s2,view_item,lamp
//! "),
//!     (Stream::Transactions, "\
//! transaction_time,transaction_id,user_id,item_id,amount
//! 2026-01-05T11:00:00Z,t1,ann,lamp,20.00
//! "),
//! ])?;
//! let rows = UserRecommendations::default().answer(&history, history.last());
//! // To ann the lamp, which goes with her rug, but she has it; she saw the lamp too, so the rug.
//! let told: Vec<_> = rows.iter().map(|r| format!("{}: {}", r.user_id, r.item_id)).collect();
//! assert_eq!(told, ["ann: rug", "bob: rug"]);
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use super::similar_items::{SimilarItems, similar_items};
use crate::clock::{Millis, Time};
use crate::event::behavior::{ANONYMOUS_ID, EVENT, EVENT_ID, ITEM_ID, SESSION_ID, USER_ID};
use crate::event::{Behavior, Row, Stream, transactions};
use crate::monoid::{Bag, Items, SumTree, Summary, Summed};
use crate::operator::{Aggregate, Collection, Join, Passing};
use crate::query::view::naive_inferred;
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct UserRecommendations {
        /// For how long a user is active after a view.
        pub active: Millis = Millis::hours(24),
        /// How often the lists of similar items are taken anew.
        pub refresh: Millis = Millis::hours(1),
    }
}

crate::record! {
    /// An item for a user.
    pub struct Output {
        keys {
            /// The user.
            user_id: Text,
            /// Place in the list, from 1.
            rank: i64,
        }
        values {
            /// The item.
            item_id: Text,
            /// What the list is ordered by, a plain number.
            score: i64,
        }
    }
}

/// How far down the lists of similar items are used.
const USED: i64 = 10;

/// Items listed per user.
const LISTED: i64 = 10;

/// What the items of a session count, from the newest.
const POSITIONS: [i64; 3] = [1000, 300, 90];

/// A view in the order in which views are newer: time, event id, session, item.
type View = (i64, Text, Text, Text);

fn view(visit: &Row<'_, Behavior>) -> Option<(Text, View)> {
    let (user, session) = (visit.who(), visit.session_id());
    let item = visit.viewed_item().filter(|_| !user.is_empty() && !session.is_empty())?;
    let view = (visit.time(), visit.event_id().clone(), session.clone(), item.clone());
    Some((user.clone(), view))
}

/// A view in the order of sessions: session, time, event id, item.
type InSession = (Text, i64, Text, Text);

/// Of some views of a user the newest, and of those of one session the last different items, newest
/// first.
#[derive(Clone, Debug, Default)]
struct Last {
    newest: Option<View>,
    items: Vec<Text>,
}

impl Last {
    /// Takes in older items.
    fn then(&mut self, older: &[Text]) {
        for item in older {
            if self.items.len() < POSITIONS.len() && !self.items.contains(item) {
                self.items.push(item.clone());
            }
        }
    }
}

impl Summary<InSession> for Last {
    fn push(&mut self, (session, time, id, item): &InSession, count: i64) {
        if count > 0 {
            let newest = Some((*time, id.clone(), session.clone(), item.clone()));
            self.append(&Last { newest, items: vec![item.clone()] });
        }
    }

    fn append(&mut self, next: &Self) {
        let older = std::mem::replace(&mut self.items, next.items.clone());
        self.then(&older);
        if next.newest > self.newest {
            self.newest.clone_from(&next.newest);
        }
    }
}

/// The last different items of a user's newest session, newest first.
fn last_items(views: &SumTree<InSession, Last>) -> Vec<Text> {
    let Some((_, _, newest, _)) = views.sum(0..views.len()).newest else { return Vec::new() };
    let start = views.rank(|(session, ..)| *session < newest);
    views.sum(start..views.rank(|(session, ..)| *session <= newest)).items
}

/// The lists, for other queries too.
pub(super) fn user_recommendations<'s>(
    query: UserRecommendations,
    inputs: &Inputs<'s>,
) -> Collection<'s, Output> {
    // All is asked for in any case, so that each query is known to read it.
    let optional = [ANONYMOUS_ID, SESSION_ID, EVENT, EVENT_ID].map(|col| col.optional());
    let columns = [&[USER_ID.or(ANONYMOUS_ID), ITEM_ID], &optional[..]].concat();
    let visits = inputs.behavior(&columns);
    let inferred = inputs.inferred_views();
    let sales = inputs.ledger(&[transactions::USER_ID, transactions::ITEM_ID]);
    let similar = similar_items(inputs);
    let clock = inputs.clock(Stream::Behavior).and(inputs.clock(Stream::Transactions));
    let periods = inputs.periods(clock.clone(), query.refresh);
    inputs.shared(query, || {
        let views = visits.flat_map("UserViews", view);
        let views = views.concat(
            inferred.map(|(user, session, (time, id, item))| (user, (time, id, session, item))),
        );
        let recent = views.recent(query.active, |(_, view)| view.0, &clock).aggregate_rows(
            "LastItems",
            |(user, _)| Some(user.clone()),
            |views: &mut Summed<InSession, Last>, (_, view), diff| {
                let (time, id, session, item) = view.clone();
                views.add((session, time, id, item), diff);
            },
            |user, views, rows| {
                let items = last_items(views).into_iter().zip(POSITIONS);
                rows.extend(items.map(|(item, weight)| (item, (user.clone(), weight))));
            },
        );
        let lists = similar.filter(|row| row.rank <= USED).aggregate(
            "UsedLists",
            |row| Some(row.item_id.clone()),
            |places: &mut Bag<(i64, Text)>, row, diff| {
                places.add((row.rank, row.similar_item_id.clone()), diff);
            },
            |item, places| {
                let list = places.keys().map(|(rank, other)| (other.clone(), 2520 / rank));
                (!places.is_empty()).then(|| (item.clone(), List::from_iter(list)))
            },
        );
        let bought = sales.flat_map(|line| {
            let named = !line.user_id.is_empty() && !line.item_id.is_empty();
            (named && line.stands()).then_some((line.user_id, Part::Bought(line.item_id)))
        });
        recent
            .inner_join("Similar", lists.every(&periods), |_, (user, position), list| {
                Some((user.clone(), Part::Liked(*position, List::clone(list))))
            })
            .concat(bought)
            .aggregate_rows(
                "UserRecommendations",
                |(user, _)| Some(user.clone()),
                |parts: &mut Bag<Part>, (_, part), diff| parts.add(part.clone(), diff),
                best,
            )
    })
}

/// The items that go best with another, with what their places count; shared by all who have it.
type List = Arc<[(Text, i64)]>;

/// A part of what is known of a user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Part {
    /// The list of an item viewed last, and what it counts.
    Liked(i64, List),
    /// An item the user has.
    Bought(Text),
}

/// The best items of a user that the user does not have.
fn best(user: &Text, parts: &Items<Part>, rows: &mut Vec<Output>) {
    let mut scores: Vec<(&Text, i64)> = Vec::new();
    for (part, count) in parts {
        // The lists come before all that the user ever bought.
        let Part::Liked(position, list) = part else { break };
        scores.extend(list.iter().map(|(item, place)| (item, position * place * count)));
    }
    scores.sort_unstable();
    scores.dedup_by(|next, sum| {
        let same = next.0 == sum.0;
        sum.1 += if same { next.1 } else { 0 };
        same
    });
    let is_new = |item: &Text| parts.get(&Part::Bought(item.clone())).is_none_or(|n| *n <= 0);
    scores.retain(|(item, score)| *score != 0 && is_new(item));
    scores.sort_unstable_by_key(|(item, score)| (Reverse(*score), *item));
    rows.extend((1..=LISTED).zip(scores).map(|(rank, (item, score))| Output {
        user_id: user.clone(),
        rank,
        item_id: item.clone(),
        score,
    }));
}

impl Query for UserRecommendations {
    type Output = Output;

    fn name(&self) -> &'static str {
        "user_recommendations"
    }

    fn about(&self) -> &'static str {
        "10 items for each user active in the last 24 hours, without what the user bought"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        user_recommendations(*self, inputs)
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let now = history.now(&[Stream::Behavior, Stream::Transactions], at);
        let since = now.saturating_sub(self.active.signed());
        let mut views: BTreeMap<Text, BTreeSet<View>> = BTreeMap::new();
        let visits = history.behavior(at);
        let told = visits.iter().filter_map(view);
        let inferred = naive_inferred(history, at).into_iter();
        let inferred =
            inferred.map(|(who, session, (time, id, item))| (who, (time, id, session, item)));
        for (user, seen) in told.chain(inferred) {
            if seen.0 > since {
                views.entry(user).or_default().insert(seen);
            }
        }
        let sales = history.ledger(at);
        let similar = SimilarItems.answer(history, Time::last_full(self.refresh, now));
        let mut rows = Vec::new();
        for (user, views) in views {
            let owned: BTreeSet<&Text> = sales
                .iter()
                .filter(|line| line.stands() && line.user_id == user)
                .map(|line| &line.item_id)
                .collect();
            let mut scores: BTreeMap<&Text, i64> = BTreeMap::new();
            // The last different items of the session of the newest view.
            let newest = views.last().map(|(_, _, session, _)| session);
            let mut items: Vec<&Text> = Vec::new();
            for (_, _, _, item) in views.iter().rev().filter(|view| Some(&view.2) == newest) {
                if !items.contains(&item) {
                    items.push(item);
                }
            }
            for (item, position) in items.into_iter().zip(POSITIONS) {
                for row in similar.iter().filter(|row| row.item_id == *item && row.rank <= USED) {
                    *scores.entry(&row.similar_item_id).or_default() +=
                        position * (2520 / row.rank);
                }
            }
            let mut scores: Vec<_> =
                scores.into_iter().filter(|(item, _)| !owned.contains(item)).collect();
            scores.sort_by_key(|(item, score)| (-score, *item));
            rows.extend((1..=LISTED).zip(scores).map(|(rank, (item, score))| Output {
                user_id: user.clone(),
                rank,
                item_id: item.clone(),
                score,
            }));
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn the_last_items_are_those_of_a_walk_back_through_the_newest_session() {
        let mut random = Random::new(21);
        let mut below = |n: u64| random.below(n as usize) as u64;
        for round in 0..60 {
            let (mut views, mut twin) = (SumTree::default(), BTreeMap::<View, i64>::new());
            // Few items, so that the last three lie far back.
            let (sessions, items) = ([1, 2, 5][round % 3], [2, 4, 50][round % 3]);
            for step in 0..200 {
                let known = twin.keys().nth(below(1 + twin.len() as u64) as usize).cloned();
                let (view, diff) = match known {
                    Some(view) if below(3) == 0 => (view.clone(), -twin[&view]),
                    _ => {
                        let time = if below(3) == 0 { below(100) } else { step };
                        let (session, item) =
                            (Text::from(below(sessions)), Text::from(below(items)));
                        ((time as i64, Text::from(below(3)), session, item), 1)
                    }
                };
                let (time, id, session, item) = view.clone();
                views.add((session, time, id, item), diff);
                *twin.entry(view).or_default() += diff;
                twin.retain(|_, n| *n != 0);
                let newest = twin.keys().next_back().map(|view| view.2.clone());
                let mut want: Vec<&Text> = Vec::new();
                for view in twin.keys().rev().filter(|view| Some(&view.2) == newest.as_ref()) {
                    if !want.contains(&&view.3) {
                        want.push(&view.3);
                    }
                }
                want.truncate(POSITIONS.len());
                assert!(last_items(&views).iter().eq(want));
            }
        }
    }
}
