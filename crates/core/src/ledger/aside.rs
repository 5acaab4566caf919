//! Tenants whose ledgers the store refuses to write while it may write those of others: their rows are set aside, so that
//! one broken chain stops nobody else's, and tried again later and later.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::{
    id::TenantId,
    limits::{FLUSH_PAUSE, SET_ASIDE_PAUSE, SET_ASIDE_ROWS},
    store::CallEntry,
};

/// What was set aside, by tenant.
#[derive(Default)]
pub(super) struct Asides(BTreeMap<TenantId, Aside>);

struct Aside {
    /// Its calls in their order; none while they are tried again, or where only uses of keys are refused.
    calls: Vec<CallEntry>,
    /// How often in a row it was refused.
    refused: u32,
    /// From when on it is tried again.
    again: Instant,
}

impl Asides {
    /// Sets a tenant's calls aside that were refused just now.
    pub(super) fn refuse(&mut self, tenant: TenantId, calls: &[CallEntry]) {
        let aside = self.0.entry(tenant).or_insert_with(|| Aside {
            calls: Vec::new(),
            refused: 0,
            again: Instant::now(),
        });
        // They are older than whatever came to wait since.
        drop(aside.calls.splice(..0, calls.iter().cloned()));
        aside.again = Instant::now() + pause(aside.refused);
        aside.refused += 1;
    }

    /// Adds a call to those of a tenant whose time has not come; gives it back where it may be tried.
    pub(super) fn add(&mut self, call: CallEntry) -> Option<CallEntry> {
        match self.0.get_mut(&call.tenant) {
            Some(aside) if aside.again > Instant::now() => {
                aside.calls.push(call);
                None
            }
            _ => Some(call),
        }
    }

    /// The calls whose time has come. That they were refused is known until they are [`forgiven`](Self::forgive).
    pub(super) fn due(&mut self) -> Vec<(TenantId, Vec<CallEntry>)> {
        let now = Instant::now();
        let due = self.0.iter_mut().filter(|(_, aside)| aside.again <= now);
        due.map(|(tenant, aside)| (*tenant, std::mem::take(&mut aside.calls)))
            .collect()
    }

    /// Everything's time has come.
    pub(super) fn hasten(&mut self) {
        let now = Instant::now();
        self.0.values_mut().for_each(|aside| aside.again = now);
    }

    /// The store takes the tenant's rows again.
    pub(super) fn forgive(&mut self, tenant: TenantId) {
        self.0.remove(&tenant);
    }

    /// Whether a tenant's time has not come.
    pub(super) fn holds(&self, tenant: TenantId) -> bool {
        self.0.get(&tenant).is_some_and(|aside| aside.again > Instant::now())
    }

    /// Whether nothing of a tenant's waits here.
    pub(super) fn is_idle(&self, tenant: TenantId) -> bool {
        self.0.get(&tenant).is_none_or(|aside| aside.calls.is_empty())
    }

    /// Whether no more of a tenant's calls are kept.
    pub(super) fn is_full(&self, tenant: TenantId) -> bool {
        let aside = self.0.get(&tenant);
        aside.is_some_and(|aside| aside.calls.len() >= SET_ASIDE_ROWS)
    }

    /// When the next tenant is to be tried again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().map(|aside| aside.again).min()
    }

    pub(super) fn calls(&self) -> impl DoubleEndedIterator<Item = &CallEntry> {
        self.0.values().flat_map(|aside| &aside.calls)
    }

    /// How many tenants are refused.
    pub(super) fn tenants(&self) -> usize {
        self.0.len()
    }
}

/// Twice as long each time.
fn pause(refused: u32) -> Duration {
    FLUSH_PAUSE.saturating_mul(1 << refused.min(16)).min(SET_ASIDE_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::sample;

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_keeps_its_order_and_is_tried_later_and_later() {
        let mut asides = Asides::default();
        let tenant = sample::tenant_id();
        let calls: Vec<_> = (0..3).map(|_| sample::call(tenant)).collect();
        let mut pauses = Vec::new();
        asides.refuse(tenant, &calls[..2]);
        assert_eq!(asides.add(calls[2].clone()), None, "it waits behind the others");
        let other = sample::call(sample::tenant_id());
        assert_eq!(asides.add(other.clone()), Some(other));
        loop {
            assert!(asides.holds(tenant) && asides.due().is_empty());
            let pause = asides.next().unwrap() - Instant::now();
            pauses.push(pause.as_secs());
            tokio::time::advance(pause).await;
            assert_eq!(asides.due(), [(tenant, calls.clone())]);
            assert!(asides.due().iter().all(|(_, calls)| calls.is_empty()), "on their way");
            if pauses.len() == 8 {
                break;
            }
            asides.refuse(tenant, &calls);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        asides.refuse(tenant, &calls);
        asides.hasten();
        assert_eq!(asides.due().len(), 1);
        asides.forgive(tenant);
        assert_eq!((asides.next(), asides.tenants()), (None, 0));
    }

    #[test]
    fn g12_one_tenants_calls_are_kept_up_to_a_bound() {
        let mut asides = Asides::default();
        let (tenant, other) = (sample::tenant_id(), sample::tenant_id());
        let calls = vec![sample::call(tenant); SET_ASIDE_ROWS];
        asides.refuse(tenant, &calls[1..]);
        assert!(!asides.is_full(tenant));
        asides.add(calls[0].clone());
        assert!(asides.is_full(tenant) && !asides.is_full(other));
    }
}
