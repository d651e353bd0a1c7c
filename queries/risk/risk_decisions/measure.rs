//! What a rule measures, by a walk through the log of those that agree with a payment in the
//! rule's keys. Of a key with many of them `windows` measures the same without the walk.
//!
//! Everything is whole numbers: a quotient is rounded once, at the end, so equal logs give equal
//! measures on every worker.

use super::contents::Contents;
use super::rule::{Aggregate, Rule, Stream};
use super::travel;
use crate::monoid::{Dated, DatedLog};
use crate::text::Text;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A payment or failed login; its amount is also the value of its log entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fact {
    /// The stream.
    pub stream: Stream,
    /// What it says.
    pub contents: Arc<Contents>,
}

impl Fact {
    /// The payment's id.
    pub fn id(&self) -> &Text {
        &self.contents.id
    }

    /// Whether the amount is known.
    pub fn is_priced(&self) -> bool {
        self.contents.amount.is_some()
    }
}

/// Others from which on a history says something.
pub const ENOUGH: usize = 5;

impl std::hash::Hash for Stream {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (*self as u8).hash(state);
    }
}

pub(super) type Log = DatedLog<Fact>;

/// One rule's measure of a payment.
pub fn measure(rule: &Rule, log: &Log, at: &Dated<Fact>) -> Option<i128> {
    let width = rule.window.signed();
    let neighbours =
        log.between(at.time.saturating_sub(width), at.time).filter(|(x, _)| is_neighbour(rule, x));
    let others = || neighbours.clone().filter(|(x, _)| x.item.id() != at.item.id());
    let amounts = || -> Vec<(i64, i64)> {
        others().filter(|(x, _)| x.item.is_priced()).map(|(x, n)| (x.value, n)).collect()
    };
    let amount = at.item.is_priced().then_some(at.value);
    match rule.aggregate {
        Aggregate::Count => Some(neighbours.map(|(_, n)| i128::from(n)).sum()),
        Aggregate::Sum => Some(neighbours.map(|(x, n)| i128::from(x.value) * i128::from(n)).sum()),
        Aggregate::Distinct => {
            let field = rule.field?;
            let mut values: Vec<Text> =
                neighbours.map(|(x, _)| x.item.contents.get(field)).collect();
            values.retain(|value| !value.is_empty());
            values.sort_unstable();
            values.dedup();
            Some(values.len() as i128)
        }
        Aggregate::Zscore => zscore(amount?, &amounts()),
        Aggregate::MedianRatio => median_ratio(amount?, amounts()),
        Aggregate::Speed => {
            let here = &at.item.contents.country;
            let known = |x: &Dated<Fact>| travel::distance(&x.item.contents.country, here);
            let mut latest =
                others().rev().filter_map(|(x, _)| Some((x.time, known(x)?))).peekable();
            let time = latest.peek()?.0;
            let far = latest.take_while(|(t, _)| *t == time).map(|(_, km)| km).max()?;
            Some(travel::speed(far, at.time - time).into())
        }
        Aggregate::NewAmount => {
            let (field, amount) = (rule.field?, amount?);
            let value = at.item.contents.get(field);
            others().next().filter(|_| !value.is_empty())?;
            let is_new = others().all(|(x, _)| x.item.contents.get(field) != value);
            Some(if is_new { amount.into() } else { 0 })
        }
        Aggregate::HourGap => {
            let mut hours = [0i64; 24];
            others().for_each(|(x, n)| hours[hour_of_day(x.time)] += n);
            hour_gap(hour_of_day(at.time), &hours)
        }
    }
}

/// Whether a rule counts a fact that is in its window.
pub fn is_neighbour(rule: &Rule, x: &Dated<Fact>) -> bool {
    x.item.stream == rule.stream
        && rule.at_most.is_none_or(|most| x.item.is_priced() && x.value <= most)
}

/// Hours on the clock from `here` to the nearest hour at which one was, from enough of them on.
pub fn hour_gap(here: usize, hours: &[i64; 24]) -> Option<i128> {
    let gap = |hour: usize| here.abs_diff(hour).min(24 - here.abs_diff(hour)) as i64;
    let nearest = (0..24).filter(|hour| hours[*hour] > 0).map(gap).min()?;
    (hours.iter().sum::<i64>() >= ENOUGH as i64).then_some(nearest.into())
}

/// 0 to 23, UTC.
pub fn hour_of_day(time: i64) -> usize {
    (time.div_euclid(3_600_000)).rem_euclid(24) as usize
}

/// With n, S and Q the others' count, sum and sum of squares, the square of z is
/// (n x - S)^2 (n - 1) / (n (n Q - S^2)): whole numbers, of which one root is taken.
fn zscore(x: i64, others: &[(i64, i64)]) -> Option<i128> {
    let n: i128 = others.iter().map(|(_, n)| i128::from(*n)).sum();
    let sum: i128 = others.iter().map(|(x, n)| i128::from(*x) * i128::from(*n)).sum();
    let squares = others.iter().try_fold(0i128, |sum, (x, n)| {
        sum.checked_add(i128::from(*x).checked_mul(i128::from(*x))?.checked_mul(i128::from(*n))?)
    })?;
    z_of(x, n, sum, squares)
}

/// The same from n, S and Q; none where a number on the way does not fit into 128 bits.
pub fn z_of(x: i64, n: i128, sum: i128, squares: i128) -> Option<i128> {
    if n < ENOUGH as i128 {
        return None;
    }
    let spread = n.checked_mul(squares)?.checked_sub(sum.checked_mul(sum)?)?;
    let above = n.checked_mul(i128::from(x))?.checked_sub(sum)?;
    let top = above.checked_mul(above)?.checked_mul(n - 1)?.checked_mul(1_000_000)?;
    let root = top.checked_div(n.checked_mul(spread)?)?.isqrt();
    Some(root * above.signum())
}

fn median_ratio(x: i64, mut others: Vec<(i64, i64)>) -> Option<i128> {
    others.sort_unstable();
    let n: i64 = others.iter().map(|(_, n)| n).sum();
    if n < ENOUGH as i64 {
        return None;
    }
    let ranked = |rank: i64| {
        let mut before = 0;
        let reached = |(_, n): &&(i64, i64)| {
            before += n;
            before > rank
        };
        others.iter().find(reached).map(|(x, _)| i128::from(*x))
    };
    let twice = ranked((n - 1) / 2)? + ranked(n / 2)?;
    (twice > 0).then(|| i128::from(x) * 2000 / twice)
}
