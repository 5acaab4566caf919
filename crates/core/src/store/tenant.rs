//! Tenants: the hard wall.

use super::{ApiKeyRow, Inserted, StoreFuture};
use crate::{
    audit::Trail,
    clock::Timestamp,
    error::{Code, Error},
    id::TenantId,
};

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

/// What is counted of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Countable {
    /// Connections.
    Connections,
    /// Shared credentials.
    Credentials,
    /// API keys that are not revoked.
    ApiKeys,
    /// Members.
    Members,
    /// Invitations, those whose time is over and that nothing swept yet too.
    Invitations,
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

    /// Deletes a tenant with its keys, sessions, links, memberships, connections, credentials and data keys, and the doors
    /// to them; who belongs to no other tenant is known no more. `false` when there is no such tenant.
    ///
    /// The audit chain stays, this change its last entry, and so do changes in the feed. Calls and usage stay for
    /// [`sweep_deleted_tenants`](Self::sweep_deleted_tenants), though the tenant is none that ever called any more. From then on every change of the tenant fails with
    /// [`tenant_is_deleted`] and leaves nothing, calls are not appended any more, and the identifier is never given anew.
    fn delete_tenant(&self, id: TenantId, at: Timestamp, trail: Trail) -> StoreFuture<'_, bool>;

    /// Takes out calls and usage of deleted tenants, at most so many rows of each; says how many rows went.
    fn sweep_deleted_tenants(&self, limit: usize) -> StoreFuture<'_, usize>;

    /// How many a tenant has; counts no further than `most`.
    fn count_of(&self, tenant: TenantId, what: Countable, most: usize) -> StoreFuture<'_, usize>;

    /// One tenant.
    fn tenant(&self, id: TenantId) -> StoreFuture<'_, Option<TenantRow>>;

    /// The tenant with this name.
    fn tenant_by_name(&self, name: &str) -> StoreFuture<'_, Option<TenantRow>>;

    /// Tenants by identifier, those after `after`.
    fn tenants(&self, after: Option<TenantId>, limit: usize) -> StoreFuture<'_, Vec<TenantRow>>;
}

/// What a store says to whoever would change something of a tenant that was deleted.
pub fn tenant_is_deleted() -> Error {
    Error::new(
        Code::TenantDeleted,
        "The tenant was deleted meanwhile: nothing of it can be used or changed any more.",
    )
}
