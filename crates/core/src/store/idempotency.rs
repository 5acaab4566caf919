//! Requests that are run once: who runs one, and how it ended. A journal of its own, so it takes no trail.

use super::StoreFuture;
use crate::{clock::Timestamp, id::TenantId};

/// A request under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRow {
    /// Whose it is.
    pub tenant: TenantId,
    /// What the key, its principal and the route come to.
    pub id: [u8; 16],
    /// The sealed fingerprint of what was asked.
    pub request: Vec<u8>,
    /// Which run this is, from 1 on. Only the run that is named can end it.
    pub attempt: u64,
    /// Until when the run is taken to be under way.
    pub until: Timestamp,
    /// From when on the key is as good as new.
    pub expires_at: Timestamp,
    /// How it ended, sealed; no bytes once it made room for later answers.
    pub answer: Option<Vec<u8>>,
}

/// What came of beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// The row is in: its run is the caller's.
    Begun,
    /// There is one already; nothing was changed.
    Standing(IdempotencyRow),
}

/// Keeps requests that are run once.
pub trait IdempotencyStore: Send + Sync + 'static {
    /// Puts a row in, in the place of one that has expired at `now` if need be. Of many at once, one begins.
    /// Fails with `TENANT_DELETED` for a tenant that was.
    fn begin_idempotent(&self, row: IdempotencyRow, now: Timestamp) -> StoreFuture<'_, Begun>;

    /// Takes over a run that has not ended: `false` when `attempt` is not its latest, or it has ended.
    fn resume_idempotent(
        &self,
        tenant: TenantId,
        id: [u8; 16],
        attempt: u64,
        until: Timestamp,
    ) -> StoreFuture<'_, bool>;

    /// Ends a run: `false`, and nothing is written, when `attempt` is not the latest or it has ended. Where the tenant's
    /// answers then have more than `room` bytes together, those that expire first become empty, but never this one.
    fn finish_idempotent(
        &self,
        tenant: TenantId,
        id: [u8; 16],
        attempt: u64,
        answer: Vec<u8>,
        room: usize,
    ) -> StoreFuture<'_, bool>;

    /// Removes a run that has not ended: `false` when `attempt` is not the latest or it has ended.
    fn release_idempotent(&self, tenant: TenantId, id: [u8; 16], attempt: u64) -> StoreFuture<'_, bool>;

    /// Removes up to `limit` rows of any tenant that have expired at `now`; says how many.
    fn prune_idempotency(&self, now: Timestamp, limit: usize) -> StoreFuture<'_, usize>;
}
