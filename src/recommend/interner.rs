//! Item names to dense numbers and back, at the boundary of the index.
//!
//! Inside the index an item is an [`ItemId`], the order in which its name first came.
//! That order may differ between runs and workers, so no ranking ever depends on it:
//! ties are broken by the *name*. A number is never given twice or taken back; an item
//! without events keeps its number and has empty rows. Lookups hold a read lock for
//! one hash probe; names are read without a lock.

use std::hash::Hash;
use std::sync::{OnceLock, PoisonError, RwLock};

use crate::hash::Table;

use super::RecommendError;
use super::growing::{Growing, View};

/// An item's number inside the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId(u32);

impl ItemId {
    /// The place of the item in vectors by item.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The id at place `index`.
    pub fn from_index(index: usize) -> Result<Self, RecommendError> {
        let id = u32::try_from(index).ok().filter(|id| *id < FIRST_STAND_IN);
        id.map(ItemId).ok_or(RecommendError::TooMany { what: "items" })
    }

    /// Stands in, within one request, for the `nth` item that has no number.
    pub fn stand_in(nth: usize) -> Option<Self> {
        let nth = u32::try_from(nth).ok()?;
        FIRST_STAND_IN.checked_add(nth).map(ItemId)
    }

    /// Which stand-in this is, if it is one.
    pub fn as_stand_in(self) -> Option<usize> {
        self.0.checked_sub(FIRST_STAND_IN).map(|nth| nth as usize)
    }
}

/// No item gets a number from here on.
const FIRST_STAND_IN: u32 = u32::MAX - 0xffff;

/// The names seen so far, shared by writers and readers.
#[derive(Debug)]
pub struct Interner<T> {
    ids: RwLock<Table<T, ItemId>>,
    names: Growing<OnceLock<T>>,
}

/// The names by number.
#[derive(Debug)]
pub struct Names<T>(View<OnceLock<T>>);

impl<T> Names<T> {
    /// The name of `item`.
    pub fn get(&self, item: ItemId) -> Option<&T> {
        self.0.get(item.index())?.get()
    }
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Interner { ids: RwLock::default(), names: Growing::default() }
    }
}

impl<T: Clone + Eq + Hash> Interner<T> {
    /// The number of `name`, if it has one.
    pub fn get(&self, name: &T) -> Option<ItemId> {
        // The name is written before its number is given out, so a writer that
        // panicked misleads nobody, here and below.
        let ids = self.ids.read().unwrap_or_else(PoisonError::into_inner);
        ids.get(name).copied()
    }

    /// The number of `name`, given now if it has none.
    pub fn intern(&self, name: &T) -> Result<ItemId, RecommendError> {
        if let Some(id) = self.get(name) {
            return Ok(id);
        }
        let mut ids = self.ids.write().unwrap_or_else(PoisonError::into_inner);
        // Another writer may have come between the two locks.
        if let Some(id) = ids.get(name) {
            return Ok(*id);
        }
        let id = ItemId::from_index(ids.len())?;
        // The write lock makes this thread the only one to grow.
        self.names.reserve(id.index() + 1);
        if let Some(place) = self.names.view().get(id.index()) {
            place.get_or_init(|| name.clone());
        }
        ids.insert(name.clone(), id);
        Ok(id)
    }

    /// The names; at least those whose number was given before.
    pub fn names(&self) -> Names<T> {
        Names(self.names.view())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number() {
        let interner = Interner::default();
        let ids: Vec<_> =
            ["b", "a", "b", "c"].iter().map(|n| interner.intern(n).unwrap()).collect();
        assert_eq!(ids[0], ids[2]);
        assert_eq!(interner.get(&"c"), Some(ids[3]));
        assert_eq!(interner.get(&"d"), None);
        let names = interner.names();
        assert_eq!(names.get(ids[1]), Some(&"a"));
        assert_eq!(names.get(ItemId::from_index(3).unwrap()), None);
        let stand_in = ItemId::stand_in(7).unwrap();
        assert_eq!((stand_in.as_stand_in(), ids[3].as_stand_in()), (Some(7), None));
        assert!(ItemId::from_index(stand_in.index()).is_err());
    }
}
