//! A multiset of items in the order of their times, and the stretches it falls into.
//!
//! Two items belong to one stretch if no two neighbours between them are further apart than the
//! gap. Stretches are found outward from a place by the widest gap of whole parts of the tree, and
//! what their items add up to is kept with those parts: a change costs the same in a stretch of a
//! million items as in one of a thousand, nearly. What stretches are is a function of the items
//! alone: a late item joins two of them, one that is taken back parts them. Items with a negative
//! count (taken back ahead of their insertion) are remembered and belong to none.
//! Bound: the items that are in it.

use super::{SumTree, Summary};

/// Items by time with their counts, none of them zero; `S` is what the items of a stretch add up to.
#[derive(Clone, Debug)]
pub struct Timeline<T, S>(SumTree<(i64, T), Laid<S>>);

/// A stretch: when its first and its last item are, and what its items add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch<S> {
    /// The time of the first item.
    pub first: i64,
    /// The time of the last item.
    pub last: i64,
    /// What they add up to.
    pub sum: S,
}

/// How the items that count lie, and what they add up to.
#[derive(Clone, Debug, Default)]
struct Laid<S> {
    gaps: Gaps,
    sum: S,
}

impl<T, S: Summary<(i64, T)>> Summary<(i64, T)> for Laid<S> {
    fn push(&mut self, key: &(i64, T), count: i64) {
        if count > 0 {
            self.gaps.push(key, count);
            self.sum.push(key, count);
        }
    }

    fn append(&mut self, next: &Self) {
        self.gaps.append::<T>(&next.gaps);
        self.sum.append(&next.sum);
    }
}

/// The first and the last time of items that count, and the widest gap between neighbours.
#[derive(Clone, Copy, Debug, Default)]
struct Gaps {
    ends: Option<(i64, i64)>,
    widest: i64,
}

impl Gaps {
    fn append<T>(&mut self, next: &Gaps) {
        Summary::<(i64, T)>::append(self, next);
    }
}

impl<T> Summary<(i64, T)> for Gaps {
    fn push(&mut self, (time, _): &(i64, T), count: i64) {
        if count > 0 {
            self.append::<T>(&Gaps { ends: Some((*time, *time)), widest: 0 });
        }
    }

    fn append(&mut self, next: &Self) {
        let Some((start, end)) = next.ends else { return };
        match &mut self.ends {
            None => *self = *next,
            Some((_, last)) => {
                self.widest = self.widest.max(next.widest).max(start.saturating_sub(*last));
                *last = end;
            }
        }
    }
}

impl<T, S> Default for Timeline<T, S> {
    fn default() -> Self {
        Timeline(SumTree::default())
    }
}

impl<T: Ord + Clone, S: Summary<(i64, T)>> Timeline<T, S> {
    /// Changes the count of an item at a time.
    pub fn add(&mut self, time: i64, item: T, diff: i64) {
        self.0.add((time, item), diff);
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes out the items up to a time.
    pub fn forget(&mut self, until: i64) {
        let old = self.0.walk(0..self.0.rank(|(time, _)| *time <= until));
        let old: Vec<_> = old.map(|(item, count)| (item.clone(), *count)).collect();
        for (item, count) in old {
            self.0.add(item, -count);
        }
    }

    /// All items with their counts, in order.
    pub fn items(&self) -> impl Iterator<Item = (&(i64, T), i64)> {
        self.0.iter().map(|(item, count)| (item, *count))
    }

    /// The stretches that reach into any of these spans of time (first and last instant), which
    /// must be in the order of their beginnings. Each stretch once, in order.
    pub fn stretches(&self, spans: &[(i64, i64)], gap: i64) -> Vec<Stretch<S>> {
        let (mut found, mut done) = (Vec::new(), 0);
        for &(first, last) in spans {
            // What lies before the end of the stretch found last was looked at already, as the
            // spans ascend.
            let mut at = self.0.rank(|(time, _)| *time < first).max(done);
            loop {
                at = self.0.reach(at, |laid| &laid.gaps, |gaps| gaps.ends.is_none());
                match self.0.get(at) {
                    Some(((time, _), _)) if *time <= last => {}
                    _ => break,
                }
                let within = |gaps: &Gaps| gaps.widest <= gap;
                let start = self.0.reach_back(at + 1, |laid| &laid.gaps, within);
                at = self.0.reach(at, |laid| &laid.gaps, within);
                done = at;
                let Laid { gaps, sum } = self.0.sum(start..at);
                found.extend(gaps.ends.map(|(first, last)| Stretch { first, last, sum }));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Random;
    use super::*;
    use std::collections::BTreeMap;

    type Items = Vec<(i64, i64, i64)>;

    impl Summary<(i64, i64)> for Items {
        fn push(&mut self, (time, item): &(i64, i64), count: i64) {
            Vec::push(self, (*time, *item, count));
        }
        fn append(&mut self, next: &Self) {
            self.extend_from_slice(next);
        }
    }

    /// Sort, and cut where the gap is too wide.
    fn naive(items: &BTreeMap<(i64, i64), i64>, gap: i64) -> Vec<Items> {
        let mut out: Vec<Items> = Vec::new();
        for (&(time, item), &n) in items.iter().filter(|(_, n)| **n > 0) {
            match out.last_mut() {
                Some(last) if last.last().is_some_and(|x| time - x.0 <= gap) => {
                    last.push((time, item, n));
                }
                _ => out.push(vec![(time, item, n)]),
            }
        }
        out
    }

    #[test]
    fn stretches_are_those_of_the_sorted_items() {
        let mut random = Random(17);
        for round in 0..3_000 {
            // Few items, and now and then enough for a tree of some depth.
            let (most, end) = if round % 100 == 0 { (900, 700) } else { (40, 80) };
            let gap = random.between(0, 12);
            let (mut timeline, mut twin) = (Timeline::<i64, Items>::default(), BTreeMap::new());
            for _ in 0..random.below(most) {
                let (time, item) = (random.between(-end, end), random.between(0, 1));
                let diff = random.between(-1, 2);
                timeline.add(time, item, diff);
                *twin.entry((time, item)).or_default() += diff;
            }
            twin.retain(|_, n| *n != 0);
            assert_eq!(timeline.is_empty(), twin.is_empty());
            let mut spans: Vec<(i64, i64)> = (0..random.below(4))
                .map(|_| (random.between(-end - 10, end + 10), random.between(0, 30)))
                .map(|(first, length)| (first, first + length))
                .collect();
            spans.sort_unstable();
            let within = |x: &(i64, i64, i64)| spans.iter().any(|s| s.0 <= x.0 && x.0 <= s.1);
            let want: Vec<_> =
                naive(&twin, gap).into_iter().filter(|s| s.iter().any(within)).collect();
            let got = timeline.stretches(&spans, gap);
            let ends = |items: &Items| (items[0].0, items[items.len() - 1].0);
            assert!(got.iter().map(|s| (s.first, s.last)).eq(want.iter().map(ends)));
            let got: Vec<Items> = got.into_iter().map(|s| s.sum).collect();
            assert_eq!(got, want, "{spans:?} gap {gap}");
        }
    }
}
