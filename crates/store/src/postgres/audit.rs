//! The audit chain.

use tieline::{
    Error, Result,
    audit::{AuditEntry, GENESIS, Hash, Trail, chain::Verified},
    id::TenantId,
    store::{AuditFilter, AuditRow, AuditStore, Scanned, StoreFuture},
};
use tokio_postgres::Row;

use super::{
    PostgresStore,
    tx::{ReadTx, Tx},
    value::{Columns, Id, Read, Time, behind, maybe, number, values},
};
use crate::{
    outcome::Outcome,
    search::{self, stopped_at},
};

/// Appends a change's entries to the tenant's chain and moves its head.
pub(super) async fn append(tx: &Tx, tenant: TenantId, trail: &Trail) -> Result<()> {
    if trail.entries.is_empty() {
        return Ok(());
    }
    let (seq, hash) = lock_head(tx, tenant).await?;
    let rows = trail.rows_after(seq, hash);
    let (last, entries) = (&rows[rows.len() - 1], rows.iter().map(|row| &row.entry));
    tx.execute(
        "INSERT INTO audit (tenant, seq, id, at, actor, action, subject, detail, hash) \
         SELECT $1, e.* FROM unnest($2::bigint[], $3::uuid[], $4::timestamptz[], $5::bytea[], $6::bytea[], $7::bytea[], \
         $8::bytea[], $9::bytea[]) AS e",
        values![
            Id(tenant),
            rows.iter().map(|row| number(row.seq)).collect::<Vec<_>>(),
            entries.clone().map(|entry| Id(entry.id)).collect::<Vec<_>>(),
            entries.clone().map(|entry| Time(entry.at)).collect::<Vec<_>>(),
            entries.clone().map(|entry| entry.actor.as_bytes()).collect::<Vec<_>>(),
            entries.clone().map(|entry| entry.action.as_bytes()).collect::<Vec<_>>(),
            entries.clone().map(|entry| entry.subject.as_bytes()).collect::<Vec<_>>(),
            entries.clone().map(|entry| entry.detail.as_bytes()).collect::<Vec<_>>(),
            rows.iter().map(|row| &row.hash[..]).collect::<Vec<_>>(),
        ],
    ).await?;
    let advance = "UPDATE audit_heads SET seq = $2, hash = $3 WHERE tenant = $1";
    tx.execute(advance, values![Id(tenant), number(last.seq), &last.hash[..]])
        .await
        .map(drop)
}

/// The end of a tenant's chain, which is this transaction's from now on.
pub(super) async fn lock_head(tx: &Tx, tenant: TenantId) -> Result<(u64, Hash)> {
    let lock = "SELECT seq, hash FROM audit_heads WHERE tenant = $1 FOR UPDATE";
    let read = |row: &Row| Ok((row.number("seq")?, row.array("hash")?));
    if let Some(head) = tx.one(lock, values![Id(tenant)], read).await? {
        return Ok(head);
    }
    // Of many who begin a chain one makes the row, and the others wait for it here.
    let begin = "INSERT INTO audit_heads (tenant, seq, hash) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING";
    tx.execute(begin, values![Id(tenant), &GENESIS[..]]).await?;
    let head = tx.one(lock, values![Id(tenant)], read).await?;
    head.ok_or_else(|| Error::internal("a chain has no head", tenant.to_string()))
}

/// A row as it stands. Bytes that somebody altered so that they are no text become marks, which the row's hash does not fit:
/// then the row is named as altered, and does not hide itself and all others behind an error.
fn read(row: &Row) -> Read<AuditRow> {
    Ok(AuditRow {
        seq: row.number("seq")?,
        entry: AuditEntry {
            id: row.id("id")?,
            tenant: row.id("tenant")?,
            at: row.time("at")?,
            actor: row.lossy_text("actor")?,
            action: row.lossy_text("action")?,
            subject: row.lossy_text("subject")?,
            detail: row.lossy_text("detail")?,
        },
        hash: row.array("hash")?,
    })
}

macro_rules! columns {
    () => {
        "tenant, seq, id, at, actor, action, subject, detail, hash"
    };
}

/// A search: one statement that looks at a bounded number of rows, in the order of an index, and keeps those that fit; one
/// that tells at which row it stopped.
struct Search {
    find: &'static str,
    stop: &'static str,
}

macro_rules! search {
    ($order:literal, $which:literal) => {
        Search {
            find: concat!(
                "SELECT * FROM (SELECT entity, ",
                columns!(),
                " FROM audit WHERE tenant = $1 AND seq > $2 AND seq < $3 AND ",
                $which,
                " ORDER BY seq ",
                $order,
                " LIMIT $4) AS looked_at WHERE ($6::bytea IS NULL OR subject = $6) AND ($7::bytea IS NULL OR actor = $7) \
                 AND ($8::bytea IS NULL OR action = $8) AND ($9::bytea IS NULL OR entity = $9) \
                 AND ($10::timestamptz IS NULL OR at >= $10) AND ($11::timestamptz IS NULL OR at < $11) ORDER BY seq ",
                $order,
                " LIMIT $12"
            ),
            stop: concat!(
                "SELECT seq FROM audit WHERE tenant = $1 AND seq > $2 AND seq < $3 AND ",
                $which,
                " ORDER BY seq ",
                $order,
                " LIMIT 2 OFFSET $4"
            ),
        }
    };
}

macro_rules! either_way {
    ($newest_first:expr, $which:literal) => {
        if $newest_first {
            search!("DESC", $which)
        } else {
            search!("ASC", $which)
        }
    };
}

async fn find(tx: &ReadTx, filter: &AuditFilter) -> Result<Scanned<AuditRow, u64>> {
    let newest_first = filter.newest_first;
    let AuditFilter {
        subject,
        actor,
        action,
        entity,
        ..
    } = filter;
    let window = search::of_audit(filter);
    // The index of what is given that fits the fewest rows.
    let (search, key) = if subject.is_some() {
        (either_way!(newest_first, "subject = $5"), subject)
    } else if actor.is_some() {
        (either_way!(newest_first, "actor = $5"), actor)
    } else if action.is_some() {
        (either_way!(newest_first, "action = $5"), action)
    } else if entity.is_some() {
        (either_way!(newest_first, "entity = $5"), entity)
    } else {
        (either_way!(newest_first, "$5::bytea IS NULL"), &None)
    };
    let (after, before) = match (filter.after, newest_first) {
        (Some(after), false) => (after, u64::MAX),
        (Some(before), true) => (0, before),
        (None, _) => (0, u64::MAX),
    };
    let found = values![
        Id(filter.tenant),
        number(after),
        number(before),
        number(window.scan),
        maybe(key),
        maybe(subject),
        maybe(actor),
        maybe(action),
        maybe(entity),
        filter.from.map(Time),
        filter.to.map(Time),
        number(filter.limit),
    ];
    let rows = tx.all(search.find, found, read).await?;
    if window.is_told_by(rows.len()) {
        return Ok(Scanned { rows, stopped: None });
    }
    let last = values![
        Id(filter.tenant),
        number(after),
        number(before),
        number(window.before_last()),
        maybe(key),
    ];
    let last = tx.all(search.stop, last, |row| row.number("seq")).await?;
    Ok(stopped_at(rows, &last))
}

fn read_head(row: &Row) -> Read<Verified> {
    Ok(Verified {
        seq: row.number("seq")?,
        hash: row.array("hash")?,
    })
}

impl AuditStore for PostgresStore {
    fn record(&self, tenant: TenantId, trail: Trail) -> StoreFuture<'_, ()> {
        self.change(tenant, trail, (), |_, ()| Box::pin(async { Ok(Outcome::Changed(())) }))
    }

    fn audit_entries(&self, tenant: TenantId, after: u64, limit: usize) -> StoreFuture<'_, Vec<AuditRow>> {
        self.read(tenant, (tenant, after, limit), |tx, (tenant, after, limit)| {
            Box::pin(async move {
                let select = concat!(
                    "SELECT ",
                    columns!(),
                    " FROM audit WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT $3"
                );
                tx.all(select, values![Id(*tenant), number(*after), number(*limit)], read)
                    .await
            })
        })
    }

    fn find_audit(&self, filter: AuditFilter) -> StoreFuture<'_, Scanned<AuditRow, u64>> {
        self.read(filter.tenant, filter, |tx, filter| Box::pin(find(tx, filter)))
    }

    fn audit_head(&self, tenant: TenantId) -> StoreFuture<'_, Option<Verified>> {
        self.read(tenant, tenant, |tx, tenant| {
            Box::pin(async move {
                let select = "SELECT seq, hash FROM audit_heads WHERE tenant = $1";
                tx.one(select, values![Id(*tenant)], read_head).await
            })
        })
    }

    fn audit_heads(&self, after: Option<TenantId>, limit: usize) -> StoreFuture<'_, Vec<(TenantId, Verified)>> {
        self.read(None, (after, limit), |tx, (after, limit)| {
            Box::pin(async move {
                let select = "SELECT tenant, seq, hash FROM heads_of_chains($1, $2)";
                tx.all(select, values![behind(*after), number(*limit)], |row| {
                    Ok((row.id("tenant")?, read_head(row)?))
                })
                .await
            })
        })
    }
}
