//! The page, and the files it is made of. They hold nothing of the views, so they need no token.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// A file of the page.
pub struct Asset {
    /// Its path.
    pub path: &'static str,
    mime: &'static str,
    text: &'static str,
}

impl Asset {
    /// The file.
    pub fn answer(&'static self) -> Response {
        ([(header::CONTENT_TYPE, HeaderValue::from_static(self.mime))], self.text).into_response()
    }
}

/// All of them.
pub static FILES: &[Asset] = &[];
