//! What the shop sells: 2,000 items in 20 categories, and how one item leads to another.
//!
//! A category is a run of 100 item numbers and a family a run of ten, so that "related" needs
//! no table. All prices come from one fixed ladder made by repeated multiplication, which IEEE
//! arithmetic rounds the same way everywhere.

use super::pace::DAY;
use super::random::{Alias, Rng, Stream, mix, zipf_weight};

pub(super) const ITEMS: u32 = 2_000;
pub(super) const CATEGORIES: u32 = 20;
const PER_CATEGORY: u32 = ITEMS / CATEGORIES;
const FAMILY: u32 = 10;
/// Flattens the head of the popularity of items and of categories.
const ITEM_SHIFT: u64 = 3;
const CATEGORY_SHIFT: u64 = 4;

const NAMES: [&str; CATEGORIES as usize] = [
    "kitchen",
    "lighting",
    "garden",
    "toys",
    "books",
    "audio",
    "phones",
    "computers",
    "fitness",
    "outdoor",
    "beauty",
    "health",
    "pets",
    "office",
    "bedding",
    "shoes",
    "jackets",
    "bags",
    "watches",
    "tools",
];
const ADJECTIVES: [&str; 10] =
    ["Plain", "Fine", "Sturdy", "Light", "Nordic", "Classic", "Urban", "Little", "Grand", "Soft"];
const VARIANTS: [&str; 10] =
    ["One", "Two", "Plus", "Mini", "Pro", "Duo", "Max", "Eco", "Go", "Home"];

/// An item's number, 0..2000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item(pub(super) u16);

/// A category's number, 0..20.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Category(pub(super) u8);

impl Item {
    pub(super) fn category(self) -> Category {
        Category((u32::from(self.0) / PER_CATEGORY) as u8)
    }

    /// How often this item is wanted, against the sum over all items.
    pub(super) fn weight(self) -> (u64, u64) {
        let category = u64::from(self.category().0);
        let offset = u32::from(self.0) % PER_CATEGORY;
        // 13 * 77 = 1 (mod 100), so this undoes the scattering in `place`.
        let rank = ((offset + PER_CATEGORY - shelf(category as u32)) * 13) % PER_CATEGORY;
        let own = zipf_weight(category, CATEGORY_SHIFT) * zipf_weight(u64::from(rank), ITEM_SHIFT);
        let sum =
            |count: u32, shift| (0..u64::from(count)).map(|r| zipf_weight(r, shift)).sum::<u64>();
        (own, sum(CATEGORIES, CATEGORY_SHIFT) * sum(PER_CATEGORY, ITEM_SHIFT))
    }
}

impl Category {
    pub(super) fn name(self) -> &'static str {
        NAMES[usize::from(self.0) % NAMES.len()]
    }
}

const WEEK: i64 = 7 * DAY;

/// The week of a time.
fn week(time: i64) -> i64 {
    time.div_euclid(WEEK)
}

/// Whether an item costs less in a week: one in twenty does.
fn is_cheaper(item: Item, week: i64) -> bool {
    mix(week as u64 * u64::from(ITEMS) + u64::from(item.0)).is_multiple_of(20)
}

/// Where a category's best seller stands among its 100 items.
fn shelf(category: u32) -> u32 {
    (category * 29 + 11) % PER_CATEGORY
}

/// The item at a popularity rank: 77 has no factor in common with 100, so ranks scatter over
/// the families and none is hit twice.
fn place(category: Category, rank: u32) -> Item {
    let category = u32::from(category.0);
    Item((category * PER_CATEGORY + (rank * 77 + shelf(category)) % PER_CATEGORY) as u16)
}

/// Prices and popularity.
#[derive(Debug)]
pub(super) struct Catalog {
    cents: Vec<u32>,
    categories: Alias,
    ranks: Alias,
}

impl Catalog {
    pub(super) fn new(seed: u64) -> Self {
        let ladder = ladder();
        let cents = (0..ITEMS).map(|item| {
            let mut rng = Rng::keyed(seed, Stream::Item, u64::from(item));
            // Four dice make a bell; the category moves it by up to a sixth of the ladder.
            let bell: u32 = (0..4).map(|_| rng.below(64)).sum();
            let lean = (item / PER_CATEGORY * 53) % 80;
            let rung = (bell + lean).saturating_sub(50).min(255);
            // The ladder has 256 rungs. Shop prices end in 9 cents.
            ladder[rung as usize] / 10 * 10 + 9
        });
        Catalog {
            cents: cents.collect(),
            categories: Alias::zipf(CATEGORIES, CATEGORY_SHIFT),
            ranks: Alias::zipf(PER_CATEGORY, ITEM_SHIFT),
        }
    }

    /// The usual price in cents.
    fn listed(&self, item: Item) -> u32 {
        // Items are made in this file only, all below ITEMS.
        self.cents[usize::from(item.0)]
    }

    /// The price in cents at a time: in some weeks an item costs a fifth less.
    pub(super) fn price(&self, item: Item, time: i64) -> u32 {
        let listed = self.listed(item);
        if is_cheaper(item, week(time)) { listed * 4 / 5 / 10 * 10 + 9 } else { listed }
    }

    /// What the shop pays for it, in cents: 40 to 70 % of the usual price.
    pub(super) fn cost(&self, item: Item) -> u32 {
        self.listed(item) * (40 + u32::from(item.0) * 37 % 31) / 100
    }

    /// When prices are set: of all items at first, and then of those that cost another.
    pub(super) fn offers(&self, from: i64, until: i64) -> impl Iterator<Item = (i64, Item)> {
        let (items, weeks) = (0..ITEMS as u16, week(from) + 1..=week(until - 1));
        let changed = weeks.flat_map(|week| {
            let other = move |item: &Item| is_cheaper(*item, week) != is_cheaper(*item, week - 1);
            (0..ITEMS as u16).map(Item).filter(other).map(move |item| (week * WEEK, item))
        });
        items.map(move |item| (from, Item(item))).chain(changed)
    }

    pub(super) fn any_category(&self, rng: &mut Rng) -> Category {
        Category(self.categories.pick(rng) as u8)
    }

    pub(super) fn any_item(&self, rng: &mut Rng, category: Category) -> Item {
        place(category, self.ranks.pick(rng))
    }

    /// One of the best sellers of the four greatest categories; turns below 400 all differ.
    pub(super) fn best_seller(&self, turn: u32) -> Item {
        place(Category((turn % 4) as u8), turn / 4)
    }

    /// What a visitor looks at after `item`: mostly the next ones of its family, sometimes its
    /// fixed companion in another category, else something from the same or a liked category.
    pub(super) fn next_item(&self, rng: &mut Rng, item: Item, liked: Category) -> Item {
        let number = u32::from(item.0);
        match rng.below(100) {
            0..50 => {
                let step = 1 + rng.skewed(0, 4) as u32;
                Item((number / FAMILY * FAMILY + (number + step) % FAMILY) as u16)
            }
            50..62 => Item(((number * 7 + 431) % ITEMS) as u16),
            62..85 => self.any_item(rng, item.category()),
            _ => self.any_item(rng, liked),
        }
    }
}

/// The name of an item, as text to be quoted where it holds a comma.
pub(super) fn name(item: Item) -> String {
    let number = usize::from(item.0);
    let category = item.category().name();
    let adjective = ADJECTIVES[number / 10 % 10];
    let variant = VARIANTS[number % 10];
    // Some names carry a comma, so that readers meet a quoted field.
    let comma = if number % 50 == 7 { "," } else { "" };
    format!("{adjective} {category}{comma} {variant}")
}

/// 256 prices in cents from 3 to 800 euros, each about 2.2 % above the one before.
fn ladder() -> [u32; 256] {
    let mut cents = 300.0_f64;
    std::array::from_fn(|_| {
        let now = cents as u32;
        cents *= 1.022_142;
        now
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_stay_between_3_and_800_around_50() {
        let catalog = Catalog::new(42);
        let mut prices: Vec<u32> =
            (0..ITEMS as u16).map(|item| catalog.listed(Item(item))).collect();
        prices.sort_unstable();
        assert!(prices[0] >= 300 && prices[1999] <= 80_009, "{} {}", prices[0], prices[1999]);
        assert!((2_500..8_000).contains(&prices[1000]), "{}", prices[1000]);
    }

    #[test]
    fn ranks_are_a_permutation_and_weights_follow_them() {
        for category in 0..CATEGORIES as u8 {
            let mut items: Vec<Item> =
                (0..PER_CATEGORY).map(|rank| place(Category(category), rank)).collect();
            assert!(items.is_sorted_by_key(|item| std::cmp::Reverse(item.weight().0)));
            items.sort_unstable();
            items.dedup();
            assert_eq!(items.len(), PER_CATEGORY as usize);
            assert!(items.iter().all(|item| item.category() == Category(category)));
        }
        let sum: u64 = (0..ITEMS as u16).map(|item| Item(item).weight().0).sum();
        assert_eq!(sum, Item(0).weight().1);
    }
}
