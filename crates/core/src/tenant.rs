//! Tenants: the hard wall.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::{
    api_key::{CreatedApiKey, NewApiKey},
    audit::Actor,
    clock::Timestamp,
    connectors::Connectors,
    error::{Code, Error, Result},
    event::EventKind,
    id::TenantId,
    name::check_name,
    page::{self, Page},
    store::{Inserted, TenantRow},
};

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// Its identifier.
    pub id: TenantId,
    /// Its name, unique in the deployment.
    pub name: String,
    /// When it was made.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
}

/// What became of the making of a tenant.
pub struct CreatedTenant {
    /// The tenant.
    pub tenant: Tenant,
    /// Its first key.
    pub key: CreatedApiKey,
}

impl Connectors {
    /// Makes a tenant with its first key. The audit entry stands in the new tenant's own chain.
    ///
    /// # Errors
    /// `NAME_TAKEN` when the name is taken.
    pub async fn create_tenant(&self, by: &str, name: &str, first_key: NewApiKey) -> Result<CreatedTenant> {
        check_name("/name", name)?;
        let id = TenantId::new(&*self.inner.clock, &*self.inner.random)?;
        let by = Actor::new(id, by);
        let row = TenantRow {
            id,
            name: name.to_owned(),
            created_at: self.inner.clock.now(),
        };
        let (key_row, key) = self.new_api_key(&by, id, first_key)?;
        let trail = self.trail(
            &by,
            "tenant.created",
            id,
            json!({ "name": name }),
            &[EventKind::TenantCreated],
        )?;
        match self.inner.store.create_tenant(row.clone(), key_row, trail).await? {
            Inserted::Inserted => Ok(CreatedTenant {
                tenant: row.into(),
                key,
            }),
            Inserted::Taken(_) => Err(Error::new(
                Code::NameTaken,
                format!("There is a tenant `{name}` already: choose another name."),
            )
            .field("/name", "is taken")),
        }
    }

    /// All tenants, for the operator.
    pub async fn tenants(&self, after: Option<TenantId>, limit: usize) -> Result<Page<Tenant, TenantId>> {
        let limit = page::bounded(limit);
        let rows = self.inner.store.tenants(after, limit + 1).await?;
        Ok(Page::cut(
            rows.into_iter().map(Tenant::from).collect(),
            limit,
            |tenant| tenant.id,
        ))
    }

    /// The tenant with this name.
    pub async fn tenant_by_name(&self, name: &str) -> Result<Option<Tenant>> {
        Ok(self.inner.store.tenant_by_name(name).await?.map(Tenant::from))
    }
}

impl From<TenantRow> for Tenant {
    fn from(row: TenantRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            created_at: row.created_at,
        }
    }
}
