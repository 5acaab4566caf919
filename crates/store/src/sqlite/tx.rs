//! The only way to run a statement: counted, prepared once, with constant text.

use std::{
    ops::Deref,
    sync::atomic::{AtomicU64, Ordering},
};

use rusqlite::{Connection, ErrorCode, OptionalExtension, Params, Row};
use tieline::{Code, Error, Result, error::Retry};

/// A transaction that reads. Statements are `'static`, so none is ever put together from input (Q1).
pub(super) struct ReadTx<'c> {
    connection: &'c Connection,
    statements: &'c AtomicU64,
}

impl<'c> ReadTx<'c> {
    pub(super) fn new(connection: &'c Connection, statements: &'c AtomicU64) -> Self {
        Self { connection, statements }
    }

    /// The first row, if there is one.
    pub(super) fn one<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        let row = || self.connection.prepare_cached(sql)?.query_row(params, read).optional();
        row().map_err(|error| trouble(sql, &error))
    }

    /// All rows.
    pub(super) fn all<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        let rows =
            || -> rusqlite::Result<Vec<T>> { self.connection.prepare_cached(sql)?.query_map(params, read)?.collect() };
        rows().map_err(|error| trouble(sql, &error))
    }
}

/// A transaction that may write. Only the writer makes one.
pub(super) struct Tx<'c>(ReadTx<'c>);

impl<'c> Tx<'c> {
    pub(super) fn new(connection: &'c Connection, statements: &'c AtomicU64) -> Self {
        Self(ReadTx::new(connection, statements))
    }

    /// Changes rows, and says how many.
    pub(super) fn execute(&self, sql: &'static str, params: impl Params) -> Result<usize> {
        self.0.statements.fetch_add(1, Ordering::Relaxed);
        let run = || self.0.connection.prepare_cached(sql)?.execute(params);
        run().map_err(|error| trouble(sql, &error))
    }
}

impl<'c> Deref for Tx<'c> {
    type Target = ReadTx<'c>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// What SQLite could not do. The statement holds no values, and SQLite's messages name tables and columns only, so the
/// log may have both.
pub(super) fn trouble(statement: &'static str, error: &rusqlite::Error) -> Error {
    let retry = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull) => Retry::Backoff,
        _ => Retry::Never,
    };
    Error::new(
        Code::ConnectorDatabaseFailed,
        "The database could not be read or written. The log says why; check the disk's space and the file's owner.",
    )
    .retry(retry)
    .context("statement", statement)
    .caused_by(error.to_string())
}
