//! What tests of connections found out.

use rusqlite::{Row, params};
use tieline::{
    Result,
    clock::Timestamp,
    id::{CallId, ConnectionId, TenantId},
    store::{HealthStore, StoreFuture, TestFilter, TestRow},
};

use super::{
    SqliteStore,
    tx::Tx,
    value::{Cause, Count, State, Time},
    writer::Outcome::{Changed, Unchanged},
};

fn read(row: &Row<'_>) -> rusqlite::Result<TestRow> {
    Ok(TestRow {
        tenant: TenantId::from_bytes(row.get("tenant")?),
        connection: ConnectionId::from_bytes(row.get("connection")?),
        id: CallId::from_bytes(row.get("id")?),
        at: row.get::<_, Time>("at")?.0,
        success: row.get("success")?,
        state: row.get::<_, Option<State>>("state")?.map(|state| state.0),
        finding: row.get("finding")?,
        code: row.get("code")?,
        message: row.get("message")?,
        latency_ms: row.get::<_, Count>("latency_ms")?.0,
        cause: row.get::<_, Cause>("cause")?.0,
        actor: row.get("actor")?,
    })
}

/// Stands behind every identifier, which have 16 bytes.
const BEHIND_ALL: [u8; 17] = [0xff; 17];

/// Writes a test of a connection that is there.
fn insert(tx: &Tx<'_>, row: &TestRow) -> Result<usize> {
    tx.execute(
        "INSERT INTO tests (tenant, connection, id, at, success, state, finding, code, message, latency_ms, cause, actor) \
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 \
         WHERE EXISTS (SELECT 1 FROM connections WHERE tenant = ?1 AND id = ?2)",
        params![
            row.tenant.as_bytes(),
            row.connection.as_bytes(),
            row.id.as_bytes(),
            Time(row.at),
            row.success,
            row.state.map(State),
            row.finding,
            row.code,
            row.message,
            Count(row.latency_ms),
            Cause(row.cause),
            row.actor,
        ],
    )
}

/// A deleted connection's tests.
pub(super) fn delete(tx: &Tx<'_>, tenant: TenantId, id: ConnectionId) -> Result<()> {
    let delete = "DELETE FROM tests WHERE tenant = ?1 AND connection = ?2";
    tx.execute(delete, params![tenant.as_bytes(), id.as_bytes()]).map(drop)
}

impl HealthStore for SqliteStore {
    fn note_test(&self, row: TestRow, keep: usize) -> StoreFuture<'_, ()> {
        self.writer.journal(move |tx| {
            if insert(tx, &row)? == 0 {
                return Ok(Unchanged(()));
            }
            tx.execute(
                "DELETE FROM tests WHERE tenant = ?1 AND connection = ?2 AND id <= (SELECT id FROM tests \
                 WHERE tenant = ?1 AND connection = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
                params![row.tenant.as_bytes(), row.connection.as_bytes(), Count::of(keep)],
            )?;
            Ok(Changed(()))
        })
    }

    fn tests(&self, filter: TestFilter) -> StoreFuture<'_, Vec<TestRow>> {
        self.readers.read(move |tx| {
            let before = filter.before.as_ref().map_or(&BEHIND_ALL[..], |id| id.as_bytes());
            tx.all(
                "SELECT tenant, connection, id, at, success, state, finding, code, message, latency_ms, cause, actor \
                 FROM tests WHERE tenant = ?1 AND connection = ?2 AND id < ?3 AND (?4 IS NULL OR state = ?4) \
                 ORDER BY id DESC LIMIT ?5",
                params![
                    filter.tenant.as_bytes(),
                    filter.connection.as_bytes(),
                    before,
                    filter.state.map(State),
                    Count::of(filter.limit),
                ],
                read,
            )
        })
    }

    fn prune_tests(&self, before: Timestamp, limit: usize) -> StoreFuture<'_, usize> {
        self.writer.journal(move |tx| {
            let pruned = tx.execute(
                "DELETE FROM tests WHERE (tenant, connection, id) IN \
                 (SELECT tenant, connection, id FROM tests WHERE at < ?1 ORDER BY at LIMIT ?2)",
                params![Time(before), Count::of(limit)],
            )?;
            Ok(if pruned == 0 { Unchanged(0) } else { Changed(pruned) })
        })
    }
}
