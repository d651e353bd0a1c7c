//! The thread that sends: a range at a time, each in one transaction, and again until it is done.
//!
//! After any trouble the producer is made anew, by which the broker ends what was under way; then the
//! topic of progress tells whether the range has arrived. A broker that has lost what it had
//! acknowledged is told, and nothing more is sent.

use super::broker::{Broker, Trouble};
use crate::error::Error;
use crate::sink::under_way::UnderWay;
use crate::tell::Tell;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// How soon it is tried again at first, and at last.
const SOON: Duration = Duration::from_millis(200);
const LATE: Duration = Duration::from_secs(10);

/// A message.
pub(super) struct Message {
    pub view: &'static str,
    pub key: String,
    /// None: the key is gone.
    pub value: Option<String>,
}

/// A range to be sent.
pub(super) struct Job {
    pub messages: Vec<Message>,
    pub bytes: usize,
    pub cut: i64,
}

/// The thread, as the sink sees it.
pub(super) struct Writer {
    jobs: Sender<Job>,
    under_way: Arc<UnderWay>,
}

impl Writer {
    /// Starts it.
    pub fn start(broker: Broker, (name, tell): (String, Tell)) -> Result<Writer, Error> {
        let (jobs, todo) = channel();
        let under_way = Arc::<UnderWay>::default();
        let acknowledged = None;
        let work = Work { broker, name, tell, under_way: Arc::clone(&under_way), acknowledged };
        std::thread::Builder::new()
            .name("kafka".into())
            .spawn(move || work.run(&todo))
            .map_err(|e| Error::Cluster(format!("no thread to send to Kafka: {e}")))?;
        Ok(Writer { jobs, under_way })
    }

    /// Has it send a range.
    pub fn give(&self, job: Job) {
        self.under_way.given(job.bytes);
        // It is gone only after it has failed, which is told.
        let _ = self.jobs.send(job);
    }

    /// The bytes that wait to be sent.
    pub fn bytes(&self) -> usize {
        self.under_way.bytes()
    }

    /// Whether everything is committed.
    pub fn is_done(&self) -> bool {
        self.under_way.is_done()
    }

    /// What has gone wrong, once.
    pub fn failure(&self) -> Result<(), Error> {
        self.under_way.failure()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.under_way.leave();
    }
}

struct Work {
    broker: Broker,
    name: String,
    tell: Tell,
    under_way: Arc<UnderWay>,
    /// The broker has said that it has everything up to here.
    acknowledged: Option<i64>,
}

impl Work {
    fn run(mut self, todo: &Receiver<Job>) {
        for job in todo {
            match self.persist(&job) {
                Ok(true) => {
                    self.acknowledged = Some(job.cut);
                    self.under_way.done(job.bytes);
                }
                Ok(false) => return,
                Err(error) => return self.under_way.fail(error),
            }
        }
    }

    /// Sends a range, however often it takes; false if nobody waits any more.
    fn persist(&mut self, job: &Job) -> Result<bool, Error> {
        let mut wait = SOON;
        let mut trouble = match self.broker.send(&job.messages, Some(job.cut)) {
            Ok(()) => return Ok(true),
            Err(trouble) => trouble,
        };
        let mut told = false;
        loop {
            match trouble {
                Trouble::Fatal(error) => return Err(error),
                Trouble::Lost(what) if !std::mem::replace(&mut told, true) => {
                    self.tell
                        .say(&format!("{}: {what}; trying again until it is there", self.name));
                }
                Trouble::Lost(_) => {}
            }
            if self.under_way.is_left() {
                return Ok(false);
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(LATE);
            trouble = match self.again(job) {
                Err(trouble) => trouble,
                Ok(()) => {
                    self.tell
                        .say(&format!("{}: it is there again, and nothing is lost", self.name));
                    return Ok(true);
                }
            };
        }
    }

    fn again(&mut self, job: &Job) -> Result<(), Trouble> {
        match self.broker.take_over()? {
            Some(cut) if cut >= job.cut => Ok(()),
            known if known < self.acknowledged => {
                let what = "the broker has lost messages that it had acknowledged; begin anew with \
                            another --state and another prefix";
                Err(Trouble::Fatal(Error::of(format!("{}: {what}", self.name), false)))
            }
            _ => self.broker.send(&job.messages, Some(job.cut)),
        }
    }
}
