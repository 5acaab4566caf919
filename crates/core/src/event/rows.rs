//! The store as the library uses it: what happens to connections is told once it is committed.

use std::{ops::Deref, sync::Arc};

use tokio::time::Instant;

use super::{EventKind, Events, Facts, Happened};
use crate::{
    audit::Trail,
    error::Result,
    id::{ConnectionId, TenantId},
    scope::Scope,
    store::{ConnectionFilter, ConnectionRow, Inserted, Store, Updated},
};

/// A store whose verbs for connections tell of themselves. All other verbs are the store's own.
pub(crate) struct Rows {
    store: Arc<dyn Store>,
    events: Arc<Events>,
}

impl Deref for Rows {
    type Target = Arc<dyn Store>;

    fn deref(&self) -> &Self::Target {
        &self.store
    }
}

impl Rows {
    pub(crate) fn new(store: Arc<dyn Store>, events: Arc<Events>) -> Self {
        Self { store, events }
    }

    pub(crate) async fn connection(
        &self,
        tenant: TenantId,
        scope: &Scope,
        connector: &str,
        name: &str,
    ) -> Result<Option<ConnectionRow>> {
        let began = self.began(EventKind::AdapterGet);
        let row = self.store.connection(tenant, scope, connector, name).await?;
        self.ended(EventKind::AdapterGet, began, || {
            let about = match &row {
                Some(row) => of(row),
                None => Happened::to(tenant).connector(connector).scope(scope),
            };
            about.facts(found(row.is_some()))
        });
        Ok(row)
    }

    pub(crate) async fn connection_by_id(&self, tenant: TenantId, id: ConnectionId) -> Result<Option<ConnectionRow>> {
        let began = self.began(EventKind::AdapterGet);
        let row = self.store.connection_by_id(tenant, id).await?;
        self.ended(EventKind::AdapterGet, began, || {
            let about = row.as_ref().map_or_else(|| Happened::to(tenant).connection(id), of);
            about.facts(found(row.is_some()))
        });
        Ok(row)
    }

    pub(crate) async fn connections(&self, filter: ConnectionFilter) -> Result<Vec<ConnectionRow>> {
        let began = self.began(EventKind::AdapterList);
        let asked = began.map(|_| {
            let mut about = Happened::to(filter.tenant);
            (about.connector, about.scope) = (filter.connector.clone(), filter.scope.clone());
            about
        });
        let rows = self.store.connections(filter).await?;
        if let Some(about) = asked {
            self.ended(EventKind::AdapterList, began, || {
                about.facts(Facts::Adapter {
                    found: None,
                    count: Some(rows.len()),
                    inserted: None,
                })
            });
        }
        Ok(rows)
    }

    pub(crate) async fn insert_connection(&self, row: ConnectionRow, trail: Trail) -> Result<Inserted<ConnectionRow>> {
        let began = self.began(EventKind::AdapterUpsert);
        let told = self.to_tell(&row, &trail);
        let outcome = self.store.insert_connection(row, trail).await?;
        if let (Inserted::Inserted, Some((about, kinds))) = (&outcome, told) {
            self.committed(&about, &kinds);
            self.ended(EventKind::AdapterUpsert, began, || about.facts(inserted(true)));
        }
        Ok(outcome)
    }

    pub(crate) async fn update_connection(
        &self,
        row: ConnectionRow,
        expected_version: u64,
        trail: Trail,
    ) -> Result<Updated> {
        let connects = |event: &super::FeedEvent| event.kind == EventKind::ConnectorConnected;
        let (kind, facts) = match trail.events.iter().any(connects) {
            true => (EventKind::AdapterUpsert, inserted(false)),
            false => (EventKind::AdapterUpdate, Facts::Nothing),
        };
        let began = self.began(kind);
        let told = self.to_tell(&row, &trail);
        let outcome = self.store.update_connection(row, expected_version, trail).await?;
        if let (Updated::Updated, Some((about, kinds))) = (outcome, told) {
            self.committed(&about, &kinds);
            self.ended(kind, began, || about.facts(facts));
        }
        Ok(outcome)
    }

    /// The row is told of as it was.
    pub(crate) async fn delete_connection(&self, row: &ConnectionRow, trail: Trail) -> Result<bool> {
        let began = self.began(EventKind::AdapterDelete);
        let told = self.to_tell(row, &trail);
        let deleted = self.store.delete_connection(row.tenant, row.id, trail).await?;
        if let (true, Some((about, kinds))) = (deleted, told) {
            self.committed(&about, &kinds);
            self.ended(EventKind::AdapterDelete, began, || about.facts(Facts::Nothing));
        }
        Ok(deleted)
    }

    fn began(&self, kind: EventKind) -> Option<Instant> {
        self.events.wants(kind).then(Instant::now)
    }

    fn ended(&self, kind: EventKind, began: Option<Instant>, about: impl FnOnce() -> Happened) {
        if let Some(began) = began {
            self.events.tell(kind, || about().took(began.elapsed()));
        }
    }

    /// What a change's trail says of the row, where anybody wants to hear anything.
    fn to_tell(&self, row: &ConnectionRow, trail: &Trail) -> Option<(Happened, Vec<super::FeedEvent>)> {
        self.events.wants_anything().then(|| (of(row), trail.events.clone()))
    }

    fn committed(&self, about: &Happened, events: &[super::FeedEvent]) {
        for event in events {
            self.events.tell_of(event, || about.clone());
        }
    }
}

fn of(row: &ConnectionRow) -> Happened {
    let about = Happened::to(row.tenant).connector(&row.connector).scope(&row.scope);
    about.connection(row.id).facts(Facts::Connection {
        encrypted_fields: row.secrets.len(),
    })
}

fn found(found: bool) -> Facts {
    Facts::Adapter {
        found: Some(found),
        count: None,
        inserted: None,
    }
}

fn inserted(inserted: bool) -> Facts {
    Facts::Adapter {
        found: None,
        count: None,
        inserted: Some(inserted),
    }
}
