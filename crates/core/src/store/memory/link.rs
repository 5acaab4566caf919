use super::{
    MemoryStore,
    Outcome::{Changed, Unchanged},
    State, taken,
};
use crate::{
    audit::Trail,
    id::{TenantId, UserId},
    membership::Role,
    store::{
        Acceptance, Accepted, Ground, KnownAs, LinkDoor, LinkPurpose, LinkRow, LinkStore, MembershipRow, StoreFuture,
    },
};

impl LinkStore for MemoryStore {
    fn put_link(&self, link: LinkRow, trail: Trail) -> StoreFuture<'_, ()> {
        self.change(link.tenant, trail, move |state| {
            if state.links.values().any(|row| row.hash == link.hash) {
                return Err(taken("a link with this hash exists"));
            }
            let over = |row: &LinkRow| row.email == link.email || row.expires_at <= link.created_at;
            state.links.retain(|_, row| row.tenant != link.tenant || !over(row));
            state.links.insert((link.tenant, link.user), link);
            Ok(Changed(()))
        })
    }

    fn open_link(&self, hash: [u8; 32]) -> StoreFuture<'_, Option<LinkDoor>> {
        self.read(move |state| {
            let row = state.links.values().find(|row| row.hash == hash)?;
            Some(LinkDoor {
                tenant: row.tenant,
                user: row.user,
            })
        })
    }

    fn link(&self, tenant: TenantId, user: UserId) -> StoreFuture<'_, Option<LinkRow>> {
        self.read(move |state| state.links.get(&(tenant, user)).cloned())
    }

    fn known_as(&self, tenant: TenantId, email: &str) -> StoreFuture<'_, Option<KnownAs>> {
        let email = email.to_owned();
        self.read(move |state| {
            let user = state.users.values().find(|row| row.email == email);
            let member = user.filter(|user| state.memberships.contains_key(&(tenant, user.id)));
            let invited = || {
                state.links.values().find(|row| {
                    row.tenant == tenant && row.email == email && matches!(row.purpose, LinkPurpose::Join(_))
                })
            };
            member
                .map(|user| KnownAs::Member(user.id))
                .or_else(|| invited().map(|row| KnownAs::Invited(row.user)))
        })
    }

    fn accept_link(
        &self,
        tenant: TenantId,
        hash: [u8; 32],
        acceptance: Acceptance,
        trail: Trail,
    ) -> StoreFuture<'_, Accepted> {
        self.change(tenant, trail, move |state| {
            let mut links = state.links.values();
            let link = links.find(|row| row.tenant == tenant && row.hash == hash);
            let Some(link) = link.cloned() else {
                return Ok(Unchanged(Accepted::Gone));
            };
            match acceptance {
                Acceptance::NewUser(user, _) if state.email_is_taken(&user.email) => {
                    return Ok(Unchanged(Accepted::Stale));
                }
                Acceptance::KnownUser(row) if state.memberships.contains_key(&(row.tenant, row.user)) => {
                    return Ok(Unchanged(Accepted::Stale));
                }
                Acceptance::NewUser(_, row) | Acceptance::KnownUser(row)
                    if link.purpose != LinkPurpose::Join(row.role) =>
                {
                    return Ok(Unchanged(Accepted::Stale));
                }
                Acceptance::NewUser(user, row) => {
                    state.check_user(&user)?;
                    state.users.insert(user.id, user);
                    state.join(row);
                }
                Acceptance::KnownUser(row) => state.join(row),
                Acceptance::Password(user, password) => {
                    let LinkPurpose::Reset(ground) = link.purpose else {
                        return Ok(Unchanged(Accepted::Gone));
                    };
                    if !state.stands(ground, tenant, user) {
                        return Ok(Unchanged(Accepted::Gone));
                    }
                    if let Some(row) = state.users.get_mut(&user) {
                        row.password = password;
                        row.password_version += 1;
                    }
                }
            }
            state.links.remove(&(tenant, link.user));
            Ok(Changed(Accepted::Done))
        })
    }
}

impl State {
    fn join(&mut self, row: MembershipRow) {
        if row.role == Role::Owner {
            self.owner_comes(row.tenant);
        }
        self.memberships.insert((row.tenant, row.user), row);
    }

    /// Whether what a link to set a new password rests on is as it was.
    fn stands(&self, ground: Ground, tenant: TenantId, user: UserId) -> bool {
        let account = self.users.get(&user);
        let same =
            account.is_some_and(|row| row.password_version == ground.password_version && row.disabled_at.is_none());
        let member = |role| {
            let mut places = self.memberships.values().filter(|row| row.user == user);
            places
                .next()
                .is_some_and(|row| row.tenant == tenant && row.role == role)
                && places.next().is_none()
        };
        same && ground.role.is_none_or(member)
    }
}
