//! The audit chain.

use rusqlite::{Row, params};
use tieline::{
    Result,
    audit::{AuditEntry, GENESIS, Trail, chain::Verified},
    clock::Timestamp,
    id::{AuditId, TenantId},
    store::{AuditFilter, AuditRow, AuditStore, Scanned, StoreFuture},
};

use super::{
    SqliteStore,
    tx::{ReadTx, Tx},
    value::{Count, Time},
    writer::Outcome,
};
use crate::search::{self, stopped_at};

/// Appends a change's entries to the tenant's chain and moves its head.
pub(super) fn append(tx: &Tx<'_>, tenant: TenantId, trail: &Trail) -> Result<()> {
    let head = tx.one(
        "SELECT seq, hash FROM audit_heads WHERE tenant = ?1",
        [tenant.as_bytes()],
        |row| Ok((row.get::<_, Count>("seq")?.0, row.get("hash")?)),
    )?;
    let (seq, hash) = head.unwrap_or((0, GENESIS));
    let rows = trail.rows_after(seq, hash);
    for AuditRow { seq, entry, hash } in &rows {
        tx.execute(
            "INSERT INTO audit (tenant, seq, id, at, actor, action, subject, detail, hash) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                tenant.as_bytes(),
                Count(*seq),
                entry.id.as_bytes(),
                Time(entry.at),
                entry.actor,
                entry.action,
                entry.subject,
                entry.detail,
                hash,
            ],
        )?;
    }
    if let Some(last) = rows.last() {
        tx.execute(
            "INSERT INTO audit_heads (tenant, seq, hash) VALUES (?1, ?2, ?3) \
             ON CONFLICT (tenant) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
            params![tenant.as_bytes(), Count(last.seq), last.hash],
        )?;
    }
    Ok(())
}

/// A row as it stands. What somebody altered so that it is no value of ours becomes another value, which its hash does not
/// fit: then the row is named as altered, and does not hide itself and all others behind an error.
fn read(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    Ok(AuditRow {
        seq: row.get::<_, Count>("seq")?.0,
        entry: AuditEntry {
            id: AuditId::from_bytes(row.get("id").unwrap_or_default()),
            tenant: TenantId::from_bytes(row.get("tenant")?),
            at: row.get::<_, Time>("at").map_or(Timestamp::UNIX_EPOCH, |at| at.0),
            actor: text(row, "actor")?,
            action: text(row, "action")?,
            subject: text(row, "subject")?,
            detail: text(row, "detail")?,
        },
        hash: row.get("hash").unwrap_or_default(),
    })
}

/// A text, with marks in the place of bytes that are none.
fn text(row: &Row<'_>, column: &str) -> rusqlite::Result<String> {
    let bytes = row.get_ref(column)?.as_bytes().unwrap_or_default();
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

macro_rules! columns {
    () => {
        "tenant, seq, id, at, actor, action, subject, detail, hash"
    };
}

/// What an action is about, exactly as the index has it.
macro_rules! entity {
    () => {
        "substr(action, 1, instr(action || '.', '.') - 1)"
    };
}

/// A search: one statement that looks at a bounded number of rows, in the order of an index, and keeps those that fit; one
/// that tells at which row it stopped.
struct Search {
    find: &'static str,
    stop: &'static str,
}

macro_rules! search {
    ($order:literal, $($from:expr),+) => {
        Search {
            find: concat!(
                "SELECT * FROM (SELECT ",
                columns!(),
                $($from,)+
                " AND tenant = ?1 AND seq > ?2 AND seq < ?3 ORDER BY seq ",
                $order,
                " LIMIT ?4) WHERE (?6 IS NULL OR subject = ?6) AND (?7 IS NULL OR actor = ?7) \
                 AND (?8 IS NULL OR action = ?8) AND (?9 IS NULL OR ",
                entity!(),
                " = ?9) AND (?10 IS NULL OR at >= ?10) AND (?11 IS NULL OR at < ?11) ORDER BY seq ",
                $order,
                " LIMIT ?12"
            ),
            stop: concat!(
                "SELECT seq",
                $($from,)+
                " AND tenant = ?1 AND seq > ?2 AND seq < ?3 ORDER BY seq ",
                $order,
                " LIMIT 2 OFFSET ?4"
            ),
        }
    };
}

macro_rules! either_way {
    ($newest_first:expr, $($from:expr),+) => {
        if $newest_first { search!("DESC", $($from),+) } else { search!("ASC", $($from),+) }
    };
}

fn find(tx: &ReadTx<'_>, filter: &AuditFilter) -> Result<Scanned<AuditRow, u64>> {
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
        let search = either_way!(
            newest_first,
            " FROM audit INDEXED BY audit_by_subject WHERE subject = ?5"
        );
        (search, subject)
    } else if actor.is_some() {
        let search = either_way!(newest_first, " FROM audit INDEXED BY audit_by_actor WHERE actor = ?5");
        (search, actor)
    } else if action.is_some() {
        let search = either_way!(newest_first, " FROM audit INDEXED BY audit_by_action WHERE action = ?5");
        (search, action)
    } else if entity.is_some() {
        let search = either_way!(
            newest_first,
            " FROM audit INDEXED BY audit_by_entity WHERE ",
            entity!(),
            " = ?5"
        );
        (search, entity)
    } else {
        (either_way!(newest_first, " FROM audit WHERE ?5 IS NULL"), &None)
    };
    let tenant = filter.tenant.as_bytes();
    let (after, before) = match (filter.after, newest_first) {
        (Some(after), false) => (after, u64::MAX),
        (Some(before), true) => (0, before),
        (None, _) => (0, u64::MAX),
    };
    let found = params![
        tenant,
        Count(after),
        Count(before),
        Count::of(window.scan),
        key,
        subject,
        actor,
        action,
        entity,
        filter.from.map(Time),
        filter.to.map(Time),
        Count::of(filter.limit),
    ];
    let rows = tx.all(search.find, found, read)?;
    if window.is_told_by(rows.len()) {
        return Ok(Scanned { rows, stopped: None });
    }
    let last = params![
        tenant,
        Count(after),
        Count(before),
        Count::of(window.before_last()),
        key
    ];
    let last = tx.all(search.stop, last, |row| Ok(row.get::<_, Count>("seq")?.0))?;
    Ok(stopped_at(rows, &last))
}

fn read_head(row: &Row<'_>) -> rusqlite::Result<Verified> {
    Ok(Verified {
        seq: row.get::<_, Count>("seq")?.0,
        hash: row.get("hash")?,
    })
}

impl AuditStore for SqliteStore {
    fn record(&self, tenant: TenantId, trail: Trail) -> StoreFuture<'_, ()> {
        self.writer.change(tenant, trail, |_| Ok(Outcome::Changed(())))
    }

    fn audit_entries(&self, tenant: TenantId, after: u64, limit: usize) -> StoreFuture<'_, Vec<AuditRow>> {
        self.readers.read(move |tx| {
            tx.all(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM audit WHERE tenant = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"
                ),
                params![tenant.as_bytes(), Count(after), Count::of(limit)],
                read,
            )
        })
    }

    fn find_audit(&self, filter: AuditFilter) -> StoreFuture<'_, Scanned<AuditRow, u64>> {
        self.readers.read(move |tx| find(tx, &filter))
    }

    fn audit_head(&self, tenant: TenantId) -> StoreFuture<'_, Option<Verified>> {
        self.readers.read(move |tx| {
            let select = "SELECT seq, hash FROM audit_heads WHERE tenant = ?1";
            tx.one(select, [tenant.as_bytes()], read_head)
        })
    }

    fn audit_heads(&self, after: Option<TenantId>, limit: usize) -> StoreFuture<'_, Vec<(TenantId, Verified)>> {
        self.readers.read(move |tx| {
            let after = after.as_ref().map_or(&[][..], |id| id.as_bytes());
            let select = "SELECT tenant, seq, hash FROM audit_heads WHERE tenant > ?1 ORDER BY tenant LIMIT ?2";
            tx.all(select, params![after, Count::of(limit)], |row| {
                Ok((TenantId::from_bytes(row.get("tenant")?), read_head(row)?))
            })
        })
    }
}
