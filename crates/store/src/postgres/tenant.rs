//! Tenants.

use tieline::{
    Error, Result,
    audit::Trail,
    clock::Timestamp,
    id::{TenantId, UserId},
    store::{ApiKeyRow, Countable, Inserted, Renamed, StoreFuture, TenantRow, TenantStore, tenant_is_deleted},
};
use tokio_postgres::Row;

use super::{
    PostgresStore, api_key, append_trail, audit, membership,
    tx::{ReadTx, Turn, Tx},
    value::{Columns, Id, Read, Time, behind, number, values},
};
use crate::outcome::Outcome::{Changed, Unchanged};

const BY_NAME: &str = "SELECT id, name, created_at FROM tenants WHERE name = $1";

fn read(row: &Row) -> Read<TenantRow> {
    Ok(TenantRow {
        id: row.id("id")?,
        name: row.text("name")?,
        created_at: row.time("created_at")?,
    })
}

/// What goes with a tenant, beside its members. The secrets of connections and credentials go with them.
const OF_A_TENANT: [&str; 11] = [
    "DELETE FROM api_keys WHERE tenant = $1",
    "DELETE FROM links WHERE tenant = $1",
    "DELETE FROM sessions WHERE tenant = $1",
    "DELETE FROM oauth_states WHERE tenant = $1",
    "DELETE FROM doors WHERE tenant = $1",
    "DELETE FROM connections WHERE tenant = $1",
    "DELETE FROM credentials WHERE tenant = $1",
    "DELETE FROM data_keys WHERE tenant = $1",
    "DELETE FROM idempotency_kept WHERE tenant = $1",
    "DELETE FROM call_heads WHERE tenant = $1",
    "DELETE FROM work WHERE tenant = $1",
];

/// Takes out rows of a deleted tenant, some at a time: those of which there can be so many that one transaction would take
/// too long. Nobody can read what was sealed in them, for the tenant's keys are gone.
const SWEEPS: [&str; 6] = [
    "DELETE FROM idempotency WHERE tenant = $1 AND id IN (SELECT id FROM idempotency WHERE tenant = $1 LIMIT $2)",
    "DELETE FROM idempotency_kept WHERE tenant = $1 AND ctid IN (SELECT ctid FROM idempotency_kept WHERE tenant = $1 LIMIT $2)",
    "DELETE FROM tests WHERE tenant = $1 AND ctid IN (SELECT ctid FROM tests WHERE tenant = $1 LIMIT $2)",
    "DELETE FROM calls WHERE tenant = $1 AND id IN (SELECT id FROM calls WHERE tenant = $1 LIMIT $2)",
    "DELETE FROM usage WHERE tenant = $1 AND ctid IN (SELECT ctid FROM usage WHERE tenant = $1 LIMIT $2)",
    "DELETE FROM usage_totals WHERE tenant = $1 AND ctid IN (SELECT ctid FROM usage_totals WHERE tenant = $1 LIMIT $2)",
];

macro_rules! count {
    ($table:literal, $which:literal) => {
        concat!(
            "SELECT count(*) FROM (SELECT 1 FROM ",
            $table,
            " WHERE tenant = $1",
            $which,
            " LIMIT $2) AS counted"
        )
    };
}

/// Whether a tenant was deleted. Whoever goes by it holds the head of the tenant's audit chain, as the deletion did.
pub(super) async fn is_deleted(tx: &ReadTx, tenant: TenantId) -> Result<bool> {
    let select = "SELECT 1 FROM deleted_tenants WHERE id = $1";
    tx.any(select, values![Id(tenant)]).await
}

/// Deletes a tenant's rows, but for those that are swept.
async fn delete_rows(tx: &Tx, id: TenantId) -> Result<()> {
    for delete in OF_A_TENANT {
        tx.execute(delete, values![Id(id)]).await?;
    }
    Ok(())
}

/// Deletes a tenant. A change goes from its rows to the head of the audit chain, and so does this: who has a row that goes
/// is waited for, and gets to the head. Rows that were written meanwhile go once the head is ours: changes that come later
/// meet the deletion there, and those that came before are seen by each statement.
async fn delete(tx: &Tx, id: TenantId, at: Timestamp) -> Result<bool> {
    if tx.execute("DELETE FROM tenants WHERE id = $1", values![Id(id)]).await? == 0 {
        return match is_deleted(tx, id).await? {
            true => Err(tenant_is_deleted()),
            false => Ok(false),
        };
    }
    delete_rows(tx, id).await?;
    audit::lock_head(tx, id).await?;
    delete_rows(tx, id).await?;
    let members = "DELETE FROM memberships WHERE tenant = $1 RETURNING user_id";
    let members: Vec<UserId> = tx.all(members, values![Id(id)], |row| row.id("user_id")).await?;
    for user in members {
        membership::forget_stranger(tx, user).await?;
    }
    let note = "INSERT INTO deleted_tenants (id, deleted_at) VALUES ($1, $2)";
    tx.execute(note, values![Id(id), Time(at)]).await?;
    Ok(true)
}

impl TenantStore for PostgresStore {
    fn create_tenant(
        &self,
        tenant: TenantRow,
        first_key: ApiKeyRow,
        trail: Trail,
    ) -> StoreFuture<'_, Inserted<TenantRow>> {
        self.change(tenant.id, trail, (tenant, first_key), |tx, (tenant, first_key)| {
            Box::pin(async move {
                if first_key.tenant != tenant.id {
                    return Err(Error::internal(
                        "a first key names another tenant",
                        first_key.tenant.to_string(),
                    ));
                }
                tx.alone(Turn::Names).await?;
                let name = tenant.name.as_bytes();
                if let Some(standing) = tx.one(BY_NAME, values![name], read).await? {
                    return Ok(Unchanged(Inserted::Taken(standing)));
                }
                let insert = "INSERT INTO tenants (id, name, created_at) VALUES ($1, $2, $3)";
                tx.execute(insert, values![Id(tenant.id), name, Time(tenant.created_at)])
                    .await?;
                api_key::insert(tx, first_key).await?;
                Ok(Changed(Inserted::Inserted))
            })
        })
    }

    fn rename_tenant(&self, id: TenantId, name: String, trail: Trail) -> StoreFuture<'_, Renamed> {
        self.change(id, trail, (id, name), |tx, (id, name)| {
            Box::pin(async move {
                tx.alone(Turn::Names).await?;
                let name = name.as_bytes();
                let standing = tx.one(BY_NAME, values![name], read).await?;
                if standing.is_some_and(|standing| standing.id != *id) {
                    return Ok(Unchanged(Renamed::Taken));
                }
                let rename = "UPDATE tenants SET name = $2 WHERE id = $1 AND name <> $2";
                Ok(match tx.execute(rename, values![Id(*id), name]).await? {
                    0 => Unchanged(Renamed::Unchanged),
                    _ => Changed(Renamed::Renamed),
                })
            })
        })
    }

    fn delete_tenant(&self, id: TenantId, at: Timestamp, trail: Trail) -> StoreFuture<'_, bool> {
        self.journal(id, (id, at, trail), |tx, (id, at, trail)| {
            Box::pin(async move {
                trail.check_tenant(*id)?;
                tx.alone(Turn::People).await?;
                if !delete(tx, *id, *at).await? {
                    return Ok(Unchanged(false));
                }
                append_trail(tx, *id, trail).await?;
                Ok(Changed(true))
            })
        })
    }

    fn sweep_deleted_tenants(&self, limit: usize) -> StoreFuture<'_, usize> {
        self.journal(None, limit, |tx, limit| {
            Box::pin(async move {
                // One at a time sweeps a tenant. Who waited for another's rows would find none of its own left, and take
                // the tenant for swept.
                let left = "SELECT id FROM deleted_tenants WHERE NOT swept ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED";
                let Some(tenant) = tx.one(left, values![], |row| row.id::<TenantId>("id")).await? else {
                    return Ok(Unchanged(0));
                };
                tx.enter(tenant).await?;
                let mut swept = 0;
                for sweep in SWEEPS {
                    swept += tx.execute(sweep, values![Id(tenant), number(*limit)]).await?;
                }
                if swept == 0 {
                    let done = "UPDATE deleted_tenants SET swept = true WHERE id = $1";
                    tx.execute(done, values![Id(tenant)]).await?;
                }
                Ok(Changed(usize::try_from(swept).unwrap_or(usize::MAX)))
            })
        })
    }

    fn count_of(&self, tenant: TenantId, what: Countable, most: usize) -> StoreFuture<'_, usize> {
        self.read(tenant, (tenant, what, most), |tx, (tenant, what, most)| {
            Box::pin(async move {
                let select = match what {
                    Countable::Connections => count!("connections", ""),
                    Countable::Credentials => count!("credentials", ""),
                    Countable::ApiKeys => count!("api_keys", " AND revoked_at IS NULL"),
                    Countable::Members => count!("memberships", ""),
                    Countable::Invitations => count!("links", " AND role IS NOT NULL"),
                };
                let read = |row: &Row| row.number::<usize>("count");
                let count = tx.one(select, values![Id(*tenant), number(*most)], read).await?;
                Ok(count.unwrap_or_default())
            })
        })
    }

    fn tenant(&self, id: TenantId) -> StoreFuture<'_, Option<TenantRow>> {
        self.read(None, id, |tx, id| {
            Box::pin(async move {
                let select = "SELECT id, name, created_at FROM tenants WHERE id = $1";
                tx.one(select, values![Id(*id)], read).await
            })
        })
    }

    fn tenant_by_name(&self, name: &str) -> StoreFuture<'_, Option<TenantRow>> {
        self.read(None, name.to_owned(), |tx, name| {
            Box::pin(async move { tx.one(BY_NAME, values![name.as_bytes()], read).await })
        })
    }

    fn tenants(&self, after: Option<TenantId>, limit: usize) -> StoreFuture<'_, Vec<TenantRow>> {
        self.read(None, (after, limit), |tx, (after, limit)| {
            Box::pin(async move {
                let select = "SELECT id, name, created_at FROM tenants WHERE id >= $1 ORDER BY id LIMIT $2";
                tx.all(select, values![behind(*after), number(*limit)], read).await
            })
        })
    }
}
