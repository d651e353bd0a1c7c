//! A multiset of items in the order of their times, and the stretches it falls into.
//!
//! Two items belong to one stretch if no two neighbours between them are further apart than the
//! gap. Stretches are found by walking outward from a place, so what they are is a function of
//! the items alone: a late item joins two of them, one that is taken back parts them. Items with
//! a negative count (taken back ahead of their insertion) are remembered and belong to none.
//! A change costs a binary search and a shift (none at the end), a stretch its length.
//! Bound: the items that are in it.

use std::ops::Range;

/// Items by time with their counts, none of them zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline<T>(Vec<(i64, T, i64)>);

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Timeline(Vec::new())
    }
}

impl<T: Ord> Timeline<T> {
    /// Changes the count of an item at a time.
    pub fn add(&mut self, time: i64, item: T, diff: i64) {
        let at = self.0.partition_point(|(t, x, _)| (*t, x) < (time, &item));
        match self.0.get_mut(at) {
            Some((t, x, count)) if *t == time && *x == item => {
                *count += diff;
                if *count == 0 {
                    self.0.remove(at);
                }
            }
            _ if diff == 0 => {}
            _ => self.0.insert(at, (time, item, diff)),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The items of a range of places with their counts; those that count.
    pub fn items(&self, places: Range<usize>) -> impl Iterator<Item = (i64, &T, i64)> + Clone {
        self.0[places].iter().filter(|(_, _, n)| *n > 0).map(|(time, item, n)| (*time, item, *n))
    }

    /// The stretches that reach into any of these spans of time (first and last instant), which
    /// must be in the order of their beginnings. Each stretch once, in order.
    pub fn stretches(&self, spans: &[(i64, i64)], gap: i64) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for &(first, last) in spans {
            let mut at = self.0.partition_point(|(time, ..)| *time < first);
            loop {
                // What lies before the end of the stretch found last was looked at already, as
                // the spans ascend.
                at = at.max(found.last().map_or(0, |range| range.end));
                match self.0.get(at) {
                    Some((time, _, n)) if *time <= last => {
                        if *n > 0 {
                            found.push(self.around(at, gap));
                        }
                        at += 1;
                    }
                    _ => break,
                }
            }
        }
        found
    }

    /// The stretch of the item at a place.
    fn around(&self, at: usize, gap: i64) -> Range<usize> {
        let (mut start, mut end) = (at, at + 1);
        let mut time = self.0[at].0;
        for i in (0..at).rev() {
            let (t, _, n) = &self.0[i];
            if time - t > gap {
                break;
            }
            if *n > 0 {
                (start, time) = (i, *t);
            }
        }
        time = self.0[at].0;
        for (i, (t, _, n)) in self.0.iter().enumerate().skip(at + 1) {
            if t - time > gap {
                break;
            }
            if *n > 0 {
                (end, time) = (i + 1, *t);
            }
        }
        start..end
    }

    /// The first and the last time of a stretch.
    pub fn extent(&self, places: &Range<usize>) -> (i64, i64) {
        // A stretch has at least one item.
        (self.0[places.start].0, self.0[places.end - 1].0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Random;
    use super::*;
    use std::collections::BTreeMap;

    type Stretch = Vec<(i64, i64, i64)>;

    /// Sort, and cut where the gap is too wide.
    fn naive(items: &BTreeMap<(i64, i64), i64>, gap: i64) -> Vec<Stretch> {
        let mut out: Vec<Stretch> = Vec::new();
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
        for _ in 0..3_000 {
            let gap = random.between(0, 12);
            let (mut timeline, mut twin) = (Timeline::default(), BTreeMap::new());
            for _ in 0..random.below(40) {
                let (time, item) = (random.between(-80, 80), random.between(0, 1));
                let diff = random.between(-1, 2);
                timeline.add(time, item, diff);
                *twin.entry((time, item)).or_default() += diff;
            }
            twin.retain(|_, n| *n != 0);
            assert_eq!(timeline.is_empty(), twin.is_empty());
            let mut spans: Vec<(i64, i64)> = (0..random.below(4))
                .map(|_| (random.between(-90, 90), random.between(0, 30)))
                .map(|(first, length)| (first, first + length))
                .collect();
            spans.sort_unstable();
            let within = |x: &(i64, i64, i64)| spans.iter().any(|s| s.0 <= x.0 && x.0 <= s.1);
            let want: Vec<_> =
                naive(&twin, gap).into_iter().filter(|s| s.iter().any(within)).collect();
            let got = timeline.stretches(&spans, gap);
            let items = |places: &Range<usize>| -> Stretch {
                timeline.items(places.clone()).map(|(t, x, n)| (t, *x, n)).collect()
            };
            assert_eq!(got.iter().map(items).collect::<Vec<_>>(), want, "{spans:?} gap {gap}");
            for (places, stretch) in got.iter().zip(&want) {
                let last = stretch[stretch.len() - 1];
                assert_eq!(timeline.extent(places), (stretch[0].0, last.0));
            }
        }
    }
}
