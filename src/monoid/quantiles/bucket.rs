//! A small multiset of values with positive counts: the leaf of the counted tree.
//!
//! `values[..sorted]` ascends without repeats and `counts` runs beside it (left empty while
//! every count is one, which halves the memory of sparse data). `values[sorted..]` is a log of
//! single insertions in arrival order. So an insertion is one append, and the sorting is paid
//! once per filling, or on the stack by the one bucket a rank query lands in.

/// Entries, sorted and logged together, at which a bucket must be settled or split.
pub(super) const CAPACITY: usize = 64;
/// Distinct values above which a settled bucket is split, so that a log always has room.
pub(super) const SPLIT_ABOVE: usize = CAPACITY / 2;

#[derive(Clone, Debug, Default)]
pub(super) struct Bucket {
    values: Vec<i64>,
    counts: Vec<u64>,
    sorted: usize,
}

impl Bucket {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.values.len() >= CAPACITY
    }

    /// Appends one occurrence; the caller has made room.
    #[inline]
    pub(super) fn push(&mut self, value: i64) {
        self.values.push(value);
    }

    /// Adds `count` occurrences; the caller has made room for one more entry.
    pub(super) fn insert(&mut self, value: i64, count: u64) {
        if count == 1 {
            return self.push(value);
        }
        self.settle();
        self.spell_counts();
        match self.values.binary_search(&value) {
            Ok(at) => self.counts[at] = self.counts[at].wrapping_add(count),
            Err(at) => {
                self.values.insert(at, value);
                self.counts.insert(at, count);
                self.sorted += 1;
            }
        }
    }

    /// Takes away up to `wanted` occurrences and returns how many were not there.
    pub(super) fn remove(&mut self, value: i64, mut wanted: u64) -> u64 {
        let mut at = self.values.len();
        while at > self.sorted && wanted > 0 {
            at -= 1;
            if self.values[at] == value {
                self.values.swap_remove(at);
                wanted -= 1;
            }
        }
        if wanted > 0
            && let Ok(at) = self.values[..self.sorted].binary_search(&value)
        {
            let held = self.counts.get(at).copied().unwrap_or(1);
            if held > wanted {
                self.counts[at] = held - wanted;
                wanted = 0;
            } else {
                wanted -= held;
                self.values.remove(at);
                self.sorted -= 1;
                if !self.counts.is_empty() {
                    self.counts.remove(at);
                }
            }
        }
        if self.values.capacity() > 4 * self.values.len() + 8 {
            self.values.shrink_to(2 * self.values.len());
            self.counts.shrink_to(2 * self.values.len());
        }
        wanted
    }

    /// Sorts the log in and joins repeats; afterwards the log is empty.
    pub(super) fn settle(&mut self) {
        if self.sorted == self.values.len() {
            return;
        }
        // Two ascending runs, which the stable sort joins by one merge.
        self.values[self.sorted..].sort_unstable();
        if self.counts.is_empty() {
            self.values.sort();
            if self.values.windows(2).all(|pair| pair[0] != pair[1]) {
                self.sorted = self.values.len();
                return;
            }
        }
        let entries = self.entries();
        self.values.clear();
        self.counts.clear();
        for (value, count) in entries {
            self.values.push(value);
            self.counts.push(count);
        }
        self.sorted = self.values.len();
    }

    /// Splits a settled bucket in two halves and returns the upper one.
    pub(super) fn split(&mut self) -> Bucket {
        let middle = self.values.len() / 2;
        let values = self.values.split_off(middle);
        let counts =
            if self.counts.is_empty() { Vec::new() } else { self.counts.split_off(middle) };
        self.sorted = middle;
        let sorted = values.len();
        Bucket { values, counts, sorted }
    }

    /// Takes in the right neighbour, all of whose values are larger.
    pub(super) fn append(&mut self, mut right: Bucket) {
        self.settle();
        right.settle();
        if self.counts.is_empty() != right.counts.is_empty() {
            self.spell_counts();
            right.spell_counts();
        }
        self.values.append(&mut right.values);
        self.counts.append(&mut right.counts);
        self.sorted = self.values.len();
    }

    /// The smallest value, if any.
    pub(super) fn first(&self) -> Option<i64> {
        self.values.iter().min().copied()
    }

    /// The number of occurrences.
    pub(super) fn total(&self) -> u64 {
        let logged = (self.values.len() - self.sorted) as u64;
        let settled = match self.counts.as_slice() {
            [] => self.sorted as u64,
            counts => counts.iter().fold(0, |sum, &c| c.wrapping_add(sum)),
        };
        logged.wrapping_add(settled)
    }

    /// The value at a 0-based rank.
    pub(super) fn select(&self, rank: u64) -> Option<i64> {
        let (settled, logged) = self.values.split_at(self.sorted);
        if self.counts.is_empty() {
            let at = usize::try_from(rank).ok().filter(|&at| at < self.values.len())?;
            if logged.is_empty() {
                return settled.get(at).copied();
            }
            // A bucket never outgrows CAPACITY, so the copy fits; `get_mut` keeps that safe.
            let mut copy = [0; CAPACITY];
            let copy = copy.get_mut(..self.values.len())?;
            copy.copy_from_slice(&self.values);
            return Some(*copy.select_nth_unstable(at).1);
        }
        let mut copy = [0; CAPACITY];
        let log = copy.get_mut(..logged.len())?;
        log.copy_from_slice(logged);
        log.sort_unstable();
        let mut log = log.iter().copied().peekable();
        let mut passed = 0u64;
        for (&value, &count) in settled.iter().zip(&self.counts) {
            while let Some(single) = log.next_if(|&single| single <= value) {
                passed = passed.wrapping_add(1);
                if passed > rank {
                    return Some(single);
                }
            }
            passed = passed.wrapping_add(count);
            if passed > rank {
                return Some(value);
            }
        }
        let left = usize::try_from(rank.wrapping_sub(passed)).ok()?;
        log.nth(left)
    }

    /// The distinct values with their counts, ascending.
    pub(super) fn entries(&self) -> Vec<(i64, u64)> {
        let mut all: Vec<(i64, u64)> = self
            .values
            .iter()
            .enumerate()
            .map(|(at, &value)| (value, self.counts.get(at).copied().unwrap_or(1)))
            .collect();
        all.sort();
        all.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.wrapping_add(next.1);
            }
            same
        });
        all
    }

    /// Heap bytes held.
    pub(super) fn heap(&self) -> usize {
        8 * (self.values.capacity() + self.counts.capacity())
    }

    /// Writes out the counts that were all one. Only for a settled bucket.
    fn spell_counts(&mut self) {
        if self.counts.is_empty() {
            self.counts = vec![1; self.values.len()];
        }
    }
}
