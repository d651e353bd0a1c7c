//! The producer, and what the topic of progress says.

use super::target::Properties;
use super::writer::Message;
use super::{Brokers, Form};
use crate::error::Error;
use crate::sink::Schema;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode as Code;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a broker has for what it is asked.
const PATIENCE: Duration = Duration::from_secs(30);

/// For whom a run sends.
pub(super) struct Owner {
    pub id: String,
    pub epoch: u64,
    /// Whether what it has sent is looked for.
    pub keeps: bool,
}

/// What the topic of progress has of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Progress {
    epoch: u64,
    /// All topics are complete up to here, in milliseconds since 1970.
    cut: Option<i64>,
}

/// What goes wrong: it passes, or it does not.
pub(super) enum Trouble {
    Lost(String),
    Fatal(Error),
}

/// See the module.
pub(super) struct Broker {
    name: String,
    owner: Owner,
    properties: Properties,
    /// By name of the view.
    topics: BTreeMap<&'static str, String>,
    progress: String,
    producer: Option<ThreadedProducer<DefaultProducerContext>>,
}

impl Broker {
    /// Makes the topics that are missing and takes over; gives up to where they are complete, if the
    /// run has sent before.
    pub fn open(
        name: &str,
        brokers: &Brokers,
        (owner, form): (Owner, Form),
        views: &[Schema],
    ) -> Result<(Broker, Option<i64>), Error> {
        let properties = brokers.properties()?;
        let topic = |view: &Schema| (view.name, format!("{}{}", properties.prefix, view.name));
        let mut broker = Broker {
            name: name.into(),
            owner,
            topics: views.iter().map(topic).collect(),
            progress: format!("{}tidemill_progress", properties.prefix),
            properties,
            producer: None,
        };
        let opened = broker.make_topics(form).and_then(|()| broker.take_over());
        let known = opened.map_err(|trouble| match trouble {
            Trouble::Lost(what) => Error::of(format!("{name}: {what}"), false),
            Trouble::Fatal(error) => error,
        })?;
        Ok((broker, known))
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("queue.buffering.max.kbytes", "65536").set("partitioner", "murmur2_random");
        config.set("client.id", "tidemill");
        for (name, value) in &self.properties.client {
            config.set(name, value);
        }
        config
    }

    fn make_topics(&self, form: Form) -> Result<(), Trouble> {
        let admin: AdminClient<DefaultClientContext> =
            self.config().create().map_err(|error| self.trouble(&error))?;
        let on = self.properties.replication;
        let mut topics = vec![
            NewTopic::new(&self.progress, 1, TopicReplication::Fixed(on))
                .set("cleanup.policy", "compact"),
        ];
        for topic in self.topics.values() {
            let replication = TopicReplication::Fixed(on);
            let topic = NewTopic::new(topic, self.properties.partitions, replication);
            topics.push(match form {
                Form::ChangeLog => topic,
                Form::Upsert => topic.set("cleanup.policy", "compact"),
            });
        }
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Trouble::Lost(e.to_string()))?;
        let made = runtime.block_on(admin.create_topics(&topics, &options));
        for result in made.map_err(|error| self.trouble(&error))? {
            match result {
                Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    let what = format!("{}: the topic {topic} cannot be made: {code}", self.name);
                    return Err(Trouble::Fatal(Error::of(what, false)));
                }
            }
        }
        Ok(())
    }

    /// Begins to send, so that nobody of an earlier epoch can any more; gives up to where the topics
    /// are complete.
    pub fn take_over(&mut self) -> Result<Option<i64>, Trouble> {
        self.producer = None;
        self.known()?;
        let id = format!("tidemill-{}-{}", self.owner.id, self.properties.prefix);
        let mut config = self.config();
        config.set("transactional.id", &id);
        let producer: ThreadedProducer<DefaultProducerContext> =
            config.create().map_err(|error| self.trouble(&error))?;
        producer.init_transactions(PATIENCE).map_err(|error| self.trouble(&error))?;
        // What was under way is committed or gone now.
        let known = self.known()?;
        self.producer = Some(producer);
        if self.owner.keeps {
            self.send(&[], known)?;
        }
        Ok(known)
    }

    /// What the topic of progress says of this run. Another of a later epoch is heeded.
    fn known(&self) -> Result<Option<i64>, Trouble> {
        let mut config = self.config();
        config.set("group.id", "tidemill").set("enable.auto.commit", "false");
        config.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create().map_err(|error| self.trouble(&error))?;
        let mut all = TopicPartitionList::new();
        let from = all.add_partition_offset(&self.progress, 0, Offset::Beginning);
        from.and_then(|()| consumer.assign(&all)).map_err(|error| self.trouble(&error))?;
        let (mut known, began) = (None, Instant::now());
        loop {
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let own = message.key() == Some(self.owner.id.as_bytes());
                    let progress = message.payload().and_then(|p| serde_json::from_slice(p).ok());
                    known = progress.filter(|_: &Progress| own).or(known);
                }
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                Some(Err(error)) if began.elapsed() > PATIENCE => return Err(self.trouble(&error)),
                None if began.elapsed() > PATIENCE => {
                    return Err(Trouble::Lost(format!("{} cannot be read", self.progress)));
                }
                _ => {}
            }
        }
        match known {
            Some(Progress { epoch, .. }) if epoch > self.owner.epoch => Err(self.fenced()),
            known => Ok(known.and_then(|progress| progress.cut)),
        }
    }

    /// Sends messages in one transaction, with the time up to which topics are complete then.
    pub fn send(&mut self, messages: &[Message], cut: Option<i64>) -> Result<(), Trouble> {
        let Some(producer) = &self.producer else {
            return Err(Trouble::Lost("there is no connection".into()));
        };
        let wrong = |error: KafkaError| self.trouble(&error);
        producer.begin_transaction().map_err(wrong)?;
        for Message { view, key, value } in messages {
            if let Some(topic) = self.topics.get(view) {
                let mut record = BaseRecord::to(topic).key(key.as_str());
                record.payload = value.as_deref();
                queue(producer, record).map_err(wrong)?;
            }
        }
        let progress = Progress { epoch: self.owner.epoch, cut };
        // Two numbers can be written.
        let progress = serde_json::to_string(&progress).unwrap_or_default();
        let record = BaseRecord::to(&self.progress).key(&*self.owner.id).payload(&*progress);
        queue(producer, record).map_err(wrong)?;
        producer.commit_transaction(PATIENCE).map_err(wrong)
    }

    fn fenced(&self) -> Trouble {
        Trouble::Fatal(Error::Cluster(format!(
            "{}: another run of the same state sends there now; this one (epoch {}) ends without \
             sending more",
            self.name, self.owner.epoch
        )))
    }

    fn trouble(&self, error: &KafkaError) -> Trouble {
        if let KafkaError::ClientConfig(_, _, property, _) = error {
            let what = format!("{}: the property {property} is not accepted", self.name);
            return Trouble::Fatal(Error::Usage(what));
        }
        let code = match error {
            KafkaError::Transaction(error) => Some(error.code()),
            other => other.rdkafka_error_code(),
        };
        // Once a producer cannot go on it says only that, and keeps the reason.
        let reason = || self.producer.as_ref()?.client().fatal_error().map(|(code, _)| code);
        let code = code.and_then(|code| if code == Code::Fatal { reason() } else { None }).or(code);
        match code {
            Some(Code::ProducerFenced | Code::Fenced | Code::InvalidProducerEpoch) => self.fenced(),
            Some(code) if stays(code) => {
                Trouble::Fatal(Error::of(format!("{}: {code}", self.name), false))
            }
            Some(code) => Trouble::Lost(code.to_string()),
            None => Trouble::Lost(error.to_string()),
        }
    }
}

/// Puts a message into the producer's queue, when there is room.
fn queue(
    producer: &ThreadedProducer<DefaultProducerContext>,
    record: BaseRecord<'_, str, str>,
) -> Result<(), KafkaError> {
    let (mut record, began) = (record, Instant::now());
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((error, again)) => {
                let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
                if !full || began.elapsed() > 2 * PATIENCE {
                    return Err(error);
                }
                record = again;
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// Whether trying again would not help.
fn stays(code: Code) -> bool {
    matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::Authentication
            | Code::MessageSizeTooLarge
            | Code::InvalidTopic
    )
}
