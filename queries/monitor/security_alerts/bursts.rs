//! The bursts of a subject, kept while its events change.
//!
//! Whether too much happened in the window that ends at a time can only change for times within a
//! window after a changed event. Those are looked at again; what is left of the bursts around them is
//! joined on. A burst keeps how often it saw what, so that an event more costs as much as it is, and
//! of bursts that are joined or parted only the smaller part is read again.

use super::{Detector, Output, Subject};
use crate::monoid::{Dated, DatedLog, Entries, Group};
use crate::operator::Kept;
use crate::text::Text;
use std::collections::BTreeMap;

/// A subject's events, and for each of its detectors the bursts by their first mark.
#[derive(Default)]
pub struct Bursts {
    log: DatedLog<Text>,
    of: Vec<BTreeMap<i64, Burst>>,
}

/// A burst: times in a row at which too much happened are its marks.
#[derive(Clone, Debug, Default)]
struct Burst {
    /// The first event of the window of the first mark.
    since: i64,
    /// The last mark.
    until: i64,
    /// The events from `since` to `until`, and how often each value is among them.
    events: i64,
    seen: BTreeMap<Text, i64>,
}

impl Burst {
    fn count(&mut self, value: &Text, diff: i64) {
        self.events += diff;
        let count = self.seen.entry(value.clone()).or_default();
        *count += diff;
        if *count == 0 {
            self.seen.remove(value);
        }
    }

    fn row(&self, detector: &Detector, subject: &Text) -> Output {
        let distinct = self.seen.len() - usize::from(self.seen.contains_key(&Text::EMPTY));
        detector.row(subject, (self.since, self.until), self.events, distinct as i64)
    }
}

/// Marks in a row, without a time between them that is none: the first, the last, and the first
/// event of the window of the first.
#[derive(Clone, Copy)]
struct Marks {
    first: i64,
    since: i64,
    until: i64,
}

impl Bursts {
    /// The spans of time, up to and without their ends, whose windows hold one of these times.
    fn regions(times: &[i64], width: i64) -> Vec<(i64, i64)> {
        let mut regions: Vec<(i64, i64)> = Vec::new();
        for &time in times {
            let end = time.saturating_add(width);
            match regions.last_mut() {
                Some(last) if time <= last.1 => last.1 = end,
                _ => regions.push((time, end)),
            }
        }
        regions
    }

    /// The last time before, the first from there on.
    fn before(&self, time: i64) -> Option<i64> {
        self.log.between(i64::MIN, time.saturating_sub(1)).next_back().map(|(x, _)| x.time)
    }

    fn from(&self, time: i64) -> Option<i64> {
        self.log.between(time.saturating_sub(1), i64::MAX).next().map(|(x, _)| x.time)
    }

    /// Takes out the bursts that reach into these spans or up to them.
    fn take(&mut self, detector: usize, regions: &[(i64, i64)]) -> Vec<(i64, Burst)> {
        let mut taken = Vec::new();
        for &(from, to) in regions {
            let (low, high) = (self.before(from).unwrap_or(from), self.from(to).unwrap_or(to));
            let of = &mut self.of[detector];
            while let Some((&first, burst)) = of.range(..=high).next_back()
                && burst.until >= low
            {
                taken.extend(of.remove(&first).map(|burst| (first, burst)));
            }
        }
        taken
    }

    /// The marks in a span, by one walk with a window behind it.
    fn marks(&self, detector: &Detector, (from, to): (i64, i64), marks: &mut Vec<Marks>) {
        let width = detector.window.signed();
        let (mut events, mut seen) = (0, BTreeMap::<&Text, i64>::new());
        let mut all = self.log.between(from.saturating_sub(width), to - 1).peekable();
        let mut behind = all.clone();
        let mut going = None::<Marks>;
        while let Some(&(first, _)) = all.peek() {
            let now = first.time;
            while let Some((x, n)) = all.next_if(|(x, _)| x.time == now) {
                events += n;
                *seen.entry(&x.item).or_default() += n;
            }
            while let Some((x, n)) = behind.next_if(|(x, _)| x.time <= now.saturating_sub(width)) {
                events -= n;
                let left = seen.entry(&x.item).or_default();
                *left -= n;
                if *left == 0 {
                    seen.remove(&x.item);
                }
            }
            if now < from {
                continue;
            }
            let values = seen.len() as i64 - i64::from(seen.contains_key(&Text::EMPTY));
            if events >= detector.events && values >= detector.distinct {
                let since = behind.peek().map_or(now, |(x, _)| x.time);
                going.get_or_insert(Marks { first: now, since, until: now }).until = now;
            } else {
                marks.extend(going.take());
            }
        }
        marks.extend(going);
    }

    /// What lies outside the spans of marks that were there.
    fn rest(&self, width: i64, regions: &[(i64, i64)], was: Marks, marks: &mut Vec<Marks>) {
        let mut rest = Some(was);
        for &(from, to) in regions {
            let Some(piece) = rest.filter(|piece| piece.until >= from) else { break };
            if let Some(until) = self.before(from).filter(|until| *until >= piece.first) {
                marks.push(Marks { until, ..piece });
            }
            rest = if piece.first >= to {
                Some(piece)
            } else {
                let first = self.from(to).filter(|first| *first <= piece.until);
                first.map(|first| {
                    let since = self.from(first.saturating_sub(width).saturating_add(1));
                    Marks { first, since: since.unwrap_or(first), until: piece.until }
                })
            };
        }
        marks.extend(rest);
    }

    /// Marks that follow one another without a time between are of one burst.
    fn joined(&self, mut marks: Vec<Marks>) -> Vec<Marks> {
        marks.sort_unstable_by_key(|marks| marks.first);
        let mut joined: Vec<Marks> = Vec::new();
        for next in marks {
            match joined.last_mut() {
                Some(last) if self.from(last.until.saturating_add(1)) == Some(next.first) => {
                    last.until = next.until;
                }
                _ => joined.push(next),
            }
        }
        joined
    }

    /// A burst from what one of the old ones saw, the one that has most in common with it.
    fn counted(&self, marks: Marks, old: &mut Vec<(i64, Burst)>) -> Burst {
        let Marks { since, until, .. } = marks;
        let common = |burst: &Burst| {
            let (from, to) = (burst.since.max(since), burst.until.min(until));
            if from > to { 0 } else { self.log.totals(to, to - from + 1).count }
        };
        let best = (0..old.len()).max_by_key(|at| common(&old[*at].1));
        let best = best.filter(|at| common(&old[*at].1) > 0).map(|at| old.swap_remove(at).1);
        let mut burst = best.unwrap_or(Burst { since, until: since - 1, ..Burst::default() });
        let (was, then) = (burst.since, burst.until);
        for (after, until, sign) in [
            (was - 1, then.min(since - 1), -1),
            (until, then, -1),
            (since - 1, until.min(was - 1), 1),
            (then, until, 1),
        ] {
            if after < until {
                let events = self.log.between(after, until);
                events.for_each(|(x, n)| burst.count(&x.item, sign * n));
            }
        }
        Burst { since, until, ..burst }
    }
}

impl Kept<(Subject, Text), Entries<Text>> for Bursts {
    type Row = Output;
    type Rules = Vec<Detector>;

    fn change(
        &mut self,
        detectors: &Vec<Detector>,
        (subject, name): &(Subject, Text),
        changes: Vec<Entries<Text>>,
        old: &mut Vec<Output>,
        new: &mut Vec<Output>,
    ) {
        let changes: Vec<(Dated<Text>, i64)> = changes.into_iter().flatten().collect();
        let mut times: Vec<i64> = changes.iter().map(|(event, _)| event.time).collect();
        times.sort_unstable();
        let detectors: Vec<&Detector> =
            detectors.iter().filter(|d| d.subject == *subject).collect();
        self.of.resize_with(detectors.len(), BTreeMap::new);
        let mut taken = Vec::new();
        for (i, detector) in detectors.iter().enumerate() {
            let regions = Bursts::regions(&times, detector.window.signed());
            let bursts = self.take(i, &regions);
            old.extend(bursts.iter().map(|(_, burst)| burst.row(detector, name)));
            taken.push((regions, bursts));
        }
        for (event, diff) in changes {
            let shown = self.log.add(event.clone(), diff);
            let of_all = taken.iter_mut().flat_map(|(_, bursts)| bursts);
            let inside = of_all.filter(|(_, b)| b.since <= event.time && event.time <= b.until);
            if shown != 0 {
                inside.for_each(|(_, burst)| burst.count(&event.item, shown));
            }
        }
        for (i, (detector, (regions, mut bursts))) in detectors.iter().zip(taken).enumerate() {
            let mut marks = Vec::new();
            for region in &regions {
                self.marks(detector, *region, &mut marks);
            }
            for (first, burst) in &bursts {
                let was = Marks { first: *first, since: burst.since, until: burst.until };
                self.rest(detector.window.signed(), &regions, was, &mut marks);
            }
            for marks in self.joined(marks) {
                let burst = self.counted(marks, &mut bursts);
                new.push(burst.row(detector, name));
                self.of[i].insert(marks.first, burst);
            }
        }
    }

    fn contents(&self) -> Entries<Text> {
        Entries::contents(&self.log)
    }

    fn forget(&mut self, detectors: &Vec<Detector>, until: i64) {
        // A burst goes on where the next event is another mark, however far. So one that ends before
        // the last event is over, and of the others all events are kept.
        let Some(last) = self.before(until.saturating_add(1)) else { return };
        let bursts = self.of.iter_mut();
        bursts.for_each(|bursts| bursts.retain(|_, burst| burst.until >= last));
        let going = self.of.iter().flatten().map(|(_, burst)| burst.since.min(last) - 1).min();
        let widest = detectors.iter().map(|detector| detector.window.signed()).max();
        let seen = until.saturating_sub(widest.unwrap_or(0));
        self.log.forget(going.map_or(seen, |going| going.min(seen)));
    }

    fn is_nothing(&self) -> bool {
        self.log.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Millis;
    use crate::random::Random;

    /// The bursts of a whole log, by one walk with a window behind it.
    fn walk(detector: &Detector, subject: &Text, log: &DatedLog<Text>) -> Vec<Output> {
        let times: Vec<i64> = log.iter().map(|(x, _)| x.time).collect();
        let (mut rows, mut burst) = (Vec::new(), None::<(i64, i64)>);
        let of = |(since, until): (i64, i64)| {
            let inside = log.between(since - 1, until);
            let mut values: Vec<&Text> = inside.clone().map(|(x, _)| &x.item).collect();
            values.retain(|value| !value.is_empty());
            values.sort_unstable();
            values.dedup();
            (inside.map(|(_, n)| n).sum(), values.len() as i64)
        };
        let row = |span| {
            let (events, distinct) = of(span);
            detector.row(subject, span, events, distinct)
        };
        for time in times {
            let start = log.between(time - detector.window.signed(), time).next();
            let start = start.map_or(time, |(x, _)| x.time);
            let (events, distinct) = of((start, time));
            if events >= detector.events && distinct >= detector.distinct {
                burst = Some((burst.map_or(start, |(since, _)| since), time));
            } else {
                rows.extend(burst.take().map(row));
            }
        }
        rows.extend(burst.map(row));
        rows
    }

    #[test]
    fn kept_bursts_are_those_of_a_walk() {
        let mut random = Random::new(11);
        let mut below = |n: u64| random.below(n as usize) as u64;
        let mut longest = 0;
        for round in 0..60 {
            let detector = |kind, events, distinct, window| Detector {
                kind,
                subject: Subject::Ip,
                window: Millis(window),
                events,
                distinct,
            };
            let detectors = vec![
                detector("brute_force_ip", 2 + below(4) as i64, 0, 1 + below(40)),
                detector(super::super::STUFFING, 1, 1 + below(3) as i64, 1 + below(59)),
            ];
            let key = (Subject::Ip, Text::new("ip"));
            let mut bursts = Bursts::default();
            let mut view: BTreeMap<Output, i64> = BTreeMap::new();
            let (mut sent, mut twin) = (Vec::new(), DatedLog::default());
            // Few events, so that bursts are short; then so many that they meet.
            let end = [2_000, 300][round % 2];
            for _ in 0..120 {
                let mut changes = Entries::default();
                for _ in 0..=below(4) {
                    let (event, diff) = match sent.len() {
                        n @ 1.. if below(3) == 0 => {
                            (sent.swap_remove(below(n as u64) as usize), -1)
                        }
                        _ => {
                            let item = Text::new(["", "a", "b", "c", "d"][below(5) as usize]);
                            (Dated { time: below(end) as i64, item, value: 0 }, 1)
                        }
                    };
                    if diff > 0 {
                        sent.push(event.clone());
                    }
                    twin.add(event.clone(), diff);
                    changes.add(event, diff);
                }
                let (mut old, mut new) = (Vec::new(), Vec::new());
                bursts.change(&detectors, &key, vec![changes], &mut old, &mut new);
                old.into_iter().for_each(|row| *view.entry(row).or_default() -= 1);
                new.into_iter().for_each(|row| *view.entry(row).or_default() += 1);
                view.retain(|_, n| *n != 0);
                let mut want: BTreeMap<Output, i64> = BTreeMap::new();
                for detector in &detectors {
                    for row in walk(detector, &key.1, &twin) {
                        longest = longest.max(row.events);
                        *want.entry(row).or_default() += 1;
                    }
                }
                assert_eq!(view, want, "round {round}");
                assert_eq!(bursts.is_nothing(), twin.is_empty());
            }
        }
        assert!(longest > 20, "{longest}");
    }
}
