//! A query's parameters as they are declared, with the meaning of each taken from the documentation
//! of its field: it stands once.

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
            $crate::query::shown(self, Self::ABOUT)
        }
        fn configure(
            &mut self,
            settings: &$crate::query::Settings,
        ) -> Result<(), $crate::error::Error> {
            *self = settings.of(self.name(), Self::ABOUT)?;
            Ok(())
        }
    };
}
