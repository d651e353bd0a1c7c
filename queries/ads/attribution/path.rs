//! The path of a sale: the ads its user met before it.
//!
//! Of a user who met few ads it is a walk through the log. Of others the touches are kept in order by
//! kind, and those in the windows of the sale looked at last are counted by campaign: to look at the
//! next sale costs a step for each touch that enters or leaves on the way. What is found is the same.
//! Bound: the touches.

use super::{Attribution, DAY};
use crate::monoid::{Dated, DatedLog, SumTree};
use crate::operator::Follower;
use crate::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a record is to its user; at one time, touches in this order and before sales.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// An ad: whether it was clicked, campaign and creative.
    Touch(bool, Text, Text),
    /// Amount, and its order or payment.
    Sale(i128, Text),
}

pub type Log = DatedLog<Step>;

/// What the models need to know of a path; campaigns by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// That of the first touch, the last, and the last click or, if there is none, the last touch.
    pub first: Text,
    pub last: Text,
    pub winner: Text,
    /// How many touches of each campaign, in the order of names.
    pub counts: Vec<(Text, i64)>,
}

impl Path {
    /// Divides a value among the campaigns: last touch, linear, position.
    pub fn divide(&self, value: i128) -> Vec<(Text, [i128; 3])> {
        let n: i128 = self.counts.iter().map(|(_, n)| i128::from(*n)).sum();
        let equal = value.div_euclid(n);
        let (first, middle) = match n {
            1 => (0, 0),
            2 => (value.div_euclid(2), 0),
            _ => ((value * 40).div_euclid(100), (value * 20).div_euclid(100 * (n - 2))),
        };
        // What is left when all others have theirs.
        let last = value - first - middle * (n - 2).max(0);
        let part = |(campaign, n): &(Text, i64), all: i128| {
            let is = |other: &Text| i128::from(campaign == other);
            let (is_first, is_last) = (is(&self.first), is(&self.last));
            let own = i128::from(*n);
            let linear = equal * own + is_last * (value - equal * all);
            // A path of one touch has no first that is not the last.
            let ends = if all == 1 { is_last } else { is_first + is_last };
            let position = middle * (own - ends) + is_first * first + is_last * last;
            (campaign.clone(), [is(&self.winner) * value, linear, position])
        };
        self.counts.iter().map(|counted| part(counted, n)).collect()
    }
}

/// Up to here a walk is cheaper, in memory and in time.
const FEW: usize = 32;

/// The touches of a user, while there are many.
#[derive(Default)]
pub struct Paths(Option<Box<Touches>>);

impl Paths {
    /// The path of a sale at a time, if there is any.
    pub fn path(&mut self, query: &Attribution, log: &Log, time: i64) -> Option<Path> {
        if log.len() > FEW {
            return self.touches(query, log).path(time);
        }
        self.0 = None;
        walk(query, log, time)
    }

    /// The campaign of its last click or else its last touch.
    pub fn winner(&mut self, query: &Attribution, log: &Log, time: i64) -> Option<Text> {
        if log.len() > FEW {
            return self.touches(query, log).winner(time).map(|(_, campaign, _)| campaign.clone());
        }
        self.0 = None;
        walk(query, log, time).map(|path| path.winner)
    }

    fn touches(&mut self, query: &Attribution, log: &Log) -> &mut Touches {
        self.0.get_or_insert_with(|| {
            let mut touches = Box::new(Touches::new(query));
            log.iter().for_each(|(step, n)| touches.changed(step, n));
            touches
        })
    }
}

impl Follower<Step> for Paths {
    fn changed(&mut self, step: &Dated<Step>, diff: i64) {
        if let Some(touches) = &mut self.0 {
            touches.changed(step, diff);
        }
    }
}

/// How far back a click and an impression count.
fn widths(query: &Attribution) -> [i64; 2] {
    [query.view_days, query.click_days].map(|days| i64::from(days) * DAY + 1)
}

/// The path by a walk through the log.
fn walk(query: &Attribution, log: &Log, time: i64) -> Option<Path> {
    let widths = widths(query);
    let longest = widths[0].max(widths[1]);
    let (mut ends, mut winner) = (None::<(&Text, &Text)>, None);
    let mut counts: BTreeMap<&Text, i64> = BTreeMap::new();
    for (step, _) in log.between(time.saturating_sub(longest), time) {
        let Step::Touch(click, campaign, _) = &step.item else { continue };
        if step.time > time.saturating_sub(widths[usize::from(*click)]) {
            ends = Some((ends.map_or(campaign, |(first, _)| first), campaign));
            winner = if *click { Some(campaign) } else { winner };
            *counts.entry(campaign).or_default() += 1;
        }
    }
    let (first, last) = ends?;
    Some(Path {
        first: first.clone(),
        last: last.clone(),
        winner: winner.unwrap_or(last).clone(),
        counts: counts.into_iter().map(|(campaign, n)| (campaign.clone(), n)).collect(),
    })
}

/// A touch of one kind: time, campaign, creative.
type Ad = (i64, Text, Text);

/// The touches of a kind, how often each is there, and how long they count.
struct Kind {
    width: i64,
    touches: SumTree<Ad, ()>,
}

impl Kind {
    /// The touches in `(after, until]`.
    fn between(&self, after: i64, until: i64) -> impl DoubleEndedIterator<Item = &Ad> {
        let up_to = |time: i64| self.touches.rank(|ad| ad.0 <= time);
        self.touches.walk(up_to(after)..up_to(until)).map(|(ad, _)| ad)
    }

    fn window(&self, time: i64) -> impl DoubleEndedIterator<Item = &Ad> {
        self.between(time.saturating_sub(self.width), time)
    }
}

struct Touches {
    /// Impressions and clicks.
    kinds: [Kind; 2],
    /// The windows end here.
    at: i64,
    /// The touches in them by campaign.
    inside: BTreeMap<Text, i64>,
}

impl Touches {
    fn new(query: &Attribution) -> Touches {
        let kind = |width| Kind { width, touches: SumTree::default() };
        Touches { kinds: widths(query).map(kind), at: i64::MIN, inside: BTreeMap::new() }
    }

    fn changed(&mut self, step: &Dated<Step>, diff: i64) {
        let Step::Touch(click, campaign, creative) = &step.item else { return };
        let kind = &mut self.kinds[usize::from(*click)];
        let ad = (step.time, campaign.clone(), creative.clone());
        let (before, after) = kind.touches.add(ad, diff);
        let holds = step.time <= self.at && step.time > self.at.saturating_sub(kind.width);
        if holds && (before > 0) != (after > 0) {
            count_campaign(&mut self.inside, campaign, if after > 0 { 1 } else { -1 });
        }
    }

    fn move_to(&mut self, to: i64) {
        let Touches { kinds, at, inside } = self;
        for kind in kinds {
            let (start, goal) = (at.saturating_sub(kind.width), to.saturating_sub(kind.width));
            let (leave, enter) = if *at <= to {
                ((start, goal.min(*at)), (goal.max(*at), to))
            } else {
                ((start.max(to), *at), (goal, start.min(to)))
            };
            for (_, campaign, _) in kind.between(leave.0, leave.1) {
                count_campaign(inside, campaign, -1);
            }
            for (_, campaign, _) in kind.between(enter.0, enter.1) {
                count_campaign(inside, campaign, 1);
            }
        }
        *at = to;
    }

    fn winner(&self, time: i64) -> Option<&Ad> {
        let [views, clicks] = &self.kinds;
        clicks.window(time).next_back().or_else(|| views.window(time).next_back())
    }

    fn path(&mut self, time: i64) -> Option<Path> {
        self.move_to(time);
        let (_, winner, _) = self.winner(time)?;
        // At one time impressions come before clicks.
        let ends = self.kinds.iter().zip([false, true]).map(|(kind, click)| {
            let place = |ad: &'_ Ad| (ad.0, click);
            let first = kind.window(time).next().map(|ad| (place(ad), &ad.1));
            (first, kind.window(time).next_back().map(|ad| (place(ad), &ad.1)))
        });
        let (firsts, lasts): (Vec<_>, Vec<_>) = ends.unzip();
        let (_, first) = firsts.into_iter().flatten().min_by_key(|(place, _)| *place)?;
        let (_, last) = lasts.into_iter().flatten().max_by_key(|(place, _)| *place)?;
        Some(Path {
            first: first.clone(),
            last: last.clone(),
            winner: winner.clone(),
            counts: self.inside.iter().map(|(campaign, n)| (campaign.clone(), *n)).collect(),
        })
    }
}

fn count_campaign(counts: &mut BTreeMap<Text, i64>, campaign: &Text, diff: i64) {
    let count = counts.entry(campaign.clone()).or_default();
    *count += diff;
    if *count == 0 {
        counts.remove(campaign);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Divides a value among the touches of a path, oldest first, one by one.
    fn one_by_one(value: i128, touches: &[(bool, Text)]) -> Vec<[i128; 3]> {
        let last = touches.len() - 1;
        let winner = touches.iter().rposition(|(click, _)| *click).unwrap_or(last);
        let equal = value.div_euclid(touches.len() as i128);
        let mut parts: Vec<[i128; 3]> = Vec::new();
        for at in 0..touches.len() {
            let position = match (at, last) {
                (0, 1) => value.div_euclid(2),
                (0, _) => (value * 40).div_euclid(100),
                _ => (value * 20).div_euclid(100 * (last as i128 - 1).max(1)),
            };
            parts.push([if at == winner { value } else { 0 }, equal, position]);
        }
        for model in [1, 2] {
            let others: i128 = parts[..last].iter().map(|part| part[model]).sum();
            parts[last][model] = value - others;
        }
        parts
    }

    fn path_of(touches: &[(bool, Text)]) -> Path {
        let query = Attribution { click_days: 30, view_days: 30 };
        let mut log = Log::default();
        for ((click, campaign), time) in touches.iter().zip(0..) {
            let item = Step::Touch(*click, campaign.clone(), Text::EMPTY);
            log.add(Dated { time, item, value: 0 }, 1);
        }
        walk(&query, &log, 1_000).expect("there are touches")
    }

    #[test]
    fn every_model_gives_out_exactly_the_value() {
        for length in 1..40u64 {
            for campaigns in [1, 3, 50] {
                let campaign = |t: u64| Text::from(t * 7 % campaigns);
                let touches: Vec<_> = (0..length).map(|t| (t % 5 == 2, campaign(t))).collect();
                let path = path_of(&touches);
                for value in [0, 1, 2, 99, 100, 12_345_678_901, -7, -12_345] {
                    let parts = path.divide(value);
                    for model in 0..3 {
                        let sum: i128 = parts.iter().map(|(_, part)| part[model]).sum();
                        assert_eq!(sum, value, "{length} touches, model {model}");
                    }
                    let mut want: BTreeMap<Text, [i128; 3]> = BTreeMap::new();
                    for ((_, campaign), part) in touches.iter().zip(one_by_one(value, &touches)) {
                        let sum = want.entry(campaign.clone()).or_default();
                        sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
                    }
                    assert!(parts.into_iter().eq(want));
                }
            }
        }
        let touches: Vec<_> = (0..4).map(|t| (t == 1, Text::from(t))).collect();
        let parts = path_of(&touches).divide(100);
        let want = [[0, 25, 40], [100, 25, 10], [0, 25, 10], [0, 25, 40]];
        assert!(parts.iter().map(|(_, part)| *part).eq(want));
        assert_eq!(path_of(&touches[..2]).divide(5)[0].1, [0, 2, 2]);
        assert_eq!(path_of(&touches[..2]).divide(5)[1].1, [5, 3, 3]);
    }

    #[test]
    fn moved_windows_find_the_path_that_a_walk_does() {
        let mut random = Random::new(9);
        let mut below = |n: u64| random.below(n as usize) as u64;
        let mut moved = 0;
        for round in 0..40u16 {
            let query = Attribution { click_days: round % 7, view_days: round % 3 };
            let (mut log, mut paths) = (Log::default(), Paths::default());
            let mut steps: Vec<Dated<Step>> = Vec::new();
            for _ in 0..200 {
                let known = steps.get(below(1 + steps.len() as u64) as usize);
                let (step, diff) = match (below(4), known) {
                    (0, Some(step)) => (step.clone(), below(4) as i64 - 2),
                    _ => {
                        // In hours of whole days, so that several are at the ends of windows.
                        let time = below(240) as i64 * DAY / 24;
                        let campaign = Text::from(below(5));
                        let item = match below(4) {
                            0 => Step::Sale(5, Text::EMPTY),
                            n => Step::Touch(n == 1, campaign, Text::from(below(2))),
                        };
                        (Dated { time, item, value: 0 }, 1)
                    }
                };
                let shown = log.add(step.clone(), diff);
                if shown != 0 {
                    paths.changed(&step, shown);
                }
                steps.push(step);
                for _ in 0..2 {
                    let time = below(260) as i64 * DAY / 24;
                    let want = walk(&query, &log, time);
                    let winner = want.as_ref().map(|path| path.winner.clone());
                    assert_eq!(paths.winner(&query, &log, time), winner);
                    assert_eq!(paths.path(&query, &log, time), want);
                    moved += usize::from(paths.0.is_some());
                }
            }
        }
        assert!(moved > 1_000, "{moved}");
    }
}
