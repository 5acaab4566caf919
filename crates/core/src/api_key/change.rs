//! Changing a key.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{ApiKey, KeyNetwork, Permissions, check_expiry, networks, permissions_text};
use crate::{
    audit::Actor,
    clock::Timestamp,
    connectors::Connectors,
    error::{Code, Error, Result, Retry},
    event::EventKind,
    name::check_name,
    patch::given,
    store::Updated,
};

/// What to change of a key; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = json!({ "name": "Nightly job", "permissions": { "connections:execute": true } }))]
pub struct ApiKeyPatch {
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
    /// What it may do from now on: the whole map, not a part of it.
    #[serde(default)]
    pub permissions: Option<Permissions>,
    /// From when on it is refused; `null` for never. RFC 3339.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Option<Timestamp>>,
    /// From where it may be used from now on: the whole list; `null` for everywhere.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<Vec<KeyNetwork>>")]
    pub allowed_networks: Option<Option<Vec<KeyNetwork>>>,
}

impl Connectors {
    /// Changes a key from the version it was read in. Whether the actor may give what it has then was asked before, of
    /// this very version. All processes go by the change within a second.
    ///
    /// # Errors
    /// `NOT_FOUND`, `ENVIRONMENT_MISMATCH`, `REQUEST_INVALID` for a revoked key, `CONNECTION_CONFLICT` when the key
    /// changed since it was read.
    pub async fn update_api_key(&self, by: &Actor, read: &ApiKey, patch: ApiKeyPatch) -> Result<ApiKey> {
        by.may_change_key_of(read.environment)?;
        let stored = self.inner.store.api_key(by.tenant, read.id).await?;
        let mut row = stored.ok_or_else(Error::not_found)?;
        if row.revoked_at.is_some() {
            let detail = "This key is revoked, and nothing brings it back: make a new one.";
            return Err(Error::new(Code::RequestInvalid, detail));
        }
        let mut fields = Vec::new();
        let before = json!({
            "permissions": read.permissions, "expiresAt": row.expires_at, "allowedNetworks": read.allowed_networks,
        });
        let given = patch.permissions.clone();
        let placed = patch
            .allowed_networks
            .clone()
            .unwrap_or_else(|| read.allowed_networks.clone());
        if let Some(name) = patch.name.filter(|name| *name != row.name) {
            check_name("/name", &name)?;
            row.name = name;
            fields.push("name");
        }
        if let Some(permissions) = patch.permissions.filter(|permissions| *permissions != read.permissions) {
            row.permissions = permissions_text(&permissions)?;
            fields.push("permissions");
        }
        if let Some(expires_at) = patch.expires_at.filter(|expires_at| *expires_at != row.expires_at) {
            check_expiry(expires_at, self.inner.clock.now())?;
            row.expires_at = expires_at;
            fields.push("expiresAt");
        }
        if placed != read.allowed_networks {
            networks::check(placed.as_deref())?;
            row.networks = networks::text(placed.as_deref())?;
            fields.push("allowedNetworks");
        }
        if fields.is_empty() {
            return self.shown_api_key(&row);
        }
        row.version = read.version + 1;
        let after = json!({
            "permissions": given.as_ref().unwrap_or(&read.permissions), "expiresAt": row.expires_at,
            "allowedNetworks": placed,
        });
        let detail = json!({ "fields": fields, "from": before, "to": after });
        let trail = self.trail(by, "api_key.updated", row.id, detail, &[EventKind::ApiKeyUpdated])?;
        let (written, version) = (row.clone(), read.version);
        let outcome = self
            .to_the_end(async move |connectors| {
                let hash = written.hash;
                let outcome = connectors.inner.store.update_api_key(written, version, trail).await;
                connectors.inner.api_keys.forget(&hash);
                outcome
            })
            .await?;
        match outcome {
            Updated::Updated => self.shown_api_key(&row),
            Updated::Conflict => {
                let detail = "Somebody else changed this key at the same moment: read it and try again.";
                Err(Error::new(Code::ConnectionConflict, detail).retry(Retry::Backoff))
            }
        }
    }
}
