//! The ledger of calls.

use tieline::{
    Error, Result,
    audit::Trail,
    id::{CallId, TenantId},
    store::{CallBatch, CallEntry, CallFilter, CallRow, CallStore, Scanned, StoreFuture},
};
use tokio_postgres::Row;

use super::{
    PostgresStore, append_trail, tenant,
    tx::{ReadTx, Tx},
    usage,
    value::{Columns, Id, Read, Time, Value, behind, maybe, number, up_to, values},
};
use crate::{
    outcome::Outcome::{Changed, Unchanged},
    search::{self, CallIndex, stopped_at},
    word::Word,
};

/// Writes a batch behind the tenant's calls; answers the trail that tells of it.
async fn append(tx: &Tx, batch: &CallBatch) -> Result<Trail> {
    let tenant = batch.tenant;
    if batch.calls.iter().any(|call| call.tenant != tenant) {
        return Err(Error::internal(
            "a batch holds another tenant's call",
            tenant.to_string(),
        ));
    }
    let last: u64 = lock_head(tx, tenant).await?;
    let (rows, trail) = batch.seal.rows(last + 1, &batch.calls);
    if let Some(last) = rows.last() {
        insert(tx, tenant, &rows).await?;
        let advance = "UPDATE call_heads SET seq = $2 WHERE tenant = $1";
        tx.execute(advance, values![Id(tenant), number(last.seq)]).await?;
    }
    usage::add(tx, tenant, &batch.usage).await?;
    Ok(trail)
}

/// The last place of a tenant's ledger, which is this transaction's from now on.
async fn lock_head(tx: &Tx, tenant: TenantId) -> Result<u64> {
    let lock = "SELECT seq FROM call_heads WHERE tenant = $1 FOR UPDATE";
    if let Some(last) = tx.one(lock, values![Id(tenant)], |row| row.number("seq")).await? {
        return Ok(last);
    }
    // Of many who begin a ledger one makes the row, and the others wait for it here.
    let begin = "INSERT INTO call_heads (tenant, seq) VALUES ($1, 0) ON CONFLICT DO NOTHING";
    tx.execute(begin, values![Id(tenant)]).await?;
    let last = tx.one(lock, values![Id(tenant)], |row| row.number("seq")).await?;
    last.ok_or_else(|| Error::internal("a ledger has no head", tenant.to_string()))
}

async fn insert(tx: &Tx, tenant: TenantId, rows: &[CallRow]) -> Result<()> {
    fn column<'r, T>(rows: &'r [CallRow], value: impl Fn(&'r CallEntry) -> T) -> Vec<T> {
        rows.iter().map(|row| value(&row.entry)).collect()
    }
    tx.execute(
        "INSERT INTO calls (tenant, seq, id, at, actor, kind, connector, action, connection, credential, outcome, status, \
         micros, attempts, sent, received, mark) SELECT $1, c.* FROM unnest($2::bigint[], $3::uuid[], $4::timestamptz[], \
         $5::bytea[], $6::text[], $7::bytea[], $8::bytea[], $9::uuid[], $10::uuid[], $11::bytea[], $12::bigint[], \
         $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bytea[]) AS c",
        values![
            Id(tenant),
            rows.iter().map(|row| number(row.seq)).collect::<Vec<_>>(),
            column(rows, |call| Id(call.id)),
            column(rows, |call| Time(call.at)),
            column(rows, |call| call.actor.as_bytes()),
            column(rows, |call| call.kind.name()),
            column(rows, |call| call.connector.as_bytes()),
            column(rows, |call| maybe(&call.action)),
            column(rows, |call| call.connection.map(Id)),
            column(rows, |call| call.credential.map(Id)),
            column(rows, |call| call.outcome.as_bytes()),
            column(rows, |call| call.status.map(number)),
            column(rows, |call| number(call.micros)),
            column(rows, |call| number(call.attempts)),
            column(rows, |call| call.sent.map(number)),
            column(rows, |call| call.received.map(number)),
            rows.iter().map(|row| &row.mark[..]).collect::<Vec<_>>(),
        ],
    )
    .await
    .map(drop)
}

macro_rules! columns {
    () => {
        "tenant, seq, id, at, actor, kind, connector, action, connection, credential, outcome, status, micros, attempts, \
         sent, received, mark"
    };
}

fn read(row: &Row) -> Read<CallRow> {
    Ok(CallRow {
        seq: row.number("seq")?,
        entry: CallEntry {
            id: row.id("id")?,
            tenant: row.id("tenant")?,
            at: row.time("at")?,
            actor: row.text("actor")?,
            kind: row.word("kind")?,
            connector: row.text("connector")?,
            action: row.maybe_text("action")?,
            connection: row.maybe_id("connection")?,
            credential: row.maybe_id("credential")?,
            outcome: row.text("outcome")?,
            status: row.maybe_number("status")?,
            micros: row.number("micros")?,
            attempts: row.number("attempts")?,
            sent: row.maybe_number("sent")?,
            received: row.maybe_number("received")?,
        },
        mark: row.array("mark")?,
    })
}

/// A search: one statement that looks at a bounded number of rows, in the order of an index, and keeps those that fit; one
/// that tells at which row it stopped.
struct Search {
    find: &'static str,
    stop: &'static str,
}

macro_rules! search {
    ($which:literal) => {
        Search {
            find: concat!(
                "SELECT * FROM (SELECT ",
                columns!(),
                " FROM calls WHERE tenant = $1 AND id >= $2 AND id <= $3 AND ",
                $which,
                " ORDER BY id DESC LIMIT $4) AS looked_at WHERE ($6::uuid IS NULL OR connection = $6) \
                 AND ($7::bytea IS NULL OR connector = $7) AND ($8::bytea IS NULL OR actor = $8) \
                 AND ($9::bytea IS NULL OR outcome = $9) AND ($10::timestamptz IS NULL OR at >= $10) \
                 AND ($11::timestamptz IS NULL OR at < $11) ORDER BY id DESC LIMIT $12"
            ),
            stop: concat!(
                "SELECT id FROM calls WHERE tenant = $1 AND id >= $2 AND id <= $3 AND ",
                $which,
                " ORDER BY id DESC LIMIT 2 OFFSET $4"
            ),
        }
    };
}

const BY_TIME: Search = search!("$5::bytea IS NULL");
const BY_CONNECTION: Search = search!("connection = $5");
const FAILED: Search = search!("outcome = $5 AND outcome <> 'ok'");

async fn find(tx: &ReadTx, filter: &CallFilter) -> Result<Scanned<CallRow, CallId>> {
    let connection = filter.connection.map(Id);
    let outcome = maybe(&filter.outcome);
    let (index, window) = search::of_calls(filter);
    let (search, key): (Search, Value<'_>) = match index {
        CallIndex::Connection => (BY_CONNECTION, &connection),
        CallIndex::Failed => (FAILED, &outcome),
        CallIndex::Time => (BY_TIME, &None::<&[u8]>),
    };
    let (tenant, before) = (Id(filter.tenant), up_to(filter.before));
    // Inclusive, unlike the place after which a page begins.
    let floor = filter.from.map(CallId::first_at).map(Id);
    let floor: Value<'_> = match &floor {
        Some(floor) => floor,
        None => &behind(None::<CallId>),
    };
    let found: &[Value<'_>] = &[
        &tenant,
        floor,
        &before,
        &number(window.scan),
        key,
        &connection,
        &maybe(&filter.connector),
        &maybe(&filter.actor),
        &outcome,
        &filter.from.map(Time),
        &filter.to.map(Time),
        &number(filter.limit),
    ];
    let rows = tx.all(search.find, found, read).await?;
    if window.is_told_by(rows.len()) {
        return Ok(Scanned { rows, stopped: None });
    }
    let last: &[Value<'_>] = &[&tenant, floor, &before, &number(window.before_last()), key];
    let last = tx.all(search.stop, last, |row| row.id("id")).await?;
    Ok(stopped_at(rows, &last))
}

impl CallStore for PostgresStore {
    fn append_calls(&self, batches: Vec<CallBatch>) -> StoreFuture<'_, ()> {
        self.append(batches, |tx, batches| {
            Box::pin(async move {
                let mut trails = Vec::with_capacity(batches.len());
                for batch in batches {
                    tx.enter(batch.tenant).await?;
                    if tenant::is_deleted(tx, batch.tenant).await? {
                        continue;
                    }
                    let trail = append(tx, batch).await?;
                    trail.check_tenant(batch.tenant)?;
                    trails.push((batch.tenant, trail));
                }
                // The heads of the chains last, in the same order: whoever changes something in a tenant waits for them.
                for (tenant, trail) in &trails {
                    tx.enter(*tenant).await?;
                    append_trail(tx, *tenant, trail).await?;
                    if tenant::is_deleted(tx, *tenant).await? {
                        return Err(tx.begin_anew());
                    }
                }
                Ok(Changed(()))
            })
        })
    }

    fn call(&self, tenant: TenantId, id: CallId) -> StoreFuture<'_, Option<CallRow>> {
        self.read(tenant, (tenant, id), |tx, (tenant, id)| {
            Box::pin(async move {
                let select = concat!("SELECT ", columns!(), " FROM calls WHERE tenant = $1 AND id = $2");
                tx.one(select, values![Id(*tenant), Id(*id)], read).await
            })
        })
    }

    fn calls(&self, filter: CallFilter) -> StoreFuture<'_, Scanned<CallRow, CallId>> {
        self.read(filter.tenant, filter, |tx, filter| Box::pin(find(tx, filter)))
    }

    fn calls_in_order(&self, tenant: TenantId, after: u64, limit: usize) -> StoreFuture<'_, Vec<CallRow>> {
        self.read(tenant, (tenant, after, limit), |tx, (tenant, after, limit)| {
            Box::pin(async move {
                let select = concat!(
                    "SELECT ",
                    columns!(),
                    " FROM calls WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT $3"
                );
                tx.all(select, values![Id(*tenant), number(*after), number(*limit)], read)
                    .await
            })
        })
    }

    fn prune_calls(&self, tenant: TenantId, through: u64, trail: Trail) -> StoreFuture<'_, usize> {
        self.change(tenant, trail, (tenant, through), |tx, (tenant, through)| {
            Box::pin(async move {
                let delete = "DELETE FROM calls WHERE tenant = $1 AND seq <= $2";
                Ok(
                    match tx.execute(delete, values![Id(*tenant), number(*through)]).await? {
                        0 => Unchanged(0),
                        count => Changed(count as usize),
                    },
                )
            })
        })
    }

    fn calling_tenants(&self, after: Option<TenantId>, limit: usize) -> StoreFuture<'_, Vec<TenantId>> {
        self.read(None, (after, limit), |tx, (after, limit)| {
            Box::pin(async move {
                let select = "SELECT tenant FROM calling_tenants($1, $2)";
                tx.all(select, values![behind(*after), number(*limit)], |row| row.id("tenant"))
                    .await
            })
        })
    }
}
