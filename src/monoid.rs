//! Pure algebra: what can be added up, and taken back, exactly.
//!
//! A [`Group`] is a delta: it is combined before the exchange, in any order and division, and a
//! retraction is its negative. Its `State` is what is kept per key; for plain sums the two are the
//! same, for order statistics the delta is a list of values and the state a tree of counts.
//! Nothing here knows of time, workers or I/O.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

mod bag;
mod cuts;
mod dated;
mod distinct;
mod favourite;
mod groups;
mod hyperloglog;
mod moments;
mod most;
mod quantiles;
mod ratio;
mod sum_tree;
mod summed;
mod sums;
#[cfg(test)]
mod testing;
mod timeline;
mod together;
mod top_k;
mod totals;
mod values;
mod weights;
mod wide;

pub use bag::{Bag, Items};
pub use cuts::{Cuts, part};
pub use dated::{Dated, DatedLog, Entries};
pub use distinct::{Distinct, Members};
pub use favourite::{Counts, Favourite};
pub use hyperloglog::{HyperLogLog, Precision};
pub use moments::{CrossMoments, Moments};
pub use most::Most;
pub use quantiles::{Interpolated, Quantiles};
pub use ratio::Ratio;
pub use sum_tree::{SumTree, Summary, Walk};
pub use summed::Summed;
pub use timeline::{Stretch, Timeline};
pub use top_k::TopK;
pub use totals::Totals;
pub use values::Values;
pub use weights::Weights;
pub use wide::{Wide, compare_products};

/// [`Group::WORTH`] of a delta that lists its records: what is saved is a key per record.
const LISTS: usize = 16;

/// A delta that can be combined in any order and absorbed into a state.
pub trait Group: Default + Clone + Debug + Send + Serialize + DeserializeOwned + 'static {
    /// What is kept per key.
    type State: Default + 'static;

    /// So many records of a key in a message make it worth looking the key up to combine them.
    /// A delta that only lists its records does not become smaller: it asks for more.
    const WORTH: usize = 2;

    /// Whether absorbing it would change nothing.
    fn is_zero(&self) -> bool;
    /// Adds the delta to a state.
    fn absorb(state: &mut Self::State, delta: Self);
    /// The delta that makes this state of that of a key never seen: a state is what its deltas add
    /// up to, so one of them can stand for all.
    fn contents(state: &Self::State) -> Self;
    /// The latest time in a state whose items have one.
    fn latest(_state: &Self::State) -> Option<i64> {
        None
    }
    /// Whether a state is that of a key never seen, so that it can be forgotten.
    fn is_nothing(state: &Self::State) -> bool;
}
