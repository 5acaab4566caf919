//! What may be told of a connector: the one source of catalog, OpenAPI, forms, command line and documentation.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tieline_manifest::{Auth, Field, Manifest, Status, Tree};

use super::{OAuth, OAuthDescriptor, Webhook, WebhookDescriptor, coded::Coded};
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
    /// Further addresses.
    pub links: Vec<Link>,
    /// Who made the connector.
    pub publisher: Option<Publisher>,
    /// Its picture: `icon.svg` where the catalog has one, else a word or sign that stands for it.
    pub icon: Option<String>,
    /// A colour to show it in.
    pub color: Option<String>,
    /// The host application's own paths to connect and disconnect.
    pub connection: Option<ConnectionPaths>,
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
    /// What its code says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// How one signs in, where that was declared in code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth: Option<OAuthDescriptor>,
    /// What its code does with webhooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookDescriptor>,
}

/// An address with its text.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// What people read.
    pub label: String,
    /// http or https, or a path in a repository.
    pub url: String,
}

/// Who made a connector.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Publisher {
    /// What people call them.
    pub name: String,
    /// http or https.
    pub url: Option<String>,
    /// A mail address.
    pub email: Option<String>,
}

/// Paths of the host application that connect and disconnect.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionPaths {
    /// Begins a sign-in.
    pub start: String,
    /// Tells whether it is connected.
    pub status: Option<String>,
    /// Ends it.
    pub disconnect: Option<String>,
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
    /// What it holds: `string`, `text`, `url`, `email`, `integer`, `number`, `boolean`, `hosts`, `headers` or `json`.
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
    pub(super) fn of(id: &str, manifest: &Manifest, actions: Vec<ActionDescriptor>, coded: &Coded) -> Self {
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
        let links = manifest.links.iter().map(|link| Link {
            label: link.label.clone(),
            url: link.url.clone(),
        });
        let (publisher, connection) = (manifest.publisher.as_ref(), manifest.connection.as_ref());
        Self {
            id: id.to_owned(),
            name: manifest.name.clone(),
            summary: manifest.summary.clone(),
            description: manifest.description.clone(),
            category: manifest.category.clone(),
            status: manifest.status.unwrap_or(Status::Available).as_str().to_owned(),
            tags: manifest.tags.clone(),
            docs: manifest.docs.clone(),
            links: links.collect(),
            publisher: publisher.map(|publisher| Publisher {
                name: publisher.name.clone(),
                url: publisher.url.clone(),
                email: publisher.email.clone(),
            }),
            icon: manifest.icon.clone(),
            color: manifest.color.clone(),
            connection: connection.map(|paths| ConnectionPaths {
                start: paths.start.clone(),
                status: paths.status.clone(),
                disconnect: paths.disconnect.clone(),
            }),
            capabilities: capabilities.collect(),
            setup: setup.collect(),
            auth: manifest
                .auth
                .iter()
                .map(|auth| AuthDescriptor::of(auth, coded))
                .collect(),
            allowed_hosts: manifest.allowed_hosts.iter().map(ToString::to_string).collect(),
            actions,
            metadata: coded.metadata.clone(),
            oauth: coded.oauth.as_ref().map(OAuth::descriptor),
            webhook: coded
                .webhook
                .as_ref()
                .map(Webhook::descriptor)
                .or_else(|| WebhookDescriptor::declared(manifest)),
        }
    }
}

impl AuthDescriptor {
    fn of(auth: &Auth, coded: &Coded) -> Self {
        let shape = coded.shape.as_ref().map(|shape| shape.schema().clone());
        Self {
            schema: shape.unwrap_or_else(|| auth.config_schema()),
            id: auth.id.clone(),
            r#type: auth.kind.as_str().to_owned(),
            label: auth.label.clone().unwrap_or_else(|| auth.id.clone()),
            description: auth.description.clone(),
            fields: auth.fields.iter().map(FieldDescriptor::of).collect(),
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
