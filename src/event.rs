//! The streams: their fields, and a row view with one accessor per field.
//!
//! A stream is declared once, in `streams!` below; the declaration gives its schema to the
//! parser, its column names to queries, and its accessors to both the dataflow and the naive
//! answers. A row is a view of a [`Batch`] of columns: only the columns that some chosen query
//! reads are filled, and an accessor of a column that is not filled says that the value is absent.

use crate::batch::{Batch, Column};
pub use crate::schema::{Col, Field, Fold, Kind, NULL, Need, Schema};
use crate::text::Text;
use crate::value::{Hour, Money};
use std::marker::PhantomData;

mod facts;
mod movement;
pub mod vocabulary;
pub use movement::Movement;
pub use vocabulary::{
    AdEvent, Answer, LoginOutcome, ParcelKind, ParcelStatus, PaymentStatus, ShopEvent,
};

/// A stream as a type: what its rows are called, and which field identifies a record.
pub trait Shape: 'static {
    /// The stream.
    const STREAM: Stream;
}

/// One record: a view of row `i` of a batch.
pub struct Row<'a, S> {
    batch: &'a Batch,
    i: usize,
    shape: PhantomData<S>,
}

impl<S> Clone for Row<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S> Copy for Row<'_, S> {}

impl<'a, S: Shape> Row<'a, S> {
    /// The view of row `i`; the batch must be one of this stream.
    #[inline]
    pub fn new(batch: &'a Batch, i: usize) -> Self {
        Row { batch, i, shape: PhantomData }
    }
    /// Event time in milliseconds.
    #[inline]
    pub fn time(&self) -> i64 {
        self.batch.times[self.i]
    }
    /// The hour of the event time.
    #[inline]
    pub fn hour(&self) -> Hour {
        Hour::of(self.time())
    }
    /// +1, or what the source's `_diff` column says.
    #[inline]
    pub fn diff(&self) -> i64 {
        i64::from(self.batch.diff(self.i))
    }
    /// The batch and row this is a view of.
    pub fn place(&self) -> (&'a Batch, usize) {
        (self.batch, self.i)
    }
    #[inline]
    fn number(&self, field: usize) -> Option<i64> {
        match &self.batch.columns[field] {
            Column::Number(values) => Some(values[self.i]).filter(|x| *x != NULL),
            _ => None,
        }
    }
    #[inline]
    fn text(&self, field: usize) -> &'a Text {
        static EMPTY: Text = Text::EMPTY;
        match &self.batch.columns[field] {
            Column::Text(values) => &values[self.i],
            _ => &EMPTY,
        }
    }
}

macro_rules! streams {
    ($(
        $(#[$doc:meta])*
        $shape:ident / $module:ident: $name:literal, id $id:literal $( with $line:ident )? {
            $time:ident: $time_name:literal,
            $( $col:ident / $get:ident: $ty:ident $( ($arg:ident) )? $( => $essential:ident )? , )*
        }
    )*) => {
        /// A kind of event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Stream { $( $(#[$doc])* $shape, )* }

        impl Stream {
            /// All of them.
            pub const ALL: &'static [Stream] = &[$( Stream::$shape ),*];

            /// Its fields.
            pub fn schema(self) -> &'static Schema {
                match self { $( Stream::$shape => &$module::SCHEMA, )* }
            }

            /// The field by which a record is known again, where its source has that column.
            pub fn id(self) -> usize {
                match self { $( Stream::$shape => self.schema().field($id).unwrap_or(0), )* }
            }

            /// The field that tells the records of one id apart, such as the lines of a payment.
            pub fn line(self) -> Option<usize> {
                match self { $( Stream::$shape => streams!(@line $module $( $line )?), )* }
            }

            /// The field that says which of two records with an id is the newer one, where its
            /// source has that column: the last field of every stream.
            pub fn version(self) -> usize {
                match self { $( Stream::$shape => $module::VERSION.field, )* }
            }
        }

        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub enum $shape {}
            impl Shape for $shape { const STREAM: Stream = Stream::$shape; }

            #[doc = concat!("The columns of the stream `", $name, "`.")]
            pub mod $module {
                use super::*;
                #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
                #[derive(Clone, Copy)]
                enum Index { $time, $( $col, )* }
                #[doc = concat!("The column `", $time_name, "`, which every record has.")]
                pub const $time: Col = Col::new(Index::$time as usize);
                /// The stream's fields.
                pub static SCHEMA: Schema = Schema {
                    name: $name,
                    fields: &[
                        Field { name: $time_name, kind: Kind::Time, essential: true },
                        $( Field {
                            name: stringify!($get),
                            kind: streams!(@kind $ty $( ($arg) )?),
                            essential: streams!(@essential $( $essential )?),
                        }, )*
                    ],
                };
                $(
                    #[doc = concat!("The column `", stringify!($get), "`.")]
                    pub const $col: Col = Col::new(Index::$col as usize);
                )*
                impl<'a> Row<'a, $shape> {
                    $( streams!(@get $get $col $ty $( ($arg) )?); )*
                }
            }
        )*
    };
    (@line $module:ident) => { None };
    (@line $module:ident $line:ident) => { Some($module::$line.field) };
    (@essential) => { false };
    (@essential essential) => { true };
    (@kind Money) => { Kind::Money };
    (@kind Integer) => { Kind::Integer };
    (@kind Time) => { Kind::Time };
    (@kind Text) => { Kind::Text(Fold::Keep) };
    (@kind Label) => { Kind::Text(Fold::Lower) };
    (@kind Code) => { Kind::Text(Fold::Upper) };
    (@kind Name($names:ident)) => { $names::KIND };
    (@get $get:ident $col:ident Money) => {
        #[doc = concat!("`", stringify!($get), "`, if known.")]
        #[inline]
        pub fn $get(&self) -> Option<Money> { self.number(Index::$col as usize).map(Money) }
    };
    (@get $get:ident $col:ident Integer) => {
        #[doc = concat!("`", stringify!($get), "`, if known.")]
        #[inline]
        pub fn $get(&self) -> Option<i64> { self.number(Index::$col as usize) }
    };
    (@get $get:ident $col:ident Time) => {
        #[doc = concat!("`", stringify!($get), "` in milliseconds, if known.")]
        #[inline]
        pub fn $get(&self) -> Option<i64> { self.number(Index::$col as usize) }
    };
    (@get $get:ident $col:ident Name($names:ident)) => {
        #[doc = concat!("`", stringify!($get), "`, if known.")]
        #[inline]
        pub fn $get(&self) -> Option<$names> {
            self.number(Index::$col as usize).and_then($names::of)
        }
    };
    (@get $get:ident $col:ident $text:ident) => {
        #[doc = concat!("`", stringify!($get), "`; empty if absent.")]
        #[inline]
        pub fn $get(&self) -> &'a Text { self.text(Index::$col as usize) }
    };
}

streams! {
    /// What visitors do (GA4 event names).
    Behavior / behavior: "behavior", id "event_id" {
        VISIT_TIME: "visit_time",
        EVENT_ID / event_id: Text,
        USER_ID / user_id: Text,
        SESSION_ID / session_id: Text,
        EVENT / event: Name(ShopEvent) => essential,
        ITEM_ID / item_id: Text,
        CATEGORY / category: Label,
        QUANTITY / quantity: Integer,
        PRICE / price: Money,
        PAGE_VIEWS / page_views: Integer => essential,
        ORDERS / orders: Integer => essential,
        DEVICE / device: Label,
        IP / ip: Text,
        CAMPAIGN / campaign: Label,
        COUNTRY / country: Code,
        ANONYMOUS_ID / anonymous_id: Text,
        ORDER_ID / order_id: Text,
        VALUE / value: Money,
        CURRENCY / currency: Code,
        SOURCE / source: Label,
        MEDIUM / medium: Label,
        REFERRER / referrer: Text,
        PAGE_URL / page_url: Text,
        SEARCH_TERM / search_term: Label,
        DEVICE_CATEGORY / device_category: Label,
        BROWSER / browser: Label,
        CONSENT / consent: Label,
        EXPERIMENT / experiment: Label,
        VARIANT / variant: Label,
        IS_BOT / is_bot: Name(Answer),
        VERSION / version: Integer => essential,
    }
    /// Payments for order lines. A record is known again by its payment and, where that has several
    /// lines, by its line.
    Transactions / transactions: "transactions", id "transaction_id" with LINE_ID {
        TRANSACTION_TIME: "transaction_time",
        TRANSACTION_ID / transaction_id: Text,
        LINE_ID / line_id: Text,
        ORDER_ID / order_id: Text,
        REFERS_TO / refers_to: Text,
        USER_ID / user_id: Text,
        ITEM_ID / item_id: Text,
        QUANTITY / quantity: Integer,
        AMOUNT / amount: Money => essential,
        CURRENCY / currency: Code,
        STATUS / status: Name(PaymentStatus) => essential,
        CARD_ID / card_id: Text,
        IP / ip: Text,
        DEVICE / device: Label,
        COUNTRY / country: Code,
        TAX / tax: Money,
        SHIPPING / shipping: Money,
        DISCOUNT / discount: Money,
        COUPON / coupon: Code,
        UNIT_COST / unit_cost: Money,
        SELLER_ID / seller_id: Text,
        PAYMENT_METHOD / payment_method: Label,
        CHANNEL / channel: Label,
        EMAIL_HASH / email_hash: Label,
        CARD_BIN / card_bin: Text,
        CARD_COUNTRY / card_country: Code,
        AVS / avs: Label,
        CVC / cvc: Label,
        THREE_DS / three_ds: Label,
        SHIP_COUNTRY / ship_country: Code,
        VERSION / version: Integer => essential,
    }
    /// Parcels and their status (AfterShip's nine).
    Logistics / logistics: "logistics", id "shipment_id" {
        DELIVERY_TIME: "delivery_time",
        SHIPMENT_ID / shipment_id: Text,
        ORDER_ID / order_id: Text,
        CARRIER / carrier: Label,
        REGION / region: Label,
        WAREHOUSE / warehouse: Label,
        ORDERED_TIME / ordered_time: Time,
        SHIPPED_TIME / shipped_time: Time,
        PROMISED_TIME / promised_time: Time,
        STATUS / status: Name(ParcelStatus) => essential,
        COST / cost: Money,
        ITEMS_ORDERED / items_ordered: Integer,
        ITEMS_DELIVERED / items_delivered: Integer,
        KIND / kind: Name(ParcelKind),
        SUBSTATUS / substatus: Text,
        PROMISED_FROM / promised_from: Time,
        SERVICE / service: Label,
        VERSION / version: Integer => essential,
    }
    /// Advertisements shown, clicked and followed by an order.
    Ads / ads: "ads", id "" {
        TIME: "time",
        EVENT / event: Name(AdEvent) => essential,
        USER_ID / user_id: Text,
        CAMPAIGN_ID / campaign_id: Text,
        CREATIVE_ID / creative_id: Text,
        COST / cost: Money,
        VERSION / version: Integer => essential,
    }
    /// Logins and failed attempts.
    Logins / logins: "logins", id "" {
        TIME: "time",
        USER_ID / user_id: Text,
        IP / ip: Text,
        DEVICE / device: Label,
        OUTCOME / outcome: Name(LoginOutcome) => essential,
        VERSION / version: Integer => essential,
    }
    /// Changes of stock: restocks, sales, and the stock to begin with.
    Inventory / inventory: "inventory", id "" {
        TIME: "time",
        ITEM_ID / item_id: Text,
        WAREHOUSE / warehouse: Label,
        CHANGE / change: Integer => essential,
        VERSION / version: Integer => essential,
    }
    /// What is sold, and for how much: what a record says of its item holds from its time on, until
    /// the next one of that item.
    Catalog / catalog: "catalog", id "" {
        TIME: "time",
        ITEM_ID / item_id: Text,
        CATEGORY / category: Label,
        PRICE / price: Money,
        COST / cost: Money,
        AVAILABLE / available: Name(Answer),
        VERSION / version: Integer => essential,
    }
    /// Who the customers are: what a record says holds from its time on, until the next one of that
    /// customer.
    Customers / customers: "customers", id "" {
        TIME: "time",
        USER_ID / user_id: Text,
        ANONYMOUS_ID / anonymous_id: Text,
        EMAIL_HASH / email_hash: Label,
        COUNTRY / country: Code,
        CONSENT / consent: Label,
        CREATED / created: Time,
        VERSION / version: Integer => essential,
    }
}

impl Stream {
    /// Its name, as in `--source NAME=FILE`.
    pub fn name(self) -> &'static str {
        self.schema().name
    }
    /// The stream of a name.
    pub fn by_name(name: &str) -> Option<Stream> {
        Stream::ALL.iter().copied().find(|s| s.name() == name)
    }
    /// Its position in [`Stream::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}
