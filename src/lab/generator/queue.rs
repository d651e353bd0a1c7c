//! What is still to happen, in order of time.
//!
//! A binary heap of small keys over a slab of entries, so that sifting moves 24 bytes and not
//! a whole row. Equal times leave in the order they were put in, which makes the order total
//! and the output a function of the input alone. Memory follows what is in flight.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A stable priority queue by time.
#[derive(Debug)]
pub(super) struct Queue<T> {
    keys: BinaryHeap<Reverse<(i64, u64, u32)>>,
    slots: Vec<T>,
    free: Vec<u32>,
    pushed: u64,
}

impl<T: Copy> Queue<T> {
    pub(super) fn new() -> Self {
        Queue { keys: BinaryHeap::new(), slots: Vec::new(), free: Vec::new(), pushed: 0 }
    }

    pub(super) fn push(&mut self, time: i64, entry: T) {
        let slot = match self.free.pop() {
            Some(slot) => {
                // A freed slot was once in use, so it is in range.
                self.slots[slot as usize] = entry;
                slot
            }
            None => {
                self.slots.push(entry);
                (self.slots.len() - 1) as u32
            }
        };
        self.keys.push(Reverse((time, self.pushed, slot)));
        self.pushed += 1;
    }

    /// The earliest entry, if its time is not after `until`.
    pub(super) fn pop_until(&mut self, until: i64) -> Option<(i64, T)> {
        let &Reverse((time, _, slot)) = self.keys.peek()?;
        if time > until {
            return None;
        }
        self.keys.pop();
        self.free.push(slot);
        // Keys carry only slots handed out by push.
        Some((time, self.slots[slot as usize]))
    }

    #[cfg(test)]
    /// The most entries that ever waited at once.
    pub(super) fn peak(&self) -> usize {
        self.slots.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::{Rng, Stream};
    use super::*;

    #[test]
    fn agrees_with_a_sorted_list() {
        let mut rng = Rng::keyed(5, Stream::Dirt, 1);
        for _ in 0..300 {
            let mut queue = Queue::new();
            let mut slow: Vec<(i64, u32)> = Vec::new();
            let mut most = 0;
            for number in 0..200 {
                if rng.permille(600) {
                    let time = rng.between(0, 50);
                    queue.push(time, number);
                    slow.push((time, number));
                    most = most.max(slow.len());
                } else {
                    let until = rng.between(0, 50);
                    // The numbers rise, so sorting by (time, number) is first in, first out.
                    slow.sort_unstable();
                    let due = slow.first().is_some_and(|&(time, _)| time <= until);
                    assert_eq!(queue.pop_until(until), due.then(|| slow.remove(0)));
                }
            }
            assert_eq!(queue.peak(), most);
        }
    }
}
