//! The catalog: what can be connected and done.

use std::sync::Arc;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tieline::{
    Code, Error, Result,
    connector::{Capability, Connector, ConnectorDescriptor},
};

use tieline_catalog::Shipped;

use crate::{
    app::App,
    caller::Caller,
    openapi,
    route::{Found, List, Query, Reply, Row, Svg, Text},
};

/// Which connectors to list. All that are given must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CatalogQuery {
    /// Words that name, summary, description, category, tags or actions hold.
    #[serde(default)]
    #[schemars(example = &"chat message")]
    q: Option<String>,
    /// Their category.
    #[serde(default)]
    #[schemars(example = &"communication")]
    category: Option<String>,
    /// One of their tags.
    #[serde(default)]
    #[schemars(example = &"chat")]
    tag: Option<String>,
    /// Their release stage.
    #[serde(default)]
    #[schemars(example = &"available")]
    status: Option<String>,
}

/// A connector in the list.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CatalogEntry {
    /// Its identifier.
    id: String,
    /// What people call it.
    name: String,
    /// One line about it.
    summary: Option<String>,
    /// What it belongs to.
    category: Option<String>,
    /// Its release stage.
    status: String,
    /// Words to find it by.
    tags: Vec<String>,
    /// What it can be used for.
    capabilities: Vec<Capability>,
    /// The ways to connect it, by type.
    auth: Vec<String>,
    /// What can be done.
    actions: Vec<ActionEntry>,
}

/// An action in the list.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ActionEntry {
    /// Its identifier.
    id: String,
    /// What people call it.
    name: String,
}

impl From<&ConnectorDescriptor> for CatalogEntry {
    fn from(connector: &ConnectorDescriptor) -> Self {
        let connector = connector.clone();
        let actions = connector.actions.into_iter();
        Self {
            id: connector.id,
            name: connector.name,
            summary: connector.summary,
            category: connector.category,
            status: connector.status,
            tags: connector.tags,
            capabilities: connector.capabilities,
            auth: connector.auth.into_iter().map(|auth| auth.r#type).collect(),
            actions: actions
                .map(|action| ActionEntry {
                    id: action.id,
                    name: action.name,
                })
                .collect(),
        }
    }
}

impl CatalogQuery {
    fn holds(&self, connector: &ConnectorDescriptor) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| {
            wanted
                .as_deref()
                .is_none_or(|wanted| value.is_some_and(|value| value.eq_ignore_ascii_case(wanted)))
        };
        let tagged = |wanted: &str| connector.tags.iter().any(|tag| tag.eq_ignore_ascii_case(wanted));
        is(&self.category, connector.category.as_deref())
            && is(&self.status, Some(&connector.status))
            && self.tag.as_deref().is_none_or(tagged)
            && self.q.as_deref().is_none_or(|words| speaks_of(connector, words))
    }
}

/// Whether every word is found somewhere in what people read of the connector.
fn speaks_of(connector: &ConnectorDescriptor, words: &str) -> bool {
    let actions = connector.actions.iter().flat_map(|action| [&action.id, &action.name]);
    let text = [&connector.id, &connector.name]
        .into_iter()
        .chain(&connector.summary)
        .chain(&connector.description)
        .chain(&connector.category)
        .chain(&connector.tags)
        .chain(actions)
        .map(|text| text.to_lowercase())
        .collect::<Vec<_>>()
        .join("\n");
    words.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

impl Found for Arc<Connector> {
    const PARAM: &'static str = "connector";
    const KIND: Option<&'static str> = None;
    const MISSING: Code = Code::ConnectorNotFound;

    fn schema() -> Schema {
        schemars::json_schema!({ "type": "string", "examples": ["acme"] })
    }

    async fn find(app: &App, _: &Caller, text: &str) -> Result<Self> {
        app.connectors.registry().get(text)
    }
}

pub(crate) async fn list(app: App, Query(query): Query<CatalogQuery>) -> Result<List<CatalogEntry>> {
    let connectors = app.connectors.registry().list();
    let held = connectors
        .iter()
        .map(|connector| connector.descriptor())
        .filter(|connector| query.holds(connector));
    Ok(List {
        data: held.map(CatalogEntry::from).collect(),
        next_cursor: None,
    })
}

pub(crate) async fn read(Row(connector): Row<Arc<Connector>>) -> Result<Reply<ConnectorDescriptor>> {
    Ok(Reply(connector.descriptor().clone()))
}

pub(crate) async fn openapi(Row(connector): Row<Arc<Connector>>) -> Result<Reply<Value>> {
    Ok(Reply(openapi::connector::document(connector.descriptor())))
}

pub(crate) async fn guide(Row(connector): Row<Arc<Connector>>) -> Result<Text> {
    let folder = folder(&connector).ok_or_else(|| {
        Error::new(
            Code::NotFound,
            "This connector comes without a guide: only those we ship have one.",
        )
    })?;
    Ok(Text {
        content_type: "text/markdown; charset=utf-8",
        text: folder.guide.to_owned(),
    })
}

pub(crate) async fn icon(Row(connector): Row<Arc<Connector>>) -> Result<Svg> {
    let folder = folder(&connector).ok_or_else(|| {
        let detail = "This connector comes without a picture: only those we ship have one.";
        Error::new(Code::NotFound, detail)
    })?;
    Ok(Svg(folder.icon))
}

fn folder(connector: &Connector) -> Option<&'static Shipped> {
    tieline_catalog::shipped()
        .iter()
        .find(|folder| folder.id == connector.id())
}
