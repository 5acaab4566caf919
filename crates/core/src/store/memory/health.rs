//! What tests of connections found out.

use super::MemoryStore;
use crate::{
    clock::Timestamp,
    store::{HealthStore, StoreFuture, TestFilter, TestRow},
};

impl HealthStore for MemoryStore {
    fn note_test(&self, row: TestRow, keep: usize) -> StoreFuture<'_, ()> {
        self.journal(move |state| {
            let (tenant, connection) = (row.tenant, row.connection);
            if !state.connections.contains_key(&(tenant, connection)) {
                return;
            }
            state.tests.insert((tenant, connection, row.id), row);
            let own = state.tests.keys().filter(|key| (key.0, key.1) == (tenant, connection));
            let surplus: Vec<_> = own.rev().skip(keep).copied().collect();
            surplus.iter().for_each(|key| drop(state.tests.remove(key)));
        })
    }

    fn tests(&self, filter: TestFilter) -> StoreFuture<'_, Vec<TestRow>> {
        self.read(move |state| {
            let rows = state.tests.values().rev().filter(|row| {
                (row.tenant, row.connection) == (filter.tenant, filter.connection)
                    && filter.state.is_none_or(|state| row.state == Some(state))
                    && filter.before.is_none_or(|before| row.id < before)
            });
            rows.take(filter.limit).cloned().collect()
        })
    }

    fn prune_tests(&self, before: Timestamp, limit: usize) -> StoreFuture<'_, usize> {
        self.journal(move |state| {
            let old = state.tests.iter().filter(|(_, row)| row.at < before);
            let old: Vec<_> = old.map(|(key, _)| *key).take(limit).collect();
            old.iter().for_each(|key| drop(state.tests.remove(key)));
            old.len()
        })
    }
}
