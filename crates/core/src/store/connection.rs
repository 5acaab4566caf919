//! Connections.

use std::collections::BTreeMap;

use super::StoreFuture;
use crate::{
    audit::Trail,
    clock::Timestamp,
    connection::SyncFrequency,
    environment::Environment,
    id::{ConnectionId, CredentialId, TenantId},
    limits::MAX_PAGE,
    scope::Scope,
};

/// A connection as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionRow {
    /// Its identifier, kept for life.
    pub id: ConnectionId,
    /// Whose it is.
    pub tenant: TenantId,
    /// For whom inside the tenant.
    pub scope: Scope,
    /// Which connector.
    pub connector: String,
    /// Where it belongs.
    pub environment: Environment,
    /// Its name, unique for tenant, scope and connector.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// More about it.
    pub description: Option<String>,
    /// How often its records are wanted.
    pub sync_frequency: SyncFrequency,
    /// Which of the connector's auth methods it uses.
    pub auth: String,
    /// The fields that are no secret, as JSON text.
    pub config: String,
    /// The credential that holds its secrets; it has none of its own then.
    pub credential: Option<CredentialId>,
    /// The secret fields, sealed one by one.
    pub secrets: BTreeMap<String, SealedField>,
    /// Rises whenever secrets change, and only then; part of what each secret is bound to.
    pub secret_version: u32,
    /// What is known of its tokens without opening them, and who is renewing them, as JSON text. None of it is secret.
    pub oauth: Option<String>,
    /// Whether calls may use it.
    pub enabled: bool,
    /// What was last found out about it.
    pub health: Health,
    /// The address that its webhooks arrive at, where its connector takes any.
    pub webhook: Option<WebhookRow>,
    /// What became of the last webhook that arrived there.
    pub last_delivery: Option<LastDelivery>,
    /// Rises with every change of the row.
    pub version: u64,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A secret at rest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SealedField {
    /// What the vault sealed.
    pub sealed: Vec<u8>,
    /// The last four characters, kept only of secrets of 16 and more.
    pub last4: Option<String>,
    /// When this secret was last written.
    pub updated_at: Timestamp,
}

/// The address of a connection's webhooks, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRow {
    /// The keyed hash of the address's secret, which alone decides who is let in.
    pub hash: [u8; 32],
    /// The secret itself, as the vault sealed it: its owner is shown the address again.
    pub sealed: Vec<u8>,
    /// How many addresses there were, this one included; part of what the secret is bound to.
    pub version: u32,
    /// Since when it is this one.
    pub since: Timestamp,
}

/// What became of a webhook that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastDelivery {
    /// When it arrived.
    pub at: Timestamp,
    /// Why it was not taken; absent when it was.
    pub error: Option<String>,
}

/// What is known of a connection's health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The state.
    pub state: HealthState,
    /// Why, in a sentence fit for its owner; absent when healthy or untested.
    pub reason: Option<String>,
    /// Since when it is so.
    pub since: Timestamp,
}

impl Health {
    /// Whether this is what it is, and why.
    pub fn is(&self, state: HealthState, reason: Option<&str>) -> bool {
        self.state == state && self.reason.as_deref() == reason
    }
}

/// The states of health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// Never tested since its secrets changed.
    Untested,
    /// The last test or call worked.
    Healthy,
    /// The last test failed.
    Failing,
    /// Only its owner can mend it, by signing in again.
    NeedsReauth,
}

/// Which connections to list. All named conditions must hold.
#[derive(Debug, Clone)]
pub struct ConnectionFilter {
    /// Whose.
    pub tenant: TenantId,
    /// For whom inside the tenant.
    pub scope: Option<Scope>,
    /// Of which connector.
    pub connector: Option<String>,
    /// Switched on or off.
    pub enabled: Option<bool>,
    /// Of one of these healths; of any, when there is none.
    pub health: Vec<HealthState>,
    /// Belonging there.
    pub environment: Option<Environment>,
    /// From the newest on: identifiers fall.
    pub newest_first: bool,
    /// Only those behind this identifier, in the order asked for.
    pub after: Option<ConnectionId>,
    /// At most this many.
    pub limit: usize,
}

/// What became of an insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted<T> {
    /// The row was written.
    Inserted,
    /// The unique name is taken, by this row; nothing was written.
    Taken(T),
}

/// What became of a conditional update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    /// The row was written.
    Updated,
    /// The row is gone or has another version; nothing was written.
    Conflict,
}

/// Keeps connections.
///
/// There is no blind upsert: a secret is bound to its row's identifier, so whoever meets `Taken` seals anew under the
/// identifier that stands and updates conditionally.
///
/// A row that points to a credential which its tenant does not have (a moment ago it may have had it) is not written, and
/// answered with `NOT_FOUND`. A store that keeps no credentials is given no such row.
pub trait ConnectionStore: Send + Sync + 'static {
    /// The connection with this unique name.
    fn connection(
        &self,
        tenant: TenantId,
        scope: &Scope,
        connector: &str,
        name: &str,
    ) -> StoreFuture<'_, Option<ConnectionRow>>;

    /// The connection with this identifier.
    fn connection_by_id(&self, tenant: TenantId, id: ConnectionId) -> StoreFuture<'_, Option<ConnectionRow>>;

    /// Connections by identifier.
    fn connections(&self, filter: ConnectionFilter) -> StoreFuture<'_, Vec<ConnectionRow>>;

    /// How many connections a filter holds, its page and its bound set aside. Whoever can count without reading the rows
    /// does.
    fn count_connections(&self, filter: ConnectionFilter) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let mut page = ConnectionFilter {
                after: None,
                limit: MAX_PAGE,
                ..filter
            };
            let mut count = 0;
            loop {
                let rows = self.connections(page.clone()).await?;
                count += rows.len() as u64;
                page.after = rows.last().map(|row| row.id);
                if rows.len() < MAX_PAGE {
                    return Ok(count);
                }
            }
        })
    }

    /// Writes a new row, unless its unique name is taken.
    fn insert_connection(&self, row: ConnectionRow, trail: Trail) -> StoreFuture<'_, Inserted<ConnectionRow>>;

    /// Replaces the row with this identifier, if its stored version is `expected_version`. Identity (tenant, id, scope,
    /// environment, connector, name, created) never changes.
    fn update_connection(&self, row: ConnectionRow, expected_version: u64, trail: Trail) -> StoreFuture<'_, Updated>;

    /// Notes what became of a webhook, unless a later one is noted already or there is no such row. All else stays as it is;
    /// and no [`update_connection`](Self::update_connection) writes `last_delivery`, so neither undoes the other.
    fn note_delivery(&self, tenant: TenantId, id: ConnectionId, delivery: LastDelivery) -> StoreFuture<'_, ()>;

    /// Deletes the row. `false` when there was none.
    fn delete_connection(&self, tenant: TenantId, id: ConnectionId, trail: Trail) -> StoreFuture<'_, bool>;
}
