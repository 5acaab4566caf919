//! Persons: known to the whole deployment, by their address.

use super::{MemberChange, MembershipRow, StoreFuture};
use crate::{
    audit::Trail,
    clock::Timestamp,
    id::{TenantId, UserId},
};

/// A person as stored: never the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// Their identifier.
    pub id: UserId,
    /// Their address, normalised; unique in the deployment.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// The hash of their password, with its salt and parameters.
    pub password: String,
    /// Rises with every new password, and ends the sessions of the old one.
    pub password_version: u64,
    /// Since when they are locked out of every tenant.
    pub disabled_at: Option<Timestamp>,
    /// When they were made known.
    pub created_at: Timestamp,
}

/// Keeps persons. What is read here belongs to no tenant; a change is written into the chain of the one it was made in.
pub trait UserStore: Send + Sync + 'static {
    /// Whether there is any person.
    fn has_users(&self) -> StoreFuture<'_, bool>;

    /// Makes the first person, with a membership, together or not at all. `false` when there is one already.
    fn create_first_user(&self, user: UserRow, membership: MembershipRow, trail: Trail) -> StoreFuture<'_, bool>;

    /// One person.
    fn user(&self, id: UserId) -> StoreFuture<'_, Option<UserRow>>;

    /// The person with this normalised address.
    fn user_by_email(&self, email: &str) -> StoreFuture<'_, Option<UserRow>>;

    /// Sets a password and raises its version, if that still is `expected_version`; says whether it was.
    fn set_password(
        &self,
        tenant: TenantId,
        user: UserId,
        password: String,
        expected_version: u64,
        trail: Trail,
    ) -> StoreFuture<'_, bool>;

    /// Locks a person out since `at`, with the links that they made, or lets them in again. The tenant it is done in keeps
    /// an owner who is not locked out, if it has one. When a tenant's first owner is let in, invitations to own it are
    /// void.
    fn set_disabled(
        &self,
        tenant: TenantId,
        user: UserId,
        at: Option<Timestamp>,
        trail: Trail,
    ) -> StoreFuture<'_, MemberChange>;
}
