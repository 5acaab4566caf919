//! How a connection fares.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use tieline::{
    Result,
    connection::Connection,
    health::{ConnectionHealth, PastTest},
};

use crate::{
    api::page::{Cursors, PageQuery},
    app::App,
    caller::Caller,
    route::{Query, Reply, Row},
};

/// How a connection fares, and what its tests found out.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HealthReport {
    #[serde(flatten)]
    health: ConnectionHealth,
    /// This page of its tests, newest first.
    data: Vec<PastTest>,
    /// Ask for the next page with this as `cursor`; null on the last page.
    #[schemars(required, extend("type" = ["string", "null"]))]
    next_cursor: Option<String>,
}

pub(crate) async fn health(
    app: App,
    caller: Arc<Caller>,
    Row(connection): Row<Connection>,
    cursors: Cursors,
    Query(query): Query<PageQuery>,
) -> Result<Reply<HealthReport>> {
    let before = cursors.open(query.cursor.as_deref()).await?;
    let (health, tests) = app
        .connectors
        .connection_health(&caller.actor, connection.id, before, query.limit.get())
        .await?;
    let tests = cursors.list(tests.rows, tests.next).await?;
    Ok(Reply(HealthReport {
        health,
        data: tests.data,
        next_cursor: tests.next_cursor,
    }))
}
