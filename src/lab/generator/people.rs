//! The shop's visitors. Nobody is stored: who a user is follows from the number by hashing,
//! so a hundred million rows need no more memory than ten.

use super::catalog::{Catalog, Category};
use super::random::{Chance, Rng, Stream, mix};
use super::row::{Card, Client, Country, Currency, Device, Ip, Region, User};

pub(super) const COUNTRIES: [&str; 8] = ["DE", "AT", "CH", "NL", "FR", "PL", "GB", "US"];
/// Where tax is charged beside the price.
pub(super) const US: Country = Country(7);
/// Visitors by country, in percent.
const COUNTRY_SHARES: [u32; 8] = [62, 9, 7, 6, 6, 4, 3, 3];
const REGION_SHARES: [u32; 5] = [22, 26, 14, 25, 13];

/// What stays the same about a user from visit to visit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    /// The user with the usual device at home.
    pub(super) home: Client,
    pub(super) second_device: Device,
    pub(super) region: Region,
    pub(super) currency: Currency,
    pub(super) liked: [Category; 3],
    number: u64,
}

/// All users of the shop.
#[derive(Debug)]
pub(super) struct People {
    count: u32,
    foreign: Chance,
    seed: u64,
}

impl People {
    pub(super) fn new(count: u32, foreign: Chance, seed: u64) -> Self {
        People { count, foreign, seed }
    }

    /// Someone who visits. The number is a uniform r bent to (r + 4 r^3) / 5, so regulars come
    /// five times as often as the mean, most people less than half as often, nobody never.
    pub(super) fn visitor(&self, rng: &mut Rng) -> User {
        let uniform = u128::from(rng.draw() >> 32);
        let cube = (uniform * uniform * uniform) >> 64;
        let bent = (uniform + 4 * cube) / 5;
        User(((bent * u128::from(self.count)) >> 32) as u32)
    }

    /// Any user, all alike.
    pub(super) fn anyone(&self, rng: &mut Rng) -> User {
        User(rng.below(self.count))
    }

    pub(super) fn person(&self, user: User, catalog: &Catalog) -> Person {
        let number = u64::from(user.0);
        let mut rng = Rng::keyed(self.seed, Stream::Person, number);
        let liked = std::array::from_fn(|_| catalog.any_category(&mut rng));
        let country = Country(by_share(&mut rng, &COUNTRY_SHARES));
        let device = device(&mut rng);
        let second_device = if rng.permille(450) { self::device(&mut rng) } else { device };
        let ip = ip(&mut rng);
        let region = Region(by_share(&mut rng, &REGION_SHARES));
        let currency = match (rng.hits(self.foreign), rng.permille(550)) {
            (false, _) => Currency::Eur,
            (true, true) => Currency::Usd,
            (true, false) => Currency::Gbp,
        };
        let home = Client { user, device, ip, country };
        Person { home, second_device, region, currency, liked, number: mix(number ^ self.seed) }
    }
}

impl Person {
    /// The client of one visit: at times the other device, a mobile network, a trip abroad.
    pub(super) fn visit(&self, rng: &mut Rng) -> Client {
        let mut client = self.home;
        if rng.permille(300) {
            client.device = self.second_device;
        }
        match rng.below(1000) {
            0..130 => client.ip = ip(rng),
            130..145 => {
                client.ip = ip(rng);
                client.country = Country(by_share(rng, &COUNTRY_SHARES));
            }
            _ => {}
        }
        client
    }

    /// The card of one order: one in eight orders is paid with the other card.
    pub(super) fn card(&self, rng: &mut Rng) -> Card {
        let other = u64::from(rng.permille(125));
        Card(mix(self.number.wrapping_add(other)) >> 16)
    }
}

/// An index drawn by shares that sum to 100.
pub(super) fn by_share(rng: &mut Rng, shares: &[u32]) -> u8 {
    let mut left = rng.below(100);
    for (index, &share) in shares.iter().enumerate() {
        if left < share {
            return index as u8;
        }
        left -= share;
    }
    0
}

pub(super) fn device(rng: &mut Rng) -> Device {
    let kind = u64::from(by_share(rng, &[61, 34, 5]));
    Device(kind << 48 | rng.draw() >> 16)
}

/// An address that looks public: no octet 0 or 255, the first one 31 to 93.
pub(super) fn ip(rng: &mut Rng) -> Ip {
    let first = 31 + rng.below(63);
    let rest = (0..3).fold(first, |ip, _| ip << 8 | (1 + rng.below(254)));
    Ip(rest)
}
