//! API keys and their doors.

use rusqlite::{Row, params};
use tieline::{
    Result,
    audit::Trail,
    clock::Timestamp,
    id::{ApiKeyId, TenantId},
    store::{ApiKeyRow, ApiKeyStore, Door, StoreFuture},
};

use super::{
    SqliteStore,
    tx::Tx,
    value::{Count, Time},
    writer::Outcome::{Changed, Unchanged},
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT tenant, id, name, hash, prefix, permissions, created_by, created_at, expires_at, revoked_at \
             FROM api_keys ",
            $rest
        )
    };
}

/// Writes a key and its door.
pub(super) fn insert(tx: &Tx<'_>, key: &ApiKeyRow) -> Result<()> {
    tx.execute(
        "INSERT INTO api_keys \
         (tenant, id, name, hash, prefix, permissions, created_by, created_at, expires_at, revoked_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            key.tenant.as_bytes(),
            key.id.as_bytes(),
            key.name,
            key.hash,
            key.prefix,
            key.permissions,
            key.created_by,
            Time(key.created_at),
            key.expires_at.map(Time),
            key.revoked_at.map(Time),
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
        created_by: row.get("created_by")?,
        created_at: row.get::<_, Time>("created_at")?.0,
        expires_at: row.get::<_, Option<Time>>("expires_at")?.map(|time| time.0),
        revoked_at: row.get::<_, Option<Time>>("revoked_at")?.map(|time| time.0),
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

    fn revoke_api_key(&self, tenant: TenantId, id: ApiKeyId, at: Timestamp, trail: Trail) -> StoreFuture<'_, bool> {
        self.writer.change(tenant, trail, move |tx| {
            let revoked = tx.execute(
                "UPDATE api_keys SET revoked_at = ?3 WHERE tenant = ?1 AND id = ?2 AND revoked_at IS NULL",
                params![tenant.as_bytes(), id.as_bytes(), Time(at)],
            )?;
            Ok(if revoked == 1 { Changed(true) } else { Unchanged(false) })
        })
    }
}
