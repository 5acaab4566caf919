//! What verbs answer with, whatever the database.

use tieline::{Code, Error, error::Retry};

use crate::limits::PAUSE_WHEN_FULL;

/// What a verb did: only what changed is kept and leaves a trail.
pub(crate) enum Outcome<T> {
    Changed(T),
    Unchanged(T),
}

impl Outcome<bool> {
    /// Changed when a row was.
    pub(crate) fn of_rows(rows: u64) -> Self {
        match rows {
            0 => Self::Unchanged(false),
            _ => Self::Changed(true),
        }
    }
}

/// The error for verbs that come after the end.
pub(crate) fn closed() -> Error {
    Error::new(Code::ConnectorDatabaseFailed, "The store is closed.")
}

/// The error for verbs that come when too many wait.
pub(crate) fn overloaded() -> Error {
    Error::new(
        Code::Overloaded,
        "Too much is waiting for the database. Try again in a moment.",
    )
    .retry(Retry::After(PAUSE_WHEN_FULL))
    .before_sending()
}
