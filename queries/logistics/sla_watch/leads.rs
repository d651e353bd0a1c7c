//! How long deliveries took, by lane, region and carrier, so that how many took longer than so many
//! minutes is a walk from the root of a tree.

use crate::monoid::{Bag, Group, SumTree, Summary};
use crate::text::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A delivery by a carrier in a region, and the minutes it took.
pub type Lead = (Text, Text, i64);

/// Changes of deliveries.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Leads(Bag<Lead>);

impl Leads {
    /// Changes the count of a delivery.
    pub fn add(&mut self, lead: Lead, diff: i64) {
        self.0.add(lead, diff);
    }
}

/// For each level the minutes its deliveries took.
#[derive(Clone, Debug)]
struct Level<K>(BTreeMap<K, SumTree<i64, Deliveries>>);

/// How many deliveries.
#[derive(Clone, Debug, Default)]
struct Deliveries(i64);

impl Summary<i64> for Deliveries {
    fn push(&mut self, _minutes: &i64, count: i64) {
        self.0 += count;
    }

    fn append(&mut self, next: &Self) {
        self.0 += next.0;
    }
}

impl<K> Default for Level<K> {
    fn default() -> Self {
        Level(BTreeMap::new())
    }
}

impl<K: Ord + Clone> Level<K> {
    fn add(&mut self, level: &K, minutes: i64, diff: i64) {
        if !self.0.contains_key(level) {
            self.0.insert(level.clone(), SumTree::default());
        }
        let Some(leads) = self.0.get_mut(level) else { return };
        leads.add(minutes, diff);
        if leads.is_empty() {
            self.0.remove(level);
        }
    }

    fn longer(&self, level: &K, minutes: i64) -> i64 {
        let Some(leads) = self.0.get(level) else { return 0 };
        leads.sum(leads.rank(|m| *m <= minutes)..leads.len()).0
    }
}

/// The deliveries of all levels.
#[derive(Clone, Debug, Default)]
pub struct Survival {
    carriers: Level<Text>,
    regions: Level<Text>,
    lanes: Level<(Text, Text)>,
}

impl Survival {
    fn add(&mut self, (carrier, region, minutes): &Lead, diff: i64) {
        self.carriers.add(carrier, *minutes, diff);
        self.regions.add(region, *minutes, diff);
        self.lanes.add(&(carrier.clone(), region.clone()), *minutes, diff);
    }

    /// How many deliveries took longer: of the carrier, in the region, and of the lane.
    pub fn longer(&self, lane: &(Text, Text), minutes: i64) -> [i64; 3] {
        [
            self.carriers.longer(&lane.0, minutes),
            self.regions.longer(&lane.1, minutes),
            self.lanes.longer(lane, minutes),
        ]
    }
}

impl Group for Leads {
    type State = Survival;

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
    fn absorb(state: &mut Survival, delta: Leads) {
        for (lead, diff) in delta.0 {
            state.add(&lead, diff);
        }
    }
    fn contents(state: &Survival) -> Leads {
        let lanes = state.lanes.0.iter().flat_map(|((carrier, region), minutes)| {
            let lead = move |m: &i64| (carrier.clone(), region.clone(), *m);
            minutes.iter().map(move |(m, count)| (lead(m), *count))
        });
        Leads(lanes.collect())
    }
    fn is_nothing(state: &Survival) -> bool {
        // Each delivery is in a lane.
        state.lanes.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn those_that_took_longer_are_those_of_a_count() {
        let mut random = Random::new(31);
        let mut below = |n: u64| random.below(n as usize) as u64;
        let (mut state, mut sent) = (Survival::default(), Vec::<Lead>::new());
        for step in 0..3_000 {
            let mut delta = Leads::default();
            if !sent.is_empty() && below(3 - u64::from(step > 1_500)) == 0 {
                delta.add(sent.swap_remove(below(sent.len() as u64) as usize), -1);
            } else {
                let name = |n: u64| Text::new(["a", "b", "c"][n as usize]);
                let lead = (name(below(3)), name(below(2)), below(200) as i64);
                sent.push(lead.clone());
                delta.add(lead, 1);
            }
            Leads::absorb(&mut state, delta);
            let (lane, minutes) = ((Text::new("a"), Text::new("b")), below(210) as i64 - 5);
            let count = |is: &dyn Fn(&Lead) -> bool| {
                sent.iter().filter(|lead| lead.2 > minutes && is(lead)).count() as i64
            };
            let want = [
                count(&|lead| lead.0 == lane.0),
                count(&|lead| lead.1 == lane.1),
                count(&|lead| lead.0 == lane.0 && lead.1 == lane.1),
            ];
            assert_eq!(state.longer(&lane, minutes), want);
            assert_eq!(Leads::is_nothing(&state), sent.is_empty());
        }
    }
}
