//! What the rules of one group measure of a key with many payments: without a walk for each.
//!
//! For each rule the contents of its window as of some time are kept added up. To judge a payment
//! the windows are moved to its time, which costs a step for each fact that enters or leaves on
//! the way: one or two where payments come in the order of their times, and at most the facts of
//! two windows wherever they were. What is measured is that of `measure`. Bound: per rule the
//! facts of one window.

use super::Group;
use super::measure::{ENOUGH, Fact, Log, hour_gap, hour_of_day, is_neighbour, measure, z_of};
use super::rule::{Aggregate, Field, Rule, Stream};
use super::travel;
use crate::monoid::{Dated, Distinct, Quantiles, Wide};
use crate::operator::Follower;
use crate::text::Text;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Up to here a walk is cheaper, in memory and in time.
const FEW: usize = 32;

/// The windows of a key, while it has many facts.
#[derive(Default)]
pub struct Windows(Option<Box<Moving>>);

impl Windows {
    /// What each rule of the group measures of a payment in the log, where it can.
    pub fn measures(
        &mut self,
        group: &Arc<Group>,
        log: &Log,
        at: &Dated<Fact>,
    ) -> Box<[(usize, i128)]> {
        if log.len() > FEW {
            let moving = self.0.get_or_insert_with(|| Box::new(Moving::new(group, log)));
            return moving.measures(log, at);
        }
        self.0 = None;
        let of = |(i, rule): &(usize, Rule)| Some((*i, measure(rule, log, at)?));
        group.rules.iter().filter_map(of).collect()
    }
}

impl Follower<Fact> for Windows {
    fn changed(&mut self, fact: &Dated<Fact>, diff: i64) {
        if let Some(moving) = &mut self.0 {
            moving.changed(fact, diff);
        }
    }
}

struct Moving {
    group: Arc<Group>,
    /// The windows end here, and what is at this time is in them.
    at: i64,
    /// By rule.
    contents: Vec<Contents>,
    /// The widths of windows, each with the places of the rules that have it.
    widths: BTreeMap<i64, Vec<usize>>,
    /// How far back any rule looks at the others, those of another id.
    widest: Option<i64>,
    /// The payments of the key by id and time: which are not others. None where nobody asks.
    ids: BTreeMap<(Text, i64), i64>,
}

impl Moving {
    fn new(group: &Arc<Group>, log: &Log) -> Moving {
        let contents = group.rules.iter().map(|(_, rule)| Contents::new(rule));
        let mut widths: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (i, (_, rule)) in group.rules.iter().enumerate() {
            widths.entry(rule.window.signed()).or_default().push(i);
        }
        let others = group.rules.iter().filter(|(_, rule)| compares(rule.aggregate));
        let mut moving = Moving {
            group: Arc::clone(group),
            at: i64::MIN,
            contents: contents.collect(),
            widths,
            widest: others.map(|(_, rule)| rule.window.signed()).max(),
            ids: BTreeMap::new(),
        };
        log.iter().for_each(|(fact, n)| moving.count_id(fact, n));
        moving
    }

    fn changed(&mut self, fact: &Dated<Fact>, diff: i64) {
        let at = self.at;
        let holds = |width: i64| fact.time <= at && fact.time > at.saturating_sub(width);
        for ((_, rule), contents) in self.group.rules.iter().zip(&mut self.contents) {
            if holds(rule.window.signed()) && is_neighbour(rule, fact) {
                contents.add(fact, diff);
            }
        }
        self.count_id(fact, diff);
    }

    fn count_id(&mut self, fact: &Dated<Fact>, diff: i64) {
        let is_own = fact.item.stream == Stream::Transactions && !fact.item.id().is_empty();
        if self.widest.is_some() && is_own {
            change(&mut self.ids, (fact.item.id().clone(), fact.time), diff);
        }
    }

    fn move_to(&mut self, log: &Log, to: i64) {
        let Moving { group, contents, widths, .. } = self;
        for (width, rules) in widths {
            slide(log, self.at, to, *width, |fact, n| {
                for i in &*rules {
                    if is_neighbour(&group.rules[*i].1, fact) {
                        contents[*i].add(fact, n);
                    }
                }
            });
        }
        self.at = to;
    }

    fn measures(&mut self, log: &Log, at: &Dated<Fact>) -> Box<[(usize, i128)]> {
        self.move_to(log, at.time);
        let id = at.item.id();
        let wanted = (Stream::Transactions, id);
        let from = at.time.saturating_sub(self.widest.unwrap_or(0)).saturating_add(1);
        let times = match self.widest {
            Some(_) => Some(self.ids.range((id.clone(), from)..=(id.clone(), at.time))),
            None => None,
        };
        let own: Vec<(&Dated<Fact>, i64)> = times
            .into_iter()
            .flatten()
            .flat_map(|((_, time), _)| log.matching(*time, |x| (x.stream, x.id()).cmp(&wanted)))
            .collect();
        let rules = self.group.rules.iter().zip(&mut self.contents);
        let of = |((i, rule), contents): (&(usize, Rule), &mut Contents)| {
            let from = at.time.saturating_sub(rule.window.signed());
            let aside = |(x, _): &&(&Dated<Fact>, i64)| {
                compares(rule.aggregate) && x.time > from && is_neighbour(rule, x)
            };
            own.iter().filter(aside).for_each(|(x, n)| contents.add(x, -n));
            let measure = contents.measure(at);
            own.iter().filter(aside).for_each(|(x, n)| contents.add(x, *n));
            Some((*i, measure?))
        };
        rules.filter_map(of).collect()
    }
}

/// Whether a payment is compared with the others only.
fn compares(aggregate: Aggregate) -> bool {
    use Aggregate::*;
    match aggregate {
        Count | Sum | Distinct => false,
        Zscore | MedianRatio | Speed | NewAmount | HourGap => true,
    }
}

fn change<K: Ord>(counts: &mut BTreeMap<K, i64>, key: K, diff: i64) {
    use std::collections::btree_map::Entry;
    match counts.entry(key) {
        Entry::Vacant(entry) => {
            entry.insert(diff);
        }
        Entry::Occupied(mut entry) => {
            *entry.get_mut() += diff;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

/// Tells what leaves and what enters when `(from - width, from]` becomes `(to - width, to]`.
fn slide(log: &Log, from: i64, to: i64, width: i64, mut tell: impl FnMut(&Dated<Fact>, i64)) {
    let (start, goal) = (from.saturating_sub(width), to.saturating_sub(width));
    let (leave, enter) = if from <= to {
        ((start, goal.min(from)), (goal.max(from), to))
    } else {
        ((start.max(to), from), (goal, start.min(to)))
    };
    log.between(leave.0, leave.1).for_each(|(x, n)| tell(x, -n));
    log.between(enter.0, enter.1).for_each(|(x, n)| tell(x, n));
}

/// What is in a rule's window, as far as its measure needs it.
enum Contents {
    /// A rule that lacks its field.
    Nothing,
    Count(i128),
    Sum(i128),
    /// The field, and its values.
    Distinct(Field, Distinct<Text>),
    /// How many have an amount, the sum and the sum of squares.
    Spread(i128, i128, Wide),
    Amounts(Quantiles),
    /// Where one was: time, country, id.
    Travels(BTreeMap<(i64, Text, Text), i64>),
    /// The field, how many there are, and the field's values.
    Known(Field, i64, Distinct<Text>),
    Hours([i64; 24]),
}

impl Contents {
    fn new(rule: &Rule) -> Contents {
        let of = |contents: fn(Field) -> Contents| rule.field.map_or(Contents::Nothing, contents);
        match rule.aggregate {
            Aggregate::Count => Contents::Count(0),
            Aggregate::Sum => Contents::Sum(0),
            Aggregate::Distinct => of(|field| Contents::Distinct(field, Distinct::default())),
            Aggregate::Zscore => Contents::Spread(0, 0, Wide::default()),
            Aggregate::MedianRatio => Contents::Amounts(Quantiles::default()),
            Aggregate::Speed => Contents::Travels(BTreeMap::new()),
            Aggregate::NewAmount => of(|field| Contents::Known(field, 0, Distinct::default())),
            Aggregate::HourGap => Contents::Hours([0; 24]),
        }
    }

    fn add(&mut self, x: &Dated<Fact>, n: i64) {
        let value = i128::from(x.value);
        match self {
            Contents::Nothing => {}
            Contents::Count(count) => *count += i128::from(n),
            Contents::Sum(sum) => *sum += value * i128::from(n),
            Contents::Distinct(field, values) => add_value(values, &x.item.contents.get(*field), n),
            Contents::Spread(..) | Contents::Amounts(_) if !x.item.is_priced() => {}
            Contents::Spread(count, sum, squares) => {
                *count += i128::from(n);
                *sum += value * i128::from(n);
                squares.add_times(value * value, n);
            }
            Contents::Amounts(amounts) => amounts.add(x.value, n),
            Contents::Travels(places) => {
                let place = &x.item.contents.country;
                if travel::is_known(place) {
                    change(places, (x.time, place.clone(), x.item.id().clone()), n);
                }
            }
            Contents::Known(field, count, values) => {
                *count += n;
                add_value(values, &x.item.contents.get(*field), n);
            }
            Contents::Hours(hours) => hours[hour_of_day(x.time)] += n,
        }
    }

    /// The measure of a payment, which is not in the contents itself if it is compared with others.
    fn measure(&self, at: &Dated<Fact>) -> Option<i128> {
        let amount = at.item.contents.amount;
        match self {
            Contents::Nothing => None,
            Contents::Count(n) | Contents::Sum(n) => Some(*n),
            Contents::Distinct(_, values) => Some(values.distinct() as i128),
            Contents::Spread(n, sum, squares) => z_of(amount?, *n, *sum, squares.get()?),
            Contents::Amounts(amounts) => {
                let (amount, (low, high)) = (amount?, amounts.median()?);
                let twice = i128::from(low) + i128::from(high);
                (amounts.total() >= ENOUGH as i64 && twice > 0)
                    .then(|| i128::from(amount) * 2000 / twice)
            }
            Contents::Travels(places) => {
                let here = &at.item.contents.country;
                let (time, ..) = places.last_key_value()?.0;
                let latest = places.keys().rev().take_while(|(t, ..)| t == time);
                let far = latest.filter_map(|(_, there, _)| travel::distance(there, here)).max()?;
                Some(travel::speed(far, at.time - time).into())
            }
            Contents::Known(field, others, values) => {
                let (amount, value) = (amount?, at.item.contents.get(*field));
                let is_known = values.count(&value) > 0;
                (*others > 0 && !value.is_empty()).then_some(if is_known {
                    0
                } else {
                    amount.into()
                })
            }
            Contents::Hours(hours) => hour_gap(hour_of_day(at.time), hours),
        }
    }
}

/// Absent values are none.
fn add_value(values: &mut Distinct<Text>, value: &Text, n: i64) {
    if !value.is_empty() {
        values.add(value, n);
    }
}

#[cfg(test)]
mod tests {
    use super::super::contents::Contents as Facts;
    use super::super::rule::{Comparison, Outcome};
    use super::super::{RiskDecisions, groups};
    use super::*;
    use crate::clock::Millis;
    use crate::random::Random;

    /// A rule of each kind that looks at a user, with a window of each of three widths.
    fn group() -> Arc<Group> {
        use Aggregate::*;
        let plain = RiskDecisions::default().in_force().remove(0);
        let kinds = [Count, Sum, Distinct, Zscore, MedianRatio, Speed, NewAmount, HourGap];
        let mut rules = Vec::new();
        for aggregate in kinds {
            for (at_most, window) in [(None, 900), (Some(50), 40), (None, 5)] {
                rules.push(Rule {
                    id: format!("{aggregate:?}{window}"),
                    stream: Stream::Transactions,
                    keys: vec![Field::UserId],
                    field: Some(Field::Device),
                    at_most,
                    aggregate,
                    comparison: Comparison::Above,
                    outcome: Outcome::Review,
                    window: Millis::hours(window),
                    ..plain.clone()
                });
            }
        }
        for aggregate in [Count, Distinct] {
            let stream = Stream::Logins;
            rules.push(Rule { stream, aggregate, at_most: None, ..rules[6].clone() });
        }
        Arc::new(groups(&rules).remove(0))
    }

    #[test]
    fn moved_windows_measure_what_a_walk_does() {
        let group = group();
        let mut random = Random::new(5);
        let mut below = |n: u64| random.below(n as usize) as u64;
        let mut measured = 0;
        for round in 0..30 {
            let (mut log, mut windows) = (Log::default(), Windows::default());
            let end = [50, 500, 3_000][round % 3];
            let mut facts: Vec<Dated<Fact>> = Vec::new();
            for _ in 0..300 {
                let known = below(1 + facts.len() as u64) as usize;
                let (fact, diff) = match (below(4), facts.get(known)) {
                    (0, Some(fact)) => (fact.clone(), below(4) as i64 - 2),
                    _ => {
                        let is_login = below(8) == 0;
                        let pick = |of: &[&str], n: u64| Text::new(of[n as usize % of.len()]);
                        let places = ["DE", "US", "", "XX", "JP"];
                        let priced = !is_login && below(9) > 0;
                        let contents = Facts {
                            id: match (is_login, below(60)) {
                                (true, _) | (_, 0) => Text::EMPTY,
                                (_, n) => Text::new(&format!("t{n}")),
                            },
                            amount: priced.then(|| below(100) as i64),
                            device: pick(&["d1", "d2", "d3", ""], below(4)),
                            country: pick(&places, if is_login { 2 } else { below(5) }),
                            order_id: pick(&["o1", "o2", "o3"], below(3)),
                            ..Facts::default()
                        };
                        let value = contents.amount.unwrap_or(0);
                        let item = Fact {
                            stream: if is_login { Stream::Logins } else { Stream::Transactions },
                            contents: Arc::new(contents),
                        };
                        (Dated { time: below(end) as i64 * 3_600_000, item, value }, 1)
                    }
                };
                let shown = log.add(fact.clone(), diff);
                if shown != 0 {
                    windows.changed(&fact, shown);
                }
                facts.push(fact);
                // From where it stands forward or back, by a little or far.
                let start = below(end) as i64 * 3_600_000;
                for (at, _) in log.between(start, start + 9_000_000).take(3) {
                    if at.item.stream == Stream::Transactions && !at.item.id().is_empty() {
                        let of = |(i, rule): &(usize, Rule)| Some((*i, measure(rule, &log, at)?));
                        let want: Vec<_> = group.rules.iter().filter_map(of).collect();
                        assert_eq!(windows.measures(&group, &log, at)[..], want[..]);
                        measured += usize::from(windows.0.is_some());
                    }
                }
            }
        }
        assert!(measured > 1_000, "{measured}");
    }
}
