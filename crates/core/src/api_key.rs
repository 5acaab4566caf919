//! API keys: who may call us, and with which permissions.
//!
//! A key stands on its own: what happens to the key that made it does not change it. `createdBy` tells which that was.

mod change;
mod networks;
mod uses;

pub use change::ApiKeyPatch;
use networks::HERE;
pub use networks::{KeyNetwork, Origin, covers};
use uses::{Noted, Uses};

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use aws_lc_rs::digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::{
    audit::Actor,
    cache::Cache,
    clock::{Rfc3339, Timestamp},
    connectors::Connectors,
    environment::Environment,
    error::{Code, Error, Result},
    event::EventKind,
    id::{ApiKeyId, TenantId},
    limits::MAX_KEY_LOOKUPS,
    metrics::CacheCounts,
    name::check_name,
    page::{self, Page},
    secret::Secret,
    store::{ApiKeyRow, Countable},
};

/// What every key begins with.
pub const KEY_PREFIX: &str = "sk_";

/// Random bytes of a key, written in hex.
const KEY_BYTES: usize = 32;

/// Characters of a key that are kept to recognise it by.
const DISPLAY_CHARS: usize = 12;

/// What a key may do, as `noun:verb` → bool. What the names mean is the front door's business.
pub type Permissions = BTreeMap<String, bool>;

/// An API key, without the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// Its identifier.
    pub id: ApiKeyId,
    /// Whose key it is.
    #[serde(skip)]
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// What it may do.
    pub permissions: Permissions,
    /// The environment it is bound to, for life; all, unless bound.
    pub environment: Option<Environment>,
    /// From where it may be used; from everywhere, unless bound.
    pub allowed_networks: Option<Vec<KeyNetwork>>,
    /// Rises with every change of the key.
    #[serde(skip)]
    pub version: u64,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    #[schemars(with = "Rfc3339")]
    pub created_at: Timestamp,
    /// From when on it is refused.
    #[schemars(with = "Option<Rfc3339>")]
    pub expires_at: Option<Timestamp>,
    /// Since when it is revoked.
    #[schemars(with = "Option<Rfc3339>")]
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the second.
    #[schemars(with = "Option<String>")]
    pub last_used_at: Option<Timestamp>,
}

/// What a new key shall be.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = json!({
    "name": "billing service",
    "permissions": { "connections:read": true, "connections:execute": true },
    "expiresAt": "2099-12-31T00:00:00Z",
}))]
pub struct NewApiKey {
    /// What people call it.
    pub name: String,
    /// What it may do, as `noun:verb` → bool; only `true` counts.
    #[serde(default)]
    pub permissions: Permissions,
    /// From when on it is refused; never, unless given. RFC 3339.
    #[serde(default)]
    #[schemars(with = "Option<Rfc3339>")]
    pub expires_at: Option<Timestamp>,
    /// The environment it is bound to, which is its maker's if that one is bound; all, unless given.
    #[serde(default)]
    pub environment: Option<Environment>,
    /// From where it may be used: addresses and networks, such as `203.0.113.0/24`; from everywhere, unless given.
    #[serde(default)]
    pub allowed_networks: Option<Vec<KeyNetwork>>,
}

/// A key that was just made: the only moment its text is known.
pub struct CreatedApiKey {
    /// The key as it is listed from now on.
    pub key: ApiKey,
    /// The key itself.
    pub text: Secret<String>,
}

/// Keys by the hash of their text, ready without a statement.
pub(crate) struct ApiKeys {
    known: Cache<[u8; 32], Known>,
    uses: Uses,
    /// Whose turn it is to be looked up.
    turns: Semaphore,
}

/// A key that is ready.
struct Known {
    key: Arc<ApiKey>,
    noted: Noted,
}

/// Keys are looked up before any tenant is known.
const NO_TENANT: TenantId = TenantId::from_bytes([0; 16]);

impl ApiKeys {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            known: Cache::new(capacity),
            uses: Uses::default(),
            turns: Semaphore::new(MAX_KEY_LOOKUPS),
        }
    }

    /// What the cache did.
    pub(crate) fn counts(&self) -> CacheCounts {
        self.known.counts()
    }

    /// Forgets one key, and refuses whatever of it is being loaded just now.
    pub(crate) fn forget(&self, hash: &[u8; 32]) {
        self.known.forget(NO_TENANT, hash);
    }

    /// Forgets a tenant's keys.
    pub(crate) fn forget_tenant(&self, tenant: TenantId) {
        self.known.forget_where(|_, known| known.key.tenant == tenant);
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.known.clear();
    }
}

impl Connectors {
    /// Whose key this is, for a request of this machine's own. A warm answer runs no statement. A dead key's attempt at what was `asked`, such as
    /// `POST /connections`, is written down for its tenant.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for a key that is malformed, unknown, expired or revoked: one answer for all.
    pub async fn authenticate(&self, text: &str, asked: &str) -> Result<Arc<ApiKey>> {
        self.authenticate_at(HERE, text, asked).await
    }

    async fn authenticate_at(&self, address: IpAddr, text: &str, asked: &str) -> Result<Arc<ApiKey>> {
        let refused = || {
            Error::new(
                Code::Unauthenticated,
                "This API key is not valid. Send `Authorization: Bearer sk_…` with a key that is neither revoked nor expired.",
            )
        };
        let digits = text.strip_prefix(KEY_PREFIX).ok_or_else(refused)?;
        if digits.len() != 2 * KEY_BYTES || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refused());
        }
        let hash = hash(text);
        let known = match self.inner.api_keys.known.get(NO_TENANT, &hash) {
            Some(known) => known,
            None => self.load_api_key(hash).await?.ok_or_else(refused)?,
        };
        let (key, now) = (&known.key, self.inner.clock.now());
        let dead = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if dead(key.expires_at) || dead(key.revoked_at) {
            self.denied(&Actor::new(key.tenant, key.id), Code::Unauthenticated, asked)
                .await;
            return Err(refused());
        }
        if let Err(elsewhere) = key.may_come_from(address) {
            self.denied(&Actor::new(key.tenant, key.id), elsewhere.code(), asked)
                .await;
            return Err(elsewhere);
        }
        if self.inner.key_uses.note(key.tenant, key.id, now) {
            self.inner.ledger.waits.notify_one();
        }
        self.inner.api_keys.uses.note(&known, now);
        Ok(key.clone())
    }

    /// The same of a key that comes from an address: too many wrong ones from there are told to wait. Only wrong ones, so
    /// that nobody locks out those they share an address with.
    ///
    /// # Errors
    /// As [`authenticate`](Self::authenticate), and `RATE_LIMITED` in its place; `NETWORK_NOT_ALLOWED` for a key that may not
    /// be used from there, which is no use of it.
    pub async fn authenticate_from(&self, from: Option<Origin>, text: &str, asked: &str) -> Result<Arc<ApiKey>> {
        let address = from.map_or(HERE, |from| from.address);
        let key = self.authenticate_at(address, text, asked).await;
        match (key, from) {
            (Err(error), Some(from)) if error.code() == Code::Unauthenticated => {
                Err(self.tried_wrong_key(from.counts_as).err().unwrap_or(error))
            }
            (key, _) => key,
        }
    }

    async fn load_api_key(&self, hash: [u8; 32]) -> Result<Option<Arc<Known>>> {
        let store = &self.inner.store;
        let turn = self.inner.api_keys.turns.acquire().await;
        let _turn = turn.map_err(|error| Error::internal("the turns for keys are never closed", error))?;
        let ticket = self.inner.api_keys.known.ticket(NO_TENANT, &hash);
        let Some(door) = store.open_door(hash).await? else {
            return Ok(None);
        };
        let Some(row) = store.api_key(door.tenant, door.key).await? else {
            return Ok(None);
        };
        let known = Arc::new(Known {
            key: Arc::new(ApiKey::of(&row)?),
            noted: Noted::default(),
        });
        self.inner.api_keys.known.insert(ticket, known.clone());
        Ok(Some(known))
    }

    /// Makes a key. Whether its maker may give these permissions was asked before.
    ///
    /// # Errors
    /// `LIMIT_REACHED`, `ENVIRONMENT_MISMATCH`, `REQUEST_INVALID`.
    pub async fn create_api_key(&self, by: &Actor, mut new: NewApiKey) -> Result<CreatedApiKey> {
        if let Some(own) = by.environment {
            by.may_change_key_of(Some(new.environment.unwrap_or(own)))?;
            new.environment = Some(own);
        }
        self.has_room_for(by.tenant, Countable::ApiKeys).await?;
        let (row, created) = self.new_api_key(by, by.tenant, new)?;
        let detail = json!({
            "name": row.name, "permissions": created.key.permissions, "environment": row.environment,
            "allowedNetworks": created.key.allowed_networks,
        });
        let trail = self.trail(by, "api_key.created", row.id, detail, &[EventKind::ApiKeyCreated])?;
        self.inner.store.create_api_key(row, trail).await?;
        Ok(created)
    }

    /// A key of this tenant.
    pub async fn api_key(&self, by: &Actor, id: ApiKeyId) -> Result<ApiKey> {
        let row = self
            .inner
            .store
            .api_key(by.tenant, id)
            .await?
            .ok_or_else(Error::not_found)?;
        self.shown_api_key(&row)
    }

    fn shown_api_key(&self, row: &ApiKeyRow) -> Result<ApiKey> {
        Ok(self.inner.api_keys.uses.shown(ApiKey::of(row)?))
    }

    /// The tenant's keys.
    pub async fn api_keys(&self, by: &Actor, after: Option<ApiKeyId>, limit: usize) -> Result<Page<ApiKey, ApiKeyId>> {
        let limit = page::bounded(limit);
        let rows = self.inner.store.api_keys(by.tenant, after, limit + 1).await?;
        let keys = rows.iter().map(|row| self.shown_api_key(row));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(keys, limit, |key| key.id))
    }

    /// Revokes a key, at once.
    pub async fn revoke_api_key(&self, by: &Actor, id: ApiKeyId) -> Result<()> {
        let row = self.inner.store.api_key(by.tenant, id).await?;
        let row = row.ok_or_else(Error::not_found)?;
        by.may_change_key_of(row.environment)?;
        let hash = row.hash;
        let trail = self.trail(by, "api_key.revoked", id, json!({}), &[EventKind::ApiKeyRevoked])?;
        let (tenant, at) = (by.tenant, self.inner.clock.now());
        self.to_the_end(async move |connectors| {
            let revoked = connectors.inner.store.revoke_api_key(tenant, id, at, trail).await;
            // Whatever came of it, and this key alone: nobody can cool the cache for others.
            connectors.inner.api_keys.forget(&hash);
            revoked
        })
        .await
        .map(drop)
    }

    /// Forgets a key that another process revoked. Its row stays for good, and tells the hash.
    pub(crate) async fn forget_api_key(&self, tenant: TenantId, id: ApiKeyId) -> Result<()> {
        if let Some(row) = self.inner.store.api_key(tenant, id).await? {
            self.inner.api_keys.forget(&row.hash);
        }
        Ok(())
    }

    pub(crate) fn new_api_key(
        &self,
        by: &Actor,
        tenant: TenantId,
        new: NewApiKey,
    ) -> Result<(ApiKeyRow, CreatedApiKey)> {
        check_name("/name", &new.name)?;
        let now = self.inner.clock.now();
        check_expiry(new.expires_at, now)?;
        networks::check(new.allowed_networks.as_deref())?;
        let mut bytes = [0_u8; KEY_BYTES];
        self.inner.random.fill(&mut bytes)?;
        let digits = bytes.iter().fold(String::with_capacity(2 * KEY_BYTES), |digits, byte| {
            digits + &format!("{byte:02x}")
        });
        let text = Secret::new(format!("{KEY_PREFIX}{digits}"));
        let row = ApiKeyRow {
            id: ApiKeyId::new(&*self.inner.clock, &*self.inner.random)?,
            tenant,
            name: new.name,
            hash: hash(text.reveal()),
            prefix: text.reveal()[..DISPLAY_CHARS].to_owned(),
            permissions: permissions_text(&new.permissions)?,
            environment: new.environment,
            networks: networks::text(new.allowed_networks.as_deref())?,
            version: 1,
            created_by: by.name.clone(),
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        let key = ApiKey::of(&row)?;
        Ok((row, CreatedApiKey { key, text }))
    }
}

impl ApiKey {
    fn of(row: &ApiKeyRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            tenant: row.tenant,
            name: row.name.clone(),
            prefix: row.prefix.clone(),
            permissions: serde_json::from_str(&row.permissions)
                .map_err(|error| Error::internal("a stored permission map does not parse", error))?,
            environment: row.environment,
            allowed_networks: networks::stored(row.networks.as_deref())?,
            version: row.version,
            created_by: row.created_by.clone(),
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
        })
    }
}

/// A key that has expired already opens nothing.
fn check_expiry(expires_at: Option<Timestamp>, now: Timestamp) -> Result<()> {
    if expires_at.is_some_and(|at| at <= now) {
        let detail = "A key that has expired already opens nothing: give a time to come, or none.";
        return Err(Error::new(Code::RequestInvalid, detail).field("/expiresAt", "is in the past"));
    }
    Ok(())
}

fn permissions_text(permissions: &Permissions) -> Result<String> {
    serde_json::to_string(permissions).map_err(|error| Error::internal("a permission map does not serialise", error))
}

/// A key has 256 random bits, so a plain hash cannot be searched and needs no salt.
fn hash(text: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::{Clock, SignedDuration, SystemRandom, TestClock},
        store::MemoryStore,
        vault::MasterKey,
    };

    fn house() -> (Connectors, Arc<TestClock>) {
        let clock = Arc::new(TestClock::at("2026-11-20T09:00:00Z".parse().unwrap()));
        let builder = Connectors::builder()
            .scope("tenant", crate::ScopeRule::Optional)
            .connectors([])
            .store(MemoryStore::new())
            .clock(clock.clone());
        let key = MasterKey::generate(&SystemRandom).unwrap();
        (builder.key(key).build().unwrap(), clock)
    }

    fn new(expires_at: Option<Timestamp>) -> NewApiKey {
        NewApiKey {
            name: "key".to_owned(),
            permissions: Permissions::new(),
            expires_at,
            environment: None,
            allowed_networks: None,
        }
    }

    #[tokio::test]
    async fn k1_a_key_that_is_being_loaded_while_it_is_revoked_is_not_kept() {
        let (house, _) = house();
        let by = Actor::new(TenantId::from_bytes([1; 16]), "test");
        let made = house.create_api_key(&by, new(None)).await.unwrap();
        let hash = hash(made.text.reveal());
        let keys = &house.inner.api_keys.known;
        let stale = Known {
            key: Arc::new(made.key.clone()),
            noted: Noted::default(),
        };
        let (ticket, stale) = (keys.ticket(NO_TENANT, &hash), Arc::new(stale));
        house.revoke_api_key(&by, made.key.id).await.unwrap();
        assert!(!keys.insert(ticket, stale), "what was read before the revocation");
        assert!(house.authenticate(made.text.reveal(), "GET /x").await.is_err());
    }

    #[tokio::test]
    async fn k1_a_key_is_refused_from_its_expiry_on_and_not_made_after_it() {
        let (house, clock) = house();
        let by = Actor::new(TenantId::from_bytes([1; 16]), "test");
        let expiry = clock.now() + SignedDuration::from_hours(1);
        let made = house.create_api_key(&by, new(Some(expiry))).await.unwrap();
        house.authenticate(made.text.reveal(), "GET /x").await.unwrap();
        clock.advance(SignedDuration::from_hours(1));
        let refused = house.authenticate(made.text.reveal(), "GET /x").await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
        let past = house.create_api_key(&by, new(Some(expiry))).await.err().unwrap();
        assert_eq!(
            (past.code(), past.fields()[0].pointer.as_str()),
            (Code::RequestInvalid, "/expiresAt")
        );
    }

    #[tokio::test]
    async fn a3_a_dead_keys_attempts_are_written_down_for_its_tenant() {
        let (house, clock) = house();
        let by = Actor::new(TenantId::from_bytes([1; 16]), "test");
        let made = house.create_api_key(&by, new(None)).await.unwrap();
        house.revoke_api_key(&by, made.key.id).await.unwrap();
        let denials = async || {
            let entries = house.audit_entries(&by, 0, 100).await.unwrap().rows;
            let denied = entries.into_iter().filter(|row| row.entry.action == "access.denied");
            denied
                .map(|row| (row.entry.actor, row.entry.detail))
                .collect::<Vec<_>>()
        };
        for _ in 0..5 {
            house.authenticate(made.text.reveal(), "GET /x").await.unwrap_err();
        }
        let entry = (
            made.key.id.to_string(),
            r#"{"asked":"GET /x","code":"UNAUTHENTICATED"}"#.to_owned(),
        );
        assert_eq!(
            denials().await,
            std::slice::from_ref(&entry),
            "five in one minute are one entry"
        );
        clock.advance(SignedDuration::from_secs(60));
        house.authenticate(made.text.reveal(), "GET /x").await.unwrap_err();
        assert_eq!(denials().await, [entry.clone(), entry]);
        // Nobody's key is nobody's entry.
        let nobodys = format!("{KEY_PREFIX}{}", "0".repeat(2 * KEY_BYTES));
        house.authenticate(&nobodys, "GET /x").await.unwrap_err();
        assert_eq!(denials().await.len(), 2);
    }
}
