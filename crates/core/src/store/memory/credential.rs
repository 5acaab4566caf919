//! Shared credentials in memory.

use super::{
    MemoryStore,
    Outcome::{Changed, Unchanged},
    State, taken,
};
use crate::{
    audit::Trail,
    clock::Timestamp,
    error::{Error, Result},
    id::{ConnectionId, CredentialId, TenantId},
    store::{
        ConnectionRow, CredentialFilter, CredentialRow, CredentialStore, Deleted, DueCredential, Health, Inserted,
        StoreFuture, Updated, Users,
    },
};

impl State {
    /// Refuses a connection that points to a credential which its tenant does not have.
    pub(super) fn check_credential(&self, row: &ConnectionRow) -> Result<()> {
        match row.credential {
            Some(id) if !self.credentials.contains_key(&(row.tenant, id)) => Err(Error::not_found()),
            _ => Ok(()),
        }
    }

    fn users(&self, tenant: TenantId, id: CredentialId) -> impl Iterator<Item = ConnectionId> {
        let rows = self.connections.values();
        rows.filter(move |row| row.tenant == tenant && row.credential == Some(id))
            .map(|row| row.id)
    }

    /// Those that are in another state of health.
    fn users_unlike(&self, tenant: TenantId, id: CredentialId, health: &Health) -> Vec<ConnectionId> {
        let is_unlike = |user: &ConnectionId| {
            let row = self.connections.get(&(tenant, *user));
            row.is_some_and(|row| row.health.state != health.state)
        };
        self.users(tenant, id).filter(is_unlike).collect()
    }
}

impl CredentialStore for MemoryStore {
    fn credential(&self, tenant: TenantId, id: CredentialId) -> StoreFuture<'_, Option<CredentialRow>> {
        self.read(move |state| state.credentials.get(&(tenant, id)).cloned())
    }

    fn credentials(&self, filter: CredentialFilter) -> StoreFuture<'_, Vec<CredentialRow>> {
        self.read(move |state| {
            let fits = |row: &&CredentialRow| {
                row.tenant == filter.tenant
                    && filter.kind.as_ref().is_none_or(|kind| row.kind == *kind)
                    && (filter.connector.is_none() || row.connector == filter.connector)
                    && filter
                        .environment
                        .is_none_or(|environment| row.environment == environment)
                    && filter.after.is_none_or(|after| row.id > after)
            };
            let rows = state.credentials.values().filter(fits);
            rows.take(filter.limit).cloned().collect()
        })
    }

    fn insert_credential(&self, row: CredentialRow, trail: Trail) -> StoreFuture<'_, Inserted<CredentialRow>> {
        self.change(row.tenant, trail, move |state| {
            let same = |other: &&CredentialRow| other.tenant == row.tenant && other.name == row.name;
            if let Some(standing) = state.credentials.values().find(same) {
                return Ok(Unchanged(Inserted::Taken(standing.clone())));
            }
            if state.credentials.contains_key(&(row.tenant, row.id)) {
                return Err(taken("a credential with this id exists"));
            }
            state.credentials.insert((row.tenant, row.id), row);
            Ok(Changed(Inserted::Inserted))
        })
    }

    fn update_credential(
        &self,
        row: CredentialRow,
        expected_version: u64,
        users: Option<Users>,
        trail: Trail,
    ) -> StoreFuture<'_, Updated> {
        self.change(row.tenant, trail, move |state| {
            let (tenant, id) = (row.tenant, row.id);
            let told = match &users {
                Some(users) => users.tell.events(&state.users_unlike(tenant, id, &users.health))?,
                None => Vec::new(),
            };
            let stored = match state.credentials.get_mut(&(tenant, id)) {
                Some(stored) if stored.version == expected_version => stored,
                _ => return Ok(Unchanged(Updated::Conflict)),
            };
            let identity = stored.clone();
            *stored = CredentialRow {
                name: identity.name,
                environment: identity.environment,
                kind: identity.kind,
                connector: identity.connector,
                created_by: identity.created_by,
                created_at: identity.created_at,
                ..row
            };
            if let Some(Users { health, .. }) = users {
                let used_by: Vec<_> = state.users(tenant, id).collect();
                for user in used_by {
                    if let Some(connection) = state.connections.get_mut(&(tenant, user)) {
                        let since = match connection.health.state == health.state {
                            true => connection.health.since,
                            false => health.since,
                        };
                        connection.health = Health {
                            since,
                            ..health.clone()
                        };
                        connection.version += 1;
                    }
                }
                state.put_events(tenant, told);
            }
            Ok(Changed(Updated::Updated))
        })
    }

    fn delete_credential(
        &self,
        tenant: TenantId,
        id: CredentialId,
        limit: usize,
        trail: Trail,
    ) -> StoreFuture<'_, Deleted> {
        self.change(tenant, trail, move |state| {
            let users: Vec<_> = state.users(tenant, id).take(limit).collect();
            if !users.is_empty() {
                return Ok(Unchanged(Deleted::InUse(users)));
            }
            Ok(match state.credentials.remove(&(tenant, id)) {
                Some(_) => Changed(Deleted::Deleted),
                None => Unchanged(Deleted::Missing),
            })
        })
    }

    fn due_credentials(&self, now: Timestamp, limit: usize) -> StoreFuture<'_, Vec<DueCredential>> {
        self.read(move |state| {
            let rows = state.credentials.values();
            let mut due: Vec<_> = rows
                .filter_map(|row| Some((row.notice_at.filter(|at| *at <= now)?, row)))
                .collect();
            due.sort_by_key(|(at, row)| (*at, row.tenant, row.id));
            let due = due.into_iter().take(limit);
            due.map(|(_, row)| DueCredential {
                tenant: row.tenant,
                credential: row.id,
            })
            .collect()
        })
    }
}
