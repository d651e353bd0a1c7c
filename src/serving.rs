//! The indices that requests read, fed by the dataflow.
//!
//! [`Links`] and [`Postings`] are queries whose changes are differences of the pair index and of
//! the session index. Worker 0 sees them sealed, in the order of their times ([`Feed`] is a sink),
//! applies them to the indices and publishes each sealed state, so requests never wait for the
//! dataflow and see what is sealed only. All that is added up is integer or set-valued, so the
//! rankings do not depend on the number of workers. Bound: one cell per pair of items and week,
//! one posting per session and item.

use crate::clock::Time;
use crate::error::Error;
use crate::operator::Sealed;
use crate::query::AnyQuery;
use crate::recommend::blend::Recommender;
use crate::recommend::defaults;
use crate::recommend::model::Model;
use crate::recommend::pairs::{Bucket, CountDiff, PairDiff, Time as Moment};
use crate::sink::Sink;
use crate::text::Text;
use crate::value::Value;
use std::sync::Arc;

mod links;
mod postings;
pub use links::{Links, Unit};
pub use postings::{Posting, Postings};

/// Takes the changes of [`Links`] and [`Postings`] to the indices.
pub struct Feed {
    model: Model<Text, Text>,
    links: Vec<PairDiff<Text>>,
    counts: Vec<CountDiff<Text>>,
    postings: Vec<Change>,
}

/// A change of a session: whether it has an item, and when it started if it has.
struct Change {
    session: Text,
    start: Option<Moment>,
    count: CountDiff<Text>,
}

/// Differences are applied at the latest when so many wait.
const MOST: usize = 16_384;

impl Default for Feed {
    fn default() -> Self {
        Feed {
            model: Model::new(&defaults::MODEL),
            links: Vec::new(),
            counts: Vec::new(),
            postings: Vec::new(),
        }
    }
}

impl Feed {
    /// The queries it takes changes of; without the second only the pairs ranker knows anything.
    pub fn queries(sessions_too: bool) -> Vec<Arc<dyn AnyQuery>> {
        let links: Arc<dyn AnyQuery> = Arc::new(Links);
        let postings = sessions_too.then(|| Arc::new(Postings) as Arc<dyn AnyQuery>);
        [Some(links), postings].into_iter().flatten().collect()
    }

    /// A handle for requests.
    pub fn recommender(&self) -> Recommender<Text, Text> {
        self.model.recommender()
    }

    fn apply(&mut self) -> Result<(), Error> {
        self.model.apply(&self.links, &self.counts)?;
        self.links.clear();
        self.counts.clear();
        // Changes of a session stay in the order of their times: the start said last is its start.
        self.postings.sort_by(|a, b| a.session.cmp(&b.session));
        for changes in self.postings.chunk_by(|a, b| a.session == b.session) {
            let start = changes.iter().rev().find_map(|change| change.start);
            let counts: Vec<_> = changes.iter().map(|change| change.count.clone()).collect();
            self.model.apply_session(&changes[0].session, start, &counts)?;
        }
        self.postings.clear();
        Ok(())
    }
}

impl Sink for Feed {
    fn change(&mut self, _view: usize, change: &Sealed<'_>) -> Result<(), Error> {
        let diff = change.diff as i64;
        match change.row.cells().as_slice() {
            [Value::Text(before), Value::Text(after), Value::Integer(week)] => {
                let (before, after) = (before.clone(), after.clone());
                // It was an `i32` in the collection.
                let bucket = Bucket(*week as i32);
                self.links.push(PairDiff { before, after, bucket, diff });
            }
            [Value::Text(session), Value::Text(item), Value::Moment(start)] => {
                self.postings.push(Change {
                    session: session.clone(),
                    start: (diff > 0).then_some(Moment(*start)),
                    count: CountDiff { item: item.clone(), diff },
                });
            }
            [Value::Text(item), ..] => self.counts.push(CountDiff { item: item.clone(), diff }),
            _ => {} // there is no view of an empty item
        }
        let waiting = self.links.len() + self.counts.len() + self.postings.len();
        if waiting >= MOST { self.apply() } else { Ok(()) }
    }

    fn sealed(&mut self, _frontier: Option<Time>) -> Result<(), Error> {
        self.apply()?;
        self.model.publish();
        Ok(())
    }
}
