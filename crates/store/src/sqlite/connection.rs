//! Connections and their sealed fields.

use std::collections::BTreeMap;

use rusqlite::{Params, Row, params};
use tieline::{
    Code, Error, Result,
    audit::Trail,
    id::{ConnectionId, CredentialId, TenantId},
    scope::Scope,
    store::{
        ConnectionFilter, ConnectionRow, ConnectionStore, Health, Inserted, LastDelivery, SealedField, StoreFuture,
        Updated, WebhookRow,
    },
};

use super::{
    SqliteStore, credential, health,
    tx::{ReadTx, Tx},
    value::{Count, Frequency, Home, State, Time},
    work,
    writer::Outcome::{Changed, Unchanged},
};
use crate::word::Word;

/// Rows with their secrets in one statement: a line for each secret, or one line for a row that has none.
macro_rules! select {
    ($which:expr) => {
        select!($which, "")
    };
    ($which:expr, $order:literal) => {
        concat!(
            "SELECT c.*, s.field, s.sealed, s.last4, s.updated_at AS secret_updated_at FROM (\
             SELECT tenant, id, scope_kind, scope_identity, environment, connector, name, display_name, auth, config, \
             credential, secret_version, enabled, health, health_reason, health_since, version, created_by, created_at, \
             updated_at, description, sync_frequency, webhook_hash, webhook_sealed, webhook_version, webhook_since, \
             delivered_at, delivery_error, oauth FROM connections ",
            $which,
            ") AS c LEFT JOIN connection_secrets AS s ON s.tenant = c.tenant AND s.connection = c.id ORDER BY c.id ",
            $order
        )
    };
}

/// What a filter names, page and order aside.
macro_rules! held {
    (all) => {
        "WHERE tenant = ?1 AND (?2 IS NULL OR connector = ?2) AND (?3 IS NULL OR enabled = ?3) \
         AND (?4 IS NULL OR environment = ?4) AND (?5 IS NULL OR health IN (SELECT value FROM json_each(?5)))"
    };
    (scope) => {
        concat!(held!(all), " AND scope_kind = ?6 AND scope_identity = ?7")
    };
}

/// A page of a list: one of each order for all scopes and for one, because each has its index. One walks the identifiers,
/// the other the names of one scope.
macro_rules! page {
    ($of:ident, "ASC") => {
        select!(concat!(held!($of), " AND id > ?8 ORDER BY id LIMIT ?9"))
    };
    ($of:ident, "DESC") => {
        select!(concat!(held!($of), " AND id < ?8 ORDER BY id DESC LIMIT ?9"), "DESC")
    };
}

/// The rows of a [`select!`], by identifier.
fn rows(tx: &ReadTx<'_>, select: &'static str, params: impl Params) -> Result<Vec<ConnectionRow>> {
    let mut rows: Vec<ConnectionRow> = Vec::new();
    tx.all(select, params, |line| {
        let id = ConnectionId::from_bytes(line.get("id")?);
        if rows.last().is_none_or(|row| row.id != id) {
            rows.push(read(line)?);
        }
        if let (Some(row), Some(field)) = (rows.last_mut(), line.get("field")?) {
            row.secrets.insert(field, read_secret(line)?);
        }
        Ok(())
    })?;
    Ok(rows)
}

/// The row without its secrets.
fn read(row: &Row<'_>) -> rusqlite::Result<ConnectionRow> {
    Ok(ConnectionRow {
        id: ConnectionId::from_bytes(row.get("id")?),
        tenant: TenantId::from_bytes(row.get("tenant")?),
        scope: Scope {
            kind: row.get("scope_kind")?,
            identity: row.get("scope_identity")?,
        },
        environment: row.get::<_, Home>("environment")?.0,
        connector: row.get("connector")?,
        name: row.get("name")?,
        display_name: row.get("display_name")?,
        description: row.get("description")?,
        sync_frequency: row.get::<_, Frequency>("sync_frequency")?.0,
        auth: row.get("auth")?,
        config: row.get("config")?,
        credential: row.get::<_, Option<_>>("credential")?.map(CredentialId::from_bytes),
        secrets: BTreeMap::new(),
        secret_version: row.get("secret_version")?,
        oauth: row.get("oauth")?,
        enabled: row.get("enabled")?,
        health: Health {
            state: row.get::<_, State>("health")?.0,
            reason: row.get("health_reason")?,
            since: row.get::<_, Time>("health_since")?.0,
        },
        webhook: read_webhook(row)?,
        last_delivery: match row.get::<_, Option<Time>>("delivered_at")? {
            None => None,
            Some(Time(at)) => Some(LastDelivery {
                at,
                error: row.get("delivery_error")?,
            }),
        },
        version: row.get::<_, Count>("version")?.0,
        created_by: row.get("created_by")?,
        created_at: row.get::<_, Time>("created_at")?.0,
        updated_at: row.get::<_, Time>("updated_at")?.0,
    })
}

fn read_webhook(row: &Row<'_>) -> rusqlite::Result<Option<WebhookRow>> {
    let Some(hash) = row.get("webhook_hash")? else {
        return Ok(None);
    };
    Ok(Some(WebhookRow {
        hash,
        sealed: row.get("webhook_sealed")?,
        version: row.get("webhook_version")?,
        since: row.get::<_, Time>("webhook_since")?.0,
    }))
}

fn read_secret(line: &Row<'_>) -> rusqlite::Result<SealedField> {
    Ok(SealedField {
        sealed: line.get("sealed")?,
        last4: line.get("last4")?,
        updated_at: line.get::<_, Time>("secret_updated_at")?.0,
    })
}

fn by_name(
    tx: &ReadTx<'_>,
    tenant: TenantId,
    scope: &Scope,
    connector: &str,
    name: &str,
) -> Result<Option<ConnectionRow>> {
    let select =
        select!("WHERE tenant = ?1 AND scope_kind = ?2 AND scope_identity = ?3 AND connector = ?4 AND name = ?5");
    let params = params![tenant.as_bytes(), scope.kind, scope.identity, connector, name];
    Ok(rows(tx, select, params)?.pop())
}

/// Stands behind every identifier, which have 16 bytes; the empty one stands before them.
const BEHIND_ALL: [u8; 17] = [0xff; 17];

fn list(tx: &ReadTx<'_>, filter: &ConnectionFilter) -> Result<Vec<ConnectionRow>> {
    let begin = if filter.newest_first { &BEHIND_ALL[..] } else { &[] };
    let after = filter.after.as_ref().map_or(begin, |id| id.as_bytes());
    let health = health(filter);
    let ConnectionFilter { connector, enabled, .. } = filter;
    let (tenant, home) = (filter.tenant.as_bytes(), filter.environment.map(Home));
    let limit = Count::of(filter.limit);
    let scope = filter.scope.as_ref();
    let kind = scope.map(|scope| &scope.kind);
    let identity = scope.map(|scope| &scope.identity);
    let params = params![tenant, connector, enabled, home, health, kind, identity, after, limit];
    let select = match (scope, filter.newest_first) {
        (None, false) => page!(all, "ASC"),
        (None, true) => page!(all, "DESC"),
        (Some(_), false) => page!(scope, "ASC"),
        (Some(_), true) => page!(scope, "DESC"),
    };
    rows(tx, select, params)
}

fn count(tx: &ReadTx<'_>, filter: &ConnectionFilter) -> Result<u64> {
    let health = health(filter);
    let ConnectionFilter { connector, enabled, .. } = filter;
    let (tenant, home) = (filter.tenant.as_bytes(), filter.environment.map(Home));
    let read = |row: &Row<'_>| row.get::<_, Count>(0);
    let counted = match &filter.scope {
        None => tx.one(
            concat!("SELECT count(*) FROM connections ", held!(all)),
            params![tenant, connector, enabled, home, health],
            read,
        ),
        Some(Scope { kind, identity }) => tx.one(
            concat!("SELECT count(*) FROM connections ", held!(scope)),
            params![tenant, connector, enabled, home, health, kind, identity],
            read,
        ),
    };
    Ok(counted?.map_or(0, |count| count.0))
}

/// The wanted states as a JSON array; nothing where any will do.
fn health(filter: &ConnectionFilter) -> Option<String> {
    let names = filter.health.iter().map(|state| format!("\"{}\"", state.name()));
    let names: Vec<String> = names.collect();
    (!names.is_empty()).then(|| format!("[{}]", names.join(",")))
}

/// Writes the row unless its name or identifier stands.
fn insert(tx: &Tx<'_>, row: &ConnectionRow) -> Result<bool> {
    let written = tx.execute(
        "INSERT INTO connections (tenant, id, scope_kind, scope_identity, connector, name, display_name, auth, \
         config, secret_version, enabled, health, health_reason, health_since, version, created_by, created_at, \
         updated_at, environment, credential, description, sync_frequency, webhook_hash, webhook_sealed, \
         webhook_version, webhook_since, oauth) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, \
         ?23, ?24, ?25, ?26, ?27) \
         ON CONFLICT DO NOTHING",
        params![
            row.tenant.as_bytes(),
            row.id.as_bytes(),
            row.scope.kind,
            row.scope.identity,
            row.connector,
            row.name,
            row.display_name,
            row.auth,
            row.config,
            row.secret_version,
            row.enabled,
            State(row.health.state),
            row.health.reason,
            Time(row.health.since),
            Count(row.version),
            row.created_by,
            Time(row.created_at),
            Time(row.updated_at),
            Home(row.environment),
            row.credential.as_ref().map(|id| id.as_bytes()),
            row.description,
            Frequency(row.sync_frequency),
            row.webhook.as_ref().map(|webhook| webhook.hash),
            row.webhook.as_ref().map(|webhook| &webhook.sealed),
            row.webhook.as_ref().map(|webhook| webhook.version),
            row.webhook.as_ref().map(|webhook| Time(webhook.since)),
            row.oauth,
        ],
    )?;
    if written == 1 {
        check_credential(tx, row)?;
        insert_secrets(tx, row)?;
        work::insert(tx, row)?;
    }
    Ok(written == 1)
}

/// Refuses a row that points to a credential which its tenant does not have. The verb is taken back by that.
fn check_credential(tx: &Tx<'_>, row: &ConnectionRow) -> Result<()> {
    match row.credential {
        Some(id) if !credential::exists(tx, row.tenant, id)? => Err(Error::not_found()),
        _ => Ok(()),
    }
}

fn insert_secrets(tx: &Tx<'_>, row: &ConnectionRow) -> Result<()> {
    for (field, secret) in &row.secrets {
        tx.execute(
            "INSERT INTO connection_secrets (tenant, connection, field, sealed, last4, updated_at) \
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
fn update(tx: &Tx<'_>, row: &ConnectionRow, expected_version: u64) -> Result<bool> {
    let written = tx.execute(
        "UPDATE connections SET display_name = ?4, auth = ?5, config = ?6, secret_version = ?7, enabled = ?8, \
         health = ?9, health_reason = ?10, health_since = ?11, version = ?12, updated_at = ?13, credential = ?14, \
         description = ?15, sync_frequency = ?16, webhook_hash = ?17, webhook_sealed = ?18, webhook_version = ?19, \
         webhook_since = ?20, oauth = ?21 \
         WHERE tenant = ?1 AND id = ?2 AND version = ?3",
        params![
            row.tenant.as_bytes(),
            row.id.as_bytes(),
            Count(expected_version),
            row.display_name,
            row.auth,
            row.config,
            row.secret_version,
            row.enabled,
            State(row.health.state),
            row.health.reason,
            Time(row.health.since),
            Count(row.version),
            Time(row.updated_at),
            row.credential.as_ref().map(|id| id.as_bytes()),
            row.description,
            Frequency(row.sync_frequency),
            row.webhook.as_ref().map(|webhook| webhook.hash),
            row.webhook.as_ref().map(|webhook| &webhook.sealed),
            row.webhook.as_ref().map(|webhook| webhook.version),
            row.webhook.as_ref().map(|webhook| Time(webhook.since)),
            row.oauth,
        ],
    )?;
    if written == 1 {
        check_credential(tx, row)?;
        tx.execute(
            "DELETE FROM connection_secrets WHERE tenant = ?1 AND connection = ?2",
            params![row.tenant.as_bytes(), row.id.as_bytes()],
        )?;
        insert_secrets(tx, row)?;
    }
    Ok(written == 1)
}

impl ConnectionStore for SqliteStore {
    fn connection(
        &self,
        tenant: TenantId,
        scope: &Scope,
        connector: &str,
        name: &str,
    ) -> StoreFuture<'_, Option<ConnectionRow>> {
        let (scope, connector, name) = (scope.clone(), connector.to_owned(), name.to_owned());
        self.readers
            .read(move |tx| by_name(tx, tenant, &scope, &connector, &name))
    }

    fn connection_by_id(&self, tenant: TenantId, id: ConnectionId) -> StoreFuture<'_, Option<ConnectionRow>> {
        self.readers.read(move |tx| {
            let select = select!("WHERE tenant = ?1 AND id = ?2");
            Ok(rows(tx, select, params![tenant.as_bytes(), id.as_bytes()])?.pop())
        })
    }

    fn connections(&self, filter: ConnectionFilter) -> StoreFuture<'_, Vec<ConnectionRow>> {
        self.readers.read(move |tx| list(tx, &filter))
    }

    fn count_connections(&self, filter: ConnectionFilter) -> StoreFuture<'_, u64> {
        self.readers.read(move |tx| count(tx, &filter))
    }

    fn insert_connection(&self, row: ConnectionRow, trail: Trail) -> StoreFuture<'_, Inserted<ConnectionRow>> {
        self.writer.change(row.tenant, trail, move |tx| {
            if insert(tx, &row)? {
                return Ok(Changed(Inserted::Inserted));
            }
            match by_name(tx, row.tenant, &row.scope, &row.connector, &row.name)? {
                Some(standing) => Ok(Unchanged(Inserted::Taken(standing))),
                None => Err(Error::new(
                    Code::ConnectorDatabaseFailed,
                    "The connection could not be written because one with its identifier exists.",
                )),
            }
        })
    }

    fn update_connection(&self, row: ConnectionRow, expected_version: u64, trail: Trail) -> StoreFuture<'_, Updated> {
        self.writer.change(row.tenant, trail, move |tx| {
            Ok(match update(tx, &row, expected_version)? {
                true => Changed(Updated::Updated),
                false => Unchanged(Updated::Conflict),
            })
        })
    }

    fn note_delivery(&self, tenant: TenantId, id: ConnectionId, delivery: LastDelivery) -> StoreFuture<'_, ()> {
        self.writer.journal(move |tx| {
            let noted = tx.execute(
                "UPDATE connections SET delivered_at = ?3, delivery_error = ?4 \
                 WHERE tenant = ?1 AND id = ?2 AND (delivered_at IS NULL OR delivered_at <= ?3)",
                params![tenant.as_bytes(), id.as_bytes(), Time(delivery.at), delivery.error],
            )?;
            Ok(if noted == 0 { Unchanged(()) } else { Changed(()) })
        })
    }

    fn delete_connection(&self, tenant: TenantId, id: ConnectionId, trail: Trail) -> StoreFuture<'_, bool> {
        self.writer.change(tenant, trail, move |tx| {
            // Its secrets go with it, by the foreign key.
            let deleted = tx.execute(
                "DELETE FROM connections WHERE tenant = ?1 AND id = ?2",
                params![tenant.as_bytes(), id.as_bytes()],
            )?;
            if deleted == 0 {
                return Ok(Unchanged(false));
            }
            work::delete(tx, tenant, id)?;
            health::delete(tx, tenant, id)?;
            Ok(Changed(true))
        })
    }
}
