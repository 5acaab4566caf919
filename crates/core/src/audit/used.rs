//! The use of API keys, sampled: the first in each hour leaves an entry. It costs the request that uses the key no statement;
//! the entry is written with the next batch of the ledger.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
};

use super::{Actor, Trail};
use crate::{
    clock::Timestamp,
    connectors::Connectors,
    error::Result,
    id::{ApiKeyId, TenantId},
    limits::{MAX_KEYS_SAMPLED, REFUSALS_IN_A_ROW},
};

/// The keys that were used in this hour.
#[derive(Default)]
pub(crate) struct KeyUses(Mutex<Hour>);

#[derive(Default)]
struct Hour {
    number: i64,
    seen: HashSet<ApiKeyId>,
    /// Not written down yet.
    fresh: Vec<(TenantId, ApiKeyId)>,
}

impl KeyUses {
    /// Notes a use; says whether there is something to write down.
    pub(crate) fn note(&self, tenant: TenantId, key: ApiKeyId, now: Timestamp) -> bool {
        let mut hour = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now.as_second() / 3600;
        if hour.number != number {
            hour.number = number;
            hour.seen.clear();
        }
        if hour.seen.contains(&key) || hour.seen.len() >= MAX_KEYS_SAMPLED || hour.fresh.len() >= MAX_KEYS_SAMPLED {
            return false;
        }
        hour.seen.insert(key);
        hour.fresh.push((tenant, key));
        true
    }

    fn take(&self) -> Vec<(TenantId, ApiKeyId)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).fresh)
    }

    fn put_back(&self, uses: impl IntoIterator<Item = (TenantId, ApiKeyId)>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fresh.extend(uses);
    }
}

impl Connectors {
    /// Writes down the keys that were used. What the store refuses of one tenant is kept, and the others' is written.
    pub(crate) async fn record_key_uses(&self) -> Result<()> {
        let mut by_tenant = BTreeMap::<TenantId, Vec<ApiKeyId>>::new();
        for (tenant, key) in self.inner.key_uses.take() {
            by_tenant.entry(tenant).or_default().push(key);
        }
        let (ledger, mut ended, mut refused) = (&self.inner.ledger, Ok(()), 0);
        for (tenant, keys) in by_tenant {
            let is_over = refused == REFUSALS_IN_A_ROW;
            let written = match (is_over || ledger.is_refused(tenant), self.uses_of(tenant, &keys)) {
                (true, _) => None,
                (false, Ok(trail)) => Some(self.inner.store.record(tenant, trail).await),
                (false, Err(error)) => Some(Err(error)),
            };
            if let Some(Ok(())) = written {
                ledger.forgive(tenant);
                continue;
            }
            self.inner.key_uses.put_back(keys.into_iter().map(|key| (tenant, key)));
            if let Some(Err(error)) = written {
                ledger.refused(tenant);
                tracing::error!(%tenant, ?error, "the use of keys cannot be written down; it is kept and tried again");
                ended = ended.and(Err(error));
                refused += 1;
            }
        }
        ended
    }

    fn uses_of(&self, tenant: TenantId, keys: &[ApiKeyId]) -> Result<Trail> {
        let mut entries = Vec::new();
        let mut trail = None;
        for key in keys {
            let by = Actor::new(tenant, key);
            let mut one = self.inner.trails.by(&by).did("api_key.used", key).finish()?;
            entries.append(&mut one.entries);
            trail = Some(one);
        }
        match trail {
            Some(trail) => Ok(Trail { entries, ..trail }),
            None => self.inner.trails.by(&Actor::server(tenant)).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SignedDuration;

    #[test]
    fn a3_a_keys_use_is_noted_once_an_hour() {
        let uses = KeyUses::default();
        let tenant = TenantId::from_bytes([1; 16]);
        let key = |number: usize| ApiKeyId::from_bytes((number as u128).to_be_bytes());
        let now: Timestamp = "2026-11-20T09:00:00Z".parse().unwrap();
        assert!(uses.note(tenant, key(1), now));
        assert!(!uses.note(tenant, key(1), now + SignedDuration::from_mins(59)));
        assert!(uses.note(tenant, key(2), now));
        assert!(uses.note(tenant, key(1), now + SignedDuration::from_mins(60)));
        assert_eq!(uses.take(), [(tenant, key(1)), (tenant, key(2)), (tenant, key(1))]);
        let noted =
            (0..2 * MAX_KEYS_SAMPLED).filter(|n| uses.note(tenant, key(*n), now + SignedDuration::from_hours(9)));
        assert_eq!(noted.count(), MAX_KEYS_SAMPLED);
    }
}
