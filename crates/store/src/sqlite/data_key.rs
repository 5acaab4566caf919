//! Wrapped data keys and the master key's fingerprint.

use rusqlite::{Row, params};
use tieline::{
    Error, Result,
    audit::Trail,
    id::TenantId,
    store::{DataKeyRow, DataKeyStore, Inserted, StoreFuture},
};

use super::{
    SqliteStore,
    tx::ReadTx,
    value::Time,
    writer::Outcome::{Changed, Unchanged},
};

fn read(row: &Row<'_>) -> rusqlite::Result<DataKeyRow> {
    Ok(DataKeyRow {
        tenant: TenantId::from_bytes(row.get("tenant")?),
        id: row.get("id")?,
        wrapped: row.get("wrapped")?,
        created_at: row.get::<_, Time>("created_at")?.0,
    })
}

fn fingerprint(tx: &ReadTx<'_>) -> Result<Option<[u8; 32]>> {
    let select = "SELECT value FROM meta WHERE name = 'master_fingerprint'";
    tx.one(select, [], |row| row.get("value"))
}

impl DataKeyStore for SqliteStore {
    fn data_keys(&self, tenant: TenantId) -> StoreFuture<'_, Vec<DataKeyRow>> {
        self.readers.read(move |tx| {
            let select = "SELECT tenant, id, wrapped, created_at FROM data_keys WHERE tenant = ?1 ORDER BY id";
            tx.all(select, [tenant.as_bytes()], read)
        })
    }

    fn add_data_key(&self, row: DataKeyRow, trail: Trail) -> StoreFuture<'_, Inserted<DataKeyRow>> {
        self.writer.change(row.tenant, trail, move |tx| {
            let written = tx.execute(
                "INSERT INTO data_keys (tenant, id, wrapped, created_at) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT DO NOTHING",
                params![row.tenant.as_bytes(), row.id, row.wrapped, Time(row.created_at)],
            )?;
            if written == 1 {
                return Ok(Changed(Inserted::Inserted));
            }
            let select = "SELECT tenant, id, wrapped, created_at FROM data_keys WHERE tenant = ?1 AND id = ?2";
            match tx.one(select, params![row.tenant.as_bytes(), row.id], read)? {
                Some(standing) => Ok(Unchanged(Inserted::Taken(standing))),
                None => Err(Error::internal(
                    "a data key neither went in nor stood there",
                    row.id.to_string(),
                )),
            }
        })
    }

    fn keep_master_fingerprint(&self, given: [u8; 32]) -> StoreFuture<'_, [u8; 32]> {
        self.writer.change_meta(move |tx| {
            if let Some(kept) = fingerprint(tx)? {
                return Ok(Unchanged(kept));
            }
            tx.execute(
                "INSERT INTO meta (name, value) VALUES ('master_fingerprint', ?1)",
                [given],
            )?;
            Ok(Changed(given))
        })
    }

    fn master_fingerprint(&self) -> StoreFuture<'_, Option<[u8; 32]>> {
        self.readers.read(fingerprint)
    }
}
