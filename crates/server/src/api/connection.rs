//! Connections.

pub(crate) mod health;

use std::{collections::BTreeMap, sync::Arc};

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use tieline::{
    Code, Environment, Result,
    connection::{
        BatchAction, Connect, Connection, ConnectionPatch, ConnectionQuery, CreatedConnection, Done, SyncFrequency,
    },
    health::TestResult,
    id::{ConnectionId, CredentialId},
    limits::MAX_BATCH,
    patch::given,
    scope::Scope,
};
use tieline_manifest::Json;

use super::page::{CURSOR_EXAMPLE, Cursors, Limit};
use crate::{
    app::App,
    caller::Caller,
    problem::ItemProblem,
    route::{Body, Created, Found, List, Nothing, Query, Ref, Referable, Reply, Row, id_schema},
};

/// How connecting can fail beyond what its arguments say.
pub(crate) const CONNECTING: &[Code] = &[
    Code::LimitReached,
    Code::CredentialExpired,
    Code::NotFound,
    Code::EnvironmentMismatch,
    Code::ConnectorNotFound,
    Code::ConnectorConfigInvalid,
    Code::ConnectorScopeInvalid,
    Code::ConnectorScopeIdentifierRequired,
    Code::ConnectorEncryptFailed,
    Code::ConnectorDecryptFailed,
    Code::ConnectionConflict,
    Code::ConnectorAlreadyConnected,
];

/// How testing what is not kept can fail.
pub(crate) const TRYING: &[Code] = &[
    Code::CredentialExpired,
    Code::NotFound,
    Code::EnvironmentMismatch,
    Code::ConnectorDecryptFailed,
    Code::ConnectorNotFound,
    Code::ConnectorConfigInvalid,
    Code::ConnectorScopeInvalid,
    Code::ConnectorScopeIdentifierRequired,
];

/// How changing a connection can fail beyond what its arguments say.
pub(crate) const CHANGING: &[Code] = &[
    Code::EnvironmentMismatch,
    Code::ConnectorNotFound,
    Code::ConnectorConfigInvalid,
    Code::ConnectorEncryptFailed,
    Code::ConnectorDecryptFailed,
    Code::ConnectionConflict,
];

/// How testing a connection can fail; that the connection does not work is an answer.
pub(crate) const TESTING: &[Code] = &[
    Code::CredentialExpired,
    Code::ConnectorConfigInvalid,
    Code::EnvironmentMismatch,
    Code::ConnectorNotFound,
    Code::ConnectorRateLimited,
    Code::ConnectorDecryptFailed,
    Code::ConnectionConflict,
];

/// What to connect.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = serde_json::json!({
    "connector": "acme",
    "displayName": "Support team",
    "config": { "bot_token": "the token", "team": "blue" },
}))]
#[schemars(example = serde_json::json!({
    "connector": "acme",
    "scope": { "kind": "user", "identity": "u_7" },
    "config": { "bot_token": "the token" },
}))]
#[schemars(example = serde_json::json!({
    "connector": "acme", "name": "shared", "credentialId": "cred_01jd3k9v7rf8pa0q2m5w8x4ynz",
}))]
pub(crate) struct NewConnection {
    /// Which connector, by its identifier in the catalog.
    connector: String,
    /// The fields of one of the connector's auth methods, secret ones too.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    config: Option<Json>,
    /// The shared credential that holds the secrets. Then `config` has only what is laid over its fields: nothing secret,
    /// and nothing that decides where secrets are sent.
    #[serde(default)]
    credential_id: Option<Ref<CredentialId>>,
    /// Which auth method; the first that knows all fields, unless given.
    #[serde(default)]
    auth: Option<String>,
    /// For whom inside the tenant; for all of it, unless given.
    #[serde(default)]
    scope: Option<Scope>,
    /// Where it belongs, for life; where the key does, and else production, unless given.
    #[serde(default)]
    environment: Option<Environment>,
    /// Its name, unique for scope and connector; made from the display name, unless given.
    #[serde(default)]
    name: Option<String>,
    /// What people call it; the connector's name, unless given.
    #[serde(default)]
    display_name: Option<String>,
    /// More about it.
    #[serde(default)]
    description: Option<String>,
    /// How often its records are wanted; when somebody asks, unless given. It is kept for the connection's syncs.
    #[serde(default)]
    sync_frequency: SyncFrequency,
}

impl From<NewConnection> for Connect {
    fn from(new: NewConnection) -> Self {
        let blank = Self::new(new.connector, new.scope.unwrap_or_else(Scope::tenant));
        Self {
            environment: new.environment,
            name: new.name,
            display_name: new.display_name,
            description: new.description,
            sync_frequency: new.sync_frequency,
            auth: new.auth,
            credential: new.credential_id.map(|credential| credential.0),
            config: new.config.unwrap_or_else(|| blank.config.clone()),
            ..blank
        }
    }
}

/// One thing to do to many connections.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "action": "test", "connections": ["conn_01jd3k9v7rf8pa0q2m5w8x4ynz"] }))]
#[schemars(example = serde_json::json!({ "action": "disable", "connections": ["conn_01jd3k9v7rf8pa0q2m5w8x4ynz"] }))]
pub(crate) struct Batch {
    /// What to do.
    action: BatchAction,
    /// To which connections, each once.
    #[schemars(length(min = 1, max = MAX_BATCH))]
    connections: Vec<Ref<ConnectionId>>,
}

/// What became of each connection of a batch.
#[derive(Serialize, JsonSchema)]
pub(crate) struct BatchDone {
    /// A result for each, in the order of the request.
    data: Vec<BatchItem>,
}

/// What became of one connection of a batch.
#[derive(Default, Serialize, JsonSchema)]
pub(crate) struct BatchItem {
    /// Whether it was done. That a tested connection does not work is told in `test`.
    done: bool,
    /// The connection as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<Box<Connection>>,
    /// What the test found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<TestResult>,
    /// Why it was not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ItemProblem>,
}

impl From<Result<Done>> for BatchItem {
    fn from(result: Result<Done>) -> Self {
        let item = Self {
            done: result.is_ok(),
            ..Self::default()
        };
        match result {
            Ok(Done::Deleted) => item,
            Ok(Done::Tested(test)) => Self {
                test: Some(test),
                ..item
            },
            Ok(Done::Changed(connection)) => Self {
                connection: Some(connection),
                ..item
            },
            Err(error) => Self {
                problem: Some((&error).into()),
                ..item
            },
        }
    }
}

/// What to change of a connection; what is absent stays.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ConnectionPatch")]
#[schemars(example = serde_json::json!({ "displayName": "Support team", "config": { "team": "blue" } }))]
#[schemars(example = serde_json::json!({ "credentialId": "cred_01jd3k9v7rf8pa0q2m5w8x4ynz" }))]
pub(crate) struct Patch {
    /// What people call it.
    #[serde(default)]
    display_name: Option<String>,
    /// More about it; `null` for nothing.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    description: Option<Option<String>>,
    /// How often its records are wanted.
    #[serde(default)]
    sync_frequency: Option<SyncFrequency>,
    /// Fields to change. An absent field keeps its value, `null` removes it; a secret keeps its value when it is sent
    /// back as it was shown.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    config: Option<Json>,
    /// The shared credential that holds the secrets from now on, instead of the connection; `null` for none, and then
    /// `config` names all fields anew.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<Ref<CredentialId>>")]
    credential_id: Option<Option<Ref<CredentialId>>>,
    /// Whether calls may use it.
    #[serde(default)]
    enabled: Option<bool>,
}

impl From<Patch> for ConnectionPatch {
    fn from(patch: Patch) -> Self {
        Self {
            display_name: patch.display_name,
            description: patch.description,
            sync_frequency: patch.sync_frequency,
            credential: patch
                .credential_id
                .map(|credential| credential.map(|credential| credential.0)),
            config: patch.config,
            enabled: patch.enabled,
        }
    }
}

/// Which connections to list. All that are given must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Of which connector.
    #[serde(default)]
    #[schemars(example = &"acme")]
    connector: Option<String>,
    /// For which kind of scope.
    #[serde(default)]
    #[schemars(example = &"user")]
    scope: Option<String>,
    /// For whom of that kind.
    #[serde(default)]
    #[schemars(example = &"u_7")]
    identity: Option<String>,
    /// Switched on or off.
    #[serde(default)]
    #[schemars(example = true)]
    enabled: Option<bool>,
    /// Belonging to this environment.
    #[serde(default)]
    #[schemars(example = &"production")]
    environment: Option<Environment>,
    /// How many rows at most.
    #[serde(default)]
    limit: Limit,
    /// `nextCursor` of the page before.
    #[serde(default)]
    #[schemars(example = CURSOR_EXAMPLE)]
    cursor: Option<String>,
}

impl ListQuery {
    fn after(self, after: Option<ConnectionId>) -> Result<ConnectionQuery> {
        let scope = match (self.scope, self.identity) {
            (Some(kind), identity) => Some(Scope::new(kind, identity.unwrap_or_default())?),
            (None, Some(_)) => {
                let error = tieline::Error::new(
                    Code::RequestInvalid,
                    "An identity belongs to a scope: give `scope` too.",
                );
                return Err(error.field("/identity", "needs `scope`"));
            }
            (None, None) => None,
        };
        Ok(ConnectionQuery {
            scope,
            connector: self.connector,
            enabled: self.enabled,
            environment: self.environment,
            after,
            limit: self.limit.get(),
            ..ConnectionQuery::default()
        })
    }
}

impl Found for Connection {
    const PARAM: &'static str = "connection";
    const KIND: Option<&'static str> = Some(ConnectionId::KIND);
    const MISSING: Code = Code::NotFound;

    fn schema() -> Schema {
        id_schema::<ConnectionId>()
    }

    async fn find(app: &App, caller: &Caller, text: &str) -> Result<Self> {
        app.connectors.connection(&caller.actor, text.parse()?).await
    }
}

pub(crate) async fn list(
    app: App,
    caller: Arc<Caller>,
    cursors: Cursors,
    Query(query): Query<ListQuery>,
) -> Result<List<Connection>> {
    let after = cursors.open(query.cursor.as_deref()).await?;
    let page = app.connectors.connections(&caller.actor, query.after(after)?).await?;
    cursors.list(page.rows, page.next).await
}

pub(crate) async fn create(
    app: App,
    caller: Arc<Caller>,
    Body(new): Body<NewConnection>,
) -> Result<Created<CreatedConnection>> {
    app.connectors
        .create_connection(&caller.actor, new.into())
        .await
        .map(Created)
}

pub(crate) async fn batch(app: App, caller: Arc<Caller>, Body(batch): Body<Batch>) -> Result<Reply<BatchDone>> {
    let ids: Vec<ConnectionId> = batch.connections.iter().map(|connection| connection.0).collect();
    let results = app
        .connectors
        .batch_connections(&caller.actor, batch.action, &ids)
        .await?;
    Ok(Reply(BatchDone {
        data: results.into_iter().map(BatchItem::from).collect(),
    }))
}

pub(crate) async fn read(Row(connection): Row<Connection>) -> Result<Reply<Connection>> {
    Ok(Reply(connection))
}

pub(crate) async fn update(
    app: App,
    caller: Arc<Caller>,
    Row(connection): Row<Connection>,
    Body(patch): Body<Patch>,
) -> Result<Reply<Connection>> {
    let changed = app
        .connectors
        .update_connection(&caller.actor, connection.id, patch.into())
        .await?;
    Ok(Reply(changed))
}

pub(crate) async fn delete(app: App, caller: Arc<Caller>, Row(connection): Row<Connection>) -> Result<Nothing> {
    app.connectors.delete_connection(&caller.actor, connection.id).await?;
    Ok(Nothing)
}

pub(crate) async fn test(app: App, caller: Arc<Caller>, Row(connection): Row<Connection>) -> Result<Reply<TestResult>> {
    app.connectors
        .test_connection(&caller.actor, connection.id)
        .await
        .map(Reply)
}

pub(crate) async fn test_unsaved(
    app: App,
    caller: Arc<Caller>,
    Body(new): Body<NewConnection>,
) -> Result<Reply<TestResult>> {
    app.connectors.test_unsaved(&caller.actor, &new.into()).await.map(Reply)
}

pub(crate) async fn enable(app: App, caller: Arc<Caller>, row: Row<Connection>) -> Result<Reply<Connection>> {
    switch(app, caller, row, true).await
}

pub(crate) async fn disable(app: App, caller: Arc<Caller>, row: Row<Connection>) -> Result<Reply<Connection>> {
    switch(app, caller, row, false).await
}

async fn switch(app: App, caller: Arc<Caller>, Row(row): Row<Connection>, on: bool) -> Result<Reply<Connection>> {
    let patch = ConnectionPatch {
        enabled: Some(on),
        ..ConnectionPatch::default()
    };
    app.connectors
        .update_connection(&caller.actor, row.id, patch)
        .await
        .map(Reply)
}
