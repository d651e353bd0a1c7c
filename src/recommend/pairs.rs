//! One session's events and the differences of its decayed pairs.
//!
//! For items i before j at distance d <= 10 in the session, F_ij grows by
//! w(d) = 2520/d, a whole number for every such d. Only the newest 50 events count
//! (the window, by time, then id, then item); older ones are kept, since a retraction
//! can bring them back. The state is a set: an event sent twice counts once, until
//! both are retracted.
//!
//! Why touching so little is exact: an insertion at place q changes nothing but (1)
//! the pairs of the new event, at most 10 on either side, (2) the pairs that span q,
//! whose distance grows by one, at most 45 and none for an append, and (3) when the
//! window is full, the at most 10 pairs of the event that leaves it. A retraction is
//! the same backwards. A pair belongs to the bucket of its *later* event's time, which
//! never changes.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroI64;

/// How many of a session's newest events count.
pub const WINDOW: usize = 50;
/// The largest distance at which two events form a pair.
pub const REACH: usize = 10;
/// The weight at distance 1: the least common multiple of 1..=10.
pub const UNIT: i64 = 2520;

/// A moment in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

/// A period of time by its number; old ones fade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(pub i32);

/// How long a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buckets(NonZeroI64);

impl Buckets {
    /// Everything in one bucket: nothing fades.
    pub const ONE: Buckets = Buckets(NonZeroI64::MAX);
    /// Seven days.
    pub const WEEK: Buckets = Buckets(NonZeroI64::new(7 * 86_400_000).unwrap());

    /// Buckets of so many milliseconds.
    pub fn of(millis: NonZeroI64) -> Self {
        Buckets(millis)
    }

    /// The bucket of `time`.
    pub fn of_time(self, time: Time) -> Bucket {
        let bucket = time.0.div_euclid(self.0.get());
        // Out of range only for buckets under 5 milliseconds; those share the last.
        Bucket(i32::try_from(bucket).unwrap_or(if bucket < 0 { i32::MIN } else { i32::MAX }))
    }
}

/// One event of a session; the derived order is the order in the session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event<O, T> {
    /// When it happened.
    pub time: Time,
    /// Orders events of the same time.
    pub id: O,
    /// What was clicked.
    pub item: T,
}

/// A change of F for `before` then `after`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PairDiff<T> {
    /// The item that came first.
    pub before: T,
    /// The item that followed.
    pub after: T,
    /// The bucket of the later event.
    pub bucket: Bucket,
    /// The change of the weight.
    pub diff: i64,
}

/// A change of the number of events of an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CountDiff<T> {
    /// The item.
    pub item: T,
    /// The change of its count.
    pub diff: i64,
}

/// The differences that one or more events led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes<T> {
    /// Differences of pairs.
    pub pairs: Vec<PairDiff<T>>,
    /// Differences of item counts.
    pub counts: Vec<CountDiff<T>>,
}

impl<T> Default for Changes<T> {
    fn default() -> Self {
        Changes { pairs: Vec::new(), counts: Vec::new() }
    }
}

impl<T: Ord> Changes<T> {
    /// Adds up differences of the same thing and drops those that cancel.
    pub fn consolidate(&mut self) {
        self.pairs.sort_unstable();
        self.pairs.dedup_by(|next, kept| {
            let same = next.before == kept.before
                && next.after == kept.after
                && next.bucket == kept.bucket;
            if same {
                kept.diff += next.diff;
            }
            same
        });
        self.pairs.retain(|p| p.diff != 0);
        self.counts.sort_unstable();
        self.counts.dedup_by(|next, kept| {
            let same = next.item == kept.item;
            if same {
                kept.diff += next.diff;
            }
            same
        });
        self.counts.retain(|c| c.diff != 0);
    }

    /// Empties both lists and keeps their room.
    pub fn clear(&mut self) {
        self.pairs.clear();
        self.counts.clear();
    }
}

/// Where differences go.
struct Out<'a, T> {
    buckets: Buckets,
    to: &'a mut Changes<T>,
}

/// The state of one session. Only the newest events make pairs; those before them wait in a tree, so
/// that one that comes late does not move all that follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session<O, T> {
    /// The newest events in order, as many as the window holds, each with its copies, all above
    /// zero.
    window: VecDeque<(Event<O, T>, i64)>,
    /// Those before them; none while the window is not full.
    older: BTreeMap<Event<O, T>, i64>,
    /// Copies retracted before they came, all below zero.
    owed: BTreeMap<Event<O, T>, i64>,
}

impl<O, T> Default for Session<O, T> {
    fn default() -> Self {
        Session { window: VecDeque::new(), older: BTreeMap::new(), owed: BTreeMap::new() }
    }
}

impl<O: Ord, T: Clone + Ord> Session<O, T> {
    /// Whether nothing is left to remember.
    pub fn is_empty(&self) -> bool {
        self.window.is_empty() && self.owed.is_empty()
    }

    /// The time of the oldest event.
    pub fn start(&self) -> Option<Time> {
        self.events().next().map(|(event, _)| event.time)
    }

    /// The items of the window, oldest first.
    pub fn items(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.window.iter().map(|(event, _)| &event.item)
    }

    /// All events with their copies, oldest first.
    pub fn events(&self) -> impl Iterator<Item = (&Event<O, T>, i64)> {
        let older = self.older.iter().map(|(event, copies)| (event, *copies));
        older.chain(self.window.iter().map(|(event, copies)| (event, *copies)))
    }

    /// The same, and those that were retracted before they came, with copies below zero.
    pub fn copies(&self) -> impl Iterator<Item = (&Event<O, T>, i64)> {
        self.events().chain(self.owed.iter().map(|(event, copies)| (event, *copies)))
    }

    /// Adds `diff` copies of `event` (retracts them when negative) and appends what that
    /// changes to `out`. An event is in the session while its copies are above zero; a
    /// retraction that comes before its event is remembered until then.
    pub fn update(
        &mut self,
        event: Event<O, T>,
        diff: i64,
        buckets: Buckets,
        out: &mut Changes<T>,
    ) {
        let out = &mut Out { buckets, to: out };
        let place = self.window.binary_search_by(|(held, _)| held.cmp(&event));
        let is_old = place == Err(0) && self.window.len() >= WINDOW;
        let held = match place {
            Ok(at) => self.window[at].1, // found just above
            Err(_) => self.older.get(&event).or(self.owed.get(&event)).copied().unwrap_or(0),
        };
        let copies = held + diff;
        if held < 0 {
            self.owed.remove(&event);
        }
        match (place, copies > 0) {
            (Ok(at), true) => self.window[at].1 = copies,
            (Ok(at), false) => self.remove(at, out),
            (Err(_), true) if is_old => {
                self.older.insert(event, copies);
                return;
            }
            (Err(at), true) => return self.insert(at, (event, copies), out),
            (Err(_), false) => {
                self.older.remove(&event);
            }
        }
        if copies < 0 {
            self.owed.insert(event, copies);
        }
    }

    /// Puts an event into the window; if that is full, its oldest event leaves, which is before it.
    fn insert(&mut self, at: usize, event: (Event<O, T>, i64), out: &mut Out<T>) {
        let mut at = at;
        if self.window.len() >= WINDOW {
            self.own_pairs(0, -1, out);
            self.older.extend(self.window.pop_front());
            at -= 1; // not the first: that would be old
        }
        self.spanning_pairs(at, 1, out);
        self.window.insert(at, event);
        self.own_pairs(at, 1, out);
    }

    fn remove(&mut self, at: usize, out: &mut Out<T>) {
        self.own_pairs(at, -1, out);
        self.window.remove(at);
        self.spanning_pairs(at, -1, out);
        if let Some(returns) = self.older.pop_last() {
            self.window.push_front(returns);
            self.own_pairs(0, 1, out);
        }
    }

    /// The pairs of the event at `at` with those within reach, and its count.
    fn own_pairs(&self, at: usize, sign: i64, out: &mut Out<T>) {
        let end = (at + REACH + 1).min(self.window.len());
        for before in at.saturating_sub(REACH)..at {
            self.pair(before, at, sign * weight(at - before), out);
        }
        for after in at + 1..end {
            self.pair(at, after, sign * weight(after - at), out);
        }
        out.to.counts.push(CountDiff { item: self.window[at].0.item.clone(), diff: sign });
    }

    /// The pairs over the gap before `gap` grow apart by one place (or, with a minus, close up
    /// again).
    fn spanning_pairs(&self, gap: usize, sign: i64, out: &mut Out<T>) {
        for before in gap.saturating_sub(REACH)..gap {
            for after in gap..(before + REACH + 1).min(self.window.len()) {
                let distance = after - before;
                let change = weight(distance + 1) - weight(distance);
                self.pair(before, after, sign * change, out);
            }
        }
    }

    /// Both places are below `window.len()` in each caller. An item makes no pair with
    /// itself: a repeat is the reminder's business.
    fn pair(&self, before: usize, after: usize, diff: i64, out: &mut Out<T>) {
        let (before, after) = (&self.window[before].0, &self.window[after].0);
        if before.item != after.item && diff != 0 {
            out.to.pairs.push(PairDiff {
                before: before.item.clone(),
                after: after.item.clone(),
                bucket: out.buckets.of_time(after.time),
                diff,
            });
        }
    }
}

/// The weight of a pair at `distance` of at least 1.
fn weight(distance: usize) -> i64 {
    if distance > REACH {
        return 0;
    }
    // At most REACH, so the conversion is exact.
    UNIT / distance as i64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::random::Random;

    type Copies = BTreeMap<Event<u64, u64>, i64>;
    type Sums = (BTreeMap<(u64, u64, Bucket), i64>, BTreeMap<u64, i64>);

    /// The obvious twin: every pair of the window, from scratch.
    fn from_scratch(copies: &Copies, buckets: Buckets) -> Sums {
        let held: Vec<_> = copies.iter().filter(|c| *c.1 > 0).map(|c| c.0).collect();
        let window = &held[held.len().saturating_sub(50)..];
        let mut sums = Sums::default();
        for (y, after) in window.iter().enumerate() {
            *sums.1.entry(after.item).or_default() += 1;
            for (x, before) in window[..y].iter().enumerate() {
                if y - x <= 10 && before.item != after.item {
                    let key = (before.item, after.item, buckets.of_time(after.time));
                    *sums.0.entry(key).or_default() += 2520 / (y - x) as i64;
                }
            }
        }
        sums
    }

    fn add(sums: &mut Sums, changes: &Changes<u64>) {
        for p in &changes.pairs {
            *sums.0.entry((p.before, p.after, p.bucket)).or_default() += p.diff;
        }
        for c in &changes.counts {
            *sums.1.entry(c.item).or_default() += c.diff;
        }
        sums.0.retain(|_, n| *n != 0);
        sums.1.retain(|_, n| *n != 0);
    }

    #[test]
    fn differences_add_up_to_the_pairs_from_scratch() {
        let buckets = Buckets::of(NonZeroI64::new(40).unwrap());
        for seed in 0..60 {
            let mut random = Random::new(seed);
            let (mut session, mut copies) = (Session::default(), Copies::new());
            let mut sums = Sums::default();
            let items = 3 + random.below(60);
            for step in 0..220_i64 {
                let event = if random.below(3) == 0 && !copies.is_empty() {
                    let at = random.below(copies.len());
                    copies.keys().nth(at).unwrap().clone()
                } else {
                    let late = if random.below(3) == 0 { 60 } else { 2 };
                    Event {
                        time: Time(step - random.below(late) as i64),
                        id: random.below(2) as u64,
                        item: random.below(items) as u64,
                    }
                };
                let held = copies.get(&event).copied().unwrap_or(0);
                let diff = match random.below(12) {
                    0 => -1,
                    1..7 if held > 0 => -held,
                    _ => 1,
                };
                *copies.entry(event.clone()).or_default() += diff;
                copies.retain(|_, n| *n != 0);
                let mut changes = Changes::default();
                session.update(event, diff, buckets, &mut changes);
                let bound = if held == 0 && diff > 0 { 3 * 45 } else { 4 * 45 };
                assert!(changes.pairs.len() <= bound, "{}", changes.pairs.len());
                let mut merged = changes.clone();
                merged.consolidate();
                let mut twice = sums.clone();
                add(&mut sums, &changes);
                add(&mut twice, &merged);
                assert_eq!(sums, twice);
                assert_eq!(sums, from_scratch(&copies, buckets), "seed {seed} step {step}");
            }
            for (event, diff) in copies {
                session.update(event, -diff, buckets, &mut Changes::default());
            }
            assert!(session.is_empty());
        }
    }

    #[test]
    fn an_append_is_a_handful_of_differences() {
        let mut session = Session::default();
        for n in 0..120_u64 {
            let mut changes = Changes::default();
            let event = Event { time: Time(n as i64), id: n, item: n };
            session.update(event, 1, Buckets::ONE, &mut changes);
            let leaving = if n >= 50 { 10 } else { 0 };
            assert_eq!(changes.pairs.len(), leaving + n.min(10) as usize);
        }
        assert_eq!(session.items().len(), WINDOW);
    }
}
