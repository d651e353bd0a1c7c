//! What stands before every answer: who asks, and from where.
//!
//! Served on this machine only, the views need no token; then a page of some other site must not
//! read them by way of this machine's browser. It could make the browser call a name of its own
//! that leads here, which the header `Host` tells, or call here from its page, which `Origin` tells.
//! With a token no foreign page has it, and names need not be known.

use super::problem::Problem;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::net::IpAddr;

/// A token, which is compared in a time that does not tell how much of it was right.
pub struct Token {
    key: [u8; 32],
    sum: Vec<u8>,
}

impl Token {
    /// A token; white space around it does not count. None if it is empty.
    pub fn new(text: &str, key: [u8; 32]) -> Option<Token> {
        let text = text.trim();
        let sum = mac(&key)?.chain_update(text.as_bytes()).finalize().into_bytes().to_vec();
        (!text.is_empty()).then_some(Token { key, sum })
    }

    fn is(&self, other: &[u8]) -> bool {
        mac(&self.key).is_some_and(|mac| mac.chain_update(other).verify_slice(&self.sum).is_ok())
    }
}

fn mac(key: &[u8]) -> Option<Hmac<Sha256>> {
    // A key of any length will do.
    Hmac::new_from_slice(key).ok()
}

/// See the module.
#[derive(Default)]
pub struct Guard {
    /// What is asked for, if anything is.
    pub token: Option<Token>,
}

impl Guard {
    /// Refuses a request that must not be answered; `open` are answers that hold
    /// nothing, and `writes` is where something is sent.
    pub fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        (open, writes): (bool, bool),
    ) -> Result<(), Problem> {
        let host = uri.authority().map(|authority| authority.as_str());
        let host = host.or_else(|| one(headers, &header::HOST)).unwrap_or_default();
        if self.token.is_none() && !is_here(host) {
            return Err(Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "header Host",
                "it is neither an address nor localhost",
                "call it by its address, or serve with --token-file FILE",
            ));
        }
        if let Some(origin) = headers.get(header::ORIGIN)
            && !origin.to_str().is_ok_and(|origin| is_of(origin, host))
        {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "header Origin",
                "it is the page of another site",
                "ask from a program, or from the page that is served here",
            ));
        }
        let refused =
            |what, remedy| Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", what, remedy);
        match writes {
            true if *method != Method::POST => {
                let problem = refused("events are only sent here", "use POST");
                return Err(Problem { allowed: "POST", ..problem });
            }
            false if !matches!(*method, Method::GET | Method::HEAD) => {
                return Err(refused("views are only read here", "use GET"));
            }
            _ => {}
        }
        match &self.token {
            Some(token) if !open => {
                let given = one(headers, &header::AUTHORIZATION).unwrap_or_default();
                let given =
                    given.split_once(' ').filter(|(way, _)| way.eq_ignore_ascii_case("bearer"));
                let right = given.is_some_and(|(_, given)| token.is(given.trim().as_bytes()));
                right.then_some(()).ok_or_else(|| {
                    Problem::new(
                        StatusCode::UNAUTHORIZED,
                        "header Authorization",
                        "the token is missing or another",
                        "send Authorization: Bearer TOKEN",
                    )
                })
            }
            _ => Ok(()),
        }
    }
}

/// A header that is there once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(first)
}

/// Whether a host is an address or this machine, and no name that somebody could have lead here.
fn is_here(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

/// Whether an origin is that of a host.
fn is_of(origin: &str, host: &str) -> bool {
    let name = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    name.is_some_and(|name| name.eq_ignore_ascii_case(host))
}

/// Has browsers run nothing but our own files, and keep nothing.
pub fn harden(headers: &mut HeaderMap) {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(token: Option<&str>, headers: &[(&str, &str)]) -> Result<(), StatusCode> {
        let guard = Guard { token: token.and_then(|text| Token::new(text, [7; 32])) };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a name");
            map.append(name, value.parse().expect("a value"));
        }
        let uri = Uri::from_static("/v1/views");
        guard.check(&Method::GET, &uri, &map, (false, false)).map_err(|problem| problem.status)
    }

    #[test]
    fn a_name_that_leads_here_is_no_way_in() {
        for (host, right) in [
            ("127.0.0.1:7878", true),
            ("localhost", true),
            ("LOCALHOST:1", true),
            ("[::1]:7878", true),
            ("10.1.2.3:7878", true),
            ("evil.example:7878", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example:7878", false),
            ("", false),
        ] {
            assert_eq!(check(None, &[("host", host)]).is_ok(), right, "{host}");
        }
        assert!(check(None, &[]).is_err());
        assert!(check(None, &[("host", "localhost"), ("host", "localhost")]).is_err());
    }

    #[test]
    fn a_page_of_another_site_is_refused() {
        let host = ("host", "127.0.0.1:7878");
        assert_eq!(check(None, &[host, ("origin", "http://127.0.0.1:7878")]), Ok(()));
        for origin in ["http://evil.example", "null", "http://127.0.0.1:7879", "127.0.0.1:7878"] {
            let refused = check(None, &[host, ("origin", origin)]);
            assert_eq!(refused, Err(StatusCode::FORBIDDEN), "{origin}");
        }
    }

    #[test]
    fn a_token_is_asked_for_in_the_header() {
        let host = ("host", "shop.example");
        let with = |given| check(Some(" s3cret\n"), &[host, ("authorization", given)]);
        assert_eq!(with("Bearer s3cret"), Ok(()));
        assert_eq!(with("bearer  s3cret"), Ok(()));
        for given in ["", "s3cret", "Bearer", "Bearer s3cre", "Bearer s3cret1", "Basic s3cret"] {
            assert_eq!(with(given), Err(StatusCode::UNAUTHORIZED), "{given}");
        }
        assert!(Token::new(" \n", [7; 32]).is_none());
    }
}
