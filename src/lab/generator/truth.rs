//! What was planted, so that detectors can be scored: one row per planted thing.
//!
//! A finding is made where the thing itself is made, by the same code, so the two cannot
//! disagree. Late parcels are not planted but follow from the carriers; every one is listed.

use super::catalog::Item;
use super::row::{ChargeId, Device, Ip, SessionId, ShipmentId, User, Warehouse};

/// What was planted, by its key, with the number that describes it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Planted {
    /// The second charge, and the one it repeats.
    Duplicate(ChargeId, ChargeId),
    /// Cards tried.
    CardTesting(Device, u32),
    /// Failed logins.
    BruteForce(User, u32),
    /// Users tried.
    CredentialStuffing(Ip, u32),
    /// Pages fetched.
    Bot(SessionId, u32),
    /// Hours without stock.
    StockOut(Item, Warehouse, u32),
    /// Hours after the promise, as yet if the parcel is on its way at the end of the run; none if
    /// it was given up.
    LateParcel(ShipmentId, Option<u32>),
}

/// A row of the truth stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finding {
    pub(super) time: i64,
    pub(super) planted: Planted,
}

impl Planted {
    pub(super) fn kind(self) -> &'static str {
        match self {
            Planted::Duplicate(..) => "duplicate",
            Planted::CardTesting(..) => "card_testing",
            Planted::BruteForce(..) => "brute_force",
            Planted::CredentialStuffing(..) => "credential_stuffing",
            Planted::Bot(..) => "bot",
            Planted::StockOut(..) => "stock_out",
            Planted::LateParcel(..) => "late_parcel",
        }
    }
}
