//! Who belongs to which tenant, and as what.

use super::StoreFuture;
use crate::{
    audit::Trail,
    clock::Timestamp,
    id::{TenantId, UserId},
    membership::Role,
};

/// A membership as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipRow {
    /// In which tenant.
    pub tenant: TenantId,
    /// Who.
    pub user: UserId,
    /// As what.
    pub role: Role,
    /// Who let them in.
    pub created_by: String,
    /// When they came in, which tells this membership from an earlier one.
    pub created_at: Timestamp,
}

/// A member, or somebody who is invited, as a tenant sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// The person; of somebody invited, the identifier of the invitation.
    pub user: UserId,
    /// Their address.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// As what.
    pub role: Role,
    /// Since when they are locked out.
    pub disabled_at: Option<Timestamp>,
    /// Who let them in.
    pub created_by: String,
    /// When they came in, or were invited.
    pub created_at: Timestamp,
    /// Until when the invitation is good; members have none.
    pub invited_until: Option<Timestamp>,
}

/// What became of a change of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberChange {
    /// It was made.
    Changed,
    /// There is no such member, they have another role than the one it was decided on, or they are so already.
    Unchanged,
    /// It would leave the tenant without an owner.
    LastOwner,
}

/// Keeps memberships.
pub trait MembershipStore: Send + Sync + 'static {
    /// One membership.
    fn membership(&self, tenant: TenantId, user: UserId) -> StoreFuture<'_, Option<MembershipRow>>;

    /// A person's memberships in all tenants, by tenant. Besides doors and the feed the one read across tenants: asked
    /// when somebody proved to be that person, and when it is judged whose they are.
    fn memberships_of(&self, user: UserId, limit: usize) -> StoreFuture<'_, Vec<MembershipRow>>;

    /// One member, or one who is invited.
    fn member(&self, tenant: TenantId, user: UserId) -> StoreFuture<'_, Option<MemberRow>>;

    /// A tenant's members and those invited, by identifier, those after `after`.
    fn members(&self, tenant: TenantId, after: Option<UserId>, limit: usize) -> StoreFuture<'_, Vec<MemberRow>>;

    /// Whether the tenant has an owner who is not locked out.
    fn has_owner(&self, tenant: TenantId) -> StoreFuture<'_, bool>;

    /// Gives a member, or one who is invited, another role, if it still is `from`. A lower one takes the links that they
    /// made here. When the tenant's first owner is made, invitations to own it are void; a tenant that has an owner who is
    /// not locked out keeps one.
    fn change_role(
        &self,
        tenant: TenantId,
        user: UserId,
        from: Role,
        to: Role,
        trail: Trail,
    ) -> StoreFuture<'_, MemberChange>;

    /// Removes a member with their sessions here, the links for them and the links that they made, or an invitation; if
    /// their role still is `role`. Who belongs to no other tenant is known no more. A tenant that has an owner who is not
    /// locked out keeps one.
    fn remove_member(&self, tenant: TenantId, user: UserId, role: Role, trail: Trail) -> StoreFuture<'_, MemberChange>;
}
