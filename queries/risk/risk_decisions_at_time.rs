//! Risk decisions as they were made: what was known when a payment was first heard of.
//!
//! Each payment is decided once, at the stamp of the first record by which it is in
//! `risk_decisions`, on the records stamped up to then, by the same rules (the parameters are
//! those of the section `risk_decisions`). The row is never rewritten, whatever comes late, is
//! corrected or taken back: it is the evidence of why something was let through. State: the ids
//! decided, for as long as the view itself is kept.
//!
//! ```
//! use tidemill::event::Stream;
//! use tidemill::queries::risk::risk_decisions_at_time::RiskDecisionsAtTime;
//! use tidemill::query::{History, Query};
//!
//! let history = History::from_csv(&[(Stream::Transactions, "\
//! transaction_time,transaction_id,item_id,amount,card_id,status
//! 2026-01-05T10:00:00Z,t1,lamp,10.00,c1,captured
//! 2026-01-05T10:09:00Z,t2,lamp,10.00,c1,captured
//! 2026-01-05T11:00:00Z,t1,lamp,10.00,c1,cancelled
//! ")])?;
//! let rows = RiskDecisionsAtTime::default().answer(&history, history.last());
//! // That t1 was cancelled later does not change what was decided about t2.
//! assert_eq!(rows[1].decision.to_string(), "decline");
//! # Ok::<(), tidemill::error::Error>(())
//! ```

use super::risk_decisions::{Output, RiskDecisions, decisions, naive_decisions};
use crate::clock::Time;
use crate::error::Error;
use crate::event::Stream;
use crate::operator::{Collection, Once};
use crate::query::{History, Inputs, Query, Settings};
use crate::text::Text;
use std::collections::BTreeSet;

/// See the module.
#[derive(Default)]
pub struct RiskDecisionsAtTime(RiskDecisions);

impl Query for RiskDecisionsAtTime {
    type Output = Output;

    fn name(&self) -> &'static str {
        "risk_decisions_at_time"
    }

    fn about(&self) -> &'static str {
        "every payment's decision as it was first made, never rewritten"
    }

    fn configure(&mut self, settings: &Settings) -> Result<(), Error> {
        settings.none_for(self.name())?;
        self.0.configure(settings)
    }

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        // Stamps are what this is about, so ticks must be fine.
        inputs.fine_ticks();
        decisions(self.0.in_force(), inputs).once(
            "First",
            |row| row.transaction_id.clone(),
            |row| row.time.0,
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let rules = self.0.in_force();
        let (mut known, mut rows): (BTreeSet<Text>, _) = (BTreeSet::new(), Vec::new());
        // A payment is first heard of at a stamp of its own stream.
        let mut stamps = history.stamps(Stream::Transactions);
        stamps.sort_unstable();
        stamps.dedup();
        for time in stamps.into_iter().filter(|time| *time <= at) {
            let new = naive_decisions(&rules, history, time, |id| !known.contains(id));
            known.extend(new.iter().map(|row| row.transaction_id.clone()));
            rows.extend(new);
        }
        rows
    }
}
