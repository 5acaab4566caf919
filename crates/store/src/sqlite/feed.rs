//! The feed.

use rusqlite::params;
use tieline::{
    Result,
    clock::Timestamp,
    event::{EventKind, FeedEvent},
    id::{EventId, TenantId},
    store::{FeedRow, FeedStore, StoreFuture},
};

use super::{
    SqliteStore,
    tx::Tx,
    value::{Count, Time},
    writer::Outcome::{Changed, Unchanged},
};

/// Writes a change's events; the writer's order of commit is the feed's.
pub(super) fn append(tx: &Tx<'_>, tenant: TenantId, events: &[FeedEvent]) -> Result<()> {
    for event in events {
        tx.execute(
            "INSERT INTO feed (id, at, kind, tenant, subject) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                event.id.as_bytes(),
                Time(event.at),
                event.kind.as_str(),
                tenant.as_bytes(),
                event.subject,
            ],
        )?;
    }
    Ok(())
}

impl FeedStore for SqliteStore {
    fn read_feed(&self, after: u64, limit: usize) -> StoreFuture<'_, Vec<FeedRow>> {
        self.readers.read(move |tx| {
            let select = "SELECT seq, id, at, kind, tenant, subject FROM feed WHERE seq > ?1 ORDER BY seq LIMIT ?2";
            tx.all(select, params![Count(after), Count::of(limit)], |row| {
                Ok(FeedRow {
                    seq: row.get::<_, Count>("seq")?.0,
                    event: EventId::from_bytes(row.get("id")?),
                    at: row.get::<_, Time>("at")?.0,
                    kind: EventKind::named(row.get_ref("kind")?.as_str()?),
                    tenant: TenantId::from_bytes(row.get("tenant")?),
                    subject: row.get("subject")?,
                })
            })
        })
    }

    fn feed_end(&self) -> StoreFuture<'_, u64> {
        self.readers.read(|tx| {
            let end = tx.one("SELECT seq FROM feed ORDER BY seq DESC LIMIT 1", [], |row| {
                row.get::<_, Count>("seq")
            })?;
            Ok(end.map_or(0, |end| end.0))
        })
    }

    fn prune_feed(&self, before: Timestamp, limit: usize) -> StoreFuture<'_, usize> {
        self.writer.change_meta(move |tx| {
            // A prefix of the feed: up to the first change that is not old, and never the newest. No more rows are looked
            // at than may be taken out.
            let delete = "WITH first AS MATERIALIZED (SELECT seq, at FROM feed ORDER BY seq LIMIT ?2) \
                          DELETE FROM feed WHERE seq IN (SELECT seq FROM first WHERE at < ?1) \
                          AND seq < (SELECT max(seq) FROM feed) \
                          AND seq < coalesce((SELECT min(seq) FROM first WHERE at >= ?1), 9223372036854775807)";
            match tx.execute(delete, params![Time(before), Count::of(limit)])? {
                0 => Ok(Unchanged(0)),
                count => Ok(Changed(count)),
            }
        })
    }

    fn feed_start(&self) -> StoreFuture<'_, u64> {
        self.readers.read(|tx| {
            let start = tx.one("SELECT seq FROM feed ORDER BY seq LIMIT 1", [], |row| {
                row.get::<_, Count>("seq")
            })?;
            Ok(start.map_or(0, |start| start.0))
        })
    }

    fn feed_moved(&self) -> futures_util::future::BoxFuture<'_, ()> {
        // `notified` counts from here, not from its first poll. Changes by other processes go unnoticed.
        Box::pin(self.moved.notified())
    }
}
