//! Wrapped data keys, and the fingerprint of the master key they are wrapped with.

use super::{Inserted, StoreFuture};
use crate::{audit::Trail, clock::Timestamp, id::TenantId};

/// A tenant's data key as stored: wrapped by the master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataKeyRow {
    /// Whose key it is.
    pub tenant: TenantId,
    /// Its number: 1, 2, 3 …; stands in the header of everything sealed with it.
    pub id: u32,
    /// The key, sealed with the master key.
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Keeps data keys.
pub trait DataKeyStore: Send + Sync + 'static {
    /// A tenant's data keys, oldest first.
    fn data_keys(&self, tenant: TenantId) -> StoreFuture<'_, Vec<DataKeyRow>>;

    /// Adds a data key, unless the tenant has one with this number.
    fn add_data_key(&self, row: DataKeyRow, trail: Trail) -> StoreFuture<'_, Inserted<DataKeyRow>>;

    /// The fingerprint that was kept first: `fingerprint` itself on a fresh database.
    fn keep_master_fingerprint(&self, fingerprint: [u8; 32]) -> StoreFuture<'_, [u8; 32]>;

    /// The fingerprint, if one was kept.
    fn master_fingerprint(&self) -> StoreFuture<'_, Option<[u8; 32]>>;
}
