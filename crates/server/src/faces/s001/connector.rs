//! Connections, under the name of connectors; with `available=true` the connectors that there are.

use std::{collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tieline::{
    Code, Environment, Result,
    action::ActionDescriptor,
    clock::{Rfc3339, Timestamp},
    connection::{Connect, Connection, ConnectionPatch, ConnectionQuery, Status},
    connector::ConnectorDescriptor,
    health::TestResult,
    id::{ConnectionId, CredentialId},
    patch::given,
    scope::Scope,
};
use tieline_manifest::Json;

use crate::{
    api::page::{CURSOR_EXAMPLE, Cursors, Limit},
    app::App,
    caller::Caller,
    faces::unknown_type,
    route::{Body, Created, List, Query, Ref, Reply, Row},
};

/// How making one can fail beyond what its arguments say.
pub(crate) const MAKING: &[Code] = &[
    Code::ConnectorTypeUnknown,
    Code::CredentialExpired,
    Code::NotFound,
    Code::EnvironmentMismatch,
    Code::ConnectorConfigInvalid,
    Code::ConnectorScopeInvalid,
    Code::ConnectorScopeIdentifierRequired,
    Code::ConnectorEncryptFailed,
    Code::ConnectorDecryptFailed,
    Code::ConnectionConflict,
    Code::ConnectorAlreadyConnected,
];

/// What to connect.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NewConnector")]
#[schemars(example = serde_json::json!({
    "name": "Support Acme", "type": "acme", "credentialId": "cred_01jd3k9v7rf8pa0q2m5w8x4ynz",
}))]
#[schemars(example = serde_json::json!({
    "name": "Support Acme", "type": "acme", "description": "Of the blue team.", "config": { "bot_token": "the token" },
}))]
pub(crate) struct New {
    /// What people call it.
    name: String,
    /// Which connector, by its identifier in the catalog.
    r#type: String,
    /// More about it.
    #[serde(default)]
    description: Option<String>,
    /// The fields of one of the connector's auth methods, secret ones too; with a credential, what is laid over its own.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    config: Option<Json>,
    /// The shared credential that holds the secrets.
    #[serde(default)]
    credential_id: Option<Ref<CredentialId>>,
    /// For whom inside the tenant; for all of it, unless given.
    #[serde(default)]
    scope: Option<Scope>,
    /// Where it belongs, for life; where the key does, and else production, unless given.
    #[serde(default)]
    environment: Option<Environment>,
}

/// What to change; what is absent stays.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ConnectorPatch")]
#[schemars(example = serde_json::json!({ "name": "Support Acme", "config": { "team": "blue" }, "enabled": true }))]
#[schemars(example = serde_json::json!({ "credentialId": "cred_01jd3k9v7rf8pa0q2m5w8x4ynz", "description": null }))]
pub(crate) struct Patch {
    /// What people call it.
    #[serde(default)]
    name: Option<String>,
    /// More about it; `null` for nothing.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    description: Option<Option<String>>,
    /// Fields to change: an absent field keeps its value, `null` removes it.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    config: Option<Json>,
    /// The shared credential that holds the secrets from now on; `null` for none, and then `config` names all fields anew.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<Ref<CredentialId>>")]
    credential_id: Option<Option<Ref<CredentialId>>>,
    /// Whether calls may use it.
    #[serde(default)]
    enabled: Option<bool>,
}

/// Which ones to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Instead of what is connected, what can be: every connector with its actions.
    #[serde(default)]
    #[schemars(example = false)]
    available: bool,
    /// How many rows at most; of connectors that can be connected all are listed.
    #[serde(default)]
    limit: Limit,
    /// `nextCursor` of the page before.
    #[serde(default)]
    #[schemars(example = CURSOR_EXAMPLE)]
    cursor: Option<String>,
}

/// One of a list: what is connected, or what can be.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "ConnectorOrAvailable")]
pub(crate) enum Entry {
    /// What is connected.
    Connected(Connector),
    /// What can be.
    Available(Available),
}

/// A connection. No secret is in it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Connector")]
pub(crate) struct Connector {
    /// The connection's identifier.
    id: ConnectionId,
    /// What people call it.
    name: String,
    /// Which connector.
    r#type: String,
    /// More about it.
    description: Option<String>,
    /// The fields that are no secret; with a credential, those laid over its own.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    config: Json,
    /// The shared credential that holds the secrets.
    credential_id: Option<CredentialId>,
    /// Whether it can be used, in one word.
    status: Status,
    /// Whether calls may use it.
    enabled: bool,
    /// For whom inside the tenant.
    scope: Scope,
    /// Where it belongs.
    environment: Environment,
    /// Who made it.
    created_by: String,
    /// When it was made.
    #[schemars(with = "Rfc3339")]
    created_at: Timestamp,
    /// When it last changed.
    #[schemars(with = "Rfc3339")]
    updated_at: Timestamp,
}

/// A connection that was just made, and what its first test found out.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CreatedConnector")]
pub(crate) struct Made {
    /// The connection.
    #[serde(flatten)]
    connector: Connector,
    /// Its first test.
    test: TestResult,
}

/// A connector that can be connected.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AvailableConnector")]
pub(crate) struct Available {
    /// Its identifier.
    r#type: String,
    /// What people call it.
    name: String,
    /// What it is.
    description: String,
    /// What can be done.
    actions: Vec<Action>,
}

/// An action.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AvailableAction")]
pub(crate) struct Action {
    /// Its identifier within the connector.
    name: String,
    /// What it does.
    description: String,
    /// JSON Schema of the input.
    input_schema: Value,
    /// JSON Schema of the output.
    output_schema: Value,
}

impl From<Connection> for Connector {
    fn from(connection: Connection) -> Self {
        Self {
            id: connection.id,
            name: connection.display_name,
            r#type: connection.connector,
            description: connection.description,
            config: connection.config,
            credential_id: connection.credential,
            status: connection.status,
            enabled: connection.enabled,
            scope: connection.scope,
            environment: connection.environment,
            created_by: connection.created_by,
            created_at: connection.created_at,
            updated_at: connection.updated_at,
        }
    }
}

impl From<&ConnectorDescriptor> for Available {
    fn from(connector: &ConnectorDescriptor) -> Self {
        let about = connector.description.clone().or_else(|| connector.summary.clone());
        Self {
            r#type: connector.id.clone(),
            name: connector.name.clone(),
            description: about.unwrap_or_default(),
            actions: connector.actions.iter().cloned().map(Action::from).collect(),
        }
    }
}

impl From<ActionDescriptor> for Action {
    fn from(action: ActionDescriptor) -> Self {
        Self {
            name: action.id,
            description: action.description,
            input_schema: action.input,
            output_schema: action.output,
        }
    }
}

pub(crate) async fn list(
    app: App,
    caller: Arc<Caller>,
    cursors: Cursors,
    Query(query): Query<ListQuery>,
) -> Result<List<Entry>> {
    if query.available {
        let connectors = app.connectors.registry().list();
        let available = connectors.iter().map(|connector| connector.descriptor().into());
        return Ok(List {
            data: available.map(Entry::Available).collect(),
            next_cursor: None,
        });
    }
    let wanted = ConnectionQuery {
        after: cursors.open(query.cursor.as_deref()).await?,
        limit: query.limit.get(),
        ..ConnectionQuery::default()
    };
    let page = app.connectors.connections(&caller.actor, wanted).await?;
    let rows = page.rows.into_iter().map(|row| Entry::Connected(row.into()));
    cursors.list(rows.collect(), page.next).await
}

pub(crate) async fn create(app: App, caller: Arc<Caller>, Body(new): Body<New>) -> Result<Created<Made>> {
    let blank = Connect::new(new.r#type.clone(), new.scope.unwrap_or_else(Scope::tenant));
    let connect = Connect {
        environment: new.environment,
        display_name: Some(new.name),
        description: new.description,
        credential: new.credential_id.map(|credential| credential.0),
        config: new.config.unwrap_or_else(|| blank.config.clone()),
        ..blank
    };
    let made = app.connectors.create_connection(&caller.actor, connect).await;
    let made = made.map_err(|error| unknown_type(error, &new.r#type, "/type"))?;
    Ok(Created(Made {
        connector: made.connection.into(),
        test: made.test,
    }))
}

pub(crate) async fn read(Row(row): Row<Connection>) -> Result<Reply<Connector>> {
    Ok(Reply(row.into()))
}

pub(crate) async fn update(
    app: App,
    caller: Arc<Caller>,
    Row(row): Row<Connection>,
    Body(patch): Body<Patch>,
) -> Result<Reply<Connector>> {
    let patch = ConnectionPatch {
        display_name: patch.name,
        description: patch.description,
        credential: patch
            .credential_id
            .map(|credential| credential.map(|credential| credential.0)),
        config: patch.config,
        enabled: patch.enabled,
        ..ConnectionPatch::default()
    };
    let changed = app.connectors.update_connection(&caller.actor, row.id, patch).await?;
    Ok(Reply(changed.into()))
}
