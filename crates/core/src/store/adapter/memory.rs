//! The adapter in memory.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Adapter, AdapterResult, Change, Filter, Key, Record};
use crate::{id::ConnectionId, store::Updated};

/// An adapter that forgets everything when dropped: for tests, and for programs that keep nothing.
#[derive(Default)]
pub struct MemoryAdapter(Mutex<BTreeMap<Key, Record>>);

impl MemoryAdapter {
    /// An empty adapter.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing here panics between two halves of a change, so the poison says nothing.
    fn records(&self) -> MutexGuard<'_, BTreeMap<Key, Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Adapter for MemoryAdapter {
    async fn get(&self, key: &Key) -> AdapterResult<Option<Record>> {
        Ok(self.records().get(key).cloned())
    }

    async fn list(&self, filter: &Filter) -> AdapterResult<Vec<Record>> {
        let mut found: Vec<Record> = self
            .records()
            .values()
            .filter(|record| filter.fits(record))
            .cloned()
            .collect();
        found.sort_by_key(|record| record.id);
        found.truncate(filter.limit);
        Ok(found)
    }

    async fn upsert(&self, record: &Record) -> AdapterResult<Record> {
        let mut records = self.records();
        let standing = records.entry(record.key.clone()).or_insert_with(|| record.clone());
        Ok(standing.clone())
    }

    async fn update(&self, key: &Key, id: ConnectionId, version: u64, change: &Change) -> AdapterResult<Updated> {
        match self.records().get_mut(key) {
            Some(record) if record.id == id && record.version == version => {
                record.value = change.value.clone();
                record.enabled = change.enabled;
                record.version = change.version;
                record.updated_at = change.updated_at;
                Ok(Updated::Updated)
            }
            _ => Ok(Updated::Conflict),
        }
    }

    async fn delete(&self, key: &Key, id: ConnectionId) -> AdapterResult<bool> {
        let mut records = self.records();
        let is_there = records.get(key).is_some_and(|record| record.id == id);
        Ok(is_there && records.remove(key).is_some())
    }
}

impl fmt::Debug for MemoryAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryAdapter(..)")
    }
}
