//! What is known of each user: last seen, totals, favourite category.
//!
//! `last_seen` is the event time of the latest event; `sessions`, `pages`, and `value` add up
//! those of the user's sessions ([`crate::query::session`]), `buying_sessions` those with a
//! purchase. The favourite category is the one that most of the user's events name (of equal
//! ones the first in order); empty if none does. State: one entry per event (shared with
//! `sessions`), and per user an end per session and a count per category.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::behavior::user_profile::UserProfile;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Behavior, "\
//! visit_time,user_id,event,category
//! 2026-01-05T10:00:00Z,ann,view_item,shoes
//! 2026-01-05T10:05:00Z,ann,view_item,hats
//! 2026-01-05T12:00:00Z,ann,view_item,hats
//! ")])?;
//! let users = UserProfile::default().answer(&history, history.last());
//! assert_eq!((users[0].sessions, users[0].pages), (2, 3));
//! assert_eq!(users[0].favourite_category.to_string(), "hats");
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use super::sessions::{count, naive, total};
use crate::clock::{Millis, Time};
use crate::event::behavior::{ANONYMOUS_ID, CATEGORY, USER_ID};
use crate::event::{Behavior, Row, ShopEvent};
use crate::monoid::{Bag, Counts, Favourite, Items, Wide};
use crate::operator::{Aggregate, Collection};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::{Moment, Money};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// See the module.
pub struct UserProfile {
    /// The longest inactivity within a session that has no id.
    pub gap: Millis,
}

impl Default for UserProfile {
    fn default() -> Self {
        UserProfile { gap: Millis::minutes(30) }
    }
}

crate::record! {
    /// A user.
    pub struct Output {
        keys {
            /// The user.
            user_id: Text,
        }
        values {
            /// Event time of the latest event.
            last_seen: Moment,
            /// Sessions.
            sessions: i64,
            /// Sessions with a purchase.
            buying_sessions: i64,
            /// Events.
            events: i64,
            /// Viewing events among them.
            pages: i64,
            /// Price times quantity of the purchases, added up.
            /// Empty where it does not fit into 64 bits.
            value: Option<Money>,
            /// The category that most events name; empty if none does.
            favourite_category: Text,
        }
    }
}

/// What a session adds up to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Visit {
    end: i64,
    bought: bool,
    events: i64,
    pages: i64,
    value: Wide,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Part {
    Visit(Visit),
    Category(Text),
}

/// Sessions and buying sessions; events and pages.
type Totals = ((i64, i64), (i64, i64), Wide);
/// With the ends of sessions, and the categories.
type Seen = (Totals, Bag<i64>, Favourite<Text>);

impl Query for UserProfile {
    type Output = Output;

    fn name(&self) -> &'static str {
        "user_profile"
    }

    fn about(&self) -> &'static str {
        "users: last seen, sessions, pages, value and favourite category"
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        let visits = inputs.sessions(self.gap).map(|session| {
            let visit = Visit {
                end: session.end,
                bought: session.converted(),
                events: session.events,
                pages: session.pages,
                value: session.value,
            };
            (session.user_id, Part::Visit(visit))
        });
        inputs
            .behavior(&[USER_ID.or(ANONYMOUS_ID), CATEGORY.optional()])
            .flat_map("Categories", |visit| {
                (!visit.category().is_empty())
                    .then(|| (visit.who().clone(), Part::Category(visit.category().clone())))
            })
            .concat(visits)
            .aggregate(
                "UserProfile",
                |(user, _)| (!user.is_empty()).then(|| user.clone()),
                |(totals, ends, categories): &mut Seen, (_, part), n| match part {
                    Part::Category(category) => categories.add(category.clone(), n),
                    Part::Visit(visit) => {
                        ends.add(visit.end, n);
                        let ((sessions, buying), (events, pages), value) = totals;
                        *sessions += n;
                        *buying += i64::from(visit.bought) * n;
                        *events += visit.events * n;
                        *pages += visit.pages * n;
                        value.plus(&visit.value.times(n));
                    }
                },
                |user_id, (totals, ends, categories): &(Totals, Items<i64>, Counts<Text>)| {
                    let &((sessions, buying_sessions), (events, pages), value) = totals;
                    let (end, _) = ends.last_key_value()?;
                    Some(Output {
                        user_id: user_id.clone(),
                        last_seen: Moment(*end),
                        sessions,
                        buying_sessions,
                        events,
                        pages,
                        value: Money::of(value.get()),
                        favourite_category: categories.favourite().unwrap_or_default(),
                    })
                },
            )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let mut users: BTreeMap<Text, Vec<_>> = BTreeMap::new();
        for ((user_id, _), events) in naive(history, at, self.gap) {
            if !user_id.is_empty() {
                users.entry(user_id).or_default().push(events);
            }
        }
        let row = |(user_id, sessions): (Text, Vec<Vec<Row<'_, Behavior>>>)| {
            let all = sessions.concat();
            let mut categories: BTreeMap<Text, usize> = BTreeMap::new();
            for event in all.iter().filter(|e| !e.category().is_empty()) {
                *categories.entry(event.category().clone()).or_default() += 1;
            }
            let most = categories.values().max().copied();
            let favourite = categories.iter().find(|(_, n)| Some(**n) == most);
            Output {
                user_id,
                last_seen: Moment(all.iter().map(|e| e.time()).max().unwrap_or_default()),
                sessions: sessions.len() as i64,
                buying_sessions: sessions
                    .iter()
                    .filter(|s| count(s, |e| e == ShopEvent::Purchase) > 0)
                    .count() as i64,
                events: all.len() as i64,
                pages: count(&all, ShopEvent::is_view),
                value: Money::of(total(&all).get()),
                favourite_category: favourite.map(|(c, _)| c.clone()).unwrap_or_default(),
            }
        };
        users.into_iter().map(row).collect()
    }
}
