//! API keys, and the door that finds one by its hash before any tenant is known.

use super::{StoreFuture, Updated};
use crate::{
    audit::Trail,
    clock::Timestamp,
    environment::Environment,
    id::{ApiKeyId, TenantId},
};

/// An API key as stored: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRow {
    /// Its identifier.
    pub id: ApiKeyId,
    /// Whose key it is.
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// The first characters, to recognise it by.
    pub prefix: String,
    /// The permission map as JSON text; what its names mean is not the store's business.
    pub permissions: String,
    /// The environment it is bound to.
    pub environment: Option<Environment>,
    /// From where it may be used, as JSON text; from everywhere, unless it says.
    pub networks: Option<String>,
    /// Rises with every change of the row; its use is none.
    pub version: u64,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// Since when it is revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, as far as it was written down.
    pub last_used_at: Option<Timestamp>,
}

/// That a key was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiKeyUse {
    /// Whose key it is.
    pub tenant: TenantId,
    /// Which key it is.
    pub key: ApiKeyId,
    /// When.
    pub at: Timestamp,
}

/// What the door says of a hash: ids only, no payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Door {
    /// Whose key it is.
    pub tenant: TenantId,
    /// Which key it is.
    pub key: ApiKeyId,
}

/// Keeps API keys.
pub trait ApiKeyStore: Send + Sync + 'static {
    /// Makes a key and its door.
    fn create_api_key(&self, key: ApiKeyRow, trail: Trail) -> StoreFuture<'_, ()>;

    /// Whose key has this hash. The one read across tenants besides the feed.
    fn open_door(&self, hash: [u8; 32]) -> StoreFuture<'_, Option<Door>>;

    /// One key of a tenant.
    fn api_key(&self, tenant: TenantId, id: ApiKeyId) -> StoreFuture<'_, Option<ApiKeyRow>>;

    /// A tenant's keys by identifier, those after `after`.
    fn api_keys(&self, tenant: TenantId, after: Option<ApiKeyId>, limit: usize) -> StoreFuture<'_, Vec<ApiKeyRow>>;

    /// Replaces name, permissions, expiry and networks of the key with this identifier, if its stored version is
    /// `expected_version` and it is not revoked. Nothing else of a key ever changes.
    fn update_api_key(&self, key: ApiKeyRow, expected_version: u64, trail: Trail) -> StoreFuture<'_, Updated>;

    /// Writes down when keys were used; the latest time stands. What is not there is passed over. This is no change of a
    /// key, so it has no trail and leaves the version alone.
    fn note_api_key_uses(&self, uses: Vec<ApiKeyUse>) -> StoreFuture<'_, ()>;

    /// Revokes a key from `at` on, and takes the links that it made. `false` when there is none, or when it was revoked before.
    fn revoke_api_key(&self, tenant: TenantId, id: ApiKeyId, at: Timestamp, trail: Trail) -> StoreFuture<'_, bool>;
}
