//! Shared credentials and their sealed fields.

use std::collections::BTreeMap;

use tieline::{
    Code, Error, Result,
    audit::Trail,
    clock::Timestamp,
    id::{ConnectionId, CredentialId, TenantId},
    store::{
        CredentialFilter, CredentialRow, CredentialStore, Deleted, DueCredential, HealthState, Inserted, StoreFuture,
        Updated, Users,
    },
};
use tokio_postgres::Row;

use super::{
    PostgresStore, feed, secret,
    tx::{ReadTx, Tx},
    value::{Columns, Id, Read, Time, Value, behind, maybe, number, values},
};
use crate::{
    outcome::Outcome::{Changed, Unchanged},
    word::Word,
};

/// Rows with their secrets in one statement: a line for each secret, or one line for a row that has none.
macro_rules! select {
    ($which:literal) => {
        concat!(
            "SELECT c.*, s.field, s.sealed, s.last4, s.updated_at AS secret_updated_at FROM (\
             SELECT tenant, id, name, description, environment, kind, connector, auth, config, secret_version, \
             metadata, expires_at, notice_at, rotated_at, version, created_by, created_at, updated_at \
             FROM credentials ",
            $which,
            ") AS c LEFT JOIN credential_secrets AS s ON s.tenant = c.tenant AND s.credential = c.id ORDER BY c.id"
        )
    };
}

/// The rows of a [`select!`], by identifier.
async fn rows(tx: &ReadTx, select: &'static str, values: &[Value<'_>]) -> Result<Vec<CredentialRow>> {
    let mut rows: Vec<CredentialRow> = Vec::new();
    tx.all(select, values, |line| {
        let id: CredentialId = line.id("id")?;
        if rows.last().is_none_or(|row| row.id != id) {
            rows.push(read(line)?);
        }
        if let (Some(row), Some((field, sealed))) = (rows.last_mut(), secret::read(line)?) {
            row.secrets.insert(field, sealed);
        }
        Ok(())
    })
    .await?;
    Ok(rows)
}

/// The row without its secrets.
fn read(row: &Row) -> Read<CredentialRow> {
    Ok(CredentialRow {
        id: row.id("id")?,
        tenant: row.id("tenant")?,
        name: row.text("name")?,
        description: row.maybe_text("description")?,
        environment: row.word("environment")?,
        kind: row.text("kind")?,
        connector: row.maybe_text("connector")?,
        auth: row.maybe_text("auth")?,
        config: row.text("config")?,
        secrets: BTreeMap::new(),
        secret_version: row.number("secret_version")?,
        metadata: row.text("metadata")?,
        expires_at: row.maybe_time("expires_at")?,
        notice_at: row.maybe_time("notice_at")?,
        rotated_at: row.maybe_time("rotated_at")?,
        version: row.number("version")?,
        created_by: row.text("created_by")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Whether a tenant has a credential, which then nobody deletes until this transaction ends.
pub(super) async fn hold(tx: &Tx, tenant: TenantId, id: CredentialId) -> Result<bool> {
    let hold = "SELECT 1 FROM credentials WHERE tenant = $1 AND id = $2 FOR KEY SHARE";
    tx.any(hold, values![Id(tenant), Id(id)]).await
}

/// Writes the row unless its name or identifier stands.
async fn insert(tx: &Tx, row: &CredentialRow) -> Result<bool> {
    let written = tx
        .execute(
            "INSERT INTO credentials (tenant, id, name, description, environment, kind, connector, auth, config, \
         secret_version, metadata, expires_at, notice_at, rotated_at, version, created_by, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) \
         ON CONFLICT DO NOTHING",
            values![
                Id(row.tenant),
                Id(row.id),
                row.name.as_bytes(),
                maybe(&row.description),
                row.environment.name(),
                row.kind.as_bytes(),
                maybe(&row.connector),
                maybe(&row.auth),
                row.config.as_bytes(),
                number(row.secret_version),
                row.metadata.as_bytes(),
                row.expires_at.map(Time),
                row.notice_at.map(Time),
                row.rotated_at.map(Time),
                number(row.version),
                row.created_by.as_bytes(),
                Time(row.created_at),
                Time(row.updated_at),
            ],
        )
        .await?;
    if written == 0 {
        return Ok(false);
    }
    insert_secrets(tx, row).await?;
    Ok(true)
}

async fn insert_secrets(tx: &Tx, row: &CredentialRow) -> Result<()> {
    let insert = "INSERT INTO credential_secrets (tenant, credential, field, sealed, last4, updated_at) \
                  SELECT $1, $2, s.* FROM unnest($3::bytea[], $4::bytea[], $5::bytea[], $6::timestamptz[]) AS s";
    secret::insert(tx, insert, row.tenant, row.id, &row.secrets).await
}

/// Writes what may change, if the stored version is the expected one.
async fn update(tx: &Tx, row: &CredentialRow, expected_version: u64) -> Result<bool> {
    let written = tx
        .execute(
            "UPDATE credentials SET description = $4, auth = $5, config = $6, secret_version = $7, metadata = $8, \
         expires_at = $9, notice_at = $10, rotated_at = $11, version = $12, updated_at = $13 \
         WHERE tenant = $1 AND id = $2 AND version = $3",
            values![
                Id(row.tenant),
                Id(row.id),
                number(expected_version),
                maybe(&row.description),
                maybe(&row.auth),
                row.config.as_bytes(),
                number(row.secret_version),
                row.metadata.as_bytes(),
                row.expires_at.map(Time),
                row.notice_at.map(Time),
                row.rotated_at.map(Time),
                number(row.version),
                Time(row.updated_at),
            ],
        )
        .await?;
    if written == 0 {
        return Ok(false);
    }
    let delete = "DELETE FROM credential_secrets WHERE tenant = $1 AND credential = $2";
    tx.execute(delete, values![Id(row.tenant), Id(row.id)]).await?;
    insert_secrets(tx, row).await?;
    Ok(true)
}

/// The health of the connections that point to a credential.
async fn tell_users(tx: &Tx, row: &CredentialRow, Users { health, tell }: &Users) -> Result<()> {
    let (tenant, credential) = (Id(row.tenant), Id(row.id));
    // Locked in this order, which is everybody's, before it is seen in which state they are.
    let users =
        "SELECT id, health FROM connections WHERE tenant = $1 AND credential = $2 ORDER BY id FOR NO KEY UPDATE";
    let users = tx
        .all(users, values![tenant, credential], |row| {
            Ok((row.id("id")?, row.word::<HealthState>("health")?))
        })
        .await?;
    let unlike = users.into_iter().filter(|(_, state)| *state != health.state);
    let unlike: Vec<ConnectionId> = unlike.map(|(id, _)| id).collect();
    tx.execute(
        "UPDATE connections SET health_since = CASE health WHEN $3 THEN health_since ELSE $5 END, health = $3, \
         health_reason = $4, version = version + 1 WHERE tenant = $1 AND credential = $2",
        values![
            tenant,
            credential,
            health.state.name(),
            maybe(&health.reason),
            Time(health.since),
        ],
    )
    .await?;
    feed::append(tx, row.tenant, &tell.events(&unlike)?).await
}

impl CredentialStore for PostgresStore {
    fn credential(&self, tenant: TenantId, id: CredentialId) -> StoreFuture<'_, Option<CredentialRow>> {
        self.read(tenant, (tenant, id), |tx, (tenant, id)| {
            Box::pin(async move {
                let select = select!("WHERE tenant = $1 AND id = $2");
                Ok(rows(tx, select, values![Id(*tenant), Id(*id)]).await?.pop())
            })
        })
    }

    fn credentials(&self, filter: CredentialFilter) -> StoreFuture<'_, Vec<CredentialRow>> {
        self.read(filter.tenant, filter, |tx, filter| {
            Box::pin(async move {
                let select = select!(
                    "WHERE tenant = $1 AND id >= $2 AND ($3::bytea IS NULL OR kind = $3) \
                     AND ($4::bytea IS NULL OR connector = $4) AND ($5::text IS NULL OR environment = $5) \
                     ORDER BY id LIMIT $6"
                );
                let values = values![
                    Id(filter.tenant),
                    behind(filter.after),
                    maybe(&filter.kind),
                    maybe(&filter.connector),
                    filter.environment.map(Word::name),
                    number(filter.limit),
                ];
                rows(tx, select, values).await
            })
        })
    }

    fn insert_credential(&self, row: CredentialRow, trail: Trail) -> StoreFuture<'_, Inserted<CredentialRow>> {
        self.change(row.tenant, trail, row, |tx, row| {
            Box::pin(async move {
                if insert(tx, row).await? {
                    return Ok(Changed(Inserted::Inserted));
                }
                let select = select!("WHERE tenant = $1 AND name = $2");
                let named = values![Id(row.tenant), row.name.as_bytes()];
                if let Some(standing) = rows(tx, select, named).await?.pop() {
                    return Ok(Unchanged(Inserted::Taken(standing)));
                }
                if !hold(tx, row.tenant, row.id).await? {
                    return Err(tx.begin_anew());
                }
                Err(Error::new(
                    Code::ConnectorDatabaseFailed,
                    "The credential could not be written because one with its identifier exists.",
                ))
            })
        })
    }

    fn update_credential(
        &self,
        row: CredentialRow,
        expected_version: u64,
        users: Option<Users>,
        trail: Trail,
    ) -> StoreFuture<'_, Updated> {
        let given = (row, expected_version, users);
        self.change(given.0.tenant, trail, given, |tx, (row, expected_version, users)| {
            Box::pin(async move {
                if !update(tx, row, *expected_version).await? {
                    return Ok(Unchanged(Updated::Conflict));
                }
                if let Some(users) = users {
                    tell_users(tx, row, users).await?;
                }
                Ok(Changed(Updated::Updated))
            })
        })
    }

    fn delete_credential(
        &self,
        tenant: TenantId,
        id: CredentialId,
        limit: usize,
        trail: Trail,
    ) -> StoreFuture<'_, Deleted> {
        self.change(tenant, trail, (tenant, id, limit), |tx, (tenant, id, limit)| {
            Box::pin(async move {
                // Whoever is about to point to it is waited for, and seen below.
                let lock = "SELECT 1 FROM credentials WHERE tenant = $1 AND id = $2 FOR UPDATE";
                tx.any(lock, values![Id(*tenant), Id(*id)]).await?;
                let select = "SELECT id FROM connections WHERE tenant = $1 AND credential = $2 ORDER BY id LIMIT $3";
                let users = values![Id(*tenant), Id(*id), number(*limit)];
                let users = tx.all(select, users, |row| row.id("id")).await?;
                if !users.is_empty() {
                    return Ok(Unchanged(Deleted::InUse(users)));
                }
                // Its secrets go with it, by the foreign key.
                let delete = "DELETE FROM credentials WHERE tenant = $1 AND id = $2";
                Ok(match tx.execute(delete, values![Id(*tenant), Id(*id)]).await? {
                    1 => Changed(Deleted::Deleted),
                    _ => Unchanged(Deleted::Missing),
                })
            })
        })
    }

    fn due_credentials(&self, now: Timestamp, limit: usize) -> StoreFuture<'_, Vec<DueCredential>> {
        self.read(None, (now, limit), |tx, (now, limit)| {
            Box::pin(async move {
                let select = "SELECT tenant, id FROM due_credentials($1, $2)";
                tx.all(select, values![Time(*now), number(*limit)], |row| {
                    Ok(DueCredential {
                        tenant: row.id("tenant")?,
                        credential: row.id("id")?,
                    })
                })
                .await
            })
        })
    }
}
