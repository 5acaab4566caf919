//! Sign-ins that were begun at a service and have not come back yet.

use super::StoreFuture;
use crate::{
    audit::Trail,
    clock::Timestamp,
    id::{OAuthStateId, TenantId},
};

/// A sign-in that is under way, as stored: never its state, and what it was begun with only sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthStateRow {
    /// Its identifier.
    pub id: OAuthStateId,
    /// Whose it is.
    pub tenant: TenantId,
    /// SHA-256 of the state.
    pub hash: [u8; 32],
    /// What it was begun with, sealed.
    pub pending: Vec<u8>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// Until when it may come back.
    pub ends_at: Timestamp,
}

/// What the door says of a state's hash: ids only, no payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OAuthStateDoor {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which sign-in it is.
    pub state: OAuthStateId,
}

/// Keeps sign-ins that are under way.
pub trait OAuthStateStore: Send + Sync + 'static {
    /// Makes one and its door. Forgets the tenant's that are over by then and, where there are still more than `most`, the
    /// oldest.
    fn begin_oauth(&self, state: OAuthStateRow, most: usize, trail: Trail) -> StoreFuture<'_, ()>;

    /// Whose state has this hash.
    fn open_oauth_state(&self, hash: [u8; 32]) -> StoreFuture<'_, Option<OAuthStateDoor>>;

    /// Takes one out, with its door: of all who ask for it one is given it, and it is there no more. One that is over is
    /// given out like any other.
    fn take_oauth_state(
        &self,
        tenant: TenantId,
        id: OAuthStateId,
        trail: Trail,
    ) -> StoreFuture<'_, Option<OAuthStateRow>>;
}
