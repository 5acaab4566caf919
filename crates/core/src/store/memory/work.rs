//! Work that is due.

use std::time::Duration;

use super::{MemoryStore, State};
use crate::{
    clock::{SignedDuration, Timestamp},
    id::TenantId,
    store::{Claim, StoreFuture, WorkKind, WorkStore},
};

/// Whose work, of which kind, on which row.
pub(super) type Key = (TenantId, WorkKind, [u8; 16]);

/// Work, and who is at it.
pub(super) struct Work {
    pub(super) due: Timestamp,
    pub(super) epoch: u64,
    /// Until when somebody is at it.
    pub(super) until: Option<Timestamp>,
    /// When it is due again, whatever they say.
    hastened: Option<Timestamp>,
}

impl Work {
    pub(super) fn due(due: Timestamp) -> Self {
        Self {
            due,
            epoch: 0,
            until: None,
            hastened: None,
        }
    }
}

impl State {
    /// What may be taken, in the order in which it is: a turn for every tenant.
    fn claimable(&self, kind: WorkKind, now: Timestamp) -> Vec<Key> {
        let due = self
            .work
            .iter()
            .filter(|((_, of, _), work)| *of == kind && work.due <= now && work.until.is_none_or(|until| until <= now));
        let mut due: Vec<_> = due.map(|(key, work)| (key.0, work.due, key.2)).collect();
        due.sort_unstable();
        let (mut turn, mut last) = (0, None);
        let mut turns = Vec::new();
        for (tenant, at, key) in due {
            turn = if last == Some(tenant) { turn + 1 } else { 0 };
            last = Some(tenant);
            turns.push((turn, at, tenant, key));
        }
        turns.sort_unstable();
        turns
            .into_iter()
            .map(|(_, _, tenant, key)| (tenant, kind, key))
            .collect()
    }
}

impl WorkStore for MemoryStore {
    fn claim_due(
        &self,
        kind: WorkKind,
        _: &str,
        lease: Duration,
        most: usize,
        now: Timestamp,
    ) -> StoreFuture<'_, Vec<Claim>> {
        Box::pin(async move {
            let mut state = self.lock();
            let lease = SignedDuration::try_from(lease).unwrap_or(SignedDuration::MAX);
            let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
            let claimable = state.claimable(kind, now);
            let taken = claimable.into_iter().take(most).map(|key| {
                let work = state.work.get_mut(&key).expect("it was just seen");
                work.epoch += 1;
                work.until = Some(until);
                let (tenant, _, key) = key;
                Claim {
                    kind,
                    tenant,
                    key,
                    epoch: work.epoch,
                    due: work.due,
                }
            });
            Ok(taken.collect())
        })
    }

    fn finish_work(&self, claim: &Claim, next_due: Timestamp) -> StoreFuture<'_, bool> {
        let (key, epoch) = ((claim.tenant, claim.kind, claim.key), claim.epoch);
        self.journal(move |state| match state.work.get_mut(&key) {
            Some(work) if work.epoch == epoch && work.until.is_some() => {
                work.due = work.hastened.take().map_or(next_due, |hastened| hastened.min(next_due));
                work.until = None;
                true
            }
            _ => false,
        })
    }

    fn hasten_work(&self, tenant: TenantId, kind: WorkKind, key: [u8; 16], due: Timestamp) -> StoreFuture<'_, ()> {
        self.journal(move |state| {
            if let Some(work) = state.work.get_mut(&(tenant, kind, key)) {
                work.due = work.due.min(due);
                work.hastened = work.until.map(|_| due);
                work.epoch = work.epoch.max(1);
            }
        })
    }

    fn next_work(&self, tenant: TenantId, kind: WorkKind, key: [u8; 16]) -> StoreFuture<'_, Option<Timestamp>> {
        self.read(move |state| {
            let work = state.work.get(&(tenant, kind, key))?;
            (work.epoch > 0).then_some(work.due)
        })
    }
}
