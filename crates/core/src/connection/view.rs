//! A connection as it may be shown.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use tieline_manifest::Json;

use super::SyncFrequency;
use crate::{
    clock::{Rfc3339, Timestamp},
    environment::Environment,
    error::Result,
    id::{ConnectionId, CredentialId},
    merged::stored,
    scope::Scope,
    store::{ConnectionRow, HealthState, SealedField},
    webhook::WebhookAddress,
};

/// A connection as everybody may see it: no secret in it, sealed or open.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Its identifier, kept for life.
    pub id: ConnectionId,
    /// Which connector.
    pub connector: String,
    /// Its name, unique for scope and connector.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// More about it.
    pub description: Option<String>,
    /// How often its records are wanted.
    pub sync_frequency: SyncFrequency,
    /// For whom inside the tenant.
    pub scope: Scope,
    /// Where it belongs, for life.
    pub environment: Environment,
    /// Which of the connector's auth methods it uses.
    pub auth: String,
    /// Whether it can be used, in one word.
    pub status: Status,
    /// Whether calls may use it.
    pub enabled: bool,
    /// What was last found out about it.
    pub health: HealthView,
    /// Of its webhooks, where its connector takes any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookView>,
    /// The credential that holds the secrets; they stand in the connection itself, unless given.
    #[serde(rename = "credentialId")]
    pub credential: Option<CredentialId>,
    /// The fields that are no secret; with a credential, those laid over its own.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub config: Json,
    /// The secret fields that are set.
    pub secrets: BTreeMap<String, SecretView>,
    /// Rises with every change.
    pub version: u64,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    #[schemars(with = "Rfc3339")]
    pub created_at: Timestamp,
    /// When it last changed.
    #[schemars(with = "Rfc3339")]
    pub updated_at: Timestamp,
}

/// What may be seen of a secret.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretView {
    /// Always true: a secret that is not set is not listed.
    pub set: bool,
    /// Its last four characters, if it has 16 and more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last4: Option<String>,
    /// When it was last written.
    #[schemars(with = "Rfc3339")]
    pub updated_at: Timestamp,
}

impl SecretView {
    /// What may be seen of a row's secrets.
    pub(crate) fn all(secrets: &BTreeMap<String, SealedField>) -> BTreeMap<String, Self> {
        let view = |(name, field): (&String, &SealedField)| {
            let view = Self {
                set: true,
                last4: field.last4.clone(),
                updated_at: field.updated_at,
            };
            (name.clone(), view)
        };
        secrets.iter().map(view).collect()
    }
}

/// What was last found out about a connection.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthView {
    /// The state.
    pub state: HealthState,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when.
    #[schemars(with = "Rfc3339")]
    pub since: Timestamp,
}

/// What may be seen of a connection's webhooks.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookView {
    /// Where they arrive. Only who connects it, or asks for it by itself, is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<WebhookAddress>,
    /// Since when they arrive there.
    #[schemars(with = "Rfc3339")]
    pub since: Timestamp,
    /// When the last one arrived that had to prove itself.
    #[schemars(with = "Option<Rfc3339>")]
    pub last_event_at: Option<Timestamp>,
    /// What became of it.
    pub last_event_result: Option<DeliveryResult>,
    /// Why it was not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryResult {
    /// It was taken.
    Success,
    /// It was refused, or its handler failed.
    Error,
}

impl WebhookView {
    fn of(row: &ConnectionRow) -> Option<Self> {
        let last = row.last_delivery.as_ref();
        row.webhook.as_ref().map(|webhook| Self {
            address: None,
            since: webhook.since,
            last_event_at: last.map(|last| last.at),
            last_event_result: last.map(|last| match last.error {
                None => DeliveryResult::Success,
                Some(_) => DeliveryResult::Error,
            }),
            error: last.and_then(|last| last.error.clone()),
        })
    }
}

/// A connection's state in one word, a function of what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Switched off.
    Inactive,
    /// Not tested since its secrets changed.
    Testing,
    /// Usable.
    Active,
    /// The last test failed.
    Error,
    /// Its owner has to sign in again.
    NeedsReauth,
}

impl Status {
    /// The one place that decides it.
    pub fn of(enabled: bool, health: HealthState) -> Self {
        match (enabled, health) {
            (false, _) => Self::Inactive,
            (true, HealthState::Untested) => Self::Testing,
            (true, HealthState::Healthy) => Self::Active,
            (true, HealthState::Failing) => Self::Error,
            (true, HealthState::NeedsReauth) => Self::NeedsReauth,
        }
    }
}

impl Connection {
    pub(crate) fn of(row: &ConnectionRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            connector: row.connector.clone(),
            name: row.name.clone(),
            display_name: row.display_name.clone(),
            description: row.description.clone(),
            sync_frequency: row.sync_frequency,
            scope: row.scope.clone(),
            environment: row.environment,
            auth: row.auth.clone(),
            status: Status::of(row.enabled, row.health.state),
            enabled: row.enabled,
            health: HealthView {
                state: row.health.state,
                reason: row.health.reason.clone(),
                since: row.health.since,
            },
            webhook: WebhookView::of(row),
            credential: row.credential,
            config: stored(&row.config)?,
            secrets: SecretView::all(&row.secrets),
            version: row.version,
            created_by: row.created_by.clone(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_one_word_for_every_state() {
        assert_eq!(Status::of(false, HealthState::Healthy), Status::Inactive);
        assert_eq!(Status::of(true, HealthState::Untested), Status::Testing);
        assert_eq!(Status::of(true, HealthState::Healthy), Status::Active);
        assert_eq!(Status::of(true, HealthState::Failing), Status::Error);
        assert_eq!(Status::of(true, HealthState::NeedsReauth), Status::NeedsReauth);
    }
}
