//! One-time links: invitations, and links to set a new password; found by their hash before any tenant is known.

use super::{MembershipRow, StoreFuture, UserRow};
use crate::{
    audit::Trail,
    clock::Timestamp,
    id::{TenantId, UserId},
    membership::Role,
};

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPurpose {
    /// Joining the tenant in this role.
    Join(Role),
    /// Setting a new password.
    Reset(Ground),
}

/// What a link to set a new password rests on: once this is otherwise, whoever made it may have no right to the account any
/// more, and the link is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ground {
    /// The version of the password that it replaces.
    pub password_version: u64,
    /// The role of the person in the link's tenant, the only one they belong to; none for a link of an operator, who may
    /// decide about every account.
    pub role: Option<Role>,
}

/// A link as stored: never its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// Whose link it is.
    pub tenant: TenantId,
    /// For whom: a member who sets a password, or the identifier of an invitation, which becomes the person's if they are
    /// new to the deployment.
    pub user: UserId,
    /// What it is for.
    pub purpose: LinkPurpose,
    /// The address it was made for, normalised.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

/// What the door says of a link's hash: ids only, no payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkDoor {
    /// Whose link it is.
    pub tenant: TenantId,
    /// For whom.
    pub user: UserId,
}

/// What a link brings about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acceptance {
    /// Somebody new to the deployment joins, in the role of the invitation.
    NewUser(UserRow, MembershipRow),
    /// Somebody known joins, in the role of the invitation.
    KnownUser(MembershipRow),
    /// A person who is not locked out has a new password.
    Password(UserId, String),
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It was brought about, and the link is used up.
    Done,
    /// The link was used or replaced meanwhile, or its [`Ground`] is no more.
    Gone,
    /// Somebody else changed first what it was decided on: the address is taken, they are a member, the invitation has
    /// another role.
    Stale,
}

/// Keeps one-time links.
pub trait LinkStore: Send + Sync + 'static {
    /// Makes a link and its door. It takes the place of others for the same person or address in this tenant, and of those
    /// there whose time is up.
    fn put_link(&self, link: LinkRow, trail: Trail) -> StoreFuture<'_, ()>;

    /// Whose link has this hash.
    fn open_link(&self, hash: [u8; 32]) -> StoreFuture<'_, Option<LinkDoor>>;

    /// One link of a tenant.
    fn link(&self, tenant: TenantId, user: UserId) -> StoreFuture<'_, Option<LinkRow>>;

    /// The tenant's invitation to this address, or member with it: the identifier they are listed under.
    fn known_as(&self, tenant: TenantId, email: &str) -> StoreFuture<'_, Option<KnownAs>>;

    /// Uses a link up for what it brings about, all of it or nothing. When the tenant's first owner comes in, other
    /// invitations to own it are void.
    fn accept_link(
        &self,
        tenant: TenantId,
        hash: [u8; 32],
        acceptance: Acceptance,
        trail: Trail,
    ) -> StoreFuture<'_, Accepted>;
}

/// How a tenant knows an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownAs {
    /// As a member's.
    Member(UserId),
    /// As that of somebody invited.
    Invited(UserId),
}
