//! The tree against an ordered map, and every summary against a walk.

use super::*;
use crate::monoid::testing::Random;
use std::collections::BTreeMap;

/// Everything there is, in order: the summary from which any other follows.
impl Summary<i64> for Vec<(i64, i64)> {
    fn push(&mut self, key: &i64, count: i64) {
        Vec::push(self, (*key, count));
    }
    fn append(&mut self, next: &Self) {
        self.extend_from_slice(next);
    }
}

fn depth<K, S>(node: &Node<K, S>) -> usize {
    match node {
        Node::Leaf(_) => 1,
        Node::Inner(parts) => 1 + parts.iter().map(|part| depth(&part.node)).max().unwrap_or(0),
    }
}

fn compare(tree: &SumTree<i64, Vec<(i64, i64)>>, twin: &BTreeMap<i64, i64>, random: &mut Random) {
    let all: Vec<(i64, i64)> = twin.iter().map(|(key, n)| (*key, *n)).collect();
    assert_eq!(tree.len(), all.len());
    assert_eq!(tree.is_empty(), all.is_empty());
    assert_eq!(tree.last(), all.last());
    assert!(tree.iter().eq(&all));
    for _ in 0..4 {
        let key = random.between(-3, 4_003);
        assert_eq!(tree.rank(|other| *other < key), all.partition_point(|(k, _)| *k < key));
        assert_eq!(tree.count(&key), twin.get(&key).copied().unwrap_or(0));
        let end = random.below(all.len() as u64 + 1) as usize;
        let start = random.below(end as u64 + 1) as usize;
        assert_eq!(tree.get(start), all.get(start));
        assert_eq!(tree.sum(start..end), all[start..end]);
        // From both ends by turns.
        let (mut walk, mut want) = (tree.walk(start..end), all[start..end].iter());
        for _ in start..=end {
            match random.below(2) {
                0 => assert_eq!(walk.next(), want.next()),
                _ => assert_eq!(walk.next_back(), want.next_back()),
            }
        }
        // While the counts so far come to at most so many, and all keys are within a span.
        let (most, span) = (random.between(0, 900), random.between(0, 4_000));
        let holds = |sum: &Vec<(i64, i64)>| {
            let (first, last) = (sum[0].0, sum[sum.len() - 1].0);
            sum.iter().map(|(_, n)| n.abs()).sum::<i64>() <= most && last - first <= span
        };
        let reached = (start..=all.len())
            .rev()
            .find(|end| *end == start || holds(&all[start..*end].to_vec()));
        assert_eq!(tree.reach(start, |sum| sum, holds), reached.unwrap_or(start));
        let reached = (0..=end).find(|start| *start == end || holds(&all[*start..end].to_vec()));
        assert_eq!(tree.reach_back(end, |sum| sum, holds), reached.unwrap_or(end));
    }
}

#[test]
fn agrees_with_an_ordered_map() {
    let mut random = Random(23);
    let mut deepest = 0;
    for round in 0..24 {
        let (mut tree, mut twin) = (SumTree::default(), BTreeMap::<i64, i64>::new());
        let size = [20, 100, 1_200, 3_000][round % 4];
        let ways = random.below(3);
        for step in 0..2 * size {
            // First up, down or anywhere; then, where it is large, mostly what takes away.
            let shrinks = step > size;
            let known = twin.range(random.between(0, size)..).next().map(|(k, n)| (*k, *n));
            let (key, diff) = match (known, shrinks && random.below(4) > 0) {
                (Some((key, n)), true) => (key, -n),
                _ => match ways {
                    0 => (step, 1),
                    1 => (size - step, random.between(-1, 2)),
                    _ => (random.between(0, size), random.between(-2, 2)),
                },
            };
            let old = twin.get(&key).copied().unwrap_or(0);
            assert_eq!(tree.add(key, diff), (old, old + diff));
            match old + diff {
                0 => drop(twin.remove(&key)),
                n => drop(twin.insert(key, n)),
            }
            deepest = deepest.max(depth(&tree.0));
            if step % (1 + size / 20) == 0 {
                compare(&tree, &twin, &mut random);
            }
        }
        compare(&tree, &twin, &mut random);
        for (key, n) in std::mem::take(&mut twin) {
            tree.add(key, -n);
        }
        assert!(tree.is_empty() && matches!(&tree.0, Node::Leaf(_)));
    }
    assert!(deepest > 2, "{deepest}");
}
