//! Tenants.

use rusqlite::{Row, params};
use tieline::{
    Error,
    audit::Trail,
    id::TenantId,
    store::{ApiKeyRow, Inserted, Renamed, StoreFuture, TenantRow, TenantStore},
};

use super::{
    SqliteStore, api_key,
    value::{Count, Time},
    writer::Outcome::{Changed, Unchanged},
};

const BY_NAME: &str = "SELECT id, name, created_at FROM tenants WHERE name = ?1";

fn read(row: &Row<'_>) -> rusqlite::Result<TenantRow> {
    Ok(TenantRow {
        id: TenantId::from_bytes(row.get("id")?),
        name: row.get("name")?,
        created_at: row.get::<_, Time>("created_at")?.0,
    })
}

impl TenantStore for SqliteStore {
    fn create_tenant(
        &self,
        tenant: TenantRow,
        first_key: ApiKeyRow,
        trail: Trail,
    ) -> StoreFuture<'_, Inserted<TenantRow>> {
        self.writer.change(tenant.id, trail, move |tx| {
            if first_key.tenant != tenant.id {
                return Err(Error::internal(
                    "a first key names another tenant",
                    first_key.tenant.to_string(),
                ));
            }
            if let Some(standing) = tx.one(BY_NAME, [&tenant.name], read)? {
                return Ok(Unchanged(Inserted::Taken(standing)));
            }
            tx.execute(
                "INSERT INTO tenants (id, name, created_at) VALUES (?1, ?2, ?3)",
                params![tenant.id.as_bytes(), tenant.name, Time(tenant.created_at)],
            )?;
            api_key::insert(tx, &first_key)?;
            Ok(Changed(Inserted::Inserted))
        })
    }

    fn rename_tenant(&self, id: TenantId, name: String, trail: Trail) -> StoreFuture<'_, Renamed> {
        self.writer.change(id, trail, move |tx| {
            let standing = tx.one(BY_NAME, [&name], read)?;
            if standing.is_some_and(|standing| standing.id != id) {
                return Ok(Unchanged(Renamed::Taken));
            }
            let renamed = tx.execute(
                "UPDATE tenants SET name = ?2 WHERE id = ?1 AND name <> ?2",
                params![id.as_bytes(), name],
            )?;
            Ok(match renamed {
                0 => Unchanged(Renamed::Unchanged),
                _ => Changed(Renamed::Renamed),
            })
        })
    }

    fn tenant(&self, id: TenantId) -> StoreFuture<'_, Option<TenantRow>> {
        self.readers.read(move |tx| {
            let select = "SELECT id, name, created_at FROM tenants WHERE id = ?1";
            tx.one(select, [id.as_bytes()], read)
        })
    }

    fn tenant_by_name(&self, name: &str) -> StoreFuture<'_, Option<TenantRow>> {
        let name = name.to_owned();
        self.readers.read(move |tx| tx.one(BY_NAME, [&name], read))
    }

    fn tenants(&self, after: Option<TenantId>, limit: usize) -> StoreFuture<'_, Vec<TenantRow>> {
        self.readers.read(move |tx| {
            let after = after.as_ref().map_or(&[][..], |id| id.as_bytes());
            let select = "SELECT id, name, created_at FROM tenants WHERE id > ?1 ORDER BY id LIMIT ?2";
            tx.all(select, params![after, Count::of(limit)], read)
        })
    }
}
