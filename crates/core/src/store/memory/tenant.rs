//! Tenants.

use super::{
    super::{ApiKeyRow, Countable, Inserted, LinkPurpose, Renamed, StoreFuture, TenantRow, TenantStore},
    MemoryStore,
    Outcome::{Changed, Unchanged},
    State, beyond, taken,
};
use crate::{audit::Trail, clock::Timestamp, error::Error, id::TenantId};

impl State {
    /// Takes all memberships of a tenant, and the persons who belong to no other.
    fn forget_members(&mut self, tenant: TenantId) {
        let left: Vec<_> = self
            .memberships
            .keys()
            .filter(|(of, _)| *of == tenant)
            .map(|(_, user)| *user)
            .collect();
        self.memberships.retain(|(of, _), _| *of != tenant);
        for user in left {
            if self.memberships.keys().all(|(_, member)| *member != user) {
                self.users.remove(&user);
            }
        }
    }
}

impl TenantStore for MemoryStore {
    fn create_tenant(
        &self,
        tenant: TenantRow,
        first_key: ApiKeyRow,
        trail: Trail,
    ) -> StoreFuture<'_, Inserted<TenantRow>> {
        self.change(tenant.id, trail, move |state| {
            if first_key.tenant != tenant.id {
                return Err(Error::internal(
                    "a first key names another tenant",
                    first_key.tenant.to_string(),
                ));
            }
            if let Some(row) = state.tenants.values().find(|row| row.name == tenant.name) {
                return Ok(Unchanged(Inserted::Taken(row.clone())));
            }
            if state.tenants.contains_key(&tenant.id) {
                return Err(taken("a tenant with this id exists"));
            }
            state.check_api_key(&first_key)?;
            state.tenants.insert(tenant.id, tenant);
            state.put_api_key(first_key);
            Ok(Changed(Inserted::Inserted))
        })
    }

    fn rename_tenant(&self, id: TenantId, name: String, trail: Trail) -> StoreFuture<'_, Renamed> {
        self.change(id, trail, move |state| {
            if state.tenants.values().any(|row| row.name == name && row.id != id) {
                return Ok(Unchanged(Renamed::Taken));
            }
            match state.tenants.get_mut(&id) {
                Some(row) if row.name != name => {
                    row.name = name;
                    Ok(Changed(Renamed::Renamed))
                }
                _ => Ok(Unchanged(Renamed::Unchanged)),
            }
        })
    }

    fn delete_tenant(&self, id: TenantId, _: Timestamp, trail: Trail) -> StoreFuture<'_, bool> {
        self.change(id, trail, move |state| {
            if state.tenants.remove(&id).is_none() {
                return Ok(Unchanged(false));
            }
            state.deleted_tenants.insert(id);
            state.doors.retain(|_, door| door.tenant != id);
            state.api_keys.retain(|(tenant, _), _| *tenant != id);
            state.links.retain(|(tenant, _), _| *tenant != id);
            state.sessions.retain(|(tenant, _), _| *tenant != id);
            state.oauth_states.retain(|(tenant, _), _| *tenant != id);
            state.connections.retain(|(tenant, _), _| *tenant != id);
            state.names.retain(|(tenant, ..), _| *tenant != id);
            state.credentials.retain(|(tenant, _), _| *tenant != id);
            state.data_keys.retain(|(tenant, _), _| *tenant != id);
            state.idempotency.retain(|(tenant, _), _| *tenant != id);
            state.work.retain(|(tenant, ..), _| *tenant != id);
            state.tests.retain(|(tenant, ..), _| *tenant != id);
            state.forget_members(id);
            Ok(Changed(true))
        })
    }

    fn sweep_deleted_tenants(&self, limit: usize) -> StoreFuture<'_, usize> {
        Box::pin(async move {
            let mut state = self.lock();
            let State {
                deleted_tenants,
                calls,
                usage,
                ..
            } = &mut *state;
            let mut swept = 0;
            for tenant in &*deleted_tenants {
                let Some(ledger) = calls.get_mut(tenant) else { continue };
                let count = ledger.rows.len().min(limit - swept);
                ledger.rows.drain(..count);
                swept += count;
                if ledger.rows.is_empty() {
                    calls.remove(tenant);
                }
            }
            let gone: Vec<_> = usage
                .keys()
                .filter(|(tenant, _)| deleted_tenants.contains(tenant))
                .cloned()
                .collect();
            for key in gone.iter().take(limit) {
                usage.remove(key);
            }
            Ok(swept + gone.len().min(limit))
        })
    }

    fn count_of(&self, tenant: TenantId, what: Countable, most: usize) -> StoreFuture<'_, usize> {
        self.read(move |state| {
            let own = |of: &TenantId| *of == tenant;
            let count = match what {
                Countable::Connections => state.connections.keys().filter(|(of, _)| own(of)).count(),
                Countable::Credentials => state.credentials.keys().filter(|(of, _)| own(of)).count(),
                Countable::Members => state.memberships.keys().filter(|(of, _)| own(of)).count(),
                Countable::ApiKeys => {
                    let keys = state.api_keys.values().filter(|row| own(&row.tenant));
                    keys.filter(|row| row.revoked_at.is_none()).count()
                }
                Countable::Invitations => {
                    let links = state.links.values().filter(|row| own(&row.tenant));
                    links.filter(|row| matches!(row.purpose, LinkPurpose::Join(_))).count()
                }
            };
            count.min(most)
        })
    }

    fn tenant(&self, id: TenantId) -> StoreFuture<'_, Option<TenantRow>> {
        self.read(move |state| state.tenants.get(&id).cloned())
    }

    fn tenant_by_name(&self, name: &str) -> StoreFuture<'_, Option<TenantRow>> {
        let name = name.to_owned();
        self.read(move |state| state.tenants.values().find(|row| row.name == name).cloned())
    }

    fn tenants(&self, after: Option<TenantId>, limit: usize) -> StoreFuture<'_, Vec<TenantRow>> {
        self.read(move |state| {
            let rows = state.tenants.range(beyond(after));
            rows.take(limit).map(|(_, row)| row.clone()).collect()
        })
    }
}
