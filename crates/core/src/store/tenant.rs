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

/// What became of a renaming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renamed {
    /// It has the new name.
    Renamed,
    /// It had that name already, or there is no such tenant.
    Unchanged,
    /// Another tenant has the name.
    Taken,
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

    /// Gives a tenant another name. `Taken` when another has the name.
    fn rename_tenant(&self, id: TenantId, name: String, trail: Trail) -> StoreFuture<'_, Renamed>;

    /// One tenant.
    fn tenant(&self, id: TenantId) -> StoreFuture<'_, Option<TenantRow>>;

    /// The tenant with this name.
    fn tenant_by_name(&self, name: &str) -> StoreFuture<'_, Option<TenantRow>>;

    /// Tenants by identifier, those after `after`.
    fn tenants(&self, after: Option<TenantId>, limit: usize) -> StoreFuture<'_, Vec<TenantRow>>;
}
