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

use super::secret::Reference;
use super::{Held, Opening, Schema, Sink, Standing};
use crate::clock::Time;
use crate::error::Error;
use crate::operator::{Port, Sealed};
use crate::tell::Tell;
use crate::value::{Decimals, Value};
use lanes::{Lanes, Patience};
use post::{Post, Target};
use std::collections::BTreeMap;
use std::fmt::Write;

mod lanes;
mod post;

/// How many posts may wait.
const MOST: usize = 10_000;

/// See the module.
pub(super) struct Webhook {
    name: String,
    views: Vec<View>,
    decimals: Decimals,
    /// The changes of one view at one time, by key.
    now: Option<(usize, Time)>,
    rows: BTreeMap<String, Row>,
    lanes: Lanes,
    /// The last post that must have arrived for the sink to be settled.
    awaited: u64,
    keeps: bool,
    tell: Tell,
}

struct View {
    name: &'static str,
    /// `"name":` per column, and how many are the key.
    columns: Vec<String>,
    keys: usize,
}

/// What became of a key.
#[derive(Default)]
struct Row {
    goes: bool,
    comes: Option<String>,
}

impl Webhook {
    pub fn open(
        reference: &Reference,
        views: &[Schema],
        opening: &Opening<'_>,
    ) -> Result<Webhook, Error> {
        let name = format!("webhook:{reference}");
        let target = Target::read(&name, reference)?;
        let view = |view: &Schema| View {
            name: view.name,
            columns: super::jsonl::Lines::names(view),
            keys: view.columns.iter().filter(|column| column.key).count(),
        };
        let undelivered = opening.beside.join("undelivered.jsonl");
        let told = (name.clone(), opening.tell.clone());
        Ok(Webhook {
            lanes: Lanes::start(target, Patience::default(), undelivered, told)?,
            name,
            views: views.iter().map(view).collect(),
            decimals: opening.decimals,
            now: None,
            rows: BTreeMap::new(),
            awaited: 0,
            keeps: opening.going.is_some(),
            tell: opening.tell.clone(),
        })
    }

    /// Hands over what was collected of one view at one time.
    fn flush(&mut self) {
        let Some((view, time)) = self.now.take() else { return };
        let Some(View { name, .. }) = self.views.get(view) else { return };
        let mut at = String::new();
        Value::Moment(time.signed()).write(self.decimals, &mut at);
        for (key, row) in std::mem::take(&mut self.rows) {
            let Some(data) = row.comes else { continue };
            let what = if row.goes { "updated" } else { "created" };
            let body =
                format!("{{\"type\":\"{name}.{what}\",\"timestamp\":\"{at}\",\"data\":{data}}}");
            self.lanes.give(Post::new(body, (name, &key)));
        }
    }
}

impl Sink for Webhook {
    fn change(&mut self, view: usize, change: &Sealed<'_>) -> Result<(), Error> {
        if self.now != Some((view, change.time)) {
            self.flush();
            self.now = Some((view, change.time));
        }
        let Some(View { columns, keys, .. }) = self.views.get(view) else { return Ok(()) };
        let (mut data, mut key) = (String::from("{"), String::new());
        for (i, (cell, name)) in change.row.cells().iter().zip(columns).enumerate() {
            if i > 0 {
                data.push(',');
            }
            let start = data.len();
            data.push_str(name);
            cell.write_json(self.decimals, &mut data);
            if i < *keys {
                // Of a text that was just written.
                let _ = write!(key, "{},", data.get(start..).unwrap_or_default());
            }
        }
        data.push('}');
        let row = self.rows.entry(key).or_default();
        match change.diff > 0 {
            true => row.comes = Some(data),
            false => row.goes = true,
        }
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
