//! Tenants: the hard wall.

use super::{ApiKeyRow, Inserted, StoreFuture};
use crate::{audit::Trail, clock::Timestamp, id::TenantId};

/// A tenant as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRow {
    /// Its identifier.
    pub id: TenantId,
    /// Its name, unique in the deployment.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Keeps tenants.
pub trait TenantStore: Send + Sync + 'static {
    /// Makes a tenant with its first key, together or not at all. `Taken` when the name is.
    fn create_tenant(
        &self,
        tenant: TenantRow,
        first_key: ApiKeyRow,
        trail: Trail,
    ) -> StoreFuture<'_, Inserted<TenantRow>>;

    /// One tenant.
    fn tenant(&self, id: TenantId) -> StoreFuture<'_, Option<TenantRow>>;

    /// The tenant with this name.
    fn tenant_by_name(&self, name: &str) -> StoreFuture<'_, Option<TenantRow>>;

    /// Tenants by identifier, those after `after`.
    fn tenants(&self, after: Option<TenantId>, limit: usize) -> StoreFuture<'_, Vec<TenantRow>>;
}
