//! The ledger of calls.

use super::{
    super::{AuditRow, CallBatch, CallFilter, CallRow, CallStore, Scanned, StoreFuture},
    MemoryStore,
    Outcome::{Changed, Unchanged},
    State, taken,
};
use crate::{
    audit::Trail,
    error::{Error, Result},
    id::{CallId, TenantId},
};

/// A batch with everything that is computed for it.
type Ready = (CallBatch, Vec<CallRow>, Vec<AuditRow>, Trail);

impl State {
    /// Checks and computes everything before anything changes.
    fn ready(&self, batch: CallBatch) -> Result<Ready> {
        let tenant = batch.tenant;
        if batch.calls.iter().any(|call| call.tenant != tenant) {
            return Err(Error::internal(
                "a batch holds another tenant's call",
                tenant.to_string(),
            ));
        }
        let known = |id: CallId| self.calls.get(&tenant).is_some_and(|calls| calls.has(id));
        if batch.calls.iter().any(|call| known(call.id)) {
            return Err(taken("a call with this id exists"));
        }
        let last = self.calls.get(&tenant).map_or(0, |calls| calls.last);
        let (rows, trail) = batch.seal.rows(last + 1, &batch.calls);
        trail.check_tenant(tenant)?;
        let audit = self.continue_chain(tenant, &trail);
        Ok((batch, rows, audit, trail))
    }
}

impl super::Calls {
    fn has(&self, id: CallId) -> bool {
        self.rows.iter().any(|row| row.entry.id == id)
    }
}

fn fits(filter: &CallFilter, row: &CallRow) -> bool {
    let call = &row.entry;
    filter.connection.is_none_or(|id| call.connection == Some(id))
        && filter.connector.as_ref().is_none_or(|wanted| call.connector == *wanted)
        && filter.actor.as_ref().is_none_or(|wanted| call.actor == *wanted)
        && filter.outcome.as_ref().is_none_or(|wanted| call.outcome == *wanted)
        && filter.from.is_none_or(|from| call.at >= from)
        && filter.to.is_none_or(|to| call.at < to)
}

impl CallStore for MemoryStore {
    fn append_calls(&self, batches: Vec<CallBatch>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let mut state = self.lock();
            let ready = batches
                .into_iter()
                .filter(|batch| !state.deleted_tenants.contains(&batch.tenant))
                .map(|batch| state.ready(batch))
                .collect::<Result<Vec<_>>>()?;
            for (batch, rows, audit, trail) in ready {
                let calls = state.calls.entry(batch.tenant).or_default();
                calls.last += rows.len() as u64;
                calls.rows.extend(rows);
                state.add_usage(batch.tenant, batch.usage);
                state.put_trail(batch.tenant, audit, trail);
            }
            drop(state);
            self.moved.notify_waiters();
            Ok(())
        })
    }

    fn call(&self, tenant: TenantId, id: CallId) -> StoreFuture<'_, Option<CallRow>> {
        self.read(move |state| {
            let mut rows = state.calls.get(&tenant)?.rows.iter();
            rows.find(|row| row.entry.id == id).cloned()
        })
    }

    fn calls(&self, filter: CallFilter) -> StoreFuture<'_, Scanned<CallRow, CallId>> {
        self.read(move |state| {
            let rows = state.calls.get(&filter.tenant).map_or(&[][..], |calls| &calls.rows);
            let mut rows: Vec<_> = rows.iter().collect();
            rows.sort_by_key(|row| std::cmp::Reverse(row.entry.id));
            rows.retain(|row| filter.before.is_none_or(|before| row.entry.id < before));
            let floor = filter.from.map(CallId::first_at);
            rows.retain(|row| floor.is_none_or(|floor| row.entry.id >= floor));
            let stopped = (rows.len() > filter.scan).then(|| rows[filter.scan - 1].entry.id);
            rows.truncate(filter.scan);
            rows.retain(|row| fits(&filter, row));
            let stopped = stopped.filter(|_| rows.len() < filter.limit);
            rows.truncate(filter.limit);
            let rows = rows.into_iter().cloned().collect();
            Scanned { rows, stopped }
        })
    }

    fn calls_in_order(&self, tenant: TenantId, after: u64, limit: usize) -> StoreFuture<'_, Vec<CallRow>> {
        self.read(move |state| {
            let rows = state.calls.get(&tenant).map_or(&[][..], |calls| &calls.rows);
            rows.iter().filter(|row| row.seq > after).take(limit).cloned().collect()
        })
    }

    fn prune_calls(&self, tenant: TenantId, through: u64, trail: Trail) -> StoreFuture<'_, usize> {
        self.change(tenant, trail, move |state| {
            let Some(calls) = state.calls.get_mut(&tenant) else {
                return Ok(Unchanged(0));
            };
            let before = calls.rows.len();
            calls.rows.retain(|row| row.seq > through);
            match before - calls.rows.len() {
                0 => Ok(Unchanged(0)),
                count => Ok(Changed(count)),
            }
        })
    }

    fn calling_tenants(&self, after: Option<TenantId>, limit: usize) -> StoreFuture<'_, Vec<TenantId>> {
        self.read(move |state| {
            let tenants = state.calls.range(super::beyond(after)).map(|(tenant, _)| *tenant);
            let standing = tenants.filter(|tenant| !state.deleted_tenants.contains(tenant));
            standing.take(limit).collect()
        })
    }
}
