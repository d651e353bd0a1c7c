//! The values that cut a changing set of members into equal parts by rank.
//!
//! With `n` members in ascending order of (value, key), cut `j` of `parts` is the value at place
//! `floor(j n / parts)`, counted from zero. A member's part is one more than the number of cuts
//! not above its value, so members of equal value are in the same part and parts may be uneven.
//! Each cut keeps its member and place; a change moves it by a few steps, each a search, and which
//! members change their part are those between the old and the new cut. Bound: the members.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};

/// Members by value, with the places of the cuts. A member without key stands before all others
/// of its value and is never in the set.
type Member<K> = (i128, Option<K>);

/// Members by value and their cuts.
#[derive(Clone, Debug)]
pub struct Cuts<K> {
    members: BTreeSet<Member<K>>,
    /// The member at each cut and its place; empty without members.
    cuts: Vec<(Member<K>, usize)>,
    parts: u8,
}

impl<K: Ord + Clone> Cuts<K> {
    /// No members, to be cut into so many parts.
    pub fn new(parts: u8) -> Self {
        Cuts { members: BTreeSet::new(), cuts: Vec::new(), parts: parts.max(1) }
    }

    /// Adds a member, which must not be there.
    pub fn insert(&mut self, value: i128, key: K) {
        let member = (value, Some(key));
        if self.members.is_empty() {
            self.cuts = (1..self.parts).map(|_| (member.clone(), 0)).collect();
        } else {
            for (at, place) in &mut self.cuts {
                *place += usize::from(member < *at);
            }
        }
        self.members.insert(member);
        self.settle();
    }

    /// Takes a member out; one that is not there changes nothing.
    pub fn remove(&mut self, value: i128, key: &K) {
        let member = (value, Some(key.clone()));
        if !self.members.remove(&member) {
            return;
        }
        if self.members.is_empty() {
            self.cuts.clear();
        }
        for (at, place) in &mut self.cuts {
            if *at == member {
                // The next one takes its place, or the one before it if it was the last.
                match after(&self.members, at) {
                    Some(next) => *at = next,
                    None => {
                        *at = before(&self.members, at).unwrap_or(member.clone());
                        *place = place.saturating_sub(1);
                    }
                }
            } else if member < *at {
                *place -= 1; // the member had a lesser place, so this one is not the first
            }
        }
        self.settle();
    }

    /// Moves each cut to its place.
    fn settle(&mut self) {
        let (n, parts) = (self.members.len(), usize::from(self.parts));
        for (j, (at, place)) in (1..).zip(&mut self.cuts) {
            let want = j * n / parts;
            while *place < want
                && let Some(next) = after(&self.members, at)
            {
                (*at, *place) = (next, *place + 1);
            }
            while *place > want
                && let Some(last) = before(&self.members, at)
            {
                (*at, *place) = (last, *place - 1);
            }
        }
    }

    /// The values of the cuts, ascending; none without members.
    pub fn values(&self) -> Vec<i128> {
        self.cuts.iter().map(|((value, _), _)| *value).collect()
    }

    /// The members whose value is in `low..high`.
    pub fn between(&self, low: i128, high: i128) -> impl Iterator<Item = &K> {
        let places = (low.min(high), None)..(high, None);
        self.members.range(places).filter_map(|(_, key)| key.as_ref())
    }
}

/// The part of a value, from 1, by the values of the cuts.
pub fn part(cuts: &[i128], value: i128) -> u8 {
    // At most 255 parts are asked for.
    1 + cuts.iter().filter(|cut| value >= **cut).count() as u8
}

fn after<K: Ord + Clone>(members: &BTreeSet<Member<K>>, at: &Member<K>) -> Option<Member<K>> {
    members.range((Excluded(at), Unbounded)).next().cloned()
}

fn before<K: Ord + Clone>(members: &BTreeSet<Member<K>>, at: &Member<K>) -> Option<Member<K>> {
    members.range(..at).next_back().cloned()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Random;
    use super::*;

    #[test]
    fn cuts_are_those_of_the_sorted_values() {
        let mut random = Random(23);
        for round in 0..300 {
            let parts = random.between(1, 6) as u8;
            let mut cuts = Cuts::new(parts);
            let mut twin: Vec<(i128, i64)> = Vec::new();
            for key in 0..random.below(60) as i64 {
                if !twin.is_empty() && random.below(3) == 0 {
                    let (value, key) = twin.swap_remove(random.below(twin.len() as u64) as usize);
                    cuts.remove(value, &key);
                } else {
                    let value = i128::from(random.between(-8, 8));
                    twin.push((value, key));
                    cuts.insert(value, key);
                }
                cuts.remove(99, &key); // not there
                let mut sorted = twin.clone();
                sorted.sort_unstable();
                let n = sorted.len();
                let want: Vec<i128> = match n {
                    0 => Vec::new(),
                    _ => (1..usize::from(parts))
                        .map(|j| sorted[j * n / usize::from(parts)].0)
                        .collect(),
                };
                assert_eq!(cuts.values(), want, "round {round}");
                let (low, high) = (random.between(-9, 9).into(), random.between(-9, 9).into());
                let want: Vec<i64> =
                    sorted.iter().filter(|m| low <= m.0 && m.0 < high).map(|m| m.1).collect();
                assert_eq!(cuts.between(low, high).copied().collect::<Vec<_>>(), want);
            }
        }
    }
}
