//! Requests that are run once.

use tieline::{
    Result,
    clock::Timestamp,
    id::TenantId,
    store::{Begun, IdempotencyRow, IdempotencyStore, StoreFuture, tenant_is_deleted},
};
use tokio_postgres::Row;

use super::{
    PostgresStore, tenant,
    tx::Tx,
    value::{Columns, Id, Read, Time, number, values},
};
use crate::outcome::Outcome::{self, Changed, Unchanged};

fn read(row: &Row) -> Read<IdempotencyRow> {
    Ok(IdempotencyRow {
        tenant: row.id("tenant")?,
        id: row.id("id")?,
        request: row.try_get("request")?,
        attempt: row.number("attempt")?,
        until: row.time("until")?,
        expires_at: row.time("expires_at")?,
        answer: row.try_get("answer")?,
    })
}

/// Gives up a tenant's oldest answers until all of them fit; that of `id` was just kept, and stays.
async fn make_room(tx: &Tx, tenant: TenantId, id: [u8; 16], room: usize) -> Result<()> {
    let kept = "SELECT bytes FROM idempotency_kept WHERE tenant = $1 FOR UPDATE";
    let kept: Option<i64> = tx.one(kept, values![Id(tenant)], |row| row.try_get("bytes")).await?;
    let mut over = kept.unwrap_or_default().saturating_sub(number(room));
    while over > 0 {
        let oldest = tx
            .one(
            "UPDATE idempotency AS i SET answer = '' FROM (SELECT id, octet_length(answer) AS bytes FROM idempotency \
             WHERE tenant = $1 AND octet_length(answer) > 0 AND id <> $2 ORDER BY expires_at LIMIT 1) AS oldest \
             WHERE i.tenant = $1 AND i.id = oldest.id RETURNING oldest.bytes::bigint AS bytes",
            values![Id(tenant), Id(id)],
            |row| row.number::<i64>("bytes"),
        )
        .await?;
        match oldest {
            Some(bytes) => over -= bytes,
            None => break,
        }
    }
    Ok(())
}

impl IdempotencyStore for PostgresStore {
    fn begin_idempotent(&self, row: IdempotencyRow, now: Timestamp) -> StoreFuture<'_, Begun> {
        self.journal(row.tenant, (row, now), |tx, (row, now)| {
            Box::pin(async move {
                let begin = tx
                    .execute(
                        "INSERT INTO idempotency AS i (tenant, id, request, attempt, until, expires_at, answer) \
                     SELECT $1::uuid, $2::uuid, $3::bytea, $4::bigint, $5::timestamptz, $6::timestamptz, $7::bytea \
                     WHERE NOT EXISTS (SELECT FROM deleted_tenants WHERE id = $1) ON CONFLICT (tenant, id) DO UPDATE SET \
                     request = excluded.request, attempt = excluded.attempt, until = excluded.until, \
                     expires_at = excluded.expires_at, answer = excluded.answer WHERE i.expires_at <= $8",
                        values![
                            Id(row.tenant),
                            Id(row.id),
                            row.request,
                            number(row.attempt),
                            Time(row.until),
                            Time(row.expires_at),
                            row.answer,
                            Time(*now),
                        ],
                    )
                    .await?;
                if begin == 1 {
                    return Ok(Changed(Begun::Begun));
                }
                if tenant::is_deleted(tx, row.tenant).await? {
                    return Err(tenant_is_deleted());
                }
                let select = "SELECT tenant, id, request, attempt, until, expires_at, answer FROM idempotency \
                              WHERE tenant = $1 AND id = $2";
                let standing = tx.one(select, values![Id(row.tenant), Id(row.id)], read).await?;
                let standing = standing.ok_or_else(|| tx.begin_anew())?;
                Ok(Unchanged(Begun::Standing(standing)))
            })
        })
    }

    fn resume_idempotent(
        &self,
        tenant: TenantId,
        id: [u8; 16],
        attempt: u64,
        until: Timestamp,
    ) -> StoreFuture<'_, bool> {
        self.journal(
            tenant,
            (tenant, id, attempt, until),
            |tx, (tenant, id, attempt, until)| {
                Box::pin(async move {
                    let resume = "UPDATE idempotency SET attempt = attempt + 1, until = $4 \
                              WHERE tenant = $1 AND id = $2 AND attempt = $3 AND answer IS NULL";
                    let values = values![Id(*tenant), Id(*id), number(*attempt), Time(*until)];
                    Ok(Outcome::of_rows(tx.execute(resume, values).await?))
                })
            },
        )
    }

    fn finish_idempotent(
        &self,
        tenant: TenantId,
        id: [u8; 16],
        attempt: u64,
        answer: Vec<u8>,
        room: usize,
    ) -> StoreFuture<'_, bool> {
        let given = (tenant, id, attempt, answer, room);
        self.journal(tenant, given, |tx, (tenant, id, attempt, answer, room)| {
            Box::pin(async move {
                let finish = "UPDATE idempotency SET answer = $4 \
                              WHERE tenant = $1 AND id = $2 AND attempt = $3 AND answer IS NULL";
                let values = values![Id(*tenant), Id(*id), number(*attempt), answer];
                let finished = tx.execute(finish, values).await?;
                if finished == 1 {
                    make_room(tx, *tenant, *id, *room).await?;
                }
                Ok(Outcome::of_rows(finished))
            })
        })
    }

    fn release_idempotent(&self, tenant: TenantId, id: [u8; 16], attempt: u64) -> StoreFuture<'_, bool> {
        self.journal(tenant, (tenant, id, attempt), |tx, (tenant, id, attempt)| {
            Box::pin(async move {
                let release =
                    "DELETE FROM idempotency WHERE tenant = $1 AND id = $2 AND attempt = $3 AND answer IS NULL";
                let values = values![Id(*tenant), Id(*id), number(*attempt)];
                Ok(Outcome::of_rows(tx.execute(release, values).await?))
            })
        })
    }

    fn prune_idempotency(&self, now: Timestamp, limit: usize) -> StoreFuture<'_, usize> {
        self.journal(None, (now, limit), |tx, (now, limit)| {
            Box::pin(async move {
                let prune = "SELECT prune_idempotency($1, $2) AS pruned";
                let values = values![Time(*now), number(*limit)];
                let pruned = tx.one(prune, values, |row| row.number("pruned")).await?;
                Ok(match pruned {
                    None | Some(0) => Unchanged(0),
                    Some(pruned) => Changed(pruned),
                })
            })
        })
    }
}
