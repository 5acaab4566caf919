//! Tenants, for the operator.

use std::{collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tieline::{Result, api_key::NewApiKey, tenant::Tenant};

use super::{
    api_key::ToldApiKey,
    page::{Cursors, PageQuery},
};
use crate::{
    app::App,
    caller::{Caller, Permission},
    route::{Body, Created, List, Query},
};

/// What a new tenant shall be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
