//! One item's neighbours: exact integer weights, and the best few kept ready.
//!
//! `cells` holds F_ij and F_ji per neighbour and bucket in whole numbers, so any order
//! of differences leads to the same state. `top` holds the faded values of the best
//! `keep`, best first, and `bound` is at least as good as every cell outside `top`: a
//! cell that changes outside, or drops out, raises it. While the last of a full `top`
//! is no worse than the bound, `top` is the true best; when decreases have broken that,
//! and only then, the row is scanned again before it is read (lazy repair). Most
//! changes of a long row stay outside and cost one hash probe and one comparison.

use std::cmp::Ordering;

use crate::hash::Table;
use hashbrown::hash_map::Entry;

use super::interner::{ItemId, Names};
use super::pairs::Bucket;

/// A neighbour as read: its weights with old buckets faded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// The other item.
    pub item: ItemId,
    /// F_ij: the other item came after this one.
    pub forward: f64,
    /// F_ji: the other item came before this one.
    pub backward: f64,
}

/// How weights are read: the fading per bucket and the order of neighbours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// How many neighbours of an item are kept ready for scoring.
    pub keep: usize,
    /// What a weight is worth one bucket later, in (0, 1].
    pub fade: f64,
    /// What F_ji counts against F_ij in the order of neighbours.
    pub backward: f64,
    /// The bucket at which a weight counts once. A common factor changes no ranking;
    /// the origin is fixed so that no read depends on what came first.
    pub origin: Bucket,
}

impl Reading {
    fn factor(&self, bucket: Bucket) -> f64 {
        if self.fade == 1.0 {
            return 1.0;
        }
        self.fade.powi(self.origin.0.saturating_sub(bucket.0))
    }
}

/// The weights of one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Which bucket.
    pub bucket: Bucket,
    /// F_ij.
    pub forward: i64,
    /// F_ji.
    pub backward: i64,
}

/// The parts of one neighbour, by bucket. Nearly all have one: that needs no list.
#[derive(Debug, Clone)]
enum Parts {
    One(Part),
    Many(Vec<Part>),
}

#[derive(Debug, Clone)]
struct Cell {
    parts: Parts,
    /// Whether it is in `top`.
    in_top: bool,
}

impl Parts {
    fn all(&self) -> &[Part] {
        match self {
            Parts::One(part) => std::slice::from_ref(part),
            Parts::Many(parts) => parts,
        }
    }

    /// Adds `part`; false when nothing is left.
    fn add(&mut self, part: Part) -> bool {
        match self {
            Parts::One(held) if held.bucket == part.bucket => held.add(part),
            Parts::One(held) => {
                let mut parts = vec![*held, part];
                parts.sort_unstable();
                *self = Parts::Many(parts);
                true
            }
            Parts::Many(parts) => {
                match parts.binary_search_by_key(&part.bucket, |p| p.bucket) {
                    Ok(at) if parts[at].add(part) => {}
                    Ok(at) => {
                        parts.remove(at);
                    }
                    Err(at) => parts.insert(at, part),
                }
                !parts.is_empty()
            }
        }
    }
}

impl Part {
    fn add(&mut self, other: Part) -> bool {
        self.forward += other.forward;
        self.backward += other.backward;
        self.forward != 0 || self.backward != 0
    }
}

/// What a row needs to put neighbours in order: ties go to the smaller name.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a, T> {
    /// How weights are read.
    pub reading: &'a Reading,
    /// The names by item.
    pub names: &'a Names<T>,
}

impl<T: Ord> Order<'_, T> {
    fn key(&self, n: &Neighbour) -> f64 {
        n.forward + self.reading.backward * n.backward
    }

    /// Better neighbours first.
    fn compare(&self, a: &Neighbour, b: &Neighbour) -> Ordering {
        self.key(b)
            .total_cmp(&self.key(a))
            .then_with(|| self.names.get(a.item).cmp(&self.names.get(b.item)))
    }
}

/// The neighbours of one item.
#[derive(Debug, Clone, Default)]
pub struct Row {
    cells: Table<ItemId, Cell>,
    top: Vec<Neighbour>,
    bound: Option<Neighbour>,
}

impl Row {
    /// Adds `part` to the weights of `item`; true when `best` may have changed.
    pub fn add<T: Ord>(&mut self, item: ItemId, part: Part, order: &Order<'_, T>) -> bool {
        if part.forward == 0 && part.backward == 0 {
            return false;
        }
        let (was_in, value) = match self.cells.entry(item) {
            Entry::Occupied(mut entry) => {
                let cell = entry.get_mut();
                let was_in = cell.in_top;
                if cell.parts.add(part) {
                    (was_in, Some(read(item, &cell.parts, order.reading)))
                } else {
                    entry.remove();
                    (was_in, None)
                }
            }
            Entry::Vacant(entry) => {
                let parts = Parts::One(part);
                let value = read(item, &parts, order.reading);
                let in_top = false;
                entry.insert(Cell { parts, in_top });
                (false, Some(value))
            }
        };
        if was_in && let Some(at) = self.top.iter().position(|n| n.item == item) {
            self.top.remove(at);
        }
        let Some(value) = value else {
            return was_in;
        };
        // Without a bound nothing is outside yet; otherwise only the better than the
        // last may come in. One that was in stays until the next scan finds it wanting.
        let last = self.top.last();
        let room = self.bound.is_none() && self.top.len() < order.reading.keep;
        let comes_in =
            was_in || room || last.is_some_and(|last| order.compare(&value, last).is_lt());
        if !comes_in {
            self.raise_bound(value, order);
            return false;
        }
        let better = |n: &Neighbour| order.compare(n, &value).is_lt();
        let at = self.top.partition_point(better);
        self.top.insert(at, value);
        self.mark(item, true);
        if self.top.len() > order.reading.keep
            && let Some(dropped) = self.top.pop()
        {
            self.mark(dropped.item, false);
            self.raise_bound(dropped, order);
        }
        true
    }

    /// The best `keep` neighbours, best first.
    pub fn best<T: Ord>(&mut self, order: &Order<'_, T>) -> &[Neighbour] {
        if let Some(bound) = &self.bound {
            let full = self.top.len() == order.reading.keep;
            let last = self.top.last();
            if !full || last.is_some_and(|last| order.compare(last, bound).is_gt()) {
                self.scan(order);
            }
        }
        &self.top
    }

    /// Every neighbour with its parts, in no order.
    pub fn cells(&self) -> impl Iterator<Item = (ItemId, &[Part])> {
        self.cells.iter().map(|(item, cell)| (*item, cell.parts.all()))
    }

    fn scan<T: Ord>(&mut self, order: &Order<'_, T>) {
        let keep = order.reading.keep;
        let compare = |a: &Neighbour, b: &Neighbour| order.compare(a, b);
        self.top.clear();
        for (item, cell) in &mut self.cells {
            cell.in_top = false;
            self.top.push(read(*item, &cell.parts, order.reading));
        }
        self.bound = None;
        if self.top.len() > keep {
            let (_, outside, _) = self.top.select_nth_unstable_by(keep, compare);
            self.bound = Some(*outside);
            self.top.truncate(keep);
        }
        self.top.sort_unstable_by(compare);
        for at in 0..self.top.len() {
            self.mark(self.top[at].item, true);
        }
    }

    fn mark(&mut self, item: ItemId, in_top: bool) {
        if let Some(cell) = self.cells.get_mut(&item) {
            cell.in_top = in_top;
        }
    }

    fn raise_bound<T: Ord>(&mut self, outside: Neighbour, order: &Order<'_, T>) {
        match &self.bound {
            Some(bound) if order.compare(bound, &outside).is_le() => {}
            _ => self.bound = Some(outside),
        }
    }
}

/// The faded sums, oldest bucket first: the same cells give the same bits.
fn read(item: ItemId, parts: &Parts, reading: &Reading) -> Neighbour {
    let mut value = Neighbour { item, forward: 0.0, backward: 0.0 };
    for part in parts.all() {
        let factor = reading.factor(part.bucket);
        value.forward += part.forward as f64 * factor;
        value.backward += part.backward as f64 * factor;
    }
    value
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::random::Random;
    use crate::recommend::interner::Interner;

    #[test]
    fn the_best_equal_a_full_sort_under_increases_and_decreases() {
        let interner = Interner::default();
        for n in 0..400_u64 {
            interner.intern(&((n * 7919) % 400)).unwrap();
        }
        let names = interner.names();
        for seed in 0..40 {
            let mut random = Random::new(seed);
            let reading = Reading {
                keep: 1 + random.below(12),
                fade: [1.0, 0.8][random.below(2)],
                backward: 0.6,
                origin: Bucket(2),
            };
            let order = Order { reading: &reading, names: &names };
            let mut row = Row::default();
            let mut twin: BTreeMap<(ItemId, Bucket), (i64, i64)> = BTreeMap::new();
            for step in 0..3_000 {
                let (item, part) = if random.below(2) == 0 && !twin.is_empty() {
                    let at = random.below(twin.len());
                    let (key, value) = twin.iter().nth(at).unwrap();
                    let part = Part {
                        bucket: key.1,
                        forward: -value.0,
                        backward: -value.1 * random.below(2) as i64,
                    };
                    (key.0, part)
                } else {
                    let part = Part {
                        bucket: Bucket(random.below(3) as i32),
                        forward: random.below(3) as i64,
                        backward: random.below(2) as i64,
                    };
                    (ItemId::from_index(random.below(400)).unwrap(), part)
                };
                let entry = twin.entry((item, part.bucket)).or_default();
                *entry = (entry.0 + part.forward, entry.1 + part.backward);
                twin.retain(|_, v| *v != (0, 0));
                row.add(item, part, &order);
                if random.below(20) == 0 {
                    let mut all: BTreeMap<ItemId, Neighbour> = BTreeMap::new();
                    for ((item, bucket), (forward, backward)) in &twin {
                        let zero = Neighbour { item: *item, forward: 0.0, backward: 0.0 };
                        let n = all.entry(*item).or_insert(zero);
                        n.forward += *forward as f64 * reading.factor(*bucket);
                        n.backward += *backward as f64 * reading.factor(*bucket);
                    }
                    let mut all: Vec<_> = all.into_values().collect();
                    all.sort_by(|a, b| order.compare(a, b));
                    all.truncate(reading.keep);
                    assert_eq!(row.best(&order), all, "seed {seed} step {step}");
                }
            }
        }
    }
}
