//! Attacks on the shop: brute force, credential stuffing, card testing and bots.
//!
//! Three of them are bursts. At each time `t` an event came, the events of the subject in
//! `(t - window, t]` are looked at; while they are too many, the burst goes on. An alert is one
//! burst, from the first event of its first window to its last event:
//!
//! - `brute_force_user`, `brute_force_ip`: at least `failures` failed logins of a user or from an
//!   address within `failure_window`; `distinct` counts the addresses, or the users.
//! - `credential_stuffing`: failed logins of at least `stuffing_users` users from one address
//!   within `stuffing_window`; `distinct` counts the users.
//! - `card_testing`: at least `testing_charges` payments ([`crate::query::payment`]) of at most `testing_amount` with at least
//!   `testing_cards` cards from one device within `testing_window`; `distinct` counts the cards.
//!
//! - `bot`: a session of at least `bot_events` events and more than `bot_views_per_minute` page
//!   views per minute from its first event to its last (taken as a second if shorter), and no
//!   purchase; `distinct` counts the page views, and is empty
//!   where they do not fit into 64 bits.
//!
//! The evidence is when, how many and how many distinct; absent values are none of the distinct.
//! `severity` compares events (for stuffing: users) with their limit: `high` from four times on,
//! `medium` from twice, else `low`. Each stream may be absent. All follows from the events as they
//! are known: what is late or taken back joins, parts and withdraws alerts. State: per subject its
//! failed logins or small payments and a count for each value in its bursts, per session the times
//! of its events (24 bytes each).
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::monitor::security_alerts::SecurityAlerts;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Logins, "\
//! time,user_id,ip,outcome
//! 2026-01-05T10:00:00Z,u1,10.0.0.1,failure
//! 2026-01-05T10:00:05Z,u1,10.0.0.2,failure
//! 2026-01-05T10:20:00Z,u1,10.0.0.1,failure
//! ")])?;
//! let query = SecurityAlerts { failures: 2, ..SecurityAlerts::default() };
//! let alerts = query.answer(&history, history.last());
//! assert_eq!(alerts.len(), 1); // by 10:20 the first two are more than ten minutes ago
//! assert_eq!((alerts[0].kind.to_string().as_str(), alerts[0].events), ("brute_force_user", 2));
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use crate::clock::{Millis, Time};
use crate::event::{
    LoginOutcome, Logins, Row, Stream, Transactions, behavior, logins, transactions,
};
use crate::monoid::{Bag, Dated, Entries};
use crate::operator::{Aggregate, Collection};
use crate::query::{History, Inputs, Query, payment};
use crate::text::Text;
use crate::value::{Moment, whole};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

mod bursts;

use bursts::Bursts;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug)]
    pub struct SecurityAlerts {
        /// Failed logins of a user or from an address that are a brute-force attack.
        pub failures: i64 = 10,
        /// The time within which so many logins fail.
        pub failure_window: Millis = Millis::minutes(10),
        /// Users whose logins fail from one address that are credential stuffing.
        pub stuffing_users: i64 = 10,
        /// The time within which so many users' logins fail.
        pub stuffing_window: Millis = Millis::hours(1),
        /// Small payments from one device that are card testing.
        pub testing_charges: i64 = 10,
        /// Different cards there must be among them.
        pub testing_cards: i64 = 5,
        /// What a small payment is at most, in minor units.
        pub testing_amount: i64 = 500,
        /// The time within which so many are paid.
        pub testing_window: Millis = Millis::hours(1),
        /// Events of a session below which nobody is called a bot.
        pub bot_events: i64 = 50,
        /// Page views per minute that no person reads.
        pub bot_views_per_minute: i64 = 40,
    }
}

crate::record! {
    /// An attack.
    pub struct Output {
        keys {
            /// brute_force_user, brute_force_ip, credential_stuffing, card_testing or bot.
            kind: Text,
            /// The user, address, device or session it is about.
            subject: Text,
            /// Event time of its first event.
            since: Moment,
        }
        values {
            /// Event time of its last event.
            until: Moment,
            /// Events it is made of.
            events: i64,
            /// Different addresses, users or cards among them; of a bot its page views.
            /// Empty where it does not fit into 64 bits.
            distinct: Option<i64>,
            /// low, medium (twice the limit) or high (four times).
            severity: Text,
        }
    }
}

/// Whose events are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Subject {
    User,
    Ip,
    Device,
}

/// What makes events of a subject an attack.
struct Detector {
    kind: &'static str,
    subject: Subject,
    window: Millis,
    events: i64,
    distinct: i64,
}

impl SecurityAlerts {
    fn detectors(&self) -> [Detector; 4] {
        let detector = |kind, subject, window, events, distinct| Detector {
            kind,
            subject,
            window,
            events,
            distinct,
        };
        let (few, fast) = (self.failures.max(1), self.failure_window);
        [
            detector("brute_force_user", Subject::User, fast, few, 0),
            detector("brute_force_ip", Subject::Ip, fast, few, 0),
            detector(STUFFING, Subject::Ip, self.stuffing_window, 1, self.stuffing_users),
            detector(
                "card_testing",
                Subject::Device,
                self.testing_window,
                self.testing_charges.max(1),
                self.testing_cards,
            ),
        ]
    }

    fn is_small(&self, amount: Option<i64>) -> bool {
        amount.is_some_and(|amount| amount <= self.testing_amount)
    }

    fn is_bot(&self, (views, events, orders): (i128, i64, i128), span: i64) -> bool {
        let limit = i128::from(self.bot_views_per_minute) * i128::from(span.max(1000));
        let fast = views * 60_000 > limit;
        orders <= 0 && events >= self.bot_events.max(1) && fast
    }
}

/// The device of a payment, and its card.
fn says(payment: &Row<'_, Transactions>) -> (Text, Text) {
    (payment.device().clone(), payment.card_id().clone())
}

const STUFFING: &str = "credential_stuffing";

fn severity(measure: i64, limit: i64) -> Text {
    Text::new(match measure / limit.max(1) {
        4.. => "high",
        2..4 => "medium",
        _ => "low",
    })
}

fn has_failed(login: &Row<'_, Logins>) -> bool {
    login.outcome() == Some(LoginOutcome::Failure)
}

impl Detector {
    fn row(&self, subject: &Text, span: (i64, i64), events: i64, distinct: i64) -> Output {
        let severity = match self.kind {
            STUFFING => severity(distinct, self.distinct),
            _ => severity(events, self.events),
        };
        Output {
            kind: Text::new(self.kind),
            subject: subject.clone(),
            since: Moment(span.0),
            until: Moment(span.1),
            events,
            distinct: Some(distinct),
            severity,
        }
    }
}

/// Times of a session's events, how many they are, their page views, and its orders.
type Pages = (Bag<i64>, i64, i128, i128);

impl Query for SecurityAlerts {
    type Output = Output;

    fn name(&self) -> &'static str {
        "security_alerts"
    }

    fn about(&self) -> &'static str {
        "brute force, credential stuffing, card testing and bots, with evidence and severity"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        inputs.any_of(&[Stream::Logins, Stream::Transactions, Stream::Behavior]);
        let failures = inputs
            .logins(&[logins::USER_ID, logins::IP.optional(), logins::OUTCOME])
            .flat_map("Failures", |login| {
                let (user, ip, time) = (login.user_id().clone(), login.ip().clone(), login.time());
                let dated = |item: &Text| Dated { time, item: item.clone(), value: 0 };
                let both = [
                    ((Subject::User, user.clone()), dated(&ip)),
                    ((Subject::Ip, ip.clone()), dated(&user)),
                ];
                if has_failed(login) { Vec::from(both) } else { Vec::new() }
            });
        let this = self.clone();
        let columns = [transactions::AMOUNT, transactions::CARD_ID, transactions::DEVICE];
        let columns = [&columns[..], &payment::COLUMNS].concat();
        let payments = payment::payments(inputs.transactions(&columns), says);
        let charges = payments.flat_map(move |payment| {
            let (device, card) = payment.says;
            let dated = Dated { time: payment.time, item: card, value: 0 };
            this.is_small(payment.amount).then_some(((Subject::Device, device), dated))
        });
        let bursts = failures
            .concat(charges)
            .keyed(
                "Bursts",
                |(key, _)| (!key.1.is_empty()).then(|| key.clone()),
                |events: &mut Entries<Text>, (_, event), diff| events.add(event.clone(), diff),
            )
            .kept::<Bursts>(self.detectors().into());
        let this = self.clone();
        let views = behavior::PAGE_VIEWS.or(behavior::EVENT);
        let orders = behavior::ORDERS.or(behavior::EVENT);
        let columns = [behavior::SESSION_ID, behavior::EVENT.optional(), views, orders];
        let bots = inputs.behavior(&columns).aggregate(
            "Bots",
            |event| (!event.session_id().is_empty()).then(|| event.session_id().clone()),
            |(times, events, views, orders): &mut Pages, event, diff| {
                times.add(event.time(), diff);
                *events += diff;
                *views += i128::from(event.views()) * i128::from(diff);
                *orders += i128::from(event.order_count()) * i128::from(diff);
            },
            move |session, (times, events, views, orders)| {
                let (&events, &views, &orders) = (events, views, orders);
                let (first, last) = (*times.first_key_value()?.0, *times.last_key_value()?.0);
                this.is_bot((views, events, orders), last - first).then(|| Output {
                    kind: Text::new("bot"),
                    subject: session.clone(),
                    since: Moment(first),
                    until: Moment(last),
                    events,
                    distinct: whole(views),
                    severity: severity(events, this.bot_events),
                })
            },
        );
        bursts.concat(bots)
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        // Subject, what is counted as distinct, and when.
        let mut events: BTreeMap<(Subject, &Text), Vec<(i64, &Text)>> = BTreeMap::new();
        let tries = history.logins(at);
        let payments = payment::naive(&history.transactions(at), says);
        for login in tries.iter().filter(|login| has_failed(login)) {
            for (subject, name, item) in [
                (Subject::User, login.user_id(), login.ip()),
                (Subject::Ip, login.ip(), login.user_id()),
            ] {
                events.entry((subject, name)).or_default().push((login.time(), item));
            }
        }
        for payment in payments.iter().filter(|payment| self.is_small(payment.amount)) {
            let (device, card) = &payment.says;
            events.entry((Subject::Device, device)).or_default().push((payment.time, card));
        }
        events.retain(|(_, name), _| !name.is_empty());
        let count = |inside: &[(i64, &Text)]| {
            let values: BTreeSet<&Text> = inside.iter().map(|(_, x)| *x).collect();
            (inside.len() as i64, values.iter().filter(|x| !x.is_empty()).count() as i64)
        };
        let mut rows = Vec::new();
        for ((subject, name), all) in &events {
            let within = |from: i64, to: i64| -> Vec<(i64, &Text)> {
                all.iter().copied().filter(|(t, _)| *t >= from && *t <= to).collect()
            };
            let times: BTreeSet<i64> = all.iter().map(|(t, _)| *t).collect();
            for detector in self.detectors().iter().filter(|d| d.subject == *subject) {
                let width = detector.window.signed();
                // The time a window begins if it has too many, for each time.
                let too_many = |t: &i64| {
                    let inside = within(t - width + 1, *t);
                    let (events, values) = count(&inside);
                    let start = inside.iter().map(|(t, _)| *t).min();
                    start.filter(|_| events >= detector.events && values >= detector.distinct)
                };
                let marks: Vec<(i64, Option<i64>)> =
                    times.iter().map(|t| (*t, too_many(t))).collect();
                for burst in marks.chunk_by(|a, b| a.1.is_some() == b.1.is_some()) {
                    if let (Some((_, Some(since))), Some((until, _))) =
                        (burst.first(), burst.last())
                    {
                        let (events, values) = count(&within(*since, *until));
                        rows.push(detector.row(name, (*since, *until), events, values));
                    }
                }
            }
        }
        let mut sessions: BTreeMap<&Text, Vec<(i64, i64, i64)>> = BTreeMap::new();
        let visits = history.behavior(at);
        for event in visits.iter().filter(|event| !event.session_id().is_empty()) {
            let event_of = (event.time(), event.views(), event.order_count());
            sessions.entry(event.session_id()).or_default().push(event_of);
        }
        for (session, mut all) in sessions {
            all.sort_unstable();
            let (first, last) = (all[0].0, all[all.len() - 1].0);
            let views = all.iter().map(|x| i128::from(x.1)).sum();
            let orders = all.iter().map(|x| i128::from(x.2)).sum();
            let events = all.len() as i64;
            if self.is_bot((views, events, orders), last - first) {
                rows.push(Output {
                    kind: Text::new("bot"),
                    subject: session.clone(),
                    since: Moment(first),
                    until: Moment(last),
                    events,
                    distinct: whole(views),
                    severity: severity(events, self.bot_events),
                });
            }
        }
        rows
    }
}
