//! What a program holds: the connectors, connections and calls of one deployment or one embedding program.

mod alive;
mod builder;
mod directory;
mod follow;
mod house;
mod listening;
mod ready;
mod scoped;
mod tend;

pub use self::{
    builder::ConnectorsBuilder,
    directory::{ConnectorQuery, Known},
    ready::Part,
    scoped::{ActionCall, Scoped, ScopedQuery},
};

pub(crate) use self::ready::Heard;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    sync::Arc,
};

use arc_swap::ArcSwap;
use rustls::ClientConfig;
use serde_json::Value;
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::{
    admit::{Repeats, Turns},
    api_key::ApiKeys,
    audit::{Actor, Denials, KeyUses, Trail, Trails, Verifications},
    begun::Begun,
    cache::Cache,
    clock::{Clock, Random},
    egress::Egress,
    error::{Error, Result},
    event::{EventKind, Events, Rows},
    handle::Base,
    health::Schedule,
    http::{LoopMark, Outbound, TenantAndHost, Timeouts},
    id::{ConnectionId, CredentialId, ProcessId, TenantId},
    ledger::Ledger,
    lent::Lent,
    name::DEFAULT_NAME,
    oauth::{OAuthClient, Renewals, Spent},
    opened::{Name, Opened},
    rate::RateGate,
    registry::Registry,
    scope::{Scope, ScopeRule},
    session::{Sessions, Throttle},
    shares::Shares,
    store::Store,
    telemetry::session::run_in,
    tenant::{GoneTenants, TenantBounds},
    user::Passwords,
    vault::LedgerVault,
    webhook::WebhookKey,
};

/// Everything a program does with connectors. Clones share one state.
#[derive(Clone)]
pub struct Connectors {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// Its verbs for connections tell of themselves.
    pub(crate) store: Rows,
    pub(crate) events: Arc<Events>,
    pub(crate) vault: Arc<dyn LedgerVault>,
    /// Fields that are sealed besides those that manifests declare secret.
    pub(crate) sealed_fields: BTreeSet<String>,
    pub(crate) trails: Trails,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) egress: Arc<Egress>,
    pub(crate) mark: LoopMark,
    pub(crate) outbound: Arc<dyn Outbound>,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) timeouts: Timeouts,
    pub(crate) registry: ArcSwap<Registry>,
    pub(crate) scopes: BTreeMap<String, ScopeRule>,
    pub(crate) opened: Cache<ConnectionId, Opened>,
    pub(crate) lent: Cache<CredentialId, Lent>,
    pub(crate) names: Cache<Name, ConnectionId>,
    pub(crate) api_keys: ApiKeys,
    pub(crate) sessions: Sessions,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    pub(crate) turns: Turns,
    pub(crate) gone: GoneTenants,
    pub(crate) bounds: TenantBounds,
    pub(crate) memory: Shares<TenantId>,
    pub(crate) hosts: Shares<TenantAndHost>,
    pub(crate) repeats: Repeats,
    pub(crate) rates: RateGate,
    /// Who we are among those that share the store.
    pub(crate) process: ProcessId,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) denials: Denials,
    pub(crate) key_uses: KeyUses,
    pub(crate) verifications: Verifications,
    /// Up to which tenant the heads of audit chains were published in this round.
    pub(crate) heads_published: tokio::sync::Mutex<Option<TenantId>>,
    pub(crate) library_tenant: TenantId,
    /// What this process's master key looks like from outside.
    pub(crate) fingerprint: [u8; 32],
    pub(crate) heard: Heard,
    pub(crate) begun: Begun,
    /// The clients that sign in for connectors whose declarations name none.
    pub(crate) oauth_clients: BTreeMap<String, OAuthClient>,
    /// Renewals of tokens that are under way in this process.
    pub(crate) renewals: Renewals,
    /// Sign-ins that came back, where nothing is stored.
    pub(crate) spent_states: Spent,
    pub(crate) schedule: Schedule,
    /// Hashes the secrets of webhooks' addresses.
    pub(crate) webhook_key: WebhookKey,
    /// One for each webhook that may be under way.
    pub(crate) webhook_turns: Arc<Semaphore>,
    /// Whether webhooks are taken that nothing proves.
    pub(crate) accepts_unsigned: bool,
    /// Where the routes are mounted.
    pub(crate) base: Base,
}

impl Connectors {
    /// Begins to put one together.
    pub fn builder() -> ConnectorsBuilder {
        ConnectorsBuilder::default()
    }

    /// The connectors known now. The answer does not change while it is held.
    pub fn registry(&self) -> Arc<Registry> {
        self.inner.registry.load_full()
    }

    /// The store behind it all.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// The clock behind it all.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The memory for requests and answers, in bytes. Upstreams' answers draw from it; a front door lets its requests and
    /// its own answers draw from it too, so that all of them together have one bound.
    pub fn memory(&self) -> &Shares<TenantId> {
        &self.inner.memory
    }

    /// The mark on every HTTP request sent from here: a front door refuses requests that carry it.
    pub fn loop_mark(&self) -> &LoopMark {
        &self.inner.mark
    }

    /// Operations for one scope, as an embedding program uses them.
    ///
    /// # Errors
    /// `CONNECTOR_SCOPE_INVALID` for a kind that was not declared; `CONNECTOR_SCOPE_IDENTIFIER_REQUIRED` for an empty
    /// identity where the kind requires one.
    pub fn scope(&self, kind: &str, identity: &str) -> Result<Scoped> {
        let about = self.about(self.inner.library_tenant, "scope", |about| about);
        let scope = Scope::new(kind, identity).and_then(|scope| self.check_scope(&scope).map(|()| scope));
        let scope = self.heeded(about, scope)?;
        Ok(Scoped {
            connectors: self.clone(),
            actor: self.library(),
            scope,
            name: DEFAULT_NAME.to_owned(),
        })
    }

    /// Runs a change to its end even if its caller is gone before: a verb that was begun commits all the same, and the
    /// caches have to hear of it.
    pub(crate) async fn to_the_end<T, F>(&self, change: impl FnOnce(Self) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let ended = self.begin(change(self.clone())).await;
        ended.unwrap_or_else(|error| Err(Error::internal("a change did not come to its end", error)))
    }

    /// Begins something that goes on by itself, and that [`close`](Self::close) waits for.
    pub(crate) fn begin<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        let under_way = self.inner.begun.one_more();
        let session = self.inner.events.session();
        tokio::spawn(async move {
            let _under_way = under_way;
            run_in(session, work).await
        })
    }

    /// What goes with a change: one audit entry, and events of the same subject.
    pub(crate) fn trail(
        &self,
        by: &Actor,
        action: &str,
        subject: impl Display + Copy,
        detail: Value,
        events: &[EventKind],
    ) -> Result<Trail> {
        let trail = self.inner.trails.by(by).did(action, subject).detail(detail);
        events
            .iter()
            .fold(trail, |trail, kind| trail.event(*kind, subject))
            .finish()
    }
}
