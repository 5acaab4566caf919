//! Requests that are run once.

use rusqlite::{Row, params};
use tieline::{
    Error, Result,
    clock::Timestamp,
    id::TenantId,
    store::{Begun, IdempotencyRow, IdempotencyStore, StoreFuture, tenant_is_deleted},
};

use super::{
    SqliteStore, tenant,
    tx::Tx,
    value::{Count, Time},
    writer::Outcome::{self, Changed, Unchanged},
};

fn read(row: &Row<'_>) -> rusqlite::Result<IdempotencyRow> {
    Ok(IdempotencyRow {
        tenant: TenantId::from_bytes(row.get("tenant")?),
        id: row.get("id")?,
        request: row.get("request")?,
        attempt: row.get::<_, Count>("attempt")?.0,
        until: row.get::<_, Time>("until")?.0,
        expires_at: row.get::<_, Time>("expires_at")?.0,
        answer: row.get("answer")?,
    })
}

/// Whether the one row was changed.
fn one(changed: usize) -> Result<Outcome<bool>> {
    Ok(if changed == 1 { Changed(true) } else { Unchanged(false) })
}

/// Gives up a tenant's oldest answers until all of them fit; that of `id` was just kept, and stays.
fn make_room(tx: &Tx<'_>, tenant: TenantId, id: [u8; 16], room: u64) -> Result<()> {
    let kept = "SELECT bytes FROM idempotency_kept WHERE tenant = ?1";
    let kept = tx.one(kept, [tenant.as_bytes()], |row| row.get::<_, Count>("bytes"))?;
    let mut over = kept.map_or(0, |kept| kept.0.saturating_sub(room));
    while over > 0 {
        let oldest = tx.one(
            "SELECT id, length(answer) AS bytes FROM idempotency \
             WHERE tenant = ?1 AND length(answer) > 0 AND id <> ?2 ORDER BY expires_at LIMIT 1",
            params![tenant.as_bytes(), id],
            |row| Ok((row.get::<_, [u8; 16]>("id")?, row.get::<_, Count>("bytes")?.0)),
        )?;
        let Some((oldest, bytes)) = oldest else { break };
        tx.execute(
            "UPDATE idempotency SET answer = x'' WHERE tenant = ?1 AND id = ?2",
            params![tenant.as_bytes(), oldest],
        )?;
        over = over.saturating_sub(bytes);
    }
    Ok(())
}

impl IdempotencyStore for SqliteStore {
    fn begin_idempotent(&self, row: IdempotencyRow, now: Timestamp) -> StoreFuture<'_, Begun> {
        self.writer.journal(move |tx| {
            if tenant::is_deleted(tx, row.tenant)? {
                return Err(tenant_is_deleted());
            }
            let (tenant, id) = (row.tenant.as_bytes(), row.id);
            let standing = tx.one(
                "SELECT tenant, id, request, attempt, until, expires_at, answer FROM idempotency \
                 WHERE tenant = ?1 AND id = ?2",
                params![tenant, id],
                read,
            )?;
            match standing {
                Some(standing) if standing.expires_at > now => return Ok(Unchanged(Begun::Standing(standing))),
                Some(_) => {
                    tx.execute(
                        "DELETE FROM idempotency WHERE tenant = ?1 AND id = ?2",
                        params![tenant, id],
                    )?;
                }
                None => {}
            }
            let written = tx.execute(
                "INSERT INTO idempotency (tenant, id, request, attempt, until, expires_at, answer) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    tenant,
                    id,
                    row.request,
                    Count(row.attempt),
                    Time(row.until),
                    Time(row.expires_at),
                    row.answer
                ],
            )?;
            match written {
                1 => Ok(Changed(Begun::Begun)),
                _ => Err(Error::internal("a row did not go in", written.to_string())),
            }
        })
    }

    fn resume_idempotent(
        &self,
        tenant: TenantId,
        id: [u8; 16],
        attempt: u64,
        until: Timestamp,
    ) -> StoreFuture<'_, bool> {
        self.writer.journal(move |tx| {
            one(tx.execute(
                "UPDATE idempotency SET attempt = attempt + 1, until = ?4 \
                 WHERE tenant = ?1 AND id = ?2 AND attempt = ?3 AND answer IS NULL",
                params![tenant.as_bytes(), id, Count(attempt), Time(until)],
            )?)
        })
    }

    fn finish_idempotent(
        &self,
        tenant: TenantId,
        id: [u8; 16],
        attempt: u64,
        answer: Vec<u8>,
        room: usize,
    ) -> StoreFuture<'_, bool> {
        self.writer.journal(move |tx| {
            let written = tx.execute(
                "UPDATE idempotency SET answer = ?4 \
                 WHERE tenant = ?1 AND id = ?2 AND attempt = ?3 AND answer IS NULL",
                params![tenant.as_bytes(), id, Count(attempt), answer],
            )?;
            if written == 1 {
                make_room(tx, tenant, id, room as u64)?;
            }
            one(written)
        })
    }

    fn release_idempotent(&self, tenant: TenantId, id: [u8; 16], attempt: u64) -> StoreFuture<'_, bool> {
        self.writer.journal(move |tx| {
            one(tx.execute(
                "DELETE FROM idempotency WHERE tenant = ?1 AND id = ?2 AND attempt = ?3 AND answer IS NULL",
                params![tenant.as_bytes(), id, Count(attempt)],
            )?)
        })
    }

    fn prune_idempotency(&self, now: Timestamp, limit: usize) -> StoreFuture<'_, usize> {
        self.writer.journal(move |tx| {
            let removed = tx.execute(
                "DELETE FROM idempotency WHERE rowid IN \
                 (SELECT rowid FROM idempotency WHERE expires_at <= ?1 LIMIT ?2)",
                params![Time(now), Count::of(limit)],
            )?;
            Ok(if removed == 0 { Unchanged(0) } else { Changed(removed) })
        })
    }
}
