//! A post, signed.

use crate::error::Error;
use crate::secret::Reference;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::hash::{Hash, Hasher};
use std::time::{Duration, SystemTime};

/// Where posts go, and what they are signed by. Never printed: an address may be a secret as well.
pub(super) struct Target {
    url: String,
    secret: Vec<u8>,
}

const HOW: &str = "what is there should be URL#SECRET: where to post, and the secret by which posts \
                   are signed";

impl Target {
    /// Reads it where a reference says.
    pub fn read(name: &str, reference: &Reference) -> Result<Target, Error> {
        let text = reference.read()?;
        Target::of(text.expose()).map_err(|what| Error::Usage(format!("{name}: {what}")))
    }

    /// That of a text.
    pub fn of(text: &str) -> Result<Target, String> {
        let (url, secret) = text.split_once('#').ok_or(HOW)?;
        let (https, http) = (url.starts_with("https://"), url.starts_with("http://"));
        if secret.is_empty() || !(https || http) || url.chars().any(|c| c.is_whitespace()) {
            return Err(HOW.into());
        }
        if https && !cfg!(feature = "tls") {
            return Err(
                "the address is https, and this program was built without TLS; build it with \
                        cargo build --release --features tls"
                    .into(),
            );
        }
        // As those who give secrets out write them.
        let secret = match secret.strip_prefix("whsec_") {
            Some(text) => STANDARD.decode(text).map_err(|_| "what follows whsec_ is no base64")?,
            None => secret.as_bytes().to_vec(),
        };
        Ok(Target { url: url.into(), secret })
    }
}

/// A post that is to be delivered.
pub(super) struct Post {
    /// Its number.
    pub number: u64,
    /// The same for the same row at the same time.
    pub id: String,
    pub body: String,
    /// By which it is put into a lane: the hash of its key.
    pub lane: u64,
}

/// What has come of an attempt.
pub(super) enum Answer {
    Taken,
    /// Why not, and how long the receiver asks to be left alone.
    Not(String, Option<Duration>),
}

impl Post {
    /// The post with this body, of a row of a view with a key.
    pub fn new(body: String, key: (&str, &str)) -> Post {
        let hash = Sha256::digest(body.as_bytes());
        let id = hash.iter().take(16).fold(String::from("tm_"), |id, b| id + &format!("{b:02x}"));
        let mut hasher = std::hash::DefaultHasher::new();
        key.hash(&mut hasher);
        Post { number: 0, id, body, lane: hasher.finish() }
    }

    /// The signature at a time in seconds since 1970.
    fn signature(&self, secret: &[u8], seconds: u64) -> String {
        // HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
        mac.update(format!("{}.{seconds}.", self.id).as_bytes());
        mac.update(self.body.as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }

    /// Tries to deliver it.
    pub fn attempt(&self, agent: &ureq::Agent, target: &Target) -> Answer {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let seconds = now.unwrap_or_default().as_secs();
        let request = agent
            .post(&target.url)
            .header("content-type", "application/json")
            .header("webhook-id", &self.id)
            .header("idempotency-key", &self.id)
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", self.signature(&target.secret, seconds));
        match request.send(&self.body) {
            Ok(mut answer) if answer.status().is_success() => {
                // Read to its end, so that the connection can serve again.
                let _ = answer.body_mut().with_config().limit(1 << 16).read_to_vec();
                Answer::Taken
            }
            Ok(answer) => {
                let after = answer.headers().get("retry-after");
                let after = after.and_then(|text| text.to_str().ok()?.parse().ok());
                let code = answer.status().as_u16();
                Answer::Not(format!("the receiver answers {code}"), after.map(Duration::from_secs))
            }
            Err(error) => Answer::Not(unnamed(&error), None),
        }
    }
}

/// What is wrong, without the address.
fn unnamed(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Timeout(_) => "no answer in time".into(),
        ureq::Error::HostNotFound => "the host is not known".into(),
        ureq::Error::ConnectionFailed => "no connection".into(),
        _ => "the request has failed".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of standardwebhooks.com, worked by its own library.
    #[test]
    fn it_is_signed_as_the_specification_says() {
        let secret = "http://127.0.0.1/#whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let target = Target::of(secret).expect("good");
        let post = Post {
            number: 0,
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek".into(),
            body: "{\"test\": 2432232314}".into(),
            lane: 0,
        };
        assert_eq!(
            post.signature(&target.secret, 1_614_265_330),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_target_has_an_address_and_a_secret_and_errors_say_neither() {
        for text in ["http://host/hush", "http://host/#", "host#hush", "ftp://host/#hush", "hush"] {
            let error = Target::of(text).err().expect(text);
            assert!(error.contains("URL#SECRET") && !error.contains("hush"), "{error}");
        }
        let bad = Target::of("http://host/#whsec_hush!").err().expect("no base64");
        assert!(!bad.contains("hush"), "{bad}");
    }
}
