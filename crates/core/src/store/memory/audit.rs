//! The audit chain.

use super::{
    super::{AuditFilter, AuditRow, AuditStore, Scanned, StoreFuture, entity},
    MemoryStore,
    Outcome::Changed,
};
use crate::{
    audit::{Trail, chain::Verified},
    id::TenantId,
};

fn fits(filter: &AuditFilter, row: &AuditRow) -> bool {
    let entry = &row.entry;
    filter
        .entity
        .as_ref()
        .is_none_or(|wanted| entity(&entry.action) == *wanted)
        && filter.action.as_ref().is_none_or(|wanted| entry.action == *wanted)
        && filter.subject.as_ref().is_none_or(|wanted| entry.subject == *wanted)
        && filter.actor.as_ref().is_none_or(|wanted| entry.actor == *wanted)
        && filter.from.is_none_or(|from| entry.at >= from)
        && filter.to.is_none_or(|to| entry.at < to)
}

fn head(rows: &[AuditRow]) -> Option<Verified> {
    let last = rows.last()?;
    Some(Verified {
        seq: last.seq,
        hash: last.hash,
    })
}

impl AuditStore for MemoryStore {
    fn record(&self, tenant: TenantId, trail: Trail) -> StoreFuture<'_, ()> {
        self.change(tenant, trail, |_| Ok(Changed(())))
    }

    fn audit_entries(&self, tenant: TenantId, after: u64, limit: usize) -> StoreFuture<'_, Vec<AuditRow>> {
        self.read(move |state| {
            let rows = state.audit.get(&tenant).map_or(&[][..], Vec::as_slice);
            rows.iter().filter(|row| row.seq > after).take(limit).cloned().collect()
        })
    }

    fn find_audit(&self, filter: AuditFilter) -> StoreFuture<'_, Scanned<AuditRow, u64>> {
        self.read(move |state| {
            let rows = state.audit.get(&filter.tenant).map_or(&[][..], Vec::as_slice);
            let mut rows: Vec<&AuditRow> = rows.iter().collect();
            if filter.newest_first {
                rows.reverse();
                rows.retain(|row| filter.after.is_none_or(|after| row.seq < after));
            } else {
                rows.retain(|row| filter.after.is_none_or(|after| row.seq > after));
            }
            let stopped = (rows.len() > filter.scan).then(|| rows[filter.scan - 1].seq);
            rows.truncate(filter.scan);
            rows.retain(|row| fits(&filter, row));
            let stopped = stopped.filter(|_| rows.len() < filter.limit);
            rows.truncate(filter.limit);
            let rows = rows.into_iter().cloned().collect();
            Scanned { rows, stopped }
        })
    }

    fn audit_head(&self, tenant: TenantId) -> StoreFuture<'_, Option<Verified>> {
        self.read(move |state| head(state.audit.get(&tenant)?))
    }

    fn audit_heads(&self, after: Option<TenantId>, limit: usize) -> StoreFuture<'_, Vec<(TenantId, Verified)>> {
        self.read(move |state| {
            let heads = state
                .audit
                .iter()
                .filter_map(|(tenant, rows)| Some((*tenant, head(rows)?)));
            let mut heads: Vec<_> = heads
                .filter(|(tenant, _)| after.is_none_or(|after| *tenant > after))
                .collect();
            heads.sort_by_key(|(tenant, _)| *tenant);
            heads.truncate(limit);
            heads
        })
    }
}
