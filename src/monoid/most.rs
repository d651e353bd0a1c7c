//! The greatest of the values seen. It cannot be taken back, so it is only for what is never
//! retracted, such as the arrival of records.

use super::Group;
use serde::{Deserialize, Serialize};

/// The greatest value so far, if any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Most(pub Option<i64>);

impl Most {
    /// Takes a value into account.
    pub fn see(&mut self, value: i64) {
        self.0 = self.0.max(Some(value));
    }
}

impl Group for Most {
    type State = Self;
    fn is_zero(&self) -> bool {
        self.0.is_none()
    }
    fn absorb(state: &mut Self, delta: Self) {
        state.0 = state.0.max(delta.0);
    }
    fn contents(state: &Self) -> Self {
        *state
    }
    fn is_nothing(state: &Self) -> bool {
        state.0.is_none()
    }
}
