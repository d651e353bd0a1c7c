//! Planted trouble: card testing, attacks on logins, and bots.
//!
//! All incidents are planned before the run, so that the rows they will take are known and
//! the ordinary visits can share out the rest.

use super::catalog::{Catalog, Item};
use super::order::{Orders, push};
use super::pace::{DAY, HOUR, MINUTE, Pace, SECOND};
use super::people::{People, device, ip};
use super::random::{Rng, Stream};
use super::row::*;
use super::sink::Sink;
use super::truth::{Finding, Planted};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    CardTesting,
    BruteForce,
    CredentialStuffing,
    Bot,
}

/// One planned incident.
#[derive(Clone, Debug)]
pub(super) struct Incident {
    pub(super) time: i64,
    kind: Kind,
    /// Cards, failures, users or pages.
    size: u32,
    rng: Rng,
}

/// How many incidents of each kind there are.
pub(super) type Plan = [(Kind, u32); 4];

/// The incidents in order of time.
pub(super) fn plan(plan: &Plan, pace: &Pace, seed: u64) -> Vec<Incident> {
    let mut incidents = Vec::new();
    for &(kind, count) in plan {
        for number in 0..count {
            let key = u64::from(number) * 4 + kind as u64;
            let mut rng = Rng::keyed(seed, Stream::Incident, key);
            // Trouble keeps no office hours, but leaves the edges of the run alone.
            let edge = (pace.end() - pace.start()) / 20;
            let time = rng.between(pace.start() + edge, pace.end() - edge);
            let (low, high) = match kind {
                Kind::CardTesting => (20, 61),
                Kind::BruteForce => (32, 91),
                Kind::CredentialStuffing => (60, 200),
                Kind::Bot => (180, 520),
            };
            let size = low + rng.below(high - low);
            incidents.push(Incident { time, kind, size, rng });
        }
    }
    incidents.sort_by_key(|incident| (incident.time, incident.kind as u8));
    incidents
}

/// What incidents need of the shop.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) people: &'a People,
    pub(super) catalog: &'a Catalog,
    pub(super) orders: &'a mut Orders,
    pub(super) events: &'a mut u64,
    pub(super) session: SessionId,
}

impl Incident {
    /// The rows it adds to the counted feeds, about (charges taken back are a chance).
    pub(super) fn rows(&self) -> u64 {
        match self.kind {
            Kind::CardTesting => u64::from(self.size) * 11 / 10,
            Kind::Bot => u64::from(self.size),
            Kind::BruteForce | Kind::CredentialStuffing => 0,
        }
    }

    pub(super) fn play(mut self, scene: &mut Scene<'_>, sink: &mut Sink) {
        let rng = &mut self.rng;
        let client = Client {
            user: scene.people.anyone(rng),
            device: device(rng),
            ip: ip(rng),
            country: Country(rng.below(8) as u8),
        };
        let planted = match self.kind {
            Kind::CardTesting => self.test_cards(client, scene, sink),
            Kind::BruteForce => self.force(client, sink),
            Kind::CredentialStuffing => self.stuff(client, scene, sink),
            Kind::Bot => self.crawl(client, scene, sink),
        };
        sink.push(self.time, Row::Finding(Finding { time: self.time, planted }));
    }

    /// Small amounts on many cards within an hour from one device.
    fn test_cards(&mut self, client: Client, scene: &mut Scene<'_>, sink: &mut Sink) -> Planted {
        let rng = &mut self.rng;
        let step = 55 * MINUTE / i64::from(self.size);
        for number in 0..self.size {
            let charge = Charge {
                time: 0,
                id: scene.orders.next_charge(),
                order: scene.orders.next_order(),
                client,
                item: Item(rng.below(2_000) as u16),
                quantity: 1,
                cents: 50 + rng.below(450),
                discount: 0,
                tax: 0,
                shipping: 0,
                refers_to: None,
                currency: Currency::Eur,
                status: Status::Authorized,
                card: Card(rng.draw() >> 16),
                amendable: false,
            };
            let time = self.time + i64::from(number) * step + rng.between(0, step);
            // Most cards are refused after the check; what goes through comes back.
            if rng.permille(300) {
                push(charge, time, Status::Captured, sink);
                if rng.permille(330) {
                    push(charge, time + rng.skewed(3 * DAY, 120 * DAY), Status::Chargeback, sink);
                }
            } else {
                push(charge, time, Status::Authorized, sink);
            }
        }
        Planted::CardTesting(client.device, self.size)
    }

    /// Failures for one user within ten minutes.
    fn force(&mut self, client: Client, sink: &mut Sink) -> Planted {
        let step = 9 * MINUTE / i64::from(self.size);
        for number in 0..self.size {
            let time = self.time + i64::from(number) * step + self.rng.between(0, step);
            sink.push(time, Row::Attempt(Attempt { time, client, success: false }));
        }
        if self.rng.permille(150) {
            let time = self.time + 9 * MINUTE + 5 * SECOND;
            sink.push(time, Row::Attempt(Attempt { time, client, success: true }));
        }
        Planted::BruteForce(client.user, self.size)
    }

    /// One or two tries for each of many users from one address.
    fn stuff(&mut self, client: Client, scene: &Scene<'_>, sink: &mut Sink) -> Planted {
        let rng = &mut self.rng;
        let mut users = Vec::new();
        for _ in 0..self.size {
            let user = scene.people.anyone(rng);
            let client = Client { user, device: device(rng), ..client };
            users.push(user);
            for _ in 0..=rng.below(2) {
                let time = self.time + rng.between(0, HOUR / 2);
                let success = rng.permille(15);
                sink.push(time, Row::Attempt(Attempt { time, client, success }));
            }
        }
        users.sort_unstable();
        users.dedup();
        Planted::CredentialStuffing(client.ip, users.len() as u32)
    }

    /// Several pages a second down the catalog, and nothing bought.
    fn crawl(&mut self, client: Client, scene: &mut Scene<'_>, sink: &mut Sink) -> Planted {
        let mut time = self.time;
        let mut item = scene.catalog.best_seller(self.rng.below(200)).0;
        for _ in 0..self.size {
            let (event, subject) = if self.rng.permille(550) {
                item = (item + 1) % 2_000;
                (Event::ViewItem, Subject::Item(Item(item), 0))
            } else {
                (Event::PageView, Subject::Nothing)
            };
            *scene.events += 1;
            let (id, session, campaign) = (*scene.events, scene.session, Campaign(0));
            let (known, sale) = (false, None);
            let visit = Visit { known, sale, time, id, session, client, event, subject, campaign };
            sink.push(time, Row::Visit(visit));
            time += self.rng.between(80, 420);
        }
        Planted::Bot(scene.session, self.size)
    }
}
