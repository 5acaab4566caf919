//! The feed. Its places and who may read how far are told in the migration that makes it.

use tieline::{
    Result,
    clock::Timestamp,
    event::{EventKind, FeedEvent},
    id::TenantId,
    store::{FeedRow, FeedStore, StoreFuture},
};
use tokio_postgres::Row;

use super::{
    PostgresStore,
    tx::{ReadTx, Tx},
    value::{Columns, Id, Read, Time, number, values},
};
use crate::outcome::Outcome::{Changed, Unchanged};

/// Writes a change's events, at places that its transaction's number gives them.
pub(super) async fn append(tx: &Tx, tenant: TenantId, events: &[FeedEvent]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let first = tx.number_events(events.len())?;
    tx.execute(
        "INSERT INTO feed (seq, id, at, kind, tenant, subject) \
         SELECT b.base + (pg_current_xact_id()::text::bigint << 16) + $2 + e.nth - 1, e.id, e.at, e.kind, $1, e.subject \
         FROM feed_base AS b, unnest($3::uuid[], $4::timestamptz[], $5::text[], $6::bytea[]) \
         WITH ORDINALITY AS e (id, at, kind, subject, nth)",
        values![
            Id(tenant),
            first,
            events.iter().map(|event| Id(event.id)).collect::<Vec<_>>(),
            events.iter().map(|event| Time(event.at)).collect::<Vec<_>>(),
            events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(),
            events.iter().map(|event| event.subject.as_bytes()).collect::<Vec<_>>(),
        ],
    )
    .await
    .map(drop)
}

fn read(row: &Row) -> Read<FeedRow> {
    Ok(FeedRow {
        seq: row.number("seq")?,
        event: row.id("id")?,
        at: row.time("at")?,
        kind: EventKind::named(row.try_get("kind")?),
        tenant: row.id("tenant")?,
        subject: row.text("subject")?,
    })
}

/// The places of the oldest and the newest change; 0 when there is none.
async fn ends(tx: &ReadTx) -> Result<(u64, u64)> {
    let select = "SELECT first, last FROM ends_of_feed()";
    let ends = tx.one(select, &[], |row| Ok((row.number("first")?, row.number("last")?)));
    Ok(ends.await?.unwrap_or_default())
}

impl FeedStore for PostgresStore {
    fn read_feed(&self, after: u64, limit: usize) -> StoreFuture<'_, Vec<FeedRow>> {
        self.follow((after, limit), |tx, (after, limit)| {
            Box::pin(async move {
                let select = "SELECT seq, id, at, kind, tenant, subject FROM read_feed($1, $2)";
                tx.all(select, values![number(*after), number(*limit)], read).await
            })
        })
    }

    fn feed_end(&self) -> StoreFuture<'_, u64> {
        self.follow((), |tx, ()| Box::pin(async { Ok(ends(tx).await?.1) }))
    }

    fn prune_feed(&self, before: Timestamp, limit: usize) -> StoreFuture<'_, usize> {
        self.journal(None, (before, limit), |tx, (before, limit)| {
            Box::pin(async move {
                let prune = "SELECT prune_feed($1, $2) AS pruned";
                let values = values![Time(*before), number(*limit)];
                let pruned = tx.one(prune, values, |row| row.number("pruned")).await?;
                Ok(match pruned {
                    None | Some(0) => Unchanged(0),
                    Some(pruned) => Changed(pruned),
                })
            })
        })
    }

    fn feed_start(&self) -> StoreFuture<'_, u64> {
        self.follow((), |tx, ()| Box::pin(async { Ok(ends(tx).await?.0) }))
    }

    fn feed_moved(&self) -> futures_util::future::BoxFuture<'_, ()> {
        // `notified` counts from here, not from its first poll.
        Box::pin(self.desk.moved.notified())
    }
}
