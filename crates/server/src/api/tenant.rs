//! Tenants: all of them for the operator, their own for everybody else.

use std::{collections::BTreeMap, sync::Arc};

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use tieline::{Code, Error, Result, api_key::NewApiKey, id::TenantId, tenant::Tenant};

use super::{
    api_key::ToldApiKey,
    page::{Cursors, PageQuery},
};
use crate::{
    app::App,
    caller::{Caller, Permission},
    route::{Body, Created, Found, List, Nothing, Query, Referable, Reply, Row, id_schema},
};

/// What a new tenant shall be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "name": "Example Ltd" }))]
pub(crate) struct NewTenant {
    /// Its name, unique in the deployment.
    name: String,
}

/// A new tenant with its first key.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ToldTenant {
    /// The tenant.
    tenant: Tenant,
    /// Its first key, which may do everything within the tenant.
    #[serde(rename = "firstKey")]
    first_key: ToldApiKey,
}

pub(crate) async fn list(app: App, cursors: Cursors, Query(page): Query<PageQuery>) -> Result<List<Tenant>> {
    let after = cursors.open(page.cursor.as_deref()).await?;
    let page = app.connectors.tenants(after, page.limit.get()).await?;
    cursors.list(page.rows, page.next).await
}

pub(crate) async fn create(app: App, caller: Arc<Caller>, Body(new): Body<NewTenant>) -> Result<Created<ToldTenant>> {
    let first_key = NewApiKey {
        name: "first key".to_owned(),
        permissions: BTreeMap::from([(Permission::Admin.as_str().to_owned(), true)]),
        expires_at: caller.expires_at(),
        environment: caller.actor.environment,
        allowed_networks: caller.allowed_networks().map(<[_]>::to_vec),
    };
    let made = app
        .connectors
        .create_tenant(&caller.actor.name, &new.name, first_key)
        .await?;
    Ok(Created(ToldTenant {
        tenant: made.tenant,
        first_key: made.key.into(),
    }))
}

/// Another name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "name": "Another name" }))]
pub(crate) struct TenantPatch {
    /// Its name, unique in the deployment.
    name: String,
}

/// Which tenant is meant.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    /// The tenant's name, exactly, so that none is deleted by mistake.
    #[schemars(example = &"Acme Ltd")]
    confirm: String,
}

pub(crate) async fn delete(
    app: App,
    caller: Arc<Caller>,
    Row(tenant): Row<Tenant>,
    Query(meant): Query<Confirmation>,
) -> Result<Nothing> {
    app.connectors
        .delete_tenant(&caller.actor, tenant.id, &meant.confirm)
        .await?;
    Ok(Nothing)
}

impl Found for Tenant {
    const PARAM: &'static str = "tenant";
    const KIND: Option<&'static str> = Some(TenantId::KIND);
    const MISSING: Code = Code::NotFound;

    fn schema() -> Schema {
        id_schema::<TenantId>()
    }

    /// One's own, or for an operator any: it tells of the tenant and gives no way into it (T1).
    async fn find(app: &App, caller: &Caller, text: &str) -> Result<Self> {
        let id: TenantId = text.parse()?;
        if id != caller.actor.tenant && !caller.has(Permission::Operator) {
            return Err(Error::not_found());
        }
        app.connectors.tenant(id).await
    }
}

pub(crate) async fn read(Row(tenant): Row<Tenant>) -> Result<Reply<Tenant>> {
    Ok(Reply(tenant))
}

pub(crate) async fn rename(
    app: App,
    caller: Arc<Caller>,
    Row(tenant): Row<Tenant>,
    Body(patch): Body<TenantPatch>,
) -> Result<Reply<Tenant>> {
    let renamed = app.connectors.rename_tenant(&caller.actor.name, tenant.id, &patch.name);
    renamed.await.map(Reply)
}
