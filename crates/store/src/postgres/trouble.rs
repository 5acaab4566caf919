//! What PostgreSQL could not do, in words that anyone may read: never its message, its detail or the statement, which may
//! hold values of a row (R3, T4).

use deadpool_postgres::{HookError, PoolError, TimeoutType};
use std::error::Error as _;
use tieline::{Code, Error, error::Retry};
use tokio_postgres::error::SqlState;

use crate::outcome::{closed, overloaded};

/// What a statement could not do. The log is told PostgreSQL's code, and the names of what it was about.
pub(super) fn trouble(error: &tokio_postgres::Error) -> Error {
    let retry = match error.code() {
        Some(code) if passing(code) => Retry::Backoff,
        Some(_) => Retry::Never,
        // The connection, not the statement.
        None if error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>()) => {
            Retry::Backoff
        }
        None => Retry::Never,
    };
    let told = Error::new(
        Code::ConnectorDatabaseFailed,
        "The database could not be read or written. The log says why; check that it is there and has space.",
    )
    .retry(retry)
    .caused_by(error.to_string());
    let Some(db) = error.as_db_error() else { return told };
    let names = [
        ("table", db.table()),
        ("column", db.column()),
        ("constraint", db.constraint()),
    ];
    names
        .into_iter()
        .filter_map(|(what, name)| Some((what, name?)))
        .fold(told.context("sqlstate", db.code().code()), |told, (what, name)| {
            told.context(what, name)
        })
}

/// Whether it is over by itself: a deadlock, a server that stops or starts, a disk that is full.
fn passing(code: &SqlState) -> bool {
    // Classes: connection exceptions, insufficient resources, operator intervention.
    taken_back(code) || ["08", "53", "57"].iter().any(|class| code.code().starts_with(class))
}

/// Whether PostgreSQL took the transaction back in favour of another.
fn taken_back(code: &SqlState) -> bool {
    [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
    ]
    .contains(code)
}

/// Whether the whole transaction is worth another attempt at once.
pub(super) fn may_go_well_again(error: &tokio_postgres::Error) -> bool {
    // A connection that was closed before it could commit has changed nothing.
    error.is_closed() || error.code().is_some_and(taken_back)
}

/// Why there is no connection.
pub(super) fn unconnected(error: PoolError) -> Error {
    match error {
        PoolError::Timeout(TimeoutType::Wait) => overloaded(),
        PoolError::Timeout(_) => unreachable("it does not answer in time"),
        PoolError::Closed => closed(),
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => refused(&error),
        PoolError::PostCreateHook(HookError::Message(_)) | PoolError::NoRuntimeSpecified => {
            Error::internal("a pool of connections is not set up", error.to_string())
        }
    }
}

/// Why a connection was not made, as its operator has to know it.
pub(super) fn refused(error: &tokio_postgres::Error) -> Error {
    let why = match error.code() {
        Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            "it does not let this user in: check user and password"
        }
        Some(&SqlState::INVALID_CATALOG_NAME) => "it has no database of this name",
        Some(&SqlState::TOO_MANY_CONNECTIONS) => "it has too many connections already",
        Some(&SqlState::CANNOT_CONNECT_NOW) => "it is starting or stopping",
        Some(_) => "it refuses the connection",
        None => match error
            .source()
            .and_then(|source| source.downcast_ref::<std::io::Error>())
        {
            Some(source) => return unreachable("host and port lead to no PostgreSQL").caused_by(source.to_string()),
            None => "the connection was not made",
        },
    };
    let told = unreachable(why).caused_by(error.to_string());
    match error.code() {
        Some(code) => told.context("sqlstate", code.code()),
        None => told,
    }
}

fn unreachable(why: &str) -> Error {
    Error::new(
        Code::ConnectorDatabaseFailed,
        format!("PostgreSQL cannot be used: {why}. The log says more."),
    )
    .retry(Retry::Backoff)
    .before_sending()
}
