//! Cleaning: the named steps between a source's bytes and a query's rows.
//!
//! | step | where | what |
//! |---|---|---|
//! | `validate` | parser | wrong types, ranges, dates and ragged rows become dead letters |
//! | `trim` | parser | white space around values is cut, labels and codes are folded to one case |
//! | `zone` | parser | times without a zone are read in `--time-zone` and kept in UTC |
//! | `currency` | [`currency`] | amounts are converted to the base currency by a rate table |
//! | `enrich` | [`enrich`] | a missing category is looked up in a dimension file |
//! | `dedupe` | dataflow | one record per id, see [`crate::operator::Dedupe`] |
//!
//! Every step is a function of one record (dedupe: of its id's records), so their results do not
//! depend on the number of workers.

use crate::batch::Batch;
use crate::event::Stream;

pub mod currency;
pub mod enrich;

/// The steps' names, as `--steps` takes them, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Step {
    /// Check ranges and dates (types are always checked: a record that cannot be read is bad).
    Validate,
    /// Cut white space, fold labels and codes.
    Trim,
    /// Read times without a zone in --time-zone.
    Zone,
    /// Convert amounts to the base currency (with --rates).
    Currency,
    /// Look up missing categories (with --enrich).
    Enrich,
    /// One record per id.
    Dedupe,
}

impl Step {
    /// All of them, in their order.
    pub const ALL: [Step; 6] =
        [Step::Validate, Step::Trim, Step::Zone, Step::Currency, Step::Enrich, Step::Dedupe];
}

/// A good row of a batch that a step refuses, and why.
pub type Refused = (usize, String);

/// The steps that look at more than one field of a record.
#[derive(Default)]
pub struct Cleaner {
    /// Exchange rates.
    pub currency: Option<currency::Rates>,
    /// Categories of items.
    pub enrich: Option<enrich::Categories>,
}

impl Cleaner {
    /// Applies them to a parsed batch; gives the rows that no step can make sense of.
    pub fn clean(&self, stream: Stream, batch: &mut Batch) -> Vec<Refused> {
        let refused =
            self.currency.as_ref().map_or_else(Vec::new, |rates| rates.convert(stream, batch));
        if let Some(categories) = &self.enrich {
            categories.fill(stream, batch);
        }
        refused
    }
}
