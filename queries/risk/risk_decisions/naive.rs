//! The meaning of decisions: every payment is held against every record there is, rule by rule.
//! It shares the rules' data, the distances and the row with the dataflow, and no way of finding.

use super::contents::Contents;
use super::rule::{Aggregate, Rule, Stream, has_failed};
use super::{Output, decide, travel, version};
use crate::clock::Time;
use crate::event::{Logins, Row, Transactions};
use crate::query::History;
use crate::text::Text;
use std::collections::{BTreeMap, BTreeSet};

/// The decisions as known at a time, for the payments whose id is asked for.
pub fn decisions(
    rules: &[Rule],
    history: &History,
    at: Time,
    wanted: impl Fn(&Text) -> bool,
) -> Vec<Output> {
    let payments: Vec<Row<'_, Transactions>> =
        history.transactions(at).into_iter().filter(|p| p.is_attempt()).collect();
    let logins: Vec<Row<'_, Logins>> =
        history.logins(at).into_iter().filter(|login| has_failed(login)).collect();
    // The last by time, and then by what they say.
    let mut in_order: Vec<&Row<'_, Transactions>> = payments.iter().collect();
    in_order.sort_by_key(|p| {
        let who = (p.order_id(), p.user_id(), p.item_id());
        let how = (p.card_id(), p.ip(), p.device(), p.country());
        (p.time(), who, p.amount(), p.currency(), how)
    });
    let named = in_order.into_iter().map(|payment| (payment.transaction_id(), payment));
    let named = named.filter(|(id, _)| !id.is_empty() && wanted(id));
    let latest: BTreeMap<&Text, &Row<'_, Transactions>> = named.collect();
    let measures = |payment: &Row<'_, Transactions>| -> Vec<(usize, i128)> {
        let of = |(i, rule)| Some((i, measure(rule, payment, &payments, &logins)?));
        rules.iter().enumerate().filter_map(of).collect()
    };
    let version = version(rules);
    let row = |payment: &Row<'_, Transactions>| {
        decide(rules, &version, (payment.time(), &Contents::of(payment)), &measures(payment))
    };
    latest.into_values().map(row).collect()
}

fn measure(
    rule: &Rule,
    payment: &Row<'_, Transactions>,
    payments: &[Row<'_, Transactions>],
    logins: &[Row<'_, Logins>],
) -> Option<i128> {
    let (now, id) = (payment.time(), payment.transaction_id());
    let keys: Vec<Text> = rule.keys.iter().map(|key| key.of(payment)).collect();
    if keys.iter().any(Text::is_empty) {
        return None;
    }
    let in_window = |time: i64| time <= now && now - time < rule.window.signed();
    if rule.stream == Stream::Logins {
        let near: Vec<_> = logins
            .iter()
            .filter(|x| in_window(x.time()))
            .filter(|x| rule.keys.iter().map(|key| key.of_login(x)).eq(keys.iter().cloned()))
            .collect();
        let values: Option<BTreeSet<Text>> =
            rule.field.map(|field| near.iter().map(|x| field.of_login(x)).collect());
        return match rule.aggregate {
            Aggregate::Count => Some(near.len() as i128),
            _ => values.map(|v| v.iter().filter(|x| !x.is_empty()).count() as i128),
        };
    }
    let near: Vec<&Row<'_, Transactions>> = payments
        .iter()
        .filter(|x| in_window(x.time()))
        .filter(|x| rule.at_most.is_none_or(|most| x.amount().is_some_and(|a| a.0 <= most)))
        .filter(|x| rule.keys.iter().zip(&keys).all(|(key, value)| key.of(x) == *value))
        .collect();
    let others: Vec<&&Row<'_, Transactions>> =
        near.iter().filter(|x| x.transaction_id() != id).collect();
    let mut amounts: Vec<i64> = others.iter().filter_map(|x| x.amount()).map(|a| a.0).collect();
    amounts.sort_unstable();
    let (n, amount) = (amounts.len(), payment.amount().map(|a| a.0));
    match rule.aggregate {
        Aggregate::Count => Some(near.len() as i128),
        Aggregate::Sum => {
            Some(near.iter().filter_map(|x| x.amount()).map(|a| i128::from(a.0)).sum())
        }
        Aggregate::Distinct => {
            let field = rule.field?;
            let values: BTreeSet<Text> = near.iter().map(|x| field.of(x)).collect();
            Some(values.iter().filter(|x| !x.is_empty()).count() as i128)
        }
        Aggregate::Zscore => {
            let (x, n) = (i128::from(amount?), n as i128);
            let sum: i128 = amounts.iter().map(|x| i128::from(*x)).sum();
            // n^2 times the sum of squared deviations from the mean.
            let square = |x: &i64| (n * i128::from(*x) - sum).checked_pow(2);
            let spread: i128 = amounts.iter().map(square).sum::<Option<i128>>()?;
            if n < 5 || spread == 0 {
                return None;
            }
            let above = n * x - sum;
            let top = above.checked_pow(2)?.checked_mul((n - 1) * 1_000_000)?;
            let root = (top / spread).isqrt();
            Some(if above < 0 { -root } else { root })
        }
        Aggregate::MedianRatio => {
            let x = amount?;
            let twice = if n < 5 {
                0
            } else {
                i128::from(amounts[(n - 1) / 2]) + i128::from(amounts[n / 2])
            };
            (twice > 0).then(|| i128::from(x) * 2000 / twice)
        }
        Aggregate::Speed => {
            let way = |x: &&&Row<'_, Transactions>| {
                Some((x.time(), travel::distance(x.country(), payment.country())?))
            };
            let (time, far) = others.iter().filter_map(way).max()?;
            Some(travel::speed(far, now - time).into())
        }
        Aggregate::NewAmount => {
            let (field, amount) = (rule.field?, amount?);
            let value = field.of(payment);
            if others.is_empty() || value.is_empty() {
                return None;
            }
            let known = others.iter().any(|x| field.of(x) == value);
            Some(if known { 0 } else { amount.into() })
        }
        Aggregate::HourGap => {
            let hour = |time: i64| time / 3_600_000 % 24;
            let gap = |x: &&&Row<'_, Transactions>| {
                let apart = (hour(x.time()) - hour(now)).rem_euclid(24);
                apart.min(24 - apart)
            };
            others.iter().map(gap).min().filter(|_| others.len() >= 5).map(i128::from)
        }
    }
}
