//! Shared credentials.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::{Health, Inserted, SealedField, StoreFuture, Updated};
use crate::{
    audit::Trail,
    clock::Timestamp,
    environment::Environment,
    error::Result,
    event::FeedEvent,
    id::{ConnectionId, CredentialId, TenantId},
};

/// A shared credential as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRow {
    /// Its identifier, kept for life.
    pub id: CredentialId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name, unique in the tenant.
    pub name: String,
    /// More about it.
    pub description: Option<String>,
    /// Where it belongs.
    pub environment: Environment,
    /// What kind of credential its owner calls it.
    pub kind: String,
    /// The connector it is for; any, unless it names one.
    pub connector: Option<String>,
    /// Which of the connector's auth methods it is for.
    pub auth: Option<String>,
    /// The fields that are no secret, as JSON text.
    pub config: String,
    /// The secret fields, sealed one by one.
    pub secrets: BTreeMap<String, SealedField>,
    /// Rises whenever secrets change, and only then; part of what each secret is bound to.
    pub secret_version: u32,
    /// What its owner notes about it, as JSON text.
    pub metadata: String,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// When something has to be announced of its expiry; absent when nothing has, or no more.
    pub notice_at: Option<Timestamp>,
    /// When its secrets last changed.
    pub rotated_at: Option<Timestamp>,
    /// Rises with every change of the row.
    pub version: u64,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Which credentials to list. All named conditions must hold.
#[derive(Debug, Clone)]
pub struct CredentialFilter {
    /// Whose.
    pub tenant: TenantId,
    /// Of this kind.
    pub kind: Option<String>,
    /// For this connector.
    pub connector: Option<String>,
    /// Belonging there.
    pub environment: Option<Environment>,
    /// Only those whose identifier sorts after this one.
    pub after: Option<CredentialId>,
    /// At most this many.
    pub limit: usize,
}

/// What became of a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleted {
    /// The row is gone.
    Deleted,
    /// There was none.
    Missing,
    /// These connections point to it, the first by identifier; nothing was deleted.
    InUse(Vec<ConnectionId>),
}

/// What becomes of the connections that point to a credential.
#[derive(Debug, Clone)]
pub struct Users {
    /// Their health from now on. Since when stays as it was where they are in this state already.
    pub health: Health,
    /// Makes the events.
    pub tell: Tell,
}

/// `tell(connections)`: the events of those that come into another state of health, which stand by identifier.
#[derive(Clone)]
pub struct Tell(Arc<TellFn>);

type TellFn = dyn Fn(&[ConnectionId]) -> Result<Vec<FeedEvent>> + Send + Sync;

impl Tell {
    /// Events made by `f`.
    pub fn new(f: impl Fn(&[ConnectionId]) -> Result<Vec<FeedEvent>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(f))
    }

    /// The events of these connections.
    ///
    /// # Errors
    /// When there is no randomness for identifiers.
    pub fn events(&self, connections: &[ConnectionId]) -> Result<Vec<FeedEvent>> {
        (self.0)(connections)
    }
}

impl fmt::Debug for Tell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tell(..)")
    }
}

/// A credential of which something has to be announced: ids only, no payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueCredential {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which it is.
    pub credential: CredentialId,
}

/// Keeps shared credentials.
pub trait CredentialStore: Send + Sync + 'static {
    /// One credential of a tenant.
    fn credential(&self, tenant: TenantId, id: CredentialId) -> StoreFuture<'_, Option<CredentialRow>>;

    /// Credentials by identifier.
    fn credentials(&self, filter: CredentialFilter) -> StoreFuture<'_, Vec<CredentialRow>>;

    /// Writes a new row, unless its name is taken.
    fn insert_credential(&self, row: CredentialRow, trail: Trail) -> StoreFuture<'_, Inserted<CredentialRow>>;

    /// Replaces the row with this identifier, if its stored version is `expected_version`. Identity (tenant, id, name,
    /// environment, kind, connector, created) never changes. Where `users` is given, its health becomes that of every
    /// connection that points to the credential, their versions rise, and its events go into the feed before the trail's.
    fn update_credential(
        &self,
        row: CredentialRow,
        expected_version: u64,
        users: Option<Users>,
        trail: Trail,
    ) -> StoreFuture<'_, Updated>;

    /// Deletes the row and its secrets, unless connections point to it; of those, `limit` at most are told.
    fn delete_credential(
        &self,
        tenant: TenantId,
        id: CredentialId,
        limit: usize,
        trail: Trail,
    ) -> StoreFuture<'_, Deleted>;

    /// Credentials of all tenants whose `notice_at` is not after `now`, the oldest first.
    fn due_credentials(&self, now: Timestamp, limit: usize) -> StoreFuture<'_, Vec<DueCredential>>;
}
