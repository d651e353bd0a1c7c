//! The ledger from the history alone, for answers: line by line and adjustment by adjustment.

use super::{Booking, Line};
use crate::clock::{Millis, Time};
use crate::event::{Movement, Row, Transactions};
use crate::query::History;
use std::cmp::Reverse;

type Record<'a> = Row<'a, Transactions>;

/// The lines and bookings so far.
struct Books {
    reach: Option<Millis>,
    lines: Vec<Line>,
    bookings: Vec<Booking>,
}

impl History {
    /// Each line that was sold, with what became of it, as known at `at`.
    pub fn ledger(&self, at: Time) -> Vec<Line> {
        self.books(at).lines
    }

    /// What was given back, disputed and won back, as known at `at`.
    pub fn bookings(&self, at: Time) -> Vec<Booking> {
        self.books(at).bookings
    }

    fn books(&self, at: Time) -> Books {
        let records = self.movements(at);
        let sales = records.iter().filter(|r| r.movement() == Movement::Payment && r.is_sale());
        let mut books =
            Books { reach: self.reach(), lines: sales.map(sold).collect(), bookings: Vec::new() };
        let mut others: Vec<&Record<'_>> =
            records.iter().filter(|r| r.movement() != Movement::Payment).collect();
        others.sort_by_key(|r| {
            let ids = (r.transaction_id(), r.line_id(), r.order_id(), r.refers_to());
            let amount = r.amount().map(|amount| amount.0);
            (r.movement(), r.time(), ids, r.user_id(), r.item_id(), amount)
        });
        // Those of which no sale is known make lines that nothing else refers to.
        let mut alone = Vec::new();
        for record in others {
            match books.lines_of(record) {
                lines if lines.is_empty() => alone.push(record),
                lines => books.adjust(record, &lines),
            }
        }
        alone.into_iter().for_each(|record| books.stand_in(record));
        books
    }
}

fn sold(record: &Record<'_>) -> Line {
    let number = |money: Option<crate::value::Money>| money.map(|money| money.0);
    Line {
        time: record.time(),
        transaction_id: record.transaction_id().clone(),
        line_id: record.line_id().clone(),
        order_id: record.order_id().clone(),
        user_id: record.user_id().clone(),
        item_id: record.item_id().clone(),
        quantity: record.quantity(),
        amount: number(record.amount()),
        discount: number(record.discount()).unwrap_or(0),
        tax: number(record.tax()).unwrap_or(0),
        shipping: number(record.shipping()).unwrap_or(0),
        ..Line::default()
    }
}

/// What is left of a line to give back or to dispute; none where its price is not known.
fn left(line: &Line) -> Option<i128> {
    let price = i128::from(line.amount?) - i128::from(line.discount);
    let gone = line.refunded.unwrap_or(0) + line.charged_back.unwrap_or(0);
    Some((price - gone).max(0))
}

impl Books {
    /// The lines a record refers to, in the order in which it takes from them.
    fn lines_of(&self, record: &Record<'_>) -> Vec<usize> {
        let apart = |line: &Line| i128::from((line.time - record.time()).abs());
        let is_near =
            |line: &Line| self.reach.is_none_or(|reach| apart(line) <= i128::from(reach.0));
        let with = |is: &dyn Fn(&Line) -> bool| -> Vec<usize> {
            let near = self.lines.iter().enumerate().filter(|(_, line)| is_near(line));
            near.filter(|(_, line)| is(line)).map(|(i, _)| i).collect()
        };
        let refers = !record.refers_to().is_empty();
        let payment = if refers { record.refers_to() } else { record.transaction_id() };
        let order = if refers { record.refers_to() } else { record.order_id() };
        let mut lines = with(&|line| !payment.is_empty() && line.transaction_id == *payment);
        if lines.is_empty() {
            lines = with(&|line| !order.is_empty() && line.order_id == *order);
        } else {
            let order_of = |i: &usize| {
                let line = &self.lines[*i];
                if line.order_id.is_empty() { &line.transaction_id } else { &line.order_id }
            };
            let least = lines.iter().map(order_of).min().cloned();
            lines.retain(|i| Some(order_of(i)) == least.as_ref());
            let own = |i: &usize| self.lines[*i].line_id == *record.line_id();
            if !refers && !record.line_id().is_empty() && lines.iter().any(own) {
                lines.retain(own);
            }
        }
        let same = |i: &usize| self.lines[*i].item_id == *record.item_id();
        if !record.item_id().is_empty() && lines.iter().any(same) {
            lines.retain(same);
        }
        let (mut older, mut newer): (Vec<usize>, Vec<usize>) =
            lines.into_iter().partition(|i| self.lines[*i].time <= record.time());
        // As it was sold; of equal lines the one of which less is left to take comes first.
        let won = record.movement() == Movement::Reversal;
        let whole = |i: &usize| {
            let line = &self.lines[*i];
            let sold = Line {
                voided: false,
                returned: false,
                refunded: None,
                charged_back: None,
                ..line.clone()
            };
            let now = (!won).then(|| line.clone());
            (sold, won.then(|| line.clone()), Reverse(now))
        };
        older.sort_by_key(|i| (Reverse(self.lines[*i].time), whole(i)));
        newer.sort_by_key(|i| (self.lines[*i].time, whole(i)));
        older.into_iter().chain(newer).collect()
    }

    fn adjust(&mut self, record: &Record<'_>, lines: &[usize]) {
        let lines: Vec<usize> = lines.iter().copied().filter(|i| !self.lines[*i].voided).collect();
        let amount = record.amount().map_or(0, |amount| i128::from(amount.0).abs());
        let booked: i128 = match (record.movement(), amount) {
            (Movement::Void, _) => {
                self.wholes(&lines, |_| false)
                    .into_iter()
                    .for_each(|i| self.lines[i].voided = true);
                return;
            }
            (Movement::Refund, 0) => {
                let wholes = self.wholes(&lines, |line| line.returned);
                let all = wholes.into_iter().map(|i| {
                    let line = &mut self.lines[i];
                    let rest = left(line).unwrap_or(0);
                    line.refunded = Some(line.refunded.unwrap_or(0) + rest);
                    line.returned = true;
                    rest
                });
                all.sum()
            }
            (Movement::Dispute, 0) => {
                let done =
                    |line: &Line| line.charged_back.is_some() && left(line).unwrap_or(0) == 0;
                let wholes = self.wholes(&lines, done);
                let all = wholes.into_iter().map(|i| {
                    let line = &mut self.lines[i];
                    let rest = left(line).unwrap_or(0);
                    line.charged_back = Some(line.charged_back.unwrap_or(0) + rest);
                    rest
                });
                all.sum()
            }
            (Movement::Reversal, 0) => {
                let wholes = self.wholes(&lines, |line| line.charged_back.is_none());
                wholes.into_iter().map(|i| self.lines[i].charged_back.take().unwrap_or(0)).sum()
            }
            (Movement::Reversal, amount) => {
                let mut rest = amount;
                for i in lines {
                    let Some(taken) = self.lines[i].charged_back.filter(|taken| *taken > 0) else {
                        continue;
                    };
                    let back = taken.min(rest);
                    rest -= back;
                    self.lines[i].charged_back = Some(taken - back).filter(|taken| *taken > 0);
                }
                amount - rest
            }
            (movement, amount) => self.take(record, movement, amount, &lines),
        };
        if booked != 0 {
            let (time, movement) = (record.time(), record.movement());
            self.bookings.push(Booking { time, movement, amount: booked });
        }
    }

    /// Takes an amount off the lines; gives how much was taken.
    fn take(
        &mut self,
        record: &Record<'_>,
        movement: Movement,
        amount: i128,
        lines: &[usize],
    ) -> i128 {
        let mut parts: Vec<(usize, i128)> = Vec::new();
        let mut rest = amount;
        for i in lines {
            let part = left(&self.lines[*i]).map_or(rest, |left| left.min(rest));
            rest -= part;
            parts.push((*i, part));
        }
        let own = record.refers_to().is_empty()
            && !record.transaction_id().is_empty()
            && lines.iter().any(|i| self.lines[*i].transaction_id == *record.transaction_id());
        if let (false, Some(first)) = (own, parts.first_mut()) {
            first.1 += rest;
            rest = 0;
        }
        for (i, part) in parts.into_iter().filter(|(_, part)| *part > 0) {
            let line = &mut self.lines[i];
            if movement == Movement::Refund {
                let refunded = line.refunded.unwrap_or(0) + part;
                line.refunded = Some(refunded);
                let price = line.amount.map(|a| i128::from(a) - i128::from(line.discount));
                line.returned |= price.is_some_and(|price| refunded >= price);
            } else {
                line.charged_back = Some(line.charged_back.unwrap_or(0) + part);
            }
        }
        if lines.is_empty() { 0 } else { amount - rest }
    }

    /// The lines that are taken as a whole: of those with one id and line only the first to which
    /// that was not done.
    fn wholes(&self, lines: &[usize], done: impl Fn(&Line) -> bool) -> Vec<usize> {
        let mut wholes: Vec<usize> = Vec::new();
        for i in lines.iter().copied().filter(|i| !done(&self.lines[*i])) {
            let line = &self.lines[i];
            let same = |other: &usize| {
                let other = &self.lines[*other];
                (&other.transaction_id, &other.line_id) == (&line.transaction_id, &line.line_id)
            };
            if line.transaction_id.is_empty() || !wholes.iter().any(same) {
                wholes.push(i);
            }
        }
        wholes
    }

    /// A record of which no sale is known.
    fn stand_in(&mut self, record: &Record<'_>) {
        let amount = record.amount().map(|amount| amount.0);
        let size = i128::from(amount.unwrap_or(0)).abs();
        let mut line = Line { quantity: None, discount: 0, tax: 0, shipping: 0, ..sold(record) };
        let back = amount.is_some_and(|amount| amount < 0);
        if back {
            line.amount = None;
        }
        match record.movement() {
            Movement::Void => line.voided = true,
            Movement::Refund => {
                (line.refunded, line.returned, line.loose) = (Some(size), !back, back);
            }
            Movement::Dispute => (line.charged_back, line.loose) = (Some(size), back),
            Movement::Payment | Movement::Reversal => {}
        }
        self.lines.push(line);
        let movement = record.movement();
        if matches!(movement, Movement::Refund | Movement::Dispute) && size > 0 {
            self.bookings.push(Booking { time: record.time(), movement, amount: size });
        }
    }
}
