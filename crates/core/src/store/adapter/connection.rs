//! An adapter as the library's store: connections go to it, and nothing else is kept.

use std::{collections::VecDeque, fmt};

use super::{
    Adapter, Change, Filter,
    ask::Asked,
    unkept::needs_a_store,
    value::{key_of, record_of, row_of},
};
use crate::{
    audit::Trail,
    cache::Cache,
    connection::conflict,
    error::Result,
    id::{ConnectionId, TenantId},
    limits::{MAX_PAGE, MAX_UPDATE_ATTEMPTS, OPENED_CONNECTIONS},
    scope::Scope,
    store::{
        ConnectionFilter, ConnectionRow, ConnectionStore, Inserted, LastDelivery, Store, StoreFuture, Updated,
        adapter::{Key, Record},
    },
};

/// An adapter in the place of a store, for one tenant.
pub(crate) struct AdapterStore {
    adapter: Asked,
    tenant: TenantId,
    /// Where a connection is. An identifier never moves to another key, so what is here never grows old.
    keys: Cache<ConnectionId, Key>,
}

impl AdapterStore {
    pub(crate) fn new(adapter: impl Adapter, tenant: TenantId) -> Self {
        Self {
            adapter: Asked::new(adapter),
            tenant,
            keys: Cache::new(OPENED_CONNECTIONS),
        }
    }

    pub(super) fn adapter(&self) -> &Asked {
        &self.adapter
    }

    fn row(&self, record: Record) -> Result<ConnectionRow> {
        let ticket = self.keys.ticket(self.tenant, &record.id);
        if self.keys.get(self.tenant, &record.id).is_none() {
            self.keys.insert(ticket, record.key.clone().into());
        }
        row_of(self.tenant, record)
    }

    /// The record with this identifier, by one question.
    async fn record(&self, id: ConnectionId) -> Result<Option<Record>> {
        if let Some(key) = self.keys.get(self.tenant, &id) {
            // Another one under the key means that this one was deleted.
            let found = self.adapter.get(&key).await?;
            return Ok(found.filter(|record| record.id == id));
        }
        let only = Filter {
            id: Some(id),
            ..Filter::all(1)
        };
        Ok(self.adapter.list(&only).await?.pop())
    }

    /// Goes through the records page by page. The adapter knows neither health nor environment, and gives rising
    /// identifiers only: from the newest on, the last that fit are kept, and no more than were asked for.
    async fn page(&self, filter: ConnectionFilter) -> Result<Vec<ConnectionRow>> {
        let mut rows = VecDeque::new();
        if filter.tenant != self.tenant || filter.limit == 0 {
            return Ok(Vec::new());
        }
        let mut asked = Filter {
            scope: filter.scope.clone(),
            connector: filter.connector.clone(),
            after: filter.after.filter(|_| !filter.newest_first),
            ..Filter::all(MAX_PAGE)
        };
        let before = filter.after.filter(|_| filter.newest_first);
        loop {
            let records = self.adapter.list(&asked).await?;
            let is_last = records.len() < asked.limit;
            for record in records {
                asked.after = Some(record.id);
                if before.is_some_and(|before| record.id >= before) {
                    return Ok(newest(rows));
                }
                let row = self.row(record)?;
                if !fits(&filter, &row) {
                    continue;
                }
                rows.push_back(row);
                if rows.len() > filter.limit {
                    rows.pop_front();
                }
                if !filter.newest_first && rows.len() == filter.limit {
                    return Ok(rows.into());
                }
            }
            if is_last {
                return Ok(match filter.newest_first {
                    true => newest(rows),
                    false => rows.into(),
                });
            }
        }
    }

    async fn write(&self, row: &ConnectionRow, expected_version: u64) -> Result<Updated> {
        let record = record_of(row)?;
        let change = Change {
            value: record.value,
            enabled: record.enabled,
            version: record.version,
            updated_at: record.updated_at,
        };
        self.adapter
            .update(&key_of(row), row.id, expected_version, &change)
            .await
    }

    fn check(&self, tenant: TenantId, row: Option<&ConnectionRow>) -> Result<()> {
        if tenant != self.tenant {
            return Err(needs_a_store("More than one tenant"));
        }
        match row {
            Some(row) if row.credential.is_some() => Err(needs_a_store("Shared credentials")),
            _ => Ok(()),
        }
    }
}

fn newest(rows: VecDeque<ConnectionRow>) -> Vec<ConnectionRow> {
    rows.into_iter().rev().collect()
}

/// What the adapter does not judge.
fn fits(filter: &ConnectionFilter, row: &ConnectionRow) -> bool {
    filter.enabled.is_none_or(|enabled| row.enabled == enabled)
        && filter
            .environment
            .is_none_or(|environment| row.environment == environment)
        && (filter.health.is_empty() || filter.health.contains(&row.health.state))
}

impl ConnectionStore for AdapterStore {
    fn connection(
        &self,
        tenant: TenantId,
        scope: &Scope,
        connector: &str,
        name: &str,
    ) -> StoreFuture<'_, Option<ConnectionRow>> {
        let key = Key {
            scope: scope.clone(),
            connector: connector.to_owned(),
            name: name.to_owned(),
        };
        Box::pin(async move {
            if tenant != self.tenant {
                return Ok(None);
            }
            let found = self.adapter.get(&key).await?;
            found.map(|record| self.row(record)).transpose()
        })
    }

    fn connection_by_id(&self, tenant: TenantId, id: ConnectionId) -> StoreFuture<'_, Option<ConnectionRow>> {
        Box::pin(async move {
            if tenant != self.tenant {
                return Ok(None);
            }
            let found = self.record(id).await?;
            found.map(|record| self.row(record)).transpose()
        })
    }

    fn connections(&self, filter: ConnectionFilter) -> StoreFuture<'_, Vec<ConnectionRow>> {
        Box::pin(self.page(filter))
    }

    fn insert_connection(&self, row: ConnectionRow, _: Trail) -> StoreFuture<'_, Inserted<ConnectionRow>> {
        Box::pin(async move {
            self.check(row.tenant, Some(&row))?;
            let standing = self.adapter.upsert(&record_of(&row)?).await?;
            if standing.id == row.id {
                return Ok(Inserted::Inserted);
            }
            self.row(standing).map(Inserted::Taken)
        })
    }

    fn update_connection(&self, row: ConnectionRow, expected_version: u64, _: Trail) -> StoreFuture<'_, Updated> {
        Box::pin(async move {
            self.check(row.tenant, Some(&row))?;
            self.write(&row, expected_version).await
        })
    }

    /// Over an adapter the note is a change like any other: from the version that was read, so that it undoes nobody's.
    fn note_delivery(&self, tenant: TenantId, id: ConnectionId, delivery: LastDelivery) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.check(tenant, None)?;
            for _ in 0..MAX_UPDATE_ATTEMPTS {
                let Some(record) = self.record(id).await? else {
                    return Ok(());
                };
                let mut row = self.row(record)?;
                if row.last_delivery.as_ref().is_some_and(|last| last.at > delivery.at) {
                    return Ok(());
                }
                let expected = row.version;
                row.version += 1;
                row.last_delivery = Some(delivery.clone());
                if self.write(&row, expected).await? == Updated::Updated {
                    return Ok(());
                }
            }
            Err(conflict())
        })
    }

    fn delete_connection(&self, tenant: TenantId, id: ConnectionId, _: Trail) -> StoreFuture<'_, bool> {
        Box::pin(async move {
            self.check(tenant, None)?;
            let key = match self.keys.get(self.tenant, &id) {
                Some(key) => (*key).clone(),
                None => match self.record(id).await? {
                    Some(record) => record.key,
                    None => return Ok(false),
                },
            };
            let deleted = self.adapter.delete(&key, id).await;
            self.keys.forget(self.tenant, &id);
            deleted
        })
    }
}

impl Store for AdapterStore {
    fn statements(&self) -> u64 {
        self.adapter.count()
    }

    fn keeps_connections_only(&self) -> bool {
        true
    }
}

impl fmt::Debug for AdapterStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdapterStore(..)")
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use crate::{
        ActionInput, Connector, Connectors, Effect, MasterKey, MemoryAdapter, RunAction, ScopeRule, admit::Admitted,
        clock::SystemRandom, limits::FLUSH_ROWS,
    };

    const STILL: &str =
        "{ id: still, name: Still, baseUrl: 'https://still.example', auth: [{ type: none }], endpoints: [] }";

    /// Does nothing.
    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Rest {}

    impl ActionInput for Rest {
        type Output = Self;
        const CONNECTOR: &'static str = "still";
        const ACTION: &'static str = "rest";
        const NAME: &'static str = "Rest";
        const EFFECT: Effect = Effect::Read;
    }

    impl RunAction for Rest {
        async fn run(self, _: &Admitted) -> crate::Result<Self> {
            Ok(self)
        }
    }

    #[tokio::test]
    async fn what_is_kept_of_ten_thousand_calls_stays_flat() {
        let manifest = tieline_manifest::Manifest::parse(STILL, tieline_manifest::Use::Tenant).unwrap();
        let connectors = Connectors::builder()
            .adapter(MemoryAdapter::new())
            .key(MasterKey::generate(&SystemRandom).unwrap())
            .scope("organization", ScopeRule::Required)
            .connector(Connector::from_manifest(manifest).action::<Rest>().build().unwrap())
            .build()
            .unwrap();
        let org = connectors.scope("organization", "org_1").unwrap();
        org.connect("still", serde_json::json!({})).await.unwrap();
        let inner = &connectors.inner;
        let held = || (inner.opened.len(), inner.names.len(), inner.lent.len());
        let mut most = 0;
        for _ in 0..10_000 {
            org.call(Rest {}).await.unwrap();
            most = most.max(inner.ledger.waiting_rows());
            assert_eq!(held(), (1, 0, 0));
        }
        assert!(
            (1..=FLUSH_ROWS).contains(&most),
            "{most} rows waited for a ledger that there is not"
        );
        connectors.close().await.unwrap();
        assert_eq!(inner.ledger.waiting_rows(), 0);
        assert_eq!(connectors.store().audit_head(inner.library_tenant).await.unwrap(), None);
        assert_eq!(connectors.store().feed_end().await.unwrap(), 0);
    }
}
