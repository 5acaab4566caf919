//! Work that is due.

use std::time::Duration;

use rusqlite::params;
use tieline::{
    Result,
    clock::{SignedDuration, Timestamp},
    id::{ConnectionId, TenantId},
    store::{Claim, ConnectionRow, StoreFuture, WorkKind, WorkStore},
};

use super::{
    SqliteStore,
    tx::Tx,
    value::{Count, Time},
    writer::Outcome::{Changed, Unchanged},
};

/// What is due and at nobody's, a turn for every tenant. Of each no more is looked at than could be taken.
const CLAIMABLE: &str = "WITH RECURSIVE waiting (tenant) AS ( \
         SELECT min(tenant) FROM work WHERE kind = ?1 \
         UNION ALL \
         SELECT (SELECT min(w.tenant) FROM work w WHERE w.kind = ?1 AND w.tenant > waiting.tenant) \
         FROM waiting WHERE waiting.tenant IS NOT NULL \
     ) \
     SELECT w.tenant, w.key, w.epoch, w.due, row_number() OVER (PARTITION BY w.tenant ORDER BY w.due, w.key) AS turn \
     FROM waiting JOIN work w ON w.kind = ?1 AND w.tenant = waiting.tenant AND w.key IN ( \
         SELECT d.key FROM work d WHERE d.kind = ?1 AND d.tenant = waiting.tenant AND d.due <= ?2 \
         AND (d.until IS NULL OR d.until <= ?2) ORDER BY d.due, d.key LIMIT ?3) \
     ORDER BY turn, w.due, w.tenant LIMIT ?3";

/// A new connection's work.
pub(super) fn insert(tx: &Tx<'_>, row: &ConnectionRow) -> Result<()> {
    let insert = "INSERT INTO work (tenant, kind, key, due) VALUES (?1, ?2, ?3, ?4)";
    let kind = WorkKind::Health.as_str();
    let params = params![row.tenant.as_bytes(), kind, row.id.as_bytes(), Time(row.created_at)];
    tx.execute(insert, params).map(drop)
}

/// A deleted connection's work.
pub(super) fn delete(tx: &Tx<'_>, tenant: TenantId, id: ConnectionId) -> Result<()> {
    let delete = "DELETE FROM work WHERE tenant = ?1 AND kind = ?2 AND key = ?3";
    let params = params![tenant.as_bytes(), WorkKind::Health.as_str(), id.as_bytes()];
    tx.execute(delete, params).map(drop)
}

impl WorkStore for SqliteStore {
    fn claim_due(
        &self,
        kind: WorkKind,
        claimant: &str,
        lease: Duration,
        most: usize,
        now: Timestamp,
    ) -> StoreFuture<'_, Vec<Claim>> {
        let claimant = claimant.to_owned();
        let lease = SignedDuration::try_from(lease).unwrap_or(SignedDuration::MAX);
        let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
        self.writer.journal(move |tx| {
            let claims = tx.all(CLAIMABLE, params![kind.as_str(), Time(now), Count::of(most)], |row| {
                Ok(Claim {
                    kind,
                    tenant: TenantId::from_bytes(row.get("tenant")?),
                    key: row.get("key")?,
                    epoch: row.get::<_, Count>("epoch")?.0 + 1,
                    due: row.get::<_, Time>("due")?.0,
                })
            })?;
            for claim in &claims {
                tx.execute(
                    "UPDATE work SET owner = ?4, epoch = ?5, until = ?6 WHERE tenant = ?1 AND kind = ?2 AND key = ?3",
                    params![
                        claim.tenant.as_bytes(),
                        kind.as_str(),
                        claim.key,
                        claimant,
                        Count(claim.epoch),
                        Time(until)
                    ],
                )?;
            }
            Ok(match claims.is_empty() {
                true => Unchanged(claims),
                false => Changed(claims),
            })
        })
    }

    fn finish_work(&self, claim: &Claim, next_due: Timestamp) -> StoreFuture<'_, bool> {
        let claim = claim.clone();
        self.writer.journal(move |tx| {
            let finished = tx.execute(
                "UPDATE work SET due = min(?5, coalesce(hastened, ?5)), hastened = NULL, owner = NULL, until = NULL \
                 WHERE tenant = ?1 AND kind = ?2 AND key = ?3 AND epoch = ?4 AND until IS NOT NULL",
                params![
                    claim.tenant.as_bytes(),
                    claim.kind.as_str(),
                    claim.key,
                    Count(claim.epoch),
                    Time(next_due)
                ],
            )?;
            Ok(if finished == 1 { Changed(true) } else { Unchanged(false) })
        })
    }

    fn hasten_work(&self, tenant: TenantId, kind: WorkKind, key: [u8; 16], due: Timestamp) -> StoreFuture<'_, ()> {
        self.writer.journal(move |tx| {
            let hastened = tx.execute(
                "UPDATE work SET due = min(due, ?4), epoch = max(epoch, 1), \
                 hastened = CASE WHEN until IS NOT NULL THEN ?4 END WHERE tenant = ?1 AND kind = ?2 AND key = ?3 \
                 AND (due > ?4 OR epoch = 0 OR until IS NOT NULL)",
                params![tenant.as_bytes(), kind.as_str(), key, Time(due)],
            )?;
            Ok(if hastened == 1 { Changed(()) } else { Unchanged(()) })
        })
    }

    fn next_work(&self, tenant: TenantId, kind: WorkKind, key: [u8; 16]) -> StoreFuture<'_, Option<Timestamp>> {
        self.readers.read(move |tx| {
            let select = "SELECT due FROM work WHERE tenant = ?1 AND kind = ?2 AND key = ?3 AND epoch > 0";
            let params = params![tenant.as_bytes(), kind.as_str(), key];
            tx.one(select, params, |row| row.get::<_, Time>("due").map(|due| due.0))
        })
    }
}
