//! A query's rows and parameters as they are declared, with the meaning of each column and parameter
//! taken from the documentation of its field: it stands once.

use crate::operator::Item;
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

/// A parameter of a query as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its value, as it would be written in the settings.
    pub value: String,
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

        impl $crate::query::Record for $name {
            const COLUMNS: &'static [$crate::query::Column] = &[
                $($crate::query::column::<$kty>(
                    stringify!($key), true, concat!($($kdoc),*),
                ),)*
                $($crate::query::column::<$vty>(
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

/// Declares a query with parameters: the fields of its struct, each with its meaning and its
/// default. It is the schema of the section `[query.NAME]` of a configuration.
///
/// ```
/// tidemill::parameters! {
///     /// See the module.
///     #[derive(Clone)]
///     pub struct Best {
///         /// How many items are listed.
///         pub k: usize = 10,
///     }
/// }
/// assert_eq!(Best::default().k, 10);
/// assert_eq!(Best::ABOUT, [("k", "How many items are listed.")]);
/// ```
#[macro_export]
macro_rules! parameters {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[doc = $doc:literal])* $(#[serde($($serde:tt)*)])? pub $field:ident: $ty:ty = $default:expr,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(::serde::Serialize, ::serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $doc])* $(#[serde($($serde)*)])? pub $field: $ty,)*
        }

        impl $name {
            /// What each parameter means.
            pub const ABOUT: &'static [(&'static str, &'static str)] =
                &[$((stringify!($field), concat!($($doc),*).trim_ascii()),)*];
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $($field: $default,)* }
            }
        }
    };
}

/// Within `impl Query` for what [`parameters!`](crate::parameters) declares: they are read from
/// the settings, under the query's name.
#[macro_export]
macro_rules! configurable {
    () => {
        fn parameters(&self) -> Vec<$crate::query::Parameter> {
            $crate::config::shown(self, Self::ABOUT)
        }
        fn configure(
            &mut self,
            settings: &$crate::config::Settings,
        ) -> Result<(), $crate::error::Error> {
            *self = settings.of(self.name(), Self::ABOUT)?;
            Ok(())
        }
    };
}
