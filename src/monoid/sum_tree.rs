//! An ordered multiset whose parts know what they add up to: a B-tree with summaries.
//!
//! Keys have signed counts, none of them zero. Up to [`LEAF`] of them lie in one sorted vector, which
//! is all that most states of a key ever need. Above that each part of the tree has its summary, so
//! that the summary of any range, or how far a condition on it holds, costs a walk from the root and
//! not one through the range; and a key that comes late costs no more than one at the end. Places are
//! ranks: how many keys are before. What is read is a function of the multiset alone.

use std::ops::Range;

#[cfg(test)]
mod tests;
mod walk;

pub use walk::Walk;

/// Keys in a vector before it splits.
const LEAF: usize = 32;
/// Parts of an inner node before it splits.
const FAN: usize = 16;

/// What keys in order add up to: a monoid.
pub trait Summary<K>: Default + Clone {
    /// Takes in the key that follows directly.
    fn push(&mut self, key: &K, count: i64);
    /// Takes in what follows directly.
    fn append(&mut self, next: &Self);
}

/// Keys without a summary.
impl<K> Summary<K> for () {
    fn push(&mut self, _: &K, _: i64) {}
    fn append(&mut self, (): &()) {}
}

/// Keys in order with signed counts, none of them zero.
#[derive(Clone, Debug)]
pub struct SumTree<K, S>(Node<K, S>);

#[derive(Clone, Debug)]
enum Node<K, S> {
    Leaf(Vec<(K, i64)>),
    Inner(Vec<Part<K, S>>),
}

#[derive(Clone, Debug)]
struct Part<K, S> {
    first: K,
    len: usize,
    sum: S,
    node: Node<K, S>,
}

impl<K, S> Default for SumTree<K, S> {
    fn default() -> Self {
        SumTree(Node::Leaf(Vec::new()))
    }
}

impl<K: Ord + Clone, S: Summary<K>> SumTree<K, S> {
    /// Changes the count of a key; gives what it was and what it is.
    pub fn add(&mut self, key: K, diff: i64) -> (i64, i64) {
        if diff == 0 {
            let count = self.count(&key);
            return (count, count);
        }
        let mut change = Change { count: (0, 0), at_end: true };
        if let Some(upper) = self.0.add(key, diff, &mut change) {
            let lower = std::mem::replace(&mut self.0, Node::Inner(Vec::new()));
            self.0 = Node::Inner([lower, upper].into_iter().filter_map(Part::of).collect());
        }
        while let Node::Inner(parts) = &mut self.0
            && parts.len() < 2
        {
            self.0 = parts.pop().map_or(Node::Leaf(Vec::new()), |part| part.node);
        }
        change.count
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The count of a key.
    pub fn count(&self, key: &K) -> i64 {
        let found = self.get(self.rank(|other| other < key)).filter(|(other, _)| other == key);
        found.map_or(0, |(_, count)| *count)
    }

    /// How many keys come before a place: `is_before` holds for them, and for none after.
    pub fn rank(&self, is_before: impl Fn(&K) -> bool) -> usize {
        let (mut node, mut rank) = (&self.0, 0);
        loop {
            match node {
                Node::Leaf(keys) => return rank + keys.partition_point(|(key, _)| is_before(key)),
                Node::Inner(parts) => {
                    let after = parts.partition_point(|part| is_before(&part.first));
                    let Some(at) = after.checked_sub(1) else { return rank };
                    rank += parts[..at].iter().map(|part| part.len).sum::<usize>();
                    node = &parts[at].node;
                }
            }
        }
    }

    /// The key at a place, and its count.
    pub fn get(&self, rank: usize) -> Option<&(K, i64)> {
        let (leaf, at) = self.leaf(rank)?;
        leaf.get(at)
    }

    /// The last key.
    pub fn last(&self) -> Option<&(K, i64)> {
        let mut node = &self.0;
        loop {
            match node {
                Node::Leaf(keys) => return keys.last(),
                Node::Inner(parts) => node = &parts.last()?.node,
            }
        }
    }

    /// The keys of a range of places, in order, with their counts.
    pub fn walk(&self, places: Range<usize>) -> Walk<'_, K, S> {
        let end = places.end.min(self.len());
        Walk::new(self, places.start.min(end)..end)
    }

    /// All keys in order, with their counts.
    pub fn iter(&self) -> Walk<'_, K, S> {
        self.walk(0..usize::MAX)
    }

    /// What the keys of a range of places add up to.
    pub fn sum(&self, places: Range<usize>) -> S {
        let mut sum = S::default();
        self.0.sum(places.start, places.end.min(self.len()), &mut sum);
        sum
    }

    /// The furthest place to which the keys from `start` on add up to something for which `holds`,
    /// which must not hold again of more keys once it failed. `part` is what of the summary it
    /// looks at.
    pub fn reach<P: Summary<K>>(
        &self,
        start: usize,
        part: impl Fn(&S) -> &P,
        holds: impl Fn(&P) -> bool,
    ) -> usize {
        let mut taken = Taken { sum: P::default(), keys: 0, holds };
        self.0.reach(start, &part, &mut taken);
        start + taken.keys
    }

    /// As `reach`, backward: the first place from which the keys before `end` add up to it.
    pub fn reach_back<P: Summary<K>>(
        &self,
        end: usize,
        part: impl Fn(&S) -> &P,
        holds: impl Fn(&P) -> bool,
    ) -> usize {
        let end = end.min(self.len());
        let mut taken = Taken { sum: P::default(), keys: 0, holds };
        self.0.reach_back(self.len() - end, &part, &mut taken);
        end - taken.keys
    }

    /// The leaf with a place, and where in it that is.
    fn leaf(&self, rank: usize) -> Option<(&[(K, i64)], usize)> {
        let (mut node, mut rest) = (&self.0, rank);
        loop {
            match node {
                Node::Leaf(keys) => return (rest < keys.len()).then_some((keys, rest)),
                Node::Inner(parts) => {
                    let mut parts = parts.iter();
                    node = loop {
                        let part = parts.next()?;
                        if rest < part.len {
                            break &part.node;
                        }
                        rest -= part.len;
                    };
                }
            }
        }
    }
}

/// What became of a key on the way down.
struct Change {
    count: (i64, i64),
    /// Whether it was put behind all others, and nothing else changed.
    at_end: bool,
}

impl<K: Ord + Clone, S: Summary<K>> Node<K, S> {
    fn len(&self) -> usize {
        match self {
            Node::Leaf(keys) => keys.len(),
            Node::Inner(parts) => parts.iter().map(|part| part.len).sum(),
        }
    }

    /// How full it is: keys or parts.
    fn width(&self) -> usize {
        match self {
            Node::Leaf(keys) => keys.len(),
            Node::Inner(parts) => parts.len(),
        }
    }

    fn summary(&self) -> S {
        let mut sum = S::default();
        match self {
            Node::Leaf(keys) => keys.iter().for_each(|(key, n)| sum.push(key, *n)),
            Node::Inner(parts) => parts.iter().for_each(|part| sum.append(&part.sum)),
        }
        sum
    }

    /// Changes a count, and gives the upper part where the node had to be split.
    fn add(&mut self, key: K, diff: i64, change: &mut Change) -> Option<Self> {
        match self {
            Node::Leaf(keys) => add_to_leaf(keys, key, diff, change).map(Node::Leaf),
            Node::Inner(parts) => {
                let after = parts.partition_point(|part| part.first <= key);
                let at = after.saturating_sub(1);
                change.at_end &= at + 1 == parts.len();
                let part = &mut parts[at];
                let mut added = S::default();
                if change.at_end {
                    added.push(&key, diff);
                }
                let upper = part.node.add(key, diff, change);
                let was_split = upper.is_some();
                if change.at_end && !was_split {
                    part.len += 1;
                    part.sum.append(&added);
                } else {
                    // A part of which nothing is left has no first key.
                    let node = std::mem::replace(&mut part.node, Node::Leaf(Vec::new()));
                    let new = [Some(node), upper].into_iter().flatten().filter_map(Part::of);
                    parts.splice(at..=at, new);
                }
                if change.count.1 == 0 {
                    join(parts, at);
                    join(parts, at.saturating_sub(1));
                }
                (parts.len() > FAN).then(|| {
                    // Where keys simply go on, nodes are left full.
                    let at = if change.at_end { FAN } else { FAN / 2 };
                    Node::Inner(parts.split_off(at))
                })
            }
        }
    }

    fn sum(&self, from: usize, to: usize, sum: &mut S) {
        match self {
            Node::Leaf(keys) => {
                let keys = keys.get(from..to).unwrap_or_default();
                keys.iter().for_each(|(key, n)| sum.push(key, *n));
            }
            Node::Inner(parts) => {
                let mut start = 0;
                for part in parts {
                    let (a, b) = (from.max(start), to.min(start + part.len));
                    match (a < b, b.saturating_sub(a) == part.len) {
                        (true, true) => sum.append(&part.sum),
                        (true, false) => part.node.sum(a - start, b - start, sum),
                        (false, _) => {}
                    }
                    start += part.len;
                }
            }
        }
    }

    /// Goes on from a place while it holds; whether it held to the end of the node.
    fn reach<P: Summary<K>>(
        &self,
        from: usize,
        part: &impl Fn(&S) -> &P,
        taken: &mut Taken<P, impl Fn(&P) -> bool>,
    ) -> bool {
        match self {
            Node::Leaf(keys) => keys.iter().skip(from).all(|(key, n)| {
                let mut more = taken.sum.clone();
                more.push(key, *n);
                taken.take(more, 1)
            }),
            Node::Inner(parts) => {
                let mut start = 0;
                parts.iter().all(|child| {
                    let inside = from.saturating_sub(start);
                    start += child.len;
                    if inside >= child.len {
                        return true;
                    }
                    let mut more = taken.sum.clone();
                    more.append(part(&child.sum));
                    (inside == 0 && taken.take(more, child.len))
                        || child.node.reach(inside, part, taken)
                })
            }
        }
    }

    /// The same backward, from so many places before the end of the node.
    fn reach_back<P: Summary<K>>(
        &self,
        from: usize,
        part: &impl Fn(&S) -> &P,
        taken: &mut Taken<P, impl Fn(&P) -> bool>,
    ) -> bool {
        match self {
            Node::Leaf(keys) => keys.iter().rev().skip(from).all(|(key, n)| {
                let mut more = P::default();
                more.push(key, *n);
                more.append(&taken.sum);
                taken.take(more, 1)
            }),
            Node::Inner(parts) => {
                let mut end = 0;
                parts.iter().rev().all(|child| {
                    let inside = from.saturating_sub(end);
                    end += child.len;
                    if inside >= child.len {
                        return true;
                    }
                    let mut more = part(&child.sum).clone();
                    more.append(&taken.sum);
                    (inside == 0 && taken.take(more, child.len))
                        || child.node.reach_back(inside, part, taken)
                })
            }
        }
    }
}

/// What was taken of a walk that goes on while a condition holds.
struct Taken<P, F> {
    sum: P,
    keys: usize,
    holds: F,
}

impl<P, F: Fn(&P) -> bool> Taken<P, F> {
    fn take(&mut self, more: P, keys: usize) -> bool {
        let goes_on = (self.holds)(&more);
        if goes_on {
            self.sum = more;
            self.keys += keys;
        }
        goes_on
    }
}

/// Changes a count, and gives the upper part where there were too many keys.
fn add_to_leaf<K: Ord>(
    keys: &mut Vec<(K, i64)>,
    key: K,
    diff: i64,
    change: &mut Change,
) -> Option<Vec<(K, i64)>> {
    let place = match keys.last() {
        Some((last, _)) if *last < key => Err(keys.len()),
        _ => keys.binary_search_by(|(other, _)| other.cmp(&key)),
    };
    match place {
        Ok(at) => {
            let count = &mut keys[at].1;
            let old = *count;
            *count = old.wrapping_add(diff);
            change.count = (old, *count);
            change.at_end = false;
            if *count == 0 {
                keys.remove(at);
            }
            None
        }
        Err(at) => {
            change.count = (0, diff);
            change.at_end &= at == keys.len();
            if keys.len() < LEAF {
                keys.insert(at, (key, diff));
                return None;
            }
            // Where keys simply go on, leaves are left full.
            let middle = if change.at_end { LEAF } else { LEAF / 2 };
            let mut upper = keys.split_off(middle);
            match at.checked_sub(middle) {
                Some(at) if at > 0 || upper.is_empty() => upper.insert(at, (key, diff)),
                _ => keys.insert(at, (key, diff)),
            }
            Some(upper)
        }
    }
}

/// Makes one of two neighbours that are small.
fn join<K: Ord + Clone, S: Summary<K>>(parts: &mut Vec<Part<K, S>>, at: usize) {
    let Some([a, b]) = parts.get(at..at + 2) else { return };
    let most = if matches!(a.node, Node::Leaf(_)) { LEAF } else { FAN };
    if a.node.width() + b.node.width() > most / 2 {
        return;
    }
    let upper = parts.remove(at + 1).node;
    let part = &mut parts[at];
    match (&mut part.node, upper) {
        (Node::Leaf(keys), Node::Leaf(mut more)) => keys.append(&mut more),
        (Node::Inner(inner), Node::Inner(mut more)) => inner.append(&mut more),
        // All leaves are equally deep.
        _ => {}
    }
    part.len = part.node.len();
    part.sum = part.node.summary();
}

impl<K: Ord + Clone, S: Summary<K>> Part<K, S> {
    /// None of a node in which nothing is left.
    fn of(node: Node<K, S>) -> Option<Self> {
        let first = match &node {
            Node::Leaf(keys) => keys.first()?.0.clone(),
            Node::Inner(parts) => parts.first()?.first.clone(),
        };
        Some(Part { first, len: node.len(), sum: node.summary(), node })
    }
}
