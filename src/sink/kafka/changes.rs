//! The sink itself: what became of each row, collected until it is committed.

use super::super::pairs::{Pair, Pairs};
use super::super::{Held, Opening, Schema, Sink, Standing};
use super::broker::{Broker, Owner};
use super::writer::{Job, Message, Writer};
use super::{Brokers, Form};
use crate::clock::Time;
use crate::error::Error;
use crate::operator::{Port, Sealed};
use crate::tell::Tell;
use std::time::{Duration, Instant};

/// How often what is sealed is committed where there are no cuts.
const EVERY: Duration = Duration::from_secs(1);
/// How many bytes may wait to be sent, and be collected meanwhile.
const MOST: usize = 64 << 20;

/// Opens the topics of views.
pub(in crate::sink) fn open(
    brokers: &Brokers,
    form: Form,
    views: &[Schema],
    opening: &Opening<'_>,
) -> Result<Box<dyn Sink + Send>, Error> {
    let name = format!("{}:{brokers}", form.name());
    let owner = match opening.going {
        Some(going) => Owner { id: going.id.into(), epoch: going.epoch, keeps: true },
        None => Owner { id: super::super::own_id()?, epoch: 0, keeps: false },
    };
    let (broker, known) = Broker::open(&name, brokers, (owner, form), views)?;
    let held = opening.going.and_then(|going| going.held.iter().find(|held| held.sink == name));
    if held.and_then(|held| held.what.parse::<i64>().ok()) > known {
        return Err(Error::Usage(format!(
            "{name}: messages are missing that this run's state knows of; begin anew with another \
             --state and another prefix"
        )));
    }
    Ok(Box::new(Kafka {
        writer: Writer::start(broker, (name.clone(), opening.tell.clone()))?,
        name,
        form,
        pairs: Pairs::new(views, opening.decimals),
        messages: Vec::new(),
        bytes: 0,
        at: known,
        sealed: known.unwrap_or(0),
        given: known,
        live: opening.going.is_none().then(Instant::now),
        tell: opening.tell.clone(),
    }))
}

struct Kafka {
    name: String,
    form: Form,
    pairs: Pairs,
    /// What was told and not given to the writer.
    messages: Vec<Message>,
    bytes: usize,
    /// Changes up to here are there.
    at: Option<i64>,
    /// Everything up to here was told, and was given.
    sealed: i64,
    given: Option<i64>,
    /// Where there are no cuts: since when nothing was given.
    live: Option<Instant>,
    writer: Writer,
    tell: Tell,
}

impl Kafka {
    fn flush(&mut self) {
        let Kafka { pairs, messages, bytes, form, .. } = self;
        pairs.flush(|pair| take(pair, *form, messages, bytes));
    }

    /// Gives the writer what was told, if anything was.
    fn give(&mut self) {
        self.flush();
        if self.messages.is_empty() {
            return;
        }
        let (messages, bytes) =
            (std::mem::take(&mut self.messages), std::mem::take(&mut self.bytes));
        self.given = Some(self.sealed);
        if let Some(since) = &mut self.live {
            *since = Instant::now();
        }
        self.writer.give(Job { messages, bytes, cut: self.sealed });
    }

    /// Gives it if it is time.
    fn give_when_due(&mut self) {
        let full = self.bytes > MOST;
        let due = self.live.map_or(full, |since| full || since.elapsed() >= EVERY);
        if due && self.writer.is_done() {
            self.give();
        }
    }
}

/// Makes a message of what became of a row.
fn take(pair: Pair, form: Form, messages: &mut Vec<Message>, bytes: &mut usize) {
    let Pair { view, time, key, before, after } = pair;
    let value = match form {
        Form::Upsert => after,
        Form::ChangeLog => {
            let op = match (&before, &after) {
                (Some(_), Some(_)) => "u",
                (None, _) => "c",
                (_, None) => "d",
            };
            let or_null = |row: &Option<String>| row.clone().unwrap_or_else(|| "null".into());
            let (before, after, time) = (or_null(&before), or_null(&after), time.signed());
            Some(format!(
                "{{\"before\":{before},\"after\":{after},\"source\":{{\"connector\":\"tidemill\",\
                 \"table\":\"{view}\",\"ts_ms\":{time}}},\"op\":\"{op}\",\"ts_ms\":{time}}}"
            ))
        }
    };
    *bytes += key.len() + value.as_ref().map_or(0, String::len) + size_of::<Message>();
    messages.push(Message { view, key, value });
}

impl Sink for Kafka {
    fn change(&mut self, view: usize, change: &Sealed<'_>) -> Result<(), Error> {
        if self.at.is_some_and(|at| change.time.signed() <= at) {
            return Ok(());
        }
        let Kafka { pairs, messages, bytes, form, .. } = self;
        pairs.change(view, change, |pair| take(pair, *form, messages, bytes));
        Ok(())
    }

    fn sealed(&mut self, frontier: Option<Time>) -> Result<(), Error> {
        if let Some(frontier) = frontier {
            self.sealed = self.sealed.max(frontier.signed() - 1);
        }
        self.flush();
        self.give_when_due();
        Ok(())
    }

    fn turn(&mut self) -> Result<Standing, Error> {
        self.writer.failure()?;
        if self.live.is_some() {
            self.give_when_due();
        }
        Ok(match (self.writer.is_done(), self.writer.bytes() + self.bytes > 2 * MOST) {
            (true, _) => Standing::Settled,
            (false, false) => Standing::Busy,
            (false, true) => Standing::Behind,
        })
    }

    fn commit(&mut self, _ports: &mut [Box<dyn Port>], cut: Time) -> Result<Option<Held>, Error> {
        self.sealed = self.sealed.max(cut.signed());
        self.give();
        let what = self.given.map_or(String::new(), |given| given.to_string());
        Ok(Some(Held { sink: self.name.clone(), what }))
    }

    /// What follows the last cut of a run that keeps its state is told once more by a later one.
    fn stage(&mut self, _ports: &mut [Box<dyn Port>], _ended: bool) -> Result<(), Error> {
        if self.live.is_some() {
            self.give();
        }
        Ok(())
    }

    fn give_up(&mut self) -> Result<(), Error> {
        if self.live.is_none() {
            self.tell.say(&format!("{}: a run that goes on will send the rest", self.name));
            return Ok(());
        }
        let what = "what is sealed could not be sent before the run was ended";
        Err(Error::of(format!("{}: {what}", self.name), false))
    }

    fn publish(&mut self) -> Result<(), Error> {
        self.writer.failure()
    }
}
