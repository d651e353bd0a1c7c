//! Which brokers and topics: `HOST:PORT,.../PREFIX`, or by reference a file of properties as Kafka's
//! own programs read it.

use crate::secret::Reference;
use std::fmt;

/// How brokers are named.
pub(crate) const HOW: &str = "kafka:HOST:PORT,.../PREFIX, or kafka:file:PATH or kafka:env:NAME, where \
                              properties such as bootstrap.servers=HOST:PORT and topic.prefix=shop. \
                              are, one a line";

/// The prefix of topics where none is named.
const PREFIX: &str = "tidemill.";

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brokers {
    /// The properties are there.
    At(Reference),
    /// These, with nothing more to be said of them.
    Plain {
        /// As `bootstrap.servers` has them.
        servers: String,
        /// What the names of topics begin with.
        prefix: String,
    },
}

impl std::str::FromStr for Brokers {
    type Err = String;
    fn from_str(text: &str) -> Result<Brokers, String> {
        if let Some(reference) = Reference::of(text) {
            return Ok(Brokers::At(reference));
        }
        let (servers, prefix) = text.split_once('/').unwrap_or((text, PREFIX));
        let server = |server: &str| {
            let (host, port) = server.rsplit_once(':').unwrap_or_default();
            !host.is_empty() && !host.contains('@') && port.parse::<u16>().is_ok()
        };
        let topic = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !servers.split(',').all(server) || !prefix.chars().all(topic) {
            return Err(format!("--sink kafka: name the brokers by {HOW}"));
        }
        Ok(Brokers::Plain { servers: servers.into(), prefix: prefix.into() })
    }
}

impl fmt::Display for Brokers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Brokers::At(reference) => write!(f, "{reference}"),
            Brokers::Plain { servers, prefix } => write!(f, "{servers}/{prefix}"),
        }
    }
}

/// What is said of brokers and topics.
#[cfg(feature = "kafka")]
pub(super) struct Properties {
    /// What the names of topics begin with.
    pub prefix: String,
    /// The partitions of topics that are made, and of how many brokers each is on.
    pub partitions: i32,
    pub replication: i32,
    /// The others, for the client.
    pub client: Vec<(String, String)>,
}

#[cfg(feature = "kafka")]
impl Brokers {
    /// Reads them. Never says a value: it may be a password.
    pub(super) fn properties(&self) -> Result<Properties, crate::error::Error> {
        let wrong = |what: &str| crate::error::Error::Usage(format!("kafka:{self}: {what}"));
        let (text, mut properties) = match self {
            Brokers::At(reference) => (reference.read()?.expose().to_owned(), PREFIX.to_owned()),
            Brokers::Plain { servers, prefix } => {
                (format!("bootstrap.servers={servers}"), prefix.clone())
            }
        };
        let (mut partitions, mut replication, mut client) = (1, 1, Vec::new());
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) = line.split_once('=').ok_or_else(|| {
                wrong("a line is no property; write name=value, or # before a remark")
            })?;
            let (name, value) = (name.trim(), value.trim());
            let number = || {
                let number = value.parse().ok().filter(|n| *n > 0);
                number.ok_or_else(|| wrong(&format!("{name} should be a number")))
            };
            match name {
                "topic.prefix" => properties = value.into(),
                "topic.partitions" => partitions = number()?,
                "topic.replication" => replication = number()?,
                "transactional.id" => {
                    return Err(wrong("transactional.id is the run's own; leave it out"));
                }
                _ => client.push((name.into(), value.into())),
            }
        }
        if !client.iter().any(|(name, _)| name == "bootstrap.servers") {
            return Err(wrong("there is no line bootstrap.servers=HOST:PORT"));
        }
        Ok(Properties { prefix: properties, partitions, replication, client })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_named_with_or_without_a_prefix_and_never_with_a_password() {
        let of = |text: &str| text.parse::<Brokers>().map(|b| b.to_string());
        assert_eq!(of("a:9092,b:9093/shop."), Ok("a:9092,b:9093/shop.".into()));
        assert_eq!(of("127.0.0.1:9092"), Ok("127.0.0.1:9092/tidemill.".into()));
        assert_eq!(of("file:/run/kafka"), Ok("file:/run/kafka".into()));
        for text in ["a", "a:x", "u:hush@a:9092", "a:9092/x y", ":1", "a:9092,"] {
            let error = of(text).expect_err(text);
            assert!(!error.contains("hush") && error.contains("kafka:file:PATH"), "{error}");
        }
    }
}
