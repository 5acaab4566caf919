//! The audit chain: what every change leaves behind, linked so that a later edit is seen.
//!
//! A change without its entry cannot be written: the store's verbs take a [`Trail`] and write it in the change's own
//! transaction, the chain's head last. The store computes no hash; it calls the trail's [`Link`].

pub mod chain;
mod denied;
mod read;
mod settings;
mod trail;
mod used;
pub mod verify;

pub(crate) use self::{denied::Denials, used::KeyUses, verify::Verifications};
pub use read::{AuditQuery, Beyond};
pub use trail::{TrailBuilder, Trails};

use std::{fmt, sync::Arc};

use crate::{
    clock::Timestamp,
    environment::Environment,
    event::FeedEvent,
    id::{AuditId, TenantId},
};

/// A link of the chain: HMAC-SHA-256.
pub type Hash = [u8; 32];

/// The hash before a tenant's first entry.
pub const GENESIS: Hash = [0; 32];

/// Who does something, and for which tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// For whom: the tenant whose chain remembers it.
    pub tenant: TenantId,
    /// Who: an API key's identifier, `cli`, `library`, `server`, `scheduler`.
    pub name: String,
    /// Where they may act; everywhere, unless bound.
    pub environment: Option<Environment>,
    /// Whether they may write credentials. Who may not does not choose where a credential is sent that names no hosts.
    pub writes_credentials: bool,
}

impl Actor {
    /// An actor of this name, bound to no environment, who may not write credentials.
    pub fn new(tenant: TenantId, name: impl fmt::Display) -> Self {
        Self {
            tenant,
            name: name.to_string(),
            environment: None,
            writes_credentials: false,
        }
    }

    /// The same, bound to an environment or to none.
    #[must_use]
    pub fn bound_to(self, environment: Option<Environment>) -> Self {
        Self { environment, ..self }
    }

    /// The same, who may write credentials or may not.
    #[must_use]
    pub fn writing_credentials(self, writes_credentials: bool) -> Self {
        Self {
            writes_credentials,
            ..self
        }
    }

    /// The server itself, acting for a tenant without being asked.
    pub fn server(tenant: TenantId) -> Self {
        Self::new(tenant, "server")
    }

    /// The server, testing a tenant's connections because their time has come.
    pub fn scheduler(tenant: TenantId) -> Self {
        Self::new(tenant, "scheduler")
    }
}

/// One thing somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its identifier.
    pub id: AuditId,
    /// Whose chain it belongs to.
    pub tenant: TenantId,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it: an API key's identifier, `cli`, `library`, `server`.
    pub actor: String,
    /// What was done, in dotted form such as `connection.created`.
    pub action: String,
    /// The identifier of the row it was done to.
    pub subject: String,
    /// More, as JSON text: names of fields, never their values.
    pub detail: String,
}

/// What goes with a change into its transaction.
#[derive(Debug, Clone)]
pub struct Trail {
    /// Entries for the chain, in order.
    pub entries: Vec<AuditEntry>,
    /// Events for the feed, in order.
    pub events: Vec<FeedEvent>,
    /// Computes each entry's hash.
    pub link: Link,
}

/// `link(previous, seq, entry) -> hash`, with the chain's key inside.
#[derive(Clone)]
pub struct Link(Arc<LinkFn>);

type LinkFn = dyn Fn(&Hash, u64, &AuditEntry) -> Hash + Send + Sync;

impl Link {
    /// A link computed by `f`.
    pub fn new(f: impl Fn(&Hash, u64, &AuditEntry) -> Hash + Send + Sync + 'static) -> Self {
        Self(Arc::new(f))
    }

    /// The hash of an entry at place `seq` after `previous`.
    pub fn hash(&self, previous: &Hash, seq: u64, entry: &AuditEntry) -> Hash {
        (self.0)(previous, seq, entry)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link(..)")
    }
}
