//! What processes tell each other of a run: how far they are, and how it ends.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a process has read, or all of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Records, good and bad.
    pub records: u64,
    /// Bad ones among them.
    pub bad: u64,
    /// Records with an id that was known.
    pub duplicates: u64,
    /// Those among them that changed nothing because a newer one was known.
    pub superseded: u64,
    /// Records that differ from another of the same id, version and time.
    pub differing: u64,
    /// Records that were refused because they were late.
    pub late: u64,
    /// Ids with cancellations or refunds, but nothing known that they could take back.
    pub unpaired: i64,
    /// Retractions in change logs of records that did not come.
    pub never_came: i64,
    /// Payments that come to more than 64 bits hold.
    pub beyond: i64,
    /// Orders of more items than baskets may have.
    pub too_large: i64,
    /// Bytes, after decompression.
    pub bytes: u64,
}

impl Counts {
    /// Adds those of another process.
    pub(super) fn add(&mut self, more: Counts) {
        self.records = self.records.saturating_add(more.records);
        self.bad = self.bad.saturating_add(more.bad);
        self.duplicates = self.duplicates.saturating_add(more.duplicates);
        self.superseded = self.superseded.saturating_add(more.superseded);
        self.differing = self.differing.saturating_add(more.differing);
        self.late = self.late.saturating_add(more.late);
        self.unpaired = self.unpaired.saturating_add(more.unpaired);
        self.never_came = self.never_came.saturating_add(more.never_came);
        self.beyond = self.beyond.saturating_add(more.beyond);
        self.too_large = self.too_large.saturating_add(more.too_large);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

/// How far a process is, or all of them together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub counts: Counts,
    /// Where the bad records are, if there are any.
    pub dead_letters: Option<String>,
    /// The currencies of the amounts as they are added up; some of them where there are many.
    pub currencies: BTreeSet<String>,
}

/// How the run has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    /// Everything was read, and the results are written.
    Good(Box<Report>),
    /// A process was asked to stop.
    Stopped(usize),
    /// What all together have read cannot be worked with: too much is bad, or of several currencies.
    Refused(Box<Report>),
    /// It has failed: a process, if it is the failure of one, and why.
    Failed(Option<usize>, String),
}

/// What one process says to another.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Message {
    /// The sender is there, and this far.
    Pulse(Report),
    /// The sender's part of the work is done.
    Done(Report),
    /// To process 0: what should end the run. From it: what has.
    End(End),
}
