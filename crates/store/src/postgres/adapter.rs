//! An adapter over one table of a PostgreSQL database.

use std::{fmt, sync::Arc};

use tieline::{
    Result, Scope,
    id::ConnectionId,
    store::{
        Adapter, StoreFuture, Updated,
        adapter::{AdapterResult, Change, Filter, Key, Record},
    },
};
use tokio_postgres::Row;

use super::{
    Desk,
    address::Address,
    pool, run,
    trouble::trouble,
    tx::Tx,
    value::{Read, Time, values},
};
use crate::{
    limits::CONNECTIONS,
    outcome::Outcome,
    table::{DEFAULT_TABLE, TableName, unfit},
};

/// `COLLATE "C"`: identifiers sort by their bytes, whatever the database's language.
const CREATE: &str = r#"CREATE TABLE IF NOT EXISTS {table} (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    scope text NOT NULL,
    identity text NOT NULL,
    connector text NOT NULL,
    name text NOT NULL,
    value text NOT NULL,
    enabled boolean NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (scope, identity, connector, name)
)"#;

/// Whether the table is there; who may not make tables can use one all the same.
const IS_THERE: &str = "SELECT 1 WHERE to_regclass('{table}') IS NOT NULL";

/// One at a time makes tables: two that do so at once would refuse each other. Any number that nobody else locks.
const ALONE: &str = "SELECT 1 FROM (SELECT pg_advisory_xact_lock(127978079970657)) AS alone";

const GET: &str = "SELECT id, scope, identity, connector, name, value, enabled, version, created_at, updated_at
    FROM {table} WHERE scope = $1 AND identity = $2 AND connector = $3 AND name = $4";

const LIST: &str = r#"SELECT id, scope, identity, connector, name, value, enabled, version, created_at, updated_at
    FROM {table} WHERE id COLLATE "C" > $1 AND ($2::text IS NULL OR connector = $2) ORDER BY id COLLATE "C" LIMIT $3"#;

const LIST_OF_SCOPE: &str = r#"SELECT id, scope, identity, connector, name, value, enabled, version, created_at, updated_at
    FROM {table} WHERE scope = $4 AND identity = $5 AND id COLLATE "C" > $1 AND ($2::text IS NULL OR connector = $2)
    ORDER BY id COLLATE "C" LIMIT $3"#;

const BY_ID: &str = "SELECT id, scope, identity, connector, name, value, enabled, version, created_at, updated_at
    FROM {table} WHERE id = $1";

const INSERT: &str = "INSERT INTO {table}
    (id, scope, identity, connector, name, value, enabled, version, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (scope, identity, connector, name) DO NOTHING";

/// Planned and not run: only then does PostgreSQL look for the unique index.
const PROBE: &str = "EXPLAIN INSERT INTO {table}
    (id, scope, identity, connector, name, value, enabled, version, created_at, updated_at)
    VALUES ('', '', '', '', '', '', true, 1, now(), now()) ON CONFLICT (scope, identity, connector, name) DO NOTHING";

const UPDATE: &str = "UPDATE {table} SET value = $1, enabled = $2, version = $3, updated_at = $4
    WHERE scope = $5 AND identity = $6 AND connector = $7 AND name = $8 AND id = $9 AND version = $10";

const DELETE: &str = "DELETE FROM {table}
    WHERE scope = $1 AND identity = $2 AND connector = $3 AND name = $4 AND id = $5";

/// Keeps connections in one table of a PostgreSQL database (14 or newer), which may be the embedding program's own. Any
/// number of processes may share it.
///
/// ```no_run
/// # async fn open() -> tieline::Result<()> {
/// use tieline_store::PostgresAdapter;
///
/// let adapter = PostgresAdapter::options("postgres://app@db.internal/app")
///     .table("integrations")
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// The table is made if it is missing, in the first schema of the user's `search_path`. Whoever makes it by migrations of
/// their own makes it so, and the user then needs no more than to read and write it:
///
/// ```sql
/// CREATE TABLE "integrations" (
///     id text COLLATE "C" NOT NULL PRIMARY KEY,
///     scope text NOT NULL, identity text NOT NULL, connector text NOT NULL, name text NOT NULL,
///     value text NOT NULL,
///     enabled boolean NOT NULL, version bigint NOT NULL,
///     created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
///     UNIQUE (scope, identity, connector, name)
/// );
/// ```
///
/// `value` is `text` on purpose: `jsonb` reads and rewrites what it keeps.
pub struct PostgresAdapter {
    desk: Arc<Desk>,
    table: TableName,
}

/// How a [`PostgresAdapter`] is connected.
#[derive(Clone)]
pub struct PostgresAdapterOptions {
    url: String,
    table: String,
    connections: usize,
}

impl PostgresAdapterOptions {
    /// The table's name: letters, digits and underscores; `tieline_connections`, unless given.
    #[must_use]
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table = name.into();
        self
    }

    /// How many connections it has at most: 16, unless told.
    #[must_use]
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most;
        self
    }

    /// Connects, and makes the table if it is missing. TLS is as with [`PostgresStore::open`](crate::PostgresStore::open).
    ///
    /// # Errors
    /// `CONFIG_INVALID` when address or name is none, or a table of this name has other columns; `CONNECTOR_DATABASE_FAILED`.
    pub async fn connect(self) -> Result<PostgresAdapter> {
        let table = TableName::parse(&self.table)?;
        let address = Address::parse(&self.url)?;
        let desk = Desk::new(pool(&address, None, self.connections)?);
        let adapter = PostgresAdapter {
            desk: Arc::new(desk),
            table,
        };
        adapter.make().await?;
        Ok(adapter)
    }
}

/// Nothing of the address, which may hold a password.
impl fmt::Debug for PostgresAdapterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresAdapterOptions({}, ..)", self.table)
    }
}

impl PostgresAdapter {
    /// Connects to the table `tieline_connections` at `postgres://user:password@host:port/name`.
    ///
    /// # Errors
    /// Those of [`PostgresAdapterOptions::connect`].
    pub async fn connect(url: impl Into<String>) -> Result<Self> {
        Self::options(url).connect().await
    }

    /// The same with a choice.
    pub fn options(url: impl Into<String>) -> PostgresAdapterOptions {
        PostgresAdapterOptions {
            url: url.into(),
            table: DEFAULT_TABLE.to_owned(),
            connections: CONNECTIONS,
        }
    }

    /// Finishes what was begun and closes all connections; every method after that is an error.
    pub async fn close(&self) {
        self.desk.end().await;
        self.desk.pool.close();
    }

    /// Makes the table, or finds out that one which is there can be used.
    async fn make(&self) -> Result<()> {
        let made = self.run((self.table.clone(), ()), |tx, (table, ())| {
            Box::pin(async move {
                if !tx.any(table.statement(IS_THERE), &[]).await? {
                    tx.any(ALONE, &[]).await?;
                    tx.execute(table.statement(CREATE), &[]).await?;
                }
                Ok(Outcome::Changed(()))
            })
        });
        made.await?;
        let connection = self.desk.connection().await?;
        for text in [GET, LIST, LIST_OF_SCOPE, BY_ID, INSERT, UPDATE, DELETE] {
            let prepared = connection.prepare_cached(self.table.statement(text)).await;
            prepared.map_err(|error| unfit(&self.table, &trouble(&error)))?;
        }
        let probed = connection.batch_execute(self.table.statement(PROBE)).await;
        probed.map_err(|error| unfit(&self.table, &trouble(&error)))
    }

    fn run<D, T>(&self, given: D, verb: super::Verb<D, T>) -> StoreFuture<'_, T>
    where
        D: Send + Sync + 'static,
        T: Send + 'static,
    {
        run(&self.desk, None, None, given, verb)
    }
}

fn read(row: &Row) -> Read<Record> {
    Ok(Record {
        key: Key {
            scope: Scope {
                kind: row.try_get("scope")?,
                identity: row.try_get("identity")?,
            },
            connector: row.try_get("connector")?,
            name: row.try_get("name")?,
        },
        id: row.try_get::<_, TextId>("id")?.0,
        value: row.try_get("value")?,
        enabled: row.try_get("enabled")?,
        version: row.try_get::<_, i64>("version")?.unsigned_abs(),
        created_at: row.try_get::<_, Time>("created_at")?.0,
        updated_at: row.try_get::<_, Time>("updated_at")?.0,
    })
}

/// An identifier in its text form.
struct TextId(ConnectionId);

impl tokio_postgres::types::FromSql<'_> for TextId {
    fn from_sql(
        kind: &tokio_postgres::types::Type,
        raw: &[u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let text = <&str as tokio_postgres::types::FromSql<'_>>::from_sql(kind, raw)?;
        Ok(Self(text.parse()?))
    }

    fn accepts(kind: &tokio_postgres::types::Type) -> bool {
        <&str as tokio_postgres::types::FromSql<'_>>::accepts(kind)
    }
}

/// A version as a column holds it: nothing here counts so far.
fn number(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

async fn find(tx: &Tx, table: &TableName, key: &Key) -> Result<Option<Record>> {
    let Key { scope, connector, name } = key;
    let values = values![scope.kind, scope.identity, connector, name];
    tx.one(table.statement(GET), values, read).await
}

impl Adapter for PostgresAdapter {
    async fn get(&self, key: &Key) -> AdapterResult<Option<Record>> {
        let found = self.run((self.table.clone(), key.clone()), |tx, (table, key)| {
            Box::pin(async move { find(tx, table, key).await.map(Outcome::Unchanged) })
        });
        Ok(found.await?)
    }

    async fn list(&self, filter: &Filter) -> AdapterResult<Vec<Record>> {
        let found = self.run((self.table.clone(), filter.clone()), |tx, (table, filter)| {
            Box::pin(async move {
                if let Some(id) = filter.id {
                    let found = tx.one(table.statement(BY_ID), values![id.to_string()], read).await?;
                    let fits = |record: &Record| filter.fits(record) && filter.limit > 0;
                    return Ok(Outcome::Unchanged(found.into_iter().filter(fits).collect()));
                }
                // Every identifier sorts behind the empty text.
                let after = filter.after.map(|after| after.to_string()).unwrap_or_default();
                let (connector, limit) = (&filter.connector, number(filter.limit as u64));
                let found = match &filter.scope {
                    None => {
                        tx.all(table.statement(LIST), values![after, connector, limit], read)
                            .await
                    }
                    Some(scope) => {
                        let values = values![after, connector, limit, scope.kind, scope.identity];
                        tx.all(table.statement(LIST_OF_SCOPE), values, read).await
                    }
                };
                found.map(Outcome::Unchanged)
            })
        });
        Ok(found.await?)
    }

    async fn upsert(&self, record: &Record) -> AdapterResult<Record> {
        let standing = self.run((self.table.clone(), record.clone()), |tx, (table, record)| {
            Box::pin(async move {
                let Key { scope, connector, name } = &record.key;
                let values = values![
                    record.id.to_string(),
                    scope.kind,
                    scope.identity,
                    connector,
                    name,
                    record.value,
                    record.enabled,
                    number(record.version),
                    Time(record.created_at),
                    Time(record.updated_at),
                ];
                if tx.execute(table.statement(INSERT), values).await? == 1 {
                    return Ok(Outcome::Changed(record.clone()));
                }
                match find(tx, table, &record.key).await? {
                    Some(standing) => Ok(Outcome::Unchanged(standing)),
                    // It was deleted between the two statements.
                    None => Err(tx.begin_anew()),
                }
            })
        });
        Ok(standing.await?)
    }

    async fn update(&self, key: &Key, id: ConnectionId, version: u64, change: &Change) -> AdapterResult<Updated> {
        let given = (self.table.clone(), key.clone(), id, version, change.clone());
        let updated = self.run(given, |tx, (table, key, id, version, change)| {
            Box::pin(async move {
                let Key { scope, connector, name } = key;
                let values = values![
                    change.value,
                    change.enabled,
                    number(change.version),
                    Time(change.updated_at),
                    scope.kind,
                    scope.identity,
                    connector,
                    name,
                    id.to_string(),
                    number(*version),
                ];
                Ok(match tx.execute(table.statement(UPDATE), values).await? {
                    0 => Outcome::Unchanged(Updated::Conflict),
                    _ => Outcome::Changed(Updated::Updated),
                })
            })
        });
        Ok(updated.await?)
    }

    async fn delete(&self, key: &Key, id: ConnectionId) -> AdapterResult<bool> {
        let deleted = self.run((self.table.clone(), key.clone(), id), |tx, (table, key, id)| {
            Box::pin(async move {
                let Key { scope, connector, name } = key;
                let values = values![scope.kind, scope.identity, connector, name, id.to_string()];
                tx.execute(table.statement(DELETE), values).await.map(Outcome::of_rows)
            })
        });
        Ok(deleted.await?)
    }
}

impl fmt::Debug for PostgresAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresAdapter({}, ..)", self.table.as_str())
    }
}
