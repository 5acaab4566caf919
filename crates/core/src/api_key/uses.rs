//! When keys were last used: kept in memory, written down now and then, so that no request waits for it.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use super::{ApiKey, Known};
use crate::{
    clock::Timestamp,
    connectors::Connectors,
    error::Result,
    id::{ApiKeyId, TenantId},
    limits::MAX_NOTED_API_KEYS,
    store::ApiKeyUse,
};

/// Uses that are not written down yet.
#[derive(Default)]
pub(crate) struct Uses(Mutex<HashMap<(TenantId, ApiKeyId), Timestamp>>);

/// The second in which a cached key's use was last noted: within it there is nothing more to note.
#[derive(Default)]
pub(super) struct Noted(AtomicI64);

impl Noted {
    /// Whether this second is a new one.
    fn is_new(&self, now: Timestamp) -> bool {
        self.0.swap(now.as_second(), Ordering::Relaxed) != now.as_second()
    }
}

impl Uses {
    /// Notes that a key is used. Where too many are noted already, this one is noted again after they were written down.
    pub(super) fn note(&self, known: &Known, now: Timestamp) {
        if !known.noted.is_new(now) {
            return;
        }
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (known.key.tenant, known.key.id);
        if uses.len() < MAX_NOTED_API_KEYS || uses.contains_key(&key) {
            uses.insert(key, now);
        }
    }

    /// The key as it would be shown had everything been written down.
    pub(super) fn shown(&self, mut key: ApiKey) -> ApiKey {
        let uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = uses.get(&(key.tenant, key.id)).copied();
        key.last_used_at = key.last_used_at.max(noted);
        key
    }

    fn take(&self) -> Vec<ApiKeyUse> {
        let uses = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let uses = uses.into_iter();
        uses.map(|((tenant, key), at)| ApiKeyUse { tenant, key, at }).collect()
    }

    fn put_back(&self, taken: Vec<ApiKeyUse>) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for used in taken {
            let latest = uses.entry((used.tenant, used.key)).or_insert(used.at);
            *latest = used.at.max(*latest);
        }
    }
}

impl Connectors {
    /// Writes down when keys were last used. A program that runs for long does so once a minute and before it ends.
    ///
    /// # Errors
    /// Trouble with the store, after which everything is still noted.
    pub async fn save_api_key_uses(&self) -> Result<()> {
        let uses = self.inner.api_keys.uses.take();
        if uses.is_empty() {
            return Ok(());
        }
        let saved = self.inner.store.note_api_key_uses(uses.clone()).await;
        saved.inspect_err(|_| self.inner.api_keys.uses.put_back(uses))
    }
}
