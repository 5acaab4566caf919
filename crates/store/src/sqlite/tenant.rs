//! Tenants.

use rusqlite::{Row, params};
use tieline::{
    Error, Result,
    audit::Trail,
    clock::Timestamp,
    id::{TenantId, UserId},
    store::{ApiKeyRow, Countable, Inserted, Renamed, StoreFuture, TenantRow, TenantStore},
};

use super::{
    SqliteStore, api_key,
    tx::{ReadTx, Tx},
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

/// What goes with a tenant, beside its members. The secrets of connections and credentials go with them.
const OF_A_TENANT: [&str; 12] = [
    "DELETE FROM doors WHERE tenant = ?1",
    "DELETE FROM api_keys WHERE tenant = ?1",
    "DELETE FROM links WHERE tenant = ?1",
    "DELETE FROM sessions WHERE tenant = ?1",
    "DELETE FROM oauth_states WHERE tenant = ?1",
    "DELETE FROM connections WHERE tenant = ?1",
    "DELETE FROM credentials WHERE tenant = ?1",
    "DELETE FROM data_keys WHERE tenant = ?1",
    "DELETE FROM idempotency WHERE tenant = ?1",
    "DELETE FROM idempotency_kept WHERE tenant = ?1",
    "DELETE FROM call_heads WHERE tenant = ?1",
    "DELETE FROM work WHERE tenant = ?1",
];

macro_rules! count {
    ($table:literal, $which:literal) => {
        concat!(
            "SELECT count(*) FROM (SELECT 1 FROM ",
            $table,
            " WHERE tenant = ?1",
            $which,
            " LIMIT ?2)"
        )
    };
}

/// Takes out rows of deleted tenants, some at a time.
const SWEEPS: [&str; 4] = [
    "DELETE FROM tests WHERE (tenant, connection, id) IN \
     (SELECT t.tenant, t.connection, t.id FROM deleted_tenants d JOIN tests t ON t.tenant = d.id LIMIT ?1)",
    "DELETE FROM calls WHERE (tenant, id) IN \
     (SELECT c.tenant, c.id FROM deleted_tenants d JOIN calls c ON c.tenant = d.id LIMIT ?1)",
    "DELETE FROM usage WHERE (tenant, day, connector, connection, actor) IN \
     (SELECT u.tenant, u.day, u.connector, u.connection, u.actor FROM deleted_tenants d JOIN usage u ON u.tenant = d.id \
     LIMIT ?1)",
    "DELETE FROM usage_totals WHERE (tenant, part, key, day) IN \
     (SELECT u.tenant, u.part, u.key, u.day FROM deleted_tenants d JOIN usage_totals u ON u.tenant = d.id LIMIT ?1)",
];

/// Whether a tenant was deleted.
pub(super) fn is_deleted(tx: &ReadTx<'_>, tenant: TenantId) -> Result<bool> {
    let select = "SELECT 1 FROM deleted_tenants WHERE id = ?1";
    Ok(tx.one(select, [tenant.as_bytes()], |_| Ok(()))?.is_some())
}

/// Takes all memberships of a tenant, and the persons who belong to no other.
fn forget_members(tx: &Tx<'_>, tenant: TenantId) -> Result<()> {
    let members = "SELECT user FROM memberships WHERE tenant = ?1";
    let members = tx.all(members, [tenant.as_bytes()], |row| {
        row.get("user").map(UserId::from_bytes)
    })?;
    tx.execute("DELETE FROM memberships WHERE tenant = ?1", [tenant.as_bytes()])?;
    for user in members {
        tx.execute(
            "DELETE FROM users WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM memberships WHERE user = ?1)",
            [user.as_bytes()],
        )?;
    }
    Ok(())
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

    fn delete_tenant(&self, id: TenantId, at: Timestamp, trail: Trail) -> StoreFuture<'_, bool> {
        self.writer.change(id, trail, move |tx| {
            if tx.execute("DELETE FROM tenants WHERE id = ?1", [id.as_bytes()])? == 0 {
                return Ok(Unchanged(false));
            }
            for delete in OF_A_TENANT {
                tx.execute(delete, [id.as_bytes()])?;
            }
            forget_members(tx, id)?;
            tx.execute(
                "INSERT INTO deleted_tenants (id, deleted_at) VALUES (?1, ?2)",
                params![id.as_bytes(), Time(at)],
            )?;
            Ok(Changed(true))
        })
    }

    fn sweep_deleted_tenants(&self, limit: usize) -> StoreFuture<'_, usize> {
        self.writer.journal(move |tx| {
            let mut swept = 0;
            for sweep in SWEEPS {
                swept += tx.execute(sweep, [Count::of(limit)])?;
            }
            Ok(match swept {
                0 => Unchanged(0),
                swept => Changed(swept),
            })
        })
    }

    fn count_of(&self, tenant: TenantId, what: Countable, most: usize) -> StoreFuture<'_, usize> {
        self.readers.read(move |tx| {
            let select = match what {
                Countable::Connections => count!("connections", ""),
                Countable::Credentials => count!("credentials", ""),
                Countable::ApiKeys => count!("api_keys", " AND revoked_at IS NULL"),
                Countable::Members => count!("memberships", ""),
                Countable::Invitations => count!("links", " AND role IS NOT NULL"),
            };
            let count = tx.one(select, params![tenant.as_bytes(), Count::of(most)], |row| {
                row.get::<_, Count>(0)
            })?;
            Ok(count.map_or(0, |count| usize::try_from(count.0).unwrap_or(usize::MAX)))
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
