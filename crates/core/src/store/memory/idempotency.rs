//! Requests that are run once.

use super::{MemoryStore, State};
use crate::{
    clock::Timestamp,
    id::TenantId,
    store::{Begun, IdempotencyRow, IdempotencyStore, StoreFuture, tenant_is_deleted},
};

impl MemoryStore {
    /// Changes a journal, which has no trail.
    pub(super) fn journal<'a, T: Send + 'a>(
        &'a self,
        verb: impl FnOnce(&mut State) -> T + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move { Ok(verb(&mut self.lock())) })
    }
}

impl State {
    /// The run with this number, while it is under way.
    fn running(&mut self, tenant: TenantId, id: [u8; 16], attempt: u64) -> Option<&mut IdempotencyRow> {
        let row = self.idempotency.get_mut(&(tenant, id));
        row.filter(|row| row.attempt == attempt && row.answer.is_none())
    }

    /// Gives up a tenant's oldest answers until all of them fit, except that of `id`.
    fn make_room(&mut self, tenant: TenantId, id: [u8; 16], room: usize) {
        let own = self.idempotency.values_mut().filter(|row| row.tenant == tenant);
        let mut kept: Vec<_> = own.filter(|row| row.answer.is_some()).collect();
        let bytes = |row: &IdempotencyRow| row.answer.as_ref().map_or(0, Vec::len);
        let mut all: usize = kept.iter().map(|row| bytes(row)).sum();
        kept.sort_by_key(|row| row.expires_at);
        for row in kept.into_iter().filter(|row| row.id != id) {
            if all <= room {
                return;
            }
            all -= bytes(row);
            row.answer = Some(Vec::new());
        }
    }
}

impl IdempotencyStore for MemoryStore {
    fn begin_idempotent(&self, row: IdempotencyRow, now: Timestamp) -> StoreFuture<'_, Begun> {
        Box::pin(async move {
            let mut state = self.lock();
            if state.deleted_tenants.contains(&row.tenant) {
                return Err(tenant_is_deleted());
            }
            Ok(match state.idempotency.get(&(row.tenant, row.id)) {
                Some(standing) if standing.expires_at > now => Begun::Standing(standing.clone()),
                _ => {
                    state.idempotency.insert((row.tenant, row.id), row);
                    Begun::Begun
                }
            })
        })
    }

    fn resume_idempotent(
        &self,
        tenant: TenantId,
        id: [u8; 16],
        attempt: u64,
        until: Timestamp,
    ) -> StoreFuture<'_, bool> {
        self.journal(move |state| {
            let running = state.running(tenant, id, attempt);
            running
                .map(|row| (row.attempt, row.until) = (attempt + 1, until))
                .is_some()
        })
    }

    fn finish_idempotent(
        &self,
        tenant: TenantId,
        id: [u8; 16],
        attempt: u64,
        answer: Vec<u8>,
        room: usize,
    ) -> StoreFuture<'_, bool> {
        self.journal(move |state| {
            let running = state.running(tenant, id, attempt);
            let is_finished = running.map(|row| row.answer = Some(answer)).is_some();
            if is_finished {
                state.make_room(tenant, id, room);
            }
            is_finished
        })
    }

    fn release_idempotent(&self, tenant: TenantId, id: [u8; 16], attempt: u64) -> StoreFuture<'_, bool> {
        self.journal(move |state| {
            let running = state.running(tenant, id, attempt).is_some();
            if running {
                state.idempotency.remove(&(tenant, id));
            }
            running
        })
    }

    fn prune_idempotency(&self, now: Timestamp, limit: usize) -> StoreFuture<'_, usize> {
        self.journal(move |state| {
            let expired = state.idempotency.iter().filter(|(_, row)| row.expires_at <= now);
            let expired: Vec<_> = expired.map(|(place, _)| *place).take(limit).collect();
            expired.iter().for_each(|place| drop(state.idempotency.remove(place)));
            expired.len()
        })
    }
}
