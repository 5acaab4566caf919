//! API keys.

use std::sync::Arc;

use schemars::{JsonSchema, Schema};
use serde::Serialize;
use tieline::{
    Code, Result,
    api_key::{ApiKey, ApiKeyPatch, CreatedApiKey, NewApiKey},
    id::ApiKeyId,
};

use super::page::{Cursors, PageQuery};
use crate::{
    app::App,
    caller::Caller,
    route::{Body, Created, Found, List, Nothing, Query, Referable, Reply, Row, id_schema},
};

/// How changing a key can fail beyond what its arguments say.
pub(crate) const CHANGING: &[Code] = &[Code::EnvironmentMismatch, Code::ConnectionConflict];

/// A new key: the only answer that holds the key itself.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToldApiKey {
    /// The key as it is listed from now on.
    api_key: ApiKey,
    /// The key itself. It is told this once; keep it.
    key: String,
}

impl From<CreatedApiKey> for ToldApiKey {
    fn from(created: CreatedApiKey) -> Self {
        Self {
            api_key: created.key,
            key: created.text.reveal().clone(),
        }
    }
}

impl Found for ApiKey {
    const PARAM: &'static str = "key";
    const KIND: Option<&'static str> = Some(ApiKeyId::KIND);
    const MISSING: Code = Code::NotFound;

    fn schema() -> Schema {
        id_schema::<ApiKeyId>()
    }

    async fn find(app: &App, caller: &Caller, text: &str) -> Result<Self> {
        app.connectors.api_key(&caller.actor, text.parse()?).await
    }
}

pub(crate) async fn list(
    app: App,
    caller: Arc<Caller>,
    cursors: Cursors,
    Query(page): Query<PageQuery>,
) -> Result<List<ApiKey>> {
    let after = cursors.open(page.cursor.as_deref()).await?;
    let page = app.connectors.api_keys(&caller.actor, after, page.limit.get()).await?;
    cursors.list(page.rows, page.next).await
}

pub(crate) async fn create(app: App, caller: Arc<Caller>, Body(new): Body<NewApiKey>) -> Result<Created<ToldApiKey>> {
    caller.may_make(&new)?;
    let created = app.connectors.create_api_key(&caller.actor, new).await?;
    Ok(Created(created.into()))
}

pub(crate) async fn read(Row(key): Row<ApiKey>) -> Result<Reply<ApiKey>> {
    Ok(Reply(key))
}

pub(crate) async fn update(
    app: App,
    caller: Arc<Caller>,
    Row(key): Row<ApiKey>,
    Body(patch): Body<ApiKeyPatch>,
) -> Result<Reply<ApiKey>> {
    caller.may_change(&key, &patch)?;
    app.connectors
        .update_api_key(&caller.actor, &key, patch)
        .await
        .map(Reply)
}

pub(crate) async fn revoke(app: App, caller: Arc<Caller>, Row(key): Row<ApiKey>) -> Result<Nothing> {
    app.connectors.revoke_api_key(&caller.actor, key.id).await?;
    Ok(Nothing)
}
