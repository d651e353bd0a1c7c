//! What a record means by more than one of its fields.

use super::{
    Behavior, Logistics, Movement, ParcelKind, ParcelStatus, PaymentStatus, Row, ShopEvent,
    Transactions,
};
use crate::text::Text;

impl Row<'_, Behavior> {
    /// Page views: the column where it is filled, otherwise one for each viewing event.
    #[inline]
    pub fn views(&self) -> i64 {
        self.page_views().unwrap_or_else(|| self.event().map_or(0, |e| i64::from(e.is_view())))
    }
    /// Orders: the column where it is filled, otherwise one for each `purchase`.
    #[inline]
    pub fn order_count(&self) -> i64 {
        self.orders().unwrap_or_else(|| i64::from(self.event() == Some(ShopEvent::Purchase)))
    }
}

impl<'a> Row<'a, Behavior> {
    /// Who came: the user or, of whom that is not known, the visitor without a name.
    #[inline]
    pub fn who(&self) -> &'a Text {
        let user = self.user_id();
        if user.is_empty() { self.anonymous_id() } else { user }
    }
    /// The item of a `view_item`, if it has one; a source without `event` lists such views only.
    #[inline]
    pub fn viewed_item(&self) -> Option<&'a Text> {
        let views = self.event().is_none_or(|e| e == ShopEvent::ViewItem);
        Some(self.item_id()).filter(|item| views && !item.is_empty())
    }
}

impl Row<'_, Transactions> {
    /// Whether the record stands for money taken. A cancellation, void or refund does not, so as
    /// the later record of its id it takes the amount out of the hour of the sale; nor does a
    /// payment that failed or is pending. A chargeback is disputed, not undone: it still counts
    /// here, and in `merchant_health` against the shop.
    #[inline]
    pub fn is_sale(&self) -> bool {
        self.status().is_none_or(PaymentStatus::is_taken)
    }

    /// What it does to the money of a sale.
    #[inline]
    pub fn movement(&self) -> Movement {
        Movement::of(self.status(), self.amount().map(|amount| amount.0))
    }

    /// Whether the record tells of the payment itself, also of one that failed. Cancellations,
    /// voids, refunds and chargebacks carry the time of the undoing, at which nobody tried to pay.
    #[inline]
    pub fn is_attempt(&self) -> bool {
        self.status().is_none_or(PaymentStatus::is_of_payment)
    }
}

impl Row<'_, Logistics> {
    /// Whether the record stands for a parcel that a customer got; a source without `status` lists
    /// deliveries only. What a customer sends back is none.
    #[inline]
    pub fn is_delivery(&self) -> bool {
        !self.is_return() && self.status().is_none_or(|s| s == ParcelStatus::Delivered)
    }
    /// Whether a customer sends it back.
    #[inline]
    pub fn is_return(&self) -> bool {
        self.kind() == Some(ParcelKind::Return)
    }
    /// Whether a customer still expects the parcel.
    #[inline]
    pub fn is_open(&self) -> bool {
        let status = self.status().filter(|_| !self.is_return());
        status.is_some_and(|s| s != ParcelStatus::Delivered && s != ParcelStatus::Expired)
    }
    /// When it set out: shipped, or ordered where that is unknown.
    #[inline]
    pub fn sent(&self) -> Option<i64> {
        self.shipped_time().or(self.ordered_time())
    }
    /// Milliseconds on the way, of a delivered parcel; none where it would be less than none.
    #[inline]
    pub fn transit(&self) -> Option<i64> {
        Some(self.time() - self.sent()?).filter(|millis| *millis >= 0)
    }
    /// Whether a delivered parcel is said to have arrived before it set out, which cannot be.
    #[inline]
    pub fn is_impossible(&self) -> bool {
        self.sent().is_some_and(|sent| sent > self.time())
    }
    /// Milliseconds a delivered parcel came after its promise, zero if it kept it.
    #[inline]
    pub fn lateness(&self) -> Option<i64> {
        Some((self.time() - self.promised_time()?).max(0))
    }
    /// Whether a delivered parcel held all that was ordered.
    #[inline]
    pub fn in_full(&self) -> Option<bool> {
        Some(self.items_delivered()? >= self.items_ordered()?)
    }
}
