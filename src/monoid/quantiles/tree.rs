//! A counted tree of three flat levels: segments, buckets, entries.
//!
//! Each level is an array of lower bounds with an array of totals beside it. The bounds are the
//! digits of a radix tree that follow the data: a level always splits in halves, so skew, sign
//! and outliers cost nothing, and a burst for one group meets a few kilobytes of directory plus
//! one line per value. Totals are exact after every update, so a rank is found by two scans of
//! totals and a look into one bucket. Counts here are positive; `Quantiles` keeps the others.

use super::bucket::{Bucket, CAPACITY, SPLIT_ABOVE};

/// Buckets in a segment before it splits.
const FAN_OUT: usize = 128;

/// The child whose range holds `value`. The first bound is read as minus infinity, so the answer
/// is in range whenever there is a child at all.
#[inline]
fn locate(lows: &[i64], value: i64) -> usize {
    lows.partition_point(|&low| low <= value).saturating_sub(1)
}

/// Finds the child holding `rank` and the rank within it.
#[inline]
fn descend(totals: &[u64], mut rank: u64) -> Option<(usize, u64)> {
    const BLOCK: usize = 16;
    let mut base = 0;
    // Whole blocks first: their sums need no branch per total.
    for block in totals.chunks(BLOCK) {
        let sum = block.iter().fold(0u64, |sum, &t| sum.wrapping_add(t));
        if rank < sum {
            for (at, &total) in block.iter().enumerate() {
                if rank < total {
                    return Some((base + at, rank));
                }
                rank -= total;
            }
        }
        rank = rank.wrapping_sub(sum);
        base += BLOCK;
    }
    None
}

#[derive(Clone, Debug, Default)]
struct Segment {
    lows: Vec<i64>,
    totals: Vec<u64>,
    buckets: Vec<Bucket>,
}

impl Segment {
    fn of(bucket: Bucket) -> Segment {
        Segment { lows: vec![i64::MIN], totals: vec![bucket.total()], buckets: vec![bucket] }
    }

    /// Finds the bucket for `value` and makes room in it for one more entry.
    #[inline]
    fn place(&mut self, value: i64) -> usize {
        let at = locate(&self.lows, value);
        if self.buckets[at].is_full() { self.make_room(at, value) } else { at }
    }

    #[cold]
    fn make_room(&mut self, at: usize, value: i64) -> usize {
        let bucket = &mut self.buckets[at];
        bucket.settle();
        if bucket.len() <= SPLIT_ABOVE {
            return at;
        }
        let upper = bucket.split();
        self.totals[at] = bucket.total();
        // The upper half of more than SPLIT_ABOVE values is not empty.
        let low = upper.first().unwrap_or(value);
        self.lows.insert(at + 1, low);
        self.totals.insert(at + 1, upper.total());
        self.buckets.insert(at + 1, upper);
        if value >= low { at + 1 } else { at }
    }

    /// Joins a bucket that has become small with a neighbour.
    fn tidy(&mut self, at: usize) {
        let small = |bucket: Option<&Bucket>| bucket.is_some_and(|b| b.len() <= CAPACITY / 4);
        if self.buckets[at].len() > CAPACITY / 8 {
            return;
        }
        let left = if small(self.buckets.get(at + 1)) {
            at
        } else if at > 0 && (self.buckets[at].len() == 0 || small(self.buckets.get(at - 1))) {
            at - 1
        } else if self.buckets[at].len() == 0 && self.buckets.len() > 1 {
            at
        } else {
            return;
        };
        let right = self.buckets.remove(left + 1);
        self.lows.remove(left + 1);
        self.totals[left] = self.totals[left].wrapping_add(self.totals.remove(left + 1));
        self.buckets[left].append(right);
        if self.buckets.capacity() > 4 * self.buckets.len() + 8 {
            let keep = 2 * self.buckets.len();
            self.buckets.shrink_to(keep);
            self.lows.shrink_to(keep);
            self.totals.shrink_to(keep);
        }
    }

    fn split(&mut self) -> Segment {
        let middle = self.buckets.len() / 2;
        Segment {
            lows: self.lows.split_off(middle),
            totals: self.totals.split_off(middle),
            buckets: self.buckets.split_off(middle),
        }
    }

    fn total(&self) -> u64 {
        self.totals.iter().fold(0, |sum, &t| t.wrapping_add(sum))
    }
}

/// A multiset of values with positive counts. It always has a segment, each with a bucket.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    lows: Vec<i64>,
    totals: Vec<u64>,
    segments: Vec<Segment>,
}

impl Tree {
    pub(super) fn of(bucket: Bucket) -> Tree {
        let segment = Segment::of(bucket);
        Tree { lows: vec![i64::MIN], totals: vec![segment.total()], segments: vec![segment] }
    }

    /// Adds one occurrence.
    #[inline]
    pub(super) fn push(&mut self, value: i64) {
        let at = locate(&self.lows, value);
        self.totals[at] = self.totals[at].wrapping_add(1);
        let segment = &mut self.segments[at];
        let bucket = segment.place(value);
        segment.totals[bucket] = segment.totals[bucket].wrapping_add(1);
        segment.buckets[bucket].push(value);
        if segment.buckets.len() > FAN_OUT {
            self.split(at);
        }
    }

    /// Adds `count` occurrences.
    pub(super) fn insert(&mut self, value: i64, count: u64) {
        let at = locate(&self.lows, value);
        self.totals[at] = self.totals[at].wrapping_add(count);
        let segment = &mut self.segments[at];
        let bucket = segment.place(value);
        segment.totals[bucket] = segment.totals[bucket].wrapping_add(count);
        segment.buckets[bucket].insert(value, count);
        if segment.buckets.len() > FAN_OUT {
            self.split(at);
        }
    }

    #[cold]
    fn split(&mut self, at: usize) {
        let upper = self.segments[at].split();
        self.totals[at] = self.segments[at].total();
        self.lows.insert(at + 1, upper.lows[0]);
        self.totals.insert(at + 1, upper.total());
        self.segments.insert(at + 1, upper);
    }

    /// Takes away up to `wanted` occurrences and returns how many were not there.
    pub(super) fn remove(&mut self, value: i64, wanted: u64) -> u64 {
        let at = locate(&self.lows, value);
        let segment = &mut self.segments[at];
        let bucket = locate(&segment.lows, value);
        let missing = segment.buckets[bucket].remove(value, wanted);
        let taken = wanted - missing;
        segment.totals[bucket] = segment.totals[bucket].wrapping_sub(taken);
        self.totals[at] = self.totals[at].wrapping_sub(taken);
        segment.tidy(bucket);
        if self.segments[at].buckets.len() == 1
            && self.segments[at].buckets[0].len() == 0
            && self.segments.len() > 1
        {
            self.lows.remove(at);
            self.totals.remove(at);
            self.segments.remove(at);
        }
        missing
    }

    /// The only bucket, taken out, when one is all there is and it is small.
    pub(super) fn demoted(&mut self) -> Option<Bucket> {
        match self.segments.as_mut_slice() {
            [only] if only.buckets.len() == 1 && only.buckets[0].len() <= SPLIT_ABOVE => {
                only.buckets.pop()
            }
            _ => None,
        }
    }

    /// The value at a 0-based rank.
    pub(super) fn select(&self, rank: u64) -> Option<i64> {
        let (at, rank) = descend(&self.totals, rank)?;
        let segment = &self.segments[at];
        let (bucket, rank) = descend(&segment.totals, rank)?;
        segment.buckets[bucket].select(rank)
    }

    /// All buckets in order.
    pub(super) fn buckets(&self) -> impl Iterator<Item = &Bucket> {
        self.segments.iter().flat_map(|segment| &segment.buckets)
    }

    /// Heap bytes held.
    pub(super) fn heap(&self) -> usize {
        let directory =
            |lows: &Vec<i64>, totals: &Vec<u64>| 8 * (lows.capacity() + totals.capacity());
        let inner: usize = self
            .segments
            .iter()
            .map(|s| directory(&s.lows, &s.totals) + s.buckets.capacity() * size_of::<Bucket>())
            .sum();
        directory(&self.lows, &self.totals)
            + self.segments.capacity() * size_of::<Segment>()
            + inner
            + self.buckets().map(Bucket::heap).sum::<usize>()
    }
}
