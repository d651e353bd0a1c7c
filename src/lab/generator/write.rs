//! The rows of each stream as CSV text, in the order of columns their readers expect.
//!
//! No field but the name in the catalog ever holds a comma, so a row is its fields joined;
//! the fields of a damaged copy can be found by splitting.

use super::Feed;
use super::catalog::{self, Catalog};
use super::dirt::Flaw;
use super::order::convert;
use super::pace::DAY;
use super::parcel::{CARRIERS, REGION_NAMES, WAREHOUSE_NAMES};
use super::people::COUNTRIES;
use super::random::mix;
use super::row::*;
use super::text::Text;
use super::truth::{Finding, Planted};

pub(super) fn header(feed: Feed) -> &'static str {
    match feed {
        Feed::Behavior => {
            "visit_time,event_id,user_id,session_id,event,item_id,category,quantity,price,\
             page_views,orders,device,ip,campaign,country,anonymous_id,order_id,value,currency,\
             source,medium,referrer,page_url,search_term,device_category,browser,consent,\
             experiment,variant,is_bot\n"
        }
        Feed::Transactions => {
            "transaction_time,transaction_id,order_id,user_id,item_id,quantity,amount,currency,\
             status,card_id,ip,device,country,refers_to,tax,shipping,discount,coupon,unit_cost,\
             seller_id,payment_method,channel,email_hash,card_bin,card_country,avs,cvc,three_ds,\
             ship_country\n"
        }
        Feed::Logistics => {
            "delivery_time,shipment_id,order_id,carrier,region,warehouse,ordered_time,\
             shipped_time,promised_time,status,cost,items_ordered,items_delivered,kind,\
             substatus,promised_from,service\n"
        }
        Feed::Ads => "time,event,user_id,campaign_id,creative_id,cost\n",
        Feed::Logins => "time,user_id,ip,device,outcome\n",
        Feed::Inventory => "time,item_id,warehouse,change\n",
        Feed::Catalog => "time,item_id,category,price,cost,available,name\n",
        Feed::Truth => "kind,key,time,detail\n",
        Feed::Customers => "time,user_id,anonymous_id,email_hash,country,consent,created\n",
    }
}

/// The column with a number to spoil; the time where there is none.
fn number_column(feed: Feed) -> usize {
    match feed {
        Feed::Behavior => 7,
        Feed::Transactions => 6,
        Feed::Logistics => 10,
        Feed::Ads => 5,
        Feed::Inventory => 3,
        Feed::Logins | Feed::Catalog | Feed::Truth | Feed::Customers => 0,
    }
}

/// Writes one row.
pub(super) fn row(row: &Row, catalog: &Catalog, text: &mut Text) {
    match row {
        Row::Visit(visit) => self::visit(visit, catalog, text),
        Row::Charge(charge) => self::charge(charge, catalog, text),
        Row::Scan(scan) => self::scan(scan, text),
        Row::Touch(touch) => self::touch(touch, text),
        Row::Attempt(attempt) => self::attempt(attempt, text),
        Row::Movement(movement) => self::movement(movement, text),
        Row::Profile(profile) => self::profile(profile, text),
        Row::Finding(finding) => self::finding(finding, text),
    }
    text.end();
}

/// Spoils the row that was written last, from byte `start` on.
pub(super) fn spoil(flaw: Flaw, feed: Feed, start: usize, text: &mut Text) {
    let bytes = text.cut(start);
    let row = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let mut fields: Vec<&[u8]> = row.split(|&byte| byte == b',').collect();
    let mut replace = |column: usize, value: &'static [u8]| {
        if let Some(field) = fields.get_mut(column) {
            *field = value;
        }
    };
    match flaw {
        Flaw::Time => replace(0, b"2026-13-45 25:61:00.000"),
        Flaw::Number => replace(number_column(feed), b"1O.5"),
        Flaw::Cut => fields.truncate(fields.len() / 2),
        Flaw::Surplus => fields.push(b"surplus"),
    }
    text.raw(&fields.join(&b','));
    text.end();
}

fn visit(visit: &Visit, catalog: &Catalog, text: &mut Text) {
    text.time(visit.time);
    text.next();
    text.id(b'e', visit.id);
    text.next();
    if visit.known {
        user(visit.client.user, text);
    }
    text.next();
    text.id(b's', visit.session.0);
    text.next();
    text.word(match visit.event {
        Event::PageView => "page_view",
        Event::ViewItemList => "view_item_list",
        Event::ViewItem => "view_item",
        Event::AddToCart => "add_to_cart",
        Event::BeginCheckout => "begin_checkout",
        Event::Purchase => "purchase",
        Event::RemoveFromCart => "remove_from_cart",
        Event::Search => "search",
        Event::Login => "login",
    });
    text.next();
    match visit.subject {
        Subject::Nothing => {
            text.raw(b",,");
            if let Some(sale) = visit.sale {
                text.number(u64::from(sale.pieces));
            }
            text.next();
        }
        Subject::Category(category) => {
            text.next();
            text.word(category.name());
            text.raw(b",,");
        }
        Subject::Item(item, quantity) => {
            self::item(item, text);
            text.next();
            text.word(item.category().name());
            text.next();
            if quantity > 0 {
                text.number(u64::from(quantity));
            }
            text.next();
            text.cents(catalog.price(item, visit.time));
        }
    }
    text.raw(b",,,");
    device(visit.client.device, text);
    text.next();
    text.ip(visit.client.ip.0);
    text.next();
    if visit.campaign.0 > 0 {
        campaign(visit.campaign, text);
    }
    text.next();
    country(visit.client.country, text);
    text.next();
    circumstances(visit, text);
}

/// What is known of a visit beside what was done: who came from where, with what.
fn circumstances(visit: &Visit, text: &mut Text) {
    let (key, session) = (visit.client.device.0, visit.session.0);
    anonymous(visit.client, text);
    text.next();
    if let Some(sale) = visit.sale {
        text.id(b'o', sale.order.0);
        text.next();
        text.cents(sale.cents);
        text.next();
        currency(sale.currency, text);
        text.next();
    } else {
        text.raw(b",,,");
    }
    let paid = visit.campaign.0 > 0;
    let (source, medium, referrer) = match (paid, mix(session) % 10) {
        (true, n) if n < 7 => ("google", "cpc", "https://www.google.com/"),
        (true, _) => ("meta", "paid_social", ""),
        (false, n) if n < 4 => ("google", "organic", "https://www.google.com/"),
        (false, 4) => ("newsletter", "email", ""),
        (false, _) => ("direct", "none", ""),
    };
    [source, medium, referrer].into_iter().for_each(|word| {
        text.word(word);
        text.next();
    });
    match (visit.event, visit.subject) {
        (Event::Search, _) => text.word("/search"),
        (Event::AddToCart | Event::RemoveFromCart, _) => text.word("/cart"),
        (Event::BeginCheckout, _) => text.word("/checkout"),
        (Event::Purchase, _) => text.word("/thanks"),
        (_, Subject::Item(item, _)) => {
            text.word("/p/");
            self::item(item, text);
        }
        (_, Subject::Category(category)) => {
            text.word("/c/");
            text.word(category.name());
        }
        (_, Subject::Nothing) => text.word("/"),
    }
    text.next();
    if let (Event::Search, Subject::Category(category)) = (visit.event, visit.subject) {
        text.word(category.name());
    }
    text.next();
    text.word(named(&KINDS, (key >> 48) as u8));
    text.next();
    text.word(BROWSERS[(mix(key) % BROWSERS.len() as u64) as usize]);
    text.next();
    text.word(consent(visit.client));
    text.word(",checkout-form,");
    text.word(["a", "b"][(mix(key ^ 1) % 2) as usize]);
    text.word(",false");
}

const KINDS: [&str; 3] = ["mobile", "desktop", "tablet"];
const BROWSERS: [&str; 5] = ["chrome", "chrome", "safari", "firefox", "edge"];

/// Four in five agree to be followed.
fn consent(client: Client) -> &'static str {
    if mix(client.device.0 ^ 2).is_multiple_of(5) { "denied" } else { "granted" }
}

/// The visitor, as a cookie knows it.
fn anonymous(client: Client, text: &mut Text) {
    text.word("a");
    text.hex48(mix(client.device.0));
}

/// The customer's address for mail, of which only a hash is kept.
fn email(user: User, text: &mut Text) {
    text.hex48(mix(u64::from(user.0) ^ 0xE0));
}

fn currency(currency: Currency, text: &mut Text) {
    text.word(match currency {
        Currency::Eur => "EUR",
        Currency::Usd => "USD",
        Currency::Gbp => "GBP",
    });
}

/// What is known of a customer who logs in.
fn profile(profile: &Profile, text: &mut Text) {
    let Profile { time, client } = *profile;
    text.time(time);
    text.next();
    user(client.user, text);
    text.next();
    anonymous(client, text);
    text.next();
    email(client.user, text);
    text.next();
    country(client.country, text);
    text.next();
    text.word(consent(client));
    text.next();
    // Some day of the three years before 2026.
    let days = (mix(u64::from(client.user.0) ^ 3) % 1_096) as i64;
    text.time(NEW_YEAR - (1 + days) * DAY + (mix(u64::from(client.user.0)) % 86_400_000) as i64);
}

/// 2026-01-01, before which all customers were known.
const NEW_YEAR: i64 = 1_767_225_600_000;

fn charge(charge: &Charge, catalog: &Catalog, text: &mut Text) {
    text.time(charge.time);
    text.next();
    text.id(b't', charge.id.0);
    text.next();
    text.id(b'o', charge.order.0);
    text.next();
    user(charge.client.user, text);
    text.next();
    item(charge.item, text);
    text.next();
    text.number(u64::from(charge.quantity));
    text.next();
    text.cents(charge.cents);
    text.next();
    currency(charge.currency, text);
    text.next();
    text.word(match charge.status {
        Status::Authorized => "authorized",
        Status::Captured => "captured",
        Status::Cancelled => "cancelled",
        Status::Refunded => "refunded",
        Status::Chargeback => "chargeback",
    });
    text.next();
    text.word("card-");
    text.hex48(charge.card.0);
    text.next();
    text.ip(charge.client.ip.0);
    text.next();
    device(charge.client.device, text);
    text.next();
    country(charge.client.country, text);
    text.next();
    terms(charge, catalog, text);
}

/// What belongs to a charge beside its amount, and how it was paid.
fn terms(charge: &Charge, catalog: &Catalog, text: &mut Text) {
    if let Some(first) = charge.refers_to {
        text.id(b't', first.0);
    }
    text.next();
    for cents in [charge.tax, charge.shipping, charge.discount] {
        if cents > 0 {
            text.cents(cents);
        }
        text.next();
    }
    text.word(if charge.discount > 0 { "TENOFF" } else { "" });
    text.next();
    text.cents(convert(catalog.cost(charge.item), charge.currency));
    text.next();
    text.id(b'm', 1 + u64::from(charge.item.category().0) % 6);
    let key = charge.card.0;
    text.word(if key.is_multiple_of(4) { ",wallet," } else { ",card," });
    text.word(named(&["app", "web", "web"], (charge.client.device.0 >> 48) as u8));
    text.next();
    email(charge.client.user, text);
    text.next();
    text.word("4");
    text.padded(mix(key) % 100_000, 5);
    text.next();
    country(charge.client.country, text);
    text.word(if mix(key).is_multiple_of(20) { ",n,m," } else { ",y,m," });
    text.word(if mix(key ^ 4).is_multiple_of(3) { "none" } else { "passed" });
    text.next();
    country(charge.client.country, text);
}

fn scan(scan: &Scan, text: &mut Text) {
    let after = |seconds: u32| scan.ordered + i64::from(seconds) * 1_000;
    text.time(scan.time());
    text.next();
    text.id(b'p', scan.id.0);
    text.next();
    text.id(b'o', scan.order.0);
    text.next();
    text.word(named(&CARRIERS, scan.carrier));
    text.next();
    text.word(named(&REGION_NAMES, scan.region.0));
    text.next();
    text.word(named(&WAREHOUSE_NAMES, scan.warehouse.0));
    text.next();
    text.time(scan.ordered);
    text.next();
    if let Some(seconds) = scan.shipped_after {
        text.time(after(seconds));
    }
    text.next();
    text.time(scan.promised);
    text.next();
    text.word(match scan.progress {
        Progress::Pending => "Pending",
        Progress::InfoReceived => "InfoReceived",
        Progress::InTransit => "InTransit",
        Progress::OutForDelivery => "OutForDelivery",
        Progress::AttemptFail => "AttemptFail",
        Progress::Delivered => "Delivered",
        Progress::AvailableForPickup => "AvailableForPickup",
        Progress::Exception => "Exception",
        Progress::Expired => "Expired",
    });
    text.next();
    text.cents(scan.cents);
    text.next();
    text.number(u64::from(scan.items));
    text.next();
    text.number(u64::from(scan.delivered));
    text.word(if scan.returns { ",return," } else { ",outbound," });
    text.word(match (scan.progress, scan.returns) {
        (_, true) => "Return_001",
        (Progress::Delivered, _) => "Delivered_001",
        (Progress::Exception, _) => "Exception_001",
        _ => "",
    });
    text.next();
    text.time(scan.promised - DAY);
    text.next();
    text.word(if scan.carrier == 0 { "express" } else { "standard" });
}

fn touch(touch: &Touch, text: &mut Text) {
    text.time(touch.time);
    text.next();
    text.word(match touch.contact {
        Contact::Impression => "impression",
        Contact::Click => "click",
        Contact::Conversion => "conversion",
    });
    text.next();
    user(touch.user, text);
    text.next();
    campaign(touch.campaign, text);
    text.next();
    campaign(touch.campaign, text);
    text.word(named(&["a", "b", "c"], touch.creative));
    text.next();
    text.cents(touch.cost);
}

fn attempt(attempt: &Attempt, text: &mut Text) {
    text.time(attempt.time);
    text.next();
    user(attempt.client.user, text);
    text.next();
    text.ip(attempt.client.ip.0);
    text.next();
    device(attempt.client.device, text);
    text.next();
    text.word(if attempt.success { "success" } else { "failure" });
}

fn movement(movement: &Movement, text: &mut Text) {
    text.time(movement.time);
    text.next();
    item(movement.item, text);
    text.next();
    text.word(named(&WAREHOUSE_NAMES, movement.warehouse.0));
    text.next();
    text.signed(i64::from(movement.change));
}

/// One row of the catalog.
pub(super) fn offer(time: i64, item: catalog::Item, catalog: &Catalog, text: &mut Text) {
    text.time(time);
    text.next();
    self::item(item, text);
    text.next();
    text.word(item.category().name());
    text.next();
    text.cents(catalog.price(item, time));
    text.next();
    text.cents(catalog.cost(item));
    text.raw(b",yes,");
    let name = catalog::name(item);
    let quote = if name.contains(',') { "\"" } else { "" };
    text.word(quote);
    text.word(&name);
    text.word(quote);
    text.end();
}

fn finding(finding: &Finding, text: &mut Text) {
    text.word(finding.planted.kind());
    text.next();
    match finding.planted {
        Planted::Duplicate(second, _) => text.id(b't', second.0),
        Planted::CardTesting(key, _) => device(key, text),
        Planted::BruteForce(key, _) => user(key, text),
        Planted::CredentialStuffing(ip, _) => text.ip(ip.0),
        Planted::Bot(session, _) => text.id(b's', session.0),
        Planted::StockOut(key, warehouse, _) => {
            item(key, text);
            text.word("@");
            text.word(named(&WAREHOUSE_NAMES, warehouse.0));
        }
        Planted::LateParcel(shipment, _) => text.id(b'p', shipment.0),
    }
    text.next();
    text.time(finding.time);
    text.next();
    let (label, number) = match finding.planted {
        Planted::Duplicate(_, first) => {
            text.word("of=");
            return text.id(b't', first.0);
        }
        Planted::LateParcel(_, None) => return text.word("lost"),
        Planted::CardTesting(_, number) => ("cards=", number),
        Planted::BruteForce(_, number) => ("failures=", number),
        Planted::CredentialStuffing(_, number) => ("users=", number),
        Planted::Bot(_, number) => ("pages=", number),
        Planted::StockOut(_, _, number) | Planted::LateParcel(_, Some(number)) => {
            ("hours=", number)
        }
    };
    text.word(label);
    text.number(u64::from(number));
}

fn user(user: User, text: &mut Text) {
    text.id(b'u', u64::from(user.0));
}

fn item(item: catalog::Item, text: &mut Text) {
    text.word("i");
    text.padded(u64::from(item.0), 4);
}

fn campaign(campaign: Campaign, text: &mut Text) {
    text.id(b'c', u64::from(campaign.0));
}

fn device(device: Device, text: &mut Text) {
    text.word(named(&KINDS, (device.0 >> 48) as u8));
    text.word("-");
    text.hex48(device.0);
}

fn country(country: Country, text: &mut Text) {
    text.word(named(&COUNTRIES, country.0));
}

/// The name at an index; empty if there is none, which does not happen.
fn named(names: &[&'static str], index: u8) -> &'static str {
    names.get(usize::from(index)).copied().unwrap_or_default()
}
