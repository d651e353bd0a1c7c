//! Several deltas kept side by side under one key: the product of groups is a group.

use super::Group;

macro_rules! products {
    ($( ($($part:ident $i:tt),*) )*) => {$(
        impl<$($part: Group),*> Group for ($($part,)*) {
            type State = ($($part::State,)*);
            const WORTH: usize = most(&[$($part::WORTH),*]);
            #[inline]
            fn is_zero(&self) -> bool {
                $(self.$i.is_zero())&&*
            }
            #[inline]
            fn absorb(state: &mut Self::State, delta: Self) {
                $($part::absorb(&mut state.$i, delta.$i);)*
            }
            fn contents(state: &Self::State) -> Self {
                ($($part::contents(&state.$i),)*)
            }
            #[inline]
            fn is_nothing(state: &Self::State) -> bool {
                $($part::is_nothing(&state.$i))&&*
            }
        }
    )*};
}

const fn most(worths: &[usize]) -> usize {
    match worths {
        [] => 0,
        [first, rest @ ..] => {
            let rest = most(rest);
            if *first > rest { *first } else { rest }
        }
    }
}

products! {
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
}
