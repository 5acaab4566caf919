//! Tenants: the hard wall.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::{
    api_key::{CreatedApiKey, NewApiKey},
    audit::Actor,
    clock::{Rfc3339, Timestamp},
    connectors::Connectors,
    error::{Code, Error, Result},
    event::EventKind,
    id::TenantId,
    name::check_name,
    page::{self, Page},
    store::{Inserted, Renamed, TenantRow},
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
    #[schemars(with = "Rfc3339")]
    pub created_at: Timestamp,
}

/// What became of the making of a tenant.
pub struct CreatedTenant {
    /// The tenant.
    pub tenant: Tenant,
    /// Its first key.
    pub key: CreatedApiKey,
}

/// The tenant that a server makes on its first start and finds again by this name, so it keeps it.
pub const DEFAULT_TENANT: &str = "default";

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
            Inserted::Taken(_) => Err(name_taken(name)),
        }
    }

    /// Gives a tenant another name.
    ///
    /// # Errors
    /// `NAME_TAKEN` when another tenant has it, `REQUEST_INVALID` from and to [`DEFAULT_TENANT`].
    pub async fn rename_tenant(&self, by: &str, id: TenantId, name: &str) -> Result<Tenant> {
        check_name("/name", name)?;
        let standing = self.tenant(id).await?;
        if standing.name != name && [standing.name.as_str(), name].contains(&DEFAULT_TENANT) {
            let detail = format!(
                "The tenant `{DEFAULT_TENANT}` is found by its name, so it keeps it, and no other takes it: make a tenant with the name you want."
            );
            return Err(Error::new(Code::RequestInvalid, detail).field("/name", "cannot be changed"));
        }
        let by = Actor::new(id, by);
        let detail = json!({ "name": name });
        let trail = self.trail(&by, "tenant.renamed", id, detail, &[EventKind::TenantRenamed])?;
        match self.inner.store.rename_tenant(id, name.to_owned(), trail).await? {
            Renamed::Renamed | Renamed::Unchanged => self.tenant(id).await,
            Renamed::Taken => Err(name_taken(name)),
        }
    }

    /// One tenant. Whether the caller may know of it was asked before.
    pub async fn tenant(&self, id: TenantId) -> Result<Tenant> {
        let row = self.inner.store.tenant(id).await?;
        row.map(Tenant::from).ok_or_else(Error::not_found)
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

fn name_taken(name: &str) -> Error {
    let detail = format!("There is a tenant `{name}` already: choose another name.");
    Error::new(Code::NameTaken, detail).field("/name", "is taken")
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
