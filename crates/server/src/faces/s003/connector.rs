//! Connections, under the name of connectors.

use std::{collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tieline::{
    Code, Result,
    connection::{Connect, Connection, ConnectionPatch, ConnectionQuery, SyncFrequency},
    scope::Scope,
};
use tieline_manifest::Json;

use super::{
    Status, invalid_status,
    shown::{Connector, Created as Made, Tested},
};
use crate::{
    api::page::{CURSOR_EXAMPLE, Cursors, LongList},
    app::App,
    caller::Caller,
    faces::unknown_type,
    route::{Body, Created, Nothing, Query, Reply, Row},
};

/// How making one can fail beyond what its arguments say.
pub(crate) const MAKING: &[Code] = &[
    Code::ConnectorTypeUnknown,
    Code::EnvironmentMismatch,
    Code::ConnectorConfigInvalid,
    Code::ConnectorScopeInvalid,
    Code::ConnectorEncryptFailed,
    Code::ConnectorAlreadyConnected,
];

/// How changing one can fail beyond what its arguments say.
pub(crate) const CHANGING: &[Code] = &[
    Code::StatusInvalid,
    Code::NotFound,
    Code::EnvironmentMismatch,
    Code::ConnectorNotFound,
    Code::ConnectorConfigInvalid,
    Code::ConnectorEncryptFailed,
    Code::ConnectorDecryptFailed,
    Code::ConnectionConflict,
    Code::CredentialExpired,
];

/// What to connect.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "S003NewConnector")]
#[schemars(example = serde_json::json!({
    "connector_type": "acme",
    "display_name": "Main Acme Account",
    "config": { "bot_token": "the token" },
    "sync_frequency": "daily",
}))]
pub(crate) struct New {
    /// Which connector, by its identifier in the catalog.
    connector_type: String,
    /// What people call it; the connector's name, unless given.
    #[serde(default)]
    display_name: Option<String>,
    /// The fields of one of the connector's auth methods, secret ones too.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    config: Option<Json>,
    /// How often its records are wanted.
    #[serde(default)]
    sync_frequency: SyncFrequency,
}

/// What to change; what is absent stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "S003ConnectorUpdate")]
#[schemars(example = serde_json::json!({
    "display_name": "Main Acme Account", "config": { "team": "blue" }, "sync_frequency": "hourly", "status": "active",
}))]
pub(crate) struct Update {
    /// What people call it.
    #[serde(default)]
    display_name: Option<String>,
    /// Fields to change: an absent field keeps its value, `null` removes it.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    config: Option<Json>,
    /// How often its records are wanted.
    #[serde(default)]
    sync_frequency: Option<SyncFrequency>,
    /// `active` to switch it on, `inactive` to switch it off. What it is beyond that, tests find out.
    #[serde(default)]
    status: Option<String>,
}

/// A configuration to test.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "S003Test")]
#[schemars(example = serde_json::json!({ "connector_type": "acme", "config": { "bot_token": "the token" } }))]
pub(crate) struct Test {
    /// Which connector, by its identifier in the catalog.
    connector_type: String,
    /// The fields of one of its auth methods, secret ones too.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    config: Option<Json>,
}

/// Which ones to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// In this state: `active`, `inactive`, `error`, `syncing` or `testing`.
    #[serde(default)]
    #[schemars(example = &"active")]
    status: Option<String>,
    /// A second name of `status`.
    #[serde(default)]
    #[schemars(example = &"active")]
    status_filter: Option<String>,
    /// How many rows at most.
    #[serde(default)]
    limit: LongList,
    /// `next_cursor` of the page before.
    #[serde(default)]
    #[schemars(example = CURSOR_EXAMPLE)]
    cursor: Option<String>,
}

/// Connections, the newest first.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "S003Connectors")]
pub(crate) struct Listed {
    /// This page.
    connectors: Vec<Connector>,
    /// How many there are on all pages.
    total: u64,
    /// Ask for the next page with this as `cursor`; null on the last page.
    #[schemars(required, extend("type" = ["string", "null"]))]
    next_cursor: Option<String>,
}

impl ListQuery {
    fn status(&self) -> Result<Option<Status>> {
        if let (Some(one), Some(other)) = (&self.status, &self.status_filter)
            && one != other
        {
            return Err(invalid_status("two of them").field("/status_filter", "is another one than `status`"));
        }
        let word = self.status.as_deref().or(self.status_filter.as_deref());
        word.map(Status::named).transpose()
    }
}

pub(crate) async fn list(
    app: App,
    caller: Arc<Caller>,
    cursors: Cursors,
    Query(query): Query<ListQuery>,
) -> Result<Reply<Listed>> {
    let status = query.status()?;
    let after = cursors.open(query.cursor.as_deref()).await?;
    let Some((enabled, health)) = status.map_or(Some((None, Vec::new())), |status| {
        status.held().map(|(enabled, health)| (Some(enabled), health))
    }) else {
        return Ok(Reply(Listed {
            connectors: Vec::new(),
            total: 0,
            next_cursor: None,
        }));
    };
    let wanted = ConnectionQuery {
        enabled,
        health,
        newest_first: true,
        after,
        limit: query.limit.get(),
        ..ConnectionQuery::default()
    };
    let total = app.connectors.count_connections(&caller.actor, wanted.clone()).await?;
    let page = app.connectors.connections(&caller.actor, wanted).await?;
    let rows = page.rows.into_iter();
    let rows = rows.map(|row| Connector::of(&app.connectors, caller.actor.tenant, row));
    let listed = cursors.list(rows.collect(), page.next).await?;
    Ok(Reply(Listed {
        connectors: listed.data,
        total,
        next_cursor: listed.next_cursor,
    }))
}

pub(crate) async fn create(app: App, caller: Arc<Caller>, Body(new): Body<New>) -> Result<Created<Made>> {
    let blank = Connect::new(new.connector_type.clone(), Scope::tenant());
    let connect = Connect {
        display_name: new.display_name,
        sync_frequency: new.sync_frequency,
        config: new.config.unwrap_or_else(|| blank.config.clone()),
        ..blank
    };
    let made = app.connectors.create_connection(&caller.actor, connect).await;
    let made = made.map_err(|error| unknown_type(error, &new.connector_type, "/connector_type"))?;
    Ok(Created(Made {
        connector: Connector::of(&app.connectors, caller.actor.tenant, made.connection),
        test: made.test.into(),
    }))
}

pub(crate) async fn read(app: App, caller: Arc<Caller>, Row(row): Row<Connection>) -> Result<Reply<Connector>> {
    Ok(Reply(Connector::of(&app.connectors, caller.actor.tenant, row)))
}

pub(crate) async fn update(
    app: App,
    caller: Arc<Caller>,
    Row(row): Row<Connection>,
    Body(update): Body<Update>,
) -> Result<Reply<Connector>> {
    let enabled = update.status.as_deref().map(switched).transpose()?;
    let patch = ConnectionPatch {
        display_name: update.display_name,
        sync_frequency: update.sync_frequency,
        config: update.config,
        enabled,
        ..ConnectionPatch::default()
    };
    let changed = app.connectors.update_connection(&caller.actor, row.id, patch).await?;
    Ok(Reply(Connector::of(&app.connectors, caller.actor.tenant, changed)))
}

/// Whether a state that somebody sets is on or off: the others are found out and not set.
fn switched(word: &str) -> Result<bool> {
    match Status::named(word)? {
        Status::Active => Ok(true),
        Status::Inactive => Ok(false),
        Status::Error | Status::Syncing | Status::Testing => {
            Err(invalid_status(word).field("/status", "can be set to `active` or `inactive`"))
        }
    }
}

pub(crate) async fn delete(app: App, caller: Arc<Caller>, Row(row): Row<Connection>) -> Result<Nothing> {
    app.connectors.delete_connection(&caller.actor, row.id).await?;
    Ok(Nothing)
}

pub(crate) async fn test(app: App, caller: Arc<Caller>, Row(row): Row<Connection>) -> Result<Reply<Tested>> {
    let result = app.connectors.test_connection(&caller.actor, row.id).await?;
    Ok(Reply(result.into()))
}

pub(crate) async fn test_unsaved(app: App, caller: Arc<Caller>, Body(test): Body<Test>) -> Result<Reply<Tested>> {
    let blank = Connect::new(test.connector_type, Scope::tenant());
    let connect = Connect {
        config: test.config.unwrap_or_else(|| blank.config.clone()),
        ..blank
    };
    let result = app.connectors.try_unsaved(&caller.actor, &connect).await?;
    Ok(Reply(result.into()))
}
