//! The structures of this room as groups that `aggregate` can keep.

use super::{CrossMoments, Distinct, Group, HyperLogLog, Moments, Quantiles, Values};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::hash::Hash;

macro_rules! own_state {
    ($($ty:ty),*) => {$(
        impl Group for $ty {
            type State = Self;
            #[inline]
            fn is_zero(&self) -> bool {
                <$ty>::is_zero(self)
            }
            #[inline]
            fn absorb(state: &mut Self, delta: Self) {
                state.plus(&delta);
            }
            fn contents(state: &Self) -> Self {
                state.clone()
            }
            #[inline]
            fn is_nothing(state: &Self) -> bool {
                <$ty>::is_zero(state)
            }
        }
    )*};
}
own_state!(Moments, CrossMoments);

impl Group for Values {
    type State = Quantiles;
    const WORTH: usize = super::LISTS;
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    fn absorb(state: &mut Quantiles, delta: Values) {
        state.absorb(&delta);
    }
    fn contents(state: &Quantiles) -> Values {
        let mut contents = Values::default();
        state.iter().for_each(|(value, count)| contents.push(value, count));
        contents
    }
    fn is_nothing(state: &Quantiles) -> bool {
        state.is_empty()
    }
}

impl<T> Group for Distinct<T>
where
    T: Ord + Hash + Clone + Debug + Send + Serialize + DeserializeOwned + 'static,
{
    type State = Self;
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    fn absorb(state: &mut Self, delta: Self) {
        state.merge(&delta);
    }
    fn contents(state: &Self) -> Self {
        state.clone()
    }
    fn is_nothing(state: &Self) -> bool {
        state.is_empty()
    }
}

/// All sketches that are kept as groups have the default precision.
impl Group for HyperLogLog {
    type State = Self;
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    fn absorb(state: &mut Self, delta: Self) {
        let same = state.merge(&delta);
        debug_assert!(same, "sketches of two precisions under one key");
    }
    fn contents(state: &Self) -> Self {
        state.clone()
    }
    fn is_nothing(state: &Self) -> bool {
        state.is_empty()
    }
}
