//! What goes wrong with a database: what passes, and what does not.

use crate::error::Error;
use tokio_postgres::error::SqlState;

/// See the module.
pub(super) enum Trouble {
    /// The connection, or the server for now: it is tried again.
    Lost(String),
    /// Trying again would not help.
    Fatal(Error),
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Trouble {
        let Some(db) = error.as_db_error() else {
            let mut what = error.to_string();
            if let Some(source) = std::error::Error::source(&error) {
                what = format!("{what}: {source}");
            }
            return Trouble::Lost(what);
        };
        let code = db.code().code();
        let what = format!("{} ({code})", db.message());
        if passes(db.code()) { Trouble::Lost(what) } else { fatal(&what) }
    }
}

/// Whether it may go by itself: a server that starts, stops, is full or has another that holds what
/// is wanted; a standby that will be the primary.
fn passes(code: &SqlState) -> bool {
    let later = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::QUERY_CANCELED,
    ];
    later.contains(code) || ["08", "53", "58"].iter().any(|class| code.code().starts_with(class))
}

/// Trouble that stays.
pub(super) fn fatal(what: &str) -> Trouble {
    Trouble::Fatal(Error::of(what.to_owned(), false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_away_is_tried_again_and_a_refusal_is_not() {
        for code in ["08006", "53100", "53300", "57P01", "57P03", "40P01", "55P03"] {
            assert!(passes(&SqlState::from_code(code)), "{code}");
        }
        for code in ["42501", "28P01", "3D000", "2BP01", "22P05", "42P01"] {
            assert!(!passes(&SqlState::from_code(code)), "{code}");
        }
    }
}
