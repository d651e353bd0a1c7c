//! What an order comes to: a coupon now and then, tax where it is charged beside the price, and
//! shipping for small orders. All of it follows from the number of the order, so that the visit and
//! the charges tell the same.

use super::catalog::Catalog;
use super::order::convert;
use super::people::{Person, US};
use super::random::mix;
use super::row::{OrderId, Sale};
use super::session::Line;

/// Orders with a coupon, of a hundred.
const COUPONS: u64 = 14;
/// Below this shipping is charged, and so much, in cents.
const FREE_FROM: u32 = 5_000;
const SHIPPING: u32 = 490;

/// What one line of an order comes to, in cents of the person's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Price {
    pub(super) cents: u32,
    pub(super) discount: u32,
    pub(super) tax: u32,
    pub(super) shipping: u32,
}

/// The prices of the lines of an order.
pub(super) fn prices<'a>(
    (order, time): (OrderId, i64),
    basket: &'a [Line],
    person: &'a Person,
    catalog: &'a Catalog,
) -> impl Iterator<Item = Price> + 'a {
    let gross = move |line: &Line| {
        convert(u32::from(line.quantity) * catalog.price(line.item, time), person.currency)
    };
    let coupon = mix(order.0 ^ 0xC0).is_multiple_of(100 / COUPONS);
    let discount = move |cents: u32| if coupon { cents / 10 } else { 0 };
    let total: u32 = basket.iter().map(|line| gross(line) - discount(gross(line))).sum();
    basket.iter().enumerate().map(move |(number, line)| {
        let cents = gross(line);
        let discount = discount(cents);
        let tax = if person.home.country == US { (cents - discount) * 7 / 100 } else { 0 };
        let charged = number == 0 && total < FREE_FROM;
        let shipping = if charged { convert(SHIPPING, person.currency) } else { 0 };
        Price { cents, discount, tax, shipping }
    })
}

/// What the purchase of an order tells of it.
pub(super) fn sale(
    (order, time): (OrderId, i64),
    basket: &[Line],
    person: &Person,
    catalog: &Catalog,
) -> Sale {
    let all = prices((order, time), basket, person, catalog);
    let paid = all.map(|price| price.cents - price.discount + price.tax + price.shipping);
    let pieces = basket.iter().map(|line| u32::from(line.quantity)).sum();
    Sale { order, cents: paid.sum(), pieces, currency: person.currency }
}
