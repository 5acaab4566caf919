//! Reading the chain.

use super::{Actor, Link};
use crate::{
    clock::Timestamp,
    connectors::Connectors,
    error::Result,
    id::TenantId,
    limits::{EXPORT_STEP, MAX_ROWS_SCANNED},
    page::{self, Page},
    store::{AuditFilter, AuditRow},
};

/// Which entries to list. All that are given must hold.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// About this kind of thing: what stands in the action before its first dot, such as `connection`.
    pub entity: Option<String>,
    /// Of this action, such as `connection.created`.
    pub action: Option<String>,
    /// About the row with this identifier.
    pub subject: Option<String>,
    /// By this actor.
    pub actor: Option<String>,
    /// Not before this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// From the last entry to the first.
    pub newest_first: bool,
}

impl Connectors {
    /// The tenant's entries in order, those after place `after`.
    pub async fn audit_entries(&self, by: &Actor, after: u64, limit: usize) -> Result<Page<AuditRow, u64>> {
        let limit = page::bounded(limit);
        let rows = self.inner.store.audit_entries(by.tenant, after, limit + 1).await?;
        Ok(Page::cut(rows, limit, |row| row.seq))
    }

    /// The tenant's entries that fit, beyond place `after` in the order that is asked for. A page of a search that finds
    /// little may be short, or empty, and still have a next one.
    pub async fn audit_log(
        &self,
        by: &Actor,
        query: &AuditQuery,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Page<AuditRow, u64>> {
        self.audit_page(by, query, after, page::bounded(limit)).await
    }

    /// The same, by the larger pages of an export.
    pub async fn audit_export(
        &self,
        by: &Actor,
        query: &AuditQuery,
        after: Option<u64>,
    ) -> Result<Page<AuditRow, u64>> {
        self.audit_page(by, query, after, EXPORT_STEP).await
    }

    async fn audit_page(
        &self,
        by: &Actor,
        query: &AuditQuery,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Page<AuditRow, u64>> {
        let query = query.clone();
        let filter = AuditFilter {
            tenant: by.tenant,
            entity: query.entity,
            action: query.action,
            subject: query.subject,
            actor: query.actor,
            from: query.from,
            to: query.to,
            after,
            newest_first: query.newest_first,
            limit: limit + 1,
            scan: MAX_ROWS_SCANNED,
        };
        let found = self.inner.store.find_audit(filter).await?;
        let page = Page::cut(found.rows, limit, |row| row.seq);
        Ok(Page {
            next: page.next.or(found.stopped),
            ..page
        })
    }

    /// Computes the links of the tenant's chain, to verify it with [`chain`](super::chain).
    pub fn audit_link(&self, tenant: TenantId) -> Link {
        self.inner.vault.link(tenant)
    }
}
