use super::{
    MemoryStore,
    Outcome::{Changed, Unchanged},
    State, taken,
};
use crate::{
    audit::Trail,
    clock::Timestamp,
    error::Result,
    id::{TenantId, UserId},
    membership::Role,
    store::{MemberChange, MembershipRow, StoreFuture, UserRow, UserStore},
};

impl State {
    pub(super) fn email_is_taken(&self, email: &str) -> bool {
        self.users.values().any(|row| row.email == email)
    }

    pub(super) fn check_user(&self, user: &UserRow) -> Result<()> {
        if self.users.contains_key(&user.id) {
            return Err(taken("a person with this id exists"));
        }
        Ok(())
    }
}

impl UserStore for MemoryStore {
    fn has_users(&self) -> StoreFuture<'_, bool> {
        self.read(|state| !state.users.is_empty())
    }

    fn create_first_user(&self, user: UserRow, membership: MembershipRow, trail: Trail) -> StoreFuture<'_, bool> {
        self.change(membership.tenant, trail, move |state| {
            if !state.users.is_empty() {
                return Ok(Unchanged(false));
            }
            state.users.insert(user.id, user);
            state.owner_comes(membership.tenant);
            state
                .memberships
                .insert((membership.tenant, membership.user), membership);
            Ok(Changed(true))
        })
    }

    fn user(&self, id: UserId) -> StoreFuture<'_, Option<UserRow>> {
        self.read(move |state| state.users.get(&id).cloned())
    }

    fn user_by_email(&self, email: &str) -> StoreFuture<'_, Option<UserRow>> {
        let email = email.to_owned();
        self.read(move |state| state.users.values().find(|row| row.email == email).cloned())
    }

    fn set_password(
        &self,
        tenant: TenantId,
        user: UserId,
        password: String,
        expected_version: u64,
        trail: Trail,
    ) -> StoreFuture<'_, bool> {
        self.change(tenant, trail, move |state| match state.users.get_mut(&user) {
            Some(row) if row.password_version == expected_version => {
                row.password = password;
                row.password_version += 1;
                Ok(Changed(true))
            }
            _ => Ok(Unchanged(false)),
        })
    }

    fn set_disabled(
        &self,
        tenant: TenantId,
        user: UserId,
        at: Option<Timestamp>,
        trail: Trail,
    ) -> StoreFuture<'_, MemberChange> {
        self.change(tenant, trail, move |state| {
            let account = state.users.get(&user);
            if account.is_none_or(|row| row.disabled_at.is_some() == at.is_some()) {
                return Ok(Unchanged(MemberChange::Unchanged));
            }
            if at.is_some() && state.is_last_owner(tenant, user) {
                return Ok(Unchanged(MemberChange::LastOwner));
            }
            let places = state.memberships.values();
            let owned = places.filter(|row| row.user == user && row.role == Role::Owner);
            let owned: Vec<_> = owned.map(|row| row.tenant).collect();
            match at {
                Some(_) => {
                    let maker = user.to_string();
                    state.links.retain(|_, row| row.created_by != maker);
                }
                None => owned.into_iter().for_each(|tenant| state.owner_comes(tenant)),
            }
            if let Some(row) = state.users.get_mut(&user) {
                row.disabled_at = at;
            }
            Ok(Changed(MemberChange::Changed))
        })
    }
}
