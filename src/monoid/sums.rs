//! Plain sums, which are their own state. Integer addition wraps instead of failing: modulo 2^64
//! it is still a group, so a retraction undoes exactly what was added, whatever came between.

use super::Group;

macro_rules! sums {
    ($($ty:ty),*) => {$(
        impl Group for $ty {
            type State = Self;
            #[inline]
            fn is_zero(&self) -> bool {
                *self == 0
            }
            #[inline]
            fn absorb(state: &mut Self, delta: Self) {
                *state = state.wrapping_add(delta);
            }
            fn contents(state: &Self) -> Self {
                *state
            }
            #[inline]
            fn is_nothing(state: &Self) -> bool {
                *state == 0
            }
        }
    )*};
}

sums!(i64, i128);
