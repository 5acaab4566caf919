//! Everything in memory, under one lock: for tests, and for programs that keep nothing.

mod audit;
mod call;
mod credential;
mod health;
mod idempotency;
mod link;
mod membership;
mod oauth;
mod session;
mod setting;
mod tenant;
mod usage;
mod user;
mod work;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    ops::Bound,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;

use super::{
    ApiKeyRow, ApiKeyStore, ApiKeyUse, AuditRow, CallRow, ConnectionFilter, ConnectionRow, ConnectionStore,
    CredentialRow, DataKeyRow, DataKeyStore, Door, FeedRow, FeedStore, IdempotencyRow, Inserted, LastDelivery, LinkRow,
    MembershipRow, OAuthStateRow, ProcessStore, SessionRow, Store, StoreFuture, Sums, TenantRow, TestRow, Updated,
    UserRow, WorkKind, tenant_is_deleted,
};
use crate::{
    audit::{GENESIS, Trail},
    clock::Timestamp,
    error::{Code, Error, Result},
    event::FeedEvent,
    id::{ApiKeyId, CallId, ConnectionId, CredentialId, OAuthStateId, SessionId, TenantId, UserId},
    scope::Scope,
};

/// A store that forgets everything when dropped.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    verbs: AtomicU64,
    moved: Notify,
}

#[derive(Default)]
struct State {
    tenants: BTreeMap<TenantId, TenantRow>,
    deleted_tenants: BTreeSet<TenantId>,
    users: BTreeMap<UserId, UserRow>,
    memberships: BTreeMap<(TenantId, UserId), MembershipRow>,
    links: BTreeMap<(TenantId, UserId), LinkRow>,
    sessions: BTreeMap<(TenantId, SessionId), SessionRow>,
    api_keys: BTreeMap<(TenantId, ApiKeyId), ApiKeyRow>,
    doors: HashMap<[u8; 32], Door>,
    oauth_states: BTreeMap<(TenantId, OAuthStateId), OAuthStateRow>,
    connections: BTreeMap<(TenantId, ConnectionId), ConnectionRow>,
    credentials: BTreeMap<(TenantId, CredentialId), CredentialRow>,
    /// The unique names; kind and identity stay two values inside [`Scope`].
    names: HashMap<(TenantId, Scope, String, String), ConnectionId>,
    audit: HashMap<TenantId, Vec<AuditRow>>,
    data_keys: BTreeMap<(TenantId, u32), DataKeyRow>,
    fingerprint: Option<[u8; 32]>,
    idempotency: BTreeMap<(TenantId, [u8; 16]), IdempotencyRow>,
    feed: Vec<FeedRow>,
    calls: BTreeMap<TenantId, Calls>,
    usage: BTreeMap<(TenantId, usage::Key), Sums>,
    settings: BTreeMap<String, String>,
    work: BTreeMap<work::Key, work::Work>,
    tests: BTreeMap<(TenantId, ConnectionId, CallId), TestRow>,
}

/// A tenant's ledger.
#[derive(Default)]
struct Calls {
    rows: Vec<CallRow>,
    /// The last place that was given.
    last: u64,
}

/// What a verb did, so that `change` knows whether there is a trail to write.
enum Outcome<T> {
    Changed(T),
    Unchanged(T),
}

use Outcome::{Changed, Unchanged};

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A verb that panics (a trail's link may) leaves the state whole, see `change`: the poison says nothing.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.verbs.fetch_add(1, Ordering::Relaxed);
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<'a, T: Send + 'a>(&'a self, look: impl FnOnce(&State) -> T + Send + 'a) -> StoreFuture<'a, T> {
        Box::pin(async move { Ok(look(&self.lock())) })
    }

    /// The only way to change what belongs to a tenant. The chain's rows are computed first, so that nothing can fail
    /// between the change and its trail; a verb checks everything before it touches the state.
    fn change<'a, T: Send + 'a>(
        &'a self,
        tenant: TenantId,
        trail: Trail,
        verb: impl FnOnce(&mut State) -> Result<Outcome<T>> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move {
            trail.check_tenant(tenant)?;
            let mut state = self.lock();
            if state.deleted_tenants.contains(&tenant) {
                return Err(tenant_is_deleted());
            }
            let rows = state.continue_chain(tenant, &trail);
            let value = match verb(&mut state)? {
                Unchanged(value) => return Ok(value),
                Changed(value) => value,
            };
            state.put_trail(tenant, rows, trail);
            drop(state);
            self.moved.notify_waiters();
            Ok(value)
        })
    }
}

impl State {
    /// The rows that a trail adds to its tenant's chain. Fails, by a panic of the link, before anything changed.
    fn continue_chain(&self, tenant: TenantId, trail: &Trail) -> Vec<AuditRow> {
        let head = self.audit.get(&tenant).and_then(|rows| rows.last());
        trail.rows_after(head.map_or(0, |row| row.seq), head.map_or(GENESIS, |row| row.hash))
    }

    fn put_trail(&mut self, tenant: TenantId, rows: Vec<AuditRow>, trail: Trail) {
        self.audit.entry(tenant).or_default().extend(rows);
        self.put_events(tenant, trail.events);
    }

    fn put_events(&mut self, tenant: TenantId, events: Vec<FeedEvent>) {
        for event in events {
            let seq = self.feed.last().map_or(0, |row| row.seq) + 1;
            self.feed.push(FeedRow {
                seq,
                event: event.id,
                at: event.at,
                kind: Some(event.kind),
                tenant,
                subject: event.subject,
            });
        }
    }

    fn check_api_key(&self, key: &ApiKeyRow) -> Result<()> {
        if self.doors.contains_key(&key.hash) || self.api_keys.contains_key(&(key.tenant, key.id)) {
            return Err(taken("an API key with this hash or id exists"));
        }
        Ok(())
    }

    fn put_api_key(&mut self, row: ApiKeyRow) {
        let (tenant, key) = (row.tenant, row.id);
        self.doors.insert(row.hash, Door { tenant, key });
        self.api_keys.insert((tenant, key), row);
    }
}

/// The error for identifiers and hashes that can only repeat by a fault of the caller.
fn taken(what: &'static str) -> Error {
    Error::new(
        Code::ConnectorDatabaseFailed,
        "The row could not be written because one with its identifier exists.",
    )
    .context("what", what)
}

fn name_of(row: &ConnectionRow) -> (TenantId, Scope, String, String) {
    (row.tenant, row.scope.clone(), row.connector.clone(), row.name.clone())
}

fn beyond<T>(after: Option<T>) -> (Bound<T>, Bound<T>) {
    (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
}

impl ApiKeyStore for MemoryStore {
    fn create_api_key(&self, key: ApiKeyRow, trail: Trail) -> StoreFuture<'_, ()> {
        self.change(key.tenant, trail, move |state| {
            state.check_api_key(&key)?;
            state.put_api_key(key);
            Ok(Changed(()))
        })
    }

    fn open_door(&self, hash: [u8; 32]) -> StoreFuture<'_, Option<Door>> {
        self.read(move |state| state.doors.get(&hash).copied())
    }

    fn api_key(&self, tenant: TenantId, id: ApiKeyId) -> StoreFuture<'_, Option<ApiKeyRow>> {
        self.read(move |state| state.api_keys.get(&(tenant, id)).cloned())
    }

    fn api_keys(&self, tenant: TenantId, after: Option<ApiKeyId>, limit: usize) -> StoreFuture<'_, Vec<ApiKeyRow>> {
        self.read(move |state| {
            let rows = state.api_keys.values().filter(|row| row.tenant == tenant);
            let rows = rows.filter(|row| after.is_none_or(|after| row.id > after));
            rows.take(limit).cloned().collect()
        })
    }

    fn update_api_key(&self, key: ApiKeyRow, expected_version: u64, trail: Trail) -> StoreFuture<'_, Updated> {
        self.change(key.tenant, trail, move |state| {
            match state.api_keys.get_mut(&(key.tenant, key.id)) {
                Some(row) if row.version == expected_version && row.revoked_at.is_none() => {
                    row.name = key.name;
                    row.permissions = key.permissions;
                    row.expires_at = key.expires_at;
                    row.networks = key.networks;
                    row.version = key.version;
                    Ok(Changed(Updated::Updated))
                }
                _ => Ok(Unchanged(Updated::Conflict)),
            }
        })
    }

    fn note_api_key_uses(&self, uses: Vec<ApiKeyUse>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let mut state = self.lock();
            for used in uses {
                if let Some(row) = state.api_keys.get_mut(&(used.tenant, used.key)) {
                    row.last_used_at = row.last_used_at.max(Some(used.at));
                }
            }
            Ok(())
        })
    }

    fn revoke_api_key(&self, tenant: TenantId, id: ApiKeyId, at: Timestamp, trail: Trail) -> StoreFuture<'_, bool> {
        self.change(tenant, trail, move |state| {
            match state.api_keys.get_mut(&(tenant, id)) {
                Some(row) if row.revoked_at.is_none() => {
                    row.revoked_at = Some(at);
                    let maker = id.to_string();
                    state
                        .links
                        .retain(|_, row| row.tenant != tenant || row.created_by != maker);
                    Ok(Changed(true))
                }
                _ => Ok(Unchanged(false)),
            }
        })
    }
}

impl ConnectionStore for MemoryStore {
    fn connection(
        &self,
        tenant: TenantId,
        scope: &Scope,
        connector: &str,
        name: &str,
    ) -> StoreFuture<'_, Option<ConnectionRow>> {
        let name = (tenant, scope.clone(), connector.to_owned(), name.to_owned());
        self.read(move |state| {
            let id = state.names.get(&name)?;
            state.connections.get(&(tenant, *id)).cloned()
        })
    }

    fn connection_by_id(&self, tenant: TenantId, id: ConnectionId) -> StoreFuture<'_, Option<ConnectionRow>> {
        self.read(move |state| state.connections.get(&(tenant, id)).cloned())
    }

    fn connections(&self, filter: ConnectionFilter) -> StoreFuture<'_, Vec<ConnectionRow>> {
        self.read(move |state| {
            let fits = |row: &&ConnectionRow| {
                row.tenant == filter.tenant
                    && filter.scope.as_ref().is_none_or(|scope| row.scope == *scope)
                    && filter
                        .connector
                        .as_ref()
                        .is_none_or(|connector| row.connector == *connector)
                    && filter.enabled.is_none_or(|enabled| row.enabled == enabled)
                    && filter
                        .environment
                        .is_none_or(|environment| row.environment == environment)
                    && (filter.health.is_empty() || filter.health.contains(&row.health.state))
                    && filter.after.is_none_or(|after| match filter.newest_first {
                        true => row.id < after,
                        false => row.id > after,
                    })
            };
            let rows = state.connections.values().filter(fits);
            match filter.newest_first {
                true => rows.rev().take(filter.limit).cloned().collect(),
                false => rows.take(filter.limit).cloned().collect(),
            }
        })
    }

    fn insert_connection(&self, row: ConnectionRow, trail: Trail) -> StoreFuture<'_, Inserted<ConnectionRow>> {
        self.change(row.tenant, trail, move |state| {
            if let Some(id) = state.names.get(&name_of(&row)) {
                return Ok(Unchanged(Inserted::Taken(
                    state.connections[&(row.tenant, *id)].clone(),
                )));
            }
            if state.connections.contains_key(&(row.tenant, row.id)) {
                return Err(taken("a connection with this id exists"));
            }
            state.check_credential(&row)?;
            state.names.insert(name_of(&row), row.id);
            let key = (row.tenant, WorkKind::Health, *row.id.as_bytes());
            state.work.insert(key, work::Work::due(row.created_at));
            state.connections.insert((row.tenant, row.id), row);
            Ok(Changed(Inserted::Inserted))
        })
    }

    fn update_connection(&self, row: ConnectionRow, expected_version: u64, trail: Trail) -> StoreFuture<'_, Updated> {
        self.change(row.tenant, trail, move |state| {
            let stands = state.check_credential(&row);
            let stored = match state.connections.get_mut(&(row.tenant, row.id)) {
                Some(stored) if stored.version == expected_version => stored,
                _ => return Ok(Unchanged(Updated::Conflict)),
            };
            stands?;
            let identity = stored.clone();
            *stored = ConnectionRow {
                scope: identity.scope,
                environment: identity.environment,
                connector: identity.connector,
                name: identity.name,
                created_by: identity.created_by,
                created_at: identity.created_at,
                last_delivery: identity.last_delivery,
                ..row
            };
            Ok(Changed(Updated::Updated))
        })
    }

    fn note_delivery(&self, tenant: TenantId, id: ConnectionId, delivery: LastDelivery) -> StoreFuture<'_, ()> {
        self.journal(move |state| {
            let Some(row) = state.connections.get_mut(&(tenant, id)) else {
                return;
            };
            if row.last_delivery.as_ref().is_none_or(|last| last.at <= delivery.at) {
                row.last_delivery = Some(delivery);
            }
        })
    }

    fn delete_connection(&self, tenant: TenantId, id: ConnectionId, trail: Trail) -> StoreFuture<'_, bool> {
        self.change(tenant, trail, move |state| {
            let Some(row) = state.connections.remove(&(tenant, id)) else {
                return Ok(Unchanged(false));
            };
            state.names.remove(&name_of(&row));
            state.work.remove(&(tenant, WorkKind::Health, *id.as_bytes()));
            state.tests.retain(|key, _| (key.0, key.1) != (tenant, id));
            Ok(Changed(true))
        })
    }
}

impl DataKeyStore for MemoryStore {
    fn data_keys(&self, tenant: TenantId) -> StoreFuture<'_, Vec<DataKeyRow>> {
        self.read(move |state| {
            let rows = state.data_keys.range((tenant, 0)..=(tenant, u32::MAX));
            rows.map(|(_, row)| row.clone()).collect()
        })
    }

    fn add_data_key(&self, row: DataKeyRow, trail: Trail) -> StoreFuture<'_, Inserted<DataKeyRow>> {
        self.change(row.tenant, trail, move |state| {
            if let Some(standing) = state.data_keys.get(&(row.tenant, row.id)) {
                return Ok(Unchanged(Inserted::Taken(standing.clone())));
            }
            state.data_keys.insert((row.tenant, row.id), row);
            Ok(Changed(Inserted::Inserted))
        })
    }

    fn keep_master_fingerprint(&self, fingerprint: [u8; 32]) -> StoreFuture<'_, [u8; 32]> {
        Box::pin(async move { Ok(*self.lock().fingerprint.get_or_insert(fingerprint)) })
    }

    fn master_fingerprint(&self) -> StoreFuture<'_, Option<[u8; 32]>> {
        self.read(|state| state.fingerprint)
    }
}

impl FeedStore for MemoryStore {
    fn read_feed(&self, after: u64, limit: usize) -> StoreFuture<'_, Vec<FeedRow>> {
        self.read(move |state| {
            let rows = state.feed.iter().filter(|row| row.seq > after);
            rows.take(limit).cloned().collect()
        })
    }

    fn feed_end(&self) -> StoreFuture<'_, u64> {
        self.read(|state| state.feed.last().map_or(0, |row| row.seq))
    }

    fn prune_feed(&self, before: Timestamp, limit: usize) -> StoreFuture<'_, usize> {
        Box::pin(async move {
            let mut state = self.lock();
            let newest = state.feed.len().saturating_sub(1);
            let old = state
                .feed
                .iter()
                .take(newest.min(limit))
                .take_while(|row| row.at < before);
            let count = old.count();
            state.feed.drain(..count);
            Ok(count)
        })
    }

    fn feed_start(&self) -> StoreFuture<'_, u64> {
        self.read(|state| state.feed.first().map_or(0, |row| row.seq))
    }

    fn feed_moved(&self) -> futures_util::future::BoxFuture<'_, ()> {
        // `notified` counts from here, not from its first poll.
        Box::pin(self.moved.notified())
    }
}

impl Store for MemoryStore {
    fn statements(&self) -> u64 {
        self.verbs.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore(..)")
    }
}

/// One process holds it.
impl ProcessStore for MemoryStore {}
