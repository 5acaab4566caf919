//! The ledger of calls.

use rusqlite::{Row, ToSql, params};
use tieline::{
    Error, Result,
    audit::Trail,
    id::{CallId, ConnectionId, CredentialId, TenantId},
    store::{CallBatch, CallEntry, CallFilter, CallRow, CallStore, Scanned, StoreFuture},
};

use super::{
    SqliteStore, tenant,
    tx::{ReadTx, Tx},
    usage,
    value::{Count, Kind, Time},
    writer::Outcome::{Changed, Unchanged},
};
use crate::search::{self, CallIndex, stopped_at};

/// Writes a batch behind the tenant's calls; answers the trail that tells of it.
fn append(tx: &Tx<'_>, batch: &CallBatch) -> Result<Trail> {
    let tenant = batch.tenant;
    if batch.calls.iter().any(|call| call.tenant != tenant) {
        return Err(Error::internal(
            "a batch holds another tenant's call",
            tenant.to_string(),
        ));
    }
    let head = "SELECT seq FROM call_heads WHERE tenant = ?1";
    let head = tx.one(head, [tenant.as_bytes()], |row| row.get::<_, Count>("seq"))?;
    let first = head.map_or(0, |last| last.0) + 1;
    let (rows, trail) = batch.seal.rows(first, &batch.calls);
    for row in &rows {
        insert(tx, row)?;
    }
    if let Some(last) = rows.last() {
        tx.execute(
            "INSERT INTO call_heads (tenant, seq) VALUES (?1, ?2) ON CONFLICT (tenant) DO UPDATE SET seq = excluded.seq",
            params![tenant.as_bytes(), Count(last.seq)],
        )?;
    }
    usage::add(tx, tenant, &batch.usage)?;
    Ok(trail)
}

fn insert(tx: &Tx<'_>, CallRow { seq, entry, mark }: &CallRow) -> Result<()> {
    tx.execute(
        "INSERT INTO calls (tenant, seq, id, at, actor, kind, connector, action, connection, credential, outcome, status, \
         micros, attempts, sent, received, mark) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        params![
            entry.tenant.as_bytes(),
            Count(*seq),
            entry.id.as_bytes(),
            Time(entry.at),
            entry.actor,
            Kind(entry.kind),
            entry.connector,
            entry.action,
            entry.connection.as_ref().map(ConnectionId::as_bytes),
            entry.credential.as_ref().map(CredentialId::as_bytes),
            entry.outcome,
            entry.status,
            Count(entry.micros),
            entry.attempts,
            entry.sent.map(Count),
            entry.received.map(Count),
            mark,
        ],
    )
    .map(drop)
}

macro_rules! columns {
    () => {
        "tenant, seq, id, at, actor, kind, connector, action, connection, credential, outcome, status, micros, attempts, \
         sent, received, mark"
    };
}

fn read(row: &Row<'_>) -> rusqlite::Result<CallRow> {
    Ok(CallRow {
        seq: row.get::<_, Count>("seq")?.0,
        entry: CallEntry {
            id: CallId::from_bytes(row.get("id")?),
            tenant: TenantId::from_bytes(row.get("tenant")?),
            at: row.get::<_, Time>("at")?.0,
            actor: row.get("actor")?,
            kind: row.get::<_, Kind>("kind")?.0,
            connector: row.get("connector")?,
            action: row.get("action")?,
            connection: row.get::<_, Option<_>>("connection")?.map(ConnectionId::from_bytes),
            credential: row.get::<_, Option<_>>("credential")?.map(CredentialId::from_bytes),
            outcome: row.get("outcome")?,
            status: row.get("status")?,
            micros: row.get::<_, Count>("micros")?.0,
            attempts: row.get("attempts")?,
            sent: row.get::<_, Option<Count>>("sent")?.map(|sent| sent.0),
            received: row.get::<_, Option<Count>>("received")?.map(|received| received.0),
        },
        mark: row.get("mark")?,
    })
}

/// A search: one statement that looks at a bounded number of rows, in the order of an index, and keeps those that fit; one
/// that tells at which row it stopped.
struct Search {
    find: &'static str,
    stop: &'static str,
}

macro_rules! search {
    ($from:literal) => {
        Search {
            find: concat!(
                "SELECT * FROM (SELECT ",
                columns!(),
                $from,
                " AND tenant = ?1 AND id >= ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4) \
                 WHERE (?6 IS NULL OR connection = ?6) AND (?7 IS NULL OR connector = ?7) AND (?8 IS NULL OR actor = ?8) \
                 AND (?9 IS NULL OR outcome = ?9) AND (?10 IS NULL OR at >= ?10) AND (?11 IS NULL OR at < ?11) \
                 ORDER BY id DESC LIMIT ?12"
            ),
            stop: concat!(
                "SELECT id",
                $from,
                " AND tenant = ?1 AND id >= ?2 AND id < ?3 ORDER BY id DESC LIMIT 2 OFFSET ?4"
            ),
        }
    };
}

const BY_TIME: Search = search!(" FROM calls WHERE ?5 IS NULL");
const BY_CONNECTION: Search = search!(" FROM calls INDEXED BY calls_by_connection WHERE connection = ?5");
const FAILED: Search = search!(" FROM calls INDEXED BY calls_that_failed WHERE outcome = ?5 AND outcome <> 'ok'");

/// More than any identifier.
const CEILING: [u8; 17] = [0xff; 17];

fn find(tx: &ReadTx<'_>, filter: &CallFilter) -> Result<Scanned<CallRow, CallId>> {
    let connection = filter.connection.as_ref().map(ConnectionId::as_bytes);
    let (index, window) = search::of_calls(filter);
    let (search, key): (Search, Option<&dyn ToSql>) = match index {
        CallIndex::Connection => (BY_CONNECTION, Some(&connection)),
        CallIndex::Failed => (FAILED, Some(&filter.outcome)),
        CallIndex::Time => (BY_TIME, None),
    };
    let floor = filter.from.map(CallId::first_at);
    let floor = floor.as_ref().map_or(&[][..], |id| id.as_bytes());
    let before = filter.before.as_ref().map_or(&CEILING[..], |id| id.as_bytes());
    let tenant = filter.tenant.as_bytes();
    let found = params![
        tenant,
        floor,
        before,
        Count::of(window.scan),
        key,
        connection,
        filter.connector,
        filter.actor,
        filter.outcome,
        filter.from.map(Time),
        filter.to.map(Time),
        Count::of(filter.limit),
    ];
    let rows = tx.all(search.find, found, read)?;
    if window.is_told_by(rows.len()) {
        return Ok(Scanned { rows, stopped: None });
    }
    let last = params![tenant, floor, before, Count::of(window.before_last()), key];
    let last = tx.all(search.stop, last, |row| row.get("id").map(CallId::from_bytes))?;
    Ok(stopped_at(rows, &last))
}

impl CallStore for SqliteStore {
    fn append_calls(&self, batches: Vec<CallBatch>) -> StoreFuture<'_, ()> {
        self.writer.append(move |tx| {
            let mut trails = Vec::with_capacity(batches.len());
            for batch in &batches {
                if !tenant::is_deleted(tx, batch.tenant)? {
                    trails.push((batch.tenant, append(tx, batch)?));
                }
            }
            Ok(trails)
        })
    }

    fn call(&self, tenant: TenantId, id: CallId) -> StoreFuture<'_, Option<CallRow>> {
        self.readers.read(move |tx| {
            let select = concat!("SELECT ", columns!(), " FROM calls WHERE tenant = ?1 AND id = ?2");
            tx.one(select, params![tenant.as_bytes(), id.as_bytes()], read)
        })
    }

    fn calls(&self, filter: CallFilter) -> StoreFuture<'_, Scanned<CallRow, CallId>> {
        self.readers.read(move |tx| find(tx, &filter))
    }

    fn calls_in_order(&self, tenant: TenantId, after: u64, limit: usize) -> StoreFuture<'_, Vec<CallRow>> {
        self.readers.read(move |tx| {
            let select = concat!(
                "SELECT ",
                columns!(),
                " FROM calls WHERE tenant = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"
            );
            tx.all(select, params![tenant.as_bytes(), Count(after), Count::of(limit)], read)
        })
    }

    fn prune_calls(&self, tenant: TenantId, through: u64, trail: Trail) -> StoreFuture<'_, usize> {
        self.writer.change(tenant, trail, move |tx| {
            let delete = "DELETE FROM calls WHERE tenant = ?1 AND seq <= ?2";
            match tx.execute(delete, params![tenant.as_bytes(), Count(through)])? {
                0 => Ok(Unchanged(0)),
                count => Ok(Changed(count)),
            }
        })
    }

    fn calling_tenants(&self, after: Option<TenantId>, limit: usize) -> StoreFuture<'_, Vec<TenantId>> {
        self.readers.read(move |tx| {
            let after = after.as_ref().map_or(&[][..], |id| id.as_bytes());
            let select = "SELECT tenant FROM call_heads WHERE tenant > ?1 ORDER BY tenant LIMIT ?2";
            tx.all(select, params![after, Count::of(limit)], |row| {
                row.get("tenant").map(TenantId::from_bytes)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use rusqlite::{Connection, OpenFlags, StatementStatus};
    use tieline::store::conformance::sample;

    use super::*;

    const ROWS: usize = 5_000;
    const PAGE: usize = 10;

    fn page(tenant: TenantId) -> CallFilter {
        CallFilter {
            tenant,
            connection: None,
            connector: None,
            actor: None,
            outcome: None,
            from: None,
            to: None,
            before: None,
            limit: PAGE,
            scan: 2 * ROWS,
        }
    }

    /// How many rows a page has, and how much SQLite worked for it, in steps of its machine.
    fn found(connection: &Connection, filter: &CallFilter, search: &Search) -> (usize, i32) {
        let found = find(&ReadTx::new(connection, &AtomicU64::new(0)), filter).unwrap();
        assert_eq!(found.stopped, None);
        let statement = connection.prepare_cached(search.find).unwrap();
        (found.rows.len(), statement.reset_status(StatementStatus::VmStep))
    }

    #[tokio::test]
    async fn a_page_costs_its_rows_and_not_the_ledgers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tieline.db");
        let store = SqliteStore::open(&path).unwrap();
        let tenant = sample::tenant_id();
        let calls = (0..ROWS as i64).map(|n| {
            let mut call = sample::call_at(tenant, sample::at(n));
            call.connection = Some(sample::CONNECTION);
            call.outcome = "UPSTREAM_TIMEOUT".to_owned();
            call
        });
        store
            .append_calls(vec![sample::call_batch(calls.collect())])
            .await
            .unwrap();
        let connection = super::super::connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let half = sample::at(ROWS as i64 / 2);
        let until_half = CallFilter {
            to: Some(half),
            before: Some(CallId::first_at(half)),
            ..page(tenant)
        };
        let with = CallFilter {
            connection: Some(sample::CONNECTION),
            ..until_half.clone()
        };
        let failed = CallFilter {
            outcome: Some("UPSTREAM_TIMEOUT".to_owned()),
            from: Some(sample::at(9)),
            ..until_half.clone()
        };
        for (filter, search) in [
            (page(tenant), BY_TIME),
            (until_half, BY_TIME),
            (with, BY_CONNECTION),
            (failed, FAILED),
        ] {
            let (rows, steps) = found(&connection, &filter, &search);
            assert_eq!(rows, PAGE);
            assert!(steps < 200 * PAGE as i32, "{steps} steps for {filter:?}");
        }
        // What the measure says of a search that no index holds, and that finds nothing.
        let rare = CallFilter {
            connector: Some("none".to_owned()),
            ..page(tenant)
        };
        let (rows, steps) = found(&connection, &rare, &BY_TIME);
        assert!(rows == 0 && steps > 2 * ROWS as i32, "{steps} steps");
    }
}
