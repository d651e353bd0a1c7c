//! One visit to the shop, as a walk over events: a list of steps and perhaps a basket bought.
//!
//! The walk only draws numbers and looks up items; who walks, when, and what follows from a
//! purchase is the shop's business. A visit has 1 to 40 events, and a purchase always has
//! adds to the cart and a checkout before it.

use super::catalog::{Catalog, Category, Item};
use super::random::Rng;
use super::row::{Event, Subject};

/// Events at most in one visit.
#[cfg(test)]
const LONGEST: usize = 40;
/// Events after which browsing ends; what may follow fills up the forty.
const BROWSE: usize = 34;
/// Lines at most in one basket.
const LINES: usize = 12;

/// One event, `after` milliseconds from the start of the visit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) after: i64,
    pub(super) event: Event,
    pub(super) subject: Subject,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) item: Item,
    pub(super) quantity: u16,
}

/// What the visitor came for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// Came to buy; others buy rarely.
    pub(super) buyer: bool,
    pub(super) liked: [Category; 3],
}

/// The steps and the basket of a visit; reused from visit to visit.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) steps: Vec<Step>,
    pub(super) basket: Vec<Line>,
    /// Whether the basket was bought, by the last `Purchase` step.
    pub(super) bought: bool,
    pub(super) logged_in: bool,
    clock: i64,
}

impl Walk {
    pub(super) fn take(&mut self, rng: &mut Rng, catalog: &Catalog, wish: Wish) {
        self.steps.clear();
        self.basket.clear();
        (self.bought, self.logged_in, self.clock) = (false, false, 0);
        self.land(rng, wish);
        self.browse(rng, catalog, wish);
        self.buy(rng, wish);
    }

    fn step(&mut self, rng: &mut Rng, event: Event, subject: Subject) {
        if !self.steps.is_empty() {
            // Two seconds to six minutes, mostly well below one.
            self.clock += rng.skewed(2_000, 360_000);
        }
        self.steps.push(Step { after: self.clock, event, subject });
    }

    fn log_in(&mut self, rng: &mut Rng) {
        if !self.logged_in {
            self.logged_in = true;
            self.step(rng, Event::Login, Subject::Nothing);
        }
    }

    fn land(&mut self, rng: &mut Rng, wish: Wish) {
        if rng.permille(120) {
            self.step(rng, Event::Search, Subject::Category(wish.liked[0]));
        } else {
            self.step(rng, Event::PageView, Subject::Nothing);
        }
        if rng.permille(if wish.buyer { 350 } else { 60 }) {
            self.log_in(rng);
        }
    }

    fn browse(&mut self, rng: &mut Rng, catalog: &Catalog, wish: Wish) {
        let stay = if wish.buyer { 922 } else { 772 };
        let liked = wish.liked[usize::from(rng.permille(350)) + usize::from(rng.permille(150))];
        let mut last: Option<Item> = None;
        // The longer it has been, the sooner it ends.
        while self.steps.len() < BROWSE && rng.permille(stay - 4 * self.steps.len() as u32) {
            match rng.below(100) {
                0..28 => self.step(rng, Event::PageView, Subject::Nothing),
                28..42 => self.step(rng, Event::ViewItemList, Subject::Category(liked)),
                42..48 => self.step(rng, Event::Search, Subject::Category(liked)),
                _ => {
                    let item = match last {
                        Some(item) => catalog.next_item(rng, item, liked),
                        None => catalog.any_item(rng, liked),
                    };
                    last = Some(item);
                    self.step(rng, Event::ViewItem, Subject::Item(item, 0));
                    if rng.permille(if wish.buyer { 520 } else { 70 }) {
                        self.add(rng, item);
                    }
                }
            }
            if rng.permille(25) && !self.basket.is_empty() {
                let line = self.basket.remove(rng.below(self.basket.len() as u32) as usize);
                let subject = Subject::Item(line.item, line.quantity);
                self.step(rng, Event::RemoveFromCart, subject);
            }
        }
    }

    /// Into the cart; an item already there gets a greater quantity.
    fn add(&mut self, rng: &mut Rng, item: Item) {
        let quantity = match rng.below(100) {
            0..79 => 1,
            79..94 => 2,
            94..98 => 3,
            _ => 4 + rng.below(3) as u16,
        };
        if let Some(line) = self.basket.iter_mut().find(|line| line.item == item) {
            line.quantity += quantity;
        } else if self.basket.len() < LINES {
            self.basket.push(Line { item, quantity });
        } else {
            return;
        }
        self.step(rng, Event::AddToCart, Subject::Item(item, quantity));
    }

    fn buy(&mut self, rng: &mut Rng, wish: Wish) {
        let Some(&Line { item, quantity }) = self.basket.first() else {
            return;
        };
        if !rng.permille(if wish.buyer { 940 } else { 220 }) {
            return;
        }
        // Some are guests.
        if rng.permille(650) {
            self.log_in(rng);
        }
        // The checkout is told by the first line of the basket, the purchase by its order.
        self.step(rng, Event::BeginCheckout, Subject::Item(item, quantity));
        if rng.permille(if wish.buyer { 930 } else { 450 }) {
            self.step(rng, Event::Purchase, Subject::Nothing);
            self.bought = true;
            if rng.permille(500) {
                self.step(rng, Event::PageView, Subject::Nothing);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::Stream;
    use super::*;

    #[test]
    fn walks_are_short_and_baskets_follow_from_the_steps() {
        let catalog = Catalog::new(4);
        let mut walk = Walk::default();
        let mut bought = 0;
        for number in 0..5_000 {
            let mut rng = Rng::keyed(8, Stream::Session, number);
            let liked = [Category(1), Category(2), Category(3)];
            walk.take(&mut rng, &catalog, Wish { buyer: number % 2 == 0, liked });
            assert!((1..=LONGEST).contains(&walk.steps.len()));
            assert!(walk.steps.is_sorted_by(|a, b| a.after < b.after));
            let mut cart: Vec<(Item, u16)> = Vec::new();
            for step in &walk.steps {
                match (step.event, step.subject) {
                    (Event::AddToCart, Subject::Item(item, quantity)) => {
                        match cart.iter_mut().find(|line| line.0 == item) {
                            Some(line) => line.1 += quantity,
                            None => cart.push((item, quantity)),
                        }
                    }
                    (Event::RemoveFromCart, Subject::Item(item, quantity)) => {
                        assert!(cart.contains(&(item, quantity)));
                        cart.retain(|line| line.0 != item);
                    }
                    _ => {}
                }
            }
            let basket: Vec<(Item, u16)> =
                walk.basket.iter().map(|l| (l.item, l.quantity)).collect();
            assert_eq!(cart, basket);
            let events: Vec<Event> = walk.steps.iter().map(|step| step.event).collect();
            assert_eq!(walk.bought, events.contains(&Event::Purchase));
            assert_eq!(walk.logged_in, events.contains(&Event::Login));
            bought += u32::from(walk.bought);
        }
        assert!((1_000..3_000).contains(&bought), "{bought}");
    }
}
