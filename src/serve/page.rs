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

macro_rules! files {
    ($($path:literal $mime:literal $file:literal)*) => {
        /// All of them.
        pub static FILES: &[Asset] = &[$(Asset {
            path: $path,
            mime: $mime,
            text: include_str!(concat!("page/", $file)),
        }),*];
    };
}

files! {
    "/" "text/html; charset=utf-8" "index.html"
    "/page/page.css" "text/css; charset=utf-8" "page.css"
    "/page/icon.svg" "image/svg+xml" "icon.svg"
    "/page/main.js" "text/javascript; charset=utf-8" "main.js"
    "/page/data.js" "text/javascript; charset=utf-8" "data.js"
    "/page/dom.js" "text/javascript; charset=utf-8" "dom.js"
    "/page/charts.js" "text/javascript; charset=utf-8" "charts.js"
    "/page/table.js" "text/javascript; charset=utf-8" "table.js"
    "/page/panels.js" "text/javascript; charset=utf-8" "panels.js"
    "/page/tabs.js" "text/javascript; charset=utf-8" "tabs.js"
}
