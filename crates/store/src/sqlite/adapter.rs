//! An adapter over one table of a SQLite file.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, OpenFlags, Row, params};
use tieline::{
    Result, Scope,
    id::ConnectionId,
    store::{
        Adapter, Updated,
        adapter::{AdapterResult, Change, Filter, Key, Record},
    },
};
use tokio::sync::Notify;

use super::{
    Counters, connect, prepare_to_write,
    readers::Readers,
    tx::trouble,
    unopened,
    value::{Count, Time},
    writer::{Outcome, Writer},
};
use crate::{
    folder::create_private_file,
    table::{DEFAULT_TABLE, TableName, unfit},
};

const CREATE: &str = "CREATE TABLE IF NOT EXISTS {table} (
    id TEXT NOT NULL PRIMARY KEY,
    scope TEXT NOT NULL,
    identity TEXT NOT NULL,
    connector TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (scope, identity, connector, name)
) STRICT";

/// Also what finds out whether a table that was there has these columns.
const GET: &str = "SELECT id, scope, identity, connector, name, value, enabled, version, created_at, updated_at
    FROM {table} WHERE scope = ?1 AND identity = ?2 AND connector = ?3 AND name = ?4";

const LIST: &str = "SELECT id, scope, identity, connector, name, value, enabled, version, created_at, updated_at
    FROM {table} WHERE id > ?1 AND (?2 IS NULL OR connector = ?2) ORDER BY id LIMIT ?3";

const LIST_OF_SCOPE: &str =
    "SELECT id, scope, identity, connector, name, value, enabled, version, created_at, updated_at
    FROM {table} WHERE scope = ?4 AND identity = ?5 AND id > ?1 AND (?2 IS NULL OR connector = ?2) ORDER BY id LIMIT ?3";

const BY_ID: &str = "SELECT id, scope, identity, connector, name, value, enabled, version, created_at, updated_at
    FROM {table} WHERE id = ?1";

const INSERT: &str = "INSERT INTO {table}
    (id, scope, identity, connector, name, value, enabled, version, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (scope, identity, connector, name) DO NOTHING";

const UPDATE: &str = "UPDATE {table} SET value = ?1, enabled = ?2, version = ?3, updated_at = ?4
    WHERE scope = ?5 AND identity = ?6 AND connector = ?7 AND name = ?8 AND id = ?9 AND version = ?10";

const DELETE: &str = "DELETE FROM {table}
    WHERE scope = ?1 AND identity = ?2 AND connector = ?3 AND name = ?4 AND id = ?5";

/// Keeps connections in one table of a SQLite file, which may be the embedding program's own database.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let file = dir.path().join("app.db");
/// use tieline_store::SqliteAdapter;
///
/// let adapter = SqliteAdapter::options(&file).table("integrations").open()?;
/// # adapter.close();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The table is made if it is missing. Whoever makes it by migrations of their own makes it so (times are microseconds since
/// 1970):
///
/// ```sql
/// CREATE TABLE "integrations" (
///     id TEXT NOT NULL PRIMARY KEY,
///     scope TEXT NOT NULL, identity TEXT NOT NULL, connector TEXT NOT NULL, name TEXT NOT NULL,
///     value TEXT NOT NULL,
///     enabled INTEGER NOT NULL, version INTEGER NOT NULL,
///     created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
///     UNIQUE (scope, identity, connector, name)
/// ) STRICT;
/// ```
///
/// The file is put into WAL mode, and stays in it. One thread writes, a few read; other processes may do both.
pub struct SqliteAdapter {
    // Dropped in this order, as with the store.
    readers: Readers,
    writer: Writer,
    table: TableName,
}

/// How a [`SqliteAdapter`] is opened.
#[derive(Debug, Clone)]
pub struct SqliteAdapterOptions {
    path: PathBuf,
    table: String,
}

impl SqliteAdapterOptions {
    /// The table's name: letters, digits and underscores; `tieline_connections`, unless given.
    #[must_use]
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table = name.into();
        self
    }

    /// Opens the file, making it (mode 0600) and the table if need be. Blocks while the disk works.
    ///
    /// # Errors
    /// `CONFIG_INVALID` when the name is none, or a table of this name has other columns; `CONNECTOR_DATABASE_FAILED`.
    pub fn open(self) -> Result<SqliteAdapter> {
        let table = TableName::parse(&self.table)?;
        let path = std::path::absolute(&self.path).map_err(|error| unopened(&self.path, error))?;
        create_private_file(&path)?;
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|error| unopened(&path, error))?;
        let mode = prepare_to_write(&connection).map_err(|error| unopened(&path, error))?;
        if mode != "wal" {
            return Err(unopened(
                &path,
                format!("its file system allows the journal mode `{mode}` but not `wal`"),
            ));
        }
        make(&connection, &table)?;
        let counters = Arc::new(Counters::default());
        let writer = Writer::start(connection, counters.clone(), Arc::new(Notify::new()))?;
        let reader = || connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|error| unopened(&path, error));
        let readers = Readers::start(reader, &counters)?;
        Ok(SqliteAdapter { readers, writer, table })
    }
}

/// Makes the table, or finds out that one which is there can be used: every statement is prepared once.
fn make(connection: &Connection, table: &TableName) -> Result<()> {
    let create = table.statement(CREATE);
    connection
        .execute(create, [])
        .map_err(|error| trouble(create, &error))?;
    for text in [GET, LIST, LIST_OF_SCOPE, BY_ID, INSERT, UPDATE, DELETE] {
        let statement = table.statement(text);
        let prepared = connection.prepare_cached(statement);
        prepared.map_err(|error| unfit(table, &trouble(statement, &error)))?;
    }
    Ok(())
}

impl SqliteAdapter {
    /// Opens the table `tieline_connections` in this file.
    ///
    /// # Errors
    /// Those of [`SqliteAdapterOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options(path).open()
    }

    /// The same with a choice.
    pub fn options(path: impl AsRef<Path>) -> SqliteAdapterOptions {
        SqliteAdapterOptions {
            path: path.as_ref().to_owned(),
            table: DEFAULT_TABLE.to_owned(),
        }
    }

    /// Finishes what is queued and closes the file; every method after that is an error. Dropping the adapter does the same.
    /// Blocks until the last commit is on disk.
    pub fn close(&self) {
        self.readers.close();
        self.writer.close();
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Record> {
    let id: String = row.get(0)?;
    let id = id
        .parse::<ConnectionId>()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error)))?;
    Ok(Record {
        key: Key {
            scope: Scope {
                kind: row.get(1)?,
                identity: row.get(2)?,
            },
            connector: row.get(3)?,
            name: row.get(4)?,
        },
        id,
        value: row.get(5)?,
        enabled: row.get(6)?,
        version: row.get::<_, Count>(7)?.0,
        created_at: row.get::<_, Time>(8)?.0,
        updated_at: row.get::<_, Time>(9)?.0,
    })
}

impl Adapter for SqliteAdapter {
    async fn get(&self, key: &Key) -> AdapterResult<Option<Record>> {
        let (sql, key) = (self.table.statement(GET), key.clone());
        let found = self.readers.read(move |tx| {
            let Key { scope, connector, name } = &key;
            tx.one(sql, params![scope.kind, scope.identity, connector, name], read)
        });
        Ok(found.await?)
    }

    async fn list(&self, filter: &Filter) -> AdapterResult<Vec<Record>> {
        let (all, of_scope) = (self.table.statement(LIST), self.table.statement(LIST_OF_SCOPE));
        let (by_id, filter) = (self.table.statement(BY_ID), filter.clone());
        let found = self.readers.read(move |tx| {
            if let Some(id) = filter.id {
                let found = tx.one(by_id, params![id.to_string()], read)?;
                let fits = |record: &Record| filter.fits(record) && filter.limit > 0;
                return Ok(found.into_iter().filter(fits).collect());
            }
            // Every identifier sorts behind the empty text.
            let after = filter.after.map(|after| after.to_string()).unwrap_or_default();
            let (connector, limit) = (&filter.connector, Count::of(filter.limit));
            match &filter.scope {
                None => tx.all(all, params![after, connector, limit], read),
                Some(scope) => {
                    let values = params![after, connector, limit, scope.kind, scope.identity];
                    tx.all(of_scope, values, read)
                }
            }
        });
        Ok(found.await?)
    }

    async fn upsert(&self, record: &Record) -> AdapterResult<Record> {
        let (insert, get, record) = (self.table.statement(INSERT), self.table.statement(GET), record.clone());
        let standing = self.writer.journal(move |tx| {
            let Key { scope, connector, name } = &record.key;
            let values = params![
                record.id.to_string(),
                scope.kind,
                scope.identity,
                connector,
                name,
                record.value,
                record.enabled,
                Count(record.version),
                Time(record.created_at),
                Time(record.updated_at),
            ];
            if tx.execute(insert, values)? == 1 {
                return Ok(Outcome::Changed(record));
            }
            let standing = tx.one(get, params![scope.kind, scope.identity, connector, name], read)?;
            // What it met is there until the transaction ends.
            Ok(Outcome::Unchanged(standing.unwrap_or(record)))
        });
        Ok(standing.await?)
    }

    async fn update(&self, key: &Key, id: ConnectionId, version: u64, change: &Change) -> AdapterResult<Updated> {
        let (sql, key, change) = (self.table.statement(UPDATE), key.clone(), change.clone());
        let updated = self.writer.journal(move |tx| {
            let Key { scope, connector, name } = &key;
            let values = params![
                change.value,
                change.enabled,
                Count(change.version),
                Time(change.updated_at),
                scope.kind,
                scope.identity,
                connector,
                name,
                id.to_string(),
                Count(version),
            ];
            Ok(match tx.execute(sql, values)? {
                0 => Outcome::Unchanged(Updated::Conflict),
                _ => Outcome::Changed(Updated::Updated),
            })
        });
        Ok(updated.await?)
    }

    async fn delete(&self, key: &Key, id: ConnectionId) -> AdapterResult<bool> {
        let (sql, key) = (self.table.statement(DELETE), key.clone());
        let deleted = self.writer.journal(move |tx| {
            let Key { scope, connector, name } = &key;
            let values = params![scope.kind, scope.identity, connector, name, id.to_string()];
            Ok(Outcome::of_rows(tx.execute(sql, values)? as u64))
        });
        Ok(deleted.await?)
    }
}

impl fmt::Debug for SqliteAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqliteAdapter({}, ..)", self.table.as_str())
    }
}
