//! By what a record is known again: its id, its line where the id has several, and, where those are
//! told apart, what it does to the money.
//!
//! Nearly all records are payments without a line, so an identity takes no more room than an id,
//! and hashes as one.

use crate::event::Movement;
use crate::text::Text;
use hashbrown::Equivalent;
use std::hash::{Hash, Hasher};

/// An id with its line, as a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// A payment without a line.
    Whole(Text),
    /// Any other.
    Part(Box<(Text, Text, Movement)>),
}

const _: () = assert!(size_of::<Identity>() == size_of::<Text>());

/// An id, its line, which is empty where there is none, and what the record does.
#[derive(Clone, Copy)]
pub(super) struct Name<'a>(pub &'a Text, pub &'a Text, pub Movement);

impl Name<'_> {
    fn is_whole(&self) -> bool {
        self.1.is_empty() && self.2 == Movement::Payment
    }
}

impl Identity {
    /// Its parts.
    #[inline]
    pub fn name(&self) -> Name<'_> {
        match self {
            Identity::Whole(id) => Name(id, &Text::EMPTY, Movement::Payment),
            Identity::Part(part) => Name(&part.0, &part.1, part.2),
        }
    }
}

impl From<&Name<'_>> for Identity {
    fn from(name: &Name<'_>) -> Identity {
        let Name(id, line, movement) = *name;
        match name.is_whole() {
            true => Identity::Whole(id.clone()),
            false => Identity::Part(Box::new((id.clone(), line.clone(), movement))),
        }
    }
}

impl Hash for Name<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
        if !self.is_whole() {
            (self.1, self.2).hash(state);
        }
    }
}

impl Hash for Identity {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl Equivalent<Identity> for Name<'_> {
    #[inline]
    fn equivalent(&self, other: &Identity) -> bool {
        match other {
            Identity::Whole(id) => id == self.0 && self.is_whole(),
            Identity::Part(part) => part.0 == *self.0 && part.1 == *self.1 && part.2 == self.2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_and_lines_are_not_joined() {
        let texts = ["", "a", "ab", "b", "1", "12", "2", "a line of more than fourteen bytes"];
        let texts = texts.map(Text::new);
        let mut all = HashSet::new();
        let lines = texts.iter().flat_map(|id| texts.iter().map(move |line| (id, line)));
        let names = lines.flat_map(|(id, line)| {
            [Movement::Payment, Movement::Refund].map(|movement| Name(id, line, movement))
        });
        let names: Vec<Name<'_>> = names.collect();
        for name in &names {
            let identity = Identity::from(name);
            assert!(name.equivalent(&identity) && all.insert(identity.clone()));
            let Name(id, line, movement) = identity.name();
            assert_eq!((id, line, movement), (name.0, name.1, name.2));
            assert_eq!(names.iter().filter(|other| other.equivalent(&identity)).count(), 1);
        }
    }
}
