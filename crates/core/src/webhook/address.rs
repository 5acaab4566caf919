//! The address of a connection's webhooks. Its last part is the token: where to look (the connection's identifier), and a
//! secret of 256 bits, of which only a keyed hash decides.

use std::fmt;

use aws_lc_rs::hmac;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    connectors::Connectors,
    error::{Error, Result},
    framed::Framed,
    id::{ConnectionId, TenantId},
    secret::Secret,
    store::{ConnectionRow, WebhookRow},
    token,
    vault::{MasterKey, Place},
};

/// What stands between locator and secret; neither has it.
const BETWEEN: char = '.';

/// The table that the sealed secrets are bound to. No field of a connection is sealed under it.
const TABLE: &str = "connection_webhooks";

/// The field of it.
const FIELD: &str = "secret";

/// The key of installations that have none: those whose vault is the program's own, over an adapter.
const NO_KEY: [u8; 32] = *b"tieline webhooks without a key!!";

/// Where the webhooks of a connection arrive: a whole address, or a path where no base URL was given. Whoever knows it gets
/// as far as the check of the signature: it does not print itself. As JSON it is written out, for its owner to see.
#[derive(Clone, PartialEq, Eq, JsonSchema)]
#[schemars(transparent)]
pub struct WebhookAddress(#[schemars(with = "String")] Zeroizing<String>);

impl WebhookAddress {
    /// The address.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for WebhookAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookAddress(..)")
    }
}

impl Serialize for WebhookAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Hashes the secrets of addresses. Who reads the database, or writes into it, makes no address that is let in.
pub(crate) struct WebhookKey(hmac::Key);

impl WebhookKey {
    /// Derived from the master key. Where there is none, the hash has no secret key; 256 random bits need none to be kept.
    pub(crate) fn of(master: Option<&MasterKey>) -> Self {
        let key = match master {
            Some(master) => hmac::Key::new(hmac::HMAC_SHA256, master.webhooks_key().reveal()),
            None => hmac::Key::new(hmac::HMAC_SHA256, &NO_KEY),
        };
        Self(key)
    }

    /// Bound to its connection, so that one that is copied into another row lets nobody in.
    fn hash(&self, tenant: TenantId, id: ConnectionId, secret: &str) -> [u8; 32] {
        let what = Framed::new("tieline 1 webhook")
            .with(tenant.as_bytes())
            .with(id.as_bytes())
            .with(secret.as_bytes());
        let tag = hmac::sign(&self.0, &what.into_bytes());
        tag.as_ref().try_into().expect("HMAC-SHA-256 gives 32 bytes")
    }
}

/// A token as it came, in its two parts.
pub(super) struct Token<'t> {
    pub(super) id: ConnectionId,
    secret: &'t str,
}

impl<'t> Token<'t> {
    /// None of a text that is none of ours.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let (id, secret) = text.split_once(BETWEEN)?;
        token::hash_of(secret)?;
        let id = id.parse().ok()?;
        Some(Self { id, secret })
    }

    /// Whether it is the row's, in the same time whatever it is.
    pub(super) fn opens(&self, key: &WebhookKey, row: &ConnectionRow) -> bool {
        let came = key.hash(row.tenant, row.id, self.secret);
        let kept = row.webhook.as_ref().map(|webhook| webhook.hash);
        // Against something in any case.
        let same = came.ct_eq(&kept.unwrap_or_default());
        kept.is_some() & bool::from(same)
    }
}

impl Connectors {
    /// A new address for a row, in the place of the one that it has.
    pub(crate) async fn new_webhook(&self, row: &ConnectionRow) -> Result<WebhookRow> {
        let version = row.webhook.as_ref().map_or(0, |webhook| webhook.version) + 1;
        let (secret, _) = token::new(&*self.inner.random)?;
        let place = place(row, version);
        Ok(WebhookRow {
            hash: self.inner.webhook_key.hash(row.tenant, row.id, secret.reveal()),
            sealed: self.inner.vault.seal(place, secret.reveal().as_bytes()).await?,
            version,
            since: self.inner.clock.now(),
        })
    }

    /// The address of a row that has one.
    pub(super) async fn address(&self, row: &ConnectionRow) -> Result<WebhookAddress> {
        let webhook = row.webhook.as_ref();
        let webhook = webhook.ok_or_else(|| Error::internal("tell a webhook's address", "there is none"))?;
        let place = place(row, webhook.version);
        let secret: Secret = self.inner.vault.open(place, &webhook.sealed).await?;
        let base = self.inner.base.of(&row.connector);
        let mut address = Zeroizing::new(String::with_capacity(base.len() + 128));
        address.push_str(&base);
        address.push_str("/webhook/");
        address.push_str(&row.id.to_string());
        address.push(BETWEEN);
        address.push_str(secret.reveal());
        Ok(WebhookAddress(address))
    }
}

fn place(row: &ConnectionRow, version: u32) -> Place<'_> {
    Place {
        tenant: row.tenant,
        table: TABLE,
        row: row.id.as_bytes(),
        field: FIELD,
        secret_version: version,
    }
}
