//! The most frequent item, kept while counts change: of equally frequent ones the first in order.

use super::{SumTree, Summary, Summed};

/// Changes to the counts of items of which the most frequent is asked for.
pub type Favourite<T> = Summed<T, Best<T>>;

/// The counts, none of them zero.
pub type Counts<T> = SumTree<T, Best<T>>;

/// The item with the largest count, and that.
#[derive(Clone, Debug)]
pub struct Best<T>(Option<(T, i64)>);

impl<T> Default for Best<T> {
    fn default() -> Self {
        Best(None)
    }
}

impl<T: Clone> Summary<T> for Best<T> {
    fn push(&mut self, item: &T, count: i64) {
        if self.0.as_ref().is_none_or(|(_, most)| count > *most) {
            self.0 = Some((item.clone(), count));
        }
    }

    fn append(&mut self, next: &Self) {
        if let Some((item, count)) = &next.0 {
            self.push(item, *count);
        }
    }
}

impl<T: Ord + Clone> Counts<T> {
    /// The most frequent item, of equally frequent ones the first.
    pub fn favourite(&self) -> Option<T> {
        self.sum(0..self.len()).0.map(|(item, _)| item)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Group;
    use super::super::testing::Random;
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_favourite_is_the_first_of_the_most_frequent() {
        let mut random = Random(3);
        for _ in 0..200 {
            let (mut state, mut twin) = (Counts::<u64>::default(), BTreeMap::<u64, i64>::new());
            let items = 1 + random.below(300);
            for _ in 0..random.below(400) {
                let mut delta = Favourite::default();
                for _ in 0..random.below(3) {
                    let (item, diff) = (random.below(items), random.between(-1, 2));
                    delta.add(item, diff);
                    *twin.entry(item).or_default() += diff;
                }
                Group::absorb(&mut state, delta);
                twin.retain(|_, n| *n != 0);
                let most = twin.values().max();
                let want = twin.iter().find(|(_, n)| Some(*n) == most);
                assert_eq!(state.favourite(), want.map(|(item, _)| *item));
            }
        }
    }
}
