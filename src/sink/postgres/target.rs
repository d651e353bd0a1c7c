//! Which database, by a reference to its URL or by a URL that has nothing secret in it.

use crate::error::Error;
use crate::secret::Reference;
use std::fmt;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

/// How a database is named.
pub(crate) const HOW: &str = "postgres:env:NAME or postgres:file:PATH, where \
                              postgresql://USER:PASSWORD@HOST:PORT/DATABASE is, or that itself \
                              without a password";

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The URL is there.
    At(Reference),
    /// The URL.
    Url(String),
}

impl std::str::FromStr for Target {
    type Err = String;
    /// Never says the text: there may be a password in what could not be understood.
    fn from_str(text: &str) -> Result<Target, String> {
        if let Some(reference) = Reference::of(text) {
            return Ok(Target::At(reference));
        }
        if text.contains('?') {
            return Err("--sink postgres: a URL with parameters is named by reference: \
                        postgres:env:NAME or postgres:file:PATH"
                .into());
        }
        match text.parse::<Config>() {
            Ok(config) if config.get_password().is_some() => Err(
                "--sink postgres: a password on the command line can be seen by others; put the URL \
                 into a variable or a file and name that: postgres:env:NAME or postgres:file:PATH"
                    .into(),
            ),
            Ok(_) => Ok(Target::Url(text.into())),
            Err(_) => Err(format!("--sink postgres: that is no database; name it {HOW}")),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::At(reference) => write!(f, "postgres:{reference}"),
            Target::Url(url) => write!(f, "postgres:{url}"),
        }
    }
}

impl Target {
    /// How to connect. A peer that is gone without a word is noticed within a minute.
    pub(super) fn config(&self) -> Result<Config, Error> {
        let (secret, text) = match self {
            Target::At(reference) => (Some(reference.read()?), ""),
            Target::Url(url) => (None, url.as_str()),
        };
        let text = secret.as_ref().map_or(text, |secret| secret.expose());
        // What the parser says of it may be a part of the password.
        let mut config: Config = text.parse().map_err(|_| {
            Error::Usage(format!(
                "{self}: what is there is no database; it should be \
                 postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with %40 for @ and the like in the \
                 password"
            ))
        })?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err(Error::Usage(format!(
                "{self}: sslmode=require, but tidemill speaks to PostgreSQL without TLS; use a local \
                 socket or a tunnel, and sslmode=disable"
            )));
        }
        config.ssl_mode(SslMode::Disable);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(30));
        }
        config.keepalives_idle(Duration::from_secs(10));
        config.keepalives_interval(Duration::from_secs(10)).keepalives_retries(3);
        if config.get_application_name().is_none() {
            config.application_name("tidemill");
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_refused_where_it_can_be_seen_and_never_said() {
        for text in [
            "postgresql://shop:hush@localhost/views",
            "postgresql://localhost/views?password=hush",
            "host=localhost password=hush",
            "hush",
            "mysql://shop:hush@localhost",
        ] {
            let error = text.parse::<Target>().expect_err(text);
            assert!(!error.contains("hush") && error.contains("postgres:env:NAME"), "{error}");
        }
        for text in ["postgresql://shop@localhost:5433/views", "env:SHOP_DB", "file:/run/db"] {
            let target: Target = text.parse().expect(text);
            assert_eq!(target.to_string(), format!("postgres:{text}"));
        }
    }

    #[test]
    fn a_reference_to_what_is_no_url_does_not_say_what_is_there() {
        let path = std::env::temp_dir().join(format!("tidemill-target-{}", std::process::id()));
        for (what, says) in [
            ("postgresql://shop:hu#sh@localhost:x/views", "no database"),
            ("postgresql://shop:hush@localhost/views?sslmode=require", "without TLS"),
        ] {
            std::fs::write(&path, what).expect("a file");
            let target: Target = format!("file:{}", path.display()).parse().expect("a reference");
            let error = target.config().expect_err("not good").to_string();
            assert!(error.contains(says) && !error.contains("hu"), "{error}");
        }
        std::fs::remove_file(&path).expect("ours");
    }
}
