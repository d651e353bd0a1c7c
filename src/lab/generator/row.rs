//! The rows of the streams before they are text: small copyable structs, so that what is in
//! flight stays cheap. Prices, names and the like are looked up only when a row is written.

use super::catalog::{Category, Item};
use super::truth::Finding;

/// Numbers of the shop's things; each kind counts on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct User(pub(super) u32);
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SessionId(pub(super) u64);
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OrderId(pub(super) u64);
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChargeId(pub(super) u64);
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShipmentId(pub(super) u64);
/// A device's fingerprint: 48 random bits under the kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Device(pub(super) u64);
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ip(pub(super) u32);
/// A card's token: 48 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Card(pub(super) u64);
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Country(pub(super) u8);
/// A campaign, 1..=8; 0 is no campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Campaign(pub(super) u8);
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Warehouse(pub(super) u8);
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region(pub(super) u8);

/// Who is acting, from where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    pub(super) user: User,
    pub(super) device: Device,
    pub(super) ip: Ip,
    pub(super) country: Country,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    PageView,
    ViewItemList,
    ViewItem,
    AddToCart,
    BeginCheckout,
    Purchase,
    RemoveFromCart,
    Search,
    Login,
}

/// What an event is about. A quantity of 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Nothing,
    Category(Category),
    Item(Item, u16),
}

/// What a purchase tells of its order as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sale {
    pub(super) order: OrderId,
    /// What is paid, with tax and shipping.
    pub(super) cents: u32,
    pub(super) pieces: u32,
    pub(super) currency: Currency,
}

/// A row of the behavior stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    /// Whether the visitor is known as a user.
    pub(super) known: bool,
    pub(super) sale: Option<Sale>,
    pub(super) time: i64,
    pub(super) id: u64,
    pub(super) session: SessionId,
    pub(super) client: Client,
    pub(super) event: Event,
    pub(super) subject: Subject,
    pub(super) campaign: Campaign,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Authorized,
    Captured,
    Cancelled,
    Refunded,
    Chargeback,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Currency {
    Eur,
    Usd,
    Gbp,
}

/// A row of the transactions stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    pub(super) time: i64,
    pub(super) id: ChargeId,
    pub(super) order: OrderId,
    pub(super) client: Client,
    pub(super) item: Item,
    pub(super) quantity: u16,
    pub(super) cents: u32,
    pub(super) discount: u32,
    pub(super) tax: u32,
    pub(super) shipping: u32,
    pub(super) currency: Currency,
    pub(super) status: Status,
    pub(super) card: Card,
    /// The charge of which it gives a part back.
    pub(super) refers_to: Option<ChargeId>,
    /// Nothing later refers to its amount, so dirt may correct it.
    pub(super) amendable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Pending,
    InfoReceived,
    InTransit,
    OutForDelivery,
    AttemptFail,
    Delivered,
    AvailableForPickup,
    Exception,
    Expired,
}

/// A row of the logistics stream. Seconds count from the order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan {
    pub(super) ordered: i64,
    pub(super) after: u32,
    /// None until the parcel has left the warehouse.
    pub(super) shipped_after: Option<u32>,
    pub(super) promised: i64,
    pub(super) id: ShipmentId,
    pub(super) order: OrderId,
    pub(super) carrier: u8,
    pub(super) region: Region,
    pub(super) warehouse: Warehouse,
    pub(super) progress: Progress,
    pub(super) cents: u32,
    pub(super) items: u16,
    pub(super) delivered: u16,
    /// Whether it comes back to the shop.
    pub(super) returns: bool,
}

impl Scan {
    pub(super) fn time(&self) -> i64 {
        self.ordered + i64::from(self.after) * 1_000
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contact {
    Impression,
    Click,
    Conversion,
}

/// A row of the ads stream. The cost is in cents.
#[derive(Clone, Copy, Debug)]
pub(super) struct Touch {
    pub(super) time: i64,
    pub(super) contact: Contact,
    pub(super) user: User,
    pub(super) campaign: Campaign,
    pub(super) creative: u8,
    pub(super) cost: u32,
}

/// A row of the logins stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) time: i64,
    pub(super) client: Client,
    pub(super) success: bool,
}

/// A row of the customers stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Profile {
    pub(super) time: i64,
    pub(super) client: Client,
}

/// A row of the inventory stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Movement {
    pub(super) time: i64,
    pub(super) item: Item,
    pub(super) warehouse: Warehouse,
    pub(super) change: i32,
}

/// A row of any stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Row {
    Visit(Visit),
    Charge(Charge),
    Scan(Scan),
    Touch(Touch),
    Attempt(Attempt),
    Profile(Profile),
    Movement(Movement),
    Finding(Finding),
}
