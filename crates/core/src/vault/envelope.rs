//! The envelope: a data key per tenant seals the fields, the master key stands over the data keys.
//!
//! A data key seals at most [`MAX_SEALS_PER_DATA_KEY`] values; then the vault refuses with `CONNECTOR_ENCRYPT_FAILED`
//! until the tenant has a new key, while everything sealed before still opens. The count lives in memory beside the
//! key and begins anew with the process; it guards against a runaway writer, who reaches it within one.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{
    LedgerVault, MasterKey, Place, Vault,
    data_key::{DataKey, FORMAT, SealTrouble, Sealed},
    does_not_open,
    master::{KEY_BYTES, Purpose},
};
use crate::{
    audit::{Actor, Link, TrailBuilder},
    cache::Cache,
    clock::{Clock, Random},
    error::{Code, Error, Result},
    framed::Framed,
    id::TenantId,
    ledger::Marker,
    limits::{MAX_CACHED_KEY_RINGS, MAX_SEALED_PLAIN_BYTES, MAX_SEALS_PER_DATA_KEY},
    secret::Secret,
    store::{DataKeyRow, DataKeyStore, Inserted},
};

/// The number of a derived key. Stored keys are numbered from 1.
const DERIVED_KEY: u32 = 0;

/// The number of a tenant's first stored key.
const FIRST_STORED_KEY: u32 = 1;

/// Seals with AES-256-GCM (NIST SP 800-38D) under one data key per tenant.
pub struct EnvelopeVault {
    master: MasterKey,
    random: Arc<dyn Random>,
    keys: Keys,
    /// A tenant's keys, opened. They never change once made, so an old ring is at worst short of the newest key.
    rings: Cache<(), KeyRing>,
    seal_limit: u64,
}

/// Where data keys come from.
enum Keys {
    /// From the master key; nothing is stored.
    Derived,
    /// From randomness; stored wrapped by a key derived from the master key.
    Stored {
        wrapping: DataKey,
        store: Arc<dyn DataKeyStore>,
        clock: Arc<dyn Clock>,
    },
}

/// A tenant's data keys, oldest first: all open, the last one seals.
struct KeyRing(Vec<Arc<DataKey>>);

impl KeyRing {
    fn get(&self, id: u32) -> Option<Arc<DataKey>> {
        self.0.iter().find(|key| key.id == id).cloned()
    }
}

impl EnvelopeVault {
    /// A vault that derives each tenant's key from the master key and stores none.
    pub fn derived(master: MasterKey, random: Arc<dyn Random>) -> Self {
        Self::new(master, random, Keys::Derived)
    }

    /// A vault that keeps each tenant's key wrapped in `store`, and makes it when it is first needed.
    pub fn stored(
        master: MasterKey,
        store: Arc<dyn DataKeyStore>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let wrapping = DataKey::new(DERIVED_KEY, &master.derive(Purpose::Wrapping));
        Self::new(master, random, Keys::Stored { wrapping, store, clock })
    }

    fn new(master: MasterKey, random: Arc<dyn Random>, keys: Keys) -> Self {
        Self {
            master,
            random,
            keys,
            rings: Cache::new(MAX_CACHED_KEY_RINGS),
            seal_limit: MAX_SEALS_PER_DATA_KEY,
        }
    }

    /// The key to seal with: the tenant's newest, made now if it has none.
    async fn newest(&self, tenant: TenantId) -> Result<Arc<DataKey>> {
        let ring = match self.rings.get(tenant, &()) {
            Some(ring) => ring,
            None => self.load(tenant).await?,
        };
        if let Some(key) = ring.0.last() {
            return Ok(Arc::clone(key));
        }
        self.make_first(tenant).await?;
        let ring = self.load(tenant).await?;
        ring.0
            .last()
            .cloned()
            .ok_or_else(|| Error::internal("a data key was stored but is not there", "the store lost it"))
    }

    /// The key with this number. One we do not know may have been made by another process, so the store is asked.
    async fn key(&self, tenant: TenantId, id: u32) -> Result<Option<Arc<DataKey>>> {
        if let Some(key) = self.rings.get(tenant, &()).and_then(|ring| ring.get(id)) {
            return Ok(Some(key));
        }
        Ok(self.load(tenant).await?.get(id))
    }

    /// Reads a tenant's keys. Those we hold already are kept, and with them their counts.
    async fn load(&self, tenant: TenantId) -> Result<Arc<KeyRing>> {
        let ticket = self.rings.ticket(tenant, &());
        let held = self.rings.get(tenant, &());
        let held = |id| held.as_ref().and_then(|ring| ring.get(id));
        let keys = match &self.keys {
            Keys::Derived => vec![
                held(DERIVED_KEY)
                    .unwrap_or_else(|| Arc::new(DataKey::new(DERIVED_KEY, &self.master.derive(Purpose::Data(tenant))))),
            ],
            Keys::Stored { wrapping, store, .. } => {
                let rows = store.data_keys(tenant).await?;
                rows.iter()
                    .map(|row| held(row.id).map_or_else(|| unwrap(wrapping, row).map(Arc::new), Ok))
                    .collect::<Result<_>>()?
            }
        };
        let ring = Arc::new(KeyRing(keys));
        self.rings.insert(ticket, Arc::clone(&ring));
        Ok(ring)
    }

    /// Makes a tenant's first key and stores it wrapped. When somebody else was faster, theirs is the key.
    async fn make_first(&self, tenant: TenantId) -> Result<()> {
        let Keys::Stored { wrapping, store, clock } = &self.keys else {
            return Ok(());
        };
        let mut key = Secret::new([0; KEY_BYTES]);
        self.random.fill(key.reveal_mut())?;
        let wrapped = wrapping
            .seal(
                &wrapping_place(tenant, FIRST_STORED_KEY),
                key.reveal(),
                &*self.random,
                self.seal_limit,
            )
            .map_err(seal_error)?;
        let row = DataKeyRow {
            tenant,
            id: FIRST_STORED_KEY,
            wrapped,
            created_at: clock.now(),
        };
        let actor = Actor::server(tenant);
        let trail = TrailBuilder::new(&**clock, &*self.random, self.link(tenant), &actor)
            .did("data_key.created", tenant)
            .detail(serde_json::json!({ "key": row.id }))
            .finish()?;
        match store.add_data_key(row, trail).await? {
            Inserted::Inserted | Inserted::Taken(_) => Ok(()),
        }
    }
}

impl Vault for EnvelopeVault {
    fn seal<'a>(&'a self, place: Place<'a>, plain: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>>> {
        Box::pin(async move {
            check_size(&place, plain)?;
            let key = self.newest(place.tenant).await?;
            key.seal(
                &place.associated_data(FORMAT, key.id),
                plain,
                &*self.random,
                self.seal_limit,
            )
            .map_err(|trouble| place.locate(seal_error(trouble)))
        })
    }

    fn open_bytes<'a>(&'a self, place: Place<'a>, sealed: &'a [u8]) -> BoxFuture<'a, Result<Secret<Vec<u8>>>> {
        Box::pin(async move {
            let Some(sealed) = Sealed::read(sealed) else {
                return Err(does_not_open(&place));
            };
            let key = self.key(place.tenant, sealed.key).await?;
            key.and_then(|key| key.open(&place.associated_data(FORMAT, key.id), &sealed))
                .ok_or_else(|| does_not_open(&place))
        })
    }

    fn forget(&self, tenant: TenantId) {
        self.rings.forget(tenant, &());
    }
}

impl LedgerVault for EnvelopeVault {
    fn marker(&self, tenant: TenantId) -> Marker {
        self.master.marker(tenant)
    }

    fn link(&self, tenant: TenantId) -> Link {
        self.master.link(tenant)
    }
}

/// Refuses to seal more than there ever is to seal.
pub(super) fn check_size(place: &Place<'_>, plain: &[u8]) -> Result<()> {
    if plain.len() <= MAX_SEALED_PLAIN_BYTES {
        return Ok(());
    }
    Err(place.locate(Error::new(
        Code::ConnectorEncryptFailed,
        format!("The value is larger than the {MAX_SEALED_PLAIN_BYTES} bytes that can be sealed."),
    )))
}

/// What a wrapped key is bound to, so that no tenant's key can be put in another's place.
fn wrapping_place(tenant: TenantId, key: u32) -> Vec<u8> {
    Framed::new("tieline wrapped data key")
        .with(&[FORMAT])
        .with(tenant.as_bytes())
        .with(&key.to_be_bytes())
        .into_bytes()
}

fn unwrap(wrapping: &DataKey, row: &DataKeyRow) -> Result<DataKey> {
    let place = wrapping_place(row.tenant, row.id);
    Sealed::read(&row.wrapped)
        .and_then(|sealed| wrapping.open(&place, &sealed))
        .and_then(|plain| plain.reveal().as_slice().try_into().ok().map(Secret::new))
        .map(|key| DataKey::new(row.id, &key))
        .ok_or_else(|| {
            Error::new(
                Code::ConnectorDecryptFailed,
                "A tenant's data key does not open: it was altered, or it belongs to another master key. Give the \
                 master key this data was written with, or restore the row from a backup.",
            )
            .context("tenant", row.tenant)
            .context("key", row.id)
        })
}

fn seal_error(trouble: SealTrouble) -> Error {
    match trouble {
        SealTrouble::UsedUp => Error::new(
            Code::ConnectorEncryptFailed,
            "The tenant's data key has sealed as many values as one key safely can, so nothing more is sealed with \
             it. Give the tenant a new data key.",
        ),
        SealTrouble::Cipher => Error::new(
            Code::ConnectorEncryptFailed,
            "A secret could not be sealed, so it was not stored.",
        ),
        SealTrouble::Random(error) => error,
    }
}

#[cfg(test)]
mod tests;
