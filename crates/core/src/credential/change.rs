//! How a credential's row comes to be and changes: fields checked, trail written, caches told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tieline_manifest::{Json, Tree};

use super::{Credential, expiry, metadata_text};
use crate::{
    audit::Actor,
    clock::Timestamp,
    connectors::Connectors,
    error::{Code, Error, Result, Retry},
    event::EventKind,
    id::CredentialId,
    limits::{MAX_CREDENTIAL_FIELDS, MAX_NAME_CHARS, MAX_SECRET_BYTES, MAX_UPDATE_ATTEMPTS},
    merged::{Held, Merged, again, config_text},
    name::check_description,
    secret::Secret,
    store::{CredentialRow, Updated},
};

/// What to change of a credential; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct CredentialPatch {
    /// More about it; `Some(None)` for nothing.
    pub description: Option<Option<String>>,
    /// Fields to change. An absent field keeps its value, `null` removes it; a secret keeps its value when it is sent back
    /// as it was shown.
    pub data: Option<Json>,
    /// What its owner notes about it: the whole, not a part of it.
    pub metadata: Option<Json>,
    /// From when on it is refused; `Some(None)` for never.
    pub expires_at: Option<Option<Timestamp>>,
}

/// New secrets for a credential.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The fields to change, a secret one at least.
    pub data: Json,
    /// From when on it is refused; `Some(None)` for never. As before, unless given; never, where that time is over: it was
    /// that of the old secrets.
    pub expires_at: Option<Option<Timestamp>>,
}

/// What somebody wants of a credential.
enum Wish<'a> {
    /// The patch, and its metadata as text.
    Patch(&'a CredentialPatch, Option<String>),
    Rotate(&'a Rotation),
}

/// A row as it shall be, and what to say of the change.
struct Change {
    row: CredentialRow,
    fields: Vec<String>,
    /// Whether its data changed, or its time was over and is not any more: then whoever uses it is untested.
    anew: bool,
    event: EventKind,
}

impl Connectors {
    /// Changes a credential. Connections that point to it are untested when its data changed or it had expired and has more
    /// time now, and all processes use the new data within a second.
    ///
    /// # Errors
    /// `NOT_FOUND`, `ENVIRONMENT_MISMATCH`, `REQUEST_INVALID`, `CONNECTOR_CONFIG_INVALID` with pointers into `/data`.
    pub async fn update_credential(&self, by: &Actor, id: CredentialId, patch: CredentialPatch) -> Result<Credential> {
        let about = self.about(by.tenant, "credential.update", |about| about);
        self.heed(about, async {
            check_description(patch.description.as_ref().and_then(Option::as_deref))?;
            let metadata = patch.metadata.as_ref().map(|metadata| metadata_text(Some(metadata)));
            let metadata = metadata.transpose()?;
            self.change_credential(by, id, &Wish::Patch(&patch, metadata)).await
        })
        .await
    }

    /// Gives a credential new secrets.
    ///
    /// # Errors
    /// Those of [`update_credential`](Self::update_credential); `REQUEST_INVALID` when no secret is new.
    pub async fn rotate_credential(&self, by: &Actor, id: CredentialId, rotation: Rotation) -> Result<Credential> {
        let about = self.about(by.tenant, "credential.rotate", |about| about);
        self.heed(about, async {
            self.change_credential(by, id, &Wish::Rotate(&rotation)).await
        })
        .await
    }

    async fn change_credential(&self, by: &Actor, id: CredentialId, wish: &Wish<'_>) -> Result<Credential> {
        for _ in 0..MAX_UPDATE_ATTEMPTS {
            let old = self.credential_row(by, id).await?;
            by.may_use(old.environment, "credential")?;
            let version = old.version;
            let change = match wish {
                Wish::Patch(patch, metadata) => self.patched_credential(old, patch, metadata.as_ref()).await?,
                Wish::Rotate(rotation) => self.rotated_credential(old, rotation).await?,
            };
            if change.fields.is_empty() {
                return Credential::of(&change.row);
            }
            if let Some(row) = self.write_credential(by, change, version).await? {
                return Credential::of(&row);
            }
        }
        let detail = "Others kept changing this credential at the same moment: try again.";
        Err(Error::new(Code::ConnectionConflict, detail).retry(Retry::Backoff))
    }

    async fn patched_credential(
        &self,
        mut row: CredentialRow,
        patch: &CredentialPatch,
        metadata: Option<&String>,
    ) -> Result<Change> {
        let mut fields = Vec::new();
        if let Some(description) = patch.description.as_ref().filter(|text| **text != row.description) {
            row.description = description.clone();
            fields.push("description".to_owned());
        }
        if let Some(metadata) = metadata.filter(|metadata| **metadata != row.metadata) {
            row.metadata = metadata.clone();
            fields.push("metadata".to_owned());
        }
        let revived = self.put_off(&mut row, patch.expires_at, &mut fields)?;
        let (secrets, changed) = match &patch.data {
            Some(data) => self.lay_over(&mut row, data).await?,
            None => (false, Vec::new()),
        };
        let anew = revived || !changed.is_empty();
        fields.extend(changed);
        Ok(Change {
            row,
            fields,
            anew,
            event: if secrets {
                EventKind::CredentialRotated
            } else {
                EventKind::CredentialUpdated
            },
        })
    }

    async fn rotated_credential(&self, mut row: CredentialRow, rotation: &Rotation) -> Result<Change> {
        let (secrets, mut fields) = self.lay_over(&mut row, &rotation.data).await?;
        if !secrets {
            let detail = "Rotating gives a credential new secrets, and there is none among the data: send it, or change the rest with PATCH.";
            return Err(Error::new(Code::RequestInvalid, detail).field("/data", "holds no new secret"));
        }
        let is_over = expiry::is_over(row.expires_at, self.inner.clock.now());
        let expires_at = rotation.expires_at.or(is_over.then_some(None));
        self.put_off(&mut row, expires_at, &mut fields)?;
        Ok(Change {
            row,
            fields,
            anew: true,
            event: EventKind::CredentialRotated,
        })
    }

    /// Writes a changed row, if the stored one still has `version`.
    async fn write_credential(&self, by: &Actor, change: Change, version: u64) -> Result<Option<CredentialRow>> {
        let mut row = change.row;
        row.version = version + 1;
        row.updated_at = self.inner.clock.now();
        let detail = json!({ "fields": change.fields });
        let trail = self.trail(by, change.event.as_str(), row.id, detail, &[change.event])?;
        let users = change.anew.then(|| self.users(row.tenant, self.untested()));
        let written = row.clone();
        let outcome = self
            .to_the_end(async move |connectors| {
                let (tenant, id) = (written.tenant, written.id);
                let store = &connectors.inner.store;
                let outcome = store.update_credential(written, version, users, trail).await;
                connectors.inner.lent.forget(tenant, &id);
                outcome
            })
            .await?;
        Ok((outcome == Updated::Updated).then_some(row))
    }

    /// Gives it another end, if one is given; says whether its time was over before.
    fn put_off(
        &self,
        row: &mut CredentialRow,
        expires_at: Option<Option<Timestamp>>,
        fields: &mut Vec<String>,
    ) -> Result<bool> {
        let now = self.inner.clock.now();
        let Some(expires_at) = expires_at.filter(|at| *at != row.expires_at) else {
            return Ok(false);
        };
        expiry::check(expires_at, now)?;
        let was_over = expiry::is_over(row.expires_at, now);
        row.expires_at = expires_at;
        row.notice_at = expiry::notice(expires_at);
        fields.push("expiresAt".to_owned());
        Ok(was_over)
    }

    /// Checks a new row's data, and seals what is secret.
    pub(super) async fn seal_data(&self, row: &mut CredentialRow, data: &Json) -> Result<()> {
        let Some(connector) = &row.connector else {
            if row.auth.is_some() {
                let detail = "An auth method belongs to a connector: name it, or leave `auth` out.";
                return Err(Error::new(Code::RequestInvalid, detail).field("/auth", "needs `connector`"));
            }
            let mut fields = free_fields(data)?;
            fields.retain(|_, value| !value.is_null());
            return self.seal_free(row, fields).await;
        };
        let connector = self.registry().get(connector)?;
        let accepted = connector.accept(row.auth.as_deref(), data);
        let accepted = accepted.map_err(|error| error.moved("/config", "/data"))?;
        row.config = config_text(&accepted.public).map_err(|error| error.moved("/config", "/data"))?;
        row.auth = Some(accepted.auth);
        self.seal_into(row, &accepted.secrets).await
    }

    /// Lays data over a row's. Says whether secrets are new, and the names of the fields that change.
    async fn lay_over(&self, row: &mut CredentialRow, data: &Json) -> Result<(bool, Vec<String>)> {
        let Some(connector) = &row.connector else {
            return self.lay_over_free(row, data).await;
        };
        let connector = self.registry().get(connector)?;
        let held = Held {
            auth: row.auth.as_deref().unwrap_or_default(),
            config: &row.config,
            secrets: &row.secrets,
            veiled: &BTreeSet::new(),
        };
        let merged = Merged::of(&connector, &held, data).map_err(|error| error.moved("/config", "/data"))?;
        let secrets = !merged.secrets.is_empty() || merged.kept.len() != row.secrets.len();
        row.config = config_text(&merged.public).map_err(|error| error.moved("/config", "/data"))?;
        if secrets {
            self.reseal(row, merged.secrets, &merged.kept).await?;
            row.rotated_at = Some(self.inner.clock.now());
        }
        Ok((secrets, merged.changed))
    }

    /// The same for a credential that is for any connector. Nothing tells which of its fields decide where the others are
    /// sent, so it takes its data whole or not at all (O5).
    async fn lay_over_free(&self, row: &mut CredentialRow, data: &Json) -> Result<(bool, Vec<String>)> {
        let given = free_fields(data)?;
        let shown = |name: &String| row.secrets.contains_key(name) && given.get(name).is_some_and(is_shown);
        let kept: BTreeSet<&String> = row
            .secrets
            .keys()
            .filter(|name| !given.contains_key(*name) || shown(name))
            .collect();
        let changed: Vec<String> = given.keys().filter(|name| !kept.contains(name)).cloned().collect();
        if changed.is_empty() {
            return Ok((false, changed));
        }
        if !kept.is_empty() {
            return Err(again(kept).moved("/config", "/data"));
        }
        self.reseal(row, BTreeMap::new(), &BTreeSet::new()).await?;
        let mut fields = given;
        fields.retain(|_, value| !value.is_null());
        self.seal_free(row, fields).await?;
        row.rotated_at = Some(self.inner.clock.now());
        Ok((true, changed))
    }

    /// Seals every field, as JSON text: a number comes back as one.
    async fn seal_free(&self, row: &mut CredentialRow, fields: BTreeMap<String, Tree>) -> Result<()> {
        if fields.is_empty() {
            let detail = "A credential needs data: the fields that its connector asks for.";
            return Err(Error::new(Code::RequestInvalid, detail).field("/data", "is empty"));
        }
        let mut secrets = BTreeMap::new();
        let mut shown = BTreeMap::new();
        for (name, value) in fields {
            let last4 = value.as_str().and_then(|text| Secret::new(text.to_owned()).last4());
            shown.insert(name.clone(), last4);
            secrets.insert(name, Secret::new(value.to_text()));
        }
        self.seal_into(row, &secrets).await?;
        for (name, last4) in shown {
            row.secrets.entry(name).and_modify(|field| field.last4 = last4);
        }
        row.config = "{}".to_owned();
        Ok(())
    }
}

/// A secret is shown as such an object; sent back so, it stays.
fn is_shown(value: &Tree) -> bool {
    value.get("set").and_then(Tree::as_bool) == Some(true)
}

/// The data of a credential that is for any connector, within its bounds.
fn free_fields(data: &Json) -> Result<BTreeMap<String, Tree>> {
    let wrong = |pointer: String, message: String| {
        Err(Error::new(Code::RequestInvalid, "The data is not usable: see `fields`.").field(pointer, message))
    };
    let Some(fields) = data.tree().as_object() else {
        return wrong("/data".to_owned(), "must be an object of fields".to_owned());
    };
    if fields.len() > MAX_CREDENTIAL_FIELDS {
        return wrong(
            "/data".to_owned(),
            format!("may have {MAX_CREDENTIAL_FIELDS} fields at most"),
        );
    }
    for (name, value) in fields {
        let pointer = format!("/data/{}", name.replace('~', "~0").replace('/', "~1"));
        if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
            let message = format!("a name has 1 to {MAX_NAME_CHARS} characters, none of them a control character");
            return wrong("/data".to_owned(), message);
        }
        if value.to_text().len() > MAX_SECRET_BYTES {
            return wrong(pointer, format!("may have {MAX_SECRET_BYTES} bytes at most"));
        }
    }
    Ok(fields.iter().cloned().collect())
}
