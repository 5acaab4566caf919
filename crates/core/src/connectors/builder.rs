//! Putting the library together.

mod routes;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use super::{Connectors, Heard, Inner};
use crate::{
    admit::{Repeats, Turns},
    api_key::ApiKeys,
    audit::{Denials, KeyUses, Trails},
    begun::Begun,
    cache::Cache,
    clock::{Clock, Random, SystemClock, SystemRandom},
    connector::{Connector, Webhook},
    egress::{Egress, EgressPolicy, Resolve, SystemResolver},
    error::{Code, Error, Result},
    event::{DEFAULT_PREFIX, Event, EventFilter, Events, Handler, HandlerResult, Listening, Rows, handler},
    handle::Base,
    health::Schedule,
    hooks::Hooks,
    http::{Client, LoopMark, Timeouts, TlsRoots},
    id::{ProcessId, TenantId},
    limits::{
        CACHED_API_KEYS, CACHED_SESSIONS, MAX_CALLS_IN_FLIGHT, MAX_EXCHANGES_PER_HOST, MAX_MEMORY,
        MAX_MEMORY_PER_TENANT, MAX_SEALED_FIELD_NAMES, OPENED_CONNECTIONS, OPENED_CREDENTIALS, WEBHOOKS_AT_ONCE,
    },
    oauth::{OAuthClient, Renewals, Spent},
    rate::{RateGate, RateLimits},
    registry::Registry,
    scope::ScopeRule,
    secret::Secret,
    session::{Sessions, Throttle},
    shares::Shares,
    store::{Adapter, Store, adapter::AdapterStore},
    telemetry::Telemetry,
    tenant::{GoneTenants, TenantBounds},
    user::Passwords,
    vault::{EnvelopeVault, ForeignVault, LedgerVault, MasterKey, Vault},
    webhook::WebhookKey,
};

/// The tenant of an embedding program, which knows only one.
const LIBRARY_TENANT: TenantId = TenantId::from_bytes(*b"tieline library!");

/// Puts a [`Connectors`] together; [`ConnectorsBuilder::build`] says what is missing.
#[derive(Default)]
pub struct ConnectorsBuilder {
    store: Option<Arc<dyn Store>>,
    key: Option<MasterKey>,
    vault: Option<Arc<dyn Vault>>,
    sealed_fields: BTreeSet<String>,
    scopes: BTreeMap<String, ScopeRule>,
    /// Those that were told, where any were; there may be none yet.
    connectors: Option<Vec<Connector>>,
    manifests: Vec<String>,
    egress: EgressPolicy,
    resolver: Option<Arc<dyn Resolve>>,
    tls_roots: TlsRoots,
    rates: RateLimits,
    bounds: TenantBounds,
    timeouts: Timeouts,
    health_interval: Option<Duration>,
    oauth_clients: BTreeMap<String, OAuthClient>,
    clock: Option<Arc<dyn Clock>>,
    random: Option<Arc<dyn Random>>,
    prefix: Option<String>,
    hooks: Hooks,
    handlers: Vec<Handler>,
    telemetry: Option<Telemetry>,
    base_url: Option<String>,
    base_path: Option<String>,
    webhooks: Vec<(String, Webhook)>,
    accepts_unsigned: bool,
}

impl ConnectorsBuilder {
    /// Where connections are kept.
    #[must_use]
    pub fn store(self, store: impl Store) -> Self {
        self.shared_store(Arc::new(store))
    }

    /// The same, for a store that others hold too.
    #[must_use]
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Where connections are kept, by five methods that the program wrote itself, in the place of a whole store. Nothing
    /// else is kept then: no audit log, no ledger of calls, no shared credentials. Data keys are derived from the master key,
    /// and every call asks the adapter once, so that what others changed is used at once.
    #[must_use]
    pub fn adapter(self, adapter: impl Adapter) -> Self {
        self.store(AdapterStore::new(adapter, LIBRARY_TENANT))
    }

    /// The master key that secrets are sealed under.
    #[must_use]
    pub fn key(mut self, key: MasterKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Who seals and opens secrets in the place of the master key, such as a KMS. A whole store needs the key beside it all
    /// the same, for its audit log and its ledger of calls; an adapter does not.
    #[must_use]
    pub fn vault(mut self, vault: impl Vault) -> Self {
        self.vault = Some(Arc::new(vault));
        self
    }

    /// Fields that are sealed besides those that manifests declare secret: by name, of whatever connector, wherever a
    /// connection holds them itself. Of a path such as `oauth.accessToken` the whole field `oauth` is sealed. What was
    /// stored open before is read as it is, and sealed with the next change of its connection.
    #[must_use]
    pub fn encrypt(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.sealed_fields.extend(fields.into_iter().map(Into::into));
        self
    }

    /// Declares a kind of scope.
    #[must_use]
    pub fn scope(mut self, kind: impl Into<String>, rule: ScopeRule) -> Self {
        self.scopes.insert(kind.into(), rule);
        self
    }

    /// Adds a connector.
    #[must_use]
    pub fn connector(mut self, connector: Connector) -> Self {
        self.connectors.get_or_insert_default().push(connector);
        self
    }

    /// Adds connectors. None are an answer too, for a program that has them later.
    #[must_use]
    pub fn connectors(mut self, connectors: impl IntoIterator<Item = Connector>) -> Self {
        self.connectors.get_or_insert_default().extend(connectors);
        self
    }

    /// Adds a connector declared by a manifest, in YAML or JSON.
    #[must_use]
    pub fn manifest(mut self, manifest: impl Into<String>) -> Self {
        self.manifests.push(manifest.into());
        self
    }

    /// Which addresses may be dialled besides the public internet.
    #[must_use]
    pub fn egress(mut self, policy: EgressPolicy) -> Self {
        self.egress = policy;
        self
    }

    /// Who resolves host names; the system, unless given.
    #[must_use]
    pub fn resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// Certificate authorities trusted besides the system's.
    #[must_use]
    pub fn tls_roots(mut self, roots: TlsRoots) -> Self {
        self.tls_roots = roots;
        self
    }

    /// How long each wait for an upstream may take.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// How often things may be asked for; as often as one likes, unless given.
    #[must_use]
    pub fn rate_limits(mut self, limits: RateLimits) -> Self {
        self.rates = limits;
        self
    }

    /// How much one tenant may have.
    #[must_use]
    pub fn tenant_bounds(mut self, bounds: TenantBounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// How often each connection is tested by itself, by whoever runs [`Connectors::watch_health`]; never, unless given.
    #[must_use]
    pub fn health_interval(mut self, interval: Duration) -> Self {
        self.health_interval = Some(interval);
        self
    }

    /// The client that signs in for a connector whose declaration names none: identifier, and secret where it has one.
    #[must_use]
    pub fn oauth_client(mut self, connector: impl Into<String>, id: impl Into<String>, secret: Option<Secret>) -> Self {
        let client = OAuthClient { id: id.into(), secret };
        self.oauth_clients.insert(connector.into(), client);
        self
    }

    /// Who tells the time; the machine, unless given.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Who gives randomness; the operating system, unless given.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = Some(random);
        self
    }

    /// What public names of events begin with; [`DEFAULT_PREFIX`], unless given.
    #[must_use]
    pub fn event_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Adds a handler of events: it is handed all but the store's operations, one after the other. One that is slow misses
    /// events and holds nobody up.
    #[must_use]
    pub fn on_event<F, W>(mut self, f: F) -> Self
    where
        F: Fn(Arc<Event>) -> W + Send + Sync + 'static,
        W: Future<Output: HandlerResult> + Send + 'static,
    {
        self.handlers.push(handler(f));
        self
    }

    /// Adds a hook that runs after a connection was made, or made anew. Like every hook it runs in a task of its own once
    /// the change is committed, and is told of connector, scope and connection, never of a secret.
    #[must_use]
    pub fn on_connect<F, W>(mut self, f: F) -> Self
    where
        F: Fn(Arc<Event>) -> W + Send + Sync + 'static,
        W: Future<Output: HandlerResult> + Send + 'static,
    {
        self.hooks.connect.push(handler(f));
        self
    }

    /// Adds a hook that runs after a connection was deleted.
    #[must_use]
    pub fn on_disconnect<F, W>(mut self, f: F) -> Self
    where
        F: Fn(Arc<Event>) -> W + Send + Sync + 'static,
        W: Future<Output: HandlerResult> + Send + 'static,
    {
        self.hooks.disconnect.push(handler(f));
        self
    }

    /// Adds a hook that runs after an operation ended with an error: [`Event::failure`] has its code, its sentence and what
    /// was asked for.
    #[must_use]
    pub fn on_error<F, W>(mut self, f: F) -> Self
    where
        F: Fn(Arc<Event>) -> W + Send + Sync + 'static,
        W: Future<Output: HandlerResult> + Send + 'static,
    {
        self.hooks.error.push(handler(f));
        self
    }

    /// Where events go to be looked at: see [`Telemetry`]. It is closed with the connectors.
    #[must_use]
    pub fn telemetry(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = Some(telemetry);
        self
    }

    /// Everything put together. Starts no task.
    ///
    /// # Errors
    /// `CONNECTOR_DATABASE_REQUIRED`, `CONNECTOR_ENCRYPTION_SECRET_REQUIRED`, `MANIFEST_INVALID`, `CONNECTOR_ID_TAKEN`,
    /// `CONNECTOR_BUILD_SCOPES_REQUIRED`, `CONNECTOR_BUILD_CONNECTORS_REQUIRED`.
    pub fn build(self) -> Result<Connectors> {
        let store = self.store.ok_or_else(|| {
            Error::new(
                Code::ConnectorDatabaseRequired,
                "No store: give the builder one, `.store(MemoryStore::new())` for a first try, or `.adapter(…)`.",
            )
        })?;
        let sealed_fields = top_fields(self.sealed_fields)?;
        if self.key.is_none() && self.vault.is_none() {
            return Err(no_key(
                "No master key: give the builder one, `.key(MasterKey::from_env(\"TIELINE_SECRET\")?)`; `tieline key new` makes \
                 it. A vault of your own, `.vault(…)`, takes its place.",
            ));
        }
        self.scopes.first_key_value().ok_or_else(|| {
            Error::new(
                Code::ConnectorBuildScopesRequired,
                "No scope: declare for whom connections are held, `.scope(\"organization\", ScopeRule::Required)` for one.",
            )
        })?;
        if self.connectors.is_none() && self.manifests.is_empty() {
            return Err(Error::new(
                Code::ConnectorBuildConnectorsRequired,
                "No connectors: add one, `.connector(…)` or `.manifest(…)`, or say `.connectors([])` if there are none yet.",
            ));
        }
        let mut registry = Registry::default();
        let declared = self
            .manifests
            .iter()
            .map(|text| Connector::parse(text))
            .collect::<Result<Vec<_>>>()?;
        let mut connectors: Vec<Connector> = self
            .connectors
            .unwrap_or_default()
            .into_iter()
            .chain(declared)
            .collect();
        for (id, webhook) in self.webhooks {
            let connector = connectors.iter_mut().find(|connector| connector.id() == id);
            let connector = connector.ok_or_else(|| {
                let detail = format!("`.on_webhook(\"{id}\", …)` is for a connector that there is not.");
                Error::new(Code::ConnectorNotFound, detail)
            })?;
            connector.handle_webhooks(webhook)?;
        }
        for connector in connectors {
            registry.add(connector)?;
        }
        if self.accepts_unsigned {
            tracing::warn!("webhooks are taken that nothing proves: whoever learns such an address can send anything");
        }
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let random = self.random.unwrap_or_else(|| Arc::new(SystemRandom));
        if let Some(telemetry) = &self.telemetry {
            match &self.key {
                Some(key) => telemetry.keyed(key),
                // Without a key to derive one from, hashes of this process meet each other only.
                None => telemetry.keyed(&MasterKey::generate(&*random)?),
            }
        }
        let prefix = self.prefix.as_deref().unwrap_or(DEFAULT_PREFIX);
        let events = Events::new(clock.clone(), random.clone(), prefix, self.hooks, self.telemetry);
        for f in self.handlers {
            Listening::new(&events, EventFilter::default(), None, f).for_good();
        }
        let webhook_key = WebhookKey::of(self.key.as_ref());
        let base = Base::new(self.base_url.as_deref(), self.base_path.as_deref())?;
        let (vault, fingerprint) = vault(self.key, self.vault, &store, &clock, &random)?;
        let egress = Arc::new(Egress::new(
            self.egress,
            self.resolver.unwrap_or_else(|| Arc::new(SystemResolver)),
        ));
        let mark = LoopMark::new(&*random)?;
        let client = Client::new(egress.clone(), &self.tls_roots)?
            .marked(mark.clone())
            .timeouts(self.timeouts);
        let schedule = Schedule::new(self.health_interval, &*random)?;
        let passwords = Passwords::new(random.clone());
        let process = ProcessId::new(&*clock, &*random)?;
        Ok(Connectors {
            inner: Arc::new(Inner {
                trails: Trails::new(clock.clone(), random.clone(), vault.clone()),
                store: Rows::new(store, events.clone()),
                events,
                vault,
                sealed_fields,
                clock,
                random,
                egress,
                mark,
                tls: client.trust(),
                timeouts: self.timeouts,
                outbound: Arc::new(client),
                registry: ArcSwap::from_pointee(registry),
                scopes: self.scopes,
                opened: Cache::new(OPENED_CONNECTIONS),
                lent: Cache::new(OPENED_CREDENTIALS),
                names: Cache::new(OPENED_CONNECTIONS),
                api_keys: ApiKeys::new(CACHED_API_KEYS),
                sessions: Sessions::new(CACHED_SESSIONS),
                passwords,
                throttle: Throttle::default(),
                turns: Turns::default(),
                gone: GoneTenants::default(),
                bounds: self.bounds,
                memory: Shares::new(MAX_MEMORY, MAX_MEMORY_PER_TENANT),
                hosts: Shares::new(MAX_CALLS_IN_FLIGHT, MAX_EXCHANGES_PER_HOST),
                repeats: Repeats::default(),
                rates: RateGate::new(self.rates),
                process,
                ledger: Arc::default(),
                denials: Denials::default(),
                key_uses: KeyUses::default(),
                verifications: crate::audit::Verifications::default(),
                heads_published: tokio::sync::Mutex::default(),
                library_tenant: LIBRARY_TENANT,
                fingerprint,
                heard: Heard::default(),
                begun: Begun::default(),
                oauth_clients: self.oauth_clients,
                renewals: Renewals::default(),
                spent_states: Spent::default(),
                schedule,
                webhook_key,
                webhook_turns: Arc::new(Semaphore::new(WEBHOOKS_AT_ONCE)),
                accepts_unsigned: self.accepts_unsigned,
                base,
            }),
        })
    }
}

/// Who seals, and the fingerprint of the key behind it. A store that keeps connections only has no place for data keys, nor
/// for ledgers that a key would be wanted for.
fn vault(
    key: Option<MasterKey>,
    own: Option<Arc<dyn Vault>>,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> Result<(Arc<dyn LedgerVault>, [u8; 32])> {
    let alone = store.keeps_connections_only();
    let key = match (key, &own) {
        (Some(key), _) => key,
        (None, _) if alone => MasterKey::generate(&**random)?,
        (None, _) => {
            return Err(no_key(
                "No master key beside the vault: a whole store has an audit log and a ledger of calls, whose keys come from \
                 it. Give the builder one, `.key(MasterKey::from_env(\"TIELINE_SECRET\")?)`.",
            ));
        }
    };
    let fingerprint = key.fingerprint();
    let vault: Arc<dyn LedgerVault> = match own {
        Some(own) => Arc::new(ForeignVault::new(own, key)),
        None if alone => Arc::new(EnvelopeVault::derived(key, random.clone())),
        None => Arc::new(EnvelopeVault::stored(key, store.clone(), clock.clone(), random.clone())),
    };
    Ok((vault, fingerprint))
}

fn no_key(detail: &str) -> Error {
    Error::new(Code::ConnectorEncryptionSecretRequired, detail)
}

/// The fields that paths begin with.
fn top_fields(paths: BTreeSet<String>) -> Result<BTreeSet<String>> {
    let tops = paths
        .iter()
        .map(|path| path.split('.').next().unwrap_or_default().to_owned());
    let tops: BTreeSet<String> = tops.collect();
    if tops.contains("") || tops.len() > MAX_SEALED_FIELD_NAMES {
        let detail = format!(
            "`.encrypt([…])` takes names of fields, such as `botToken` or `oauth.accessToken`, and {MAX_SEALED_FIELD_NAMES} at most."
        );
        return Err(Error::new(Code::ConfigInvalid, detail));
    }
    Ok(tops)
}
