//! By what a record is known again: its id, and its line where the id has several.
//!
//! Nearly all records have no line, so an identity takes no more room than an id, and hashes as one.

use crate::text::Text;
use hashbrown::Equivalent;
use std::hash::{Hash, Hasher};

/// An id with its line, as a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// An id without a line.
    Whole(Text),
    /// An id, and a line that is not empty.
    Line(Box<(Text, Text)>),
}

const _: () = assert!(size_of::<Identity>() == size_of::<Text>());

/// An id and its line, which is empty where there is none.
#[derive(Clone, Copy)]
pub(super) struct Name<'a>(pub &'a Text, pub &'a Text);

impl Identity {
    /// Its parts.
    #[inline]
    pub fn name(&self) -> Name<'_> {
        match self {
            Identity::Whole(id) => Name(id, &Text::EMPTY),
            Identity::Line(both) => Name(&both.0, &both.1),
        }
    }
}

impl From<&Name<'_>> for Identity {
    fn from(Name(id, line): &Name<'_>) -> Identity {
        match line.is_empty() {
            true => Identity::Whole((*id).clone()),
            false => Identity::Line(Box::new(((*id).clone(), (*line).clone()))),
        }
    }
}

impl Hash for Name<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
        if !self.1.is_empty() {
            self.1.hash(state);
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
            Identity::Whole(id) => id == self.0 && self.1.is_empty(),
            Identity::Line(both) => both.0 == *self.0 && both.1 == *self.1,
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
        for id in &texts {
            for line in &texts {
                let (name, identity) = (Name(id, line), Identity::from(&Name(id, line)));
                assert!(name.equivalent(&identity) && all.insert(identity.clone()));
                assert_eq!((identity.name().0, identity.name().1), (id, line));
                let others = texts.iter().flat_map(|i| texts.iter().map(move |l| Name(i, l)));
                let same = others.filter(|other| other.equivalent(&identity));
                assert_eq!(same.count(), 1);
            }
        }
    }
}
