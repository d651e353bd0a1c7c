//! Records from Kafka: what a broker has of some topics is written down like what is pushed
//! ([`super::push`]), and read from there.
//!
//! Positions are ours: each batch is written with the topic, the partition and the offsets that it was of,
//! so that a run which goes on asks for what follows, whatever the broker remembers. They are committed to
//! the group as well, when the batch is on the disk, for those who watch how far behind it is. There is
//! no rebalancing: all partitions are read by this process, and new ones are found.
//!
//! A message is an object of JSON. What is none is written down with the reason, and ends with the bad
//! records. A message without a value (a tombstone) is no record, and is counted.

use super::described::Kafka;
use super::push::{Name, Push, Taken};
use crate::error::Error;
use crate::secret::Reference;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::{ClientConfig, Message};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for the first message of a batch, and for more of it.
const WAIT: Duration = Duration::from_millis(50);
const LINGER: Duration = Duration::from_millis(20);
/// How often it is asked which partitions there are.
const LOOK: Duration = Duration::from_secs(5);
/// How long the broker may take to tell.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most messages and bytes of a batch.
const MESSAGES: usize = 10_000;
const BYTES: usize = 1 << 20;

/// A topic and one of its partitions.
type Place = (String, i32);
/// Which offset is next of a partition, or why what is before it could not be written.
type Written = Result<(Place, i64), String>;

/// Reads some topics as long as their way in is there. `say` is told what a person should know.
pub fn start(
    push: &Arc<Push>,
    from: &Kafka,
    say: impl Fn(&str) + Send + 'static,
) -> Result<(), Error> {
    let consumer = from.consumer()?;
    let reading = Reading {
        push: Arc::downgrade(push),
        next: positions(push),
        from: from.clone(),
        consumer,
        assigned: BTreeMap::new(),
        looked: None,
        acks: channel(),
        behind: 0,
        trouble: None,
    };
    let failed = |error| Error::file("kafka")(error);
    thread::Builder::new().name("kafka".into()).spawn(move || reading.run(&say)).map_err(failed)?;
    Ok(())
}

/// The offsets that follow what was written down.
fn positions(push: &Push) -> BTreeMap<Place, i64> {
    let parse = |key: &str, last: i64| {
        let (topic, partition) = key.strip_prefix("kafka ")?.rsplit_once(' ')?;
        Some(((topic.to_owned(), partition.parse().ok()?), last + 1))
    };
    push.places().into_iter().filter_map(|(key, last)| parse(&key, last)).collect()
}

struct Reading {
    push: std::sync::Weak<Push>,
    from: Kafka,
    consumer: BaseConsumer,
    /// The offset that is wanted next of each partition that was read.
    next: BTreeMap<Place, i64>,
    assigned: BTreeMap<Place, i64>,
    looked: Option<Instant>,
    /// Told which offset is next when what is before it is on the disk, or why it is not.
    acks: (Sender<Written>, Receiver<Written>),
    /// Batches that are being written.
    behind: usize,
    /// What was told last of what does not work.
    trouble: Option<String>,
}

impl Reading {
    fn run(mut self, say: &dyn Fn(&str)) {
        while let Some(push) = self.push.upgrade() {
            if let Err(why) = self.turn(&push, say) {
                push.fail(&why);
                return;
            }
        }
    }

    fn turn(&mut self, push: &Arc<Push>, say: &dyn Fn(&str)) -> Result<(), String> {
        self.settle(false)?;
        if self.looked.is_none_or(|at| at.elapsed() > LOOK) {
            match self.look() {
                Ok(()) => self.looked = Some(Instant::now()),
                Err(error) => {
                    self.tell(&error, say);
                    thread::sleep(WAIT);
                    return Ok(());
                }
            }
        }
        if !push.has_room() {
            thread::sleep(LINGER);
            return Ok(());
        }
        let mut batches: BTreeMap<Place, (Vec<Vec<u8>>, i64)> = BTreeMap::new();
        let (mut count, mut bytes, mut wait) = (0, 0, WAIT);
        let began = Instant::now();
        while count < MESSAGES && bytes < BYTES && began.elapsed() < WAIT + LINGER {
            match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    wait = LINGER;
                    let place = (message.topic().to_owned(), message.partition());
                    count += 1;
                    bytes += message.payload_len();
                    let batch = batches.entry(place).or_default();
                    batch.0.extend(record(&message));
                    batch.1 = message.offset();
                }
                Some(Err(error)) if is_gone(&error) => {
                    return Err(format!(
                        "kafka {}: {error}: what is to be read next is not there any more; begin anew with \
                         another --state, or say expired = \"earliest\" to go on with what is there",
                        self.from.brokers
                    ));
                }
                Some(Err(error)) => {
                    self.tell(&error, say);
                    break;
                }
            }
        }
        if count > 0 && self.trouble.take().is_some() {
            say(&format!("kafka {}: messages come again", self.from.brokers));
        }
        for (place, (records, last)) in batches {
            self.write(push, place, &records, last)?;
        }
        // What the key of a batch says must be on the disk before the next one of its partition.
        self.settle(true)
    }

    /// Writes down what came of a partition up to an offset.
    fn write(
        &mut self,
        push: &Push,
        place: Place,
        records: &[Vec<u8>],
        last: i64,
    ) -> Result<(), String> {
        self.next.insert(place.clone(), last + 1);
        if records.is_empty() {
            return Ok(());
        }
        let log = format!("kafka {} {}", place.0, place.1);
        let (tell, next) = (self.acks.0.clone(), (place, last + 1));
        let ack = move |done: Result<(), String>| drop(tell.send(done.map(|()| next.clone())));
        let lines: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        loop {
            match push.take(&lines, (Name::Place(&log, last), b""), Box::new(ack.clone())) {
                Taken::Writing => break,
                Taken::Busy => thread::sleep(LINGER),
                Taken::Before(_) => return Ok(()),
                other @ (Taken::Other | Taken::Key) => {
                    return Err(format!("{log} cannot be written down: {other:?}"));
                }
            }
        }
        self.behind += 1;
        Ok(())
    }

    /// Hears what is on the disk, and commits it to the group.
    fn settle(&mut self, wait: bool) -> Result<(), String> {
        let mut done = TopicPartitionList::new();
        while self.behind > 0 {
            let told = match wait {
                true => self.acks.1.recv().ok(),
                false => self.acks.1.try_recv().ok(),
            };
            let Some(told) = told else { break };
            self.behind -= 1;
            let ((topic, partition), next) =
                told.map_err(|why| format!("kafka: not written down: {why}"))?;
            // It was assigned.
            let _ = done.add_partition_offset(&topic, partition, Offset::Offset(next));
        }
        if done.count() > 0 {
            // Only others look at it; what fails is told by the next poll.
            let _ = self.consumer.commit(&done, CommitMode::Async);
        }
        Ok(())
    }

    /// Finds which partitions there are, and asks for those that are new.
    fn look(&mut self) -> Result<(), KafkaError> {
        let mut found = BTreeMap::new();
        for topic in &self.from.topics {
            let metadata = self.consumer.fetch_metadata(Some(topic), PATIENCE)?;
            for topic in metadata.topics() {
                if let Some(error) = topic.error() {
                    return Err(KafkaError::MetadataFetch(error.into()));
                }
                for partition in topic.partitions() {
                    found.insert((topic.name().to_owned(), partition.id()), 0);
                }
            }
        }
        if found.keys().eq(self.assigned.keys()) {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        for place in found.keys() {
            let offset = match self.next.get(place) {
                Some(next) => Offset::Offset(*next),
                None => self.first(place)?,
            };
            list.add_partition_offset(&place.0, place.1, offset)?;
        }
        self.consumer.assign(&list)?;
        self.assigned = found;
        Ok(())
    }

    /// Where a partition begins of which nothing was read.
    fn first(&self, place: &Place) -> Result<Offset, KafkaError> {
        // One that comes later is read from its beginning.
        let start = if self.looked.is_some() { "earliest" } else { self.from.start.as_str() };
        match start {
            "earliest" => Ok(Offset::Beginning),
            "latest" => {
                let (_, end) = self.consumer.fetch_watermarks(&place.0, place.1, PATIENCE)?;
                Ok(Offset::Offset(end))
            }
            "stored" => {
                let mut list = TopicPartitionList::new();
                list.add_partition(&place.0, place.1);
                let list = self.consumer.committed_offsets(list, PATIENCE)?;
                let known = list.find_partition(&place.0, place.1).map(|one| one.offset());
                Ok(known.filter(|o| matches!(o, Offset::Offset(_))).unwrap_or(Offset::Beginning))
            }
            time => {
                let mut list = TopicPartitionList::new();
                let at = time.parse::<jiff::Timestamp>().map_or(0, |time| time.as_millisecond());
                list.add_partition_offset(&place.0, place.1, Offset::Offset(at))?;
                let list = self.consumer.offsets_for_times(list, PATIENCE)?;
                let known = list.find_partition(&place.0, place.1).map(|one| one.offset());
                Ok(known.unwrap_or(Offset::End))
            }
        }
    }

    /// Says what does not work, once until it does.
    fn tell(&mut self, error: &KafkaError, say: &dyn Fn(&str)) {
        let text = format!("kafka {}: {error}; trying again", self.from.brokers);
        if self.trouble.as_ref() != Some(&text) {
            say(&text);
            self.trouble = Some(text);
        }
    }
}

/// Whether the messages that are wanted are not there any more.
fn is_gone(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::OffsetNotAvailable)
    )
}

/// A message as a record; none without a value.
fn record(message: &BorrowedMessage<'_>) -> Option<Vec<u8>> {
    let payload = message.payload()?.trim_ascii();
    let object = payload.first() == Some(&b'{')
        && std::str::from_utf8(payload).is_ok()
        && serde_json::from_slice::<&RawValue>(payload).is_ok();
    if object {
        return Some(payload.to_vec());
    }
    let raw = String::from_utf8_lossy(payload);
    let told = serde_json::json!({"_error": "the message is no object of JSON", "_raw": raw});
    Some(told.to_string().into_bytes())
}

impl Kafka {
    /// A consumer that is assigned nothing yet.
    fn consumer(&self) -> Result<BaseConsumer, Error> {
        let wrong = |what: String| Error::Usage(format!("[source.kafka] {}: {what}", self.brokers));
        let starts = ["earliest", "latest", "stored"];
        if !starts.contains(&self.start.as_str()) && self.start.parse::<jiff::Timestamp>().is_err()
        {
            return Err(wrong(format!(
                "start = {:?}: expected earliest, latest, stored or a time such as 2026-11-26T00:00:00Z",
                self.start
            )));
        }
        let reset = match self.expired.as_str() {
            reset @ ("error" | "earliest") => reset,
            other => return Err(wrong(format!("expired = {other:?}: expected error or earliest"))),
        };
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("group.id", &self.group);
        config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        config.set("auto.offset.reset", reset).set("isolation.level", "read_committed");
        // Bounds what waits here in memory.
        config.set("queued.max.messages.kbytes", "16384").set("fetch.message.max.bytes", "1048576");
        for (name, value) in &self.options {
            let hidden = ["password", "secret", "key.pem"].iter().any(|part| name.contains(part));
            let reference = Reference::of(value);
            if hidden && reference.is_none() {
                return Err(wrong(format!(
                    "{name}: a secret does not stand in the file; say \"env:NAME\" or \"file:PATH\""
                )));
            }
            match reference.map(|reference| reference.read()).transpose()? {
                Some(secret) => config.set(name, secret.expose()),
                None => config.set(name, value),
            };
        }
        config.create().map_err(|error: KafkaError| wrong(error.to_string()))
    }
}
