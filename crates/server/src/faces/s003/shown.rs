//! Connections and test results as this face shows them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tieline::{
    Connectors,
    clock::{Rfc3339, Timestamp},
    connection::{Connection, SyncFrequency},
    health::TestResult,
    id::{ConnectionId, TenantId},
};

use super::Status;

/// A connection, and the card of its connector.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "S003Connector")]
pub(crate) struct Connector {
    /// The connection's identifier.
    connector_id: ConnectionId,
    /// Whose it is.
    tenant_id: TenantId,
    /// Which connector, by its identifier in the catalog.
    connector_type: String,
    /// The connector's name.
    connector_name: String,
    /// What people call the connection.
    display_name: String,
    /// What the connector belongs to.
    category: String,
    /// The name of its picture.
    icon: String,
    /// What data its service holds.
    data_types: Vec<String>,
    /// Whether it can be used.
    status: Status,
    /// When its records were last pulled.
    #[schemars(with = "Option<String>", required, extend("type" = ["string", "null"]))]
    last_sync: Option<Timestamp>,
    /// How often its records are wanted.
    sync_frequency: SyncFrequency,
    /// What is known of its trouble.
    metadata: Metadata,
    /// When it was made.
    #[schemars(with = "Rfc3339")]
    created_at: Timestamp,
    /// When it last changed.
    #[schemars(with = "Rfc3339")]
    updated_at: Timestamp,
    /// Who made it.
    created_by: String,
}

/// What is known of a connection's trouble; nothing while there is none.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "S003Metadata")]
pub(crate) struct Metadata {
    /// Why it does not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Rfc3339>")]
    last_error_at: Option<Timestamp>,
}

/// A connection that was just made, and what its first test found out.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "S003CreatedConnector")]
pub(crate) struct Created {
    /// The connection.
    #[serde(flatten)]
    pub(super) connector: Connector,
    /// Its first test.
    pub(super) test: Tested,
}

/// What a test found out.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "S003TestResult")]
pub(crate) struct Tested {
    /// Whether the connection works.
    success: bool,
    /// What was found out, in a sentence.
    message: String,
    /// What the service told of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<BTreeMap<String, Value>>")]
    details: Option<BTreeMap<String, Value>>,
    /// What went wrong, in a word such as `INVALID_KEY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
}

impl Connector {
    pub(super) fn of(connectors: &Connectors, tenant: TenantId, connection: Connection) -> Self {
        let status = Status::from(connection.status);
        let trouble = (status == Status::Error).then_some(connection.health);
        // A connector that was taken off the shelf has no card any more; its connections stay.
        let card = connectors.registry().get(&connection.connector);
        let card = card.ok().map(|connector| connector.card());
        let (name, category, icon, data_types) = match card {
            Some(card) => (card.name, card.category, card.icon, card.data_types),
            None => (connection.connector.clone(), String::new(), String::new(), Vec::new()),
        };
        Self {
            connector_id: connection.id,
            tenant_id: tenant,
            connector_type: connection.connector,
            connector_name: name,
            display_name: connection.display_name,
            category,
            icon,
            data_types,
            status,
            // Nothing pulls the records of connections yet.
            last_sync: None,
            sync_frequency: connection.sync_frequency,
            metadata: Metadata {
                last_error_at: trouble.as_ref().map(|health| health.since),
                error_message: trouble.and_then(|health| health.reason),
            },
            created_at: connection.created_at,
            updated_at: connection.updated_at,
            created_by: connection.created_by,
        }
    }
}

impl From<TestResult> for Tested {
    fn from(result: TestResult) -> Self {
        let mut details: BTreeMap<String, Value> = result
            .details
            .into_iter()
            .map(|(name, value)| (snake_case(&name), value))
            .collect();
        if let (true, Some(label)) = (details.is_empty(), result.label) {
            details.insert("label".to_owned(), label.into());
        }
        Self {
            success: result.success,
            message: result.message,
            details: (!details.is_empty()).then_some(details),
            error_code: result.finding,
        }
    }
}

/// A name as this face writes names: `statusCode` is `status_code`.
fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_snake_case() {
        for (name, expected) in [
            ("statusCode", "status_code"),
            ("email", "email"),
            ("serverVersionNumber", "server_version_number"),
        ] {
            assert_eq!(snake_case(name), expected);
        }
    }
}
