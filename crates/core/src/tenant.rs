//! Tenants: the hard wall.

mod bounds;
mod gone;

pub use self::bounds::TenantBounds;
pub(crate) use self::gone::{Gone, GoneTenants, cut};

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
    limits::PRUNE_ROWS,
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

/// The audit entry of a deletion.
pub(crate) const DELETED: &str = "tenant.deleted";

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

    /// Deletes a tenant with everything that is its, for good: what runs for it is cut, in every process within a second,
    /// and its keys and sessions open nothing any more. `confirm` is its name, so that nobody deletes another by mistake.
    ///
    /// Its audit chain stays and can still be verified; the operator's, that of [`DEFAULT_TENANT`], tells of it too. Its
    /// calls can be asked for by nobody, and are taken out some at a time by [`tend`](Self::tend).
    ///
    /// # Errors
    /// `REQUEST_INVALID` at `/confirm` for another name, and for [`DEFAULT_TENANT`]; `NOT_FOUND`.
    pub async fn delete_tenant(&self, by: &Actor, id: TenantId, confirm: &str) -> Result<()> {
        let tenant = self.tenant(id).await?;
        if tenant.name == DEFAULT_TENANT {
            let detail = format!(
                "The tenant `{DEFAULT_TENANT}` is the operator's own and is not deleted: a start would make it anew. Delete what is in it."
            );
            return Err(Error::new(Code::RequestInvalid, detail));
        }
        if confirm != tenant.name {
            let detail = "To delete a tenant for good, repeat its name exactly: see `fields`.";
            return Err(Error::new(Code::RequestInvalid, detail).field("/confirm", "is not the tenant's name"));
        }
        let actor = Actor::new(id, &by.name);
        let detail = json!({ "name": tenant.name });
        let trail = self.trail(&actor, DELETED, id, detail, &[EventKind::TenantDeleted])?;
        let at = self.inner.clock.now();
        let deleted = self
            .to_the_end(async move |connectors| {
                let deleted = connectors.inner.store.delete_tenant(id, at, trail).await;
                if let Ok(true) = deleted {
                    connectors.forget_tenant(id);
                }
                deleted
            })
            .await;
        match deleted {
            Ok(true) => {}
            Ok(false) => return Err(Error::not_found()),
            // Somebody else was faster.
            Err(error) if error.code() == Code::TenantDeleted => return Err(Error::not_found()),
            Err(error) => return Err(error),
        }
        tracing::warn!(target: "tieline::audit", tenant = %id, name = tenant.name, by = by.name, "a tenant was deleted");
        self.tell_operator(by, &tenant).await;
        Ok(())
    }

    /// Writes into the operator's chain that a tenant was deleted. The tenant's own chain tells of it in any case.
    async fn tell_operator(&self, by: &Actor, tenant: &Tenant) {
        let told = async {
            let Some(operator) = self.tenant_by_name(DEFAULT_TENANT).await? else {
                return Ok(());
            };
            let detail = json!({ "name": tenant.name });
            let trail = self.trail(&Actor::new(operator.id, &by.name), DELETED, tenant.id, detail, &[])?;
            self.inner.store.record(operator.id, trail).await
        };
        if let Err(error) = told.await {
            tracing::warn!(tenant = %tenant.id, ?error, "the operator's audit log could not be told of a deleted tenant");
        }
    }

    /// Forgets what is in memory of a tenant that was deleted, and ends what runs for it.
    pub(crate) fn forget_tenant(&self, tenant: TenantId) {
        let inner = &self.inner;
        // First of all: what begins from here on is refused.
        inner.gone.add(tenant);
        inner.api_keys.forget_tenant(tenant);
        inner.sessions.forget_tenant(tenant);
        inner.opened.forget_where(|of, _| of == tenant);
        inner.lent.forget_where(|of, _| of == tenant);
        inner.names.forget_where(|of, _| of == tenant);
        inner.vault.forget(tenant);
    }

    /// Takes out what deleted tenants left in the ledger of calls and in the usage.
    pub(crate) async fn sweep_deleted_tenants(&self) -> Result<()> {
        while self.inner.store.sweep_deleted_tenants(PRUNE_ROWS).await? > 0 {}
        Ok(())
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
