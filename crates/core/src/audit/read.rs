//! Reading the chain.

use super::{Actor, Link};
use crate::{
    connectors::Connectors,
    error::Result,
    id::TenantId,
    page::{self, Page},
    store::AuditRow,
};

impl Connectors {
    /// The tenant's entries in order, those after place `after`.
    pub async fn audit_entries(&self, by: &Actor, after: u64, limit: usize) -> Result<Page<AuditRow, u64>> {
        let limit = page::bounded(limit);
        let rows = self.inner.store.audit_entries(by.tenant, after, limit + 1).await?;
        Ok(Page::cut(rows, limit, |row| row.seq))
    }

    /// Computes the links of the tenant's chain, to verify it with [`chain`](super::chain).
    pub fn audit_link(&self, tenant: TenantId) -> Link {
        self.inner.vault.link(tenant)
    }
}
