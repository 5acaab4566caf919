use super::{
    MemoryStore,
    Outcome::{Changed, Unchanged},
    State,
};
use crate::{
    audit::Trail,
    id::{TenantId, UserId},
    membership::Role,
    store::{LinkPurpose, LinkRow, MemberChange, MemberRow, MembershipRow, MembershipStore, StoreFuture},
};

impl State {
    fn member(&self, row: &MembershipRow) -> Option<MemberRow> {
        let user = self.users.get(&row.user)?;
        Some(MemberRow {
            user: row.user,
            email: user.email.clone(),
            name: user.name.clone(),
            role: row.role,
            disabled_at: user.disabled_at,
            created_by: row.created_by.clone(),
            created_at: row.created_at,
            invited_until: None,
        })
    }

    /// All members of a tenant and those invited, by identifier.
    fn members_of(&self, tenant: TenantId) -> Vec<MemberRow> {
        let members = self.memberships.values().filter(|row| row.tenant == tenant);
        let invited = self.links.values().filter(|row| row.tenant == tenant);
        let mut all: Vec<MemberRow> = members
            .filter_map(|row| self.member(row))
            .chain(invited.filter_map(invited_as))
            .collect();
        all.sort_by_key(|row| row.user);
        all
    }

    /// The owners of a tenant who are not locked out.
    fn owners(&self, tenant: TenantId) -> impl Iterator<Item = UserId> {
        let owners = self
            .memberships
            .values()
            .filter(move |row| row.tenant == tenant && row.role == Role::Owner);
        owners.map(|row| row.user).filter(|user| {
            let user = self.users.get(user);
            user.is_some_and(|user| user.disabled_at.is_none())
        })
    }

    /// Whether a tenant has an owner, and nobody else is.
    pub(super) fn is_last_owner(&self, tenant: TenantId, user: UserId) -> bool {
        self.owners(tenant).eq([user])
    }

    /// A tenant is about to have an owner: if it has none yet, whoever else was to be its first is too late.
    pub(super) fn owner_comes(&mut self, tenant: TenantId) {
        if self.owners(tenant).next().is_none() {
            self.links
                .retain(|_, row| row.tenant != tenant || row.purpose != LinkPurpose::Join(Role::Owner));
        }
    }
}

fn invited_as(link: &LinkRow) -> Option<MemberRow> {
    let LinkPurpose::Join(role) = link.purpose else {
        return None;
    };
    Some(MemberRow {
        user: link.user,
        email: link.email.clone(),
        name: link.name.clone(),
        role,
        disabled_at: None,
        created_by: link.created_by.clone(),
        created_at: link.created_at,
        invited_until: Some(link.expires_at),
    })
}

impl MembershipStore for MemoryStore {
    fn membership(&self, tenant: TenantId, user: UserId) -> StoreFuture<'_, Option<MembershipRow>> {
        self.read(move |state| state.memberships.get(&(tenant, user)).cloned())
    }

    fn memberships_of(&self, user: UserId, limit: usize) -> StoreFuture<'_, Vec<MembershipRow>> {
        self.read(move |state| {
            let rows = state.memberships.values().filter(|row| row.user == user);
            rows.take(limit).cloned().collect()
        })
    }

    fn member(&self, tenant: TenantId, user: UserId) -> StoreFuture<'_, Option<MemberRow>> {
        self.read(move |state| {
            let member = state.memberships.get(&(tenant, user));
            let invited = || state.links.get(&(tenant, user)).and_then(invited_as);
            member.and_then(|row| state.member(row)).or_else(invited)
        })
    }

    fn members(&self, tenant: TenantId, after: Option<UserId>, limit: usize) -> StoreFuture<'_, Vec<MemberRow>> {
        self.read(move |state| {
            let rows = state.members_of(tenant).into_iter();
            rows.filter(|row| after.is_none_or(|after| row.user > after))
                .take(limit)
                .collect()
        })
    }

    fn has_owner(&self, tenant: TenantId) -> StoreFuture<'_, bool> {
        self.read(move |state| state.owners(tenant).next().is_some())
    }

    fn change_role(
        &self,
        tenant: TenantId,
        user: UserId,
        from: Role,
        to: Role,
        trail: Trail,
    ) -> StoreFuture<'_, MemberChange> {
        self.change(tenant, trail, move |state| {
            if from == to {
                return Ok(Unchanged(MemberChange::Unchanged));
            }
            match state.memberships.get(&(tenant, user)).map(|row| row.role) {
                Some(role) if role != from => return Ok(Unchanged(MemberChange::Unchanged)),
                Some(Role::Owner) if state.is_last_owner(tenant, user) => {
                    return Ok(Unchanged(MemberChange::LastOwner));
                }
                Some(_) => {
                    if to == Role::Owner {
                        state.owner_comes(tenant);
                    }
                    if to < from {
                        let maker = user.to_string();
                        state
                            .links
                            .retain(|_, row| row.tenant != tenant || row.created_by != maker);
                    }
                    if let Some(row) = state.memberships.get_mut(&(tenant, user)) {
                        row.role = to;
                    }
                    return Ok(Changed(MemberChange::Changed));
                }
                None => {}
            }
            match state.links.get_mut(&(tenant, user)).map(|row| &mut row.purpose) {
                Some(LinkPurpose::Join(standing)) if *standing == from => {
                    *standing = to;
                    Ok(Changed(MemberChange::Changed))
                }
                _ => Ok(Unchanged(MemberChange::Unchanged)),
            }
        })
    }

    fn remove_member(&self, tenant: TenantId, user: UserId, role: Role, trail: Trail) -> StoreFuture<'_, MemberChange> {
        self.change(tenant, trail, move |state| {
            let member = state.memberships.get(&(tenant, user)).map(|row| row.role);
            let invited = || match state.links.get(&(tenant, user))?.purpose {
                LinkPurpose::Join(role) => Some(role),
                LinkPurpose::Reset(_) => None,
            };
            if member.or_else(invited) != Some(role) {
                return Ok(Unchanged(MemberChange::Unchanged));
            }
            if member.is_some() && state.is_last_owner(tenant, user) {
                return Ok(Unchanged(MemberChange::LastOwner));
            }
            let maker = user.to_string();
            state
                .links
                .retain(|_, row| row.tenant != tenant || (row.user != user && row.created_by != maker));
            state.sessions.retain(|_, row| row.tenant != tenant || row.user != user);
            state.memberships.remove(&(tenant, user));
            if state.memberships.values().all(|row| row.user != user) {
                state.users.remove(&user);
            }
            Ok(Changed(MemberChange::Changed))
        })
    }
}
