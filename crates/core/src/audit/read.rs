//! Reading the chain.

use super::{Actor, Link};
use crate::{
    clock::Timestamp,
    connectors::Connectors,
    error::{Code, Error, Result},
    id::TenantId,
    limits::{EXPORT_STEP, MAX_AUDIT_WINDOW, MAX_ROWS_SCANNED},
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

/// Beyond which place to go on; from the start, unless given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beyond(pub Option<u64>);

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

    /// The entries that fit behind the first `skip` of them, beyond place `after`: as many as asked for, unless the log ends.
    ///
    /// # Errors
    /// `REQUEST_INVALID` for more than [`MAX_AUDIT_WINDOW`] entries.
    pub async fn audit_window(
        &self,
        by: &Actor,
        query: &AuditQuery,
        after: Option<u64>,
        skip: usize,
        take: usize,
    ) -> Result<Page<AuditRow, u64>> {
        let Some(after) = self.audit_skip(by, query, after, skip).await? else {
            return Ok(Page {
                rows: Vec::new(),
                next: None,
            });
        };
        let mut page = self.audit_page(by, query, after.0, page::bounded(take)).await?;
        while let (Some(next), left @ 1..) = (page.next, page::bounded(take) - page.rows.len()) {
            let more = self.audit_page(by, query, Some(next), left).await?;
            page.rows.extend(more.rows);
            page.next = more.next;
        }
        Ok(page)
    }

    /// The place beyond which an export begins that skips some entries; nothing where the log ends before.
    ///
    /// # Errors
    /// `REQUEST_INVALID` for more than [`MAX_AUDIT_WINDOW`] entries.
    pub async fn audit_skip(
        &self,
        by: &Actor,
        query: &AuditQuery,
        after: Option<u64>,
        skip: usize,
    ) -> Result<Option<Beyond>> {
        if skip > MAX_AUDIT_WINDOW {
            let detail = format!("`skip` goes up to {MAX_AUDIT_WINDOW}: go on from `nextCursor`, or search by time.");
            let message = format!("must be at most {MAX_AUDIT_WINDOW}");
            return Err(Error::new(Code::RequestInvalid, detail).field("/skip", message));
        }
        let (mut after, mut left) = (after, skip);
        while left > 0 {
            let page = self.audit_page(by, query, after, left.min(EXPORT_STEP)).await?;
            left -= page.rows.len();
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(None),
            }
        }
        Ok(Some(Beyond(after)))
    }

    /// What [`audit_log`](Self::audit_log) lists, by the larger pages of an export.
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
