//! `tidemill recommend`: what goes with the items of a session, and why.

use super::launch::launch;
use super::options::{Cleaning, Running};
use crate::error::Error;
use crate::event::Stream;
use crate::lab::eval::clicks;
use crate::lab::eval::learner::{Learner, Update};
use crate::plan::{Job, Queries, sources};
use crate::recommend::blend::{Query, Ranker, Reason, Recommendation, Recommender};
use crate::recommend::defaults;
use crate::recommend::pairs::Event;
use crate::serving::Feed;
use crate::shown::{VALUE, shown};
use crate::text::Text;
use serde_json::json;
use std::hash::Hash;
use std::path::{Path, PathBuf};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tidemill recommend --items 214850423,214757407 --n 5 --sessions train.txt
  tidemill recommend --items shoe-7,bag-2 --source behavior=user_behavior.csv --workers 2
  tidemill recommend --items shoe-7 --source behavior='logs/*.csv.gz' --format json

--sessions reads a file with a header that names a session, an item and a time in seconds, in any
order (SessionId, ItemId, Time), parted by tabs, commas or semicolons.
--source reads the stream behavior as `tidemill run` does: the views of items by session_id.")]
pub struct Args {
    /// The items of the session, the oldest first
    #[arg(long, value_name = "ITEM,...", value_delimiter = ',', required = true)]
    items: Vec<String>,
    /// How many items to recommend
    #[arg(long, short, default_value_t = 20, value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=1000))]
    n: u16,
    /// Learn from recorded sessions
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "source",
        required_unless_present = "source"
    )]
    sessions: Option<PathBuf>,
    /// Learn from a stream: behavior=FILE; repeat for more files, or use a pattern
    #[arg(long, value_name = "STREAM=FILE")]
    source: Vec<String>,
    /// Which ranker
    #[arg(long, default_value = "pairs")]
    ranker: Choice,
    /// Leave out the session's own items
    #[arg(long)]
    no_reminder: bool,
    /// Let the item that is being looked at, the session's last, come back as well
    #[arg(long, conflicts_with = "no_reminder")]
    allow_current: bool,
    /// How to print them
    #[arg(long, default_value = "text")]
    format: Format,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    cleaning: Cleaning,
}

/// How results are printed.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq)]
enum Choice {
    Pairs,
    #[value(name = "vmis_knn")]
    Knn,
    Blend,
}

impl Args {
    pub fn run(self) -> Result<(), Error> {
        let items: Vec<Text> = self.items.iter().map(|item| Text::new(item.trim())).collect();
        if items.iter().any(Text::is_empty) {
            return Err(Error::Usage(
                "--items: an item is empty; expected for instance A,B".into(),
            ));
        }
        let mut options = defaults::options(match self.ranker {
            Choice::Pairs => Ranker::Pairs,
            Choice::Knn => Ranker::Knn,
            Choice::Blend => defaults::BLEND,
        });
        options.n = usize::from(self.n);
        options.reminder = options.reminder.filter(|_| !self.no_reminder);
        if self.allow_current {
            options.allow_current();
        }
        let (format, talks) = (self.format, self.running.process == 0);
        let answer = match &self.sessions {
            Some(path) => ask(&learn(path)?, &items, &options),
            None => ask(&self.follow()?, &items, &options),
        };
        match format {
            _ if !talks => Ok(()), // process 0 has the index
            Format::Text => super::print(&text(&answer)),
            Format::Json => super::print(&json(&answer)),
        }
    }

    /// The index after the streams have passed through the dataflow.
    fn follow(self) -> Result<Recommender<Text, Text>, Error> {
        let settings = self.running.settings()?;
        let known = sources::Known { described: settings.sources()?, ..sources::Known::default() };
        let opened = sources::open(&self.source, &self.cleaning.dialect(), known)?;
        if opened.stdin && self.running.processes > 1 {
            return Err(Error::Usage(
                "standard input cannot be shared by several processes; use a file".into(),
            ));
        }
        if let Some((stream, _)) = opened.inputs.iter().find(|(s, _)| *s != Stream::Behavior) {
            return Err(Error::Usage(format!(
                "--source {}=...: recommendations are learnt from the stream behavior",
                stream.name()
            )));
        }
        let feed = Feed::default();
        let recommender = feed.recommender();
        let job = Job {
            sources: opened.inputs,
            queries: Queries::These(Feed::queries(self.ranker != Choice::Pairs)),
            watchers: vec![Box::new(feed)],
            settings,
            cleaning: self.cleaning.plan(),
            running: self.running.plan(),
            ..Job::default()
        };
        launch(job, opened.bytes, self.running.quiet)
            .and_then(|summary| super::signals::end(summary.stopped))?;
        Ok(recommender)
    }
}

/// The indices of recorded sessions.
fn learn(path: &Path) -> Result<Recommender<Text, u64>, Error> {
    let mut learner = Learner::new(&defaults::MODEL);
    learner.update(clicks::read(path)?.into_iter().map(|click| Update {
        session: click.session,
        event: Event { time: click.time, id: click.line, item: Text::from(click.item) },
        diff: 1,
    }))?;
    learner.model.publish();
    Ok(learner.model.recommender())
}

fn ask<K: Clone + Ord + Hash>(
    recommender: &Recommender<Text, K>,
    items: &[Text],
    options: &crate::recommend::blend::Options,
) -> Vec<Recommendation<Text>> {
    recommender.recommend(Query { items, session: None }, options)
}

fn text(answer: &[Recommendation<Text>]) -> String {
    if answer.is_empty() {
        return "nothing goes with these items: none of them was seen with another\n".into();
    }
    let show = |item: &Text| shown(&item.to_cow(), VALUE);
    let width = answer.iter().map(|r| show(&r.item).chars().count()).max().unwrap_or(0).max(4);
    let mut out = format!("rank  {:width$}  score   reason\n", "item");
    for (rank, found) in (1..).zip(answer) {
        let reason = match &found.reason {
            Reason::With(item) => format!("goes with {}", show(item)),
            Reason::Reminder => "seen in this session".into(),
        };
        let item = show(&found.item);
        out.push_str(&format!("{rank:>4}  {item:width$}  {:.4}  {reason}\n", found.score));
    }
    out
}

fn json(answer: &[Recommendation<Text>]) -> String {
    let list: Vec<_> = (1..)
        .zip(answer)
        .map(|(rank, found)| {
            let item = found.item.to_string();
            let (reason, with) = match &found.reason {
                Reason::With(item) => ("with", Some(item.to_string())),
                Reason::Reminder => ("reminder", None),
            };
            json!({"rank": rank, "item": item, "score": found.score, "reason": reason, "with": with})
        })
        .collect::<Vec<serde_json::Value>>();
    // A list of plain values can always be written.
    serde_json::to_string_pretty(&list).unwrap_or_default() + "\n"
}
