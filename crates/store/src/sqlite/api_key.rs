//! API keys and their doors.

use rusqlite::{Row, params};
use tieline::{
    Result,
    audit::Trail,
    clock::Timestamp,
    id::{ApiKeyId, TenantId},
    store::{ApiKeyRow, ApiKeyStore, ApiKeyUse, Door, StoreFuture, Updated},
};

use super::{
    SqliteStore,
    membership::forget_made,
    tx::Tx,
    value::{Count, Home, Time},
    writer::Outcome::{Changed, Unchanged},
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT tenant, id, name, hash, prefix, permissions, environment, networks, version, created_by, \
             created_at, expires_at, revoked_at, last_used_at FROM api_keys ",
            $rest
        )
    };
}

/// Writes a key and its door.
pub(super) fn insert(tx: &Tx<'_>, key: &ApiKeyRow) -> Result<()> {
    tx.execute(
        "INSERT INTO api_keys \
         (tenant, id, name, hash, prefix, permissions, environment, version, created_by, created_at, expires_at, \
         revoked_at, last_used_at, networks) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            key.tenant.as_bytes(),
            key.id.as_bytes(),
            key.name,
            key.hash,
            key.prefix,
            key.permissions,
            key.environment.map(Home),
            Count(key.version),
            key.created_by,
            Time(key.created_at),
            key.expires_at.map(Time),
            key.revoked_at.map(Time),
            key.last_used_at.map(Time),
            key.networks,
        ],
    )?;
    tx.execute(
        "INSERT INTO doors (kind, hash, tenant, id) VALUES ('api_key', ?1, ?2, ?3)",
        params![key.hash, key.tenant.as_bytes(), key.id.as_bytes()],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<ApiKeyRow> {
    Ok(ApiKeyRow {
        id: ApiKeyId::from_bytes(row.get("id")?),
        tenant: TenantId::from_bytes(row.get("tenant")?),
        name: row.get("name")?,
        hash: row.get("hash")?,
        prefix: row.get("prefix")?,
        permissions: row.get("permissions")?,
        environment: row.get::<_, Option<Home>>("environment")?.map(|home| home.0),
        networks: row.get("networks")?,
        version: row.get::<_, Count>("version")?.0,
        created_by: row.get("created_by")?,
        created_at: row.get::<_, Time>("created_at")?.0,
        expires_at: row.get::<_, Option<Time>>("expires_at")?.map(|time| time.0),
        revoked_at: row.get::<_, Option<Time>>("revoked_at")?.map(|time| time.0),
        last_used_at: row.get::<_, Option<Time>>("last_used_at")?.map(|time| time.0),
    })
}

impl ApiKeyStore for SqliteStore {
    fn create_api_key(&self, key: ApiKeyRow, trail: Trail) -> StoreFuture<'_, ()> {
        self.writer.change(key.tenant, trail, move |tx| {
            insert(tx, &key)?;
            Ok(Changed(()))
        })
    }

    fn open_door(&self, hash: [u8; 32]) -> StoreFuture<'_, Option<Door>> {
        self.readers.read(move |tx| {
            let select = "SELECT tenant, id FROM doors WHERE kind = 'api_key' AND hash = ?1";
            tx.one(select, [hash], |row| {
                Ok(Door {
                    tenant: TenantId::from_bytes(row.get("tenant")?),
                    key: ApiKeyId::from_bytes(row.get("id")?),
                })
            })
        })
    }

    fn api_key(&self, tenant: TenantId, id: ApiKeyId) -> StoreFuture<'_, Option<ApiKeyRow>> {
        self.readers.read(move |tx| {
            let select = select!("WHERE tenant = ?1 AND id = ?2");
            tx.one(select, params![tenant.as_bytes(), id.as_bytes()], read)
        })
    }

    fn api_keys(&self, tenant: TenantId, after: Option<ApiKeyId>, limit: usize) -> StoreFuture<'_, Vec<ApiKeyRow>> {
        self.readers.read(move |tx| {
            let after = after.as_ref().map_or(&[][..], |id| id.as_bytes());
            let select = select!("WHERE tenant = ?1 AND id > ?2 ORDER BY id LIMIT ?3");
            tx.all(select, params![tenant.as_bytes(), after, Count::of(limit)], read)
        })
    }

    fn update_api_key(&self, key: ApiKeyRow, expected_version: u64, trail: Trail) -> StoreFuture<'_, Updated> {
        self.writer.change(key.tenant, trail, move |tx| {
            let written = tx.execute(
                "UPDATE api_keys SET name = ?4, permissions = ?5, expires_at = ?6, version = ?7, networks = ?8 \
                 WHERE tenant = ?1 AND id = ?2 AND version = ?3 AND revoked_at IS NULL",
                params![
                    key.tenant.as_bytes(),
                    key.id.as_bytes(),
                    Count(expected_version),
                    key.name,
                    key.permissions,
                    key.expires_at.map(Time),
                    Count(key.version),
                    key.networks,
                ],
            )?;
            Ok(match written {
                1 => Changed(Updated::Updated),
                _ => Unchanged(Updated::Conflict),
            })
        })
    }

    fn note_api_key_uses(&self, uses: Vec<ApiKeyUse>) -> StoreFuture<'_, ()> {
        self.writer.change_meta(move |tx| {
            for used in &uses {
                tx.execute(
                    "UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, ?3), ?3) \
                     WHERE tenant = ?1 AND id = ?2",
                    params![used.tenant.as_bytes(), used.key.as_bytes(), Time(used.at)],
                )?;
            }
            Ok(Changed(()))
        })
    }

    fn revoke_api_key(&self, tenant: TenantId, id: ApiKeyId, at: Timestamp, trail: Trail) -> StoreFuture<'_, bool> {
        self.writer.change(tenant, trail, move |tx| {
            let revoked = tx.execute(
                "UPDATE api_keys SET revoked_at = ?3 WHERE tenant = ?1 AND id = ?2 AND revoked_at IS NULL",
                params![tenant.as_bytes(), id.as_bytes(), Time(at)],
            )?;
            if revoked == 0 {
                return Ok(Unchanged(false));
            }
            forget_made(tx, tenant, id)?;
            Ok(Changed(true))
        })
    }
}
