//! Putting the library together.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;

use super::{Connectors, Heard, Inner};
use crate::{
    admit::{Repeats, Turns},
    api_key::ApiKeys,
    audit::{Denials, KeyUses, Trails},
    begun::Begun,
    cache::Cache,
    clock::{Clock, Random, SystemClock, SystemRandom},
    connector::Connector,
    egress::{Egress, EgressPolicy, Resolve, SystemResolver},
    error::{Code, Error, Result},
    http::{Client, LoopMark, Timeouts, TlsRoots},
    id::TenantId,
    limits::{
        CACHED_API_KEYS, CACHED_SESSIONS, MAX_CALLS_IN_FLIGHT, MAX_EXCHANGES_PER_HOST, MAX_MEMORY,
        MAX_MEMORY_PER_TENANT, OPENED_CONNECTIONS, OPENED_CREDENTIALS,
    },
    rate::{RateGate, RateLimits},
    registry::Registry,
    scope::ScopeRule,
    session::{Sessions, Throttle},
    shares::Shares,
    store::Store,
    tenant::{GoneTenants, TenantBounds},
    user::Passwords,
    vault::{EnvelopeVault, MasterKey, Vault},
};

/// The tenant of an embedding program, which knows only one.
const LIBRARY_TENANT: TenantId = TenantId::from_bytes(*b"tieline library!");

/// Puts a [`Connectors`] together; [`ConnectorsBuilder::build`] says what is missing.
#[derive(Default)]
pub struct ConnectorsBuilder {
    store: Option<Arc<dyn Store>>,
    key: Option<MasterKey>,
    scopes: BTreeMap<String, ScopeRule>,
    connectors: Vec<Connector>,
    manifests: Vec<String>,
    egress: EgressPolicy,
    resolver: Option<Arc<dyn Resolve>>,
    tls_roots: TlsRoots,
    rates: RateLimits,
    bounds: TenantBounds,
    timeouts: Timeouts,
    clock: Option<Arc<dyn Clock>>,
    random: Option<Arc<dyn Random>>,
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

    /// The master key that secrets are sealed under.
    #[must_use]
    pub fn key(mut self, key: MasterKey) -> Self {
        self.key = Some(key);
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
        self.connectors.push(connector);
        self
    }

    /// Adds connectors.
    #[must_use]
    pub fn connectors(mut self, connectors: impl IntoIterator<Item = Connector>) -> Self {
        self.connectors.extend(connectors);
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

    /// Everything put together. Starts no task.
    ///
    /// # Errors
    /// `CONNECTOR_DATABASE_REQUIRED`, `CONNECTOR_ENCRYPTION_SECRET_REQUIRED`, `MANIFEST_INVALID`, `CONNECTOR_ID_TAKEN`.
    pub fn build(self) -> Result<Connectors> {
        let store = self.store.ok_or_else(|| {
            Error::new(
                Code::ConnectorDatabaseRequired,
                "No store: give the builder one, `.store(MemoryStore::new())` for a first try.",
            )
        })?;
        let key = self.key.ok_or_else(|| {
            Error::new(
                Code::ConnectorEncryptionSecretRequired,
                "No master key: give the builder one, `.key(MasterKey::from_env(\"TIELINE_SECRET\")?)`; `tieline key new` makes it.",
            )
        })?;
        let mut registry = Registry::default();
        let declared = self
            .manifests
            .iter()
            .map(|text| Connector::parse(text))
            .collect::<Result<Vec<_>>>()?;
        for connector in self.connectors.into_iter().chain(declared) {
            registry.add(connector)?;
        }
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let random = self.random.unwrap_or_else(|| Arc::new(SystemRandom));
        let fingerprint = key.fingerprint();
        let vault: Arc<dyn Vault> = Arc::new(EnvelopeVault::stored(key, store.clone(), clock.clone(), random.clone()));
        let egress = Arc::new(Egress::new(
            self.egress,
            self.resolver.unwrap_or_else(|| Arc::new(SystemResolver)),
        ));
        let mark = LoopMark::new(&*random)?;
        let client = Client::new(egress.clone(), &self.tls_roots)?
            .marked(mark.clone())
            .timeouts(self.timeouts);
        let passwords = Passwords::new(random.clone());
        Ok(Connectors {
            inner: Arc::new(Inner {
                trails: Trails::new(clock.clone(), random.clone(), vault.clone()),
                store,
                vault,
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
                ledger: Arc::default(),
                denials: Denials::default(),
                key_uses: KeyUses::default(),
                verifications: crate::audit::Verifications::default(),
                heads_published: tokio::sync::Mutex::default(),
                library_tenant: LIBRARY_TENANT,
                fingerprint,
                heard: Heard::default(),
                begun: Begun::default(),
            }),
        })
    }
}
