//! Views of items within sessions: what recommendations are learnt from.
//!
//! A view is a `view_item` that names its item and its session; those of a session are in the
//! order of (time, event id, item).

use super::{History, Inputs};
use crate::clock::Time;
use crate::event::behavior::{EVENT, EVENT_ID, ITEM_ID, SESSION_ID};
use crate::operator::Collection;
use crate::text::Text;
use std::collections::{BTreeMap, BTreeSet};

/// A view: when, the id of its event, the item.
pub type View = (i64, Text, Text);

/// What views are shared by.
#[derive(Debug, PartialEq)]
struct Views;

impl<'s> Inputs<'s> {
    /// The views, each with its session.
    pub fn views(&self) -> Collection<'s, (Text, View)> {
        // Asked for in any case, so that each query is known to read these columns.
        let visits = self.behavior(&[SESSION_ID, ITEM_ID, EVENT.optional(), EVENT_ID.optional()]);
        self.shared(Views, || {
            visits.flat_map("Views", |visit| {
                let item = visit.viewed_item().filter(|_| !visit.session_id().is_empty())?;
                let view = (visit.time(), visit.event_id().clone(), item.clone());
                Some((visit.session_id().clone(), view))
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
    sessions
}
