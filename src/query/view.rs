//! Views of items within sessions: what recommendations are learnt from.
//!
//! A view is a `view_item` that names its item; those of a session are in the order of (time, event
//! id, item). Which session it belongs to is what the source says or, where it says nothing, what
//! [`super::session`] makes of the visitor's events: those with at most 30 minutes between them.
//! Then it is known by the visitor and the time of its first event, and of its views the first and
//! the newest 50 count.

use super::session::GAP;
use super::{History, Inputs};
use crate::clock::Time;
use crate::event::behavior::{ANONYMOUS_ID, EVENT, EVENT_ID, ITEM_ID, SESSION_ID, USER_ID};
use crate::event::{Behavior, Row};
use crate::monoid::{Stretch, Summary};
use crate::operator::{Collection, Stretches};
use crate::recommend::pairs::WINDOW;
use crate::text::Text;
use std::collections::{BTreeMap, BTreeSet};

/// A view: when, the id of its event, the item.
pub type View = (i64, Text, Text);

/// A view whose session is not told: whose it is, its session, the view.
pub type Inferred = (Text, Text, View);

/// When something was done and, if it was a view, the id of its event and the item.
type Done = (i64, Option<(Text, Text)>);

/// What views are shared by.
#[derive(Debug, PartialEq)]
struct Views;

/// The name of a session that no source names. No id of a source holds such a character.
fn session_of(who: &Text, start: i64) -> Text {
    Text::new(&format!("\u{1}{who}\u{1}{start}"))
}

/// What a visitor did without a session: the visitor, when, and the view if it was one.
fn loose(visit: &Row<'_, Behavior>) -> Option<(Text, Done)> {
    let who = Some(visit.who()).filter(|who| !who.is_empty() && visit.session_id().is_empty())?;
    let view = visit.viewed_item().map(|item| (visit.event_id().clone(), item.clone()));
    Some((who.clone(), (visit.time(), view)))
}

/// Of some events the first view and the newest, as many as count in a session; the oldest first.
/// One with all that another has is one.
#[derive(Clone, Debug, Default)]
struct Newest(Vec<View>);

impl Summary<Done> for Newest {
    fn push(&mut self, (time, view): &Done, count: i64) {
        if let (Some((id, item)), true) = (view, count > 0) {
            self.append(&Newest(vec![(*time, id.clone(), item.clone())]));
        }
    }

    fn append(&mut self, next: &Self) {
        self.0.extend_from_slice(&next.0);
        self.0.sort_unstable();
        self.0.dedup();
        if self.0.len() > WINDOW + 1 {
            let beyond = self.0.len() - WINDOW;
            self.0.drain(1..beyond);
        }
    }
}

impl<'s> Inputs<'s> {
    /// The views, each with its session.
    pub fn views(&self) -> Collection<'s, (Text, View)> {
        // Asked for in any case, so that each query is known to read these columns.
        let inferred = self.inferred_views();
        let visits = self.behavior(&[
            SESSION_ID.or(USER_ID),
            ITEM_ID,
            EVENT.optional(),
            EVENT_ID.optional(),
        ]);
        self.shared(Views, || {
            let told = visits.flat_map("Views", |visit| {
                let item = visit.viewed_item().filter(|_| !visit.session_id().is_empty())?;
                let view = (visit.time(), visit.event_id().clone(), item.clone());
                Some((visit.session_id().clone(), view))
            });
            told.concat(inferred.map(|(_, session, view)| (session, view)))
        })
    }

    /// The views whose session the source does not tell, as far as they count.
    pub fn inferred_views(&self) -> Collection<'s, Inferred> {
        let columns =
            [USER_ID, ANONYMOUS_ID, SESSION_ID, EVENT, EVENT_ID].map(|col| col.optional());
        let visits = self.behavior(&[&columns[..], &[ITEM_ID]].concat());
        self.shared(Views, || {
            let gap = GAP.signed();
            visits
                .flat_map("LooseVisits", loose)
                .stretches(
                    "InferredSessions",
                    move |_| gap,
                    |who, Stretch { first, sum, .. }: Stretch<Newest>| (who.clone(), first, sum.0),
                )
                .flat_map(|(who, first, views)| {
                    let session = session_of(&who, first);
                    views.into_iter().map(move |view| (who.clone(), session.clone(), view))
                })
        })
    }
}

/// The views of each session from the history: one with all that another has counts once.
pub fn naive(history: &History, at: Time) -> BTreeMap<Text, BTreeSet<View>> {
    let mut sessions: BTreeMap<Text, BTreeSet<View>> = BTreeMap::new();
    for visit in history.behavior(at).iter().filter(|visit| !visit.session_id().is_empty()) {
        if let Some(item) = visit.viewed_item() {
            let session = sessions.entry(visit.session_id().clone()).or_default();
            session.insert((visit.time(), visit.event_id().clone(), item.clone()));
        }
    }
    for (_, session, view) in naive_inferred(history, at) {
        sessions.entry(session).or_default().insert(view);
    }
    sessions
}

/// The views whose session is not told: of each session the first and the newest 50.
pub fn naive_inferred(history: &History, at: Time) -> Vec<Inferred> {
    let mut visitors: BTreeMap<Text, Vec<(i64, Option<View>)>> = BTreeMap::new();
    for visit in history.behavior(at).iter().filter(|visit| visit.session_id().is_empty()) {
        let (user, anonymous) = (visit.user_id(), visit.anonymous_id());
        let who = if user.is_empty() { anonymous } else { user };
        if !who.is_empty() {
            let view = |item: &Text| (visit.time(), visit.event_id().clone(), item.clone());
            let events = visitors.entry(who.clone()).or_default();
            events.push((visit.time(), visit.viewed_item().map(view)));
        }
    }
    let mut inferred = Vec::new();
    for (who, mut events) in visitors {
        events.sort_unstable();
        for session in events.chunk_by(|a, b| b.0 - a.0 <= 30 * 60_000) {
            let views: BTreeSet<&View> = session.iter().filter_map(|(_, v)| v.as_ref()).collect();
            let name = session_of(&who, session[0].0);
            let from = views.len().saturating_sub(50);
            let counts = views.iter().enumerate().filter(|(i, _)| *i == 0 || *i >= from);
            let of = |(_, view): (usize, &&View)| (who.clone(), name.clone(), (*view).clone());
            inferred.extend(counts.map(of));
        }
    }
    inferred
}
