//! Shared credentials.

use std::{collections::BTreeMap, sync::Arc};

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use tieline::{
    Code, Environment, Result,
    clock::Timestamp,
    credential::{Credential, CredentialPatch, CredentialQuery, CredentialType, NewCredential, Rotation},
    health::TestResult,
    id::CredentialId,
    patch::given,
};
use tieline_manifest::{Json, Tree};

use super::page::{CURSOR_EXAMPLE, Cursors, Limit};
use crate::{
    app::App,
    caller::Caller,
    route::{Body, Created, Found, List, Query, Referable, Reply, Row, id_schema},
};

/// How making a credential can fail beyond what its arguments say.
pub(crate) const MAKING: &[Code] = &[
    Code::LimitReached,
    Code::EnvironmentMismatch,
    Code::ConnectorNotFound,
    Code::ConnectorConfigInvalid,
    Code::ConnectorEncryptFailed,
    Code::NameTaken,
];

/// How changing or rotating one can fail beyond what its arguments say.
pub(crate) const CHANGING: &[Code] = &[
    Code::EnvironmentMismatch,
    Code::ConnectorNotFound,
    Code::ConnectorConfigInvalid,
    Code::ConnectorEncryptFailed,
    Code::ConnectorDecryptFailed,
    Code::ConnectionConflict,
];

/// How testing one can fail; that it does not work is an answer.
pub(crate) const TESTING: &[Code] = &[
    Code::RequestInvalid,
    Code::EnvironmentMismatch,
    Code::CredentialExpired,
    Code::ConnectorNotFound,
    Code::ConnectorConfigInvalid,
    Code::ConnectorDecryptFailed,
];

/// How deleting one can fail.
pub(crate) const DELETING: &[Code] = &[Code::EnvironmentMismatch, Code::CredentialInUse];

/// What a new credential shall be.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NewCredential")]
#[schemars(example = serde_json::json!({
    "name": "acme-production",
    "type": "token",
    "connector": "acme",
    "data": { "bot_token": "the token" },
    "expiresAt": "2099-12-31T00:00:00Z",
}))]
#[schemars(example = serde_json::json!({
    "name": "acme of any kind", "type": "custom", "data": { "bot_token": "the token", "team": "blue" },
}))]
pub(crate) struct New {
    /// Its name, unique in the tenant, for life.
    name: String,
    /// More about it.
    #[serde(default)]
    description: Option<String>,
    /// What kind of credential it is.
    r#type: CredentialType,
    /// The connector it is for; any, unless given. `provider` is a second name for this.
    #[serde(default, alias = "provider")]
    connector: Option<String>,
    /// Which of the connector's auth methods; the first that knows all fields, unless given.
    #[serde(default)]
    auth: Option<String>,
    /// The fields of that auth method, secret ones too. Without a connector, any fields: then all are secret.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    data: Json,
    /// Notes about it. They are not secret.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    metadata: Option<Json>,
    /// What its owner means to do about rotating it: a note like the others, kept as `rotationPolicy` among them.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    rotation_policy: Option<Json>,
    /// Where it belongs, for life; where the key does, and else production, unless given.
    #[serde(default)]
    environment: Option<Environment>,
    /// From when on it is refused; never, unless given. RFC 3339.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    expires_at: Option<Timestamp>,
}

impl From<New> for NewCredential {
    fn from(new: New) -> Self {
        Self {
            name: new.name,
            description: new.description,
            kind: new.r#type,
            connector: new.connector,
            auth: new.auth,
            data: new.data,
            metadata: noted(new.metadata, new.rotation_policy),
            environment: new.environment,
            expires_at: new.expires_at,
        }
    }
}

/// The notes with one more among them, unless they are none; that is said by whoever reads them.
fn noted(metadata: Option<Json>, policy: Option<Json>) -> Option<Json> {
    let Some(policy) = policy else { return metadata };
    let mut notes = match metadata.as_ref().map(Json::tree) {
        None => Vec::new(),
        Some(Tree::Object(notes)) => notes.clone(),
        Some(_) => return metadata,
    };
    notes.retain(|(name, _)| name != "rotationPolicy");
    notes.push(("rotationPolicy".to_owned(), policy.tree().clone()));
    Some(Json::from_tree(Tree::Object(notes)))
}

/// A credential, and a second name for what it is for.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Credential")]
pub(crate) struct Shown {
    #[serde(flatten)]
    credential: Credential,
    /// The same as `connector`.
    provider: Option<String>,
}

impl From<Credential> for Shown {
    fn from(credential: Credential) -> Self {
        Self {
            provider: credential.connector.clone(),
            credential,
        }
    }
}

/// That a credential is gone.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CredentialDeleted")]
pub(crate) struct Gone {
    /// Always true: what went wrong is a problem.
    success: bool,
}

/// What to change of a credential; what is absent stays.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "CredentialPatch")]
#[schemars(example = serde_json::json!({ "description": "The team's own", "expiresAt": "2099-12-31T00:00:00Z" }))]
pub(crate) struct Patch {
    /// More about it; `null` for nothing.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    description: Option<Option<String>>,
    /// Fields to change. An absent field keeps its value, `null` removes it; a secret keeps its value when it is sent
    /// back as it was shown. A credential without a connector takes its data whole.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    data: Option<Json>,
    /// Notes about it: the whole, not a part of it.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    metadata: Option<Json>,
    /// From when on it is refused; `null` for never. RFC 3339.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    expires_at: Option<Option<Timestamp>>,
}

impl From<Patch> for CredentialPatch {
    fn from(patch: Patch) -> Self {
        Self {
            description: patch.description,
            data: patch.data,
            metadata: patch.metadata,
            expires_at: patch.expires_at,
        }
    }
}

/// New secrets for a credential.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Rotation")]
#[schemars(example = serde_json::json!({ "data": { "bot_token": "the token" } }))]
pub(crate) struct NewSecrets {
    /// The fields to change, a secret one at least. A credential without a connector takes its data whole.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    data: Json,
    /// From when on it is refused; `null` for never. As before, unless given; never, where that time is over. RFC 3339.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    expires_at: Option<Option<Timestamp>>,
}

/// Which credentials to list. All that are given must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Of this kind.
    #[serde(default)]
    #[schemars(example = &"token")]
    r#type: Option<CredentialType>,
    /// For this connector.
    #[serde(default, alias = "provider")]
    #[schemars(example = &"acme")]
    connector: Option<String>,
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

impl Found for Credential {
    const PARAM: &'static str = "credential";
    const KIND: Option<&'static str> = Some(CredentialId::KIND);
    const MISSING: Code = Code::NotFound;

    fn schema() -> Schema {
        id_schema::<CredentialId>()
    }

    async fn find(app: &App, caller: &Caller, text: &str) -> Result<Self> {
        app.connectors.credential(&caller.actor, text.parse()?).await
    }
}

pub(crate) async fn list(
    app: App,
    caller: Arc<Caller>,
    cursors: Cursors,
    Query(query): Query<ListQuery>,
) -> Result<List<Shown>> {
    let query = CredentialQuery {
        kind: query.r#type,
        connector: query.connector,
        environment: query.environment,
        after: cursors.open(query.cursor.as_deref()).await?,
        limit: query.limit.get(),
    };
    let page = app.connectors.credentials(&caller.actor, query).await?;
    cursors
        .list(page.rows.into_iter().map(Shown::from).collect(), page.next)
        .await
}

pub(crate) async fn create(app: App, caller: Arc<Caller>, Body(new): Body<New>) -> Result<Created<Shown>> {
    app.connectors
        .create_credential(&caller.actor, new.into())
        .await
        .map(|made| Created(made.into()))
}

pub(crate) async fn read(Row(credential): Row<Credential>) -> Result<Reply<Shown>> {
    Ok(Reply(credential.into()))
}

pub(crate) async fn update(
    app: App,
    caller: Arc<Caller>,
    Row(credential): Row<Credential>,
    Body(patch): Body<Patch>,
) -> Result<Reply<Shown>> {
    app.connectors
        .update_credential(&caller.actor, credential.id, patch.into())
        .await
        .map(|changed| Reply(changed.into()))
}

pub(crate) async fn rotate(
    app: App,
    caller: Arc<Caller>,
    Row(credential): Row<Credential>,
    Body(new): Body<NewSecrets>,
) -> Result<Reply<Shown>> {
    let rotation = Rotation {
        data: new.data,
        expires_at: new.expires_at,
    };
    app.connectors
        .rotate_credential(&caller.actor, credential.id, rotation)
        .await
        .map(|changed| Reply(changed.into()))
}

pub(crate) async fn test(app: App, caller: Arc<Caller>, Row(credential): Row<Credential>) -> Result<Reply<TestResult>> {
    app.connectors
        .test_credential(&caller.actor, credential.id)
        .await
        .map(Reply)
}

pub(crate) async fn delete(app: App, caller: Arc<Caller>, Row(credential): Row<Credential>) -> Result<Reply<Gone>> {
    app.connectors.delete_credential(&caller.actor, credential.id).await?;
    Ok(Reply(Gone { success: true }))
}
