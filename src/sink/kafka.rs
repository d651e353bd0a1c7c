//! `kafka:HOST:PORT/PREFIX`: a topic per view, `PREFIX` and its name. In the change log each message
//! tells what became of a row, as Debezium does it: `before`, `after`, `op` (`c`, `u` or `d`), and
//! when. `kafka-upsert:` sends the row that a key has now, and a message without a value where it has
//! none any more, for topics that are compacted. The key of a message is that of the row, as JSON, so
//! the changes of a row are in one partition, in order.
//!
//! Messages are sent in transactions: one for each checkpoint of a run that keeps its state, otherwise
//! at most one a second. With each goes a message to the topic `PREFIX` and `tidemill_progress`: whose
//! it is, and up to when all topics are complete. A run that goes on reads there what has arrived, and
//! leaves it out. Who reads only what is committed sees each change once. A run of a later epoch has
//! the same transactional id, by which the broker refuses what an earlier one would still send.

#[cfg(feature = "kafka")]
mod broker;
#[cfg(feature = "kafka")]
mod changes;
mod target;
#[cfg(feature = "kafka")]
mod writer;

#[cfg(feature = "kafka")]
pub(super) use changes::open;
pub use target::Brokers;
pub(super) use target::HOW;

/// Kafka is not in every build.
#[cfg(not(feature = "kafka"))]
pub(super) fn open(
    brokers: &Brokers,
    _form: Form,
    _views: &[super::Schema],
    _opening: &super::Opening<'_>,
) -> Result<Box<dyn super::Sink + Send>, crate::error::Error> {
    Err(crate::error::Error::Usage(format!(
        "kafka:{brokers}: this program was built without Kafka; build it with \
         cargo build --release --features kafka"
    )))
}

/// What the messages tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// What became of a row.
    ChangeLog,
    /// The row that a key has.
    Upsert,
}

impl Form {
    /// As it is named by `--sink`.
    pub fn name(self) -> &'static str {
        match self {
            Form::ChangeLog => "kafka",
            Form::Upsert => "kafka-upsert",
        }
    }
}
