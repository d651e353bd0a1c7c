//! Why a request is not answered: what is wrong, where, and what to do.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An answer that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// What is wrong.
    pub what: String,
    /// The part of the request that is wrong.
    pub at: String,
    /// What to do.
    pub remedy: String,
    /// The methods that are allowed.
    pub allowed: &'static str,
}

impl Problem {
    /// A problem with a part of the request.
    pub fn new(
        status: StatusCode,
        at: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Problem {
        let (at, what, remedy) = (at.into(), what.into(), remedy.into());
        Problem { status, what, at, remedy, allowed: "GET, HEAD" }
    }

    /// A parameter that cannot be understood.
    pub fn wrong(parameter: &str, what: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, format!("parameter {parameter}"), what, remedy)
    }

    /// Something that is not there.
    pub fn missing(
        at: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, at, what, remedy)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({"error": {"what": self.what, "where": self.at, "do": self.remedy}});
        let json = HeaderValue::from_static("application/json");
        let mut response =
            (self.status, [(header::CONTENT_TYPE, json)], body.to_string()).into_response();
        let more = match self.status {
            StatusCode::UNAUTHORIZED => {
                Some((header::WWW_AUTHENTICATE, "Bearer realm=\"tidemill\""))
            }
            StatusCode::METHOD_NOT_ALLOWED => Some((header::ALLOW, self.allowed)),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                Some((header::RETRY_AFTER, "1"))
            }
            _ => None,
        };
        if let Some((name, value)) = more {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
