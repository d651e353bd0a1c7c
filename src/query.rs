//! What a query is, and what it may read.
//!
//! A [`Query`] is a dataflow together with its meaning: `answer` computes the same view from the
//! history alone, slowly and obviously, and one test holds the two against each other for every
//! query of the catalog. [`Inputs`] gives a query its streams, lazily: a stream no chosen query
//! asks for is not read, and a column none asks for is not parsed.

use crate::clock::{Millis, Tick, Time};
use crate::error::Error;
use crate::event::{
    Ads, Behavior, Col, Inventory, Logins, Logistics, Need, Shape, Stream, Transactions, logistics,
};
use crate::operator::memory::Memory;
use crate::operator::{
    Batches, Clock, Collection, Item, Per, Periods, Port, Rows, Shared, Tally, collect,
};
use crate::value::Value;
use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use timely::dataflow::operators::probe::Handle;

pub mod basket;
mod history;
pub mod ledger;
mod parameters;
pub mod payment;
pub mod session;
pub(crate) mod settings;
pub mod view;
pub use crate::operator::{Column, Record, column};
pub use basket::Basket;
pub use history::{Arrival, History, local_day, on_the_wall, percentile};
pub use parameters::Parameter;
pub use session::Session;
pub use settings::{Settings, shown};

/// A view that is kept exact while events stream in.
pub trait Query: Send + Sync + 'static {
    /// Its row.
    type Output: Record;
    /// Its name, as in `--query`.
    fn name(&self) -> &'static str;
    /// One line, shown by `tidemill queries`.
    fn about(&self) -> &'static str;
    /// Its parameters as they stand; those of most queries are their fields (see
    /// [`parameters!`](crate::parameters)).
    fn parameters(&self) -> Vec<Parameter> {
        Vec::new()
    }
    /// Takes its parameters from what was given; a query without any refuses all.
    fn configure(&mut self, settings: &Settings) -> Result<(), Error> {
        settings.none_for(self.name())
    }
    /// The dataflow that maintains it.
    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Self::Output>;
    /// Its meaning: what the view holds at `at`, from the history alone.
    fn answer(&self, history: &History, at: Time) -> Vec<Self::Output>;
}

/// A query with its row type hidden, as the catalog lists it.
pub trait AnyQuery: Send + Sync {
    /// See [`Query::name`].
    fn name(&self) -> &'static str;
    /// See [`Query::about`].
    fn about(&self) -> &'static str;
    /// See [`Query::parameters`].
    fn parameters(&self) -> Vec<Parameter>;
    /// Its columns, key columns first.
    fn columns(&self) -> &'static [Column];
    /// Builds the dataflow, and the port at which worker 0 reads its output.
    fn build(&self, inputs: &Inputs<'_>) -> Box<dyn Port>;
    /// [`Query::answer`] as cells, in order of the rows.
    fn answer_cells(&self, history: &History, at: Time) -> Vec<Vec<Value>>;
}

impl<Q: Query> AnyQuery for Q {
    fn name(&self) -> &'static str {
        Query::name(self)
    }
    fn about(&self) -> &'static str {
        Query::about(self)
    }
    fn parameters(&self) -> Vec<Parameter> {
        Query::parameters(self)
    }
    fn columns(&self) -> &'static [Column] {
        Q::Output::COLUMNS
    }
    fn build(&self, inputs: &Inputs<'_>) -> Box<dyn Port> {
        let (name, memory) = (Query::name(self), inputs.memory.clone());
        memory.within(name, || collect(self.dataflow(inputs), name, &inputs.probe))
    }
    fn answer_cells(&self, history: &History, at: Time) -> Vec<Vec<Value>> {
        let mut rows = self.answer(history, at);
        rows.sort();
        rows.iter().map(Record::cells).collect()
    }
}

/// The columns a query reads of each stream, in the order of [`Stream::ALL`]; empty: not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    streams: Vec<(Stream, Vec<Col>)>,
    may_lack: Vec<Stream>,
    timed: bool,
    passing: bool,
    periods: Vec<Millis>,
}

impl Reads {
    fn add(&mut self, stream: Stream, columns: &[Col]) {
        let i = match self.streams.binary_search_by_key(&stream, |(s, _)| *s) {
            Ok(i) => i,
            Err(i) => {
                self.streams.insert(i, (stream, Vec::new()));
                i
            }
        };
        let known = &mut self.streams[i].1;
        for col in columns {
            if !known.contains(col) {
                known.push(*col);
            }
        }
    }

    /// Everything these and those read.
    pub fn merge(&mut self, other: &Reads) {
        self.timed |= other.timed;
        self.passing |= other.passing;
        self.periods.extend(&other.periods);
        for (stream, columns) in &other.streams {
            self.add(*stream, columns);
        }
    }

    /// Whether stamps have a part in what is shown, so that ticks must be fine.
    pub fn timed(&self) -> bool {
        self.timed
    }

    /// Whether the passing of time alone changes something.
    pub fn time_passes(&self) -> bool {
        self.passing
    }

    /// The period of something that changes at its multiples only, if those are no ticks.
    pub fn between_ticks(&self, tick: Tick) -> Option<Millis> {
        self.periods.iter().copied().find(|period| !period.0.is_multiple_of(tick.millis()))
    }

    /// Whether the query can do without a stream that has no source.
    pub fn may_lack(&self, stream: Stream) -> bool {
        self.may_lack.contains(&stream)
    }

    /// The streams that are read.
    pub fn streams(&self) -> impl Iterator<Item = Stream> + '_ {
        self.streams.iter().map(|(s, _)| *s)
    }

    /// The fields that are read of a stream, with what holds if a source lacks them.
    pub fn columns(&self, stream: Stream) -> &[Col] {
        self.streams.iter().find(|(s, _)| *s == stream).map_or(&[], |(_, c)| c)
    }

    /// The fields to fill of a stream, where a source has them.
    pub fn fields(&self, stream: Stream) -> Vec<usize> {
        let mut fields: Vec<usize> = self
            .columns(stream)
            .iter()
            .flat_map(|c| match c.need {
                Need::Or(other) => vec![c.field, other],
                _ => vec![c.field],
            })
            .collect();
        fields.sort_unstable();
        fields.dedup();
        fields
    }
}

/// A stream in the dataflow: the same shared batches as they came, and with all records.
#[derive(Clone)]
pub(crate) struct Opened<'s> {
    /// What came: also retractions of what never did.
    pub raw: Batches<'s>,
    /// Every record as it was sent, but for what a change log took back.
    pub all: Batches<'s>,
}

/// How a stream is built into the dataflow under construction, the first time a query asks for it.
pub(crate) struct Ways<'s> {
    /// Opens it.
    pub open: Box<dyn Fn(Stream) -> Opened<'s> + 's>,
    /// The records that hold: a later one takes back the earlier of its id.
    pub unique: Box<dyn Fn(Stream, Batches<'s>, Per) -> Batches<'s> + 's>,
}

/// What a query may read.
pub struct Inputs<'s> {
    ways: Ways<'s>,
    opened: RefCell<Vec<Option<Opened<'s>>>>,
    unique: RefCell<Vec<(Stream, Per, Batches<'s>)>>,
    tally: Arc<Tally>,
    /// How far from its sale what adjusts it can be.
    pub(crate) reach: Option<Millis>,
    clocks: RefCell<Vec<Option<Clock<'s>>>>,
    reads: RefCell<Reads>,
    shared: Shared<'s>,
    pub(crate) memory: Memory,
    pub(crate) probe: Handle<Time>,
    tick: Tick,
}

impl<'s> Inputs<'s> {
    pub(crate) fn new(
        probe: Handle<Time>,
        (tick, memory): (Tick, Memory),
        (ways, reach): (Ways<'s>, Option<Millis>),
        tally: &Arc<Tally>,
    ) -> Self {
        Inputs {
            ways,
            reach,
            unique: RefCell::default(),
            tally: Arc::clone(tally),
            tick,
            opened: RefCell::new(vec![None; Stream::ALL.len()]),
            clocks: RefCell::new(vec![None; Stream::ALL.len()]),
            reads: RefCell::default(),
            shared: Shared::default(),
            memory,
            probe,
        }
    }

    /// What was asked for so far.
    pub(crate) fn reads(&self) -> Reads {
        self.reads.borrow().clone()
    }

    /// Opens a stream.
    pub(crate) fn open(&self, stream: Stream) -> Opened<'s> {
        let mut opened = self.opened.borrow_mut();
        let open = || self.memory.within(stream.name(), || (self.ways.open)(stream));
        opened[stream.index()].get_or_insert_with(open).clone()
    }

    fn read<S: Shape>(&self, columns: &[Col]) -> Opened<'s> {
        self.reads.borrow_mut().add(S::STREAM, columns);
        self.open(S::STREAM)
    }

    /// The records of a stream that hold, with these columns filled.
    pub fn rows<S: Shape>(&self, columns: &[Col]) -> Rows<'s, S> {
        let all = self.read::<S>(columns).all;
        Rows::new(self.unique(S::STREAM, all, Per::Id))
    }

    /// As `transactions`, but a sale is told apart from what undid it: of each the record that
    /// holds is there, also where all have one id.
    pub fn movements(&self, columns: &[Col]) -> Rows<'s, Transactions> {
        let all = self.read::<Transactions>(columns).all;
        Rows::new(self.unique(Stream::Transactions, all, Per::Movement))
    }

    fn unique(&self, stream: Stream, all: Batches<'s>, per: Per) -> Batches<'s> {
        let mut made = self.unique.borrow_mut();
        let known = made.iter().find(|(s, p, _)| (*s, *p) == (stream, per));
        if let Some((.., batches)) = known {
            return batches.clone();
        }
        let build = || (self.ways.unique)(stream, all, per);
        let batches = self.memory.within(stream.name(), build);
        made.push((stream, per, batches.clone()));
        batches
    }

    /// Counts refunds, voids and disputes of which no sale is known, for the summary.
    pub(crate) fn unmatched<D: Item>(&self, these: Collection<'s, D>) {
        let tally = Arc::clone(&self.tally);
        these.inspect(move |(_, _, diff)| {
            tally.unmatched.fetch_add(*diff as i64, Relaxed);
        });
    }

    /// Counts payments that come to more than 64 bits hold, for the summary.
    pub(crate) fn beyond<D: Item>(&self, these: Collection<'s, D>) {
        let tally = Arc::clone(&self.tally);
        these.inspect(move |(_, _, diff)| {
            tally.beyond.fetch_add(*diff as i64, Relaxed);
        });
    }

    /// Counts orders that are too large to say what is bought together, for the summary.
    pub(crate) fn too_large<D: Item>(&self, these: Collection<'s, D>) {
        let tally = Arc::clone(&self.tally);
        these.inspect(move |(_, _, diff)| {
            tally.too_large.fetch_add(*diff as i64, Relaxed);
        });
    }

    /// Every record of a stream as it was sent, with these columns filled: what another replaced
    /// is still here, and a record delivered twice is here twice.
    pub fn sent<S: Shape>(&self, columns: &[Col]) -> Rows<'s, S> {
        Rows::new(self.read::<S>(columns).all)
    }

    /// What came of a stream, to count it and not what it says: also retractions of what never came.
    pub fn arrived<S: Shape>(&self) -> Rows<'s, S> {
        Rows::new(self.read::<S>(&[]).raw)
    }

    /// Says that stamps have a part in what the query shows, so that ticks must be fine.
    pub fn fine_ticks(&self) {
        self.reads.borrow_mut().timed = true;
    }

    /// What time it is in a stream, for the verbs that depend on the passing of time. A query takes
    /// those of all streams that it reads together: time passes for it with these and no others.
    pub fn clock(&self, stream: Stream) -> Clock<'s> {
        self.fine_ticks();
        self.reads.borrow_mut().passing = true;
        self.reads.borrow_mut().add(stream, &[]);
        let raw = self.open(stream).raw;
        let mut clocks = self.clocks.borrow_mut();
        clocks[stream.index()].get_or_insert_with(|| Clock::of(raw, self.tick)).clone()
    }

    /// A clock for what changes at multiples of a period only. Ticks must divide it.
    pub fn periods(&self, clock: Clock<'s>, period: Millis) -> Periods<'s> {
        self.reads.borrow_mut().periods.push(period);
        Periods { clock, period }
    }

    /// Says that the query makes do with any of these streams: one that has no source is empty.
    pub fn any_of(&self, streams: &[Stream]) {
        self.reads.borrow_mut().may_lack.extend(streams);
    }

    /// A collection that several queries read: it is built by the first that asks with this key,
    /// and given to all. The key says what it was made by, and its type what it is.
    pub fn shared<K: PartialEq + Debug + 'static, D: Item>(
        &self,
        key: K,
        build: impl FnOnce() -> Collection<'s, D>,
    ) -> Collection<'s, D> {
        let part = format!("{key:?}");
        self.shared.get(key, || self.memory.within(&part, build))
    }

    /// What visitors do, with these columns filled.
    pub fn behavior(&self, columns: &[Col]) -> Rows<'s, Behavior> {
        self.rows(columns)
    }
    /// Payments, with these columns filled.
    pub fn transactions(&self, columns: &[Col]) -> Rows<'s, Transactions> {
        self.rows(columns)
    }
    /// Parcels as they stand now, with these columns filled, and which way they go, if that is told.
    pub fn logistics(&self, columns: &[Col]) -> Rows<'s, Logistics> {
        self.rows(&[columns, &[logistics::KIND.optional()]].concat())
    }
    /// Advertisements, with these columns filled.
    pub fn ads(&self, columns: &[Col]) -> Rows<'s, Ads> {
        self.rows(columns)
    }
    /// Logins, with these columns filled.
    pub fn logins(&self, columns: &[Col]) -> Rows<'s, Logins> {
        self.rows(columns)
    }
    /// Changes of stock, with these columns filled.
    pub fn inventory(&self, columns: &[Col]) -> Rows<'s, Inventory> {
        self.rows(columns)
    }
}
