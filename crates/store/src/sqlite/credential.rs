//! Shared credentials and their sealed fields.

use std::collections::BTreeMap;

use rusqlite::{Params, Row, params};
use tieline::{
    Code, Error, Result,
    audit::Trail,
    clock::Timestamp,
    id::{ConnectionId, CredentialId, TenantId},
    store::{
        CredentialFilter, CredentialRow, CredentialStore, Deleted, DueCredential, Inserted, SealedField, StoreFuture,
        Updated, Users,
    },
};

use super::{
    SqliteStore, feed,
    tx::{ReadTx, Tx},
    value::{Count, Home, State, Time},
    writer::Outcome::{Changed, Unchanged},
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
fn rows(tx: &ReadTx<'_>, select: &'static str, params: impl Params) -> Result<Vec<CredentialRow>> {
    let mut rows: Vec<CredentialRow> = Vec::new();
    tx.all(select, params, |line| {
        let id = CredentialId::from_bytes(line.get("id")?);
        if rows.last().is_none_or(|row| row.id != id) {
            rows.push(read(line)?);
        }
        if let (Some(row), Some(field)) = (rows.last_mut(), line.get("field")?) {
            let sealed = SealedField {
                sealed: line.get("sealed")?,
                last4: line.get("last4")?,
                updated_at: line.get::<_, Time>("secret_updated_at")?.0,
            };
            row.secrets.insert(field, sealed);
        }
        Ok(())
    })?;
    Ok(rows)
}

/// The row without its secrets.
fn read(row: &Row<'_>) -> rusqlite::Result<CredentialRow> {
    let time = |name| row.get::<_, Option<Time>>(name).map(|time| time.map(|time| time.0));
    Ok(CredentialRow {
        id: CredentialId::from_bytes(row.get("id")?),
        tenant: TenantId::from_bytes(row.get("tenant")?),
        name: row.get("name")?,
        description: row.get("description")?,
        environment: row.get::<_, Home>("environment")?.0,
        kind: row.get("kind")?,
        connector: row.get("connector")?,
        auth: row.get("auth")?,
        config: row.get("config")?,
        secrets: BTreeMap::new(),
        secret_version: row.get("secret_version")?,
        metadata: row.get("metadata")?,
        expires_at: time("expires_at")?,
        notice_at: time("notice_at")?,
        rotated_at: time("rotated_at")?,
        version: row.get::<_, Count>("version")?.0,
        created_by: row.get("created_by")?,
        created_at: row.get::<_, Time>("created_at")?.0,
        updated_at: row.get::<_, Time>("updated_at")?.0,
    })
}

/// Whether a tenant has a credential.
pub(super) fn exists(tx: &ReadTx<'_>, tenant: TenantId, id: CredentialId) -> Result<bool> {
    let select = "SELECT 1 FROM credentials WHERE tenant = ?1 AND id = ?2";
    let found = tx.one(select, params![tenant.as_bytes(), id.as_bytes()], |_| Ok(()))?;
    Ok(found.is_some())
}

/// Writes the row unless its name or identifier stands.
fn insert(tx: &Tx<'_>, row: &CredentialRow) -> Result<bool> {
    let written = tx.execute(
        "INSERT INTO credentials (tenant, id, name, description, environment, kind, connector, auth, config, \
         secret_version, metadata, expires_at, notice_at, rotated_at, version, created_by, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18) \
         ON CONFLICT DO NOTHING",
        params![
            row.tenant.as_bytes(),
            row.id.as_bytes(),
            row.name,
            row.description,
            Home(row.environment),
            row.kind,
            row.connector,
            row.auth,
            row.config,
            row.secret_version,
            row.metadata,
            row.expires_at.map(Time),
            row.notice_at.map(Time),
            row.rotated_at.map(Time),
            Count(row.version),
            row.created_by,
            Time(row.created_at),
            Time(row.updated_at),
        ],
    )?;
    if written == 1 {
        insert_secrets(tx, row)?;
    }
    Ok(written == 1)
}

fn insert_secrets(tx: &Tx<'_>, row: &CredentialRow) -> Result<()> {
    for (field, secret) in &row.secrets {
        tx.execute(
            "INSERT INTO credential_secrets (tenant, credential, field, sealed, last4, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                row.tenant.as_bytes(),
                row.id.as_bytes(),
                field,
                secret.sealed,
                secret.last4,
                Time(secret.updated_at),
            ],
        )?;
    }
    Ok(())
}

/// Writes what may change, if the stored version is the expected one.
fn update(tx: &Tx<'_>, row: &CredentialRow, expected_version: u64) -> Result<bool> {
    let written = tx.execute(
        "UPDATE credentials SET description = ?4, auth = ?5, config = ?6, secret_version = ?7, metadata = ?8, \
         expires_at = ?9, notice_at = ?10, rotated_at = ?11, version = ?12, updated_at = ?13 \
         WHERE tenant = ?1 AND id = ?2 AND version = ?3",
        params![
            row.tenant.as_bytes(),
            row.id.as_bytes(),
            Count(expected_version),
            row.description,
            row.auth,
            row.config,
            row.secret_version,
            row.metadata,
            row.expires_at.map(Time),
            row.notice_at.map(Time),
            row.rotated_at.map(Time),
            Count(row.version),
            Time(row.updated_at),
        ],
    )?;
    if written == 1 {
        tx.execute(
            "DELETE FROM credential_secrets WHERE tenant = ?1 AND credential = ?2",
            params![row.tenant.as_bytes(), row.id.as_bytes()],
        )?;
        insert_secrets(tx, row)?;
    }
    Ok(written == 1)
}

/// The health of the connections that point to a credential.
fn tell_users(tx: &Tx<'_>, row: &CredentialRow, Users { health, tell }: &Users) -> Result<()> {
    let changed = tx.all(
        "SELECT id FROM connections WHERE tenant = ?1 AND credential = ?2 AND health <> ?3 ORDER BY id",
        params![row.tenant.as_bytes(), row.id.as_bytes(), State(health.state)],
        |row| row.get("id").map(ConnectionId::from_bytes),
    )?;
    tx.execute(
        "UPDATE connections SET health_since = CASE health WHEN ?3 THEN health_since ELSE ?5 END, health = ?3, \
         health_reason = ?4, version = version + 1 WHERE tenant = ?1 AND credential = ?2",
        params![
            row.tenant.as_bytes(),
            row.id.as_bytes(),
            State(health.state),
            health.reason,
            Time(health.since),
        ],
    )?;
    feed::append(tx, row.tenant, &tell.events(&changed)?)
}

impl CredentialStore for SqliteStore {
    fn credential(&self, tenant: TenantId, id: CredentialId) -> StoreFuture<'_, Option<CredentialRow>> {
        self.readers.read(move |tx| {
            let select = select!("WHERE tenant = ?1 AND id = ?2");
            Ok(rows(tx, select, params![tenant.as_bytes(), id.as_bytes()])?.pop())
        })
    }

    fn credentials(&self, filter: CredentialFilter) -> StoreFuture<'_, Vec<CredentialRow>> {
        self.readers.read(move |tx| {
            let after = filter.after.as_ref().map_or(&[][..], |id| id.as_bytes());
            let select = select!(
                "WHERE tenant = ?1 AND id > ?2 AND (?3 IS NULL OR kind = ?3) AND (?4 IS NULL OR connector = ?4) \
                 AND (?5 IS NULL OR environment = ?5) ORDER BY id LIMIT ?6"
            );
            let params = params![
                filter.tenant.as_bytes(),
                after,
                filter.kind,
                filter.connector,
                filter.environment.map(Home),
                Count::of(filter.limit),
            ];
            rows(tx, select, params)
        })
    }

    fn insert_credential(&self, row: CredentialRow, trail: Trail) -> StoreFuture<'_, Inserted<CredentialRow>> {
        self.writer.change(row.tenant, trail, move |tx| {
            if insert(tx, &row)? {
                return Ok(Changed(Inserted::Inserted));
            }
            let select = select!("WHERE tenant = ?1 AND name = ?2");
            match rows(tx, select, params![row.tenant.as_bytes(), row.name])?.pop() {
                Some(standing) => Ok(Unchanged(Inserted::Taken(standing))),
                None => Err(Error::new(
                    Code::ConnectorDatabaseFailed,
                    "The credential could not be written because one with its identifier exists.",
                )),
            }
        })
    }

    fn update_credential(
        &self,
        row: CredentialRow,
        expected_version: u64,
        users: Option<Users>,
        trail: Trail,
    ) -> StoreFuture<'_, Updated> {
        self.writer.change(row.tenant, trail, move |tx| {
            if !update(tx, &row, expected_version)? {
                return Ok(Unchanged(Updated::Conflict));
            }
            if let Some(users) = &users {
                tell_users(tx, &row, users)?;
            }
            Ok(Changed(Updated::Updated))
        })
    }

    fn delete_credential(
        &self,
        tenant: TenantId,
        id: CredentialId,
        limit: usize,
        trail: Trail,
    ) -> StoreFuture<'_, Deleted> {
        self.writer.change(tenant, trail, move |tx| {
            let select = "SELECT id FROM connections WHERE tenant = ?1 AND credential = ?2 ORDER BY id LIMIT ?3";
            let users = tx.all(
                select,
                params![tenant.as_bytes(), id.as_bytes(), Count::of(limit)],
                |row| Ok(ConnectionId::from_bytes(row.get("id")?)),
            )?;
            if !users.is_empty() {
                return Ok(Unchanged(Deleted::InUse(users)));
            }
            // Its secrets go with it, by the foreign key.
            let deleted = tx.execute(
                "DELETE FROM credentials WHERE tenant = ?1 AND id = ?2",
                params![tenant.as_bytes(), id.as_bytes()],
            )?;
            Ok(match deleted {
                1 => Changed(Deleted::Deleted),
                _ => Unchanged(Deleted::Missing),
            })
        })
    }

    fn due_credentials(&self, now: Timestamp, limit: usize) -> StoreFuture<'_, Vec<DueCredential>> {
        self.readers.read(move |tx| {
            let select = "SELECT tenant, id FROM credentials WHERE notice_at <= ?1 \
                          ORDER BY notice_at, tenant, id LIMIT ?2";
            tx.all(select, params![Time(now), Count::of(limit)], |row| {
                Ok(DueCredential {
                    tenant: TenantId::from_bytes(row.get("tenant")?),
                    credential: CredentialId::from_bytes(row.get("id")?),
                })
            })
        })
    }
}
