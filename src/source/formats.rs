//! Formats of exports that are known by name: each is a file of sections `[[source]]`, as a user
//! writes them for a format of their own.

macro_rules! formats {
    ($($name:literal),* $(,)?) => {
        /// Each name with its file.
        const FORMATS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("formats/", $name, ".toml")))),*];
    };
}

formats![
    "shopify-orders",
    "woocommerce-orders",
    "stripe-payments",
    "ga4-bigquery",
    "segment",
    "aftership",
    "olist",
    "online-retail",
    "yoochoose",
];

/// The names.
pub fn names() -> impl ExactSizeIterator<Item = &'static str> {
    FORMATS.iter().map(|(name, _)| *name)
}

/// What a format says.
pub fn text(name: &str) -> Option<&'static str> {
    FORMATS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
