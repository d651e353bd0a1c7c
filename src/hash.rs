//! How tables that are kept in memory hash their keys.
//!
//! Ids come from a shop's visitors. Who knows the seed of a hash can choose ids that all fall into
//! one place of a table, where each search then reads all of them. So every process draws a seed
//! of its own when it first needs one; nothing that leaves a table may depend on it, and tables
//! that are walked are walked in an order that does not matter, or sorted first.
//!
//! Which worker a key belongs to is another question (`operator::route`): there every process of
//! a cluster must find the same answer, and chosen ids at worst give one worker all the work.

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::LazyLock;

/// A hash map with this process's seed.
pub(crate) type Table<K, V> = hashbrown::HashMap<K, V, TableState>;

/// The builder of hashers for tables: all of a process hash alike, those of another otherwise.
///
/// Both numbers are drawn. The hash multiplies each of two halves of a key with a seed added, so
/// whoever knows one of the two seeds can make that half nothing, and with it the product.
#[derive(Clone, Debug)]
pub struct TableState {
    first: u64,
    second: &'static SharedSeed,
}

impl Default for TableState {
    #[inline]
    fn default() -> Self {
        static DRAWN: LazyLock<(u64, SharedSeed)> =
            LazyLock::new(|| (drawn(), SharedSeed::from_u64(drawn())));
        let (first, second) = &*DRAWN;
        TableState { first: *first, second }
    }
}

impl BuildHasher for TableState {
    type Hasher = FoldHasher<'static>;

    #[inline]
    fn build_hasher(&self) -> FoldHasher<'static> {
        FoldHasher::with_seed(self.first, self.second)
    }
}

/// A number of the operating system's, by way of the standard library's own tables.
fn drawn() -> u64 {
    RandomState::new().hash_one("tidemill")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;
    use std::collections::BTreeSet;

    /// How many hashes some texts have.
    fn hashes(state: &TableState, texts: &[Text]) -> usize {
        texts.iter().map(|text| state.hash_one(text)).collect::<BTreeSet<u64>>().len()
    }

    /// The seeds of a process that lets others know one of them.
    fn known(first: u64) -> TableState {
        TableState { first, second: SharedSeed::global_fixed() }
    }

    #[test]
    fn ids_chosen_to_collide_under_a_known_seed_do_not_under_the_process_s() {
        // Texts of fourteen bytes with the same last eight, which the hash takes as one number (with
        // the length in the first of them): under the seed that equals it, nothing is left of it.
        let chosen: Vec<Text> = (0..1000).map(|n| Text::new(&format!("{n:06}-evil-id"))).collect();
        let last = u64::from_be_bytes(*b"-evil-id") ^ (14 << 56);
        assert_eq!(hashes(&known(last), &chosen), 1);
        assert_eq!(hashes(&known(7), &chosen), 1000);
        assert_eq!(hashes(&TableState::default(), &chosen), 1000);
    }

    #[test]
    fn the_tables_of_a_process_hash_alike_and_each_draw_is_another() {
        let hash = |state: TableState| state.hash_one(Text::new("user-1"));
        assert_eq!(hash(TableState::default()), hash(TableState::default()));
        assert_ne!(drawn(), drawn());
        let of = |first, second| TableState {
            first,
            second: Box::leak(Box::new(SharedSeed::from_u64(second))),
        };
        assert_ne!(hash(of(1, 1)), hash(of(2, 1)));
        assert_ne!(hash(of(1, 1)), hash(of(1, 2)));
    }
}
