//! `webhook:env:NAME=VIEW,...`: a request for each row that comes to a view: an alert, a decision. What
//! the reference names is `URL#SECRET`.
//!
//! The request is a POST as standardwebhooks.com has it: the body is
//! `{"type":"VIEW.created","timestamp":…,"data":{…}}` (`updated` where the row has taken the place of
//! another with its key), `webhook-id` is the same whenever the same row at the same time is posted,
//! and `webhook-signature` is the HMAC-SHA-256 by the secret of id, time and raw body. A row that is
//! taken back is not posted.
//!
//! A receiver that answers 200 to 299 has it. Anything else is tried again, later each time, and in
//! the end written to `undelivered.jsonl` with its reason. Rows of one key arrive in order. A run that
//! keeps its state makes a checkpoint only when all rows up to it have arrived or are in that file;
//! killed before, it posts some again, under the same id. So a receiver that knows ids sees each once.
//! Bound: [`MOST`] posts wait, then the run holds back its sources.

use super::pairs::{Pair, Pairs};
use super::{Held, Opening, Schema, Sink, Standing};
use crate::clock::Time;
use crate::error::Error;
use crate::operator::{Port, Sealed};
use crate::secret::Reference;
use crate::tell::Tell;
use crate::value::{Decimals, Value};
use lanes::{Lanes, Patience};
use post::{Post, Target};

mod lanes;
mod post;

/// How many posts may wait.
const MOST: usize = 10_000;

/// See the module.
pub(super) struct Webhook {
    name: String,
    pairs: Pairs,
    lanes: Lanes,
    /// The last post that must have arrived for the sink to be settled.
    awaited: u64,
    keeps: bool,
    tell: Tell,
}

impl Webhook {
    pub fn open(
        reference: &Reference,
        views: &[Schema],
        opening: &Opening<'_>,
    ) -> Result<Webhook, Error> {
        let name = format!("webhook:{reference}");
        let target = Target::read(&name, reference)?;
        let undelivered = opening.beside.join("undelivered.jsonl");
        let told = (name.clone(), opening.tell.clone());
        Ok(Webhook {
            lanes: Lanes::start(target, Patience::default(), undelivered, told)?,
            name,
            pairs: Pairs::new(views, opening.decimals),
            awaited: 0,
            keeps: opening.going.is_some(),
            tell: opening.tell.clone(),
        })
    }

    /// Hands over what was collected of one view at one time.
    fn flush(&mut self) {
        let Webhook { pairs, lanes, .. } = self;
        pairs.flush(|pair| post(lanes, pair));
    }
}

fn post(lanes: &mut Lanes, Pair { view, time, key, before, after }: Pair) {
    let Some(data) = after else { return };
    let mut at = String::new();
    // A time is written without regard to money.
    Value::Moment(time.signed()).write(Decimals(0), &mut at);
    let what = if before.is_some() { "updated" } else { "created" };
    let body = format!("{{\"type\":\"{view}.{what}\",\"timestamp\":\"{at}\",\"data\":{data}}}");
    lanes.give(Post::new(body, (view, &key)));
}

impl Sink for Webhook {
    fn change(&mut self, view: usize, change: &Sealed<'_>) -> Result<(), Error> {
        let Webhook { pairs, lanes, .. } = self;
        pairs.change(view, change, |pair| post(lanes, pair));
        Ok(())
    }

    fn sealed(&mut self, _frontier: Option<Time>) -> Result<(), Error> {
        self.flush();
        Ok(())
    }

    fn turn(&mut self) -> Result<Standing, Error> {
        self.lanes.failure()?;
        let (first, waiting) = self.lanes.waiting();
        Ok(match first.is_none_or(|first| first > self.awaited) {
            _ if waiting > MOST => Standing::Behind,
            true => Standing::Settled,
            false => Standing::Busy,
        })
    }

    fn commit(&mut self, _ports: &mut [Box<dyn Port>], cut: Time) -> Result<Option<Held>, Error> {
        self.flush();
        self.awaited = self.lanes.last();
        Ok(Some(Held { sink: self.name.clone(), what: cut.millis().to_string() }))
    }

    fn stage(&mut self, _ports: &mut [Box<dyn Port>], _ended: bool) -> Result<(), Error> {
        self.flush();
        self.awaited = self.lanes.last();
        Ok(())
    }

    fn give_up(&mut self) -> Result<(), Error> {
        if self.keeps {
            self.tell.say(&format!("{}: a run that goes on will post the rest", self.name));
            return Ok(());
        }
        self.lanes.put_down("the run was ended before it was delivered")
    }

    fn publish(&mut self) -> Result<(), Error> {
        let count = self.lanes.undelivered();
        if count > 0 {
            self.tell.say(&format!(
                "{}: {count} rows could not be delivered; they are in {}",
                self.name,
                self.lanes.place().display()
            ));
        }
        self.lanes.failure()
    }
}
