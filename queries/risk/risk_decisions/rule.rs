//! A rule of risk control, as data: what is measured of a payment's neighbours, and what a measure
//! beyond the limit means. The built-in rules are such data, and rules from the configuration
//! stand beside them or, under the same id, in their place.

use super::RiskDecisions;
use crate::clock::Millis;
use crate::event::{LoginOutcome, Logins, Row, Transactions};
use crate::text::Text;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// A field of a payment (and, where they have it, of a login).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Who pays.
    UserId,
    /// The card.
    CardId,
    /// The address.
    Ip,
    /// The device.
    Device,
    /// The country.
    Country,
    /// The item.
    ItemId,
    /// The order.
    OrderId,
    /// The amount, in minor units.
    Amount,
    /// The currency.
    Currency,
}

impl Field {
    /// A payment's value, empty if absent.
    pub fn of(self, payment: &Row<'_, Transactions>) -> Text {
        match self {
            Field::UserId => payment.user_id().clone(),
            Field::CardId => payment.card_id().clone(),
            Field::Ip => payment.ip().clone(),
            Field::Device => payment.device().clone(),
            Field::Country => payment.country().clone(),
            Field::ItemId => payment.item_id().clone(),
            Field::OrderId => payment.order_id().clone(),
            Field::Amount => payment.amount().map_or(Text::EMPTY, |a| Text::new(&a.0.to_string())),
            Field::Currency => payment.currency().clone(),
        }
    }

    /// A login's value, empty if it has no such field.
    pub fn of_login(self, login: &Row<'_, Logins>) -> Text {
        match self {
            Field::UserId => login.user_id().clone(),
            Field::Ip => login.ip().clone(),
            Field::Device => login.device().clone(),
            _ => Text::EMPTY,
        }
    }
}

/// What a rule's neighbours are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Payments, the one that is judged among them.
    #[default]
    Transactions,
    /// Failed logins.
    Logins,
}

/// Whether a login is a neighbour.
pub fn has_failed(login: &Row<'_, Logins>) -> bool {
    login.outcome() == Some(LoginOutcome::Failure)
}

/// What is measured. The last five compare the payment with the *others*: those of another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// How many there are.
    Count,
    /// Their amounts added up, in minor units.
    Sum,
    /// How many values of `field` they have; absent is none.
    Distinct,
    /// How many of the others' standard deviations (n - 1) the amount lies above their mean, in
    /// thousandths, rounded to zero; from five others with an amount on.
    Zscore,
    /// The amount by the others' median amount, in thousandths; from five others with one on.
    MedianRatio,
    /// km/h from the country of the latest other to the payment's, between centroids; of several
    /// latest the fastest. At least a minute is taken to have passed.
    Speed,
    /// The amount if there are others but none with the payment's value of `field`, else 0.
    NewAmount,
    /// Hours on the clock (UTC, 0 to 12) to the nearest hour of day at which an other was; from five
    /// others on.
    HourGap,
}

/// How a measure is compared with the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Comparison {
    #[serde(rename = ">")]
    Above,
    #[serde(rename = ">=")]
    AtLeast,
    #[serde(rename = "<")]
    Below,
    #[serde(rename = "<=")]
    AtMost,
}

/// What it means that a rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Someone should look.
    Review,
    /// It is refused.
    Decline,
    /// Nothing: the rule is off.
    Ignore,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name, as in `reasons`.
    pub id: String,
    /// What it looks at.
    #[serde(default)]
    pub stream: Stream,
    /// Neighbours agree with the payment in all of these; a payment that lacks one has none.
    pub keys: Vec<Field>,
    /// What the aggregate is about.
    #[serde(default)]
    pub field: Option<Field>,
    /// Neighbours are only payments of at most this amount, in minor units.
    #[serde(default)]
    pub at_most: Option<i64>,
    /// What is measured.
    pub aggregate: Aggregate,
    /// Against the limit.
    pub comparison: Comparison,
    /// In the unit of the aggregate.
    pub limit: i64,
    /// Neighbours are in `(t - window, t]` of event time, where `t` is the payment's.
    pub window: Millis,
    /// What follows.
    pub outcome: Outcome,
}

impl Rule {
    /// Whether it applies to a payment with this measure.
    pub fn applies(&self, measure: i128) -> bool {
        let limit = i128::from(self.limit);
        match self.comparison {
            Comparison::Above => measure > limit,
            Comparison::AtLeast => measure >= limit,
            Comparison::Below => measure < limit,
            Comparison::AtMost => measure <= limit,
        }
    }

    /// What is wrong with it, if anything is.
    pub fn problem(&self) -> Option<String> {
        let needs_field = matches!(self.aggregate, Aggregate::Distinct | Aggregate::NewAmount);
        let counts = matches!(self.aggregate, Aggregate::Count | Aggregate::Distinct);
        if self.id.is_empty() || self.id.contains([' ', '=', ',']) {
            return Some("its id must be a word without spaces, `=` and `,`".into());
        }
        if self.keys.is_empty() {
            return Some("it has no keys".into());
        }
        if needs_field && self.field.is_none() {
            return Some(format!("its aggregate {:?} needs a field", self.aggregate));
        }
        if self.stream == Stream::Logins {
            let known = [Field::UserId, Field::Ip, Field::Device];
            let fields = self.keys.iter().chain(&self.field);
            if !counts || self.at_most.is_some() || !{ fields }.all(|f| known.contains(f)) {
                return Some(
                    "of logins only count and distinct are known, by user_id, ip and device".into(),
                );
            }
        }
        None
    }
}

/// Rules that can be used, or what is wrong with the first that cannot.
pub fn checked<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Rule>, D::Error> {
    let rules = Vec::<Rule>::deserialize(deserializer)?;
    let problem = rules.iter().find_map(|rule| Some((&rule.id, rule.problem()?)));
    match problem {
        Some((id, problem)) => Err(D::Error::custom(format!("the rule {id}: {problem}"))),
        None => Ok(rules),
    }
}

/// The built-in rules, with the limits of the configuration.
pub fn built_in(limits: &RiskDecisions) -> Vec<Rule> {
    use Aggregate::*;
    use Field::*;
    let rule = |id: &str, keys: &[Field], aggregate, limit, window, outcome| Rule {
        id: id.into(),
        stream: Stream::Transactions,
        keys: keys.to_vec(),
        field: None,
        at_most: None,
        aggregate,
        comparison: Comparison::Above,
        limit,
        window,
        outcome,
    };
    let (review, decline) = (Outcome::Review, Outcome::Decline);
    let (hour, day) = (Millis::hours(1), Millis::hours(24));
    let history = limits.history;
    vec![
        Rule {
            field: Some(CardId),
            at_most: Some(limits.testing_amount),
            comparison: Comparison::AtLeast,
            ..rule("card_testing", &[Device], Distinct, limits.testing_cards, hour, decline)
        },
        Rule {
            field: Some(OrderId),
            ..rule("velocity_card", &[CardId], Distinct, limits.velocity_limit, hour, review)
        },
        Rule {
            field: Some(OrderId),
            ..rule("velocity_user", &[UserId], Distinct, limits.velocity_limit, hour, review)
        },
        Rule {
            field: Some(OrderId),
            ..rule(
                "velocity_ip",
                &[Ip],
                Distinct,
                limits.velocity_limit.saturating_mul(2),
                hour,
                review,
            )
        },
        rule("velocity_sum", &[CardId], Sum, limits.velocity_sum, day, review),
        duplicate(limits),
        rule("amount_zscore", &[UserId], Zscore, limits.zscore, history, review),
        rule("amount_ratio", &[UserId], MedianRatio, limits.median_ratio, history, review),
        rule("impossible_travel", &[UserId], Speed, limits.speed, day, review),
        Rule {
            field: Some(Device),
            ..rule("new_device", &[UserId], NewAmount, limits.new_device_amount, history, review)
        },
        rule("unusual_hour", &[UserId], HourGap, limits.hour_gap, history, review),
    ]
}

/// The same card, item and amount under another id, shortly before.
fn duplicate(limits: &RiskDecisions) -> Rule {
    Rule {
        id: "duplicate_charge".into(),
        stream: Stream::Transactions,
        keys: vec![Field::CardId, Field::ItemId, Field::Amount],
        field: None,
        at_most: None,
        aggregate: Aggregate::Count,
        comparison: Comparison::Above,
        limit: 1,
        window: limits.duplicate_window,
        outcome: Outcome::Decline,
    }
}
