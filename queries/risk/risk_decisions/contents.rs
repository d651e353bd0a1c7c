//! What a payment or failed login says, as far as any rule asks for it.

use super::rule::Field;
use crate::event::{Logins, Row, Transactions};
use crate::text::Text;
use serde::{Deserialize, Serialize};

/// The contents of a record; in the order of the fields, which is that of records of one time.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Contents {
    /// The payment.
    pub id: Text,
    /// Its order.
    pub order_id: Text,
    /// Who pays, or tried to log in.
    pub user_id: Text,
    /// What is paid.
    pub item_id: Text,
    /// How much, if known, in minor units.
    pub amount: Option<i64>,
    /// In which currency.
    pub currency: Text,
    /// By which card.
    pub card_id: Text,
    /// From which address.
    pub ip: Text,
    /// On which device.
    pub device: Text,
    /// From which country.
    pub country: Text,
}

impl Contents {
    /// Those of a payment.
    pub fn of(payment: &Row<'_, Transactions>) -> Contents {
        Contents {
            id: payment.transaction_id().clone(),
            order_id: payment.order_id().clone(),
            user_id: payment.user_id().clone(),
            item_id: payment.item_id().clone(),
            amount: payment.amount().map(|amount| amount.0),
            currency: payment.currency().clone(),
            card_id: payment.card_id().clone(),
            ip: payment.ip().clone(),
            device: payment.device().clone(),
            country: payment.country().clone(),
        }
    }

    /// Those of a login.
    pub fn of_login(login: &Row<'_, Logins>) -> Contents {
        Contents {
            user_id: login.user_id().clone(),
            ip: login.ip().clone(),
            device: login.device().clone(),
            ..Contents::default()
        }
    }

    /// The value of a field, empty if absent.
    pub fn get(&self, field: Field) -> Text {
        match field {
            Field::UserId => self.user_id.clone(),
            Field::CardId => self.card_id.clone(),
            Field::Ip => self.ip.clone(),
            Field::Device => self.device.clone(),
            Field::Country => self.country.clone(),
            Field::ItemId => self.item_id.clone(),
            Field::OrderId => self.order_id.clone(),
            Field::Amount => self.amount.map_or(Text::EMPTY, |a| Text::new(&a.to_string())),
            Field::Currency => self.currency.clone(),
        }
    }
}
