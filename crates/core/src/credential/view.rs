//! A credential as it may be shown.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use tieline_manifest::Json;

use super::CredentialType;
use crate::{
    clock::Timestamp, connection::SecretView, environment::Environment, error::Result, id::CredentialId,
    merged::stored, store::CredentialRow,
};

/// A credential as everybody may see it: no secret in it, sealed or open.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// Its identifier, kept for life.
    pub id: CredentialId,
    /// Its name, unique in the tenant.
    pub name: String,
    /// More about it.
    pub description: Option<String>,
    /// What kind of credential its owner calls it.
    #[serde(rename = "type")]
    pub kind: CredentialType,
    /// The connector it is for; any, unless it names one.
    pub connector: Option<String>,
    /// Which of the connector's auth methods it is for.
    pub auth: Option<String>,
    /// Where it belongs, for life.
    pub environment: Environment,
    /// The fields that are no secret; none are shown of a credential that is for any connector.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub data: Json,
    /// The secret fields that are set.
    pub secrets: BTreeMap<String, SecretView>,
    /// What its owner notes about it.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub metadata: Json,
    /// From when on it is refused.
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Timestamp>,
    /// When its secrets last changed.
    #[schemars(with = "Option<String>")]
    pub last_rotated_at: Option<Timestamp>,
    /// Rises with every change.
    pub version: u64,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// When it last changed.
    #[schemars(with = "String")]
    pub updated_at: Timestamp,
}

impl Credential {
    pub(super) fn of(row: &CredentialRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name.clone(),
            description: row.description.clone(),
            kind: row.kind.parse()?,
            connector: row.connector.clone(),
            auth: row.auth.clone(),
            environment: row.environment,
            data: stored(&row.config)?,
            secrets: SecretView::all(&row.secrets),
            metadata: stored(&row.metadata)?,
            expires_at: row.expires_at,
            last_rotated_at: row.rotated_at,
            version: row.version,
            created_by: row.created_by.clone(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}
