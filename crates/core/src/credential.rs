//! Shared credentials: named secret material that connections and steps may use.
//!
//! A credential is for one connector, whose auth method says which of its fields are secret, or for any; then all of its
//! fields are.

mod change;
pub(crate) mod expiry;
mod view;

pub use change::{CredentialPatch, Rotation};
pub use view::Credential;

use std::{collections::BTreeMap, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tieline_manifest::Json;

use crate::{
    audit::Actor,
    clock::Timestamp,
    connectors::Connectors,
    environment::Environment,
    error::{Code, Error, Result},
    event::EventKind,
    id::CredentialId,
    limits::{MAX_METADATA_BYTES, MAX_USERS_TOLD},
    name::{check_description, check_name},
    page::{self, Page},
    store::{Countable, CredentialFilter, CredentialRow, Deleted, Inserted},
};

/// What kind of credential its owner calls it. A word only: the connector's auth method says what its fields mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum CredentialType {
    /// Tokens from a sign-in.
    Oauth,
    /// An API key.
    ApiKey,
    /// A user's name and password.
    BasicAuth,
    /// A token.
    Token,
    /// Anything else.
    Custom,
}

impl CredentialType {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Oauth, Self::ApiKey, Self::BasicAuth, Self::Token, Self::Custom];

    /// The word for it, on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oauth => "oauth",
            Self::ApiKey => "api_key",
            Self::BasicAuth => "basic_auth",
            Self::Token => "token",
            Self::Custom => "custom",
        }
    }
}

impl fmt::Display for CredentialType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CredentialType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == text);
        known.ok_or_else(|| Error::internal("a stored credential has an unknown type", text.to_owned()))
    }
}

/// What a new credential shall be.
#[derive(Debug, Clone)]
pub struct NewCredential {
    /// Its name, unique in the tenant.
    pub name: String,
    /// More about it.
    pub description: Option<String>,
    /// What kind of credential it is.
    pub kind: CredentialType,
    /// The connector it is for; any, unless given.
    pub connector: Option<String>,
    /// Which of its auth methods; the first that knows the fields, unless given.
    pub auth: Option<String>,
    /// All fields, secret and not.
    pub data: Json,
    /// What its owner notes about it, as an object.
    pub metadata: Option<Json>,
    /// Where it belongs; where its maker acts, and else production, unless given.
    pub environment: Option<Environment>,
    /// From when on it is refused; never, unless given.
    pub expires_at: Option<Timestamp>,
}

/// Which credentials to list.
#[derive(Debug, Clone, Default)]
pub struct CredentialQuery {
    /// Of this kind.
    pub kind: Option<CredentialType>,
    /// For this connector.
    pub connector: Option<String>,
    /// Belonging there.
    pub environment: Option<Environment>,
    /// Only those after this one.
    pub after: Option<CredentialId>,
    /// At most this many.
    pub limit: usize,
}

impl Connectors {
    /// Makes a credential.
    ///
    /// # Errors
    /// `NAME_TAKEN`, `CONNECTOR_NOT_FOUND`, `CONNECTOR_CONFIG_INVALID` with pointers into `/data`,
    /// `ENVIRONMENT_MISMATCH`, `REQUEST_INVALID`, `LIMIT_REACHED`.
    pub async fn create_credential(&self, by: &Actor, new: NewCredential) -> Result<Credential> {
        let about = self.about(by.tenant, "credential.create", |about| about);
        self.heed(about, async {
            check_name("/name", &new.name)?;
            check_description(new.description.as_deref())?;
            let environment = by.home_for(new.environment, "credential")?;
            let now = self.inner.clock.now();
            expiry::check(new.expires_at, now)?;
            self.has_room_for(by.tenant, Countable::Credentials).await?;
            let mut row = CredentialRow {
                id: CredentialId::new(&*self.inner.clock, &*self.inner.random)?,
                tenant: by.tenant,
                name: new.name,
                description: new.description,
                environment,
                kind: new.kind.to_string(),
                connector: new.connector,
                auth: new.auth,
                config: String::new(),
                secrets: BTreeMap::new(),
                secret_version: 1,
                metadata: metadata_text(new.metadata.as_ref())?,
                expires_at: new.expires_at,
                notice_at: expiry::notice(new.expires_at),
                rotated_at: None,
                version: 1,
                created_by: by.name.clone(),
                created_at: now,
                updated_at: now,
            };
            self.seal_data(&mut row, &new.data).await?;
            let detail = json!({
                "name": row.name, "type": row.kind, "connector": row.connector, "environment": environment,
            });
            let trail = self.trail(
                by,
                "credential.created",
                row.id,
                detail,
                &[EventKind::CredentialCreated],
            )?;
            match self.inner.store.insert_credential(row.clone(), trail).await? {
                Inserted::Inserted => Credential::of(&row),
                Inserted::Taken(_) => {
                    let detail = format!("There is a credential `{}` already: choose another name.", row.name);
                    Err(Error::new(Code::NameTaken, detail).field("/name", "is taken"))
                }
            }
        })
        .await
    }

    /// One credential.
    pub async fn credential(&self, by: &Actor, id: CredentialId) -> Result<Credential> {
        let about = self.about(by.tenant, "credential.get", |about| about);
        self.heed(about, async { Credential::of(&self.credential_row(by, id).await?) })
            .await
    }

    /// Credentials by identifier.
    pub async fn credentials(&self, by: &Actor, query: CredentialQuery) -> Result<Page<Credential, CredentialId>> {
        let about = self.about(by.tenant, "credential.list", |about| about);
        self.heed(about, async {
            let limit = page::bounded(query.limit);
            let filter = CredentialFilter {
                tenant: by.tenant,
                kind: query.kind.map(|kind| kind.to_string()),
                connector: query.connector,
                environment: query.environment,
                after: query.after,
                limit: limit + 1,
            };
            let rows = self.inner.store.credentials(filter).await?;
            let credentials = rows.iter().map(Credential::of).collect::<Result<Vec<_>>>()?;
            Ok(Page::cut(credentials, limit, |credential| credential.id))
        })
        .await
    }

    /// Deletes a credential and its secrets.
    ///
    /// # Errors
    /// `CREDENTIAL_IN_USE` while connections point to it, with the first of them.
    pub async fn delete_credential(&self, by: &Actor, id: CredentialId) -> Result<()> {
        let about = self.about(by.tenant, "credential.delete", |about| about);
        self.heed(about, async {
            let row = self.credential_row(by, id).await?;
            by.may_use(row.environment, "credential")?;
            let detail = json!({ "name": row.name });
            let trail = self.trail(by, "credential.deleted", id, detail, &[EventKind::CredentialDeleted])?;
            let tenant = by.tenant;
            let deleted = self
                .to_the_end(async move |connectors| {
                    let store = &connectors.inner.store;
                    let deleted = store.delete_credential(tenant, id, MAX_USERS_TOLD + 1, trail).await;
                    connectors.inner.lent.forget(tenant, &id);
                    deleted
                })
                .await?;
            match deleted {
                Deleted::Deleted => Ok(()),
                Deleted::Missing => Err(Error::not_found()),
                Deleted::InUse(users) => {
                    let count = match users.len() {
                        1 => "One connection points to it".to_owned(),
                        count if count > MAX_USERS_TOLD => {
                            format!("More than {MAX_USERS_TOLD} connections point to it")
                        }
                        count => format!("{count} connections point to it"),
                    };
                    let detail = format!("This credential is in use. {count}: point them elsewhere, or delete them.");
                    let told = users.into_iter().take(MAX_USERS_TOLD);
                    Err(told.fold(Error::new(Code::CredentialInUse, detail), |error, user| {
                        error.field(format!("/connections/{user}"), "points to this credential")
                    }))
                }
            }
        })
        .await
    }

    pub(crate) async fn credential_row(&self, by: &Actor, id: CredentialId) -> Result<CredentialRow> {
        let row = self.inner.store.credential(by.tenant, id).await?;
        row.ok_or_else(Error::not_found)
    }
}

fn metadata_text(metadata: Option<&Json>) -> Result<String> {
    let Some(metadata) = metadata else {
        return Ok("{}".to_owned());
    };
    let wrong = |message: String| {
        Err(Error::new(Code::RequestInvalid, "The metadata is not usable: see `fields`.").field("/metadata", message))
    };
    if metadata.tree().as_object().is_none() {
        return wrong("must be an object".to_owned());
    }
    if metadata.text().len() > MAX_METADATA_BYTES {
        return wrong(format!("may have {MAX_METADATA_BYTES} bytes at most"));
    }
    Ok(metadata.text().to_owned())
}
