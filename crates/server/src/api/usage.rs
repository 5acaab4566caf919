//! Usage: how much was called, summed up.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tieline::{
    Result,
    id::ConnectionId,
    store::{Sums, UsageBy},
    usage::UsageQuery,
};

use super::{
    moment::Day,
    page::{CURSOR_EXAMPLE, Cursors, Limit},
};
use crate::{
    app::App,
    caller::Caller,
    route::{List, Query, Ref},
};

/// What a group of calls cost together.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Usage {
    /// The group: the day, the connector, the connection's id (empty for calls that needed none) or the actor, such as an
    /// API key's id.
    group: String,
    /// How many calls.
    calls: u64,
    /// How many of them failed or were cancelled.
    errors: u64,
    /// How long they took together, in microseconds.
    micros: u64,
    /// Bytes of bodies sent, as far as known.
    bytes_sent: u64,
    /// Bytes of bodies received, as far as known.
    bytes_received: u64,
}

impl From<(String, Sums)> for Usage {
    fn from((group, sums): (String, Sums)) -> Self {
        Self {
            group,
            calls: sums.calls,
            errors: sums.errors,
            micros: sums.micros,
            bytes_sent: sums.sent,
            bytes_received: sums.received,
        }
    }
}

/// What usage is summed up by.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum By {
    /// Each day, in UTC.
    #[default]
    Day,
    /// Each connector.
    Connector,
    /// Each connection.
    Connection,
    /// Each API key, or who else called.
    Key,
}

/// Which usage to sum up. All that are given must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UsageOf {
    /// From this day on, in UTC; thirty days up to `to`, unless given. Less than 366 days before `to`.
    #[serde(default)]
    #[schemars(example = &"2026-11-01")]
    from: Option<Day>,
    /// Up to and with this day; today, unless given.
    #[serde(default)]
    #[schemars(example = &"2026-11-30")]
    to: Option<Day>,
    /// What it is summed up by.
    #[serde(default)]
    #[schemars(example = &"day")]
    by: By,
    /// Of this connector.
    #[serde(default)]
    #[schemars(example = &"acme")]
    connector: Option<String>,
    /// Of this connection.
    #[serde(default)]
    connection: Option<Ref<ConnectionId>>,
    /// Of this API key's id, or who else called.
    #[serde(default)]
    #[schemars(example = &"key_01jd3k9v7rf8pa0q2m5w8x4ynz")]
    key: Option<String>,
    /// How many groups at most.
    #[serde(default)]
    limit: Limit,
    /// `nextCursor` of the page before.
    #[serde(default)]
    #[schemars(example = CURSOR_EXAMPLE)]
    cursor: Option<String>,
}

pub(crate) async fn list(
    app: App,
    caller: Arc<Caller>,
    cursors: Cursors,
    Query(query): Query<UsageOf>,
) -> Result<List<Usage>> {
    let query = UsageQuery {
        from: query.from.map(|day| day.0),
        to: query.to.map(|day| day.0),
        by: match query.by {
            By::Day => UsageBy::Day,
            By::Connector => UsageBy::Connector,
            By::Connection => UsageBy::Connection,
            By::Key => UsageBy::Actor,
        },
        connector: query.connector,
        connection: query.connection.map(|connection| connection.0),
        actor: query.key,
        after: cursors.open(query.cursor.as_deref()).await?,
        limit: query.limit.get(),
    };
    let page = app.connectors.usage(&caller.actor, query).await?;
    let data = page.rows.into_iter().map(Usage::from).collect();
    cursors.list(data, page.next).await
}
