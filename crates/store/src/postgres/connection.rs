//! Connections and their sealed fields.

use std::collections::BTreeMap;

use tieline::{
    Code, Error, Result,
    audit::Trail,
    id::{ConnectionId, TenantId},
    scope::Scope,
    store::{
        ConnectionFilter, ConnectionRow, ConnectionStore, Health, Inserted, LastDelivery, StoreFuture, Updated,
        WebhookRow,
    },
};
use tokio_postgres::Row;

use super::{
    PostgresStore, credential, health, secret,
    tx::{ReadTx, Tx},
    value::{Columns, Id, Read, Time, Value, behind, maybe, number, up_to, values},
    work,
};
use crate::{
    outcome::Outcome::{Changed, Unchanged},
    word::Word,
};

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
        "WHERE tenant = $1 AND ($2::bytea IS NULL OR connector = $2) AND ($3::boolean IS NULL OR enabled = $3) \
         AND ($4::text IS NULL OR environment = $4) AND (cardinality($5::text[]) = 0 OR health = ANY ($5))"
    };
    (scope) => {
        concat!(held!(all), " AND scope_kind = $6 AND scope_identity = $7")
    };
}

/// The rows of a [`select!`], by identifier.
async fn rows(tx: &ReadTx, select: &'static str, values: &[Value<'_>]) -> Result<Vec<ConnectionRow>> {
    let mut rows: Vec<ConnectionRow> = Vec::new();
    tx.all(select, values, |line| {
        let id: ConnectionId = line.id("id")?;
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
fn read(row: &Row) -> Read<ConnectionRow> {
    Ok(ConnectionRow {
        id: row.id("id")?,
        tenant: row.id("tenant")?,
        scope: Scope {
            kind: row.text("scope_kind")?,
            identity: row.text("scope_identity")?,
        },
        environment: row.word("environment")?,
        connector: row.text("connector")?,
        name: row.text("name")?,
        display_name: row.text("display_name")?,
        description: row.maybe_text("description")?,
        sync_frequency: row.word("sync_frequency")?,
        auth: row.text("auth")?,
        config: row.text("config")?,
        credential: row.maybe_id("credential")?,
        secrets: BTreeMap::new(),
        secret_version: row.number("secret_version")?,
        oauth: row.maybe_text("oauth")?,
        enabled: row.try_get("enabled")?,
        health: Health {
            state: row.word("health")?,
            reason: row.maybe_text("health_reason")?,
            since: row.time("health_since")?,
        },
        webhook: read_webhook(row)?,
        last_delivery: match row.maybe_time("delivered_at")? {
            None => None,
            Some(at) => Some(LastDelivery {
                at,
                error: row.maybe_text("delivery_error")?,
            }),
        },
        version: row.number("version")?,
        created_by: row.text("created_by")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

fn read_webhook(row: &Row) -> Read<Option<WebhookRow>> {
    let Some(version) = row.maybe_number("webhook_version")? else {
        return Ok(None);
    };
    Ok(Some(WebhookRow {
        hash: row.array("webhook_hash")?,
        sealed: row.try_get("webhook_sealed")?,
        version,
        since: row.time("webhook_since")?,
    }))
}

async fn by_name(
    tx: &ReadTx,
    tenant: TenantId,
    scope: &Scope,
    connector: &str,
    name: &str,
) -> Result<Option<ConnectionRow>> {
    let select =
        select!("WHERE tenant = $1 AND scope_kind = $2 AND scope_identity = $3 AND connector = $4 AND name = $5");
    let values = values![
        Id(tenant),
        scope.kind.as_bytes(),
        scope.identity.as_bytes(),
        connector.as_bytes(),
        name.as_bytes(),
    ];
    Ok(rows(tx, select, values).await?.pop())
}

/// Two statements for each order, because each has its index: one walks the identifiers, the other the names of one scope.
async fn list(tx: &ReadTx, filter: &ConnectionFilter) -> Result<Vec<ConnectionRow>> {
    let place = match filter.newest_first {
        true => up_to(filter.after),
        false => behind(filter.after),
    };
    let (tenant, limit) = (Id(filter.tenant), number(filter.limit));
    let (connector, enabled) = (maybe(&filter.connector), filter.enabled);
    let (home, health) = (filter.environment.map(Word::name), health(filter));
    match &filter.scope {
        None => {
            let select = match filter.newest_first {
                false => select!(concat!(held!(all), " AND id >= $6 ORDER BY id LIMIT $7")),
                true => select!(concat!(held!(all), " AND id <= $6 ORDER BY id DESC LIMIT $7"), "DESC"),
            };
            rows(
                tx,
                select,
                values![tenant, connector, enabled, home, health, place, limit],
            )
            .await
        }
        Some(Scope { kind, identity }) => {
            let select = match filter.newest_first {
                false => select!(concat!(held!(scope), " AND id >= $8 ORDER BY id LIMIT $9")),
                true => select!(concat!(held!(scope), " AND id <= $8 ORDER BY id DESC LIMIT $9"), "DESC"),
            };
            let (kind, identity) = (kind.as_bytes(), identity.as_bytes());
            let values = values![tenant, connector, enabled, home, health, kind, identity, place, limit];
            rows(tx, select, values).await
        }
    }
}

async fn count(tx: &ReadTx, filter: &ConnectionFilter) -> Result<u64> {
    let (connector, enabled) = (maybe(&filter.connector), filter.enabled);
    let (tenant, home, health) = (Id(filter.tenant), filter.environment.map(Word::name), health(filter));
    let read = |row: &Row| row.number("count");
    let counted = match &filter.scope {
        None => {
            let select = concat!("SELECT count(*) FROM connections ", held!(all));
            tx.one(select, values![tenant, connector, enabled, home, health], read)
                .await
        }
        Some(Scope { kind, identity }) => {
            let select = concat!("SELECT count(*) FROM connections ", held!(scope));
            let (kind, identity) = (kind.as_bytes(), identity.as_bytes());
            tx.one(
                select,
                values![tenant, connector, enabled, home, health, kind, identity],
                read,
            )
            .await
        }
    };
    Ok(counted?.unwrap_or_default())
}

/// The wanted states; none where any will do.
fn health(filter: &ConnectionFilter) -> Vec<&'static str> {
    filter.health.iter().map(|state| state.name()).collect()
}

/// Writes the row unless its name or identifier stands.
async fn insert(tx: &Tx, row: &ConnectionRow) -> Result<bool> {
    check_credential(tx, row).await?;
    let written = tx
        .execute(
            "INSERT INTO connections (tenant, id, scope_kind, scope_identity, connector, name, display_name, auth, \
         config, secret_version, enabled, health, health_reason, health_since, version, created_by, created_at, \
         updated_at, environment, credential, description, sync_frequency, webhook_hash, webhook_sealed, \
         webhook_version, webhook_since, oauth) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
         $23, $24, $25, $26, $27) \
         ON CONFLICT DO NOTHING",
            values![
                Id(row.tenant),
                Id(row.id),
                row.scope.kind.as_bytes(),
                row.scope.identity.as_bytes(),
                row.connector.as_bytes(),
                row.name.as_bytes(),
                row.display_name.as_bytes(),
                row.auth.as_bytes(),
                row.config.as_bytes(),
                number(row.secret_version),
                row.enabled,
                row.health.state.name(),
                maybe(&row.health.reason),
                Time(row.health.since),
                number(row.version),
                row.created_by.as_bytes(),
                Time(row.created_at),
                Time(row.updated_at),
                row.environment.name(),
                row.credential.map(Id),
                maybe(&row.description),
                row.sync_frequency.name(),
                row.webhook.as_ref().map(|webhook| &webhook.hash[..]),
                row.webhook.as_ref().map(|webhook| &webhook.sealed[..]),
                row.webhook.as_ref().map(|webhook| number(webhook.version)),
                row.webhook.as_ref().map(|webhook| Time(webhook.since)),
                maybe(&row.oauth),
            ],
        )
        .await?;
    if written == 0 {
        return Ok(false);
    }
    insert_secrets(tx, row).await?;
    work::insert(tx, row).await?;
    Ok(true)
}

/// Refuses a row that points to a credential which its tenant does not have. From here on it has it until the end.
async fn check_credential(tx: &Tx, row: &ConnectionRow) -> Result<()> {
    match row.credential {
        Some(id) if !credential::hold(tx, row.tenant, id).await? => Err(Error::not_found()),
        _ => Ok(()),
    }
}

async fn insert_secrets(tx: &Tx, row: &ConnectionRow) -> Result<()> {
    let insert = "INSERT INTO connection_secrets (tenant, connection, field, sealed, last4, updated_at) \
                  SELECT $1, $2, s.* FROM unnest($3::bytea[], $4::bytea[], $5::bytea[], $6::timestamptz[]) AS s";
    secret::insert(tx, insert, row.tenant, row.id, &row.secrets).await
}

/// Writes what may change, if the stored version is the expected one.
async fn update(tx: &Tx, row: &ConnectionRow, expected_version: u64) -> Result<bool> {
    let written = tx
        .execute(
            "UPDATE connections SET display_name = $4, auth = $5, config = $6, secret_version = $7, enabled = $8, \
         health = $9, health_reason = $10, health_since = $11, version = $12, updated_at = $13, \
         description = $14, sync_frequency = $15, webhook_hash = $16, webhook_sealed = $17, webhook_version = $18, \
         webhook_since = $19, oauth = $20 \
         WHERE tenant = $1 AND id = $2 AND version = $3",
            values![
                Id(row.tenant),
                Id(row.id),
                number(expected_version),
                row.display_name.as_bytes(),
                row.auth.as_bytes(),
                row.config.as_bytes(),
                number(row.secret_version),
                row.enabled,
                row.health.state.name(),
                maybe(&row.health.reason),
                Time(row.health.since),
                number(row.version),
                Time(row.updated_at),
                maybe(&row.description),
                row.sync_frequency.name(),
                row.webhook.as_ref().map(|webhook| &webhook.hash[..]),
                row.webhook.as_ref().map(|webhook| &webhook.sealed[..]),
                row.webhook.as_ref().map(|webhook| number(webhook.version)),
                row.webhook.as_ref().map(|webhook| Time(webhook.since)),
                maybe(&row.oauth),
            ],
        )
        .await?;
    if written == 0 {
        return Ok(false);
    }
    check_credential(tx, row).await?;
    // Only now, when it is there: the foreign key would say it in other words.
    let point =
        "UPDATE connections SET credential = $3 WHERE tenant = $1 AND id = $2 AND credential IS DISTINCT FROM $3";
    tx.execute(point, values![Id(row.tenant), Id(row.id), row.credential.map(Id)])
        .await?;
    let delete = "DELETE FROM connection_secrets WHERE tenant = $1 AND connection = $2";
    tx.execute(delete, values![Id(row.tenant), Id(row.id)]).await?;
    insert_secrets(tx, row).await?;
    Ok(true)
}

impl ConnectionStore for PostgresStore {
    fn connection(
        &self,
        tenant: TenantId,
        scope: &Scope,
        connector: &str,
        name: &str,
    ) -> StoreFuture<'_, Option<ConnectionRow>> {
        let named = (tenant, scope.clone(), connector.to_owned(), name.to_owned());
        self.read(tenant, named, |tx, (tenant, scope, connector, name)| {
            Box::pin(by_name(tx, *tenant, scope, connector, name))
        })
    }

    fn connection_by_id(&self, tenant: TenantId, id: ConnectionId) -> StoreFuture<'_, Option<ConnectionRow>> {
        self.read(tenant, (tenant, id), |tx, (tenant, id)| {
            Box::pin(async move {
                let select = select!("WHERE tenant = $1 AND id = $2");
                Ok(rows(tx, select, values![Id(*tenant), Id(*id)]).await?.pop())
            })
        })
    }

    fn connections(&self, filter: ConnectionFilter) -> StoreFuture<'_, Vec<ConnectionRow>> {
        self.read(filter.tenant, filter, |tx, filter| Box::pin(list(tx, filter)))
    }

    fn count_connections(&self, filter: ConnectionFilter) -> StoreFuture<'_, u64> {
        self.read(filter.tenant, filter, |tx, filter| Box::pin(count(tx, filter)))
    }

    fn insert_connection(&self, row: ConnectionRow, trail: Trail) -> StoreFuture<'_, Inserted<ConnectionRow>> {
        self.change(row.tenant, trail, row, |tx, row| {
            Box::pin(async move {
                if insert(tx, row).await? {
                    return Ok(Changed(Inserted::Inserted));
                }
                if let Some(standing) = by_name(tx, row.tenant, &row.scope, &row.connector, &row.name).await? {
                    return Ok(Unchanged(Inserted::Taken(standing)));
                }
                let known = "SELECT 1 FROM connections WHERE tenant = $1 AND id = $2";
                if !tx.any(known, values![Id(row.tenant), Id(row.id)]).await? {
                    return Err(tx.begin_anew());
                }
                Err(Error::new(
                    Code::ConnectorDatabaseFailed,
                    "The connection could not be written because one with its identifier exists.",
                ))
            })
        })
    }

    fn update_connection(&self, row: ConnectionRow, expected_version: u64, trail: Trail) -> StoreFuture<'_, Updated> {
        self.change(
            row.tenant,
            trail,
            (row, expected_version),
            |tx, (row, expected_version)| {
                Box::pin(async move {
                    Ok(match update(tx, row, *expected_version).await? {
                        true => Changed(Updated::Updated),
                        false => Unchanged(Updated::Conflict),
                    })
                })
            },
        )
    }

    fn note_delivery(&self, tenant: TenantId, id: ConnectionId, delivery: LastDelivery) -> StoreFuture<'_, ()> {
        self.journal(tenant, (tenant, id, delivery), |tx, (tenant, id, delivery)| {
            Box::pin(async move {
                let note = "UPDATE connections SET delivered_at = $3, delivery_error = $4 \
                            WHERE tenant = $1 AND id = $2 AND (delivered_at IS NULL OR delivered_at <= $3)";
                let values = values![Id(*tenant), Id(*id), Time(delivery.at), maybe(&delivery.error)];
                let noted = tx.execute(note, values).await?;
                Ok(if noted == 0 { Unchanged(()) } else { Changed(()) })
            })
        })
    }

    fn delete_connection(&self, tenant: TenantId, id: ConnectionId, trail: Trail) -> StoreFuture<'_, bool> {
        self.change(tenant, trail, (tenant, id), |tx, (tenant, id)| {
            Box::pin(async move {
                // Its secrets go with it, by the foreign key.
                let delete = "DELETE FROM connections WHERE tenant = $1 AND id = $2";
                if tx.execute(delete, values![Id(*tenant), Id(*id)]).await? == 0 {
                    return Ok(Unchanged(false));
                }
                work::delete(tx, *tenant, *id).await?;
                health::delete(tx, *tenant, *id).await?;
                Ok(Changed(true))
            })
        })
    }
}
