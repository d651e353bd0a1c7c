//! Sessions of visitors: what they did from their coming to their going.
//!
//! As in GA4, a session is one user's `session_id`. Where the source gives none, a session is the
//! events of a user no two neighbours of which are further apart than a gap (GA4: 30 minutes). A
//! visitor who is not known as a user is one by `anonymous_id`. Records with none of these are no
//! one's. Several queries look at sessions, so they are made once
//! for each gap. State: one entry per event.

use super::Inputs;
use crate::clock::Millis;
use crate::event::behavior::{ANONYMOUS_ID, EVENT, PRICE, QUANTITY, SESSION_ID, USER_ID, VALUE};
use crate::event::{Behavior, Row, ShopEvent};
use crate::monoid::{Stretch, Summary, Wide};
use crate::operator::{Collection, Rows, Stretches};
use crate::text::Text;
use serde::{Deserialize, Serialize};

/// The steps from looking to buying.
pub const STEPS: [ShopEvent; 4] =
    [ShopEvent::ViewItem, ShopEvent::AddToCart, ShopEvent::BeginCheckout, ShopEvent::Purchase];

/// The gap of inactivity that GA4 has.
pub const GAP: Millis = Millis::minutes(30);

/// One session.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Session {
    /// Whose; empty if only the session is known.
    pub user_id: Text,
    /// Empty if it was found by inactivity.
    pub session_id: Text,
    /// Event time of the first event.
    pub start: i64,
    /// Event time of the last event.
    pub end: i64,
    /// How many events.
    pub events: i64,
    /// How many of them are views (`ShopEvent::is_view`).
    pub pages: i64,
    /// What its purchases are worth: their value, or price times quantity.
    pub value: Wide,
    /// Which of the [`STEPS`] occurred.
    pub steps: [bool; 4],
    /// Event time of the last `add_to_cart`.
    pub last_cart: Option<i64>,
}

impl Session {
    /// Whether something was bought.
    pub fn converted(&self) -> bool {
        self.steps[3]
    }
}

/// Who came, and to which session the source says that it belongs; `None` for no one.
pub fn visitor(visit: &Row<'_, Behavior>) -> Option<(Text, Text)> {
    let (user, session) = (visit.who(), visit.session_id());
    (!user.is_empty() || !session.is_empty()).then(|| (user.clone(), session.clone()))
}

/// What an event adds to the value of its session: for a purchase what it says that it is worth as
/// a whole, otherwise its price times its quantity, which is one where it is not given.
pub fn value(visit: &Row<'_, Behavior>) -> i128 {
    if visit.event() != Some(ShopEvent::Purchase) {
        return 0;
    }
    let of_items = || {
        let price = visit.price().unwrap_or_default();
        i128::from(price.0) * i128::from(visit.quantity().unwrap_or(1))
    };
    visit.value().map_or_else(of_items, |value| i128::from(value.0))
}

impl<'s> Inputs<'s> {
    /// The sessions, by this gap of inactivity where the source names none.
    pub fn sessions(&self, gap: Millis) -> Collection<'s, Session> {
        // Asked for in any case, so that each query is known to read these columns.
        let visits = self.behavior(&[
            EVENT,
            USER_ID.or(SESSION_ID),
            SESSION_ID.optional(),
            ANONYMOUS_ID.optional(),
            PRICE.optional(),
            QUANTITY.optional(),
            VALUE.optional(),
        ]);
        self.shared(Gap(gap), || by_gap(visits, gap))
    }
}

/// By what sessions are told apart.
#[derive(Debug, PartialEq)]
struct Gap(Millis);

fn by_gap<'s>(visits: Rows<'s, Behavior>, gap: Millis) -> Collection<'s, Session> {
    let millis = i64::try_from(gap.0).unwrap_or(i64::MAX);
    visits
        .flat_map("Visits", |visit| {
            let event = visit.event().unwrap_or(ShopEvent::Other);
            let item = (visit.time(), (event, value(visit)));
            visitor(visit).map(|visitor| (visitor, item))
        })
        .stretches(
            "Sessions",
            move |(_, session_id)| if session_id.is_empty() { millis } else { i64::MAX },
            |(user_id, session_id), stretch: Stretch<Events>| {
                let Stretch { first, last, sum } = stretch;
                Session {
                    user_id: user_id.clone(),
                    session_id: session_id.clone(),
                    start: first,
                    end: last,
                    events: sum.count,
                    pages: sum.pages,
                    value: sum.value,
                    steps: sum.steps,
                    last_cart: sum.last_cart,
                }
            },
        )
}

/// What the events of a session add up to.
#[derive(Clone, Debug, Default)]
struct Events {
    count: i64,
    pages: i64,
    value: Wide,
    steps: [bool; 4],
    last_cart: Option<i64>,
}

impl Summary<(i64, (ShopEvent, i128))> for Events {
    fn push(&mut self, &(time, (event, amount)): &(i64, (ShopEvent, i128)), n: i64) {
        self.count += n;
        self.pages += if event.is_view() { n } else { 0 };
        self.value.add_times(amount, n);
        if let Some(step) = STEPS.iter().position(|step| *step == event) {
            self.steps[step] = true;
        }
        if event == ShopEvent::AddToCart {
            self.last_cart = Some(time);
        }
    }

    fn append(&mut self, next: &Self) {
        self.count += next.count;
        self.pages += next.pages;
        self.value.plus(&next.value);
        self.steps.iter_mut().zip(next.steps).for_each(|(step, there)| *step |= there);
        self.last_cart = next.last_cart.or(self.last_cart);
    }
}
