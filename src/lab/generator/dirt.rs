//! What goes wrong on the way from the shop to the file.
//!
//! A row is first due at its own time. Then it is decided, once, whether it is delayed, sent
//! twice, corrected or followed by a damaged copy; what is decided goes back into the queue
//! under the time of arrival. Damage and copies come on top: every row the shop made arrives
//! whole exactly once more, so the clean data stay inside the dirty ones.

use super::pace::{DAY, HOUR, MINUTE, SECOND};
use super::queue::Queue;
use super::random::{Chance, Rng, Stream};
use super::row::*;
use super::{Feed, Options};

/// How a damaged copy is spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The month 13.
    Time,
    /// Letters in a number.
    Number,
    /// The rest of the row is missing.
    Cut,
    /// One field too many.
    Surplus,
}

const FLAWS: [Flaw; 4] = [Flaw::Time, Flaw::Number, Flaw::Cut, Flaw::Surplus];

/// A row on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) row: Row,
    pub(super) flaw: Option<Flaw>,
    /// Its fate is already decided.
    settled: bool,
}

impl Pending {
    pub(super) fn fresh(row: Row) -> Self {
        Pending { row, flaw: None, settled: false }
    }

    fn settled(row: Row, flaw: Option<Flaw>) -> Self {
        Pending { row, flaw, settled: true }
    }
}

/// Decides about rows as they become due.
#[derive(Debug)]
pub(super) struct Road {
    late: Chance,
    disorder: Chance,
    duplicates: Chance,
    corrections: Chance,
    malformed: Chance,
    clean: bool,
    rng: Rng,
}

impl Road {
    pub(super) fn new(options: &Options, feed: Feed) -> Self {
        let dirt = &options.dirt;
        // Rows without an id cannot be told from a repetition, so those are sent once.
        let with_id = |share: f64| Chance::share(if feed.has_ids() { share } else { 0.0 });
        let timed = |share: f64| Chance::share(if feed == Feed::Truth { 0.0 } else { share });
        let mut road = Road {
            late: timed(dirt.late),
            disorder: timed(dirt.disorder),
            duplicates: with_id(dirt.duplicates),
            corrections: with_id(dirt.corrections),
            malformed: timed(dirt.malformed),
            clean: false,
            rng: Rng::keyed(options.seed, Stream::Dirt, feed as u64),
        };
        let chances = [road.late, road.disorder, road.duplicates, road.corrections, road.malformed];
        road.clean = chances.iter().all(|chance| chance.is_never());
        road
    }

    /// The row to give out now, if this one is not held back. `now` is its key in the queue.
    pub(super) fn pass(
        &mut self,
        now: i64,
        pending: Pending,
        queue: &mut Queue<Pending>,
    ) -> Option<(Row, Option<Flaw>)> {
        let Pending { row, flaw, settled } = pending;
        if settled || self.clean {
            return Some((row, flaw));
        }
        let rng = &mut self.rng;
        let arrival = if rng.hits(self.late) {
            now + rng.skewed(2 * HOUR, 2 * DAY)
        } else if rng.hits(self.disorder) {
            now + rng.skewed(SECOND, 5 * MINUTE)
        } else {
            now
        };
        if rng.hits(self.malformed) {
            let flaw = FLAWS[rng.below(FLAWS.len() as u32) as usize];
            queue.push(arrival, Pending::settled(row, Some(flaw)));
        }
        if rng.hits(self.duplicates) {
            let again = arrival + rng.skewed(0, 2 * HOUR);
            queue.push(again, Pending::settled(row, None));
        }
        if let Some(corrected) = correct(&row, rng).filter(|_| rng.hits(self.corrections)) {
            // Later than any second copy of the uncorrected row, so the last one is right.
            let again = arrival + 2 * HOUR + rng.skewed(MINUTE, 6 * HOUR);
            queue.push(again, Pending::settled(corrected, None));
        }
        if arrival == now {
            return Some((row, None));
        }
        queue.push(arrival, Pending::settled(row, None));
        None
    }
}

/// The same row with another quantity, amount or cost, if it has one that nothing else repeats:
/// adds to the cart, sales that stand, and the last word on a parcel.
fn correct(row: &Row, rng: &mut Rng) -> Option<Row> {
    match *row {
        Row::Visit(visit) if visit.event == Event::AddToCart => match visit.subject {
            Subject::Item(item, quantity) => {
                let subject = Subject::Item(item, quantity + 1);
                Some(Row::Visit(Visit { subject, ..visit }))
            }
            Subject::Nothing | Subject::Category(_) => None,
        },
        Row::Charge(charge) if charge.amendable && charge.status == Status::Captured => {
            let (quantity, cents) = if charge.quantity > 1 && rng.permille(500) {
                let each = charge.cents / u32::from(charge.quantity);
                (charge.quantity - 1, charge.cents - each)
            } else {
                (charge.quantity, charge.cents - charge.cents / (5 + rng.below(10)))
            };
            Some(Row::Charge(Charge { quantity, cents, ..charge }))
        }
        Row::Scan(scan) if scan.progress == Progress::Delivered => {
            let cents = scan.cents + 50 + rng.below(300);
            Some(Row::Scan(Scan { cents, ..scan }))
        }
        _ => None,
    }
}
