//! A query's rows as they are declared, with the meaning of each column taken from the documentation
//! of its field: it stands once.

use super::Item;
use crate::value::{Cell, Value};
use std::hash::Hash;

/// A column of a query's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Whether it is part of the key: no two rows of a view have the same key.
    pub key: bool,
    /// What its cells are, with the unit: see [`Cell::KIND`](crate::value::Cell::KIND).
    pub kind: &'static str,
    /// Whether a cell may be empty.
    pub optional: bool,
    /// Its meaning, from the documentation of the field.
    pub about: &'static str,
}

/// A query's row. Use [`record!`](crate::record) to declare one.
pub trait Record: Item + Hash {
    /// Key columns first.
    const COLUMNS: &'static [Column];
    /// The cells, in the order of the columns.
    fn cells(&self) -> Vec<Value>;
}

/// Declares a query's row: its key columns, then its value columns.
///
/// ```
/// tidemill::record! {
///     /// Sales of an hour.
///     pub struct Sales { keys { hour: tidemill::value::Hour } values { count: i64 } }
/// }
/// assert!(<Sales as tidemill::query::Record>::COLUMNS[0].key);
/// ```
#[macro_export]
macro_rules! record {
    (
        $(#[$doc:meta])*
        pub struct $name:ident {
            keys { $($(#[doc = $kdoc:literal])* $key:ident: $kty:ty),* $(,)? }
            values { $($(#[doc = $vdoc:literal])* $value:ident: $vty:ty),* $(,)? }
        }
    ) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            ::serde::Serialize, ::serde::Deserialize,
        )]
        pub struct $name {
            $($(#[doc = $kdoc])* #[allow(missing_docs)] pub $key: $kty,)*
            $($(#[doc = $vdoc])* #[allow(missing_docs)] pub $value: $vty,)*
        }

        impl $crate::operator::Record for $name {
            const COLUMNS: &'static [$crate::operator::Column] = &[
                $($crate::operator::column::<$kty>(
                    stringify!($key), true, concat!($($kdoc),*),
                ),)*
                $($crate::operator::column::<$vty>(
                    stringify!($value), false, concat!($($vdoc),*),
                ),)*
            ];
            fn cells(&self) -> Vec<$crate::value::Value> {
                vec![
                    $($crate::value::Cell::value(&self.$key),)*
                    $($crate::value::Cell::value(&self.$value),)*
                ]
            }
        }
    };
}

/// The description of a column from what [`record!`](crate::record) knows of it.
pub const fn column<C: Cell>(name: &'static str, key: bool, about: &'static str) -> Column {
    Column { name, key, kind: C::KIND, optional: C::OPTIONAL, about: about.trim_ascii() }
}
