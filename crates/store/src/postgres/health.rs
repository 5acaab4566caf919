//! What tests of connections found out.

use tieline::{
    Result,
    clock::Timestamp,
    id::{ConnectionId, TenantId},
    store::{HealthStore, StoreFuture, TestFilter, TestRow},
};
use tokio_postgres::Row;

use super::{
    PostgresStore,
    tx::Tx,
    value::{Columns, Id, Read, Time, maybe, number, up_to, values},
};
use crate::{
    outcome::Outcome::{Changed, Unchanged},
    word::Word,
};

fn read(row: &Row) -> Read<TestRow> {
    Ok(TestRow {
        tenant: row.id("tenant")?,
        connection: row.id("connection")?,
        id: row.id("id")?,
        at: row.time("at")?,
        success: row.try_get("success")?,
        state: row.maybe_word("state")?,
        finding: row.maybe_text("finding")?,
        code: row.maybe_text("code")?,
        message: row.text("message")?,
        latency_ms: row.number("latency_ms")?,
        cause: row.word("cause")?,
        actor: row.text("actor")?,
    })
}

/// Writes a test of a connection that is there, and is so until the end.
async fn insert(tx: &Tx, row: &TestRow) -> Result<u64> {
    let insert = "INSERT INTO tests \
         (tenant, connection, id, at, success, state, finding, code, message, latency_ms, cause, actor) \
         SELECT c.tenant, c.id, $3::uuid, $4::timestamptz, $5::boolean, $6::text, $7::bytea, $8::bytea, $9::bytea, \
         $10::bigint, $11::text, $12::bytea FROM connections c WHERE c.tenant = $1 AND c.id = $2 FOR KEY SHARE OF c";
    let values = values![
        Id(row.tenant),
        Id(row.connection),
        Id(row.id),
        Time(row.at),
        row.success,
        row.state.map(Word::name),
        maybe(&row.finding),
        maybe(&row.code),
        row.message.as_bytes(),
        number(row.latency_ms),
        row.cause.name(),
        row.actor.as_bytes(),
    ];
    tx.execute(insert, values).await
}

/// A deleted connection's tests. Who was writing one when it was deleted has written it by then.
pub(super) async fn delete(tx: &Tx, tenant: TenantId, id: ConnectionId) -> Result<()> {
    let delete = "DELETE FROM tests WHERE tenant = $1 AND connection = $2";
    tx.execute(delete, values![Id(tenant), Id(id)]).await.map(drop)
}

impl HealthStore for PostgresStore {
    fn note_test(&self, row: TestRow, keep: usize) -> StoreFuture<'_, ()> {
        self.journal(row.tenant, (row, keep), |tx, (row, keep)| {
            Box::pin(async move {
                if insert(tx, row).await? == 0 {
                    return Ok(Unchanged(()));
                }
                let surplus = "DELETE FROM tests WHERE tenant = $1 AND connection = $2 AND id <= (SELECT id FROM tests \
                               WHERE tenant = $1 AND connection = $2 ORDER BY id DESC LIMIT 1 OFFSET $3)";
                let values = values![Id(row.tenant), Id(row.connection), number(*keep)];
                tx.execute(surplus, values).await?;
                Ok(Changed(()))
            })
        })
    }

    fn tests(&self, filter: TestFilter) -> StoreFuture<'_, Vec<TestRow>> {
        self.read(filter.tenant, filter, |tx, filter| {
            Box::pin(async move {
                let select = "SELECT tenant, connection, id, at, success, state, finding, code, message, latency_ms, cause, \
                              actor FROM tests WHERE tenant = $1 AND connection = $2 AND id <= $3 \
                              AND ($4::text IS NULL OR state = $4) ORDER BY id DESC LIMIT $5";
                let values = values![
                    Id(filter.tenant),
                    Id(filter.connection),
                    up_to(filter.before),
                    filter.state.map(Word::name),
                    number(filter.limit),
                ];
                tx.all(select, values, read).await
            })
        })
    }

    fn prune_tests(&self, before: Timestamp, limit: usize) -> StoreFuture<'_, usize> {
        self.journal(None, (before, limit), |tx, (before, limit)| {
            Box::pin(async move {
                let prune = "SELECT prune_tests($1, $2) AS pruned";
                let values = values![Time(*before), number(*limit)];
                let pruned = tx.one(prune, values, |row| row.number("pruned")).await?;
                Ok(match pruned {
                    None | Some(0) => Unchanged(0),
                    Some(pruned) => Changed(pruned),
                })
            })
        })
    }
}
