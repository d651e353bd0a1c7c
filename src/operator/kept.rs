//! `kept`: rows of a state that itself knows which of them a change touches.
//!
//! Verbs that read all rows of a key before and after each change cost what the key remembers. A
//! [`Kept`] state is given the tick's changes, and shows the rows around them as they were and as
//! they are; what differs is sent. Bound: what the state says.

use super::keyed::{Keyed, Step, change};
use super::{Collection, Item, Key};
use crate::monoid::Group;

/// What is kept of a key, and how it changes.
pub trait Kept<K, R>: Default + 'static {
    /// What comes out.
    type Row: Item;
    /// What holds for all keys, such as the parameters of a query.
    type Rules: 'static;

    /// Takes in the changes of a tick; puts every row that is no longer there into `old`, every one
    /// that was not there into `new`, and any that is there before and after into both or none.
    fn change(
        &mut self,
        rules: &Self::Rules,
        key: &K,
        changes: Vec<R>,
        old: &mut Vec<Self::Row>,
        new: &mut Vec<Self::Row>,
    );

    /// The change that makes this state of that of a key never seen.
    fn contents(&self) -> R;

    /// Drops what only changes of event times up to `until` could touch.
    fn forget(&mut self, _rules: &Self::Rules, _until: i64) {}

    /// Whether it is that of a key never seen, so that it can be forgotten.
    fn is_nothing(&self) -> bool;
}

impl<'s, K: Key, R: Group> Keyed<'s, K, R> {
    /// The rows of a state that knows which of them a change touches.
    pub fn kept<S: Kept<K, R>>(self, rules: S::Rules) -> Collection<'s, S::Row> {
        self.keep(Keeping::<S, S::Rules, S::Row> {
            rules,
            old: Vec::new(),
            new: Vec::new(),
            state: std::marker::PhantomData,
        })
    }
}

struct Keeping<S, C, O> {
    rules: C,
    old: Vec<O>,
    new: Vec<O>,
    state: std::marker::PhantomData<S>,
}

impl<K: Key, R: Group, S: Kept<K, R>> Step<K, R> for Keeping<S, S::Rules, S::Row> {
    type State = S;
    type Row = S::Row;

    fn fresh(&self) -> S {
        S::default()
    }

    fn step(
        &mut self,
        key: &K,
        state: &mut S,
        deltas: impl Iterator<Item = R>,
        give: impl FnMut(S::Row, isize),
    ) {
        state.change(&self.rules, key, deltas.collect(), &mut self.old, &mut self.new);
        change(&mut self.old, &mut self.new, give);
    }

    fn contents(&self, state: &S) -> R {
        state.contents()
    }

    fn forget(&mut self, _key: &K, state: &mut S, until: i64) {
        state.forget(&self.rules, until);
    }

    fn is_nothing(state: &S) -> bool {
        state.is_nothing()
    }
}
