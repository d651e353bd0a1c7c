//! The closed vocabularies of the streams. A name is kept as its position in the list, so the
//! lists only ever grow at the end.

use super::{Kind, Movement};

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident, other $other:expr, {
        $( $variant:ident = $text:literal $( or $also:literal )* ),* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $name { $( #[doc = concat!("`", $text, "`")] $variant ),* }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [$name] = &[$( $name::$variant ),*];
            /// How the parser reads it.
            pub const KIND: Kind = Kind::Name {
                names: &[$( $text ),*],
                also: &[$( $( ($also, $name::$variant as i64), )* )*],
                other: $other,
            };
            /// The name at a position.
            #[inline]
            pub fn of(index: i64) -> Option<$name> {
                usize::try_from(index).ok().and_then(|i| Self::ALL.get(i).copied())
            }
            /// As it is written.
            pub fn name(self) -> &'static str {
                match self { $( $name::$variant => $text ),* }
            }
        }

        impl crate::value::Cell for $name {
            const KIND: &'static str = "name";
            fn value(&self) -> crate::value::Value {
                crate::value::Value::Text(crate::text::Text::new(self.name()))
            }
        }
    };
}

vocabulary! {
    /// What a visitor did: the GA4 names that matter here; any other name is `other`.
    ShopEvent, other Some(0), {
        Other = "other",
        PageView = "page_view",
        ViewItemList = "view_item_list",
        ViewItem = "view_item",
        SelectItem = "select_item",
        AddToCart = "add_to_cart",
        RemoveFromCart = "remove_from_cart",
        ViewCart = "view_cart",
        AddToWishlist = "add_to_wishlist",
        BeginCheckout = "begin_checkout",
        AddShippingInfo = "add_shipping_info",
        AddPaymentInfo = "add_payment_info",
        Purchase = "purchase",
        Refund = "refund",
        Search = "search",
        Login = "login",
        SignUp = "sign_up",
    }
}

impl ShopEvent {
    /// Whether it counts as a page view.
    #[inline]
    pub fn is_view(self) -> bool {
        matches!(self, ShopEvent::PageView | ShopEvent::ViewItemList | ShopEvent::ViewItem)
    }
}

vocabulary! {
    /// Where a payment stands.
    PaymentStatus, other None, {
        Authorized = "authorized",
        Captured = "captured",
        Cancelled = "cancelled" or "canceled",
        Refunded = "refunded",
        Chargeback = "chargeback" or "dispute_lost",
        Pending = "pending",
        Failed = "failed",
        Voided = "voided",
        PartiallyRefunded = "partially_refunded",
        ChargebackReversed = "chargeback_reversed" or "dispute_won",
    }
}

impl PaymentStatus {
    /// Whether it says that money was taken and not given back as a whole. Of what a
    /// `partially_refunded` payment gave back other records tell.
    #[inline]
    pub fn is_taken(self) -> bool {
        use PaymentStatus::{Cancelled, Failed, Pending, Refunded, Voided};
        !matches!(self, Cancelled | Voided | Refunded | Pending | Failed)
    }

    /// Whether it is one of the payment itself, and not of what undid it.
    #[inline]
    pub fn is_of_payment(self) -> bool {
        Movement::of(Some(self), None) == Movement::Payment
    }

    /// Whether it takes the payment back, as a whole or in part.
    #[inline]
    pub fn withdraws(self) -> bool {
        use PaymentStatus::{Cancelled, Refunded, Voided};
        matches!(self, Cancelled | Voided | Refunded)
    }
}

vocabulary! {
    /// Where a parcel stands: AfterShip's nine.
    ParcelStatus, other None, {
        Pending = "Pending",
        InfoReceived = "InfoReceived",
        InTransit = "InTransit",
        OutForDelivery = "OutForDelivery",
        AttemptFail = "AttemptFail",
        Delivered = "Delivered",
        AvailableForPickup = "AvailableForPickup",
        Exception = "Exception",
        Expired = "Expired",
    }
}

vocabulary! {
    /// What happened to an advertisement.
    AdEvent, other None, {
        Impression = "impression",
        Click = "click",
        Conversion = "conversion",
    }
}

vocabulary! {
    /// What came of a login.
    LoginOutcome, other None, {
        Success = "success",
        Failure = "failure",
    }
}

vocabulary! {
    /// Which way a parcel goes.
    ParcelKind, other None, {
        Outbound = "outbound" or "forward" or "delivery",
        Return = "return" or "returns" or "returned" or "reverse",
    }
}

vocabulary! {
    /// Whether something is so.
    Answer, other None, {
        No = "no" or "false" or "0" or "n" or "f" or "out_of_stock" or "out of stock",
        Yes = "yes" or "true" or "1" or "y" or "t" or "in_stock" or "in stock",
    }
}
