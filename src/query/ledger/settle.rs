//! What the adjustments of an order do to its lines. The meaning is that of [`super`].

use super::{Adjustment, Booking, Entry, Fact, Line, in_reach};
use crate::clock::Millis;
use crate::event::Movement;
use crate::monoid::{Dated, DatedLog};
use crate::text::Text;
use std::cmp::Reverse;

/// Some equal lines, as they were sold and as they are.
struct Piece<'a> {
    sold: &'a Line,
    now: Line,
    copies: i64,
}

impl Piece<'_> {
    /// What is left of it for an adjustment to take; all where it is not known what it was worth.
    fn left(&self, movement: Movement) -> Option<i128> {
        let taken = self.now.charged_back.unwrap_or(0);
        match movement {
            Movement::Reversal => Some(taken),
            _ => self.now.net().map(|net| (net - taken).max(0)),
        }
    }

    /// Whether an adjustment of the whole has nothing to do here.
    fn is_done(&self, movement: Movement) -> bool {
        match movement {
            Movement::Refund => self.now.returned,
            Movement::Dispute => {
                self.now.charged_back.is_some() && self.left(movement).is_none_or(|left| left == 0)
            }
            Movement::Reversal => self.now.charged_back.is_none(),
            Movement::Payment | Movement::Void => false,
        }
    }

    fn take(&mut self, movement: Movement, amount: i128) {
        let line = &mut self.now;
        match movement {
            Movement::Refund => {
                let refunded = line.refunded.unwrap_or(0).saturating_add(amount);
                line.refunded = Some(refunded);
                line.returned |= line.value().is_some_and(|value| refunded >= value);
            }
            Movement::Dispute => {
                line.charged_back = Some(line.charged_back.unwrap_or(0).saturating_add(amount));
            }
            Movement::Reversal => {
                let left = line.charged_back.unwrap_or(0) - amount;
                line.charged_back = Some(left).filter(|left| *left > 0);
            }
            Movement::Payment | Movement::Void => {}
        }
    }

    /// Takes all that is left; gives how much that is.
    fn take_all(&mut self, movement: Movement) -> i128 {
        let left = self.left(movement).unwrap_or(0);
        self.take(movement, left);
        match movement {
            Movement::Void => self.now.voided = true,
            Movement::Refund => self.now.returned = true,
            _ => {}
        }
        left
    }
}

/// The entries of an order of which these lines and adjustments are known.
pub(super) fn settle((log, reach): (&DatedLog<Fact>, Option<Millis>), entries: &mut Vec<Entry>) {
    let mut adjustments: Vec<(&Adjustment, i64, i64)> = Vec::new();
    for (fact, times) in log.iter() {
        if let Fact::Adjustment(adjustment) = &fact.item {
            adjustments.push((adjustment, fact.time, times));
        }
    }
    // Most orders are never touched, and their lines stand as they were sold.
    if adjustments.is_empty() {
        return;
    }
    adjustments
        .sort_unstable_by_key(|(adjustment, time, _)| (adjustment.movement, *time, *adjustment));
    let lines = log.iter().filter_map(|(fact, copies)| match &fact.item {
        Fact::Line(sold) => Some(Piece { sold, now: sold.clone(), copies }),
        Fact::Adjustment(_) => None,
    });
    let mut order = Order { pieces: lines.collect(), reach };
    for (adjustment, time, times) in adjustments {
        order.adjust(adjustment, time, times, entries);
    }
    for Piece { sold, now, copies } in order.pieces {
        if now != *sold {
            entries.push(Entry::Lines(sold.clone(), -copies));
            entries.push(Entry::Lines(now, copies));
        }
    }
}

/// The lines of an order.
struct Order<'a> {
    pieces: Vec<Piece<'a>>,
    /// How far from them what adjusts them can be.
    reach: Option<Millis>,
}

impl<'a> Order<'a> {
    fn adjust(&mut self, what: &Adjustment, time: i64, times: i64, entries: &mut Vec<Entry>) {
        let Some(mut meant) = self.meant(what, time) else {
            let dated = Dated { time, item: what.clone(), value: 0 };
            return without_sale(&dated, times, entries);
        };
        meant.retain(|i| !self.pieces[*i].now.voided);
        let told = what.amount.filter(|amount| *amount != 0);
        let amount = told.filter(|_| what.movement != Movement::Void);
        let booked = match amount {
            Some(amount) => {
                let amount = i128::from(amount).abs().saturating_mul(times.into());
                let more = what.movement != Movement::Reversal
                    && !what.refers_to_own(&self.pieces, &meant);
                self.spread(what.movement, &meant, amount, more)
            }
            None => self.whole(what.movement, &meant, times),
        };
        if what.movement != Movement::Void && booked != 0 {
            let booking = Booking { time, movement: what.movement, amount: booked };
            entries.push(Entry::Booked(booking, 1));
        }
    }

    /// The pieces that an adjustment refers to, in the order in which it takes from them; none if
    /// there is no sale of it.
    fn meant(&self, what: &Adjustment, time: i64) -> Option<Vec<usize>> {
        let of = |is: &dyn Fn(&Line) -> bool| -> Vec<usize> {
            let meant = |i: &usize| {
                let sold = self.pieces[*i].sold;
                in_reach(self.reach, sold.time, time) && is(sold)
            };
            (0..self.pieces.len()).filter(meant).collect()
        };
        let mut meant = match what.payment() {
            id if id.is_empty() => Vec::new(),
            id => of(&|line| line.transaction_id == *id),
        };
        if meant.is_empty() && !what.order().is_empty() {
            meant = of(&|line| line.order_id == *what.order());
        } else if what.refers_to.is_empty() {
            self.narrow(&mut meant, &what.line_id, |line| &line.line_id);
        }
        self.narrow(&mut meant, &what.item_id, |line| &line.item_id);
        meant.sort_by_key(|i| {
            let Piece { sold, now, .. } = &self.pieces[*i];
            let newer = sold.time > time;
            let far = if newer { sold.time } else { 0 };
            // Of equal lines the one of which less is left to take comes first.
            let (now, won) = (now.clone(), what.movement == Movement::Reversal);
            let (taken, back) = if won { (None, Some(now)) } else { (Some(now), None) };
            (newer, far, Reverse(sold.time), *sold, Reverse(taken), back)
        });
        (!meant.is_empty()).then_some(meant)
    }

    /// Keeps those with a value, if there are some.
    fn narrow(&self, meant: &mut Vec<usize>, value: &Text, of: impl Fn(&Line) -> &Text) {
        let has = |i: &usize| of(self.pieces[*i].sold) == value;
        if !value.is_empty() && meant.iter().any(has) {
            meant.retain(has);
        }
    }

    /// Cuts so many copies off a piece, unless it has no more.
    fn cut(&mut self, i: usize, copies: i64) -> usize {
        let piece = &mut self.pieces[i];
        if piece.copies <= copies {
            return i;
        }
        piece.copies -= copies;
        let cut = Piece { sold: piece.sold, now: piece.now.clone(), copies };
        self.pieces.push(cut);
        self.pieces.len() - 1
    }

    /// Takes an amount off the pieces, one after the other, and what is more off the first.
    fn spread(&mut self, movement: Movement, meant: &[usize], amount: i128, more: bool) -> i128 {
        let mut rest = amount;
        let mut first = None;
        for i in meant.iter().copied() {
            if rest == 0 {
                break;
            }
            let Some(left) = self.pieces[i].left(movement) else {
                // Nobody knows what it was worth.
                let one = self.cut(i, 1);
                self.pieces[one].take(movement, rest);
                return amount;
            };
            let full = if left == 0 { 0 } else { (rest / left).min(self.pieces[i].copies.into()) };
            if full > 0 {
                // Fewer than there are copies.
                let cut = self.cut(i, full as i64);
                self.pieces[cut].take(movement, left);
                rest -= left * full;
                first.get_or_insert(cut);
                if cut == i {
                    continue;
                }
            }
            if left > 0 && rest > 0 {
                let one = self.cut(i, 1);
                self.pieces[one].take(movement, rest);
                rest = 0;
                first.get_or_insert(one);
            } else {
                first.get_or_insert(i);
            }
        }
        if let (true, true, Some(first)) = (more, rest > 0, first) {
            let one = self.cut(first, 1);
            self.pieces[one].take(movement, rest);
            rest = 0;
        }
        amount - rest
    }

    /// Takes each line as a whole; of lines with one id and line the first so many.
    fn whole(&mut self, movement: Movement, meant: &[usize], times: i64) -> i128 {
        let mut booked = 0;
        let mut seen: Vec<((Text, Text), i64)> = Vec::new();
        for i in meant.iter().copied() {
            let Piece { sold, copies, .. } = &self.pieces[i];
            if self.pieces[i].is_done(movement) {
                continue;
            }
            let copies = *copies;
            let one = if sold.transaction_id.is_empty() {
                i
            } else {
                let id = (sold.transaction_id.clone(), sold.line_id.clone());
                let known = seen.iter().position(|(other, _)| *other == id).unwrap_or_else(|| {
                    seen.push((id, times));
                    seen.len() - 1
                });
                let left = &mut seen[known].1;
                let some = copies.min(*left);
                *left -= some;
                if some == 0 {
                    continue;
                }
                self.cut(i, some)
            };
            let copies = self.pieces[one].copies;
            booked += self.pieces[one].take_all(movement) * i128::from(copies);
        }
        booked
    }
}

impl Adjustment {
    /// Whether it is a record of the payment itself, and so can take no more than is left.
    fn refers_to_own(&self, pieces: &[Piece<'_>], meant: &[usize]) -> bool {
        let own = |i: &usize| pieces[*i].sold.transaction_id == self.transaction_id;
        self.refers_to.is_empty() && !self.transaction_id.is_empty() && meant.iter().any(own)
    }
}

/// What an adjustment tells by itself, of which no sale is known.
pub(super) fn without_sale(what: &Dated<Adjustment>, times: i64, entries: &mut Vec<Entry>) {
    entries.push(Entry::Unmatched(times));
    let Dated { time, item: what, .. } = what;
    let line = Line {
        time: *time,
        transaction_id: what.transaction_id.clone(),
        line_id: what.line_id.clone(),
        order_id: what.order_id.clone(),
        user_id: what.user_id.clone(),
        item_id: what.item_id.clone(),
        amount: what.amount.filter(|amount| *amount >= 0),
        ..Line::default()
    };
    let amount = i128::from(what.amount.unwrap_or(0));
    let given = Some(amount.abs());
    let loose = amount < 0;
    let line = match what.movement {
        Movement::Void => Line { voided: true, ..line },
        Movement::Refund => Line { returned: !loose, refunded: given, loose, ..line },
        Movement::Dispute => Line { charged_back: given, loose, ..line },
        Movement::Payment | Movement::Reversal => line,
    };
    entries.push(Entry::Lines(line, times));
    if matches!(what.movement, Movement::Refund | Movement::Dispute) && amount != 0 {
        let booking = Booking { time: *time, movement: what.movement, amount: amount.abs() };
        entries.push(Entry::Booked(booking, times));
    }
}
