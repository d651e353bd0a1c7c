//! What each active user may want next: the top 10 items by what goes with the last they viewed.
//!
//! A user is active who viewed an item (`view_item` with a user and a session) in the last 24
//! hours of stream time. Of the session of the newest of these views (by time, event id, session,
//! item) the last 4 different items i_0 (newest) to i_3 count with 1000, 300, 90 and 27, and
//! score(j) = the sum of that weight times j's weight for i_p, over the i_p that list j among
//! their 20 `similar_items`. Items the user bought (a sale that stands) are left out. Rank 1 is
//! the best; ties by item. The weights are powers of rho = 0.3 in thousandths (issue 5).
//!
//! State: the views of the last 24 hours, that of `similar_items`, a score per active user and
//! candidate (at most 80 each), and the items each user ever bought.

use super::similar_items::SimilarItems;
use crate::clock::{Millis, Time};
use crate::event::behavior::{EVENT, EVENT_ID, ITEM_ID, SESSION_ID, USER_ID};
use crate::event::{Behavior, Row, transactions};
use crate::monoid::{Bag, Weights};
use crate::operator::{Aggregate, Collection, Passing};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
pub struct UserRecommendations {
    /// For how long a user is active after a view.
    pub active: Millis,
}

impl Default for UserRecommendations {
    fn default() -> Self {
        UserRecommendations { active: Millis::hours(24) }
    }
}

crate::record! {
    /// An item for a user.
    pub struct Output {
        keys { user_id: Text, rank: i64 }
        values { item_id: Text, score: i64 }
    }
}

/// What the items of a session count, from the newest.
const POSITIONS: [i64; 4] = [1000, 300, 90, 27];

/// A view in the order in which views are newer: time, event id, session, item.
type View = (i64, Text, Text, Text);

fn view(visit: &Row<'_, Behavior>) -> Option<(Text, View)> {
    let (user, session) = (visit.user_id(), visit.session_id());
    let item = visit.viewed_item().filter(|_| !user.is_empty() && !session.is_empty())?;
    let view = (visit.time(), visit.event_id().clone(), session.clone(), item.clone());
    Some((user.clone(), view))
}

/// The last different items of the newest session, newest first. `views`: newest first.
fn last_items<'a>(views: impl Iterator<Item = &'a View>) -> Vec<&'a Text> {
    let (mut newest, mut items) = (None, Vec::new());
    for (_, _, session, item) in views {
        if session == *newest.get_or_insert(session) && !items.contains(&item) {
            items.push(item);
            if items.len() == POSITIONS.len() {
                break;
            }
        }
    }
    items
}

/// A part of what is known of a user.
type Part = (Text, Text, Option<i64>);

fn bought(user: &Text, item: &Text) -> Option<Part> {
    (!user.is_empty() && !item.is_empty()).then(|| (user.clone(), item.clone(), None))
}

impl Query for UserRecommendations {
    type Output = Output;

    fn name(&self) -> &'static str {
        "user_recommendations"
    }

    fn about(&self) -> &'static str {
        "10 items for each user active in the last 24 hours, without what the user bought"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let columns = [USER_ID, SESSION_ID, ITEM_ID, EVENT.optional(), EVENT_ID.optional()];
        let recent = inputs
            .behavior(&columns)
            .flat_map("UserViews", view)
            .retain(self.active, inputs.tick())
            .aggregate_rows(
                "LastItems",
                |(user, _)| Some(user.clone()),
                |views: &mut Bag<View>, (_, view), diff| views.add(view.clone(), diff),
                |user, views, rows| {
                    let newest = views.iter().rev().filter(|(_, n)| **n > 0).map(|(view, _)| view);
                    let items = last_items(newest).into_iter().zip(POSITIONS);
                    rows.extend(items.map(|(item, weight)| (item.clone(), (user.clone(), weight))));
                },
            );
        let similar = SimilarItems
            .dataflow(inputs)
            .map(|row| (row.item_id, (row.similar_item_id, row.weight)));
        let scores = recent
            .join(similar)
            .map(|(_, ((user, position), (item, weight)))| (user, item, Some(position * weight)));
        let columns = [transactions::USER_ID, transactions::ITEM_ID, transactions::STATUS.optional()];
        let sales = inputs.transactions(&columns).flat_map("Bought", |sale| {
            bought(sale.user_id(), sale.item_id()).filter(|_| sale.is_sale())
        });
        rank(scores.concat(sales))
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut views: BTreeMap<Text, BTreeMap<View, i64>> = BTreeMap::new();
        for (when, sign) in [(Some(at), 1), (history.earlier(at, self.active), -1)] {
            for visit in when.map(|when| history.behavior(when)).into_iter().flatten() {
                if let Some((user, view)) = view(&visit) {
                    *views.entry(user).or_default().entry(view).or_default() += sign;
                }
            }
        }
        let sales = history.transactions(at);
        let similar = SimilarItems.answer(history, at);
        let mut rows = Vec::new();
        for (user, views) in views {
            let owned: BTreeSet<&Text> = sales
                .iter()
                .filter(|sale| sale.is_sale() && *sale.user_id() == user)
                .map(|sale| sale.item_id())
                .collect();
            let views: Vec<&View> = views.iter().filter(|(_, n)| **n > 0).map(|v| v.0).collect();
            let mut scores: BTreeMap<&Text, i64> = BTreeMap::new();
            for (item, position) in last_items(views.into_iter().rev()).iter().zip(POSITIONS) {
                for row in similar.iter().filter(|row| row.item_id == **item) {
                    *scores.entry(&row.similar_item_id).or_default() += position * row.weight;
                }
            }
            let mut scores: Vec<_> =
                scores.into_iter().filter(|(item, _)| !owned.contains(item)).collect();
            scores.sort_by_key(|(item, score)| (-score, *item));
            rows.extend((1..=10).zip(scores).map(|(rank, (item, score))| Output {
                user_id: user.clone(),
                rank,
                item_id: item.clone(),
                score,
            }));
        }
        rows
    }
}

/// The ten best of each user's scores that are not for something bought.
fn rank<'s>(parts: Collection<'s, Part>) -> Collection<'s, Output>
{
    parts.aggregate_rows(
        "UserRecommendations",
        |(user, _, _)| Some(user.clone()),
        |(scores, owned): &mut (Weights<Text>, Weights<Text>), (_, item, score), diff| match score {
            Some(score) => scores.add(item.clone(), score * diff),
            None => owned.add(item.clone(), diff),
        },
        |user, (scores, owned), rows| {
            let wanted = scores.best().filter(|(item, _)| owned.weight(item) <= 0);
            rows.extend((1..=10).zip(wanted).map(|(rank, (item, score))| Output {
                user_id: user.clone(),
                rank,
                item_id: item.clone(),
                score,
            }));
        },
    )
}
