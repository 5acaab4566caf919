//! Sessions, and the door that finds one by its hash before any tenant is known.

use super::StoreFuture;
use crate::{
    audit::Trail,
    clock::Timestamp,
    id::{SessionId, TenantId, UserId},
};

/// A session as stored: never its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Its identifier.
    pub id: SessionId,
    /// The one tenant it is good for.
    pub tenant: TenantId,
    /// Whose it is.
    pub user: UserId,
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// Under which password it began: another one ends it.
    pub password_version: u64,
    /// Under which membership it began: another one ends it.
    pub member_since: Timestamp,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last in use, to the minute.
    pub seen_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
    /// Since when it is ended before its time.
    pub ended_at: Option<Timestamp>,
}

/// What the door says of a session's hash: ids only, no payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionDoor {
    /// Which tenant it is good for.
    pub tenant: TenantId,
    /// Which session it is.
    pub session: SessionId,
}

/// Keeps sessions.
pub trait SessionStore: Send + Sync + 'static {
    /// Makes a session and its door, and ends others of the same person and tenant in its favour. Forgets those whose
    /// latest end has come: nobody can have them in memory and take them for good.
    fn create_session(&self, session: SessionRow, instead_of: Vec<SessionId>, trail: Trail) -> StoreFuture<'_, ()>;

    /// Whose session has this hash.
    fn open_session(&self, hash: [u8; 32]) -> StoreFuture<'_, Option<SessionDoor>>;

    /// One session of a tenant.
    fn session(&self, tenant: TenantId, id: SessionId) -> StoreFuture<'_, Option<SessionRow>>;

    /// A person's sessions in a tenant that were not ended, by identifier.
    fn sessions_of(&self, tenant: TenantId, user: UserId, limit: usize) -> StoreFuture<'_, Vec<SessionRow>>;

    /// Notes that a session was in use. Its trail is empty: this is no change that anybody looks for.
    fn see_session(&self, tenant: TenantId, id: SessionId, at: Timestamp, trail: Trail) -> StoreFuture<'_, bool>;

    /// Ends a session. `false` when there is none, or when it was ended before.
    fn end_session(&self, tenant: TenantId, id: SessionId, at: Timestamp, trail: Trail) -> StoreFuture<'_, bool>;
}
