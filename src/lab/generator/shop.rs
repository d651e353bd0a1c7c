//! The simulation: visits follow one another, and everything else follows from visits.
//!
//! The start of the next visit is where the pace of the run is when as many rows have been
//! made as have been; so the run ends at its end with the number of rows asked for, and what
//! would happen after that is cut off (see `sink`). Nothing made after a step has a time before the moment that step returned, which is what lets the
//! queue give out rows while the run goes on.

use super::Options;
use super::advert::{self, Lead};
use super::catalog::Catalog;
use super::incident::{self, Incident, Kind, Scene};
use super::order::{Checkout, Fates, Orders};
use super::pace::{MINUTE, Pace, SECOND, mood};
use super::people::{People, Person};
use super::random::{Chance, Rng, Stream};
use super::row::*;
use super::session::{Walk, Wish};
use super::sink::Sink;
use super::stock::{Shelf, Stock};
use super::terms;

/// Rows per user, and units sold per thousand rows, as they come out on average.
const ROWS_PER_USER: u64 = 40;
const UNITS_PER_THOUSAND: u64 = 14;
/// Visits that come to buy, of a thousand.
const BUYERS: u32 = 20;

/// The shop in the middle of its run.
#[derive(Debug)]
pub(super) struct Shop {
    seed: u64,
    pace: Pace,
    catalog: Catalog,
    people: People,
    orders: Orders,
    /// The next incident is the last one.
    incidents: Vec<Incident>,
    /// Rows for visits to make, and those incidents made beside them.
    budget: u64,
    beside: u64,
    sessions: u64,
    events: u64,
    walk: Walk,
    opened: bool,
}

impl Shop {
    pub(super) fn new(options: &Options) -> Self {
        let (seed, plants) = (options.seed, &options.plants);
        let pace = Pace::new(options.start_ms, options.days, seed);
        let count = |rate: f64| (options.events as f64 * rate / 1e6).ceil() as u32;
        let plan = [
            (Kind::CardTesting, count(plants.card_testing)),
            (Kind::BruteForce, count(plants.brute_force)),
            (Kind::CredentialStuffing, count(plants.credential_stuffing)),
            (Kind::Bot, count(plants.bots)),
        ];
        let mut incidents = incident::plan(&plan, &pace, seed);
        // Small runs have no room for all of them: at least three quarters stay ordinary.
        let mut room = options.events / 4;
        incidents.retain(|incident| match room.checked_sub(incident.rows()) {
            Some(rest) => {
                room = rest;
                true
            }
            None => false,
        });
        let planned: u64 = incidents.iter().map(Incident::rows).sum();
        incidents.reverse();

        let mut stock = Stock::open(options.events * UNITS_PER_THOUSAND / 1000, options.days, seed);
        let catalog = Catalog::new(seed);
        let mut rng = Rng::keyed(seed, Stream::Stock, 1);
        for number in 0..plants.stock_outs {
            let warehouse = Warehouse(rng.below(3) as u8);
            let span = pace.end() - pace.start();
            let time = pace.start() + rng.between(span / 20, span / 3);
            stock.plant_outage(Shelf::new(catalog.best_seller(number), warehouse), time);
        }
        let fates = Fates {
            cancelled: Chance::share(options.dirt.cancellations),
            refunded: Chance::share(options.dirt.refunds),
            doubled: Chance::share(plants.duplicates),
            middle: pace.middle(),
            end: pace.end(),
        };
        // At least 50 users; ids are 32 bits wide.
        let users = (options.events / ROWS_PER_USER).clamp(50, 1 << 31) as u32;
        Shop {
            seed,
            people: People::new(users, Chance::share(options.foreign), seed),
            pace,
            catalog,
            orders: Orders::new(stock, fates),
            incidents,
            budget: options.events - planned,
            beside: 0,
            sessions: 0,
            events: 0,
            walk: Walk::default(),
            opened: false,
        }
    }

    /// The first moment after the run.
    pub(super) fn end(&self) -> i64 {
        self.pace.end()
    }

    pub(super) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Plays what comes next. All later steps make rows at or after the returned moment; none
    /// when the run is over.
    pub(super) fn step(&mut self, sink: &mut Sink) -> Option<i64> {
        if !self.opened {
            self.opened = true;
            self.orders.stock.write_opening(self.pace.start(), sink);
            return Some(self.next_start(sink));
        }
        let now = self.next_start(sink);
        let done = sink.counted() - self.beside;
        if self.incidents.last().is_some_and(|incident| incident.time <= now) {
            if let Some(incident) = self.incidents.pop() {
                self.trouble(incident, sink);
            }
        } else if done < self.budget {
            self.visit(now, sink);
        } else {
            return None;
        }
        Some(self.next_start(sink))
    }

    /// When the next visit or incident begins.
    fn next_start(&self, sink: &Sink) -> i64 {
        let visit = self.pace.at(sink.counted() - self.beside, self.budget);
        self.incidents.last().map_or(visit, |incident| incident.time.min(visit))
    }

    fn trouble(&mut self, incident: Incident, sink: &mut Sink) {
        let before = sink.counted();
        self.sessions += 1;
        let mut scene = Scene {
            people: &self.people,
            catalog: &self.catalog,
            orders: &mut self.orders,
            events: &mut self.events,
            session: SessionId(self.sessions),
        };
        incident.play(&mut scene, sink);
        self.beside += sink.counted() - before;
    }

    fn visit(&mut self, now: i64, sink: &mut Sink) {
        self.sessions += 1;
        let mut rng = Rng::keyed(self.seed, Stream::Session, self.sessions);
        let user = self.people.visitor(&mut rng);
        let person = self.people.person(user, &self.catalog);
        let client = person.visit(&mut rng);
        let campaign = advert::campaign(&mut rng);
        let start = now + rng.between(2 * SECOND, MINUTE);
        let ready = BUYERS * mood(now) / 100 * advert::mood(campaign) / 100;
        let wish = Wish { buyer: rng.permille(ready), liked: person.liked };
        self.walk.take(&mut rng, &self.catalog, wish);

        let mut bought = None;
        let (known, basket) = (self.walk.logged_in, &self.walk.basket[..]);
        for &step in &self.walk.steps {
            let time = start + step.after;
            self.events += 1;
            let (id, session) = (self.events, SessionId(self.sessions));
            let (event, subject) = (step.event, step.subject);
            let sale = (event == Event::Purchase)
                .then(|| terms::sale((self.orders.coming(), time), basket, &person, &self.catalog));
            let visit = Visit { known, sale, time, id, session, client, event, subject, campaign };
            sink.push(time, Row::Visit(visit));
            match event {
                Event::Login => {
                    log_in(&mut rng, client, (now, time), sink);
                    sink.push(time, Row::Profile(Profile { time, client }));
                }
                Event::Purchase => bought = Some(time),
                _ => {}
            }
        }
        if let Some(time) = bought {
            self.order((now, time), &person, client, &mut rng, sink);
        }
        if sink.wants(super::Feed::Ads) {
            let lead = Lead { now, visit: start, user, campaign, bought };
            advert::play(lead, &self.people, (self.seed, self.sessions), sink);
        }
    }

    fn order(
        &mut self,
        (now, time): (i64, i64),
        person: &Person,
        client: Client,
        rng: &mut Rng,
        sink: &mut Sink,
    ) {
        let (basket, catalog) = (&self.walk.basket[..], &self.catalog);
        let checkout = Checkout { now, time, person, client, basket, catalog };
        self.orders.place(checkout, rng, sink);
    }
}

/// A login that worked in the end; some people mistype first.
fn log_in(rng: &mut Rng, client: Client, (now, time): (i64, i64), sink: &mut Sink) {
    let mut at = time;
    while rng.permille(70) {
        at = (at - rng.between(4 * SECOND, 30 * SECOND)).max(now);
        sink.push(at, Row::Attempt(Attempt { time: at, client, success: false }));
    }
    sink.push(time, Row::Attempt(Attempt { time, client, success: true }));
}
