//! What may be told of a connector: the one source of catalog, OpenAPI, forms, command line and documentation.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tieline_manifest::{Auth, Field, Manifest, Status, Tree};

use crate::action::ActionDescriptor;

/// A connector as everybody sees it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorDescriptor {
    /// Its identifier.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// One line about it.
    pub summary: Option<String>,
    /// More about it.
    pub description: Option<String>,
    /// What it belongs to.
    pub category: Option<String>,
    /// Its release stage: `available`, `beta`, `coming-soon` or `deprecated`.
    pub status: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The service's own documentation.
    pub docs: Option<String>,
    /// What it can be used for.
    pub capabilities: Vec<Capability>,
    /// What a person does to get the fields.
    pub setup: Vec<SetupStep>,
    /// The ways to connect it.
    pub auth: Vec<AuthDescriptor>,
    /// The hosts its credentials may be sent to.
    pub allowed_hosts: Vec<String>,
    /// What can be done.
    pub actions: Vec<ActionDescriptor>,
}

/// Something a connector can be used for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capability {
    /// Its identifier.
    pub id: String,
    /// What people call it.
    pub label: String,
    /// More about it.
    pub description: Option<String>,
}

/// A step on the way to the fields.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetupStep {
    /// What is done.
    pub title: String,
    /// How.
    pub description: Option<String>,
    /// In detail.
    pub bullets: Vec<String>,
}

/// A way to connect.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthDescriptor {
    /// Its identifier within the connector.
    pub id: String,
    /// What kind it is: `none`, `api_key`, `bearer`, `basic`, `custom_headers`, `oauth2` or `custom`.
    pub r#type: String,
    /// What people call it.
    pub label: String,
    /// More about it.
    pub description: Option<String>,
    /// What a person fills in.
    pub fields: Vec<FieldDescriptor>,
    /// JSON Schema of the fields.
    pub schema: Value,
}

/// A field that a person fills in.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldDescriptor {
    /// Its name.
    pub name: String,
    /// What people call it.
    pub label: String,
    /// More about it.
    pub description: Option<String>,
    /// What it holds: `string`, `text`, `url`, `email`, `integer`, `number` or `boolean`.
    pub r#type: String,
    /// Whether it is sealed and never shown again.
    pub secret: bool,
    /// Whether it must be given.
    pub required: bool,
    /// Its value unless given.
    pub default: Option<Value>,
    /// What to show in an empty form.
    pub placeholder: Option<String>,
    /// Other names it answers to.
    pub aliases: Vec<String>,
}

impl ConnectorDescriptor {
    pub(super) fn of(id: &str, manifest: &Manifest, actions: Vec<ActionDescriptor>) -> Self {
        let capabilities = manifest.capabilities.iter().map(|capability| Capability {
            id: capability.id.clone(),
            label: capability.label.clone(),
            description: capability.description.clone(),
        });
        let setup = manifest.setup.iter().map(|step| SetupStep {
            title: step.title.clone(),
            description: step.description.clone(),
            bullets: step.bullets.clone(),
        });
        Self {
            id: id.to_owned(),
            name: manifest.name.clone(),
            summary: manifest.summary.clone(),
            description: manifest.description.clone(),
            category: manifest.category.clone(),
            status: manifest.status.unwrap_or(Status::Available).as_str().to_owned(),
            tags: manifest.tags.clone(),
            docs: manifest.docs.clone(),
            capabilities: capabilities.collect(),
            setup: setup.collect(),
            auth: manifest.auth.iter().map(AuthDescriptor::of).collect(),
            allowed_hosts: manifest.allowed_hosts.iter().map(ToString::to_string).collect(),
            actions,
        }
    }
}

impl AuthDescriptor {
    fn of(auth: &Auth) -> Self {
        Self {
            id: auth.id.clone(),
            r#type: auth.kind.as_str().to_owned(),
            label: auth.label.clone().unwrap_or_else(|| auth.id.clone()),
            description: auth.description.clone(),
            fields: auth.fields.iter().map(FieldDescriptor::of).collect(),
            schema: auth.config_schema(),
        }
    }
}

impl FieldDescriptor {
    fn of(field: &Field) -> Self {
        Self {
            name: field.name.clone(),
            label: field.label.clone(),
            description: field.description.clone(),
            r#type: field.kind.as_str().to_owned(),
            secret: field.secret,
            required: field.required,
            default: field.default.as_ref().map(Tree::to_value),
            placeholder: field.placeholder.clone(),
            aliases: field.aliases.clone(),
        }
    }
}
