//! Risk decisions as of now: each payment is approved, reviewed or declined.
//!
//! A decision is made as of the payment's own event time: each rule measures the records that
//! agree with the payment in the rule's keys within the rule's window up to that time (see
//! [`rule::Rule`]). A rule applies if its measure is beyond its limit; the decision is the gravest
//! outcome of the rules that apply, `approve` if there is none. `reasons` are at most three of
//! them, declining ones first, then in the order of the rules. `features` are all measures that
//! could be made, `rule=measure`. `version` changes whenever a rule or a limit does.
//!
//! This view is corrected: what is late or taken back changes the decisions that looked at it;
//! `risk_decisions_at_time` keeps what was known when. A payment is one with an id
//! ([`crate::query::payment`]: its lines are one); one that was cancelled, refunded or disputed
//! leaves this view, and the neighbourhood of others. Of several records with one id (where they
//! are kept) the latest decides, of equally late ones the last by order, user, item, amount,
//! currency, card, address, device and country.
//!
//! Built-in rules (`--config` and `--set` change the limits, see [`RiskDecisions`]): card testing,
//! velocity (orders per card, user and address in an hour; the sum per card in a day), duplicate
//! charge (same card, item and amount, other id, within ten minutes), amount against the user's
//! own history (z and ratio to the median), impossible travel, new device and high amount, unusual
//! hour. More are added as data:
//!
//! ```toml
//! [query.risk_decisions]
//! velocity_limit = 5
//!
//! [[query.risk_decisions.rules]]
//! id = "many_failures"
//! stream = "logins"            # failed logins
//! keys = ["user_id"]
//! aggregate = "count"
//! comparison = ">="
//! limit = 5
//! window = "1h"
//! outcome = "review"
//! ```
//!
//! State: a payment is kept once per distinct set of keys (72 bytes and the fields its rules need)
//! and once with its measures. Of a key with many payments also the contents of the windows of its
//! latest decision, so that the next decision costs a step and not a walk through its history; a
//! late record costs a step for each decision whose window holds it.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::risk::risk_decisions::RiskDecisions;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Transactions, "\
//! transaction_time,transaction_id,item_id,amount,card_id
//! 2026-01-05T10:00:00Z,t1,lamp,10.00,c1
//! 2026-01-05T10:09:00Z,t2,lamp,10.00,c1
//! ")])?;
//! let rows = RiskDecisions::default().answer(&history, history.last());
//! assert_eq!(rows[0].decision.to_string(), "approve");
//! assert_eq!(rows[1].reasons.to_string(), "duplicate_charge");
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use crate::clock::{Millis, Time};
use crate::event::{Col, logins, transactions};
use crate::monoid::{Dated, Entries};
use crate::operator::{Aggregate, Collection};
use crate::query::payment::{self, Payment};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::{Moment, Money};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::sync::Arc;

mod contents;
pub mod measure;
mod naive;
pub mod rule;
pub mod travel;
mod windows;

use contents::Contents;
use measure::Fact;
pub(crate) use naive::decisions as naive_decisions;
use rule::{Field, Outcome, Rule, Stream};
use windows::Windows;

crate::parameters! {
    /// The limits of the built-in rules, and further rules.
    #[derive(Clone, Debug)]
    pub struct RiskDecisions {
        /// Orders of a card or user within an hour above which it is looked at; twice that of an ip.
        pub velocity_limit: i64 = 5,
        /// What a card may pay in 24 hours, in minor units.
        pub velocity_sum: i64 = 500_000,
        /// Cards of a device within an hour with small payments at which it is declined.
        pub testing_cards: i64 = 5,
        /// What a small payment is at most, in minor units.
        pub testing_amount: i64 = 500,
        /// The time within which the same charge is a duplicate.
        pub duplicate_window: Millis = Millis::minutes(10),
        /// How far above the user's mean is too far, in thousandths of a standard deviation.
        pub zscore: i64 = 4_000,
        /// How many times the user's median is too much, in thousandths.
        pub median_ratio: i64 = 20_000,
        /// The speed between countries that nobody travels at, in km/h.
        pub speed: i64 = 900,
        /// A high amount for a device the user did not use before, in minor units.
        pub new_device_amount: i64 = 30_000,
        /// How far from any hour of day at which the user paid before is unusual, in hours.
        pub hour_gap: i64 = 8,
        /// How far back a user's own history goes.
        pub history: Millis = Millis::hours(90 * 24),
        /// Further rules; one with the id of a built-in rule takes its place.
        #[serde(deserialize_with = "rule::checked")]
        pub rules: Vec<Rule> = Vec::new(),
    }
}

impl RiskDecisions {
    /// The rules in force.
    pub fn in_force(&self) -> Vec<Rule> {
        let mut rules = rule::built_in(self);
        for rule in &self.rules {
            match rules.iter_mut().find(|other| other.id == rule.id) {
                Some(other) => *other = rule.clone(),
                None => rules.push(rule.clone()),
            }
        }
        rules.retain(|rule| rule.outcome != Outcome::Ignore);
        rules
    }
}

crate::record! {
    /// A decision.
    pub struct Output {
        keys {
            /// The payment.
            transaction_id: Text,
        }
        values {
            /// Its event time.
            time: Moment,
            /// Who pays.
            user_id: Text,
            /// What is paid.
            amount: Option<Money>,
            /// approve, review or decline.
            decision: Text,
            /// At most three rules that apply, the gravest first, parted by spaces.
            reasons: Text,
            /// Every measure that could be made, as rule=measure, parted by spaces.
            features: Text,
            /// Stands for the rules and limits; it changes when one of them does.
            version: Text,
        }
    }
}

/// The decision from the measures that could be made, in the order of the rules.
fn decide(
    rules: &[Rule],
    version: &Text,
    (time, payment): (i64, &Contents),
    measures: &[(usize, i128)],
) -> Output {
    let applying = |outcome: Outcome| {
        let hits = measures.iter().filter_map(|(i, m)| rules.get(*i).zip(Some(*m)));
        hits.filter(move |(r, m)| r.outcome == outcome && r.applies(*m)).map(|(r, _)| r.id.as_str())
    };
    let reasons: Vec<&str> =
        applying(Outcome::Decline).chain(applying(Outcome::Review)).take(3).collect();
    let decision = match (applying(Outcome::Decline).next(), reasons.first()) {
        (Some(_), _) => "decline",
        (None, Some(_)) => "review",
        (None, None) => "approve",
    };
    // One text for all, since a late payment may change the measures of many.
    let mut features = String::with_capacity(24 * measures.len());
    for (rule, measure) in measures.iter().filter_map(|(i, m)| Some((rules.get(*i)?, m))) {
        let gap = if features.is_empty() { "" } else { " " };
        // Nothing fails that is written into a text.
        let _ = match i64::try_from(*measure) {
            Ok(measure) => write!(features, "{gap}{}={measure}", rule.id),
            Err(_) => write!(features, "{gap}{}={measure}", rule.id),
        };
    }
    Output {
        transaction_id: payment.id.clone(),
        time: Moment(time),
        user_id: payment.user_id.clone(),
        amount: payment.amount.map(Money),
        decision: Text::new(decision),
        reasons: Text::new(&reasons.join(" ")),
        features: Text::new(&features),
        version: version.clone(),
    }
}

/// FNV-1a over the rules as JSON, in eight digits.
fn version(rules: &[Rule]) -> Text {
    // Plain data can always be written.
    let text = serde_json::to_string(rules).unwrap_or_default();
    let hash =
        text.bytes().fold(0x811c_9dc5u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    Text::new(&format!("v{hash:08x}"))
}

/// The rules with one set of keys, by their place in the list.
struct Group {
    keys: Vec<Field>,
    rules: Vec<(usize, Rule)>,
}

fn groups(rules: &[Rule]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (i, rule) in rules.iter().enumerate() {
        let at = groups.iter().position(|group| group.keys == rule.keys);
        let at = at.unwrap_or_else(|| {
            groups.push(Group { keys: rule.keys.clone(), rules: Vec::new() });
            groups.len() - 1
        });
        groups[at].rules.push((i, rule.clone()));
    }
    groups
}

/// A part of a decision: the payment itself, or what the rules of one group measured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Part {
    Payment,
    Measures(Box<[(usize, i128)]>),
}

/// A part of the decision on a record.
type Told = Dated<(Arc<Contents>, Part)>;

fn columns() -> Vec<Col> {
    use transactions::*;
    let mut columns = vec![TRANSACTION_ID, AMOUNT, USER_ID.optional()];
    columns.extend(payment::COLUMNS);
    columns.extend([CARD_ID, IP, DEVICE, COUNTRY, ITEM_ID, ORDER_ID, CURRENCY].map(Col::optional));
    columns
}

/// What the rules of a group measure of each payment.
fn measured<'s>(
    group: Group,
    inputs: &Inputs<'s>,
    payments: Collection<'s, Dated<Fact>>,
) -> Collection<'s, Told> {
    let group = Arc::new(group);
    let reach = group.rules.iter().map(|(_, rule)| rule.window).max().unwrap_or_default();
    let facts = if group.rules.iter().any(|(_, rule)| rule.stream == Stream::Logins) {
        let columns = [logins::OUTCOME, logins::USER_ID.optional(), logins::IP.optional()];
        let columns = [&columns[..], &[logins::DEVICE.optional()]].concat();
        payments.concat(inputs.logins(&columns).flat_map("Failures", |row| {
            rule::has_failed(row).then(|| {
                let contents = Arc::new(Contents::of_login(row));
                let item = Fact { stream: Stream::Logins, contents };
                Dated { time: row.time(), item, value: 0 }
            })
        }))
    } else {
        payments
    };
    let of = Arc::clone(&group);
    let measures = facts.keyed(
        "Measures",
        move |fact| {
            let keys: Vec<Text> = of.keys.iter().map(|key| fact.item.contents.get(*key)).collect();
            (!keys.iter().any(Text::is_empty)).then_some(keys)
        },
        |facts: &mut Entries<Fact>, fact, diff| facts.add(fact.clone(), diff),
    );
    measures.as_of_with(reach, move |_, log, windows: &mut Windows, at| {
        let judged = at.item.stream == Stream::Transactions && !at.item.id().is_empty();
        judged.then(|| {
            let measures = windows.measures(&group, log, at);
            let item = (Arc::clone(&at.item.contents), Part::Measures(measures));
            Dated { time: at.time, item, value: 0 }
        })
    })
}

/// The decisions by these rules, built once for all queries that read them.
pub(crate) fn decisions<'s>(rules: Vec<Rule>, inputs: &Inputs<'s>) -> Collection<'s, Output> {
    inputs.shared(rules.clone(), || decided(rules, inputs))
}

fn decided<'s>(rules: Vec<Rule>, inputs: &Inputs<'s>) -> Collection<'s, Output> {
    let version = version(&rules);
    let payments = payment::payments(inputs.transactions(&columns()), Contents::of);
    let payments = payments.map(|Payment { time, amount, says, .. }| {
        let contents = Arc::new(Contents { amount, ..says });
        let item = Fact { stream: Stream::Transactions, contents };
        Dated { time, item, value: amount.unwrap_or_default() }
    });
    let mut parts = payments.clone().map(|fact| {
        let item = (fact.item.contents, Part::Payment);
        Dated { time: fact.time, item, value: 0 }
    });
    for group in groups(&rules) {
        parts = parts.concat(measured(group, inputs, payments.clone()));
    }
    let told = parts.keyed(
        "Decisions",
        |part: &Told| (!part.item.0.id.is_empty()).then(|| part.item.0.id.clone()),
        |told: &mut Entries<(Arc<Contents>, Part)>, part, diff| told.add(part.clone(), diff),
    );
    told.dated().row(move |_, told| {
        let (last, _) = told.iter().next_back()?;
        let (mut is_there, mut measures) = (false, Vec::new());
        for (x, _) in told.matching(last.time, |(contents, _)| contents.cmp(&last.item.0)) {
            match &x.item.1 {
                Part::Payment => is_there = true,
                Part::Measures(more) => measures.extend_from_slice(more),
            }
        }
        measures.sort_unstable();
        is_there.then(|| decide(&rules, &version, (last.time, &last.item.0), &measures))
    })
}

impl Query for RiskDecisions {
    type Output = Output;

    fn name(&self) -> &'static str {
        "risk_decisions"
    }

    fn about(&self) -> &'static str {
        "every payment approved, reviewed or declined by rules, as of now"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        decisions(self.in_force(), inputs)
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        naive_decisions(&self.in_force(), history, at, |_| true)
    }
}
