//! Where records come from: files, standard input and the built-in generator, as partitions.
//!
//! A [`Partition`] is an ordered sequence of blocks. Any worker of its process may take the next
//! block and parse it; the *chain* then stamps the parsed blocks in their order, so the stamps are
//! those of one reader, however many there are. Dead letters are written in that order as well.
//! Bound: a worker holds a few parsed blocks that wait for their turn.

use crate::batch::Batch;
use crate::clean::Cleaner;
use crate::clean::currency::{Currencies, Rates, money_of};
use crate::clock::{Clock, Implausible, Tick, Time, stamp_arrived};
use crate::error::Error;
use crate::event::Stream;
use crate::lock::lock;
use crate::shown::list;
use crate::text::Text;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub mod absent;
mod arrival;
mod bad;
pub mod check;
mod columns;
mod currency;
pub mod dead_letters;
pub mod described;
pub mod dialect;
#[cfg(test)]
mod dirty;
mod door;
mod error;
pub mod follow;
pub mod formats;
pub mod header;
pub mod hook;
pub mod inspect;
mod json;
#[cfg(feature = "kafka")]
pub mod kafka;
mod layout;
mod look;
pub mod lookup;
pub mod made;
pub mod notes;
mod number;
pub mod pace;
pub mod parse;
mod plain;
pub mod plan;
mod position;
pub mod push;
pub mod read;
pub mod replay_log;
mod rows;
pub mod rules;
mod scalar;
mod scan;
mod sheet;
mod split;
pub mod stamps;
pub mod time;
#[cfg(test)]
mod twin;

pub use arrival::Arrivals;
use arrival::Live;
pub use bad::Bad;
pub use dead_letters::DeadLetters;
pub use error::{Fault, SourceError};
use follow::Tail;
pub use header::Header;
use layout::Layout;
use look::Look;
use notes::Notes;
use pace::Pace;
use parse::{Parsed, Scratch};
pub use plan::ParseOptions;
use plan::Plan;
pub use position::Position;
use position::{Passing, Trail, clock_after, same};
use push::Push;
pub use read::{BLOCK_SIZE, Next, Reader};
use replay_log::{Frame, Frames, Recorded};
use rules::Above;
pub use split::Block;
use stamps::Stamped;

/// One ordered sequence of records.
pub struct Partition {
    /// The stream its records belong to.
    pub stream: Stream,
    /// What it is called in messages: the file's path.
    pub name: String,
    index: u32,
    /// Of a recording: the currency to which its amounts were converted, if they were.
    recorded: Option<Option<Text>>,
    /// How it is read, as far as it was said.
    said: Plan,
    /// How it is read, once the first rows have been looked at.
    found: OnceLock<Plan>,
    /// The fields that are filled.
    want: Vec<bool>,
    reader: Mutex<Sequence>,
    chain: Mutex<Chain>,
    /// What is stamped up to here came before, in a run that this one goes on from.
    after: Option<Time>,
    /// Of a source that goes on: how far it has come.
    tail: Option<Arc<Tail>>,
    /// Where its records are pushed.
    pub push: Option<Arc<Push>>,
    arrives: AtomicBool,
    /// The clock as others see it: [`LIVE`] once records are stamped by arrival, [`ENDED`] once all
    /// records are stamped.
    clock: AtomicI64,
}

/// The clock of a source that goes on, to others: it is ahead of all that have a history to tell.
pub const LIVE: i64 = i64::MAX - 1;
/// The clock of a source that has ended.
pub const ENDED: i64 = i64::MAX;

/// What a partition reads: text that is to be parsed, or what was recorded.
pub enum Input {
    /// A CSV.
    Text(Reader),
    /// A partition of a replay log.
    Recorded(Frames),
}

impl Input {
    /// The columns.
    pub fn header(&self) -> &Header {
        match self {
            Input::Text(reader) => reader.header(),
            Input::Recorded(frames) => frames.header(),
        }
    }
}

impl Input {
    /// The way in, where records are pushed.
    pub fn push(&self) -> Option<Arc<Push>> {
        match self {
            Input::Text(reader) => reader.push(),
            Input::Recorded(_) => None,
        }
    }

    fn header_lines(&self) -> u64 {
        match self {
            Input::Text(reader) => reader.header_lines(),
            Input::Recorded(_) => 0,
        }
    }
}

impl From<Reader> for Input {
    fn from(reader: Reader) -> Input {
        Input::Text(reader)
    }
}

/// What is taken from an input in one go.
enum Piece {
    Block(Block),
    Frame(Frame),
}

impl Piece {
    /// Where the next one begins, and the checksum of those before with this one, if it is wanted.
    fn end(&self, before: Option<u32>) -> (u64, u32) {
        let (end, crc) = match self {
            Piece::Block(block) => {
                (block.end, before.map(|crc| crc32c::crc32c_append(crc, &block.bytes)))
            }
            Piece::Frame(frame) => (frame.offset(), before.map(|crc| frame.added(crc))),
        };
        (end, crc.unwrap_or(0))
    }
}

struct Sequence {
    input: Input,
    /// What looks at the first rows, until it has seen enough, and the blocks held back for it.
    look: Option<Look>,
    held: VecDeque<Block>,
    above: Filling,
    /// What is passed by first, because it came before.
    passing: Option<Passing>,
    /// Where blocks are to be divided, since an earlier run read them in two ticks.
    bounds: VecDeque<u64>,
    taken: u64,
    /// A checksum of what was taken.
    crc: u32,
    ended: bool,
}

/// What the rows so far end with, where cells are filled from above.
#[derive(Default)]
struct Filling {
    above: Above,
    layout: Layout,
}

impl Filling {
    fn now(&self) -> Above {
        self.above.clone()
    }

    fn pass(&mut self, plan: &Plan, block: &Block) {
        self.above.pass(plan, block, &mut self.layout);
    }
}

struct Chain {
    clock: Clock,
    next: u64,
    /// Where the next piece begins.
    at: Position,
    trail: Trail,
    /// No record is let through before this event time, though the clock has not come so far.
    quiet: i64,
    /// How records are stamped by arrival, once they are.
    live: Live,
    /// When the last of them did.
    arrived: Option<i64>,
}

impl Chain {
    /// How far the source is, as others see it.
    fn now(&self) -> i64 {
        self.clock.event_time().unwrap_or(i64::MIN).max(self.quiet)
    }
}

impl Plan {
    /// Whether the source has a column for a field.
    pub fn fills(&self, field: usize) -> bool {
        self.filled.iter().any(|filled| filled.field == field)
    }

    /// Whether the source is a change log: has a column `_diff`.
    pub fn is_change_log(&self) -> bool {
        self.diff.is_some()
    }
}

/// A block somebody parsed, waiting for its turn to be stamped.
pub struct Waiting {
    sequence: u64,
    parsed: Parsed,
    block: Option<Block>,
    /// Whether its turn has come, and what is to be told of it was told.
    begun: bool,
    /// Where the next piece begins.
    ends: Position,
}

/// What became of asking for a block.
pub enum Taken {
    /// One was parsed.
    Parsed(Box<Waiting>),
    /// None is ready yet.
    Later,
    /// There are no more.
    Ended,
}

impl Partition {
    /// A partition that reads its input as `plan` says.
    pub fn new(stream: Stream, index: u32, mut plan: Plan, input: Input, clock: Clock) -> Self {
        let look = match &input {
            Input::Text(_) => Look::new(&mut plan),
            Input::Recorded(_) => None,
        };
        let recorded = match &input {
            Input::Text(_) => None,
            Input::Recorded(frames) => Some(frames.converted().map(Text::new)),
        };
        let (tail, push) = match &input {
            Input::Text(reader) => (reader.tail(), reader.push()),
            Input::Recorded(_) => (None, None),
        };
        // What has no past is stamped by arrival from its beginning on.
        let live = tail.as_ref().is_some_and(|tail| tail.arrives());
        let (held, above) = (VecDeque::new(), Default::default());
        Partition {
            tail,
            push,
            arrives: AtomicBool::new(live),
            stream,
            name: input.header().file().to_string(),
            index,
            want: (0..stream.schema().fields.len()).map(|field| plan.fills(field)).collect(),
            recorded,
            said: plan,
            found: OnceLock::new(),
            chain: Mutex::new(Chain {
                clock,
                next: 0,
                at: Position { lines: input.header_lines(), ..Position::default() },
                trail: Trail::default(),
                quiet: i64::MIN,
                live: Live::resumed(live, Vec::new()),
                arrived: None,
            }),
            reader: Mutex::new(Sequence {
                input,
                look,
                held,
                above,
                passing: None,
                bounds: VecDeque::new(),
                taken: 0,
                crc: 0,
                ended: false,
            }),
            after: None,
            clock: AtomicI64::new(if live { LIVE } else { i64::MIN }),
        }
    }

    /// The partition under another number.
    pub fn numbered(self, index: u32) -> Self {
        Partition { index, ..self }
    }

    /// Whether records may come of it as long as the run does.
    pub fn goes_on(&self) -> bool {
        self.tail.is_some()
    }

    /// The partition with what an earlier run has written down of the arrival of records that are still
    /// to come.
    pub fn arrived(mut self, known: Vec<Stamped>) -> Self {
        let chain = self.chain.get_mut().unwrap_or_else(PoisonError::into_inner);
        let sequence = self.reader.get_mut().unwrap_or_else(PoisonError::into_inner);
        chain.live = Live::resumed(chain.live.on, known);
        sequence.bounds = chain.live.bounds();
        self
    }

    /// The partition as it goes on after a cut: where it was then, if it was there.
    pub fn resume(mut self, position: Option<&Position>, cut: Time) -> Result<Self, SourceError> {
        let chain = self.chain.get_mut().unwrap_or_else(PoisonError::into_inner);
        let sequence = self.reader.get_mut().unwrap_or_else(PoisonError::into_inner);
        chain.clock = clock_after(chain.clock, position, cut);
        if let Some(position) = position {
            chain.live.on |= position.live;
            chain.at = Position { ended: false, ..position.clone() };
            sequence.crc = position.crc;
            match &mut sequence.input {
                Input::Text(_) => sequence.passing = Some(Passing::to(position)),
                Input::Recorded(frames) => {
                    let (crc, all) = frames.pass(position.pieces);
                    let found = if all { crc } else { !position.crc };
                    same(&self.name, position.offset, found, position.crc)?;
                }
            }
        }
        chain.at.clock = chain.clock.event_time();
        let clock = if chain.live.on { Some(LIVE) } else { chain.clock.event_time() };
        self.clock = AtomicI64::new(clock.unwrap_or(i64::MIN));
        self.after = Some(cut);
        Ok(self)
    }

    /// Where the partition is once everything stamped up to the cut has come: the records that
    /// follow there, or the first of them, are stamped later.
    pub fn position(&self, cut: Time) -> Position {
        let reader = lock(&self.reader);
        let mut chain = lock(&self.chain);
        // What was taken last may not have had its turn yet.
        let ended = reader.ended && chain.next == reader.taken;
        let back = chain.trail.position(cut);
        let live = chain.live.on;
        back.unwrap_or_else(|| Position { ended, live, ..chain.at.clone() })
    }

    /// The last stamp that its records can have got so far.
    pub fn stamped(&self, feeds: &Feeds) -> Time {
        let chain = lock(&self.chain);
        let arrived = chain.arrived.map(|at| feeds.arrivals.clock.time(at));
        arrived.unwrap_or_else(|| chain.clock.time())
    }

    /// Its number among all sources of the run.
    pub fn index(&self) -> u32 {
        self.index
    }

    fn fills(&self, field: usize) -> bool {
        self.want.get(field).copied().unwrap_or(false)
    }

    fn is_change_log(&self) -> bool {
        self.plan().is_change_log()
    }

    /// The newest event time of its records.
    pub fn newest(&self) -> Option<i64> {
        lock(&self.chain).clock.event_time()
    }

    /// The clock, as far as it is known.
    pub fn clock(&self) -> i64 {
        self.clock.load(Ordering::Acquire)
    }

    /// Takes the next block and parses it.
    pub fn take(&self, feeds: &Feeds, parser: &mut Scratch) -> Result<Taken, SourceError> {
        let (sequence, piece, ends) = {
            let mut reader = lock(&self.reader);
            if reader.ended {
                return Ok(Taken::Ended);
            }
            // In this order: what was there before is handed over before it is said to be all.
            let caught_up = self.is_caught_up();
            let next = match self.next(&mut reader, caught_up)? {
                Some(next) => next,
                None => {
                    if caught_up {
                        self.go_live(&reader, feeds)?;
                    }
                    return Ok(Taken::Later);
                }
            };
            match next {
                Some(piece) => {
                    reader.taken += 1;
                    let (offset, crc) = piece.end(feeds.keeps_positions.then_some(reader.crc));
                    reader.crc = crc;
                    (reader.taken - 1, piece, Position { offset, crc, ..Position::default() })
                }
                None => {
                    reader.ended = true;
                    self.finish_if_done(&reader)?;
                    return Ok(Taken::Ended);
                }
            }
        };
        let (parsed, block) = match piece {
            Piece::Block(block) => self.parse(block, feeds, parser),
            Piece::Frame(frame) => {
                feeds.bytes.fetch_add(frame.bytes() as u64, Ordering::Relaxed);
                // Cleaned before it was recorded.
                let batch = frame.decode(self.index, &self.want)?;
                feeds.currencies.see(self.stream, &batch, self.converted(feeds));
                (Parsed { records: batch.len() as u64, batch, ..Parsed::default() }, None)
            }
        };
        Ok(Taken::Parsed(Box::new(Waiting { sequence, parsed, block, begun: false, ends })))
    }

    /// The currency to which its amounts are converted here, or were when they were recorded.
    fn converted<'a>(&'a self, feeds: &'a Feeds) -> Option<&'a Text> {
        let rates = || feeds.cleaner.as_ref()?.currency.as_ref();
        match &self.recorded {
            Some(converted) => converted.as_ref(),
            None => rates().map(Rates::base),
        }
        .filter(|_| money_of(self.stream).is_some())
    }

    /// How it is read.
    fn plan(&self) -> &Plan {
        self.found.get().unwrap_or(&self.said)
    }

    /// What comes next, `Some(None)` at the end; `None` if nothing is ready yet. The first rows are looked at before.
    fn next(
        &self,
        sequence: &mut Sequence,
        caught_up: bool,
    ) -> Result<Option<Option<Piece>>, SourceError> {
        let Sequence { input, look, held, above, passing, bounds, .. } = sequence;
        let text = match input {
            Input::Text(text) => text,
            Input::Recorded(frames) => return Ok(Some(frames.next_frame()?.map(Piece::Frame))),
        };
        while let Some(looking) = look {
            let enough = match text.next_block()? {
                // What comes next may be long in coming.
                Next::Wait if caught_up && !held.is_empty() => true,
                Next::Wait => return Ok(None),
                Next::End => true,
                Next::Block(block) => {
                    let enough = looking.see(&self.said, &block);
                    held.push_back(block);
                    enough
                }
            };
            if enough && let Some(look) = look.take() {
                // Nobody else sets it: the sequence is locked.
                let _ = self.found.set(look.found(&self.said)?);
            }
        }
        loop {
            let mut block = match held.pop_front() {
                Some(block) => block,
                None => match text.next_block()? {
                    Next::Block(block) => block,
                    Next::Wait => return Ok(None),
                    Next::End => {
                        // What is shorter than it was is not what it was.
                        passing.take().map_or(Ok(()), |p| p.check(&self.name))?;
                        return Ok(Some(None));
                    }
                },
            };
            if let Some(passed) = passing {
                let (before, rest) = passed.pass(block);
                if let Some(before) = before {
                    above.pass(self.plan(), &before);
                    text.give_back(before.bytes);
                }
                let Some(rest) = rest else { continue };
                passed.check(&self.name)?;
                *passing = None;
                block = rest;
            }
            while let Some(bound) = bounds.pop_front_if(|bound| *bound < block.end) {
                let (before, rest) = block.divide(bound);
                let divided = before.is_some();
                block = match (before, rest) {
                    (Some(before), rest) => {
                        rest.into_iter().for_each(|rest| held.push_front(rest));
                        before
                    }
                    (None, Some(rest)) => rest,
                    // Something is always left.
                    (None, None) => return Ok(None),
                };
                if divided {
                    break;
                }
            }
            if self.plan().rules.fills() {
                block.above = Some(above.now());
                above.pass(self.plan(), &block);
            }
            return Ok(Some(Some(Piece::Block(block))));
        }
    }

    /// Parses and cleans a block; gives the block back where it is needed again.
    fn parse(&self, block: Block, feeds: &Feeds, parser: &mut Scratch) -> (Parsed, Option<Block>) {
        let mut parsed = self.plan().parse(&block, self.index, parser);
        feeds.bytes.fetch_add(block.bytes.len() as u64, Ordering::Relaxed);
        if let Some(cleaner) = &feeds.cleaner {
            let refused = cleaner.clean(self.stream, &mut parsed.batch);
            self.plan().refuse(&mut parsed, &block, refused);
        }
        feeds.currencies.see(self.stream, &parsed.batch, self.converted(feeds));
        // The clock may refuse rows as well, and then needs to see the block again.
        if feeds.clocks_refuse {
            return (parsed, Some(block));
        }
        if let Input::Text(text) = &mut lock(&self.reader).input {
            text.give_back(block.bytes);
        }
        (parsed, None)
    }

    /// Stamps a parsed block if it is its turn, or as much of it as is due; the rest stays waiting.
    pub fn stamp(
        &self,
        waiting: &mut Option<Box<Waiting>>,
        feeds: &Feeds,
    ) -> Result<Option<Batch>, SourceError> {
        let mut chain = lock(&self.chain);
        let Some(mut block) = waiting.take_if(|waiting| waiting.sequence == chain.next) else {
            return Ok(None);
        };
        let (before, place) = (chain.now(), chain.at.offset);
        let mut arrived = None;
        if self.is_live(&mut chain) {
            let clock = &feeds.arrivals.clock;
            let entered = chain.live.enter(place, block.ends.offset, clock);
            match entered.map_err(|misfit| misfit.of(&self.name, place))? {
                Some(at) => arrived = Some(at),
                None => {
                    *waiting = Some(block);
                    return Ok(None);
                }
            }
        }
        if !std::mem::replace(&mut block.begun, true) {
            self.begin(&mut block, &mut chain, (arrived, feeds));
        }
        let ends = block.ends.clone();
        let mut batch = std::mem::take(&mut block.parsed.batch);
        if let Some(pace) = feeds.pace.as_ref().filter(|_| arrived.is_none()) {
            let due = pace.due(&batch.times, || feeds.least_clock_but(self.index));
            if due.rows < batch.len() {
                chain.quiet = chain.quiet.max(due.until);
                let rest = match due.rows {
                    // Mostly nothing is due, and then nothing is moved.
                    0 => std::mem::take(&mut batch),
                    rows => batch.split_off(rows),
                };
                block.parsed.batch = rest;
                *waiting = Some(block);
            }
        }
        feeds.records.fetch_add(batch.len() as u64, Ordering::Relaxed);
        // What was stamped before keeps its stamps. Were they not those of this clock, which they
        // are in every log of ours, it would be stamped like new records.
        match arrived {
            Some(at) => {
                chain.clock.see(&batch.times);
                chain.arrived = arrived;
                stamp_arrived(&mut batch, at, &feeds.arrivals.clock);
            }
            None if batch.runs.is_empty() || !chain.clock.follow(&mut batch) => {
                chain.clock.stamp(&mut batch);
            }
            None => {}
        }
        if feeds.keeps_positions && (waiting.is_none() || !batch.is_empty()) {
            let last = batch.runs.last().map_or(chain.clock.time(), |run| run.time);
            let began = Position { live: arrived.is_some(), ..chain.at.clone() };
            chain.trail.pass(began, last);
        }
        if let Some(after) = self.after {
            batch.pass(after);
        }
        if waiting.is_none() {
            chain.next += 1;
            let (pieces, clock) = (chain.at.pieces + 1, chain.clock.event_time());
            chain.at = Position { pieces, clock, ..ends };
        }
        if arrived.is_none() && chain.now() != before {
            self.clock.store(chain.now(), Ordering::Release);
        }
        drop(chain);
        if waiting.is_some() {
            return Ok((!batch.is_empty()).then_some(batch));
        }
        self.finish_if_done(&lock(&self.reader))?;
        Ok(Some(batch))
    }

    /// What tells that time went on though no record came: a batch of none.
    pub fn beat(&self, feeds: &Feeds) -> Result<Option<Batch>, SourceError> {
        if !self.arrives() || self.clock() == ENDED {
            return Ok(None);
        }
        let mut chain = lock(&self.chain);
        let (place, clock) = (chain.at.offset, &feeds.arrivals.clock);
        let known = chain.live.known_beat(place);
        let Some(at) = known.or_else(|| self.tail.as_ref().and(chain.live.beat(place, clock)))
        else {
            return Ok(None);
        };
        chain.arrived = Some(at);
        drop(chain);
        if known.is_some() {
            self.finish_if_done(&lock(&self.reader))?;
        }
        let mut batch = Batch::new(self.index, place, self.stream.schema().fields.len());
        stamp_arrived(&mut batch, at, &feeds.arrivals.clock);
        if let Some(after) = self.after {
            batch.pass(after);
        }
        Ok((!batch.runs.is_empty()).then_some(batch))
    }

    /// Whether all that was there when the run began has been read.
    fn is_caught_up(&self) -> bool {
        self.tail.as_ref().is_some_and(|tail| tail.is_caught_up())
    }

    /// From now on records are stamped by arrival, if all that was there before has its stamp.
    fn go_live(&self, reader: &Sequence, feeds: &Feeds) -> Result<(), SourceError> {
        let mut chain = lock(&self.chain);
        let place = chain.at.offset;
        if chain.next != reader.taken {
            return Ok(());
        }
        // What is shorter than it was is not what it was.
        reader.passing.as_ref().map_or(Ok(()), |passing| passing.check(&self.name))?;
        chain.live.ends(place).map_err(|misfit| misfit.of(&self.name, place))?;
        if chain.live.is_on(place) {
            return Ok(());
        }
        let clock = &feeds.arrivals.clock;
        clock.pass(chain.clock.time());
        chain.live.begin(place, clock);
        self.is_live(&mut chain);
        Ok(())
    }

    /// Whether what comes next is stamped by arrival.
    fn is_live(&self, chain: &mut Chain) -> bool {
        let (place, was) = (chain.at.offset, chain.live.on);
        let live = chain.live.is_on(place);
        if live && !(was && self.arrives()) {
            self.clock.store(LIVE, Ordering::Release);
            self.arrives.store(true, Ordering::Release);
        }
        live
    }

    /// Whether records are stamped by arrival, or were in the end.
    fn arrives(&self) -> bool {
        self.arrives.load(Ordering::Acquire)
    }

    /// Refuses the rows of a block that are implausible now that its turn has come, and tells what is
    /// to be told of it.
    fn begin(
        &self,
        waiting: &mut Waiting,
        chain: &mut Chain,
        (arrived, feeds): (Option<i64>, &Feeds),
    ) {
        let Waiting { parsed, block, ends, .. } = waiting;
        if let Some(block) = block.take() {
            let times = &parsed.batch.times;
            let refused = match arrived {
                Some(at) => chain.clock.late(times, at),
                None => chain.clock.refuse(times),
            };
            let late = refused.iter().filter(|(_, why)| *why == Implausible::Late).count();
            feeds.late.fetch_add(late as u64, Ordering::Relaxed);
            let why = |why| match why {
                Implausible::Ahead => {
                    "event time is further ahead of this source's clock than --max-jump"
                }
                Implausible::Late => {
                    "late: event time is further behind this source's clock than --lateness"
                }
            };
            let refused = refused.into_iter().map(|(row, of)| (row, why(of).to_string())).collect();
            self.plan().refuse(parsed, &block, refused);
        }
        parsed.bad.iter_mut().for_each(|bad| bad.line += chain.at.lines);
        // The good ones count once they are stamped.
        let bad = parsed.records.saturating_sub(parsed.batch.len() as u64);
        feeds.records.fetch_add(bad, Ordering::Relaxed);
        let count = parsed.bad.len() as u64;
        feeds.dead_letters.write(self.stream, &self.name, &std::mem::take(&mut parsed.bad));
        let (notes, told) = (std::mem::take(&mut parsed.notes), std::mem::take(&mut parsed.told));
        if !notes.is_empty() || !told.is_empty() {
            let mut all = lock(&feeds.notes);
            all.add(self.stream, self.index, notes);
            all.tell(self.stream, told);
        }
        (ends.lines, ends.bad) = (chain.at.lines + parsed.lines, chain.at.bad + count);
    }

    fn finish_if_done(&self, reader: &Sequence) -> Result<(), SourceError> {
        if !reader.ended {
            return Ok(());
        }
        let chain = lock(&self.chain);
        if chain.next == reader.taken {
            let place = chain.at.offset;
            let fits = chain.live.ends(place).map_err(|misfit| misfit.of(&self.name, place))?;
            if fits {
                self.clock.store(ENDED, Ordering::Release);
            }
        }
        Ok(())
    }

    /// No record of this partition will be stamped earlier; `None`: there will be no more.
    pub fn frontier(&self, feeds: &Feeds) -> Option<Time> {
        let least = || {
            let mut chain = lock(&self.chain);
            match self.is_live(&mut chain) {
                true => chain.live.frontier(&feeds.arrivals.clock),
                false => chain.clock.time_at(chain.quiet),
            }
        };
        (self.clock() != ENDED).then(least)
    }
}

/// Refuses records whose amounts are of more than one currency, or of which so many are bad that what
/// the others come to is no result. The reasons are in `place`.
pub(crate) fn judge(
    currencies: &BTreeSet<String>,
    (records, bad): (u64, u64),
    max_bad: f64,
    place: String,
) -> Result<(), Error> {
    if currencies.len() > 1 {
        return Err(Error::Currencies { currencies: list(currencies.iter().map(String::as_str)) });
    }
    if bad as f64 / records.max(1) as f64 <= max_bad {
        return Ok(());
    }
    Err(Error::TooManyBad { bad, records, limit: format!("{}%", max_bad * 100.0), where_: place })
}

/// How many bytes of records may be under way unless it is said.
pub const IN_FLIGHT: usize = 64 << 20;

/// Everything this process reads.
pub struct Feeds {
    /// All partitions of this process.
    pub partitions: Vec<Partition>,
    /// Where bad records go.
    pub dead_letters: DeadLetters,
    /// What is to be told of records though it stops none.
    pub notes: Mutex<Notes>,
    /// The cleaning steps that look at more than one field.
    pub cleaner: Option<Cleaner>,
    /// The currencies of the amounts as they are added up.
    pub currencies: Currencies,
    /// Whether clocks refuse records that are implausible.
    pub clocks_refuse: bool,
    /// Whether it is noted where sources are, so that a later run can go on from there.
    pub keeps_positions: bool,
    /// The largest share of bad records that is put up with.
    pub max_bad: f64,
    /// The pace at which records are let through, if they are not as they come.
    pub pace: Option<Pace>,
    /// Records read, good and bad.
    pub records: AtomicU64,
    /// Those among them that were refused because they were late; they are among the dead letters.
    pub late: AtomicU64,
    /// Bytes read, after decompression.
    pub bytes: AtomicU64,
    /// When the records of sources that go on arrive.
    pub arrivals: Arrivals,
    /// Bytes of records sent and not yet sealed at which a source waits for slower ones.
    pub in_flight: usize,
    /// Set to end the run early, as if every source had ended.
    pub stop: Arc<AtomicBool>,
}

impl Feeds {
    /// What is read as it is and may have no bad record.
    pub fn new(partitions: Vec<Partition>, dead_letters: DeadLetters) -> Feeds {
        Feeds {
            partitions,
            dead_letters,
            notes: Mutex::default(),
            cleaner: None,
            currencies: Currencies::default(),
            clocks_refuse: false,
            keeps_positions: false,
            max_bad: 0.0,
            pace: None,
            records: AtomicU64::new(0),
            late: AtomicU64::new(0),
            arrivals: Arrivals::new(Tick::MINUTE, None),
            bytes: AtomicU64::new(0),
            in_flight: IN_FLIGHT,
            stop: Arc::default(),
        }
    }

    /// The least clock over the partitions that have more to give.
    pub fn least_clock(&self) -> i64 {
        self.partitions.iter().map(Partition::clock).min().unwrap_or(i64::MAX)
    }

    /// The same without one of them.
    fn least_clock_but(&self, index: u32) -> i64 {
        let others = self.partitions.iter().filter(|p| p.index != index);
        others.map(Partition::clock).min().unwrap_or(i64::MAX)
    }

    /// Reads everything to its end on this thread: hands over each partition's stamped batches in
    /// order, the partition whose clock is furthest behind first.
    pub fn read_all<E: From<SourceError>>(
        &self,
        mut see: impl FnMut(&Partition, Batch) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut parser = Scratch::default();
        let open = |p: &&Partition| p.clock() != ENDED;
        while !self.stopped()
            && let Some(partition) = self.partitions.iter().filter(open).min_by_key(|p| p.clock())
        {
            while let Some(beat) = partition.beat(self)? {
                see(partition, beat)?;
            }
            match partition.take(self, &mut parser)? {
                Taken::Parsed(waiting) => {
                    let mut waiting = Some(waiting);
                    while waiting.is_some() {
                        while let Some(beat) = partition.beat(self)? {
                            see(partition, beat)?;
                        }
                        if let Some(batch) = partition.stamp(&mut waiting, self)? {
                            see(partition, batch)?;
                        }
                    }
                }
                // A thread decodes ahead of us: leave it the core.
                Taken::Later => std::thread::yield_now(),
                Taken::Ended => {}
            }
        }
        self.partitions.iter().try_for_each(|p| Ok(self.refuse_nameless(p.stream)?))
    }

    /// Refuses a stream that has been read to its end and of which no name is known.
    pub fn refuse_nameless(&self, stream: Stream) -> Result<(), SourceError> {
        lock(&self.notes).refuse_nameless(stream)
    }

    /// Refuses what this process has read if too much of it is bad, or of several currencies.
    pub fn judge(&self) -> Result<(), Error> {
        let place = self.dead_letters.path().display().to_string();
        let counts = (self.records(), self.dead_letters.count());
        judge(&self.currencies.names(), counts, self.max_bad, place)
    }

    /// The partitions as a replay log describes them.
    pub fn recorded(&self) -> Vec<Recorded> {
        let describe = |partition: &Partition| {
            let fields = partition.stream.schema().fields.iter().enumerate();
            let filled = fields.filter(|(i, _)| partition.fills(*i));
            Recorded {
                stream: partition.stream.name().into(),
                name: partition.name.clone(),
                fields: filled.map(|(_, field)| field.name.into()).collect(),
                change_log: partition.is_change_log(),
                converted: partition.converted(self).map(Text::to_string),
            }
        };
        self.partitions.iter().map(describe).collect()
    }

    /// Records read so far, good and bad.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Whether someone asked to stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
