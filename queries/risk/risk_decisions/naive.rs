//! The meaning of decisions: every payment is held against every record there is, rule by rule.
//! It shares the rules' data, the distances and the row with the dataflow, and no way of finding.

use super::contents::Contents;
use super::rule::{Aggregate, Rule, Stream, has_failed};
use super::{Output, decide, travel, version};
use crate::clock::Time;
use crate::event::{Logins, Row};
use crate::query::{History, payment};
use crate::text::Text;
use std::collections::{BTreeMap, BTreeSet};

/// When somebody paid, and what is said of it.
type Paid = (i64, Contents);

/// The decisions as known at a time, for the payments whose id is asked for.
pub fn decisions(
    rules: &[Rule],
    history: &History,
    at: Time,
    wanted: impl Fn(&Text) -> bool,
) -> Vec<Output> {
    let paid = payment::naive(&history.transactions(at), Contents::of).into_iter();
    let payments: Vec<Paid> =
        paid.map(|p| (p.time, Contents { amount: p.amount, ..p.says })).collect();
    let logins: Vec<Row<'_, Logins>> =
        history.logins(at).into_iter().filter(|login| has_failed(login)).collect();
    // The last by time, and then by what they say.
    let mut in_order: Vec<&Paid> = payments.iter().collect();
    in_order.sort_by_key(|(time, p)| {
        let who = (&p.order_id, &p.user_id, &p.item_id);
        let how = (&p.card_id, &p.ip, &p.device, &p.country);
        (*time, who, p.amount, &p.currency, how)
    });
    let named = in_order.into_iter().map(|payment| (&payment.1.id, payment));
    let named = named.filter(|(id, _)| !id.is_empty() && wanted(id));
    let latest: BTreeMap<&Text, &Paid> = named.collect();
    let measures = |payment: &Paid| -> Vec<(usize, i128)> {
        let of = |(i, rule)| Some((i, measure(rule, payment, &payments, &logins)?));
        rules.iter().enumerate().filter_map(of).collect()
    };
    let version = version(rules);
    let row = |payment: &Paid| decide(rules, &version, (payment.0, &payment.1), &measures(payment));
    latest.into_values().map(row).collect()
}

fn measure(
    rule: &Rule,
    payment: &Paid,
    payments: &[Paid],
    logins: &[Row<'_, Logins>],
) -> Option<i128> {
    let (now, payment) = (payment.0, &payment.1);
    let keys: Vec<Text> = rule.keys.iter().map(|key| payment.get(*key)).collect();
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
    let near: Vec<&Paid> = payments
        .iter()
        .filter(|x| in_window(x.0))
        .filter(|x| rule.at_most.is_none_or(|most| x.1.amount.is_some_and(|a| a <= most)))
        .filter(|x| rule.keys.iter().zip(&keys).all(|(key, value)| x.1.get(*key) == *value))
        .collect();
    let others: Vec<&&Paid> = near.iter().filter(|x| x.1.id != payment.id).collect();
    let mut amounts: Vec<i64> = others.iter().filter_map(|x| x.1.amount).collect();
    amounts.sort_unstable();
    let (n, amount) = (amounts.len(), payment.amount);
    match rule.aggregate {
        Aggregate::Count => Some(near.len() as i128),
        Aggregate::Sum => Some(near.iter().filter_map(|x| x.1.amount).map(i128::from).sum()),
        Aggregate::Distinct => {
            let field = rule.field?;
            let values: BTreeSet<Text> = near.iter().map(|x| x.1.get(field)).collect();
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
            let way = |x: &&&Paid| Some((x.0, travel::distance(&x.1.country, &payment.country)?));
            let (time, far) = others.iter().filter_map(way).max()?;
            Some(travel::speed(far, now - time).into())
        }
        Aggregate::NewAmount => {
            let (field, amount) = (rule.field?, amount?);
            let value = payment.get(field);
            if others.is_empty() || value.is_empty() {
                return None;
            }
            let known = others.iter().any(|x| x.1.get(field) == value);
            Some(if known { 0 } else { amount.into() })
        }
        Aggregate::HourGap => {
            let hour = |time: i64| time / 3_600_000 % 24;
            let gap = |x: &&&Paid| {
                let apart = (hour(x.0) - hour(now)).rem_euclid(24);
                apart.min(24 - apart)
            };
            others.iter().map(gap).min().filter(|_| others.len() >= 5).map(i128::from)
        }
    }
}
