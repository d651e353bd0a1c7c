//! Webhooks: who sends one proves it by a signature over what is sent, by a secret that both have.
//!
//! - `stripe`: `Stripe-Signature: t=SECONDS,v1=HEX`, HMAC-SHA-256 over `SECONDS.BODY`, no older than five
//!   minutes (<https://docs.stripe.com/webhooks#verify-manually>); known by the event's `id`.
//! - `shopify`: `X-Shopify-Hmac-Sha256: BASE64` over the body
//!   (<https://shopify.dev/docs/apps/build/webhooks/subscribe/https>); known by `X-Shopify-Webhook-Id`.
//! - `aftership`: `aftership-hmac-sha256: BASE64` over the body
//!   (<https://www.aftership.com/docs/tracking/webhook/webhook-signature>); known by its `event_id`.
//!
//! Signatures are compared in a time that does not tell how much of them was right.

use crate::error::Error;
use crate::secret::{Reference, Secret};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

/// How old a signature may be, in seconds, and how far ahead of this clock.
const AGE: i64 = 300;

/// What a description says of a webhook.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Described {
    /// Who sends it.
    pub from: Sender,
    /// Where the secret is.
    pub secret: String,
}

/// Who sends webhooks that can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    /// Stripe.
    Stripe,
    /// Shopify.
    Shopify,
    /// AfterShip.
    AfterShip,
}

/// A sender and the secret that it has.
#[derive(Debug)]
pub struct Hook {
    sender: Sender,
    secret: Secret,
}

impl Hook {
    /// Finds the secret.
    pub fn open(described: &Described) -> Result<Hook, Error> {
        let reference = Reference::of(&described.secret).ok_or_else(|| {
            Error::Usage(
                "[source.hook]: a secret does not stand in the file; say secret = \"env:NAME\" or \"file:PATH\""
                    .into(),
            )
        })?;
        Ok(Hook { sender: described.from, secret: reference.read()? })
    }

    /// By what a webhook is known that is sent again; an error tells what is wrong with its signature.
    /// `now` is in seconds since 1970.
    pub fn check<'a>(
        &self,
        header: impl Fn(&str) -> Option<&'a str>,
        body: &[u8],
        now: i64,
    ) -> Result<Option<String>, &'static str> {
        match self.sender {
            Sender::Stripe => {
                self.stripe(
                    header("stripe-signature").ok_or("there is no Stripe-Signature")?,
                    body,
                    now,
                )?;
                Ok(field(body, "id"))
            }
            Sender::Shopify => {
                let given =
                    header("x-shopify-hmac-sha256").ok_or("there is no X-Shopify-Hmac-Sha256")?;
                self.base64(given, body)?;
                Ok(header("x-shopify-webhook-id").map(str::to_owned))
            }
            Sender::AfterShip => {
                let given =
                    header("aftership-hmac-sha256").ok_or("there is no aftership-hmac-sha256")?;
                self.base64(given, body)?;
                Ok(field(body, "event_id"))
            }
        }
    }

    fn stripe(&self, given: &str, body: &[u8], now: i64) -> Result<(), &'static str> {
        let parts = || given.split(',').filter_map(|part| part.trim().split_once('='));
        let of = |name: &'static str| parts().filter(move |(key, _)| *key == name);
        let (_, time) = of("t").next().ok_or("Stripe-Signature tells no time")?;
        let seconds: i64 = time.parse().map_err(|_| "Stripe-Signature tells no time")?;
        let sum = self.mac().chain_update(time).chain_update(b".").chain_update(body);
        let right =
            |hex: &str| bytes(hex).is_some_and(|sig| sum.clone().verify_slice(&sig).is_ok());
        // While a secret is changed there is one for each.
        if !of("v1").any(|(_, hex)| right(hex)) {
            return Err("the signature is another");
        }
        match (now - AGE..=now + AGE).contains(&seconds) {
            true => Ok(()),
            false => Err("the signature is older than five minutes, or of a time to come"),
        }
    }

    fn base64(&self, given: &str, body: &[u8]) -> Result<(), &'static str> {
        let given =
            BASE64_STANDARD.decode(given.trim()).map_err(|_| "the signature is no base64")?;
        let sum = self.mac().chain_update(body);
        sum.verify_slice(&given).map_err(|_| "the signature is another")
    }

    fn mac(&self) -> Hmac<Sha256> {
        // A key of any length will do, so the second one is never needed.
        let key = self.secret.expose().as_bytes();
        Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
    }
}

/// Bytes from their hexadecimal digits.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).ok());
    let all = hex.len().is_multiple_of(2) && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.map(|two| u8::from_str_radix(two?, 16).ok()).collect::<Option<_>>().filter(|_| all)
}

/// A text in the body.
fn field(body: &[u8], name: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    value.get(name)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(sender: Sender) -> Hook {
        Hook { sender, secret: Secret::of("hush") }
    }

    fn sum(text: &[u8]) -> Vec<u8> {
        hook(Sender::Stripe).mac().chain_update(text).finalize().into_bytes().to_vec()
    }

    #[test]
    fn an_hmac_is_that_of_the_standard() {
        // RFC 4231, the second case.
        let hook = Hook { sender: Sender::Stripe, secret: Secret::of("Jefe") };
        let sum = hook.mac().chain_update(b"what do ya want for nothing?").finalize().into_bytes();
        let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(Some(sum.to_vec()), bytes(hex));
    }

    #[test]
    fn stripe_signs_the_time_and_the_body() {
        let body = b"{\"id\":\"evt_1\",\"type\":\"charge.succeeded\"}";
        let signed = |time: i64, body: &[u8]| {
            let sum = sum(&[time.to_string().as_bytes(), b".", body].concat());
            let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("t={time},v1=00,v1={hex},v0=ff")
        };
        let check = |given: &str, now| hook(Sender::Stripe).check(|_| Some(given), body, now);
        assert_eq!(check(&signed(1000, body), 1000), Ok(Some("evt_1".into())));
        assert_eq!(check(&signed(1000, body), 1300), Ok(Some("evt_1".into())));
        for (given, now) in [
            (signed(1000, body), 1301),
            (signed(1000, body), 699),
            (signed(1000, b"{}"), 1000),
            (signed(1000, body).replace("t=1000", "t=1001"), 1001),
            ("t=1000,v1=".into(), 1000),
            ("t=1000".into(), 1000),
            ("v1=00".into(), 1000),
        ] {
            assert!(check(&given, now).is_err(), "{given} at {now}");
        }
        assert!(hook(Sender::Stripe).check(|_| None, body, 1000).is_err());
    }

    #[test]
    fn the_others_sign_the_body() {
        let body = b"{\"event_id\":\"e7\"}";
        let right = BASE64_STANDARD.encode(sum(body));
        let headers = |given: String| {
            move |name: &str| match name {
                "x-shopify-webhook-id" => Some("w1".to_owned()),
                "x-shopify-hmac-sha256" | "aftership-hmac-sha256" => Some(given.clone()),
                _ => None,
            }
        };
        for (sender, key) in [(Sender::Shopify, "w1"), (Sender::AfterShip, "e7")] {
            let check = |given: &str, body: &[u8]| {
                let all = headers(given.to_owned());
                let leaked = |name: &str| all(name).map(|text| &*text.leak());
                hook(sender).check(leaked, body, 0)
            };
            assert_eq!(check(&right, body), Ok(Some(key.into())));
            assert!(check(&right, b"{\"event_id\":\"e8\"}").is_err());
            for wrong in ["", "????", &right[1..], &BASE64_STANDARD.encode(sum(b""))] {
                assert!(check(wrong, body).is_err(), "{wrong}");
            }
        }
    }
}
