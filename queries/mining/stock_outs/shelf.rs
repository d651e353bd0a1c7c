//! A shelf: what was on hand when, and the spans in which that was nothing.

use super::{Output, StockOuts};
use crate::monoid::{Bag, SumTree, Summary};
use crate::operator::Kept;
use crate::text::Text;

/// The changes of a shelf, by their times.
#[derive(Default)]
pub struct Shelf(SumTree<(i64, i64), Levels>);

/// What changes come to, and the least and the most on hand after each time among them, counted
/// from what was there before. What happens at one time happens at once: the last time counts when
/// another follows.
#[derive(Clone, Debug, Default)]
struct Levels {
    ends: Option<(i64, i64)>,
    sum: i128,
    range: Option<(i128, i128)>,
}

impl Levels {
    fn see(&mut self, low: i128, high: i128) {
        let (least, most) = self.range.unwrap_or((low, high));
        self.range = Some((least.min(low), most.max(high)));
    }
}

impl Summary<(i64, i64)> for Levels {
    fn push(&mut self, (time, change): &(i64, i64), count: i64) {
        let sum = i128::from(*change) * i128::from(count);
        self.append(&Levels { ends: Some((*time, *time)), sum, range: None });
    }

    fn append(&mut self, next: &Self) {
        let Some((first, last)) = next.ends else { return };
        let start = match self.ends {
            Some((start, end)) => {
                if end != first {
                    self.see(self.sum, self.sum);
                }
                start
            }
            None => first,
        };
        if let Some((low, high)) = next.range {
            self.see(self.sum + low, self.sum + high);
        }
        self.ends = Some((start, last));
        self.sum += next.sum;
    }
}

/// A span in which nothing is on hand, and its end if there is one.
type Span = (i64, Option<i64>);

/// Whether nothing is on hand.
fn is_out(on_hand: i128) -> bool {
    on_hand <= 0
}

impl Shelf {
    /// From a place at which so much is on hand: the place after the next time at which the shelf
    /// turns from empty to not empty or back, that time, and what is on hand then.
    fn turn(&self, from: usize, on_hand: i128) -> Option<(usize, i64, i128)> {
        let stays = |levels: &Levels| {
            levels.range.is_none_or(|(low, high)| {
                is_out(on_hand + low) == is_out(on_hand)
                    && is_out(on_hand + high) == is_out(on_hand)
            })
        };
        let end = self.0.reach(from, |levels| levels, stays);
        let then = on_hand + self.0.sum(from..end).sum;
        let ((time, _), _) = self.0.get(end.checked_sub(1)?)?;
        (end > from && is_out(then) != is_out(on_hand)).then_some((end, *time, then))
    }

    /// The spans that a change from one instant to another can touch, in order.
    fn spans(&self, from: i64, until: i64) -> Vec<Span> {
        let mut at = self.0.rank(|(time, _)| *time < from);
        let mut on_hand = self.0.sum(0..at).sum;
        // A span that begins later than the first time after the change is none that it touches.
        let next = self.0.get(self.0.rank(|(time, _)| *time <= until));
        let limit = next.map_or(i64::MAX, |((time, _), _)| *time);
        let (mut spans, mut since) = (Vec::new(), None);
        if at > 0 && is_out(on_hand) {
            // Since when: back to the time after which there was something.
            let was_out = |levels: &Levels| {
                levels.range.is_none_or(|(_, high)| is_out(on_hand - levels.sum + high))
            };
            let start = self.0.reach_back(at, |levels| levels, was_out);
            since = self.0.get(start).map(|((time, _), _)| *time);
        } else if at == 0 {
            // Before the first record nothing is known; the shelf is as it leaves it.
            let Some(&((first, _), _)) = self.0.get(0) else { return spans };
            at = self.0.rank(|(time, _)| *time <= first);
            on_hand = self.0.sum(0..at).sum;
            since = is_out(on_hand).then_some(first);
        }
        loop {
            let turn = self.turn(at, on_hand);
            match (since.take(), turn) {
                (Some(since), Some((_, until, _))) => spans.push((since, Some(until))),
                (Some(since), None) => spans.push((since, None)),
                (None, Some((_, time, _))) if time <= limit => since = Some(time),
                (None, _) => return spans,
            }
            let Some((place, _, then)) = turn else { return spans };
            (at, on_hand) = (place, then);
        }
    }

    /// Until when a change touches what is on hand: for good, unless it leaves all later times as
    /// empty or not as they were.
    fn touched_until(&self, last: i64, change: i128) -> i64 {
        let after = self.0.rank(|(time, _)| *time <= last);
        let on_hand = self.0.sum(0..after).sum;
        let Levels { sum, range, ends } = self.0.sum(after..self.0.len());
        let (low, high) = range.unwrap_or((sum, sum));
        let (low, high) = (on_hand + low.min(sum), on_hand + high.max(sum));
        let same =
            |level: i128| is_out(level) == is_out(low) && is_out(level + change) == is_out(low);
        if ends.is_none() || change == 0 || (same(low) && same(high)) { last } else { i64::MAX }
    }
}

impl Kept<(Text, Text), Bag<(i64, i64)>> for Shelf {
    type Row = Output;
    type Rules = StockOuts;

    fn change(
        &mut self,
        query: &StockOuts,
        shelf: &(Text, Text),
        changes: Vec<Bag<(i64, i64)>>,
        old: &mut Vec<Output>,
        new: &mut Vec<Output>,
    ) {
        let changes: Vec<((i64, i64), i64)> = changes.into_iter().flatten().collect();
        let times = || changes.iter().map(|((time, _), _)| *time);
        let (Some(first), Some(last)) = (times().min(), times().max()) else { return };
        let total =
            changes.iter().map(|((_, change), n)| i128::from(*change) * i128::from(*n)).sum();
        let until = self.touched_until(last, total);
        let rows = |shelf_now: &Shelf, rows: &mut Vec<Output>| {
            let spans = shelf_now.spans(first, until).into_iter();
            rows.extend(spans.filter_map(|(since, until)| query.row(shelf, since, until)));
        };
        rows(self, old);
        for (change, diff) in changes {
            self.0.add(change, diff);
        }
        rows(self, new);
    }

    fn contents(&self) -> Bag<(i64, i64)> {
        self.0.iter().map(|(change, count)| (*change, *count)).collect()
    }

    fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Millis;
    use crate::random::Random;
    use std::collections::BTreeMap;

    /// The spans of a shelf's changes, by adding them up one after the other.
    fn walk(changes: &BTreeMap<(i64, i64), i64>) -> Vec<Span> {
        let (mut on_hand, mut since, mut spans) = (0, None, Vec::new());
        let mut changes = changes.iter().peekable();
        while let Some(((time, change), n)) = changes.next() {
            on_hand += i128::from(*change) * i128::from(*n);
            if changes.peek().is_some_and(|((next, _), _)| next == time) {
                continue;
            }
            if is_out(on_hand) {
                since = since.or(Some(*time));
            } else if let Some(since) = since.take() {
                spans.push((since, Some(*time)));
            }
        }
        spans.extend(since.map(|since| (since, None)));
        spans
    }

    #[test]
    fn kept_spans_are_those_of_a_walk() {
        let mut random = Random::new(3);
        let mut below = |n: u64| random.below(n as usize) as u64;
        let query = StockOuts { least: Millis(0) };
        let key = (Text::new("item"), Text::EMPTY);
        let mut most = 0;
        for round in 0..120 {
            let mut shelf = Shelf::default();
            let mut twin: BTreeMap<(i64, i64), i64> = BTreeMap::new();
            let mut view: BTreeMap<(i64, Option<i64>), i64> = BTreeMap::new();
            // Changes around nothing, or a stock that is seldom used up.
            let (end, middle) = ([30, 400][round % 2], [4, 3, 5][round % 3]);
            for _ in 0..150 {
                let mut changes = Bag::default();
                for _ in 0..=below(3) {
                    let known = twin.keys().nth(below(1 + twin.len() as u64) as usize).copied();
                    let (change, diff) = match known {
                        Some(change) if below(4) == 0 => (change, -twin[&change]),
                        _ => ((below(end) as i64, below(9) as i64 - middle), 1),
                    };
                    changes.add(change, diff);
                    *twin.entry(change).or_insert(0) += diff;
                    twin.retain(|_, n| *n != 0);
                }
                let (mut old, mut new) = (Vec::new(), Vec::new());
                shelf.change(&query, &key, vec![changes], &mut old, &mut new);
                let span = |row: &Output| (row.since.0, row.until.map(|until| until.0));
                old.iter().for_each(|row| *view.entry(span(row)).or_default() -= 1);
                new.iter().for_each(|row| *view.entry(span(row)).or_default() += 1);
                view.retain(|_, n| *n != 0);
                let want: BTreeMap<Span, i64> = walk(&twin).into_iter().map(|s| (s, 1)).collect();
                assert_eq!(view, want, "round {round}: {twin:?}");
                assert_eq!(shelf.is_nothing(), twin.is_empty());
                most = most.max(want.len());
            }
        }
        assert!(most > 10, "{most}");
    }
}
