//! The audit chain.

use rusqlite::{Row, params};
use tieline::{
    Result,
    audit::{AuditEntry, GENESIS, Trail},
    id::{AuditId, TenantId},
    store::{AuditRow, AuditStore, StoreFuture},
};

use super::{
    SqliteStore,
    tx::Tx,
    value::{Count, Time},
    writer::Outcome,
};

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

fn read(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    Ok(AuditRow {
        seq: row.get::<_, Count>("seq")?.0,
        entry: AuditEntry {
            id: AuditId::from_bytes(row.get("id")?),
            tenant: TenantId::from_bytes(row.get("tenant")?),
            at: row.get::<_, Time>("at")?.0,
            actor: row.get("actor")?,
            action: row.get("action")?,
            subject: row.get("subject")?,
            detail: row.get("detail")?,
        },
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
                "SELECT tenant, seq, id, at, actor, action, subject, detail, hash FROM audit \
                 WHERE tenant = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
                params![tenant.as_bytes(), Count(after), Count::of(limit)],
                read,
            )
        })
    }
}
