//! Session recommendations, kept exact per event.
//!
//! Sessions turn events into integer differences ([`pairs`]); an index adds them up and
//! publishes what requests read ([`index`], [`vmis`]). Both are linear or set-valued in
//! the live events, so after any history of insertions and retractions the state is
//! the one of a rebuild from the live events alone. Two rankers read it ([`score`],
//! [`knn`]), and [`blend`] puts them together with the reminder.

pub mod blend;
pub mod defaults;
pub mod growing;
pub mod index;
pub mod interner;
pub mod knn;
pub mod model;
pub mod neighbours;
pub mod pairs;
pub mod score;
pub mod vmis;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum RecommendError {
    /// The numbers that name things inside the index are used up.
    #[error(
        "recommend index: no number is left for more {what} (about 2^32 used); split the index"
    )]
    TooMany {
        /// Items or sessions.
        what: &'static str,
    },
}

impl From<RecommendError> for crate::error::Error {
    fn from(error: RecommendError) -> Self {
        crate::error::Error::of(error, false)
    }
}
