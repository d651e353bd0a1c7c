//! A log of one key's events in time order, with the count, sum and sum of squares of any
//! window `(t - width, t]`.
//!
//! Events are kept in chunks, and each chunk has the totals of everything before it. A window is
//! the difference of two prefixes, each a binary search for the chunk and a short walk inside
//! it. A late event or a retraction changes its chunk and the totals of the later ones, of which
//! an event near the end has few. Events carry signed counts, so a retraction may come first;
//! sums are exact, and modulo 2^128 even beyond `i128`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Events in a chunk before it splits; at 64 and 128 reads measured half as fast.
const CHUNK: usize = 16;

/// An event: when, which (orders events of one time), and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Event {
    /// Milliseconds.
    pub time: i64,
    /// Orders events of the same time.
    pub id: u64,
    /// What is summed.
    pub value: i64,
}

/// Sums over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Events, net of retractions.
    pub count: i64,
    /// The sum of values.
    pub sum: i128,
    /// The sum of squared values; exact up to 2^127, as for 10^12 events of up to 10^12.
    pub squares: i128,
}

impl Totals {
    fn of(event: &Event, count: i64) -> Totals {
        let value = i128::from(event.value);
        if count == 1 {
            // Nearly always; one widening multiplication.
            return Totals { count, sum: value, squares: value * value };
        }
        let sum = value * i128::from(count);
        Totals { count, sum, squares: value.wrapping_mul(sum) }
    }

    fn plus(self, other: Totals) -> Totals {
        Totals {
            count: self.count.wrapping_add(other.count),
            sum: self.sum.wrapping_add(other.sum),
            squares: self.squares.wrapping_add(other.squares),
        }
    }

    fn minus(self, other: Totals) -> Totals {
        Totals {
            count: self.count.wrapping_sub(other.count),
            sum: self.sum.wrapping_sub(other.sum),
            squares: self.squares.wrapping_sub(other.squares),
        }
    }
}

/// Time-ordered events with signed counts and prefix sums.
#[derive(Clone, Debug, Default)]
pub struct WindowLog {
    chunks: Vec<Vec<(Event, i64)>>,
    /// The first event of each chunk, apart so that the search stays in few lines.
    firsts: Vec<Event>,
    /// The totals of all chunks before each; differences matter, not the origin.
    before: Vec<Totals>,
    /// The totals of everything, from the same origin.
    all: Totals,
}

impl WindowLog {
    /// Changes the count of `event` by `diff`.
    pub fn add(&mut self, event: Event, diff: i64) {
        if diff == 0 {
            return;
        }
        let change = Totals::of(&event, diff);
        self.all = self.all.plus(change);
        let Some(at) = self.chunks.len().checked_sub(1) else {
            self.insert_chunk(0, vec![(event, diff)], self.all.minus(change));
            return;
        };
        // Nearly all events are the latest so far.
        let at = if self.firsts[at] <= event {
            at
        } else {
            let after = self.firsts.partition_point(|first| *first <= event);
            after.saturating_sub(1)
        };
        for before in &mut self.before[at + 1..] {
            *before = before.plus(change);
        }
        let is_last = at + 1 == self.chunks.len();
        let chunk = &mut self.chunks[at];
        let place = match chunk.last() {
            Some((last, _)) if *last < event => Err(chunk.len()),
            _ => chunk.binary_search_by(|(other, _)| other.cmp(&event)),
        };
        match place {
            Ok(place) => {
                chunk[place].1 = chunk[place].1.wrapping_add(diff);
                if chunk[place].1 == 0 {
                    chunk.remove(place);
                    self.tidy(at);
                }
            }
            // A full last chunk is left full when time simply goes on.
            Err(CHUNK) if is_last => {
                self.insert_chunk(at + 1, vec![(event, diff)], self.all.minus(change));
            }
            Err(place) if chunk.len() < CHUNK => {
                chunk.insert(place, (event, diff));
                self.firsts[at] = chunk[0].0;
            }
            // Splits first, so that no chunk ever asks for more room than CHUNK entries.
            Err(place) => {
                let mut upper = chunk.split_off(CHUNK / 2);
                match place.checked_sub(CHUNK / 2) {
                    Some(place) if place > 0 => upper.insert(place, (event, diff)),
                    _ => chunk.insert(place, (event, diff)),
                }
                self.firsts[at] = chunk[0].0;
                let before = self.before[at].plus(sum(chunk));
                self.insert_chunk(at + 1, upper, before);
            }
        }
    }

    /// The totals over `(t - width, t]`.
    pub fn window(&self, t: i64, width: i64) -> Totals {
        let from = match t.checked_sub(width) {
            Some(from) => self.up_to(from),
            None => self.before.first().copied().unwrap_or_default(),
        };
        self.up_to(t).minus(from)
    }

    /// Forgets all events at or before `time`.
    pub fn expire(&mut self, time: i64) {
        let after = self.firsts.partition_point(|first| first.time <= time);
        let Some(partial) = after.checked_sub(1) else {
            return;
        };
        self.chunks.drain(..partial);
        self.firsts.drain(..partial);
        self.before.drain(..partial);
        let chunk = &mut self.chunks[0];
        let gone = chunk.partition_point(|(event, _)| event.time <= time);
        self.before[0] = self.before[0].plus(sum(&chunk[..gone]));
        chunk.drain(..gone);
        self.tidy(0);
        if self.chunks.capacity() > 4 * self.chunks.len() + 8 {
            let keep = 2 * self.chunks.len();
            self.chunks.shrink_to(keep);
            self.firsts.shrink_to(keep);
            self.before.shrink_to(keep);
        }
    }

    /// Whether no event has a count.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The events with their non-zero net counts, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Event, i64)> {
        self.chunks.iter().flatten().copied()
    }

    /// The events of `from..=to` with their non-zero net counts, in order.
    pub fn between(&self, from: i64, to: i64) -> impl Iterator<Item = (Event, i64)> {
        let after = self.firsts.partition_point(|first| first.time < from);
        // The chunk before may end with such events too.
        let chunks = self.chunks[after.saturating_sub(1)..].iter().flatten().copied();
        chunks
            .skip_while(move |(event, _)| event.time < from)
            .take_while(move |(event, _)| event.time <= to)
    }

    /// Bytes held, this struct included.
    pub fn memory(&self) -> usize {
        let entries: usize = self.chunks.iter().map(Vec::capacity).sum();
        size_of::<Self>()
            + self.chunks.capacity() * size_of::<Vec<(Event, i64)>>()
            + self.firsts.capacity() * size_of::<Event>()
            + self.before.capacity() * size_of::<Totals>()
            + entries * size_of::<(Event, i64)>()
    }

    /// The totals of all events at or before `time`, from the common origin.
    fn up_to(&self, time: i64) -> Totals {
        let after = self.firsts.partition_point(|first| first.time <= time);
        let Some(at) = after.checked_sub(1) else {
            return self.before.first().copied().unwrap_or_default();
        };
        let chunk = &self.chunks[at];
        let end = chunk.partition_point(|(event, _)| event.time <= time);
        // Walks from whichever end is nearer.
        if end <= chunk.len() / 2 {
            self.before[at].plus(sum(&chunk[..end]))
        } else {
            let whole = self.before.get(after).copied().unwrap_or(self.all);
            whole.minus(sum(&chunk[end..]))
        }
    }

    fn insert_chunk(&mut self, at: usize, chunk: Vec<(Event, i64)>, before: Totals) {
        self.firsts.insert(at, chunk[0].0);
        self.chunks.insert(at, chunk);
        self.before.insert(at, before);
    }

    /// After removals from a chunk: drops it when empty, joins it when it and a neighbour are
    /// small.
    fn tidy(&mut self, at: usize) {
        let Some((first, _)) = self.chunks[at].first() else {
            self.chunks.remove(at);
            self.firsts.remove(at);
            self.before.remove(at);
            return;
        };
        self.firsts[at] = *first;
        let size = |at: usize| self.chunks.get(at).map_or(CHUNK, Vec::len);
        if size(at) + size(at + 1) <= CHUNK / 2 {
            let mut right = self.chunks.remove(at + 1);
            self.firsts.remove(at + 1);
            self.before.remove(at + 1);
            self.chunks[at].append(&mut right);
        }
    }
}

fn sum(entries: &[(Event, i64)]) -> Totals {
    entries
        .iter()
        .fold(Totals::default(), |sum, (event, count)| sum.plus(Totals::of(event, *count)))
}

impl PartialEq for WindowLog {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for WindowLog {}

impl Serialize for WindowLog {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().collect::<Vec<_>>())
    }
}

impl<'de> Deserialize<'de> for WindowLog {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut read = WindowLog::default();
        for (event, count) in Vec::<(Event, i64)>::deserialize(deserializer)? {
            read.add(event, count);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Random;
    use super::*;
    use std::collections::BTreeMap;

    fn twin_window(twin: &BTreeMap<Event, i64>, t: i64, width: i64) -> Totals {
        twin.iter()
            .filter(|(event, _)| event.time <= t)
            .filter(|(event, _)| i128::from(event.time) > i128::from(t) - i128::from(width))
            .fold(Totals::default(), |sum, (event, count)| sum.plus(Totals::of(event, *count)))
    }

    fn check(log: &WindowLog, twin: &BTreeMap<Event, i64>, random: &mut Random, end: i64) {
        assert!(log.iter().eq(twin.iter().map(|(&e, &c)| (e, c))));
        assert_eq!(log.is_empty(), twin.is_empty());
        for _ in 0..6 {
            let (t, width) = (random.between(-5, end + 5), random.between(0, end));
            assert_eq!(log.window(t, width), twin_window(twin, t, width));
            let within = twin.iter().filter(|(e, _)| e.time >= t && e.time <= t + width);
            assert!(log.between(t, t + width).eq(within.map(|(&e, &c)| (e, c))));
        }
        for (t, width) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MAX), (end, i64::MAX)] {
            assert_eq!(log.window(t, width), twin_window(twin, t, width));
        }
    }

    #[test]
    fn agrees_with_a_scan_of_all_events() {
        let mut random = Random(41);
        for round in 0..300 {
            let mut log = WindowLog::default();
            let mut twin: BTreeMap<Event, i64> = BTreeMap::new();
            let most = 1 << random.below(11);
            for step in 0..most {
                let late = [0, 3, 50, step][random.below(4) as usize].min(step);
                let event = Event {
                    time: if round % 5 == 0 { 7 } else { step - late },
                    id: random.below(1 + round % 7 * 9),
                    value: random.bits() as i64 >> (8 + random.below(50)),
                };
                let old = twin.keys().nth(random.below(8) as usize).copied();
                let (event, diff) = match (random.below(5), old) {
                    (0, _) => (event, random.between(-2, 2)),
                    (1, Some(old)) => (old, -twin[&old]),
                    _ => (event, 1),
                };
                log.add(event, diff);
                *twin.entry(event).or_default() += diff;
                twin.retain(|_, count| *count != 0);
                if step % 97 == 50 {
                    let until = random.between(-3, step / 2);
                    log.expire(until);
                    twin.retain(|event, _| event.time > until);
                }
                if step % 31 == 0 {
                    check(&log, &twin, &mut random, step);
                }
            }
            check(&log, &twin, &mut random, most);
            let mut shuffled: Vec<_> = twin.iter().map(|(&e, &c)| (e, c)).collect();
            random.shuffle(&mut shuffled);
            let mut other = WindowLog::default();
            for &(event, count) in &shuffled {
                other.add(event, 5);
                other.add(event, count.wrapping_sub(5));
            }
            check(&other, &twin, &mut random, most);
            let bytes = bincode::serialize(&log).unwrap();
            assert_eq!(bytes, bincode::serialize(&other).unwrap());
            let read: WindowLog = bincode::deserialize(&bytes).unwrap();
            assert_eq!(log, read);
            check(&read, &twin, &mut random, most);
            log.expire(most.max(7));
            assert!(log.is_empty());
            assert!(log.memory() < 4_000, "{}", log.memory());
        }
    }
}
