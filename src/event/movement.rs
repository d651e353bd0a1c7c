//! What a record of a payment does to the money of a sale.

use super::PaymentStatus;
use serde::{Deserialize, Serialize};

/// What a record of a payment does to the money of a sale; those after the first adjust it, and are
/// applied in this order.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Movement {
    /// It tells of the payment itself, also of one that failed or is pending.
    #[default]
    Payment,
    /// It takes the payment back as if it had never been: a cancellation or void.
    Void,
    /// It gives money back.
    Refund,
    /// It is a dispute that took the money.
    Dispute,
    /// It is a dispute that was won, so that the money came back.
    Reversal,
}

impl Movement {
    /// That of a status and an amount. Money that is given back under a negative amount is a refund,
    /// whatever the status says of the payment.
    #[inline]
    pub fn of(status: Option<PaymentStatus>, amount: Option<i64>) -> Movement {
        use PaymentStatus::*;
        match status {
            Some(Cancelled | Voided) => Movement::Void,
            Some(Refunded) => Movement::Refund,
            Some(Chargeback) => Movement::Dispute,
            Some(ChargebackReversed) => Movement::Reversal,
            _ if amount.is_some_and(|amount| amount < 0) => Movement::Refund,
            _ => Movement::Payment,
        }
    }
}
