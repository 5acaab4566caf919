//! API keys and their doors.

use std::collections::BTreeMap;

use tieline::{
    Result,
    audit::Trail,
    clock::Timestamp,
    id::{ApiKeyId, TenantId},
    store::{ApiKeyRow, ApiKeyStore, ApiKeyUse, Door, StoreFuture, Updated},
};
use tokio_postgres::Row;

use super::{
    PostgresStore, link,
    tx::{ReadTx, Tx},
    value::{Columns, Id, Identifier, Read, Time, behind, maybe, number, values},
};
use crate::{
    outcome::Outcome::{Changed, Unchanged},
    word::Word,
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT tenant, id, name, hash, prefix, permissions, environment, version, created_by, created_at, \
             expires_at, revoked_at, last_used_at, networks FROM api_keys ",
            $rest
        )
    };
}

/// Writes a key and its door.
pub(super) async fn insert(tx: &Tx, key: &ApiKeyRow) -> Result<()> {
    tx.execute(
        "INSERT INTO api_keys \
         (tenant, id, name, hash, prefix, permissions, environment, version, created_by, created_at, expires_at, \
         revoked_at, last_used_at, networks) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        values![
            Id(key.tenant),
            Id(key.id),
            key.name.as_bytes(),
            &key.hash[..],
            key.prefix.as_bytes(),
            key.permissions.as_bytes(),
            key.environment.map(Word::name),
            number(key.version),
            key.created_by.as_bytes(),
            Time(key.created_at),
            key.expires_at.map(Time),
            key.revoked_at.map(Time),
            key.last_used_at.map(Time),
            maybe(&key.networks),
        ],
    )
    .await?;
    make_door(tx, "api_key", &key.hash, key.tenant, key.id).await
}

/// Lets a hash lead to a row.
pub(super) async fn make_door(
    tx: &Tx,
    kind: &str,
    hash: &[u8; 32],
    tenant: TenantId,
    id: impl Identifier + std::fmt::Debug + Sync,
) -> Result<()> {
    let insert = "INSERT INTO doors (kind, hash, tenant, id) VALUES ($1, $2, $3, $4)";
    tx.execute(insert, values![kind, &hash[..], Id(tenant), Id(id)])
        .await
        .map(drop)
}

/// Where a hash leads, asked before the tenant is known.
pub(super) async fn open_door<T: Identifier>(
    tx: &ReadTx,
    kind: &str,
    hash: &[u8; 32],
) -> Result<Option<(TenantId, T)>> {
    let select = "SELECT tenant, id FROM open_door($1, $2)";
    tx.one(select, values![kind, &hash[..]], |row| {
        Ok((row.id("tenant")?, row.id("id")?))
    })
    .await
}

fn read(row: &Row) -> Read<ApiKeyRow> {
    Ok(ApiKeyRow {
        id: row.id("id")?,
        tenant: row.id("tenant")?,
        name: row.text("name")?,
        hash: row.array("hash")?,
        prefix: row.text("prefix")?,
        permissions: row.text("permissions")?,
        environment: row.maybe_word("environment")?,
        networks: row.maybe_text("networks")?,
        version: row.number("version")?,
        created_by: row.text("created_by")?,
        created_at: row.time("created_at")?,
        expires_at: row.maybe_time("expires_at")?,
        revoked_at: row.maybe_time("revoked_at")?,
        last_used_at: row.maybe_time("last_used_at")?,
    })
}

impl ApiKeyStore for PostgresStore {
    fn create_api_key(&self, key: ApiKeyRow, trail: Trail) -> StoreFuture<'_, ()> {
        self.change(key.tenant, trail, key, |tx, key| {
            Box::pin(async move {
                insert(tx, key).await?;
                Ok(Changed(()))
            })
        })
    }

    fn open_door(&self, hash: [u8; 32]) -> StoreFuture<'_, Option<Door>> {
        self.read(None, hash, |tx, hash| {
            Box::pin(async move {
                let door = open_door(tx, "api_key", hash).await?;
                Ok(door.map(|(tenant, key)| Door { tenant, key }))
            })
        })
    }

    fn api_key(&self, tenant: TenantId, id: ApiKeyId) -> StoreFuture<'_, Option<ApiKeyRow>> {
        self.read(tenant, (tenant, id), |tx, (tenant, id)| {
            Box::pin(async move {
                let select = select!("WHERE tenant = $1 AND id = $2");
                tx.one(select, values![Id(*tenant), Id(*id)], read).await
            })
        })
    }

    fn api_keys(&self, tenant: TenantId, after: Option<ApiKeyId>, limit: usize) -> StoreFuture<'_, Vec<ApiKeyRow>> {
        self.read(tenant, (tenant, after, limit), |tx, (tenant, after, limit)| {
            Box::pin(async move {
                let select = select!("WHERE tenant = $1 AND id >= $2 ORDER BY id LIMIT $3");
                let values = values![Id(*tenant), behind(*after), number(*limit)];
                tx.all(select, values, read).await
            })
        })
    }

    fn update_api_key(&self, key: ApiKeyRow, expected_version: u64, trail: Trail) -> StoreFuture<'_, Updated> {
        self.change(
            key.tenant,
            trail,
            (key, expected_version),
            |tx, (key, expected_version)| {
                Box::pin(async move {
                    let written = tx
                        .execute(
                            "UPDATE api_keys SET name = $4, permissions = $5, expires_at = $6, version = $7, networks = $8 \
                     WHERE tenant = $1 AND id = $2 AND version = $3 AND revoked_at IS NULL",
                            values![
                                Id(key.tenant),
                                Id(key.id),
                                number(*expected_version),
                                key.name.as_bytes(),
                                key.permissions.as_bytes(),
                                key.expires_at.map(Time),
                                number(key.version),
                                maybe(&key.networks),
                            ],
                        )
                        .await?;
                    Ok(match written {
                        1 => Changed(Updated::Updated),
                        _ => Unchanged(Updated::Conflict),
                    })
                })
            },
        )
    }

    fn note_api_key_uses(&self, uses: Vec<ApiKeyUse>) -> StoreFuture<'_, ()> {
        let mut tenants: BTreeMap<TenantId, BTreeMap<ApiKeyId, Timestamp>> = BTreeMap::new();
        for used in uses {
            let at = tenants
                .entry(used.tenant)
                .or_default()
                .entry(used.key)
                .or_insert(used.at);
            *at = used.at.max(*at);
        }
        self.journal(None, tenants, |tx, tenants| {
            Box::pin(async move {
                for (tenant, uses) in tenants {
                    tx.enter(*tenant).await?;
                    let keys: Vec<_> = uses.keys().map(|key| Id(*key)).collect();
                    let times: Vec<_> = uses.values().map(|at| Time(*at)).collect();
                    tx.execute(
                        "UPDATE api_keys AS k SET last_used_at = greatest(k.last_used_at, u.at) \
                         FROM unnest($2::uuid[], $3::timestamptz[]) AS u (id, at) WHERE k.tenant = $1 AND k.id = u.id",
                        values![Id(*tenant), keys, times],
                    )
                    .await?;
                }
                Ok(Changed(()))
            })
        })
    }

    fn revoke_api_key(&self, tenant: TenantId, id: ApiKeyId, at: Timestamp, trail: Trail) -> StoreFuture<'_, bool> {
        self.change(tenant, trail, (tenant, id, at), |tx, (tenant, id, at)| {
            Box::pin(async move {
                let revoke = "UPDATE api_keys SET revoked_at = $3 WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL";
                let revoked = tx.execute(revoke, values![Id(*tenant), Id(*id), Time(*at)]).await?;
                if revoked == 0 {
                    return Ok(Unchanged(false));
                }
                link::forget_made(tx, *tenant, id).await?;
                Ok(Changed(true))
            })
        })
    }
}
