use super::{
    MemoryStore,
    Outcome::{Changed, Unchanged},
    taken,
};
use crate::{
    audit::Trail,
    id::{OAuthStateId, TenantId},
    store::{OAuthStateDoor, OAuthStateRow, OAuthStateStore, StoreFuture},
};

impl OAuthStateStore for MemoryStore {
    fn begin_oauth(&self, state: OAuthStateRow, most: usize, trail: Trail) -> StoreFuture<'_, ()> {
        self.change(state.tenant, trail, move |all| {
            let (tenant, now) = (state.tenant, state.created_at);
            let known = |row: &OAuthStateRow| row.hash == state.hash || (row.tenant == tenant && row.id == state.id);
            if all.oauth_states.values().any(known) {
                return Err(taken("a sign-in with this hash or id exists"));
            }
            all.oauth_states
                .retain(|_, row| row.tenant != tenant || row.ends_at > now);
            all.oauth_states.insert((tenant, state.id), state);
            let rows = all.oauth_states.values().filter(|row| row.tenant == tenant);
            let mut ages: Vec<_> = rows.map(|row| (row.created_at, row.id)).collect();
            ages.sort_unstable();
            for (_, id) in &ages[..ages.len().saturating_sub(most)] {
                all.oauth_states.remove(&(tenant, *id));
            }
            Ok(Changed(()))
        })
    }

    fn open_oauth_state(&self, hash: [u8; 32]) -> StoreFuture<'_, Option<OAuthStateDoor>> {
        self.read(move |all| {
            let row = all.oauth_states.values().find(|row| row.hash == hash)?;
            Some(OAuthStateDoor {
                tenant: row.tenant,
                state: row.id,
            })
        })
    }

    fn take_oauth_state(
        &self,
        tenant: TenantId,
        id: OAuthStateId,
        trail: Trail,
    ) -> StoreFuture<'_, Option<OAuthStateRow>> {
        self.change(tenant, trail, move |all| {
            Ok(match all.oauth_states.remove(&(tenant, id)) {
                Some(row) => Changed(Some(row)),
                None => Unchanged(None),
            })
        })
    }
}
